//! How updates get through the log: waiting, in flight, published, acknowledged.
//!
//! Log first, then everybody. Updates wait un-integrated while an append is in flight, so that the
//! replica never holds more than the log and that one batch. When the log writer answers, the whole
//! batch is published as one update and every author is told; then first syncs are answered; then
//! the next batch is integrated and goes out. A quiet document pays one commit of latency, a
//! crowded one gathers for longer, so that frames per second do not grow with the crowd.

use std::time::Duration;

use bytes::Bytes;

use super::core::{Core, CoreLimits, MAY_NOT_WRITE, Sync, SyncKind};
use super::input::{Effect, Record};
use super::pace;
use crate::crdt::{Integrated, Linted, Verdict, merged};
use crate::id::{Seq, SessionId};
use crate::wire::Reply;

/// Updates integrated in one transaction at most.
const BATCH_UPDATES_MAX: usize = 512;

/// Bytes integrated in one transaction at most, unless a single update is larger.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// A session whose updates leave a hole so often in a row does not get anywhere by being asked.
const HOLES_MAX: u32 = 16;

/// So long after a batch that may have cost text, deletions are looked at as well: editors may answer
/// what they were shown by deleting it.
const WARY: Duration = Duration::from_secs(5);

/// While the log fails it is tried again after this time, then after twice as long, and so on.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// An update that was accepted and is not integrated.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) session: SessionId,
    pub(super) record: Record,
    pub(super) update: Linted,
    /// A step 2.
    pub(super) whole: bool,
    /// What its session had when it came back with it.
    pub(super) had: Option<Bytes>,
    pub(super) credit: Credit,
    /// It was held for these, who have been heard since.
    pub(super) owners_heard: Vec<SessionId>,
    /// Its session may no longer write; if it has to wait again, it waits in vain.
    pub(super) withdrawn: bool,
    /// An append with it has failed. While that was in flight, state vectors said that the server
    /// has it.
    pub(super) has_failed: bool,
}

/// What an update earns when it is saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Credit {
    /// Acknowledgements.
    pub(super) count: u32,
    /// The session's own step 1s when it came; after a further one it earns nothing.
    pub(super) syncs: u32,
}

/// A batch that is integrated and on its way to the log.
#[derive(Debug, Default)]
pub(super) struct Flight {
    merged: Bytes,
    /// Where each client id stood before.
    pub(super) starts: Vec<(u64, u32)>,
    acks: Vec<Ack>,
    /// Everything in it, to wait again if the append fails.
    batch: Vec<Waiting>,
    rows: u64,
    bytes: usize,
    /// Texts are kept with it.
    pub(super) rescues: bool,
}

impl Flight {
    /// Puts edits behind the batch that go to the log with it.
    ///
    /// # Errors
    /// In words, where they cannot be shown as one update.
    pub(super) fn add(&mut self, more: &Integrated, records: &[Record]) -> Result<(), String> {
        self.merged = match self.merged.is_empty() {
            true => more.merged.clone(),
            false => merged([&self.merged, &more.merged])?,
        };
        self.starts.extend(&more.starts);
        self.rows += records.len() as u64;
        self.bytes += records.iter().map(|record| record.bytes.len()).sum::<usize>();
        Ok(())
    }
}

/// Somebody to be told "saved".
#[derive(Debug, Clone, Copy)]
pub(super) struct Ack {
    session: SessionId,
    credit: Credit,
}

/// A batch that others have seen and whose authors wait for the disk.
#[derive(Debug)]
pub(super) struct Undurable {
    merged: Bytes,
    acks: Vec<Ack>,
    /// What those wrote who get the rest later.
    own: Vec<(SessionId, Bytes)>,
}

impl Undurable {
    /// Who waits for the disk.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.acks.iter().map(|ack| ack.session)
    }
}

/// An update that others have seen already and its authors have not.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) update: Bytes,
    pub(super) authors: Vec<SessionId>,
}

