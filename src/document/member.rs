//! What the core knows about one session: what it was asked, what it is owed.

use std::collections::VecDeque;

use bytes::Bytes;

use super::flush::Credit;
use super::input::About;
use super::unseen::Wrote;
use crate::crdt::StateVector;
use crate::id::SessionId;

/// One connection's part in the document.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) about: About,
    /// Acknowledgements for updates that were neither taken nor refused for good: the next step 2
    /// of this session covers them, and settles them when it is saved.
    pub(super) owed: u32,
    /// Step 1s of the server that have not been answered, oldest first. Clients answer each with a
    /// step 2, in order.
    pub(super) questions: VecDeque<Asked>,
    /// Step 1s that were sent, and that were answered.
    pub(super) asked: u32,
    pub(super) answered: u32,
    /// Counts the session's own step 1s: with each a provider starts to count anew, and what it
    /// sent before is settled by the step 2 that follows.
    pub(super) syncs: u32,
    /// Ask with step 1 once there is room again.
    pub(super) ask_again: bool,
    /// Ask with step 1 once this session has left: it did not know what was sent in its name.
    pub(super) blocked_by: Option<SessionId>,
    /// Times in a row that it was asked because of a hole.
    pub(super) holes: u32,
    /// Updates that could not be taken.
    pub(super) refusals: u32,
    /// The client id that its first awareness frame named, if it named one alone: stock clients
    /// begin with themselves. The outer `None` until there was a frame.
    pub(super) own_client: Option<Option<u64>>,
    /// As a stock client counts: what it has sent and has not been told to be saved, and one for the
    /// step 2 that every first sync brings.
    pub(super) unsaved: u32,
    /// To be said back when nothing is unsaved; a newer one takes its place.
    pub(super) checkpoint: Option<Bytes>,
    /// It has not said what it has, and may hold a copy of an earlier life: it is shown nothing yet.
    pub(super) is_stranger: bool,
    /// It has brought a change before that, which it is asked for then.
    pub(super) was_early: bool,
    /// The state vector that it sent last, as long as it has brought nothing since.
    pub(super) had: Option<Bytes>,
    /// The letters that it wrote last.
    pub(super) wrote: Option<Wrote>,
    /// Stalled: what it had for certain when its outbox was full.
    pub(super) behind: Option<StateVector>,
}

/// Why the server sent a step 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The dialect expects it.
    Greeting,
    /// Something is missing. A provider does not count the step 2 with which it answers, so that
    /// earns nothing of its own.
    OfItsOwn,
}

/// A step 1 that has not been answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) why: Question,
    /// It said that the server has something which it then gave up. The answer leaves that out and
    /// settles nothing that came before.
    pub(super) is_stale: bool,
}

impl Session {
    pub(super) fn new(about: About) -> Self {
        Self {
            about,
            owed: 0,
            questions: VecDeque::new(),
            asked: 0,
            answered: 0,
            syncs: 0,
            ask_again: false,
            blocked_by: None,
            holes: 0,
            refusals: 0,
            own_client: None,
            unsaved: 1,
            checkpoint: None,
            is_stranger: false,
            was_early: false,
            had: None,
            wrote: None,
            behind: None,
        }
    }

    /// The answer to a question of the server's own is on its way, with all that it has.
    pub(super) fn is_asked_for_more(&self) -> bool {
        self.questions.iter().any(|asked| asked.why == Question::OfItsOwn && !asked.is_stale)
    }

    /// How many acknowledgements an update earns when it is saved.
    pub(super) fn credit_of(&mut self, whole: bool) -> Credit {
        if !whole {
            self.unsaved = self.unsaved.saturating_add(1);
            return Credit { count: 1, syncs: self.syncs };
        }
        let asked = self.questions.pop_front();
        self.answered += u32::from(asked.is_some());
        let own = u32::from(asked.is_none_or(|asked| asked.why != Question::OfItsOwn));
        let owed = match asked {
            Some(Asked { is_stale: true, .. }) => 0,
            _ => std::mem::take(&mut self.owed),
        };
        Credit { count: owed + own, syncs: self.syncs }
    }

    /// The session has sent step 1: it starts to count anew, and the step 2 with which it answers
    /// the server's covers everything that it sent before.
    pub(super) fn sync(&mut self) {
        self.owed = 0;
        self.syncs = self.syncs.wrapping_add(1);
        self.unsaved = 1;
    }
}
