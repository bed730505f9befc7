//! A stock client: a Yjs document, its provider and its awareness.
//!
//! Does what the providers do (`docs/protocol.md`): step 1 and its own awareness when a connection
//! opens, step 2 for every step 1 of the server, an update for every edit, whether or not it has
//! been heard. Keeps what it was promised, so that broken promises show.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use coscribe::crdt::{Replica, Summary};
use coscribe::document::input::Greeting;
use coscribe::id::SessionId;
use coscribe::wire::awareness::{self, Entry};
use coscribe::wire::{Dialect, Message, Reply};
use fastrand::Rng;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, ReadTxn, StateVector, Transact};

use crate::content;
use crate::counter::Counter;
use crate::ledger::linted;

/// Stock clients renew their awareness after so long without a change.
const RENEWS_AFTER: Duration = Duration::from_secs(15);

/// What kind of client it is; does not change.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its number in the CRDT, the same for all of its connections.
    pub id: u64,
    /// How it speaks.
    pub dialect: Dialect,
    /// Whether the server ends its session over an update that cannot be taken.
    pub strict: bool,
    /// Whether it ever changes the document.
    pub may_write: bool,
    /// It sends on all awareness that it hears, as older providers do.
    pub reflects: bool,
    /// It shows itself to others.
    pub is_seen: bool,
}

impl Kind {
    /// When it expects the server's own step 1.
    pub fn greeting(&self) -> Greeting {
        match self.dialect {
            Dialect::YWebsocket => Greeting::AtJoin,
            Dialect::YSweet | Dialect::Hocuspocus { .. } => Greeting::AtSync,
        }
    }

    fn counts(&self) -> bool {
        matches!(self.dialect, Dialect::Hocuspocus { .. })
    }
}

/// One client.
pub struct Client {
    /// What kind it is.
    pub kind: Kind,
    /// Its document.
    pub doc: Doc,
    /// Its connection, as far as it knows.
    pub session: Option<SessionId>,
    /// It has gone for good, and what it had with it.
    pub is_gone: bool,
    /// Whether the server would take its changes. It makes them all the same: nobody has told its
    /// editor, or not yet.
    pub may_write: bool,
    /// It would not be let in.
    pub is_shut_out: bool,
    /// It has had a step 2 on this connection.
    is_synced: bool,
    /// The provider's number of unsynced changes.
    unsynced: u32,
    /// Its own changes since that number was last 0.
    unsaved: Vec<Summary>,
    /// What a y-sweet client counts.
    pub counter: Option<Counter>,
    /// Its own insertions of this connection that have not come back.
    unechoed: Vec<(u32, u32)>,
    /// Updates that wait for what they build on, as Yjs keeps them.
    parked: Vec<Bytes>,
    awareness: Awareness,
    /// What its device still has of an earlier life.
    pub device_copy: Option<Bytes>,
    /// When it says again that it is here.
    pub renews_at: Duration,
}

impl Client {
    /// A client with an empty document.
    pub fn new(kind: Kind) -> Self {
        let doc = content::new_doc(kind.id);
        let awareness = Awareness::new(kind.id, kind.is_seen);
        let counter = (kind.dialect == Dialect::YSweet).then(Counter::default);
        let may_write = kind.may_write;
        Self {
            kind,
            doc,
            session: None,
            is_gone: false,
            may_write,
            is_shut_out: false,
            is_synced: false,
            unsynced: 0,
            unsaved: vec![],
            counter,
            unechoed: vec![],
            parked: vec![],
            awareness,
            device_copy: None,
            renews_at: RENEWS_AFTER,
        }
    }

    /// Starts anew with an empty document, as a page that is loaded again.
    pub fn forget_document(&mut self) {
        self.doc = content::new_doc(self.kind.id);
        self.unsaved.clear();
    }

    /// It was told that its copy is of an earlier life: it starts with an empty document and another
    /// number, as a page does. Not every application cleans up its device.
    pub fn start_anew(&mut self, id: u64, keeps_copy: bool) {
        let copy = self.doc.transact().encode_diff_v1(&StateVector::default()).into();
        let (may_write, is_shut_out, is_gone) = (self.may_write, self.is_shut_out, self.is_gone);
        let renews_at = self.renews_at;
        *self = Self {
            may_write,
            is_shut_out,
            is_gone,
            renews_at,
            device_copy: keeps_copy.then_some(copy),
            ..Self::new(Kind { id, ..self.kind.clone() })
        };
    }

    /// Its device brings what it has, later than the server did.
    pub fn load_device_copy(&mut self) -> Vec<Message> {
        let Some(update) = self.device_copy.take() else { return vec![] };
        content::apply(&self.doc, &update);
        vec![Message::Update { update }]
    }