impl Core {
    /// Queues an update that has passed the lint.
    pub(super) fn accept(&mut self, waiting: Waiting) {
        let session = waiting.session;
        let len = waiting.record.bytes.len();
        let max = self.limits.waiting_bytes_max;
        // The sockets are not read while a healthy document is crowded, so twice the limit is only
        // met by what was on its way.
        let max = if self.failures == 0 { max.saturating_mul(2) } else { max };
        if self.waiting_bytes > 0 && self.waiting_bytes + len > max {
            self.owe(session, waiting.credit);
            self.ask_later(session);
            let reason = "not saved yet: the server cannot store changes right now".into();
            return self.send(session, Reply::NotSaved { reason, lasting: false });
        }
        let is_owners_word = waiting.whole;
        self.wait(waiting);
        if is_owners_word {
            self.release_held(session);
        }
    }

    /// Turns down what a session has sent and is not on its way to the log.
    pub(super) fn withdraw(&mut self, session: SessionId) {
        let mut withdrawn = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.session == session {
                self.waiting_bytes -= waiting.record.bytes.len();
                withdrawn.push(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        for held in std::mem::take(&mut self.held) {
            if held.waiting.session == session {
                withdrawn.push(held.waiting);
            } else {
                self.held.push(held);
            }
        }
        for waiting in withdrawn {
            self.give_up(&waiting);
            self.turn_down(session, MAY_NOT_WRITE);
        }
        self.set_withdrawn(session, true);
        self.ask_if_there_is_room();
    }

    /// What is on its way to the log is tried again if that fails: its session may write again, and
    /// when that is asked for what it has, what is on its way is left out.
    pub(super) fn restore(&mut self, session: SessionId) {
        self.set_withdrawn(session, false);
    }

    fn set_withdrawn(&mut self, session: SessionId, withdrawn: bool) {
        let on_its_way = self.flight.iter_mut().flat_map(|flight| &mut flight.batch);
        let own = on_its_way.filter(|waiting| waiting.session == session);
        own.for_each(|waiting| waiting.withdrawn = withdrawn);
    }

    /// Puts an update behind those that wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.record.bytes.len();
        self.waiting.push_back(waiting);
    }

    /// Does what can be done now; called after every input.
    pub(super) fn advance(&mut self, now: Duration) {
        if self.replica.is_none() && !self.loading && self.retry_at.is_some_and(|at| at <= now) {
            self.reload();
        }
        self.give_up_on_owners(now);
        self.tell_silent_aside(now);
        self.answer_early();
        while self.flight.is_none() && self.replica.is_some() {
            self.answer_syncs(now);
            self.examine_log(now);
            if self.flight.is_some() || self.waiting.is_empty() || self.must_wait(now) {
                break;
            }
            self.start_flight(now);
        }
        if self.failures > 0 && self.replica.is_some() && self.waiting.is_empty() {
            self.recovered_without_append();
        }
        if self.is_settled() && self.replica.is_some() {
            self.echo_to_all();
        }
        self.take_snapshot_if_due();
        self.forget_full(now);
        self.settle();
    }

    /// When [`Core::advance`] has something to do without a further input.
    pub(super) fn next_advance(&self) -> Option<Duration> {
        let owners = self.held.iter().filter_map(|held| held.until).min();
        let work = match (&self.replica, &self.flight) {
            (None, _) if self.loading => None,
            (None, _) => self.retry_at,
            (Some(_), None) if !self.waiting.is_empty() => {
                Some(self.next_flush.max(self.retry_at.unwrap_or_default()))
            }
            _ => None,
        };
        let asked_first = self.syncs.iter().filter_map(|sync| match sync.kind {
            SyncKind::AfterIts(_, until) => Some(until),
            _ => None,
        });
        let look = self.may_look_later().then_some(self.next_look);
        let is_free = self.flight.is_none() && self.undurable.is_empty();
        let asked_first = asked_first.min().filter(|_| is_free && self.replica.is_some());
        [owners, work, look, asked_first].into_iter().flatten().min()
    }

    /// Everything that was accepted is in the log and on disk.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
            && self.flight.is_none()
            && self.undurable.is_empty()
            && self.held.is_empty()
    }

