//! A request that listens to a document, and gets what happens there as the events of a recording.

use std::collections::{HashMap, VecDeque};

use actix::Addr;
use serde_json::Value;
use tokio::sync::watch;

use super::Services;
use super::part::{Login, OpenError};
use super::socket::due;
use crate::access::LoginError;
use crate::clock;
use crate::document::actor::{DocumentActor, Listen, Tell};
use crate::document::input::Input;
use crate::document::load::{NotLoaded, load};
use crate::document::tap::{Heard, Listener, Noted, What};
use crate::hub::Open;
use crate::id::{ConnectionId, Seq};
use crate::recording::{self, Event, Header};
use crate::store::Store;

/// Why there is no further event, or no recording at all. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The document could not be joined.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The login ended, or is worth less.
    #[error(transparent)]
    Over(#[from] LoginError),
    /// The document has been deleted.
    #[error("the document has been deleted")]
    Deleted,
    /// What was there before cannot be read.
    #[error("{0}")]
    Unavailable(String),
    /// Something was missed; what was recorded so far is whole.
    #[error("recording fell behind the document, or the document was reopened")]
    Behind,
}

/// A recording on its way.
#[derive(Debug)]
pub struct Recorder {
    login: Login,
    addr: Addr<DocumentActor>,
    changes: watch::Receiver<()>,
    heard: Heard,
    scribe: Scribe,
}