    /// A connection is open.
    pub fn connect(&mut self, session: SessionId) -> Vec<Message> {
        assert!(self.session.is_none(), "two connections at once");
        self.session = Some(session);
        self.is_synced = false;
        self.unsynced = 1;
        let state_vector = self.state_vector().encode_v1().into();
        let mut said = vec![Message::SyncStep1 { state_vector }];
        said.extend(self.counter.as_ref().map(Counter::message));
        said.extend(self.awareness.say(&[self.kind.id]));
        said
    }

    /// The connection is gone.
    pub fn disconnect(&mut self) {
        self.session = None;
        self.unechoed.clear();
        self.parked.clear();
        self.awareness.forget_others();
    }

    /// Leaves politely; returns what it says last.
    pub fn leave(&mut self) -> Vec<Message> {
        self.disconnect();
        self.awareness.leave().into_iter().collect()
    }

    /// Changes the document.
    pub fn edit(&mut self, rng: &mut Rng) -> Vec<Message> {
        content::edit(&self.doc, rng).map(|update| self.changed(update)).unwrap_or_default()
    }

    /// Types one word at the end.
    pub fn append(&mut self, word: &str) -> Vec<Message> {
        let update = content::append(&self.doc, word);
        self.changed(update)
    }

    /// Moves its cursor, or says again where it is.
    pub fn renew(&mut self, now: Duration) -> Option<Message> {
        self.renews_at = now + RENEWS_AFTER;
        self.awareness.renew();
        self.awareness.say(&[self.kind.id])
    }

    /// Takes what the server says, and answers.
    pub fn hear(&mut self, reply: Reply, durable: &Replica) -> Vec<Message> {
        match reply {
            Reply::SyncStep1 { state_vector } => {
                let vector = StateVector::decode_v1(&state_vector).expect("the server's vector");
                let update = self.doc.transact().encode_diff_v1(&vector).into();
                vec![Message::SyncStep2 { update }]
            }
            Reply::SyncStep2 { update } => {
                self.is_synced = true;
                self.take(update);
                vec![]
            }
            Reply::Update { update } => {
                self.take(update);
                vec![]
            }
            Reply::Awareness { body } => {
                let entries = awareness::decode(body).expect("the server's awareness");
                let changed = self.awareness.hear(entries);
                let own = self.kind.id;
                let told: Vec<u64> =
                    changed.into_iter().filter(|id| self.kind.reflects || *id == own).collect();
                self.awareness.say(&told).into_iter().collect()
            }
            Reply::Saved => {
                self.saved(durable);
                vec![]
            }
            Reply::Checkpoint { payload } => {
                let counter = self.counter.as_mut().expect("a client that counts is answered");
                counter.hear(&payload);
                vec![]
            }
            Reply::NotSaved { .. }
            | Reply::Stateless { .. }
            | Reply::Authenticated { .. }
            | Reply::Denied { .. }
            | Reply::QueryAwareness
            | Reply::TokenWanted
            | Reply::Closed { .. } => vec![],
        }
    }

    /// Where those of its changes end that were made on this connection and that an update of the
    /// server brings back.
    pub fn echoed_by(&self, summary: &Summary) -> Option<u32> {
        let own = summary.inserts.iter().filter(|insert| insert.client == self.kind.id);
        own.filter_map(|insert| {
            let echoed = self
                .unechoed
                .iter()
                .filter(|(start, end)| insert.start < *end && *start < insert.end);
            echoed.map(|(_, end)| *end.min(&insert.end)).max()
        })
        .max()
    }

    /// How new what it says of itself is.
    pub fn awareness_clock(&self) -> u64 {
        self.awareness.clocks.get(&self.kind.id).copied().unwrap_or(0)
    }

    /// Who it believes is here, itself included.
    pub fn sees(&self) -> Vec<u64> {
        self.awareness.states.keys().copied().collect()
    }

    /// The state that it shows of a client.
    pub fn state_of(&self, client: u64) -> Option<&str> {
        self.awareness.states.get(&client).map(String::as_str)
    }

    /// Whether something that it waits for has not come: a step 2, what a parked update builds
    /// on, "saved", or its own changes as they come back from the server.
    pub fn waits_for(&self) -> Option<String> {
        if !self.is_synced {
            return Some("a step 2".into());
        }
        if !self.parked.is_empty() {
            return Some(format!("what {} updates build on", self.parked.len()));
        }
        if self.kind.counts() && self.unsynced > 0 {
            return Some(format!("{} acknowledgements", self.unsynced));
        }
        if let Some(counter) = self.counter.as_ref().filter(|counter| !counter.is_answered()) {
            return Some(format!("{counter:?}"));
        }
        let echoes = self.kind.dialect == Dialect::YWebsocket && !self.unechoed.is_empty();
        echoes.then(|| format!("the echo of {:?}", self.unechoed))
    }

