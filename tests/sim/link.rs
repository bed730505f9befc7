//! One connection: two queues that keep their order, lose everything together, and may be slow.
//!
//! The queue towards the client is the outbox: bounded in bytes for what is published, as
//! `fanout` has it.

use std::collections::VecDeque;

use coscribe::crdt::{Replica, Summary};
use coscribe::wire::{Message, Reply};

use crate::client::Kind;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A stock client, by its index.
    Client(usize),
    /// The one who means harm.
    Hostile,
}

/// What the server knows of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It has asked to take part.
    Joining,
    /// It takes part.
    Here,
    /// It was denied, or its part is over.
    Over,
}

/// What became of the client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEnd {
    /// It is read and written.
    Open,
    /// What the client said still arrives; then the server hears of the end.
    Leaving,
    /// Nobody is there; the server has not noticed.
    Gone,
}

/// What a client finds in its queue.
#[derive(Debug)]
pub enum Down {
    /// A message.
    Reply(Reply),
    /// The server closes the connection.
    Close,
    /// It closes it because the client has a copy of an earlier life.
    Retired,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// Whose it is.
    pub who: Who,
    /// What kind of client that is.
    pub kind: Kind,
    /// Which start of the document it speaks to.
    pub start: u64,
    /// What the server knows of it.
    pub part: Part,
    /// What became of the client's end.
    pub client_end: ClientEnd,
    /// To the server.
    pub up: VecDeque<Message>,
    /// To the client.
    pub down: VecDeque<Down>,
    /// Bytes in `down`.
    pub down_bytes: usize,
    /// Nothing is published to it.
    pub is_stalled: bool,
    /// The server wants to know when `down` is empty.
    pub is_awaited: bool,
    /// `down` was empty; the server has not been told yet.
    pub has_drained: bool,
    /// It is not read again before the document is no longer crowded.
    pub is_held_back: bool,
    /// Its client reads slowly.
    pub is_slow: bool,
    /// The server has turned down something that it sent.
    pub was_turned_down: bool,
    /// The server has heard which client id is its own.
    pub is_known: bool,
    /// The server has been told what the client has, or brings, of an earlier life.
    pub is_of_earlier_life: bool,
    /// The server has been told what the client has, and there was nothing wrong with it.
    pub is_cleared: bool,
    /// Step 1s of the server that have not been answered.
    pub questions: u32,
    /// Updates that the server was given and that are not on disk.
    unsettled: Vec<Summary>,
    settled: usize,
    saved: usize,
}

impl Link {
    /// A new connection that asks to take part.
    pub fn new(who: Who, kind: Kind, start: u64) -> Self {
        Self {
            who,
            kind,
            start,
            part: Part::Joining,
            client_end: ClientEnd::Open,
            up: VecDeque::new(),
            down: VecDeque::new(),
            down_bytes: 0,
            is_stalled: false,
            is_awaited: false,
            has_drained: false,
            is_held_back: false,
            is_slow: false,
            was_turned_down: false,
            is_known: false,
            is_of_earlier_life: false,
            is_cleared: false,
            questions: 0,
            unsettled: vec![],
            settled: 0,
            saved: 0,
        }
    }

    /// It takes part in the document that was started last.
    pub fn is_here(&self, starts: u64) -> bool {
        self.part == Part::Here && self.start == starts
    }

    /// Its client is known, has answered all that it was asked, and nothing is on its way.
    pub fn answers(&self, starts: u64) -> bool {
        let is_open = self.is_here(starts) && self.client_end == ClientEnd::Open;
        let is_quiet = self.up.is_empty() && self.down.is_empty() && self.questions == 0;
        is_open && is_quiet && self.is_known
    }

    /// Queues a reply, if the dialect has a word for it and, where it must not be over a number of
    /// bytes, there is room.
    pub fn push(&mut self, reply: &Reply, bytes_max: Option<usize>) -> bool {
        let Some(frame) = self.kind.dialect.encode(reply) else { return true };
        if self.down_bytes > 0 && bytes_max.is_some_and(|max| self.down_bytes + frame.len() > max) {
            return false;
        }
        if self.client_end == ClientEnd::Open || bytes_max.is_some() {
            self.down_bytes += frame.len();
            self.down.push_back(Down::Reply(reply.clone()));
        }
        true
    }

    /// The client reads.
    pub fn pop(&mut self) -> Option<Down> {
        let next = self.down.pop_front()?;
        if let Down::Reply(reply) = &next {
            let frame = self.kind.dialect.encode(reply).expect("it was a frame when it was queued");
            self.down_bytes -= frame.len();
        }
        if self.down.is_empty() && std::mem::take(&mut self.is_awaited) {
            self.has_drained = true;
        }
        Some(next)
    }

    /// The server is given an update of this connection.
    pub fn gave(&mut self, summary: Summary) {
        self.unsettled.push(summary);
    }

    /// The server says "saved": never more often than updates of this connection are on disk.
    pub fn hears_saved(&mut self, durable: &Replica) {
        let given = self.unsettled.len();
        self.unsettled.retain(|summary| !durable.contains(summary));
        self.settled += given - self.unsettled.len();
        self.saved += 1;
        assert!(
            self.saved <= self.settled,
            "client {} hears \"saved\" {} times and {} of its updates are on disk",
            self.kind.id,
            self.saved,
            self.settled
        );
    }

    /// Something that the server was given and that is not on disk, if it could be there.
    pub fn unsettled(&self, durable: &Replica) -> Option<&Summary> {
        let could_be = |summary: &&Summary| summary.fits(|client| durable.clock(client));
        self.unsettled.iter().filter(could_be).find(|summary| !durable.contains(summary))
    }
}