impl Recorder {
    /// Begins to listen; the header holds what was there before.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn open(
        services: &Services,
        store: &Store,
        login: Login,
    ) -> Result<(Header, Self), RecordError> {
        let mut changes = services.access.changes();
        // What has changed since the login was looked at is not missed.
        changes.mark_changed();
        let document = login.document().clone();
        let opened = services.hub.send(Open(document.clone())).await.map_err(OpenError::from)?;
        let addr = opened.map_err(OpenError::from)?;
        let (listener, heard) = Listener::new();
        if !addr.send(Listen(listener)).await.map_err(OpenError::from)? {
            let why = "as many recordings of this document are running as there may be";
            return Err(RecordError::Unavailable(why.to_owned()));
        }
        // Listening has begun, so nothing is missed between what is read now and what is heard.
        let loaded = load(store.clone(), document.clone()).await.map_err(|e| match e {
            NotLoaded::Deleted => RecordError::Deleted,
            NotLoaded::Because { reason, .. } => RecordError::Unavailable(reason),
        })?;
        let mut replica = loaded.replica;
        let mut header = Header::new(document.as_str(), "recorded live");
        header.start = (loaded.last > Seq(0)).then(|| replica.encode_full());
        let scribe = Scribe::new(clock::unix_ms(), loaded.last);
        Ok((header, Self { login, addr, changes, heard, scribe }))
    }

    /// The next event.
    ///
    /// # Errors
    /// The recording is over.
    pub async fn next(&mut self, services: &Services) -> Result<Event, RecordError> {
        loop {
            if let Some(event) = self.scribe.ready.pop_front() {
                return Ok(event);
            }
            tokio::select! {
                biased;
                () = due(&mut self.changes, self.login.caller().expires_at_ms()) => {
                    let level = services.access.admit(self.login.caller(), self.login.document())?;
                    if level < self.login.level() {
                        return Err(LoginError::Forbidden.into());
                    }
                }
                noted = self.heard.next() => {
                    let noted = noted.ok_or(RecordError::Behind)?;
                    self.scribe.write(noted)?;
                }
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.heard.close();
        // The document looks again whether anybody is left.
        let addr = self.addr.clone();
        actix_web::rt::spawn(async move {
            // One that has ended has nobody in it.
            let _ = addr.send(Tell(Input::Tick)).await;
        });
    }
}

/// Turns what was noted into the events of a recording.
#[derive(Debug)]
struct Scribe {
    started_ms: i64,
    t: u64,
    /// The last update that is in the recording or was there before.
    last: Seq,
    /// The recording's numbers, and how many sessions a connection has in the document.
    connections: HashMap<ConnectionId, (u32, usize)>,
    ready: VecDeque<Event>,
}

impl Scribe {
    fn new(started_ms: i64, last: Seq) -> Self {
        let (connections, ready) = (HashMap::new(), VecDeque::new());
        Self { started_ms, t: 0, last, connections, ready }
    }

    fn write(&mut self, noted: Noted) -> Result<(), RecordError> {
        let Noted { at_ms, connection, what } = noted;
        self.t = self.t.max(u64::try_from(at_ms - self.started_ms).unwrap_or(0));
        match what {
            What::Joined(name) => {
                let (connection, sessions) = self.number(connection);
                if sessions == 1 {
                    let name = name.as_deref().unwrap_or_default().to_owned();
                    self.push(recording::What::Join { connection, name });
                }
            }
            What::Left => {
                let Some((number, sessions @ 1..)) = self.connections.get_mut(&connection) else {
                    return Ok(());
                };
                let connection = *number;
                *sessions -= 1;
                if *sessions == 0 {
                    self.push(recording::What::Leave { connection });
                }
            }
            What::Updated { seq, .. } if seq <= self.last => {}
            What::Updated { seq, .. } if seq.0 != self.last.0 + 1 => {
                return Err(RecordError::Behind);
            }
            What::Updated { seq, bytes } => {
                self.last = seq;
                let connection = self.present(connection);
                self.push(recording::What::Update { connection, update: bytes });
            }
            What::Awareness(entries) => {
                let connection = self.present(connection);
                for entry in entries {
                    // What is no JSON is not shown to anybody, and not recorded.
                    let Ok(state) = serde_json::from_str::<Value>(entry.state.as_str()) else {
                        continue;
                    };
                    let (client, clock) = (entry.client, entry.clock);
                    self.push(recording::What::Awareness { connection, client, clock, state });
                }
            }
        }
        Ok(())
    }

    /// The number of a connection that has one session more from now on.
    fn number(&mut self, connection: ConnectionId) -> (u32, usize) {
        let next = u32::try_from(self.connections.len()).unwrap_or(u32::MAX).saturating_add(1);
        let known = self.connections.entry(connection).or_insert((next, 0));
        known.1 += 1;
        *known
    }

    /// The number of a connection that does something. An update of one that has left may get into
    /// the log after that: it comes back for it.
    fn present(&mut self, connection: ConnectionId) -> u32 {
        if let Some((number, 1..)) = self.connections.get(&connection) {
            return *number;
        }
        let (number, _) = self.number(connection);
        self.push(recording::What::Join { connection: number, name: String::new() });
        number
    }

    fn push(&mut self, what: recording::What) {
        self.ready.push_back(Event { t: self.t, what });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn noted(at_ms: i64, connection: u64, what: What) -> Noted {
        Noted { at_ms, connection: ConnectionId(connection), what }
    }

    fn updated(seq: u64) -> What {
        What::Updated { seq: Seq(seq), bytes: Bytes::from_static(&[0, 0]) }
    }

    #[test]
    fn what_was_there_before_is_left_out_and_a_hole_ends_it() {
        let mut scribe = Scribe::new(1_000, Seq(5));
        scribe.write(noted(990, 7, What::Joined(Some("Ann".into())))).expect("an event");
        scribe.write(noted(1_001, 7, updated(5))).expect("known already");
        scribe.write(noted(1_002, 7, updated(6))).expect("the next one");
        assert!(matches!(scribe.write(noted(1_003, 7, updated(8))), Err(RecordError::Behind)));
        let events: Vec<_> = scribe.ready.into_iter().map(|event| (event.t, event.what)).collect();
        let join = recording::What::Join { connection: 1, name: "Ann".into() };
        let update = recording::What::Update { connection: 1, update: Bytes::from_static(&[0, 0]) };
        assert_eq!(events, [(0, join), (2, update)]);
    }

    #[test]
    fn an_update_that_gets_into_the_log_after_its_author_left_has_an_author() {
        let mut scribe = Scribe::new(0, Seq(0));
        scribe.write(noted(0, 7, What::Joined(None))).expect("an event");
        scribe.write(noted(1, 7, What::Left)).expect("an event");
        scribe.write(noted(2, 7, updated(1))).expect("an event");
        let kinds: Vec<_> = scribe.ready.iter().map(|event| event.what.connection()).collect();
        assert_eq!(kinds, [Some(1); 4], "join, leave, join, update");
    }
}
