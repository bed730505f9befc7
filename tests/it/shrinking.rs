//! A session that fails, made as short as it can be.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use coscribe::config::Anonymous;
use coscribe::crdt::{Desk, LintLimits, lint::lint};
use coscribe::recording::{Expected, Recording, What};

use super::support::Server;

/// How many edits the long session has.
const EDITS: usize = 10_000;

/// Some people who type words, each at a place of their own that they change at times, and rub out
/// what they find there.
///
/// Nearly all of them keep to what they have typed themselves; once, in the middle, somebody rubs
/// out what two others have typed.
fn session(seed: u64) -> Recording {
    let mut random = fastrand::Rng::with_seed(seed);
    // Who typed what is there.
    let mut text: Vec<usize> = Vec::new();
    let mut places = [0; 5];
    let mut txns = String::new();
    for edit in 0..EDITS {
        let agent = random.usize(..places.len());
        if random.u8(..20) == 0 {
            places[agent] = random.usize(..=text.len());
        }
        let at = places[agent];
        let own = text[at..].iter().take_while(|author| **author == agent).count().min(3);
        let border = |from: usize| (from + 1..text.len()).find(|at| text[at - 1] != text[*at]);
        let (at, gone) = match edit {
            _ if edit == EDITS * 6 / 10 => (border(text.len() / 2).expect("two authors") - 1, 2),
            _ if random.u8(..3) == 0 => (at, own),
            _ => (at, 0),
        };
        let comes = if gone > 0 { "" } else { "word" };
        text.splice(at..at + gone, vec![agent; comes.len()]);
        for place in places.iter_mut().filter(|place| **place >= at) {
            *place = at.max(*place - (*place - at).min(gone)) + comes.len();
        }
        let comma = if edit == 0 { "" } else { "," };
        write!(txns, r#"{comma}{{"agent":{agent},"patches":[[{at},{gone},"{comes}"]]}}"#)
            .expect("room in memory");
    }
    let trace = format!(r#"{{"endContent":"","txns":[{txns}]}}"#);
    let mut recording = Recording::read(trace.as_bytes()).expect("a trace");
    let mut desk = Desk::new(1_001, "body");
    updates(&recording).for_each(|update| desk.hear(update).expect("an update"));
    let end = What::End { root: "body".into(), expected: Expected::Text(desk.text()) };
    recording.events.last_mut().expect("events").what = end;
    recording
}

/// An editor with a bug that was planted for these tests: it does not hear of a deletion that takes
/// what two people have typed.
struct Planted(Desk);

impl Planted {
    fn new() -> Self {
        Self(Desk::new(1_000, "body"))
    }

    fn hear(&mut self, update: &Bytes) {
        let summary = lint(update, &LintLimits::default()).expect("a sound update");
        let authors: HashSet<u64> = summary.deletes.iter().map(|span| span.client).collect();
        if authors.len() < 2 {
            self.0.hear(update).expect("an update");
        }
    }
}

fn updates(recording: &Recording) -> impl Iterator<Item = &Bytes> {
    recording.header.start.iter().chain(recording.events.iter().filter_map(
        |event| match &event.what {
            What::Update { update, .. } => Some(update),
            _ => None,
        },
    ))
}

/// The planted bug shows.
fn fails(recording: &Recording) -> bool {
    let mut planted = Planted::new();
    updates(recording).for_each(|update| planted.hear(update));
    match recording.events.last().map(|event| &event.what) {
        Some(What::End { expected: Expected::Text(text), .. }) => planted.0.text() != *text,
        other => panic!("no end: {other:?}"),
    }
}

#[test]
fn ten_thousand_events_become_less_than_twenty() {
    let session = session(1);
    assert!(session.edits() >= EDITS && fails(&session));
    let mut attempts = 0;
    let shrunk = session.shrink(|attempt| {
        attempts += 1;
        fails(attempt)
    });
    assert!(fails(&shrunk));
    assert!(shrunk.events.len() < 20, "{} events are left", shrunk.events.len());
    // Two who type, and somebody who rubs it out: none can be left out.
    assert_eq!(shrunk.edits(), 3, "{shrunk:?}");
    assert!(attempts < 500, "{attempts} attempts");
    let mut planted = Planted::new();
    let first = shrunk.first_difference("body", |update| {
        planted.hear(update);
        planted.0.text()
    });
    let first = first.expect("it can be played").expect("a difference");
    // The last event before the end.
    assert_eq!(first.event, shrunk.events.len() - 1);
}

#[test]
fn what_does_not_fail_stays_as_it_is() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let recording = Recording::load(fixture.join("session.jsonl")).expect("a recording");
    assert_eq!(recording.shrink(|_| false), recording);
}

/// Against a server: one that takes no edits fails with any of them.
#[actix::test]
async fn the_program_writes_the_shortest_session_that_fails() {
    let server = Server::start(|config| config.anonymous = Anonymous::Read);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("shrunk.jsonl");
    let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
    program.arg("replay").arg(fixture.join("session.jsonl")).arg("--shrink").arg(&out);
    program.args(["--onto", &server.url("ws", ""), "--seed", "1"]);
    let output = actix_web::rt::task::spawn_blocking(move || program.output()).await;
    let output = output.expect("a thread").expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let shrunk = Recording::load(&out).expect("a recording");
    assert_eq!(shrunk.edits(), 1, "{shrunk:?}");
    let end = shrunk.events.last().map(|event| &event.what);
    assert!(matches!(end, Some(What::End { expected: Expected::Text(_), .. })), "{end:?}");
    let said = String::from_utf8(output.stderr).expect("errors of UTF-8");
    assert!(said.contains("fails with 3 of 12 events"), "{said}");
}
