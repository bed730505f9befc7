//! First syncs of large documents: from the stored bytes while the replica is being built, and from
//! one encoded full state, which everybody shares, afterwards.
//!
//! What the stored bytes hold is the log, so whoever gets them is shown nothing else. Everything but
//! the questions of those who have nothing, or everything, waits for the replica.

use std::time::Duration;

use bytes::Bytes;

use super::core::{Core, Sync, SyncKind};
use super::input::{Found, Greeting};
use crate::crdt::{Preview, Replica, StateVector};
use crate::id::SessionId;
use crate::wire::Reply;

/// The encoded full state is forgotten when nobody has asked for it for so long.
const FULL_KEPT: Duration = Duration::from_secs(10);

/// How long a session that was asked first has to answer before its own question is answered.
const ASKED_FIRST_FOR: Duration = Duration::from_secs(2);

impl Core {
    /// The log has been read and the replica is being built. A document that was live already waits
    /// for it: what it owes to those who are in it depends on the replica.
    pub(super) fn found(&mut self, found: Found) {
        if self.log.was_loaded {
            return;
        }
        self.preview = Some(found.preview);
        self.lineage.retired = found.retired;
        self.let_arriving_in();
    }

    /// What the document has, as far as that can be said now.
    pub(super) fn state_vector(&self) -> Option<StateVector> {
        let preview = || self.preview.as_ref().map(|preview| preview.state_vector().clone());
        self.replica.as_ref().map(Replica::state_vector).or_else(preview)
    }

    /// Answers those who can be answered without a replica.
    pub(super) fn answer_early(&mut self) {
        let Some(preview) = self.preview.clone() else { return };
        for sync in std::mem::take(&mut self.syncs) {
            match answer(&preview, &sync) {
                Some(update) => self.answer_step(sync.session, update),
                None => self.syncs.push(sync),
            }
        }
    }

    /// The answer to a session's step 1.
    pub(super) fn answer_step(&mut self, session: SessionId, update: Bytes) {
        let known = self.sessions.get(&session);
        if known.is_some_and(|known| known.about.greeting == Greeting::AtSync) {
            self.greet(session);
        }
        self.send(session, Reply::SyncStep2 { update });
    }

    /// Asks a session that has something which the server lacks, before its own question is answered.
    pub(super) fn ask_first(&mut self, session: SessionId, vector: &Bytes, now: Duration) -> bool {
        let Some(known) = self.sessions.get(&session) else { return false };
        let greeting = known.about.greeting;
        if !known.about.may_write || greeting == Greeting::Never {
            return false;
        }
        let Some(replica) = &self.replica else { return false };
        let mut lacks = false;
        // Bytes that end early have said all they say.
        let _ = StateVector::each(vector, |client, clock| lacks |= clock > replica.clock(client));
        if !lacks || (greeting == Greeting::AtJoin && known.questions.is_empty()) {
            return false;
        }
        if greeting == Greeting::AtSync {
            self.greet(session);
        }
        let kind = SyncKind::AfterIts(vector.clone(), now + ASKED_FIRST_FOR);
        self.syncs.push(Sync { session, kind });
        true
    }

    /// A session has said what it has, and that is in the log; or it does not say it.
    pub(super) fn has_said(&self, session: SessionId, until: Duration, now: Duration) -> bool {
        let is_asked = self.sessions.get(&session).is_some_and(|it| !it.questions.is_empty());
        let is_waiting = self.has_more_waiting(session) || self.is_held(session);
        until <= now || !(is_asked || is_waiting)
    }

    /// Frees the memory of a full state that nobody has asked for lately. Not worth a timer: whoever is
    /// here renews his presence now and then.
    pub(super) fn forget_full(&mut self, now: Duration) {
        let Some(replica) = self.replica.as_mut().filter(|replica| replica.holds_full()) else {
            self.full_until = None;
            return;
        };
        if *self.full_until.get_or_insert(now + FULL_KEPT) <= now {
            replica.forget_full();
            self.full_until = None;
        }
    }
}

fn answer(preview: &Preview, sync: &Sync) -> Option<Bytes> {
    match &sync.kind {
        SyncKind::Step(vector) => preview.answer(vector),
        SyncKind::AfterIts(..) | SyncKind::CatchUp(_) | SyncKind::Claim(..) => None,
    }
}

#[cfg(test)]
mod tests;
