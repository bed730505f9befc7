//! Recordings played onto the server: from the command line, and from Rust.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coscribe::config::Anonymous;
use coscribe::recording::{Dialect, Outcome, Recording, Replay, Speed, Trouble};
use serde_json::Value;

use super::support::{self, Editor, Server};

const FIXTURES: [&str; 5] = [
    "session.jsonl",
    "session.jsonl.gz",
    "session.jsonl.zst",
    "sequential.json",
    "concurrent.json",
];

/// The SHA-256 of what the fixture ends with.
const JELLO_WORLD: &str = "8769d33660e70904d9c4fa90b808f400a7f1eb3fbea45b96f379bb9ea7e15dae";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings").join(name)
}

/// Runs `coscribe replay`.
fn replay(file: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
    program.arg("replay").arg(file).args(arguments).output().expect("the program runs")
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("output of UTF-8");
    text.lines().last().unwrap_or_default().to_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("errors of UTF-8")
}

fn load(name: &str) -> Recording {
    Recording::load(fixture(name)).expect("a recording")
}

async fn onto(server: &Server, recording: &Recording, dialects: &[Dialect]) -> Outcome {
    let played = prepared(server, recording, dialects).play().await;
    played.expect("a recording that can be played")
}

fn prepared<'a>(server: &Server, recording: &'a Recording, dialects: &[Dialect]) -> Replay<'a> {
    let url = server.url("ws", "");
    Replay::new(recording).onto(&url).dialects(dialects).document("replayed").seed(3)
}

#[test]
fn the_program_replays_every_kind_of_file_in_every_dialect() {
    for (index, name) in FIXTURES.iter().enumerate() {
        let dialect = ["y-websocket", "hocuspocus", "y-sweet", "all"][index % 4];
        let output = replay(&fixture(name), &["--dialect", dialect]);
        assert!(output.status.success(), "{name}: {}", errors(&output));
        let line = last_line(&output);
        assert!(line.starts_with("replayed "), "{line}");
        assert!(line.ends_with("converged") && !line.contains("NOT"), "{line}");
    }
}

