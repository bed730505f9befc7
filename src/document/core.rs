//! The rules of one document: who is in it, what is taken, and what everybody is told when.
//!
//! `handle(input, now) -> effects`: no async, no clock, no randomness, no I/O; same inputs, same
//! effects. How updates get through the log is in `flush`. The rules that must hold:
//!
//! - nobody is shown, and nobody is told "saved", what is not in the log;
//! - the replica holds the log plus the batch in flight, nothing else;
//! - a first sync is answered only while the replica equals the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::flush::{Credit, Echo, Flight, Undurable, Waiting};
use super::held::Held;
use super::input::{About, Effect, Ending, Greeting, Input, Loaded, Record};
use super::lineage::Lineage;
use super::member::{Asked, Question, Session};
use super::pace;
use super::presence::{Presence, PresenceLimits, Speaker};
use super::unseen::Unseen;
use crate::config::Config;
use crate::crdt::{LintLimits, Linted, Preview, Replica, StateVector, Summary};
use crate::id::{Seq, SessionId, User};
use crate::wire::awareness::{Entry, encode};
use crate::wire::{Reply, Text};

/// What the rules are measured by; taken from the configuration.
#[derive(Debug, Clone)]
pub struct CoreLimits {
    /// For every update, before it is decoded.
    pub lint: LintLimits,
    /// For every awareness state.
    pub presence: PresenceLimits,
    /// Sessions in the document.
    pub sessions_max: usize,
    /// Bytes of the encoded state, above which updates are refused.
    pub document_bytes_max: usize,
    /// Bytes of updates that wait for the log.
    pub waiting_bytes_max: usize,
    /// Updates that cannot be taken, per session.
    pub refusals_max: u32,
    /// Records of the log after which a snapshot is taken.
    pub snapshot_rows: u64,
    /// Bytes of the log after which a snapshot is taken.
    pub snapshot_bytes: usize,
    /// Each session makes the time for which a document gathers updates longer by this much.
    pub flush_interval_per_session: Duration,
    /// The longest that a crowded document gathers updates.
    pub flush_interval_max: Duration,
    /// The longest that a crowded document gathers awareness.
    pub awareness_interval_max: Duration,
    /// States that are told in a second, counted once for each who is told; who comes and who goes
    /// is told beyond that.
    pub awareness_per_s_max: usize,
}

impl CoreLimits {
    /// The limits that apply to one document.
    pub fn new(config: &Config) -> Self {
        let (limits, timing) = (&config.limits, &config.timing);
        Self {
            lint: LintLimits {
                update_bytes_max: limits.update_bytes_max,
                subdocuments_max: limits.update_subdocuments_max,
                ..LintLimits::default()
            },
            presence: PresenceLimits {
                state_bytes_max: limits.awareness_state_bytes_max,
                session_clients_max: limits.session_awareness_clients_max,
            },
            sessions_max: limits.document_sessions_max,
            document_bytes_max: limits.document_bytes_max,
            waiting_bytes_max: limits.waiting_bytes_max,
            refusals_max: limits.unreadable_frames_max,
            snapshot_rows: limits.snapshot_rows,
            snapshot_bytes: limits.snapshot_bytes,
            flush_interval_per_session: pace::PER_SESSION,
            flush_interval_max: Duration::from_millis(timing.flush_interval_max_ms),
            awareness_per_s_max: limits.document_awareness_per_s_max,
            awareness_interval_max: Duration::from_millis(timing.awareness_interval_max_ms),
        }
    }
}

