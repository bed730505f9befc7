//! Recordings played onto the server: from the command line, and from Rust.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coscribe::config::Anonymous;
use coscribe::recording::{self, Dialect, Options, Outcome, Recording, Speed};
use serde_json::Value;

use super::support::{self, Editor, Server};

const FIXTURES: [&str; 5] = [
    "session.jsonl",
    "session.jsonl.gz",
    "session.jsonl.zst",
    "sequential.json",
    "concurrent.json",
];

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

fn options(dialects: &[Dialect]) -> Options {
    let document = "replayed".into();
    Options { dialects: dialects.to_vec(), speed: Speed::Max, seed: 3, document }
}

async fn onto(server: &Server, recording: &Recording, options: &Options) -> Outcome {
    let url = server.url("ws", "");
    let played = recording::onto(recording, &url, options, &|_| {}).await;
    played.expect("a recording that can be played")
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
        let outcome = onto(&server, &load("session.jsonl"), &options(&[dialect])).await;
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
    let outcome = onto(&server, &recording, &options(&Dialect::ALL)).await;
    assert_eq!(outcome.differences, Vec::<String>::new());
    assert_eq!(outcome.clients, 3);
}

#[actix::test]
async fn real_time_takes_its_time() {
    let server = Server::start(|_| {});
    let recording = load("session.jsonl");
    let options = Options { speed: Speed::Times(10.0), ..options(&[Dialect::Hocuspocus]) };
    let outcome = onto(&server, &recording, &options).await;
    assert_eq!(outcome.differences, Vec::<String>::new());
    // The last thing that anybody does in it comes after a second.
    assert!(outcome.seconds >= 0.1, "{}", outcome.seconds);
}

#[actix::test]
async fn a_server_that_takes_no_edits_is_told_on() {
    let server = Server::start(|config| config.anonymous = Anonymous::Read);
    for dialect in Dialect::ALL {
        let outcome = onto(&server, &load("concurrent.json"), &options(&[dialect])).await;
        assert!(!outcome.converged);
        assert!(outcome.differences[0].contains("sav"), "{:?}", outcome.differences);
    }
    let server = Server::start(|config| config.anonymous = Anonymous::None);
    for dialect in Dialect::ALL {
        let outcome = onto(&server, &load("concurrent.json"), &options(&[dialect])).await;
        assert!(!outcome.converged, "{:?}", outcome.differences);
    }
}

/// What is in the document already is in nobody's recording.
#[actix::test]
async fn a_document_that_is_not_empty_is_noticed() {
    let server = Server::start(|_| {});
    let mut editor = Editor::open(&server, support::Dialect::Hocuspocus, "replayed").await;
    editor.save_text("mine").await;
    let outcome = onto(&server, &load("session.jsonl"), &options(&[Dialect::YWebsocket])).await;
    assert!(outcome.differences[0].contains("not in the recording"), "{:?}", outcome.differences);
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
        let outcome = onto(&server, &recording, &options(&Dialect::ALL)).await;
        assert_eq!(outcome.differences, Vec::<String>::new(), "{name}");
        assert_eq!(outcome.acknowledged, outcome.edits);
    }
}
