//! Reading and writing recordings.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

const SESSION: &str = include_str!("../../tests/fixtures/recordings/session.jsonl");
const SCHEMA: &str = include_str!("../../docs/recording.schema.json");

fn bare(recording: &Recording) -> Result<Outcome, ReplayError> {
    Replay::new(recording).run()
}

fn read(text: &str) -> Result<Recording, LoadError> {
    Recording::read(text.as_bytes())
}

#[test]
fn a_recording_is_written_as_it_was_read() {
    let recording = read(SESSION).expect("a recording");
    assert_eq!(recording.header.document, "greeting");
    assert_eq!((recording.events.len(), recording.edits()), (12, 5));
    let mut written = Vec::new();
    recording.write(&mut written).expect("room in memory");
    assert_eq!(String::from_utf8(written).expect("JSON is UTF-8"), SESSION);
}

#[test]
fn a_start_comes_back_as_it_went() {
    let mut recording = read(SESSION).expect("a recording");
    recording.header.start = Some(vec![0, 0].into());
    let mut written = Vec::new();
    recording.write(&mut written).expect("room in memory");
    assert_eq!(Recording::read(&*written).expect("a recording"), recording);
}

#[test]
fn packed_recordings_are_unpacked() {
    let plain = read(SESSION).expect("a recording");
    let gzip = include_bytes!("../../tests/fixtures/recordings/session.jsonl.gz");
    let zstd = include_bytes!("../../tests/fixtures/recordings/session.jsonl.zst");
    for packed in [&gzip[..], zstd] {
        assert_eq!(Recording::read(packed).expect("a recording"), plain);
        assert!(matches!(Recording::read(&packed[..packed.len() / 2]), Err(LoadError::Io(_))));
    }
}

#[test]
fn what_is_no_recording_says_why() {
    let header = json!({"format": FORMAT, "version": VERSION, "document": "d"}).to_string();
    let join = r#"{"t":5,"kind":"join","connection":1}"#;
    for (lines, why) in [
        (vec![join, join], "line 3: connection 1 joins and is here already"),
        (vec![r#"{"t":5,"kind":"leave","connection":1}"#], "line 2: connection 1 goes and is not"),
        (
            vec![r#"{"t":5,"kind":"fault","connection":1,"fault":"drop"}"#],
            "line 2: connection 1 goes and is not here",
        ),
        (
            vec![r#"{"t":5,"kind":"update","connection":1,"update":"AAA="}"#],
            "line 2: connection 1 has not joined",
        ),
        (vec![join, "", r#"{"t":4,"kind":"leave","connection":1}"#], "line 4: t goes back from 5"),
        (
            vec![r#"{"t":0,"kind":"end","root":"r","text":""}"#, join],
            "line 3: something comes after the end",
        ),
        (vec![r#"{"t":0,"kind":"jump","connection":1}"#], "line 2: unknown variant `jump`"),
        (vec![join, r#"{"t":5,"kind":"update","connection":1,"update":"?"}"#], "line 3: Invalid"),
        (vec!["{"], "line 2: EOF"),
    ] {
        let said = read(&format!("{header}\n{}", lines.join("\n"))).expect_err("no recording");
        assert!(said.to_string().starts_with(why), "{said}");
    }
    let newer = header.replace("\"version\":1", "\"version\":2");
    assert!(matches!(read(&newer), Err(LoadError::Newer { got: 2 })));
    for other in ["", "{}", "[]", "some text"] {
        assert!(matches!(read(other), Err(LoadError::Unknown(_))), "{other}");
    }
}

#[test]
fn what_was_never_recorded_cannot_be_played() {
    let lines: Vec<&str> = SESSION.lines().collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != left_out);
        read(&kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")).expect("a recording")
    };
    // Without its first text, everything that was typed later hangs in the air.
    let failed = bare(&without(3)).expect_err("a hole").to_string();
    assert_eq!(failed, "event 4: it builds on something that is not in the recording");
    let outcome = bare(&without(5)).expect_err("a hole in one client's clocks");
    assert!(outcome.to_string().starts_with("event 9: "), "{outcome}");
}

#[test]
fn a_bare_document_is_compared_with_the_recorded_end() {
    let said = |end: Value| {
        let mut recording = read(SESSION).expect("a recording");
        let end = serde_json::from_value(end).expect("an end");
        *recording.events.last_mut().expect("events") = end;
        bare(&recording).expect("it can be played").differences
    };
    let end = |expected: Value| {
        let mut end = json!({"t": 1100, "kind": "end", "root": "body"});
        end.as_object_mut().expect("an object").extend(expected.as_object().expect("one").clone());
        end
    };
    let hash = "36c3dd8d86fd0bbb0aea17d3a3a2b9b8cf2c7bd3ff2a9a07e1a2a1bd9c1bd9a0";
    assert_eq!(said(end(json!({"text": "Jello world!"}))), Vec::<String>::new());
    let wrong = said(end(json!({"text": "Jello World!"})));
    assert!(wrong[0].ends_with("character 6 on: \"world!\" instead of \"World!\""), "{wrong:?}");
    let wrong = said(end(json!({ "sha256": hash })));
    assert!(wrong[0].ends_with(&format!("instead of {hash}")), "{wrong:?}");
    let right = wrong[0].split(' ').nth(5).expect("the hash of what is there").to_owned();
    assert_eq!(said(end(json!({ "sha256": right }))), Vec::<String>::new());
}

/// What the schema allows in a line is what is written.
#[test]
fn the_schema_names_every_kind_and_every_field() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut recording = read(SESSION).expect("a recording");
    recording.header.start = Some(vec![0, 0].into());
    let hashed = What::End { root: "body".into(), expected: Expected::Sha256(String::new()) };
    recording.events.push(Event { t: 0, what: hashed });
    recording.events.push(Event { t: 0, what: What::Leave { connection: 1 } });
    let mut written = Vec::new();
    recording.write(&mut written).expect("room in memory");
    let written = String::from_utf8(written).expect("JSON is UTF-8");
    let mut seen = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
    for line in written.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let kind = line["kind"].as_str().unwrap_or("header").to_owned();
        let keys = line.as_object().expect("a line is an object").keys().cloned();
        seen.entry(kind).or_default().extend(keys);
    }
    let defs = schema["$defs"].as_object().expect("definitions");
    assert_eq!(seen.keys().collect::<Vec<_>>(), defs.keys().collect::<Vec<_>>());
    for (kind, keys) in &seen {
        let known = defs[kind]["properties"].as_object().expect("properties");
        assert_eq!(keys, &known.keys().cloned().collect::<BTreeSet<_>>(), "{kind}");
    }
}
