//! Who listens to everything that happens in a document, to record it.
//!
//! What is noted of updates is what got into the log, with its place there; so a listener notices
//! when it missed one. Listeners are never waited for: one that falls behind is let go.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::input::Record;
use crate::clock;
use crate::id::{ConnectionId, Seq};
use crate::wire::awareness::Entry;

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Noted {
    /// When, in unix milliseconds.
    pub at_ms: i64,
    /// By which socket it came.
    pub connection: ConnectionId,
    /// What it was.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// A session took part, from then on or already; with the name of its login, if there is one.
    Joined(Option<Arc<str>>),
    /// A session was gone.
    Left,
    /// An update is in the log.
    Updated {
        /// Its place.
        seq: Seq,
        /// As it came.
        bytes: Bytes,
    },
    /// A session said who is where.
    Awareness(Vec<Entry>),
}

/// Those who listen to one document.
#[derive(Debug, Default)]
pub(super) struct Taps {
    listeners: Vec<mpsc::Sender<Noted>>,
    /// On their way to the log.
    in_flight: Vec<(ConnectionId, Bytes)>,
}

impl Taps {
    pub(super) fn add(&mut self, listener: mpsc::Sender<Noted>) {
        self.listeners.push(listener);
    }

    /// Whether nobody listens.
    pub(super) fn is_empty(&mut self) -> bool {
        self.listeners.retain(|listener| !listener.is_closed());
        self.listeners.is_empty()
    }

    pub(super) fn note(&mut self, connection: ConnectionId, what: What) {
        let noted = Noted { at_ms: clock::unix_ms(), connection, what };
        // Whoever has no room misses something, and a recording with a hole is none.
        self.listeners.retain(|listener| listener.try_send(noted.clone()).is_ok());
    }

    /// An append leaves for the log.
    pub(super) fn appending(&mut self, records: &[Record]) {
        // Also while nobody listens: somebody may before it is in the log.
        self.in_flight.clear();
        self.in_flight
            .extend(records.iter().map(|record| (record.connection, record.bytes.clone())));
    }

    /// The append is in the log; `last` is the place of its last record.
    pub(super) fn committed(&mut self, last: Seq) {
        let in_flight = std::mem::take(&mut self.in_flight);
        let first = (last.0 + 1).saturating_sub(in_flight.len() as u64);
        for (seq, (connection, bytes)) in (first..).map(Seq).zip(in_flight) {
            self.note(connection, What::Updated { seq, bytes });
        }
    }
}
