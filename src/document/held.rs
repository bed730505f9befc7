//! Updates in other people's names: held until those have been heard, then taken or turned down.
//!
//! Whoever is here alone extends its own client id, but for what others carry for it: after a power cut
//! everybody brings what everybody has lost. So the owner is asked for what it has, and an update
//! that goes beyond the log under its client id waits for the answer. It is turned down when the owner has
//! been heard out and has not written it. The rules that must hold:
//!
//! - an answer that is held itself, waits, or left a hole and is asked for again, is not heard yet;
//! - answers that are held for each other in a circle do not wait for ever;
//! - what was held goes into a batch alone, behind everything that its owner has said.

use std::time::Duration;

use super::core::Core;
use super::flush::Waiting;
use super::member::Session;
use crate::id::SessionId;

/// Updates of one document, and their bytes, that are held for their owners at most; further ones
/// are turned down. One update is always held, whatever its size.
const HELD_MAX: usize = 64;
const HELD_BYTES_MAX: usize = 1 << 20;

/// An owner that has not answered by then is taken for dead, if the update comes from a session that
/// says that the client id is its own: the same client over a new socket, while nobody has noticed
/// that the old one is gone.
const OWNER_PATIENCE: Duration = Duration::from_secs(2);

/// An update that extends the client id of somebody else who is here.
#[derive(Debug)]
pub(super) struct Held {
    owner: SessionId,
    /// The owner's client id that it extends.
    client: u64,
    /// The question to the owner whose answer counts.
    question: u32,
    pub(super) waiting: Waiting,
    /// How long the owner has to answer; `None` for as long as it is here.
    pub(super) until: Option<Duration>,
}

impl Core {
    /// What waited for this session's answer, if that has come, or for its leave, is examined again
    /// behind what the session has said.
    pub(super) fn release_held(&mut self, owner: SessionId) {
        let answered = self.sessions.get(&owner).map_or(u32::MAX, |known| known.answered);
        self.release_held_if(|held| held.owner == owner && held.question <= answered);
    }

    /// What waited for this session, whether or not it has answered, is examined again.
    pub(super) fn release_held_of(&mut self, owner: SessionId) {
        self.release_held_if(|held| held.owner == owner);
    }

    /// Owners that do not answer lose the client id that somebody else continues.
    pub(super) fn give_up_on_owners(&mut self, now: Duration) {
        let silent: Vec<(u64, SessionId, SessionId)> = self
            .held
            .iter()
            .filter(|held| held.until.is_some_and(|until| until <= now))
            .map(|held| (held.client, held.owner, held.waiting.session))
            .collect();
        for (client, owner, claimant) in silent {
            self.hand_over(client, owner, claimant);
        }
        self.release_held_if(|held| held.until.is_some_and(|until| until <= now));
    }

    fn release_held_if(&mut self, released: impl Fn(&Held) -> bool) {
        let mut heard = Vec::new();
        for held in std::mem::take(&mut self.held) {
            if !released(&held) {
                self.held.push(held);
                continue;
            }
            let mut waiting = held.waiting;
            heard.extend(waiting.whole.then_some(waiting.session));
            if !waiting.owners_heard.contains(&held.owner) {
                waiting.owners_heard.push(held.owner);
            }
            self.wait(waiting);
        }
        // What waited for one of these answers is examined behind it.
        heard.into_iter().for_each(|session| self.release_held(session));
    }

