//! What a message costs must not grow with the crowd (a flush may: it goes to everybody). Counted in
//! instructions, which unlike times are the same on a busy machine, and compared with each other, so
//! that no compiler changes the verdict.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use coscribe::config::Config;
use coscribe::crdt::Replica;
use coscribe::document::core::{Core, CoreLimits};
use coscribe::document::input::{About, Greeting, Input, Loaded};
use coscribe::document::lineage::Retired;
use coscribe::id::{ConnectionId, Seq, SessionId};
use coscribe::wire::awareness::Entry;
use yrs::{Doc, Text, Transact};

/// Says to the other process how many people there are and how many keystrokes they make.
const PEOPLE: &str = "COSCRIBE_COSTS_PEOPLE";
const KEYSTROKES: &str = "COSCRIBE_COSTS_KEYSTROKES";

fn number(name: &str) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What is counted: people who are here and show a cursor, one of whom types.
#[test]
#[ignore = "is run by the tests of this file"]
fn a_crowd() {
    let loaded = Loaded {
        examine_from: None,
        replica: Replica::new(),
        last: Seq(0),
        rows: 0,
        bytes: 0,
        snapshot_bytes: 0,
        retired: Retired::default(),
    };
    let mut core = Core::new(CoreLimits::new(&Config::default()));
    core.handle(Input::Loaded(Box::new(loaded)), Duration::ZERO);
    let people = number(PEOPLE).max(1);
    for session in 1..=people {
        let (connection, session) = (ConnectionId(session), SessionId(session));
        let (greeting, strict) = (Greeting::AtJoin, false);
        let about = About { connection, user: None, may_write: true, greeting, strict };
        core.handle(Input::Joined { session, about }, Duration::ZERO);
        let state_vector = Bytes::from_static(&[0]);
        core.handle(Input::SyncStep1 { session, state_vector }, Duration::ZERO);
        let entries = vec![Entry { client: session.0, clock: 1, state: "{}".into() }];
        core.handle(Input::Awareness { session, entries }, Duration::ZERO);
    }
    // Everybody is told who is here.
    let start = Duration::from_secs(1);
    core.handle(Input::Tick, start);
    let doc = Doc::with_client_id(people + 1);
    let text = doc.get_or_insert_text("text");
    for keystroke in 1..=number(KEYSTROKES) {
        let mut txn = doc.transact_mut();
        text.insert(&mut txn, 0, "a");
        let (session, bytes) = (SessionId(1), txn.encode_update_v1().into());
        // They gather while the first is on its way to the log.
        let now = start + Duration::from_millis(keystroke);
        core.handle(Input::Update { session, bytes, whole: false, may_write: true }, now);
        std::hint::black_box(core.next_wake());
    }
}

/// Instructions of [`a_crowd`], in a process of its own.
fn instructions(people: u64, keystrokes: u64) -> u64 {
    let test = std::env::current_exe().expect("this test");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(test)
        .args(["--exact", "costs::a_crowd", "--ignored", "--nocapture"])
        .env(PEOPLE, people.to_string())
        .env(KEYSTROKES, keystrokes.to_string())
        .output()
        .expect("valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    let counted = counted.and_then(|count| count.trim().parse().ok());
    counted.unwrap_or_else(|| panic!("valgrind counted nothing: {said}"))
}

#[test]
fn a_keystroke_costs_the_document_the_same_however_many_people_are_here() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return;
    }
    const KEYSTROKES: u64 = 100;
    let cost = |people| {
        let (without, with) = (instructions(people, 0), instructions(people, KEYSTROKES));
        (with - without) / KEYSTROKES
    };
    let (few, many) = (cost(10), cost(1_000));
    assert!(many < few * 3 / 2, "{few} instructions with 10 people, {many} with 1,000");
}
