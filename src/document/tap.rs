//! Who listens to everything that happens in a document, to record it.
//!
//! What is noted of updates is what got into the log, with its place there; so a listener notices
//! when it missed one. Listeners are never waited for: one that falls behind is let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Listeners of one document; there is room for so many.
const LISTENERS_MAX: usize = 16;

/// What may wait for one listener, in events and in bytes: an event finds room while fewer bytes
/// wait, or when nothing does.
const QUEUE_LEN: usize = 8_192;
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// What each event counts beside its bytes.
const NOTED_BYTES: usize = 128;

impl Noted {
    fn weight(&self) -> usize {
        let bytes = match &self.what {
            What::Joined(_) | What::Left => 0,
            What::Updated { bytes, .. } => bytes.len(),
            What::Awareness(entries) => {
                entries.iter().map(|entry| NOTED_BYTES + entry.state.as_str().len()).sum()
            }
        };
        NOTED_BYTES + bytes
    }
}

/// Where a listener hears what is noted.
#[derive(Debug)]
pub struct Heard {
    noted: mpsc::Receiver<Noted>,
    waiting: Arc<AtomicUsize>,
}

impl Heard {
    /// The next event; `None` once the listener was let go or the document has ended.
    pub async fn next(&mut self) -> Option<Noted> {
        let noted = self.noted.recv().await?;
        self.waiting.fetch_sub(noted.weight(), Ordering::Relaxed);
        Some(noted)
    }

    /// Hears nothing more.
    pub fn close(&mut self) {
        self.noted.close();
    }
}

/// A listener, as the document knows it.
#[derive(Debug)]
pub struct Listener {
    tell: mpsc::Sender<Noted>,
    waiting: Arc<AtomicUsize>,
}

impl Listener {
    /// One that nobody has told anything.
    pub fn new() -> (Self, Heard) {
        let (tell, noted) = mpsc::channel(QUEUE_LEN);
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self { tell, waiting: waiting.clone() }, Heard { noted, waiting })
    }

    /// Whether it could be told.
    fn tell(&self, noted: Noted) -> bool {
        let weight = noted.weight();
        let before = self.waiting.fetch_add(weight, Ordering::Relaxed);
        (before == 0 || before + weight <= QUEUE_BYTES_MAX) && self.tell.try_send(noted).is_ok()
    }
}

/// Those who listen to one document.
#[derive(Debug, Default)]
pub(super) struct Taps {
    listeners: Vec<Listener>,
    /// On their way to the log.
    in_flight: Vec<(ConnectionId, Bytes)>,
}

impl Taps {
    /// Adds a listener and tells it who is here; false if there is no room.
    pub(super) fn add(
        &mut self,
        listener: Listener,
        here: impl Iterator<Item = (ConnectionId, Option<Arc<str>>)>,
    ) -> bool {
        if !self.is_empty() && self.listeners.len() >= LISTENERS_MAX {
            return false;
        }
        let at_ms = clock::unix_ms();
        let mut joined = here.map(|(connection, name)| {
            listener.tell(Noted { at_ms, connection, what: What::Joined(name) })
        });
        let told = joined.all(|told| told);
        drop(joined);
        if told {
            self.listeners.push(listener);
        }
        told
    }

    /// Whether nobody listens.
    pub(super) fn is_empty(&mut self) -> bool {
        self.listeners.retain(|listener| !listener.tell.is_closed());
        self.listeners.is_empty()
    }

    pub(super) fn note(&mut self, connection: ConnectionId, what: What) {
        let noted = Noted { at_ms: clock::unix_ms(), connection, what };
        // Whoever has no room misses something, and a recording with a hole is none.
        self.listeners.retain(|listener| listener.tell(noted.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn update(taps: &mut Taps, len: usize) {
        let record =
            Record { connection: ConnectionId(1), author: None, bytes: Bytes::from(vec![0; len]) };
        taps.appending(&[record]);
        taps.committed(Seq(1));
    }

    #[tokio::test]
    async fn a_listener_that_does_not_listen_is_let_go_before_it_holds_much() {
        let mut taps = Taps::default();
        let (listener, mut heard) = Listener::new();
        assert!(taps.add(listener, std::iter::empty()));
        update(&mut taps, QUEUE_BYTES_MAX);
        assert!(!taps.is_empty(), "one large update finds room");
        update(&mut taps, 1);
        assert!(taps.is_empty());
        assert!(heard.next().await.is_some());
        assert!(heard.next().await.is_none());
    }

    #[test]
    fn there_is_room_for_so_many_listeners() {
        let mut taps = Taps::default();
        let mut here = Vec::new();
        for _ in 0..LISTENERS_MAX {
            let (listener, heard) = Listener::new();
            assert!(taps.add(listener, std::iter::empty()));
            here.push(heard);
        }
        assert!(!taps.add(Listener::new().0, std::iter::empty()));
        here.pop();
        assert!(taps.add(Listener::new().0, std::iter::empty()), "one has gone");
    }
}
