//! People who bring each other's lost changes at the same time, without anything random.

use std::time::Duration;

use bytes::Bytes;
use coscribe::config::Config;
use coscribe::document::core::{Core, CoreLimits};
use coscribe::document::input::{About, Effect, Greeting, Input};
use coscribe::id::{ConnectionId, SessionId};
use coscribe::wire::Reply;
use coscribe::wire::awareness::Entry;
use yrs::updates::decoder::Decode;
use yrs::{Doc, ReadTxn, StateVector, Transact};

use crate::content;
use crate::ledger::Ledger;

/// Steps in which everything must have settled; it takes a tenth of it.
const STEPS_MAX: usize = 200;

/// A document without a network: what it asks its people is answered in turn.
struct Room {
    core: Core,
    ledger: Ledger,
    people: Vec<Doc>,
    /// Who was asked, and what the server said that it has.
    asked: Vec<(usize, Bytes)>,
    saved: Vec<u32>,
}

impl Room {
    /// Everybody is here and has said who they are, and nobody what they have.
    fn new(people: Vec<Doc>) -> Self {
        let limits = CoreLimits::new(&Config::default());
        let core = Core::new(CoreLimits { flush_interval_max: Duration::ZERO, ..limits });
        let saved = vec![0; people.len()];
        let mut room = Self { core, ledger: Ledger::new(), people, asked: vec![], saved };
        let loaded = room.ledger.load(0).expect("an empty log");
        room.input(Input::Loaded(Box::new(loaded)));
        for person in 0..room.people.len() {
            let session = SessionId(person as u64);
            let about = About {
                connection: ConnectionId(session.0),
                user: None,
                may_write: true,
                greeting: Greeting::AtJoin,
                strict: true,
            };
            room.input(Input::Joined { session, about });
            let client = room.people[person].client_id().get();
            let entries = vec![Entry { client, clock: 1, state: "{}".into() }];
            room.input(Input::Awareness { session, entries });
        }
        room
    }

    fn input(&mut self, input: Input) {
        for effect in self.core.handle(input, Duration::ZERO) {
            match effect {
                Effect::Append { records, aside } => {
                    self.ledger.begin(records, aside);
                    let last = self.ledger.commit();
                    self.input(Input::Committed { last, durable: true });
                }
                Effect::Send { session, reply: Reply::SyncStep1 { state_vector } } => {
                    self.asked.push((session.0 as usize, state_vector));
                }
                Effect::Send { session, reply: Reply::Saved } => {
                    self.saved[session.0 as usize] += 1;
                }
                Effect::Send { reply: Reply::NotSaved { reason, .. }, .. } => {
                    panic!("{}", reason.as_str());
                }
                _ => {}
            }
        }
    }

    /// Everybody answers what they are asked, until nobody is.
    fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.asked.is_empty() {
                return;
            }
            let (person, vector) = self.asked.remove(0);
            let vector = StateVector::decode_v1(&vector).expect("the server's vector");
            let bytes = self.people[person].transact().encode_diff_v1(&vector).into();
            let session = SessionId(person as u64);
            self.input(Input::Update { session, bytes, whole: true, may_write: true });
        }
        panic!("it does not come to rest");
    }
}

/// People of whom each has seen what the next but one wrote before, and has written more since.
fn survivors(count: u64) -> Vec<Doc> {
    let people: Vec<Doc> = (0..count).map(|person| content::new_doc(11 + person)).collect();
    let first: Vec<Bytes> = people.iter().map(|doc| content::append(doc, "lost")).collect();
    for (person, doc) in people.iter().enumerate() {
        content::apply(doc, &first[(person + 1) % people.len()]);
        content::append(doc, "more");
    }
    people
}

/// Each answer was held for the other's, and each of those asked for one more: for ever.
#[test]
fn survivors_who_answer_at_the_same_time_do_not_wait_for_each_other() {
    for count in 2..=5 {
        let mut room = Room::new(survivors(count));
        room.settle();
        for (person, doc) in room.people.iter().enumerate() {
            let clock = room.ledger.committed().clock(doc.client_id().get());
            assert_eq!(clock, 8, "the text of {person} of {count} is in the log");
            assert!(room.saved[person] > 0, "{person} of {count} is told so");
        }
    }
}
