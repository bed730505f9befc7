//! What a y-sweet client knows about being saved.
//!
//! It counts its changes, sends the count behind each and whenever a connection opens, before it has
//! sent what was typed meanwhile, and shows "saved" while the highest count that came back is its
//! own. The count outlives connections.

use bytes::{Bytes, BytesMut};
use coscribe::crdt::{Replica, Summary};
use coscribe::wire::Message;
use coscribe::wire::lib0::{Reader, put_var_uint};

/// One client's count.
#[derive(Debug, Default)]
pub struct Counter {
    made: u64,
    /// The highest that came back; `None` before anything has.
    answered: Option<u64>,
    /// Changes with their numbers, as far as those did not come back.
    unanswered: Vec<(u64, Summary)>,
}

impl Counter {
    /// The client has made a change.
    pub fn count(&mut self, change: Summary) {
        self.made += 1;
        self.unanswered.push((self.made, change));
    }

    /// What the client says.
    pub fn message(&self) -> Message {
        let mut payload = BytesMut::new();
        put_var_uint(&mut payload, self.made);
        Message::Checkpoint { payload: payload.freeze() }
    }

    /// The server says a count back: everything up to there is on disk (P1).
    pub fn check(&self, payload: &Bytes, durable: &Replica) {
        let said = read(payload);
        assert!(said <= self.made, "a count that the client never sent");
        for (number, change) in &self.unanswered {
            let is_saved = *number > said || durable.contains(change);
            assert!(is_saved, "{said} comes back, and change {number} is not on disk: {change:?}");
        }
    }

    /// The client reads it.
    pub fn hear(&mut self, payload: &Bytes) {
        let said = read(payload);
        self.answered = self.answered.max(Some(said));
        self.unanswered.retain(|(number, _)| *number > said);
    }

    /// Whether the client shows "saved".
    pub fn is_answered(&self) -> bool {
        self.answered == Some(self.made)
    }
}

fn read(payload: &Bytes) -> u64 {
    Reader::new(payload.clone()).var_uint().expect("a count of the client's own")
}