    fn state_vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    fn changed(&mut self, update: Bytes) -> Vec<Message> {
        let summary = linted(&update).summary;
        if self.session.is_some() {
            let own = summary.inserts.iter().filter(|insert| insert.client == self.kind.id);
            self.unechoed.extend(own.map(|insert| (insert.start, insert.end)));
        }
        let mut said = vec![Message::Update { update }];
        if let Some(counter) = &mut self.counter {
            counter.count(summary);
            said.push(counter.message());
        } else {
            self.unsaved.push(summary);
            self.unsynced += 1;
        }
        said
    }

    fn take(&mut self, update: Bytes) {
        for insert in linted(&update).summary.inserts {
            if insert.client == self.kind.id {
                self.unechoed.retain(|(start, end)| *start < insert.start || insert.end < *end);
            }
        }
        self.parked.push(update);
        while let Some(next) = self.parked.iter().position(|update| self.fits(update)) {
            content::apply(&self.doc, &self.parked.remove(next));
        }
    }

    fn fits(&self, update: &Bytes) -> bool {
        let vector = self.state_vector();
        linted(update).summary.fits(|client| vector.get(&yrs::ClientID::new(client)))
    }

    fn saved(&mut self, durable: &Replica) {
        self.unsynced = self.unsynced.saturating_sub(1);
        if self.unsynced > 0 {
            return;
        }
        for own in std::mem::take(&mut self.unsaved) {
            let id = self.kind.id;
            assert!(durable.contains(&own), "client {id} shows \"saved\" for {own:?}");
        }
    }
}

/// The awareness protocol as y-protocols has it.
#[derive(Debug)]
struct Awareness {
    id: u64,
    clocks: BTreeMap<u64, u64>,
    states: BTreeMap<u64, String>,
}

impl Awareness {
    fn new(id: u64, is_seen: bool) -> Self {
        let states = if is_seen { BTreeMap::from([(id, state(1))]) } else { BTreeMap::new() };
        Self { id, clocks: BTreeMap::from([(id, 1)]), states }
    }

    fn entry(&self, client: u64) -> Entry {
        let state = self.states.get(&client).map_or("null", String::as_str).into();
        Entry { client, clock: self.clocks.get(&client).copied().unwrap_or(0), state }
    }

    fn renew(&mut self) {
        if self.states.contains_key(&self.id) {
            let clock = self.clocks.entry(self.id).or_default();
            *clock += 1;
            self.states.insert(self.id, state(*clock));
        }
    }

    /// The last word; its own state is newer than that when it comes back.
    fn leave(&mut self) -> Option<Message> {
        let clock = self.clocks.get(&self.id).copied().unwrap_or(0) + 1;
        self.renew();
        self.renew();
        let entry = Entry { client: self.id, clock, state: "null".into() };
        let body = awareness::encode([entry].iter());
        self.states.contains_key(&self.id).then_some(Message::Awareness { body })
    }

    /// A frame about some clients; of itself a client speaks only when it is seen.
    fn say(&self, clients: &[u64]) -> Option<Message> {
        let told = clients.iter().filter(|id| **id != self.id || self.states.contains_key(id));
        let entries: Vec<Entry> = told.map(|id| self.entry(*id)).collect();
        let body = awareness::encode(entries.iter());
        (!entries.is_empty()).then_some(Message::Awareness { body })
    }

    /// Returns the clients about whom there is news.
    fn hear(&mut self, entries: Vec<Entry>) -> Vec<u64> {
        let mut changed = Vec::new();
        for Entry { client, mut clock, state } in entries {
            let known = self.clocks.get(&client).copied();
            let is_null = state.as_str() == "null";
            let goes = is_null && known == Some(clock) && self.states.contains_key(&client);
            if known.unwrap_or(0) >= clock && !goes {
                continue;
            }
            if !is_null {
                self.states.insert(client, state.as_str().to_owned());
            } else if client == self.id && self.states.contains_key(&client) {
                // Nobody else removes the own state: it is said again with a newer clock.
                clock += 1;
            } else {
                self.states.remove(&client);
            }
            self.clocks.insert(client, clock);
            if !is_null || known.is_some() {
                changed.push(client);
            }
        }
        changed
    }

    fn forget_others(&mut self) {
        let id = self.id;
        self.states.retain(|client, _| *client == id);
    }
}

fn state(clock: u64) -> String {
    format!(r#"{{"cursor":{clock}}}"#)
}
