//! Carrying text over that lost its place, and keeping what has none.
//!
//! When an update may have cost somebody text, the row is noted in the log's own transaction. Behind it,
//! away from those who type, `crdt::Past` says what has to be done; what it says goes through the log
//! like everybody's edits. The rules that must hold:
//!
//! - the note goes in the transaction that holds the carrying edits and the kept texts, so that a
//!   server that dies in between does all of it again, or nothing;
//! - one plan at a time, made of what is in the log;
//! - a plan that cannot be made is tried again when the document is opened the next time.

use std::time::Duration;

use super::core::Core;
use super::flush::{Flight, Waiting};
use super::input::{Aside, Effect, Record};
use crate::crdt::{Author, Carry, Hint, Integrated, Kept, Linted, Verdict};
use crate::id::{ConnectionId, Seq, SessionId};
use crate::wire::Reply;

/// The connection of edits for people who have a login: it is the login that names them.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

/// What writers are told when the list of kept texts has grown.
const RESCUED: &str = r#"{"type":"coscribe.rescued"}"#;

/// Clients that came back from being away, of which it is remembered what they had.
const HINTS_MAX: usize = 64;

/// What is known of text that may have lost its place.
#[derive(Debug, Default)]
pub(super) struct Carrying {
    /// The first row that has not been looked at.
    due: Option<Seq>,
    /// The first row that is being looked at.
    planning: Option<Seq>,
    /// What has been found and is not in the log.
    found: Option<Carry>,
    /// What is noted in the store.
    noted: Option<Seq>,
    hints: Vec<Hint>,
    /// It could not be found out what was lost: not tried again before the next start.
    failed: bool,
}

impl Carrying {
    /// Nothing has to be done any more.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = self.due.is_none() && self.planning.is_none() && self.found.is_none();
        is_done || self.failed
    }

    /// A plan waits to be carried out.
    pub(super) fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// As the store has it when the log has been read.
    pub(super) fn loaded(&mut self, examine_from: Option<Seq>) {
        self.noted = examine_from;
        if self.planning.is_none() && self.found.is_none() {
            self.due = examine_from;
        }
    }

    /// What to write beside an append whose first row is `first` and may cost text; `None` if that is
    /// noted already.
    pub(super) fn note(&self, first: Seq) -> Option<Aside> {
        let from = self.noted.map_or(first, |noted| noted.min(first));
        let aside = Aside { examine_from: Some(from), rescued: Vec::new() };
        (self.noted != Some(from)).then_some(aside)
    }

    /// An append that may have cost text is in the log.
    pub(super) fn noted(&mut self, first: Seq) {
        self.noted = Some(self.noted.map_or(first, |noted| noted.min(first)));
        self.due = Some(self.due.map_or(first, |due| due.min(first)));
    }

    pub(super) fn hint(&mut self, hint: Hint) {
        if self.hints.len() < HINTS_MAX {
            self.hints.push(hint);
        }
    }
}

impl Core {
    /// Asks for a plan, or does what the last one says, as far as that is possible now.
    pub(super) fn carry_on(&mut self, now: Duration) {
        let is_early = self.retry_at.is_some_and(|at| now < at);
        if self.carrying.failed || is_early || self.flight.is_some() || self.replica.is_none() {
            return;
        }
        if let Some(found) = self.carrying.found.take() {
            self.launch_found(found);
        } else if self.carrying.planning.is_none()
            && let Some(from) = self.carrying.due.take()
        {
            self.carrying.planning = Some(from);
            let hints = std::mem::take(&mut self.carrying.hints);
            self.effects.push(Effect::Carry { from, hints });
        }
    }

    /// What has to be done is known; `None` if that cannot be found out.
    pub(super) fn planned(&mut self, plan: Option<Carry>) {
        let Some(from) = self.carrying.planning.take() else { return };
        let Some(plan) = plan else {
            self.carrying.due = Some(from);
            self.carrying.failed = true;
            return;
        };
        // Rows that came while the plan was made and are in it.
        self.carrying.due.take_if(|due| *due <= plan.until);
        self.carrying.found = Some(plan);
    }

    /// Sends edits and kept texts to the log, with the note that all has been looked at.
    fn launch_found(&mut self, found: Carry) {
        let updates = found.carried.iter().map(|carried| {
            Linted::new(carried.update.clone(), &self.limits.lint).map_err(|e| e.to_string())
        });
        let updates: Result<Vec<Linted>, String> = updates.collect();
        let integrated = updates.and_then(|updates| {
            let updates: Vec<&Linted> = updates.iter().collect();
            let replica = self.replica.as_mut().ok_or("there is no replica")?;
            replica.integrate(&updates).map_err(|broken| broken.reason)
        });
        let aside = Aside { examine_from: self.carrying.due, rescued: found.kept.clone() };
        let is_known = |verdict: &Verdict| matches!(verdict, Verdict::Applied | Verdict::Known);
        match integrated {
            Ok(integrated) if integrated.verdicts.iter().all(is_known) => {
                self.launch_carry(found, integrated, aside);
            }
            _ => {
                // The replica may hold a part of it.
                self.carrying.failed = true;
                self.reload();
            }
        }
    }

    fn launch_carry(&mut self, found: Carry, integrated: Integrated, aside: Aside) {
        let Integrated { verdicts, merged, starts, costs_text: _ } = integrated;
        let carried = found.carried.iter().zip(verdicts);
        let fresh = carried.filter(|(_, verdict)| *verdict == Verdict::Applied);
        let records: Vec<Record> = fresh
            .map(|(carried, _)| {
                let (author, connection) = match &carried.author {
                    Author::User(subject) => (Some(subject.clone()), NO_CONNECTION),
                    Author::Connection(connection) => (None, *connection),
                };
                Record { connection, author, bytes: carried.update.clone() }
            })
            .collect();
        if records.is_empty() && aside.rescued.is_empty() && aside.examine_from == self.carrying.noted
        {
            return;
        }
        let bytes = records.iter().map(|record| record.bytes.len()).sum();
        let rows = records.len() as u64;
        self.flight = Some(Flight::of_carry(found, merged, starts, rows, bytes));
        self.effects.push(Effect::Append { records, aside: Some(aside) });
    }

    /// The edits of a plan are in the log.
    pub(super) fn carried(&mut self, kept: &[Kept]) {
        self.carrying.noted = self.carrying.due;
        if kept.is_empty() {
            return;
        }
        let writers = self.sessions.iter().filter(|(_, known)| known.about.may_write);
        let writers: Vec<SessionId> = writers.map(|(session, _)| *session).collect();
        for session in writers {
            self.send(session, Reply::Stateless { payload: RESCUED.into() });
        }
    }

    /// The edits of a plan are not in the log, and are tried again.
    pub(super) fn carry_failed(&mut self, found: Carry) {
        self.carrying.found = Some(found);
    }

    /// Notes what clients had that have come back with edits, and lets go of it.
    pub(super) fn note_absent(&mut self, batch: &[Waiting], verdicts: &[Verdict]) {
        let mut seq = self.log.last;
        for (waiting, verdict) in batch.iter().zip(verdicts) {
            if *verdict != Verdict::Applied {
                continue;
            }
            seq = Seq(seq.0 + 1);
            if !waiting.whole || waiting.update.summary.inserts.is_empty() {
                continue;
            }
            let known = self.sessions.get_mut(&waiting.session);
            let vector = known.and_then(|known| known.had.take());
            if let (Some(vector), Some(replica)) = (vector, &self.replica) {
                self.carrying.hint(Hint { seq, seen: replica.known_part(&vector) });
            }
        }
    }
}