    /// Gives an update back that may go into the batch. One that extends the client id of somebody else is
    /// held for the owner, or turned down.
    pub(super) fn hold_for_owner(&mut self, waiting: Waiting, now: Duration) -> Option<Waiting> {
        let session = waiting.session;
        if let Some((client, owner)) = self.foreign_owner(&waiting) {
            if self.claims(session, client) && self.is_same_user(owner, session) {
                // The same person over a new socket.
                self.hand_over(client, owner, session);
                return self.hold_for_owner(waiting, now);
            }
            let held_bytes: usize =
                self.held.iter().map(|held| held.waiting.record.bytes.len()).sum();
            let len = waiting.record.bytes.len();
            let was_held = waiting.owners_heard.contains(&owner);
            if was_held && self.has_more_waiting(owner) {
                self.wait(waiting);
            } else if was_held && !self.has_more_to_come(owner) {
                let reason = "it continues the text of somebody who is here and has not written it";
                self.block(waiting, owner, reason);
            } else if self.held.len() >= HELD_MAX
                || (held_bytes > 0 && held_bytes + len > HELD_BYTES_MAX)
            {
                let reason = "too many changes in other people's names are waiting";
                self.block(waiting, owner, reason);
            } else {
                let until = self.claims(session, client).then(|| now + OWNER_PATIENCE);
                if !was_held {
                    self.ask(owner);
                }
                let question = self.question_that_counts(owner);
                self.held.push(Held { owner, client, question, waiting, until });
            }
            return None;
        }
        Some(waiting)
    }

    /// An answer of this session waits to be integrated.
    pub(super) fn has_more_waiting(&self, owner: SessionId) -> bool {
        self.waiting.iter().any(|waiting| waiting.session == owner && waiting.whole)
    }

    /// What this session has said is not all that it has: an answer of its own is held, or it is asked
    /// again, because what it said left a hole.
    fn has_more_to_come(&self, owner: SessionId) -> bool {
        let is_asked = self.sessions.get(&owner).is_some_and(Session::is_asked_for_more);
        is_asked || self.is_held(owner)
    }

    /// An answer of this session is held.
    pub(super) fn is_held(&self, session: SessionId) -> bool {
        let mut held = self.held.iter().map(|held| &held.waiting);
        held.any(|waiting| waiting.session == session && waiting.whole)
    }

    /// The question whose answer shows whether its session has what somebody else has sent.
    fn question_that_counts(&self, owner: SessionId) -> u32 {
        let Some(known) = self.sessions.get(&owner) else { return 0 };
        if known.is_asked_for_more() { known.asked } else { known.answered }
    }

    /// Two or more carry each other's changes, and the answer of each is held for the next. Only what
    /// the log has lost comes like this, from who has seen it before: the first is taken.
    fn is_circular(&self, waiting: &Waiting, owner: SessionId) -> bool {
        // Whoever has not been asked is asked first. So this is looked for in few updates only.
        if !waiting.owners_heard.contains(&owner) {
            return false;
        }
        let mut reached = vec![owner];
        let mut next = 0;
        while let Some(session) = reached.get(next).copied() {
            next += 1;
            let held = self.held.iter().filter(|held| held.waiting.session == session);
            let held = held.filter(|held| held.waiting.whole).map(|held| held.owner);
            let was_held = self.waiting.iter().filter(|w| w.session == session && w.whole);
            let was_held = was_held.flat_map(|waiting| waiting.owners_heard.iter().copied());
            for waits_for in held.chain(was_held) {
                if waits_for == waiting.session {
                    return true;
                }
                if !reached.contains(&waits_for) {
                    reached.push(waits_for);
                }
            }
        }
        false
    }

    /// Turns down what was sent in the name of somebody who is here, until that session has left:
    /// most likely it is the same client's old connection.
    fn block(&mut self, waiting: Waiting, owner: SessionId, reason: &str) {
        self.give_up(&waiting);
        self.turn_down(waiting.session, reason);
        if let Some(known) = self.sessions.get_mut(&waiting.session) {
            known.blocked_by = Some(owner);
        }
    }

    /// The client id of another live session that this update extends, and that session.
    fn foreign_owner(&self, waiting: &Waiting) -> Option<(u64, SessionId)> {
        let replica = self.replica.as_ref()?;
        let inserts = waiting.update.summary.inserts.iter();
        inserts
            .filter(|insert| insert.end > replica.clock(insert.client))
            .filter_map(|insert| Some((insert.client, self.owner_of(insert.client)?)))
            .filter(|(_, owner)| *owner != waiting.session)
            .find(|(_, owner)| !self.is_circular(waiting, *owner))
    }
}
