//! Files of recordings: made of other files, looked at, cleared of words.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coscribe::recording::{Expected, Recording, Replay, What};
use serde_json::Value;

use super::support::Server;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings").join(name)
}

fn recording(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
    program.arg("recording").args(arguments).output().expect("the program runs")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

/// What it must end with.
fn end(recording: &Recording) -> &str {
    match recording.events.last().map(|event| &event.what) {
        Some(What::End { expected: Expected::Text(text), .. }) => text,
        other => panic!("no end: {other:?}"),
    }
}

#[test]
fn whatever_is_imported_is_the_same_recording_under_every_ending() {
    let directory = tempfile::tempdir().expect("a directory");
    let update = directory.path().join("state.bin");
    std::fs::write(&update, b"\x01\x01\x01\0\x04\x01\x04body\x05Hello\0").expect("a file");
    for from in [fixture("concurrent.json"), fixture("session.jsonl.gz"), update] {
        let imported = recording(&["import", path(&from)]);
        assert!(imported.status.success(), "{imported:?}");
        let whole = Recording::read(&*imported.stdout).expect("a recording");
        Replay::new(&whole).run().expect("it can be played").assert_converged();
        for (name, first) in [("a.jsonl", b'{'), ("a.jsonl.gz", 0x1f), ("a.jsonl.zst", 0x28)] {
            let out = directory.path().join(name);
            let imported = recording(&["import", path(&from), "--out", path(&out)]);
            assert!(imported.status.success(), "{imported:?}");
            assert_eq!(Recording::load(&out).expect("a recording"), whole, "{name}");
            assert_eq!(std::fs::read(&out).expect("a file")[0], first, "{name}");
        }
    }
}

#[test]
fn an_update_is_typed_by_one_connection() {
    let update = b"\x01\x01\x01\0\x04\x01\x04body\x05Hello\0";
    let recording = Recording::read(&update[..]).expect("an update");
    assert_eq!((recording.edits(), end(&recording)), (1, "Hello"));
}

#[test]
fn a_scrambled_session_is_the_same_session_with_other_words() {
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("scrambled.jsonl");
    for name in ["session.jsonl", "sequential.json", "concurrent.json"] {
        let original = Recording::load(fixture(name)).expect("a recording");
        let file = fixture(name);
        let arguments = ["scramble", path(&file), "--out", path(&out), "--seed", "5"];
        let done = recording(&arguments);
        assert!(done.status.success(), "{done:?}");
        let scrambled = Recording::load(&out).expect("a recording");
        Replay::new(&scrambled).run().expect("it can be played").assert_converged();
        assert_eq!(original.events.len(), scrambled.events.len());
        let (was, is) = (end(&original), end(&scrambled));
        assert_eq!(was.encode_utf16().count(), is.encode_utf16().count());
        let text = std::fs::read_to_string(&out).expect("a file");
        for word in was.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3) {
            assert!(!text.contains(word), "{word} is still in {text}");
        }
        assert!(!text.contains("Ann"), "{text}");
        recording(&arguments);
        assert_eq!(std::fs::read_to_string(&out).expect("a file"), text, "one seed, two results");
    }
}

/// Scrambled, a recording that fails would be one that does not.
#[test]
fn a_session_that_fails_by_its_own_words_is_not_scrambled() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("wrong.jsonl");
    let text = std::fs::read_to_string(fixture("session.jsonl")).expect("a fixture");
    std::fs::write(&file, text.replace("Jello world!", "Hello world!")).expect("a file");
    let refused = recording(&["scramble", path(&file), "--out", path(&directory.path().join("x"))]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("does not make the text that it must end with"), "{said}");
}

#[test]
fn a_recording_is_summed_up() {
    let said = recording(&["info", path(&fixture("session.jsonl"))]);
    let said = String::from_utf8(said.stdout).expect("UTF-8");
    assert!(said.contains("  2 Bo: 2 edits from 20ms to 900ms, joined 2, dropped 1\n"), "{said}");
    let said = recording(&["info", path(&fixture("session.jsonl")), "--json"]);
    let info: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!((&info["edits"], &info["duration_ms"]), (&5.into(), &1100.into()));
    assert_eq!(info["people"]["1"]["name"], "Ann");
    let none = recording(&["info", path(&fixture("README.md"))]);
    assert_eq!(none.status.code(), Some(1));
}

/// What `docs/recording.md` tells people to type.
#[actix::test]
async fn the_commands_in_the_guide_work() {
    let server = Server::start(|_| {});
    let directory = tempfile::tempdir().expect("a directory");
    for (name, to) in [("session.jsonl", "session.jsonl"), ("concurrent.json", "trace.json.gz")] {
        std::fs::copy(fixture(name), directory.path().join(to)).expect("a fixture");
    }
    let update = b"\x01\x01\x01\0\x04\x01\x04body\x05Hello\0";
    std::fs::write(directory.path().join("state.bin"), update).expect("a file");
    let guide = include_str!("../../docs/recording.md");
    let blocks = guide.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let command = command.replace("ws://localhost:1234", &server.url("ws", ""));
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("coscribe"), "{command}");
        let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
        program.args(words).current_dir(directory.path());
        let output = actix_web::rt::task::spawn_blocking(move || program.output()).await;
        let output = output.expect("a thread").expect("the program runs");
        assert!(output.status.success(), "{command}: {output:?}");
    }
}