    /// The batch in flight is in the log: everybody may see it.
    pub(super) fn committed(&mut self, last: Seq, durable: bool) {
        let Some(flight) = self.flight.take() else { return };
        let Flight { merged, starts, acks, batch, rows, bytes, rescues } = flight;
        self.failures = 0;
        self.retry_at = None;
        if rescues {
            self.tell_of_rescued();
        }
        self.log.last = last;
        self.log.rows_since_snapshot += rows;
        self.log.bytes_since_snapshot += bytes;
        if rows == 0 {
            // It becomes durable like any other.
            if !durable {
                self.undurable.push_back(Undurable { merged, acks, own: Vec::new() });
            }
            return;
        }
        self.published_starts = starts;
        let reply = Reply::Update { update: merged.clone() };
        // A part of what they lack might show a line without its form: they get everything at once.
        let mut except: Vec<SessionId> = self.await_everything().collect();
        let is_late = |waiting: &Waiting| except.contains(&waiting.session);
        let own =
            batch.into_iter().filter(is_late).map(|it| (it.session, it.record.bytes)).collect();
        if durable && self.undurable.is_empty() {
            self.publish(reply, except);
            self.echo_own(own);
            return self.acknowledge(&acks);
        }
        // To an author its own update is an acknowledgement, which must wait for the disk.
        except.extend(acks.iter().map(|ack| ack.session));
        self.publish(reply, except);
        self.undurable.push_back(Undurable { merged, acks, own });
    }

    /// Who has been asked for what they have before they are told what they lack.
    pub(super) fn await_everything(&self) -> impl Iterator<Item = SessionId> {
        let asked = self.syncs.iter().filter(|sync| matches!(sync.kind, SyncKind::AfterIts(..)));
        asked.map(|sync| sync.session)
    }

    /// Some clients wait for their own update to come back.
    fn echo_own(&mut self, own: Vec<(SessionId, Bytes)>) {
        for (session, update) in own {
            self.send(session, Reply::Update { update });
        }
    }

    /// The oldest batch that waits for the disk is there.
    pub(super) fn durable(&mut self) {
        let Some(Undurable { merged, acks, own }) = self.undurable.pop_front() else { return };
        let mut told: Vec<SessionId> = own.iter().map(|(session, _)| *session).collect();
        self.echo_own(own);
        for ack in &acks {
            if !told.contains(&ack.session) && self.sessions.contains_key(&ack.session) {
                told.push(ack.session);
                self.send(ack.session, Reply::Update { update: merged.clone() });
            }
        }
        self.acknowledge(&acks);
    }

    /// The batch in flight is not in the log. The replica holds it, so it cannot be shown to
    /// anybody: it is read anew, and the batch waits again.
    pub(super) fn commit_failed(&mut self, reason: &str, now: Duration) {
        let Some(flight) = self.flight.take() else { return };
        for ack in &flight.acks {
            let reason = format!("not saved yet: {reason}; it will be tried again").into();
            self.send(ack.session, Reply::NotSaved { reason, lasting: false });
        }
        if let Some(replica) = &self.replica {
            let mut shown = replica.state_vector();
            flight.starts.iter().for_each(|(client, clock)| shown.lower(*client, *clock));
            self.shown = Some(shown);
        }
        self.wait_again(flight.batch);
        self.reload();
        self.back_off(now);
    }