#[test]
fn the_program_says_where_a_text_is_not_as_it_should_be() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = directory.path().join("report.json");
    let report_argument = report.to_str().expect("a path of UTF-8");
    for (name, right, wrong) in [
        ("session.jsonl", "Jello world!", "Jello World!"),
        ("sequential.json", r"and tea\n", r"and coffee\n"),
        ("concurrent.json", "one two three", "one three two"),
    ] {
        let text = std::fs::read_to_string(fixture(name)).expect("a fixture");
        let file = directory.path().join(name);
        std::fs::write(&file, text.replace(right, wrong)).expect("a file");
        for arguments in [&["--dialect", "all", "--report", report_argument][..], &["--bare"]] {
            let output = replay(&file, arguments);
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(last_line(&output).starts_with("replayed "), "{}", last_line(&output));
            assert!(errors(&output).contains("they differ from character"), "{}", errors(&output));
        }
        let report = std::fs::read(&report).expect("a report");
        let report: Value = serde_json::from_slice(&report).expect("a report of JSON");
        assert_eq!(report["converged"], Value::Bool(false));
        assert_eq!(report["acknowledged"], report["edits"]);
        // Everybody shows the same text, and it is not the one that was asked for.
        assert!(report["differences"].as_array().is_some_and(|all| all.len() >= 2), "{report}");
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let output = replay(&fixture("README.md"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("README.md"), "{}", errors(&output));
    assert!(output.stdout.is_empty());
}

#[actix::test]
async fn what_was_replayed_is_in_the_document() {
    for dialect in Dialect::ALL {
        let server = Server::start(|_| {});
        let outcome = onto(&server, &load("session.jsonl"), &[dialect]).await;
        assert_eq!(outcome.differences, Vec::<String>::new());
        assert_eq!((outcome.edits, outcome.acknowledged, outcome.clients), (5, 5, 2));
        let editor = Editor::open(&server, support::Dialect::YWebsocket, "replayed").await;
        assert_eq!(editor.text(), "Jello world!");
    }
}

#[actix::test]
async fn a_start_is_there_before_anybody_types() {
    let server = Server::start(|_| {});
    let recording = load("sequential.json");
    assert!(recording.header.start.is_some());
    let outcome = onto(&server, &recording, &Dialect::ALL).await;
    assert_eq!(outcome.differences, Vec::<String>::new());
    assert_eq!(outcome.clients, 3);
}

#[actix::test]
async fn real_time_takes_its_time() {
    let server = Server::start(|_| {});
    let recording = load("session.jsonl");
    let replay = prepared(&server, &recording, &[Dialect::Hocuspocus]);
    let outcome = replay.speed(Speed::Times(10.0)).play().await.expect("it can be played");
    outcome.assert_converged();
    // The last thing that anybody does in it comes after a second.
    assert!(outcome.seconds >= 0.1, "{}", outcome.seconds);
}

#[actix::test]
async fn a_server_that_takes_no_edits_is_told_on() {
    let server = Server::start(|config| config.anonymous = Anonymous::Read);
    for dialect in Dialect::ALL {
        let outcome = onto(&server, &load("concurrent.json"), &[dialect]).await;
        assert!(!outcome.converged);
        assert!(outcome.differences[0].contains("sav"), "{:?}", outcome.differences);
    }
    let server = Server::start(|config| config.anonymous = Anonymous::None);
    for dialect in Dialect::ALL {
        let outcome = onto(&server, &load("concurrent.json"), &[dialect]).await;
        assert!(!outcome.converged, "{:?}", outcome.differences);
    }
}

/// What is in the document already is in nobody's recording.
#[actix::test]
async fn a_document_that_is_not_empty_is_noticed() {
    let server = Server::start(|_| {});
    let mut editor = Editor::open(&server, support::Dialect::Hocuspocus, "replayed").await;
    editor.save_text("mine").await;
    let outcome = onto(&server, &load("session.jsonl"), &[Dialect::YWebsocket]).await;
    assert!(outcome.differences[0].contains("not in the recording"), "{:?}", outcome.differences);
}

#[test]
fn without_a_terminal_the_whole_story_is_told() {
    let output = replay(&fixture("session.jsonl"), &["--step"]);
    assert!(output.status.success(), "{}", errors(&output));
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let typed = "     0.500 s Bo types \" world\" at 5\n             Hello[ world]\n";
    assert!(text.contains(typed), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(last_line(&output), "     1.100 s everybody must have \"Jello world!\" in \"body\"");
}

/// Ten people take turns for a while, on a text that all of them change everywhere.
fn busy() -> Recording {
    let mut random = fastrand::Rng::with_seed(4);
    let (mut txns, mut len) = (Vec::new(), 0);
    for turn in 0..600 {
        let (at, gone) = if len > 40 && turn % 3 == 0 {
            (random.usize(..len - 3), 3)
        } else {
            (random.usize(..=len), 0)
        };
        let comes = if gone > 0 { "" } else { "words " };
        len = len + comes.len() - gone;
        txns.push(format!(r#"{{"agent":{},"patches":[[{at},{gone},"{comes}"]]}}"#, turn % 10));
    }
    let trace = format!(r#"{{"endContent":"","txns":[{}]}}"#, txns.join(","));
    let mut recording = Recording::read(trace.as_bytes()).expect("a trace");
    recording.events.pop();
    recording
}

/// Connections break off in the middle, and the server is killed; whoever comes back brings what
/// the server lacks, and nothing is typed twice.
#[test]
fn nothing_is_lost_whatever_goes_wrong() {
    let recording = busy();
    let all = [Trouble::Drop, Trouble::Delay, Trouble::Reorder, Trouble::Disconnect, Trouble::Kill];
    for seed in 0..3 {
        let replay = Replay::new(&recording).onto_server(env!("CARGO_BIN_EXE_coscribe"));
        let replay = replay.dialects(&Dialect::ALL).faults(&all).seed(seed);
        let outcome = replay.run().expect("a recording that can be played");
        outcome.assert_converged();
        assert_eq!(outcome.acknowledged, 600);
        assert!(outcome.faults.len() == 5 && outcome.faults["kill"] == 1, "{:?}", outcome.faults);
    }
}

/// A server that forgets when it is killed: its database goes before it starts.
#[test]
fn what_a_server_forgets_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let forgetful = directory.path().join("forgetful");
    let script = r#"#!/bin/sh
for word; do
  if [ "$before" = --database ]; then rm -f "$word" "$word"-wal "$word"-shm; fi
  before=$word
done
exec "$COSCRIBE" "$@"
"#;
    let script = script.replace("$COSCRIBE", env!("CARGO_BIN_EXE_coscribe"));
    // Written by another process: a file that this one writes cannot be run while a child that
    // another test has just made still holds it open.
    let written = Command::new("sh")
        .args(["-c", r#"printf %s "$1" > "$0" && chmod +x "$0""#])
        .args([forgetful.to_str().expect("UTF-8"), &script])
        .status();
    assert!(written.expect("a shell").success());
    let recording = busy();
    for dialect in Dialect::ALL {
        let replay = Replay::new(&recording).onto_server(&forgetful).dialects(&[dialect]);
        let outcome = replay.faults(&[Trouble::Kill]).seed(1).run().expect("it can be played");
        assert!(!outcome.converged && !outcome.lost.is_empty());
        assert!(outcome.differences[0].contains("has lost what it had shown"), "{outcome:?}");
    }
}

#[test]
fn only_our_own_server_is_killed() {
    let recording = load("session.jsonl");
    let replay = Replay::new(&recording).onto("ws://127.0.0.1:9").faults(&[Trouble::Kill]);
    let refused = replay.run().expect_err("not ours").to_string();
    assert_eq!(refused, "only a server that the replay has started itself can be killed");
}

#[actix::test]
async fn a_crowd_types_into_one_document() {
    let server = Server::start(|_| {});
    let recording = load("concurrent.json");
    let replay = prepared(&server, &recording, &Dialect::ALL).clients(4);
    let outcome = replay.play().await.expect("it can be played");
    outcome.assert_converged();
    assert_eq!(outcome.clients, 4 * recording.info().people.len());
    assert_eq!(outcome.edits, 4 * recording.edits());
    let editor = Editor::open(&server, support::Dialect::YWebsocket, "replayed").await;
    assert_eq!(editor.text(), outcome.text("body"));
    assert_eq!(outcome.end.text_sha256, None);
}

#[test]
fn a_report_is_what_its_name_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let (json, xml) = (directory.path().join("a.json"), directory.path().join("a.xml"));
    let (json, xml) = (json.to_str().expect("UTF-8"), xml.to_str().expect("UTF-8"));
    let arguments =
        ["--report", json, "--report", xml, "--faults", "drop,disconnect", "--seed", "5"];
    let output = replay(&fixture("session.jsonl"), &arguments);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(last_line(&output).contains(", 1 disconnect, 1 drop, seed 5: converged"));
    let report = std::fs::read(json).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("a report of JSON");
    assert_eq!(report["end"]["text_sha256"], JELLO_WORLD);
    assert_eq!(report["end"]["state_vector"], serde_json::json!({"1": 6, "2": 7}));
    assert_eq!(report["lost"], serde_json::json!([]));
    let xml = std::fs::read_to_string(xml).expect("a report");
    assert!(xml.contains("tests=\"3\" failures=\"0\""), "{xml}");
}

/// Who has a token and shows it may write.
#[actix::test]
async fn a_token_is_shown_in_every_dialect() {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").expect("a file");
    let file = secret.clone();
    let server = Server::start(move |config| config.auth.secret_files = vec![file]);
    let token = Command::new(env!("CARGO_BIN_EXE_coscribe"))
        .args(["token", "--secret-file", secret.to_str().expect("UTF-8")])
        .args(["--level", "write", "--documents", "*", "--expires", "1h"])
        .output()
        .expect("the program runs");
    let token = String::from_utf8(token.stdout).expect("a token");
    let recording = load("session.jsonl");
    let replay = prepared(&server, &recording, &Dialect::ALL);
    let refused = replay.clone().play().await.expect("it can be played");
    assert!(!refused.converged);
    let outcome = replay.token(token.trim()).play().await.expect("it can be played");
    outcome.assert_converged();
}

/// Real sessions of real people, where they have been fetched.
#[actix::test]
async fn public_traces_are_replayed() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/editing-traces");
    let folder = std::env::var_os("EDITING_TRACES").map_or(beside, PathBuf::from);
    if !folder.exists() {
        eprintln!("skipped: there are no traces in {}", folder.display());
        return;
    }
    for name in ["sveltecomponent.json.gz", "friendsforever.json.gz"] {
        let server = Server::start(|_| {});
        let recording = Recording::load(folder.join(name)).expect("a trace");
        let outcome = onto(&server, &recording, &Dialect::ALL).await;
        assert_eq!(outcome.differences, Vec::<String>::new(), "{name}");
        assert_eq!(outcome.acknowledged, outcome.edits);
    }
}
