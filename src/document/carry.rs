//! Carrying text over that lost its place, and keeping what has none.
//!
//! A batch that may have cost somebody text does not go to the log alone: the shell is asked first what
//! has to be done about it (`crdt::Past::carry`), away from those who type in other documents. The
//! answer goes into the same append, and is shown in the same update. So the rules hold by themselves:
//! nobody sees a line without its text, and a server that dies in between has done nothing or all.
//!
//! Where the answer cannot be found, or comes too slowly to be asked for each time, the batch goes to the
//! log with a note of its first row. The question is asked with the next look, or when the document is
//! opened the next time.

use std::time::Duration;

use bytes::Bytes;

use super::core::Core;
use super::flush::Flight;
use super::input::{Aside, Effect, Record};
use crate::crdt::{Author, Carry, Hint, Linted, Verdict};
use crate::id::{ConnectionId, Seq, SessionId};
use crate::wire::Reply;

/// The connection of edits for people who have a login: it is the login that names them.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

/// A look that takes longer than this is followed by a rest, so many times as long: text is put right
/// later then, and less well, because it is not known any more who had seen what.
const LONG_LOOK: Duration = Duration::from_millis(500);
const LOOK_REST: u32 = 4;
/// So long there is no look after one that took too long.
const NO_LOOK_FOR: Duration = Duration::from_secs(30);

/// What writers are told when the list of kept texts has grown.
const RESCUED: &str = r#"{"type":"coscribe.rescued"}"#;

impl Core {
    /// Asks what rows that the log has already have cost, if that is due.
    pub(super) fn examine_log(&mut self, now: Duration) {
        let is_ready = self.flight.is_none() && self.replica.is_some() && self.failures == 0;
        let is_late = self.may_look_later() && now >= self.next_look;
        if !is_ready || !(self.must_examine || is_late) {
            return;
        }
        (self.must_examine, self.look_later) = (false, false);
        if self.unexamined.is_some() {
            self.flight = Some(Flight::default());
            self.examine(Vec::new(), Vec::new(), now);
        }
    }

    /// A look was put off, and nothing is in its way but the time.
    pub(super) fn may_look_later(&self) -> bool {
        let is_ready = self.flight.is_none() && self.replica.is_some() && self.failures == 0;
        self.look_later && is_ready && !self.carries_nothing
    }

    /// Sends the batch in flight to the log, and asks first what it has cost. Long looks take a part of the
    /// time only: where the last one took long, the batch is looked at later.
    pub(super) fn send_to_log(
        &mut self,
        records: Vec<Record>,
        hints: Vec<Hint>,
        costs_text: bool,
        now: Duration,
    ) {
        if !costs_text || self.carries_nothing {
            return self.effects.push(Effect::Append { records, aside: None });
        }
        if now >= self.next_look {
            return self.examine(records, hints, now);
        }
        let from = *self.unexamined.get_or_insert(Seq(self.log.last.0 + 1));
        self.look_later = true;
        let aside = Aside { examine_from: Some(from), ..Aside::default() };
        self.effects.push(Effect::Append { records, aside: Some(aside) });
    }

    /// Asks what the batch in flight has cost, before it goes to the log.
    fn examine(&mut self, records: Vec<Record>, hints: Vec<Hint>, now: Duration) {
        self.look_began = now;
        let first = Seq(self.log.last.0 + 1);
        // What could not be found out before is looked for again.
        let from = self.unexamined.unwrap_or(first);
        self.effects.push(Effect::Carry { from, records, hints });
    }

    /// The answer, with the batch that was asked about.
    pub(super) fn planned(
        &mut self,
        from: Seq,
        records: Vec<Record>,
        plan: Option<Carry>,
        now: Duration,
    ) {
        let Some(mut flight) = self.flight.take() else { return };
        let took = now.saturating_sub(self.look_began);
        self.next_look = match &plan {
            None => now + NO_LOOK_FOR,
            Some(_) if took > LONG_LOOK => now + took * LOOK_REST,
            Some(_) => now,
        };
        let Some(plan) = plan else {
            self.flight = Some(flight);
            self.unexamined = Some(from);
            let aside = Aside { examine_from: Some(from), ..Aside::default() };
            return self.effects.push(Effect::Append { records, aside: Some(aside) });
        };
        let mut records = records;
        match self.carried(&mut flight, &plan) {
            Ok(carried) => records.extend(carried),
            // The replica may hold a part of the answer.
            Err(reason) => return self.rebuild(&reason, flight),
        }
        self.unexamined = None;
        flight.rescues = !(plan.kept.is_empty() && plan.unkept.is_empty());
        self.flight = Some(flight);
        let (rescued, unkept) = (plan.kept, plan.unkept);
        let aside = Aside { examine_from: None, rescued, unkept };
        self.effects.push(Effect::Append { records, aside: Some(aside) });
    }

    /// Integrates what an answer says, behind the batch in flight.
    fn carried(&mut self, flight: &mut Flight, plan: &Carry) -> Result<Vec<Record>, String> {
        let updates = plan.carried.iter().map(|carried| {
            Linted::new(carried.update.clone(), &self.limits.lint).map_err(|e| e.to_string())
        });
        let updates: Vec<Linted> = updates.collect::<Result<_, String>>()?;
        let updates: Vec<&Linted> = updates.iter().collect();
        let replica = self.replica.as_mut().ok_or("there is no replica")?;
        let integrated = replica.integrate(&updates).map_err(|broken| broken.reason)?;
        let mut records = Vec::new();
        for (carried, verdict) in plan.carried.iter().zip(&integrated.verdicts) {
            match verdict {
                Verdict::Applied => records.push(record(&carried.author, carried.update.clone())),
                Verdict::Known => {}
                Verdict::Hole => return Err("an edit that carries text does not fit".to_owned()),
                Verdict::Refused(reason) => return Err(reason.clone()),
            }
        }
        if !records.is_empty() {
            flight.add(&integrated, &records)?;
        }
        self.unseen.note_carried(updates.iter().map(|update| &update.summary));
        Ok(records)
    }

    /// Texts are kept from now on: writers are told.
    pub(super) fn tell_of_rescued(&mut self) {
        let writers = self.sessions.iter().filter(|(_, known)| known.about.may_write);
        let writers: Vec<SessionId> = writers.map(|(session, _)| *session).collect();
        for session in writers {
            self.send(session, Reply::Stateless { payload: RESCUED.into() });
        }
    }
}

/// An edit in somebody's name.
fn record(author: &Author, bytes: Bytes) -> Record {
    let (author, connection) = match author {
        Author::User(subject) => (Some(subject.clone()), NO_CONNECTION),
        Author::Connection(connection) => (None, *connection),
    };
    Record { connection, author, bytes }
}