/// One document.
#[derive(Debug)]
pub struct Core {
    pub(super) limits: CoreLimits,
    /// `None` while the log is being read.
    pub(super) replica: Option<Replica>,
    /// What the log holds, while its first replica is being built.
    pub(super) preview: Option<Preview>,
    /// When the replica's encoded full state is forgotten if nobody comes.
    pub(super) full_until: Option<Duration>,
    pub(super) log: LogState,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// Sessions that came while the log was being read for the first time.
    arriving: Vec<(SessionId, About)>,
    presence: Presence,
    pub(super) lineage: Lineage,
    /// Client ids and the sessions that introduced them as their own.
    owners: BTreeSet<(u64, SessionId)>,
    next_awareness: Duration,
    /// Accepted, linted, not yet integrated.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) waiting_bytes: usize,
    /// Integrated, on its way to the log.
    pub(super) flight: Option<Flight>,
    /// In the log and published, not yet on disk (`durability = "process"`).
    pub(super) undurable: VecDeque<Undurable>,
    /// Held until the session whose client id they extend has been heard.
    pub(super) held: Vec<Held>,
    /// First syncs and catch-ups that wait until the replica equals the log.
    pub(super) syncs: Vec<Sync>,
    /// Where each client id stood before the batch that was published last.
    pub(super) published_starts: Vec<(u64, u32)>,
    /// What everybody had been shown when an append was reported to have failed.
    pub(super) shown: Option<StateVector>,
    /// What appends that were reported to have failed did write, for those who wrote it.
    pub(super) echoes: Vec<Echo>,
    pub(super) next_flush: Duration,
    /// While the log fails: when to try again.
    pub(super) retry_at: Option<Duration>,
    pub(super) failures: u32,
    /// After damage of unknown origin: integrate one update at a time.
    pub(super) careful: bool,
    pub(super) snapshot_in_flight: bool,
    /// The first row of the log of which it is not known whether it has cost text.
    pub(super) unexamined: Option<Seq>,
    pub(super) unseen: Unseen,
    /// Until then a batch that deletes something may have cost text.
    pub(super) wary_until: Duration,
    /// That is to be found out: the document has just been opened.
    pub(super) must_examine: bool,
    /// That is to be found out when there is time.
    pub(super) look_later: bool,
    /// When the look that is under way began, and before which time there is none.
    pub(super) look_began: Duration,
    pub(super) next_look: Duration,
    /// An answer to that did not fit: not asked again before the next start.
    pub(super) carries_nothing: bool,
    /// The log is being read.
    pub(super) loading: bool,
    /// Somebody waits until everything that was accepted is in the log.
    pub(super) flushing: bool,
    /// It was asked to retire and writes its last snapshot.
    pub(super) retiring: bool,
    /// It has failed: everybody has been told, and nothing happens any more.
    over: bool,
    pub(super) effects: Vec<Effect>,
}

/// Where the log stands.
#[derive(Debug, Default)]
pub(super) struct LogState {
    pub(super) last: Seq,
    pub(super) rows_since_snapshot: u64,
    pub(super) bytes_since_snapshot: usize,
    pub(super) snapshot_bytes: usize,
    /// The log has been read at least once.
    pub(super) was_loaded: bool,
}

/// A session that waits for everything it lacks.
#[derive(Debug)]
pub(super) struct Sync {
    pub(super) session: SessionId,
    pub(super) kind: SyncKind,
}

/// Why a session waits for everything it lacks, and what it has.
#[derive(Debug, Clone)]
pub(super) enum SyncKind {
    /// It sent step 1, with this state vector: kept as it came, because clients may declare any
    /// number of client ids, and only those that the document knows matter when it is answered.
    Step(Bytes),
    /// As `Step`, of a session that has something which the server lacks, and has been asked for it. What
    /// that costs or doubles is settled before it sees what others have written; at the latest at
    /// this time.
    AfterIts(Bytes, Duration),
    /// Its outbox was full.
    CatchUp(StateVector),
    /// It may only read, and brought a step 2: fine if there is nothing new in it.
    Claim(Summary, Credit),
}

impl SyncKind {
    /// It answers a step 1.
    pub(super) fn is_step(&self) -> bool {
        matches!(self, Self::Step(_) | Self::AfterIts(..))
    }
}

