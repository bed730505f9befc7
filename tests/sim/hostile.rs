//! Somebody who means harm, or runs something broken: every kind of frame that no stock client
//! sends, over a connection of its own.
//!
//! It makes nothing up once a power cut has taken rows that others have seen: two texts under the
//! same ids cannot be told apart by anybody. It does not announce other people's ids as its own before they do: that a stranger can take an
//! id which nobody uses is the price of carrying honest offline edits.

use std::collections::BTreeSet;

use bytes::Bytes;
use coscribe::document::input::Input;
use coscribe::id::SessionId;
use coscribe::wire::awareness::{self, Entry};
use coscribe::wire::{Dialect, Message, Reply};
use fastrand::Rng;
use yrs::updates::decoder::Decode;
use yrs::{Doc, ReadTxn, StateVector, Transact};

use crate::client::Kind;
use crate::content;
use crate::link::Who;
use crate::plan::{Family, pick};
use crate::world::{Sim, draw_dialect};

const ID: u64 = 99;

/// The one who means harm.
pub struct Hostile {
    /// What it pretends to be.
    pub kind: Kind,
    doc: Doc,
    clock: u64,
    /// Its connection, as far as it knows.
    pub session: Option<SessionId>,
    /// Client ids that it has heard of: they are random, nobody guesses them.
    pub known: BTreeSet<u64>,
    /// Updates that it made up.
    pub forged: BTreeSet<Bytes>,
    /// Those of them that no editor makes.
    pub damaged: BTreeSet<Bytes>,
    /// Client ids about which it has lied in awareness: whose they are may be in doubt for a while.
    pub slandered: BTreeSet<u64>,
}

impl Hostile {
    /// Somebody with an empty document.
    pub fn new(rng: &mut Rng, family: Family) -> Self {
        let dialect = draw_dialect(rng, family);
        let kind = Kind {
            id: ID,
            strict: matches!(dialect, Dialect::Hocuspocus { .. }),
            dialect,
            may_write: rng.u8(..4) > 0,
            reflects: false,
            is_seen: true,
        };
        Self {
            kind,
            doc: content::new_doc(ID),
            clock: 1,
            session: None,
            known: BTreeSet::new(),
            forged: BTreeSet::new(),
            damaged: BTreeSet::new(),
            slandered: BTreeSet::new(),
        }
    }

    /// Goes on with an empty document and another number.
    pub fn start_anew(&mut self, id: u64) {
        self.doc = content::new_doc(id);
    }

    /// It listens, and answers only what it must to seem honest.
    pub fn hear(&mut self, reply: &Reply) -> Option<Message> {
        if let Reply::Awareness { body } = reply {
            let entries = awareness::decode(body.clone()).expect("the server's awareness");
            self.known.extend(entries.iter().filter(|entry| !entry.is_gone()).map(|e| e.client));
        }
        let Reply::SyncStep1 { state_vector } = reply else { return None };
        let vector = StateVector::decode_v1(state_vector).ok()?;
        let update = self.doc.transact().encode_diff_v1(&vector).into();
        Some(Message::SyncStep2 { update })
    }

    fn entry(&mut self, client: u64, state: &str) -> Message {
        self.clock += 1;
        let entry = Entry { client, clock: self.clock, state: state.into() };
        Message::Awareness { body: awareness::encode([entry].iter()) }
    }
}

impl Sim {
    /// One bad deed.
    pub fn do_harm(&mut self) {
        let Some(session) = self.hostile.session else {
            let session = self.connect(Who::Hostile, self.hostile.kind.clone());
            self.hostile.session = Some(session);
            let hello = self.hostile.entry(ID, "{}");
            return self.say(session, [hello]);
        };
        let message = match self.rng.u8(..13) {
            0 => self.some_update(|bytes, rng| bytes.truncate(rng.usize(..bytes.len()))),
            1 | 2 => self.some_update(|bytes, rng| {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
            }),
            3 => self.some_update(|_, _| ()),
            4 => self.forge(),
            5 => {
                // The first of two changes is withheld.
                content::append(&self.hostile.doc, "h");
                Some(Message::Update { update: content::append(&self.hostile.doc, "i") })
            }
            6 => content::edit(&self.hostile.doc, &mut self.rng)
                .map(|update| Message::Update { update }),
            7 => Some(Message::Update { update: vec![7; 5_000].into() }),
            8 => Some(Message::SyncStep1 { state_vector: Bytes::from_static(&[9, 9, 9]) }),
            9 => {
                let seen = self.clients.iter().find(|client| client.kind.is_seen);
                let victim = seen.map(|client| (client.kind.id, client.awareness_clock() + 1));
                self.hostile.slandered.extend(victim.map(|(client, _)| client));
                victim.map(|(client, clock)| {
                    let state = if self.rng.bool() { "null" } else { r#"{"name":"somebody"}"# };
                    Message::Awareness {
                        body: awareness::encode(
                            [Entry { client, clock, state: state.into() }].iter(),
                        ),
                    }
                })
            }
            10 => {
                let large = format!("{:?}", "x".repeat(200));
                let state = if self.rng.bool() { large.as_str() } else { "{broken" };
                Some(self.hostile.entry(ID, state))
            }
            11 => Some(Message::Stateless { payload: "hear, hear".into() }),
            _ => return self.stray(),
        };
        self.say(session, message);
    }

    /// An update of the log, changed in some way, but not into one that could be honest.
    fn some_update(&mut self, change: impl FnOnce(&mut Vec<u8>, &mut Rng)) -> Option<Message> {
        let rows = self.ledger.rows();
        if rows.is_empty() || self.has_lost_rows {
            return None;
        }
        let genuine = pick(&mut self.rng, rows).clone();
        let mut bytes = genuine.to_vec();
        change(&mut bytes, &mut self.rng);
        let update = Bytes::from(bytes);
        if update != genuine && self.ledger.would_take(&update) {
            return None;
        }
        if update != genuine {
            self.hostile.forged.insert(update.clone());
            self.hostile.damaged.insert(update.clone());
        }
        Some(Message::Update { update })
    }

    /// Text in somebody else's name, right behind the last that the log has.
    fn forge(&mut self) -> Option<Message> {
        if self.has_lost_rows {
            return None;
        }
        let victim = self.clients[self.rng.usize(..self.clients.len())].kind.id;
        if !self.hostile.known.contains(&victim) {
            return None;
        }
        let doc = content::new_doc(victim);
        for row in self.ledger.rows() {
            content::apply(&doc, row);
        }
        let update = content::append(&doc, "forged");
        self.hostile.forged.insert(update.clone());
        Some(Message::Update { update })
    }

    /// A message of a session that has left, or never was.
    fn stray(&mut self) {
        let session = SessionId(self.rng.u64(1..1_000));
        if self.links.contains_key(&session) {
            return;
        }
        let update = content::append(&self.hostile.doc, "stray");
        self.hostile.forged.insert(update.clone());
        let input = match self.rng.u8(..6) {
            0 => Input::Left { session },
            1 => Input::Drained { session },
            2 => Input::QueryAwareness { session },
            3 => Input::SyncStep1 { session, state_vector: Bytes::from_static(&[0]) },
            4 => Input::Stateless { session, payload: "stray".into() },
            _ => Input::Update { session, bytes: update, whole: self.rng.bool(), may_write: true },
        };
        self.input(input);
    }
}