    /// Sets the time of the next try.
    pub(super) fn back_off(&mut self, now: Duration) {
        let wait = RETRY_FIRST.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + wait);
    }

    pub(super) fn snapshot_ended(&mut self, written: bool) {
        self.snapshot_in_flight = false;
        if !written {
            // Not again at once; the log is complete without it.
            self.log.rows_since_snapshot = 0;
            self.log.bytes_since_snapshot = 0;
        }
    }

    /// A retry found nothing to append: what had failed was written after all, or was taken back.
    fn recovered_without_append(&mut self) {
        if self.flight.is_none() {
            self.failures = 0;
            self.retry_at = None;
            self.ask_those_turned_away();
        }
    }

    fn must_wait(&self, now: Duration) -> bool {
        now < self.next_flush || self.retry_at.is_some_and(|at| now < at)
    }

    /// The replica equals the log: whoever waits for what it lacks gets it.
    fn answer_syncs(&mut self, now: Duration) {
        for Sync { session, kind } in std::mem::take(&mut self.syncs) {
            // What a session wrote itself would be an acknowledgement to it.
            let unacknowledged =
                |undurable: &Undurable| undurable.acks.iter().any(|ack| ack.session == session);
            let may_hold_its_own = matches!(kind, SyncKind::CatchUp(_) | SyncKind::AfterIts(..));
            if may_hold_its_own && self.undurable.iter().any(unacknowledged) {
                self.syncs.push(Sync { session, kind });
                continue;
            }
            match &kind {
                SyncKind::Step(vector) if self.ask_first(session, vector, now) => continue,
                SyncKind::AfterIts(_, until) if !self.has_said(session, *until, now) => {
                    self.syncs.push(Sync { session, kind });
                    continue;
                }
                _ => {}
            }
            let Some(known) = self.sessions.get(&session) else { continue };
            let is_stranger = known.is_stranger;
            let Some(replica) = &mut self.replica else { return };
            match kind {
                SyncKind::Step(vector) => {
                    let update = replica.encode_diff(&replica.known_part(&vector));
                    self.full_until = None;
                    self.answer_step(session, update);
                }
                SyncKind::AfterIts(vector, _) => {
                    let update = replica.encode_diff(&replica.known_part(&vector));
                    self.full_until = None;
                    self.send(session, Reply::SyncStep2 { update });
                }
                SyncKind::CatchUp(_) if is_stranger => {
                    // What it missed is of others' presence; everything else comes with its step 2.
                    self.effects.push(Effect::Resume { session });
                    self.send_everything(session);
                }
                SyncKind::CatchUp(vector) => {
                    let update = replica.encode_diff(&vector);
                    self.effects.push(Effect::Resume { session });
                    self.send(session, Reply::Update { update });
                    self.send_everything(session);
                }
                SyncKind::Claim(summary, credit) if replica.contains(&summary) => {
                    self.acknowledge_known(vec![Ack { session, credit }]);
                }
                SyncKind::Claim(_, credit) => {
                    self.owe(session, credit);
                    self.turn_down(session, MAY_NOT_WRITE);
                }
            }
        }
    }

    /// Integrates what waits and sends it to the log.
    fn start_flight(&mut self, now: Duration) {
        let batch = self.take_batch();
        let batch: Vec<Waiting> = batch.into_iter().filter_map(|w| self.admit(w, now)).collect();
        if batch.is_empty() {
            return self.ask_if_there_is_room();
        }
        let Some(replica) = &mut self.replica else { return };
        let updates: Vec<&Linted> = batch.iter().map(|waiting| &waiting.update).collect();
        let integrated = match replica.integrate(&updates) {
            Ok(integrated) => integrated,
            Err(broken) => return self.rebuild_without(broken.index, &broken.reason, batch),
        };
        let CoreLimits { flush_interval_per_session, flush_interval_max, .. } = self.limits;
        let interval =
            pace::interval(self.sessions.len(), flush_interval_per_session, flush_interval_max);
        // What did not fit has gathered already. If it waited, a crowd that types more than a batch in
        // an interval would fall behind for ever.
        self.next_flush = if self.waiting.is_empty() { now + interval } else { now };
        self.launch(batch, integrated, now);
    }

    /// Sorts a batch by what became of it; what changed the replica goes to the log.
    fn launch(&mut self, batch: Vec<Waiting>, integrated: Integrated, now: Duration) {
        let Integrated { verdicts, merged, starts, mut costs_text } = integrated;
        let mut records: Vec<Record> = Vec::new();
        let mut hints = Vec::new();
        let mut acks = Vec::new();
        let mut kept = Vec::new();
        for (waiting, verdict) in batch.into_iter().zip(verdicts) {
            let Waiting { session, credit, .. } = waiting;
            match verdict {
                Verdict::Applied => {
                    records.push(waiting.record.clone());
                    let seq = Seq(self.log.last.0 + records.len() as u64);
                    if let Some((hint, lacks)) = self.hint(&waiting, seq, now) {
                        costs_text |= lacks;
                        hints.push(hint);
                    }
                }
                Verdict::Known => {}
                Verdict::Hole => {
                    self.ask_for_the_rest(waiting);
                    continue;
                }
                Verdict::Refused(reason) => {
                    self.give_up(&waiting);
                    self.refuse(session, waiting.record, &reason);
                    continue;
                }
            }
            if let Some(known) = self.sessions.get_mut(&session) {
                known.holes = 0;
            }
            acks.push(Ack { session, credit });
            kept.push(waiting);
        }
        if records.is_empty() {
            return self.acknowledge_known(acks);
        }
        let bytes = records.iter().map(|record| record.bytes.len()).sum();
        let rows = records.len() as u64;
        let is_wary = now < self.wary_until && now >= self.next_look;
        let has_deletes = kept.iter().any(|it| !it.update.summary.deletes.is_empty());
        if costs_text {
            self.wary_until = now + WARY;
        }
        costs_text |= is_wary && has_deletes;
        let (batch, rescues) = (kept, false);
        self.flight = Some(Flight { merged, starts, acks, batch, rows, bytes, rescues });
        self.send_to_log(records, hints, costs_text, now);
    }

    fn take_batch(&mut self) -> Vec<Waiting> {
        let updates_max = if self.careful { 1 } else { BATCH_UPDATES_MAX };
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            let len = next.record.bytes.len();
            let full = batch.len() >= updates_max || bytes + len > BATCH_BYTES_MAX;
            // What was held is examined when everything that its owner said is integrated, and what
            // its owner has said since can be seen behind it.
            let was_held = !next.owners_heard.is_empty();
            if !batch.is_empty() && (full || was_held) {
                break;
            }
            bytes += len;
            batch.extend(self.waiting.pop_front());
            if was_held {
                break;
            }
        }
        self.waiting_bytes -= bytes;
        if self.waiting.is_empty() {
            self.careful = false;
        }
        batch
    }

    /// Lets an update into the batch, holds it for the owner of the client id that it extends, or
    /// refuses it.
    fn admit(&mut self, waiting: Waiting, now: Duration) -> Option<Waiting> {
        let waiting = self.hold_for_owner(waiting, now)?;
        let session = waiting.session;
        let state_bytes = self.log.snapshot_bytes + self.log.bytes_since_snapshot;
        if state_bytes + waiting.record.bytes.len() > self.limits.document_bytes_max {
            let known = self.replica.as_ref().is_some_and(|r| r.contains(&waiting.update.summary));
            if !known {
                let max = self.limits.document_bytes_max;
                self.give_up(&waiting);
                self.turn_down(session, &format!("the document is at its limit of {max} bytes"));
                return None;
            }
        }
        Some(waiting)
    }

    /// No holes: the sender is asked for everything that is missing.
    fn ask_for_the_rest(&mut self, waiting: Waiting) {
        self.give_up(&waiting);
        let Some(known) = self.sessions.get(&waiting.session) else { return };
        if known.ask_again || known.is_asked_for_more() {
            // The answer is on its way, behind everything that was sent before the question came.
            return;
        }
        if self.is_held(waiting.session) || self.has_more_waiting(waiting.session) {
            // Its answer is here and not integrated; but that may be older than what left the hole.
            return self.ask_later(waiting.session);
        }
        let Some(known) = self.sessions.get_mut(&waiting.session) else { return };
        known.holes += 1;
        if known.holes > HOLES_MAX {
            let reason = "it builds on changes that never came";
            return self.refuse(waiting.session, waiting.record, reason);
        }
        self.ask(waiting.session);
    }

    fn ask_later(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.ask_again = true;
        }
    }

    /// Leaves what an update would have earned to the session's next step 2, unless that answers a
    /// question that said the server has the update.
    pub(super) fn give_up(&mut self, waiting: &Waiting) {
        if let Some(known) = self.sessions.get_mut(&waiting.session)
            && waiting.has_failed
        {
            known.questions.iter_mut().for_each(|asked| asked.is_stale = true);
        }
        self.owe(waiting.session, waiting.credit);
    }

    /// Leaves what an update would have earned to the session's next step 2.
    pub(super) fn owe(&mut self, session: SessionId, credit: Credit) {
        if let Some(known) = self.sessions.get_mut(&session)
            && known.syncs == credit.syncs
        {
            known.owed += credit.count;
        }
    }

    /// The replica is damaged: the update that did it is put aside, the others wait for a replica
    /// that is read from the log.
    fn rebuild_without(&mut self, index: Option<usize>, reason: &str, mut batch: Vec<Waiting>) {
        self.reload();
        let culprit = index.or((batch.len() == 1).then_some(0));
        match culprit {
            Some(index) => {
                let waiting = batch.remove(index);
                self.give_up(&waiting);
                self.refuse(waiting.session, waiting.record, reason);
            }
            None => self.careful = true,
        }
        self.wait_again(batch);
    }

    /// What the server adds to the batch in flight does not fit: the batch waits for a replica that is
    /// read from the log, to go there as it is.
    pub(super) fn rebuild(&mut self, reason: &str, flight: Flight) {
        self.effects.push(Effect::CannotCarry { reason: reason.to_owned() });
        self.carries_nothing = true;
        self.reload();
        self.wait_again(flight.batch);
    }

    fn wait_again(&mut self, batch: Vec<Waiting>) {
        for mut waiting in batch.into_iter().rev() {
            waiting.has_failed = true;
            if waiting.withdrawn {
                self.give_up(&waiting);
                self.turn_down(waiting.session, MAY_NOT_WRITE);
                continue;
            }
            self.waiting_bytes += waiting.record.bytes.len();
            self.waiting.push_front(waiting);
        }
    }

    /// For what the log has; but perhaps only in a batch that is not on disk yet.
    fn acknowledge_known(&mut self, acks: Vec<Ack>) {
        match self.undurable.back_mut() {
            Some(undurable) => undurable.acks.extend(acks),
            None => self.acknowledge(&acks),
        }
    }

    /// The positive answers that a batch has earned.
    fn acknowledge(&mut self, acks: &[Ack]) {
        for Ack { session, credit } in acks {
            self.echo_to(*session);
            let Some(known) = self.sessions.get_mut(session) else { continue };
            if known.syncs != credit.syncs {
                continue;
            }
            known.unsaved = known.unsaved.saturating_sub(credit.count);
            for _ in 0..credit.count {
                self.send(*session, Reply::Saved);
            }
            self.answer_checkpoint(*session);
        }
        self.ask_if_there_is_room();
    }

    fn ask_if_there_is_room(&mut self) {
        if self.waiting.is_empty() && self.failures == 0 {
            self.ask_those_turned_away();
        }
    }

    /// Shows a session what others have seen before it, now that it may.
    fn echo_to(&mut self, session: SessionId) {
        let mut updates = Vec::new();
        for Echo { update, authors } in &mut self.echoes {
            if authors.contains(&session) {
                authors.retain(|author| *author != session);
                updates.push(update.clone());
            }
        }
        for update in updates {
            self.send(session, Reply::Update { update });
        }
        self.echoes.retain(|echo| !echo.authors.is_empty());
    }

    /// Nothing waits any more, so nobody waits for an acknowledgement.
    fn echo_to_all(&mut self) {
        while let Some(session) = self.echoes.first().and_then(|echo| echo.authors.first()) {
            self.echo_to(*session);
        }
    }

    pub(super) fn ask_those_turned_away(&mut self) {
        let turned_away = self.sessions.iter_mut();
        let turned_away: Vec<SessionId> = turned_away
            .filter_map(|(id, known)| std::mem::take(&mut known.ask_again).then_some(*id))
            .collect();
        for session in turned_away {
            self.ask(session);
        }
    }

    fn take_snapshot_if_due(&mut self) {
        let log = &self.log;
        let bytes_max = self.limits.snapshot_bytes.max(log.snapshot_bytes);
        let large = log.rows_since_snapshot >= self.limits.snapshot_rows
            || log.bytes_since_snapshot >= bytes_max;
        let last_chance = self.retiring && log.rows_since_snapshot > 0;
        if !(large || last_chance) || self.snapshot_in_flight || self.flight.is_some() {
            return;
        }
        let Some(replica) = &mut self.replica else { return };
        let (bytes, fingerprint) = (replica.encode_anew(), replica.fingerprint());
        self.log.rows_since_snapshot = 0;
        self.log.bytes_since_snapshot = 0;
        self.log.snapshot_bytes = bytes.len();
        self.snapshot_in_flight = true;
        let seq = self.log.last;
        self.effects.push(Effect::WriteSnapshot { seq, bytes, fingerprint });
    }

    /// Answers whoever waits for the end.
    fn settle(&mut self) {
        let is_settled = self.is_settled() || self.failures > 0;
        if self.flushing && is_settled && !self.lineage.is_keeping() {
            self.flushing = false;
            self.effects.push(Effect::Flushed);
        }
        if self.retiring && self.is_idle() {
            self.effects.push(Effect::Retired);
        }
    }
}