impl Core {
    /// A document whose log is about to be read.
    pub fn new(limits: CoreLimits) -> Self {
        Self {
            presence: Presence::new(limits.presence),
            limits,
            replica: None,
            preview: None,
            full_until: None,
            log: LogState::default(),
            sessions: BTreeMap::new(),
            arriving: Vec::new(),
            lineage: Lineage::default(),
            owners: BTreeSet::new(),
            next_awareness: Duration::ZERO,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flight: None,
            undurable: VecDeque::new(),
            held: Vec::new(),
            syncs: Vec::new(),
            published_starts: Vec::new(),
            shown: None,
            echoes: Vec::new(),
            next_flush: Duration::ZERO,
            retry_at: None,
            failures: 0,
            careful: false,
            snapshot_in_flight: false,
            unexamined: None,
            unseen: Unseen::default(),
            wary_until: Duration::ZERO,
            must_examine: false,
            look_later: false,
            look_began: Duration::ZERO,
            next_look: Duration::ZERO,
            carries_nothing: false,
            loading: true,
            flushing: false,
            retiring: false,
            over: false,
            effects: vec![Effect::Load],
        }
    }

    /// Takes what happened and returns what has to be done, in order.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        if self.over {
            // The shell may stay for a while; nothing is accepted, so there is nothing to flush.
            return if matches!(input, Input::Flush) { vec![Effect::Flushed] } else { Vec::new() };
        }
        match input {
            Input::Found(found) => self.found(*found),
            Input::Loaded(loaded) => self.loaded(*loaded),
            Input::LoadFailed { reason, lasting } => self.load_failed(reason, lasting, now),
            Input::Deleted => self.fail(&Ending::Deleted),
            Input::Joined { session, about } => self.joined(session, about),
            Input::Left { session } => self.left(session, now),
            Input::SyncStep1 { session, state_vector } => {
                self.sync_step_1(session, state_vector, now)
            }
            Input::Update { session, bytes, whole, may_write } => {
                if !self.is_brought_aside(session, &bytes, whole, may_write) {
                    self.update(session, bytes, whole, may_write, now);
                }
            }
            Input::Rights { session, may_write, user } => self.rights(session, may_write, user),
            Input::Checkpoint { session, payload } => self.checkpoint(session, payload),
            Input::Awareness { session, entries } => self.awareness(session, entries, now),
            Input::QueryAwareness { session } => self.send_everybody(session),
            Input::Stateless { session, payload } => self.stateless(session, payload),
            Input::Stalled { session } => self.stalled(session),
            Input::Drained { session } => self.drained(session),
            Input::Committed { last, durable } => self.committed(last, durable),
            Input::CommitFailed { reason } => self.commit_failed(&reason, now),
            Input::Durable => self.durable(),
            Input::SnapshotEnded { written } => self.snapshot_ended(written),
            Input::BranchKept { session, branch } => self.branch_kept(session, branch),
            Input::Planned { from, records, plan } => {
                self.planned(from, records, plan.map(|plan| *plan), now);
            }
            Input::Flush => self.flushing = true,
            Input::Retire => self.retire(),
            Input::Tick => self.presence.expire(now),
        }
        if !self.over {
            self.advance(now);
            self.publish_awareness(now);
        }
        std::mem::take(&mut self.effects)
    }

    /// When time alone changes something: the next [`Input::Tick`] is due then.
    pub fn next_wake(&self) -> Option<Duration> {
        let awareness = self.presence.has_changes().then_some(self.next_awareness);
        let (expires_at, aside) = (self.presence.expires_at(), self.lineage.next_wake());
        [self.next_advance(), awareness, expires_at, aside].into_iter().flatten().min()
    }

    /// Nobody is here and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.arriving.is_empty()
            && self.lineage.len() == 0
            && self.is_settled()
            && self.replica.is_some()
            && !self.snapshot_in_flight
            && !self.must_examine
    }

    /// So many updates wait that their senders should not be read; for the log never while it fails.
    pub fn is_crowded(&self) -> bool {
        let max = self.limits.waiting_bytes_max;
        self.lineage.keeping_bytes() > max || (self.failures == 0 && self.waiting_bytes > max)
    }

    /// The replica, for tests that compare it with something.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Says something to a session that is still here.
    pub(super) fn send(&mut self, session: SessionId, reply: Reply) {
        if self.sessions.contains_key(&session) {
            self.effects.push(Effect::Send { session, reply });
        }
    }

    /// Asks for everything that a session has and the server lacks.
    pub(super) fn ask(&mut self, session: SessionId) {
        self.question(session, Question::OfItsOwn);
    }

    /// The server's own step 1, where the dialect expects it.
    pub(super) fn greet(&mut self, session: SessionId) {
        self.question(session, Question::Greeting);
    }

    fn question(&mut self, session: SessionId, why: Question) {
        let state_vector = self.state_vector();
        let Some(known) = self.sessions.get_mut(&session) else { return };
        let Some(state_vector) = state_vector else {
            known.ask_again = true;
            return;
        };
        known.asked += 1;
        known.questions.push_back(Asked { why, is_stale: false });
        if known.questions.len() > QUESTIONS_MAX {
            known.questions.pop_front();
            known.answered += 1;
        }
        self.send(session, Reply::SyncStep1 { state_vector: state_vector.encode() });
    }

    /// Who is here, for one session.
    pub(super) fn send_everybody(&mut self, session: SessionId) {
        if !self.sessions.contains_key(&session) {
            return;
        }
        if let Some(body) = self.presence.everybody() {
            self.send(session, Reply::Awareness { body });
        }
    }

    /// Who is here and who left lately, for a session that missed something.
    pub(super) fn send_everything(&mut self, session: SessionId) {
        if let Some(body) = self.presence.everything() {
            self.send(session, Reply::Awareness { body });
        }
    }

    /// The live session that introduced this client id as its own; it keeps it until it leaves.
    pub(super) fn owner_of(&self, client: u64) -> Option<SessionId> {
        let (owned, session) = self.owners.range((client, SessionId(0))..).next()?;
        (*owned == client).then_some(*session)
    }

    /// Whether a session says that this client id is its own; it may be wrong.
    pub(super) fn claims(&self, session: SessionId, client: u64) -> bool {
        let own = self.sessions.get(&session).and_then(|known| known.own_client.flatten());
        own == Some(client)
    }

    /// A session that does not answer loses its client id to another that says it is its own.
    pub(super) fn hand_over(&mut self, client: u64, from: SessionId, to: SessionId) {
        self.owners.remove(&(client, from));
        if self.sessions.contains_key(&to) {
            self.owners.insert((client, to));
            self.presence.hand_over(client, to);
        }
    }

    /// An update that will never be taken: its bytes are kept, its sender is told, and a session
    /// that does it again and again (or a strict one at once) is ended.
    pub(super) fn refuse(&mut self, session: SessionId, record: Record, reason: &str) {
        self.effects.push(Effect::Quarantine { record, reason: reason.to_owned() });
        self.reject(session, reason);
    }

    /// Tells a session that one of its updates is not taken.
    pub(super) fn turn_down(&mut self, session: SessionId, reason: &str) {
        self.send(session, Reply::NotSaved { reason: not_saved(reason).into(), lasting: true });
    }

    fn reject(&mut self, session: SessionId, reason: &str) {
        let refusals_max = self.limits.refusals_max;
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.refusals += 1;
        let over = known.about.strict || known.refusals > refusals_max;
        self.turn_down(session, reason);
        if over {
            self.end(session, Ending::Refused(not_saved(reason)));
        }
    }

    /// Reads the log; until it has been read there is no replica.
    pub(super) fn reload(&mut self) {
        self.replica = None;
        self.loading = true;
        self.effects.push(Effect::Load);
    }

    /// Ends every session and the document, and forgets what was on its way.
    pub(super) fn fail(&mut self, why: &Ending) {
        for (session, _) in std::mem::take(&mut self.arriving) {
            self.effects.push(Effect::Deny { session, why: why.clone() });
        }
        let sessions: Vec<SessionId> =
            self.sessions.keys().copied().chain(self.lineage.sessions()).collect();
        for session in sessions {
            self.end(session, why.clone());
        }
        if self.flushing {
            self.effects.push(Effect::Flushed);
        }
        self.effects.push(Effect::Fail { why: why.clone() });
        let effects = std::mem::take(&mut self.effects);
        *self = Self { over: true, effects, ..Self::new(self.limits.clone()) };
    }

    fn end(&mut self, session: SessionId, why: Ending) {
        self.effects.push(Effect::End { session, why });
        self.forget(session);
        self.forget_aside(session);
    }

    fn loaded(&mut self, loaded: Loaded) {
        let Loaded { replica, last, rows, bytes, snapshot_bytes, retired, examine_from } = loaded;
        self.unexamined = examine_from;
        self.must_examine = examine_from.is_some() && !self.log.was_loaded;
        self.loading = false;
        self.preview = None;
        let grew = last > self.log.last;
        self.replica = Some(replica);
        self.lineage.retired = retired;
        self.log = LogState {
            last,
            rows_since_snapshot: rows,
            bytes_since_snapshot: bytes,
            snapshot_bytes,
            was_loaded: true,
        };
        if let Some(shown) = self.shown.take()
            && grew
        {
            self.publish_since(&shown);
        }
        self.let_arriving_in();
        self.ask_those_turned_away();
    }

    /// Those who came before anything was known of the document.
    pub(super) fn let_arriving_in(&mut self) {
        for (session, about) in std::mem::take(&mut self.arriving) {
            self.joined(session, about);
        }
    }

    /// The log has more than anybody was shown: an append was written although it was reported to
    /// have failed. It will be acknowledged as known, so it is published here.
    fn publish_since(&mut self, shown: &StateVector) {
        let Some(replica) = &mut self.replica else { return };
        self.published_starts = replica.grown_since(shown);
        let update = replica.encode_diff(shown);
        // To its authors it is an acknowledgement, which they get when it is found to be known.
        let unacknowledged = self.undurable.iter().flat_map(Undurable::sessions);
        let waiting = self.waiting.iter().map(|waiting| waiting.session);
        let authors: Vec<SessionId> = waiting.chain(unacknowledged).collect();
        let reply = Reply::Update { update: update.clone() };
        self.publish(reply, authors.clone());
        self.echoes.push(Echo { update, authors });
    }

    fn load_failed(&mut self, reason: String, lasting: bool, now: Duration) {
        self.loading = false;
        if lasting || !self.log.was_loaded {
            return self.fail(&Ending::Unavailable(reason));
        }
        // The document was live: people are in it, and the log may be readable again soon.
        self.back_off(now);
    }

    fn joined(&mut self, session: SessionId, about: About) {
        if !self.log.was_loaded && self.preview.is_none() {
            self.arriving.push((session, about));
            return;
        }
        let present = self.sessions.len() + self.lineage.len();
        if present >= self.limits.sessions_max {
            let reason = format!("the document has its limit of {present} sessions");
            self.effects.push(Effect::Deny { session, why: Ending::Unavailable(reason) });
            return;
        }
        if std::mem::take(&mut self.retiring) {
            self.effects.push(Effect::Kept);
        }
        let greeting = about.greeting;
        let is_stranger = self.is_stranger(&about);
        self.sessions.insert(session, Session { is_stranger, ..Session::new(about) });
        self.effects.push(Effect::Welcome { session });
        if greeting == Greeting::AtJoin {
            self.greet(session);
        }
        self.send_everybody(session);
    }

    pub(super) fn left(&mut self, session: SessionId, now: Duration) {
        self.forget_aside(session);
        self.arriving.retain(|(arriving, _)| *arriving != session);
        self.presence.leave(session, now);
        self.forget(session);
    }

    fn forget(&mut self, session: SessionId) {
        let left = self.sessions.remove(&session);
        self.syncs.retain(|sync| sync.session != session);
        // Its client brings it again, if it is true; whoever it is of brings it, too.
        self.held.retain(|held| held.waiting.session != session);
        self.disown(session, left.and_then(|left| left.own_client.flatten()));
    }

    /// A session owns its client id no longer: what waited for its word is examined again.
    fn disown(&mut self, session: SessionId, client: Option<u64>) {
        if let Some(client) = client {
            self.owners.remove(&(client, session));
        }
        self.release_held_of(session);
        let blocked = self.sessions.iter_mut().filter(|(_, s)| s.blocked_by == Some(session));
        let blocked: Vec<SessionId> = blocked
            .map(|(id, known)| {
                known.blocked_by = None;
                *id
            })
            .collect();
        blocked.into_iter().for_each(|id| self.ask(id));
    }

    fn sync_step_1(&mut self, session: SessionId, state_vector: Bytes, now: Duration) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if !StateVector::is_one(&state_vector) {
            return self.reject(session, "the state vector cannot be read");
        }
        known.sync();
        known.had = Some(state_vector.clone());
        if self.is_earlier_copy(session, &state_vector, now) {
            return;
        }
        // Asking again before the answer is one question with the newer vector.
        self.syncs.retain(|sync| sync.session != session || !sync.kind.is_step());
        self.syncs.push(Sync { session, kind: SyncKind::Step(state_vector) });
    }

    fn update(
        &mut self,
        session: SessionId,
        bytes: Bytes,
        whole: bool,
        may_write: bool,
        now: Duration,
    ) {
        let Some(about) = self.sessions.get(&session).map(|known| known.about.clone()) else {
            return;
        };
        if whole {
            self.give_way(session);
        }
        let Some(credit) = self.sessions.get_mut(&session).map(|s| s.credit_of(whole)) else {
            return;
        };
        let author = about.user.and_then(|user| user.subject.clone());
        let record = Record { connection: about.connection, author, bytes };
        let is_readers_change = !may_write && !whole;
        if is_readers_change && self.lineage.retired.is_empty() {
            // Nothing of it is looked at, so nothing of it is kept either.
            self.owe(session, credit);
            return self.turn_down(session, MAY_NOT_WRITE);
        }
        let update = match Linted::new(record.bytes.clone(), &self.limits.lint) {
            Ok(update) => update,
            Err(e) => {
                self.owe(session, credit);
                return if !may_write || record.bytes.len() > self.limits.lint.update_bytes_max {
                    self.reject(session, &e.to_string());
                } else {
                    self.refuse(session, record, &e.to_string());
                };
            }
        };
        if self.is_of_earlier_life(session, &update, whole, now) {
            return;
        }
        if is_readers_change {
            self.owe(session, credit);
            return self.turn_down(session, MAY_NOT_WRITE);
        }
        if let Some(known) = self.sessions.get_mut(&session).filter(|known| known.is_stranger) {
            known.was_early = true;
            return self.owe(session, credit);
        }
        if !may_write {
            return self.read_only(session, update.summary, credit);
        }
        let (owners_heard, withdrawn, has_failed) = (Vec::new(), false, false);
        let had = self.had_when_it_wrote(session, whole);
        self.accept(Waiting {
            session,
            record,
            update,
            whole,
            had,
            credit,
            owners_heard,
            withdrawn,
            has_failed,
        });
    }

    /// A later step 2 covers what a reader's earlier one brought, and earns what that would have
    /// earned; also where the reader has become a writer meanwhile.
    fn give_way(&mut self, session: SessionId) {
        let is_claim =
            |sync: &Sync| sync.session == session && matches!(sync.kind, SyncKind::Claim(..));
        let claims: Vec<Sync> = self.syncs.extract_if(.., |sync| is_claim(sync)).collect();
        for claim in claims {
            if let SyncKind::Claim(_, credit) = claim.kind {
                self.owe(session, credit);
            }
        }
    }

    /// A reader's step 2 that brings nothing new is fine; anything else is not taken.
    fn read_only(&mut self, session: SessionId, summary: Summary, credit: Credit) {
        self.release_held(session);
        self.syncs.push(Sync { session, kind: SyncKind::Claim(summary, credit) });
    }

    /// What is underway of a session that may no longer write is turned down; one that may write
    /// now is asked for what it has.
    fn rights(&mut self, session: SessionId, may_write: bool, user: Option<Arc<User>>) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.about.user = user;
        known.about.may_write = may_write;
        let client = known.own_client.flatten();
        if may_write {
            self.own(session);
            self.restore(session);
            self.ask(session);
        } else {
            self.withdraw(session);
            self.disown(session, client);
        }
    }

    /// Makes a session the owner of its client id, if it has introduced it and may write.
    fn own(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get(&session) else { return };
        let own = known.own_client.flatten().filter(|_| known.about.may_write);
        if let Some(client) = own.filter(|client| self.presence.is_own(*client, session)) {
            self.owners.insert((client, session));
        }
    }

    /// Whether two sessions are of one user.
    pub(super) fn is_same_user(&self, one: SessionId, other: SessionId) -> bool {
        let subject = |session| self.sessions.get(&session)?.about.user.as_ref()?.subject.as_ref();
        subject(one).is_some() && subject(one) == subject(other)
    }

    fn checkpoint(&mut self, session: SessionId, payload: Bytes) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.checkpoint = Some(payload);
        self.answer_checkpoint(session);
    }

    /// Says a checkpoint back if nothing of its session is unsaved.
    pub(super) fn answer_checkpoint(&mut self, session: SessionId) {
        let known = self.sessions.get_mut(&session).filter(|known| known.unsaved == 0);
        if let Some(payload) = known.and_then(|known| known.checkpoint.take()) {
            self.send(session, Reply::Checkpoint { payload });
        }
    }

    fn awareness(&mut self, session: SessionId, entries: Vec<Entry>, now: Duration) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        let first = match entries.as_slice() {
            [entry] => Some(entry.client),
            _ => None,
        };
        let own = *known.own_client.get_or_insert(first);
        let About { user, may_write, .. } = known.about.clone();
        let speaker = Speaker { session, own, may_write, user: user.as_deref() };
        let left = self.presence.hear(speaker, entries, now);
        self.own(session);
        if !left.is_empty() {
            self.send(session, Reply::Awareness { body: encode(left.iter()) });
            self.send(session, Reply::QueryAwareness);
        }
    }

    fn stateless(&mut self, session: SessionId, payload: Text) {
        if self.sessions.contains_key(&session) {
            let reply = Reply::Stateless { payload };
            self.publish(reply, vec![session]);
        }
    }

    /// The batches that may be missing in its queue are taken off what the replica has now.
    fn stalled(&mut self, session: SessionId) {
        let mut vector = self.state_vector().unwrap_or_default();
        let in_flight = self.flight.iter().flat_map(|flight| &flight.starts);
        for (client, clock) in in_flight.chain(&self.published_starts) {
            vector.lower(*client, *clock);
        }
        if let Some(known) = self.sessions.get_mut(&session) {
            known.behind.get_or_insert(vector);
        }
    }

    fn drained(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if let Some(vector) = known.behind.take() {
            self.syncs.push(Sync { session, kind: SyncKind::CatchUp(vector) });
        }
    }

    fn retire(&mut self) {
        if self.is_idle() {
            self.retiring = true;
        } else {
            self.effects.push(Effect::Kept);
        }
    }

    fn publish_awareness(&mut self, now: Duration) {
        if !self.presence.has_changes() || now < self.next_awareness {
            return;
        }
        let crowd = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let interval = AWARENESS_INTERVAL_PER_SESSION.saturating_mul(crowd);
        let interval = interval.min(self.limits.awareness_interval_max);
        self.next_awareness = now + interval;
        let told_max = self.limits.awareness_per_s_max as f64 * interval.as_secs_f64();
        let body = self.presence.take_changes(told_max as usize / self.sessions.len().max(1));
        let reply = Reply::Awareness { body };
        self.publish(reply, Vec::new());
    }
}

/// Unanswered step 1s that are remembered for a session.
const QUESTIONS_MAX: usize = 64;

/// What a reader is told who brings a change.
pub(super) const MAY_NOT_WRITE: &str = "you may read this document, not change it";

/// Each session makes the interval between two awareness frames longer by this much, so that the
/// frames per second stay about the same however many people move.
const AWARENESS_INTERVAL_PER_SESSION: Duration = Duration::from_millis(1);

fn not_saved(reason: &str) -> String {
    format!("this change was not saved: {reason}")
}
