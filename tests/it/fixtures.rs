//! The recorded frames of stock clients, and of this server, are read as what they say they are.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use coscribe::crdt::lint::{Span, Summary};
use coscribe::crdt::{LintLimits, Linted};
use coscribe::wire::{self, Message, Text};
use serde_json::{Value, json};
use yrs::StateVector;
use yrs::updates::decoder::Decode;

use crate::support::Dialect;
use crate::support::wire::{Said, read};

#[test]
fn frames_of_stock_clients_decode_to_what_they_say() {
    let mut seen = 0;
    for frame in frames("to_server") {
        let bytes = unhex(&frame["hex"]);
        let (address, message) = match dialect(&frame) {
            Dialect::YWebsocket => (None, wire::y_websocket::decode(bytes)),
            Dialect::YSweet => (None, wire::y_sweet::decode(bytes)),
            Dialect::Hocuspocus => {
                let frame = wire::hocuspocus::decode(bytes).expect("a readable address");
                (Some(frame.address), frame.message)
            }
        };
        let message = message.unwrap_or_else(|e| panic!("{e}: {frame}"));
        assert_eq!(
            with_address(address.as_ref(), of_message(&message)),
            joined(frame["decoded"].clone()),
            "{frame}"
        );
        seen += 1;
    }
    assert!(seen > 20, "only {seen} recorded frames were found");
}

#[test]
fn frames_of_this_server_decode_to_what_they_say() {
    let mut seen = 0;
    for frame in frames("to_client") {
        let dialect = dialect(&frame);
        let (address, said) = read(dialect, &unhex(&frame["hex"]));
        let address = (dialect == Dialect::Hocuspocus).then(|| Text::from(address));
        assert_eq!(
            with_address(address.as_ref(), of_reply(&said)),
            joined(frame["decoded"].clone()),
            "{frame}"
        );
        seen += 1;
    }
    assert!(seen > 10, "only {seen} recorded frames were found");
}

fn of_message(message: &Message) -> Value {
    match message {
        Message::SyncStep1 { state_vector } => step_1(state_vector),
        Message::SyncStep2 { update } => changes("sync step 2", update),
        Message::Update { update } => changes("sync update", update),
        Message::Awareness { body } => {
            let entries =
                coscribe::wire::awareness::decode(body.clone()).expect("an awareness body");
            let entries = entries.iter().map(|e| (e.client, e.clock, e.state.as_str()));
            awareness(entries)
        }
        Message::QueryAwareness => json!({ "message": "query awareness" }),
        Message::Token { token, version } => {
            let mut said = json!({ "message": "auth token", "token": token.as_str() });
            if let Some(version) = version {
                said["version"] = version.as_str().into();
            }
            said
        }
        Message::Stateless { payload } => {
            json!({ "message": "stateless", "text": payload.as_str() })
        }
        Message::Close => json!({ "message": "close" }),
        Message::Checkpoint { .. } => json!({ "message": "checkpoint" }),
    }
}

fn of_reply(said: &Said) -> Value {
    match said {
        Said::Step1(state_vector) => step_1(state_vector),
        Said::Step2(update) => changes("sync step 2", update),
        Said::Update(update) => changes("sync update", update),
        Said::Awareness(entries) => awareness(
            entries.iter().map(|(client, clock, state)| (*client, *clock, state.as_str())),
        ),
        Said::Denied(reason) => json!({ "message": "auth permission denied", "reason": reason }),
        Said::Authenticated(scope) => json!({ "message": "auth authenticated", "scope": scope }),
        Said::Stateless(text) => json!({ "message": "stateless", "text": text }),
        Said::Closed(reason) => json!({ "message": "close", "reason": reason }),
        Said::QueryAwareness => json!({ "message": "query awareness" }),
        Said::TokenWanted => json!({ "message": "auth token wanted" }),
        Said::Checkpoint(_) => json!({ "message": "checkpoint" }),
        Said::Status(status) => json!({ "message": "sync status", "status": status }),
    }
}

fn step_1(state_vector: &[u8]) -> Value {
    let vector = StateVector::decode_v1(state_vector).expect("a state vector");
    let clocks: serde_json::Map<String, Value> =
        vector.iter().map(|(client, clock)| (client.to_string(), (*clock).into())).collect();
    json!({ "message": "sync step 1", "state_vector": clocks })
}

fn changes(message: &str, update: &Bytes) -> Value {
    let linted = Linted::new(update.clone(), &LintLimits::default()).expect("an honest update");
    let ranges = |spans: &[Span]| -> Value {
        spans.iter().map(|span| json!([span.client, span.start, span.end - span.start])).collect()
    };
    let Summary { inserts, deletes, .. } = &linted.summary;
    json!({ "message": message, "inserts": ranges(inserts), "deletes": ranges(deletes) })
}

/// Joins ranges that follow each other: the recordings list each item, the lint what they cover.
fn joined(mut decoded: Value) -> Value {
    for key in ["inserts", "deletes"] {
        let Some(Value::Array(ranges)) = decoded.get_mut(key) else { continue };
        let mut covered: Vec<[u64; 3]> = Vec::new();
        for range in ranges.drain(..) {
            let range: [u64; 3] = serde_json::from_value(range).expect("three numbers");
            match covered.last_mut() {
                Some(last) if last[0] == range[0] && last[1] + last[2] == range[1] => {
                    last[2] += range[2];
                }
                _ => covered.push(range),
            }
        }
        *ranges = covered.into_iter().map(|range| json!(range)).collect();
    }
    decoded
}

fn awareness<'a>(entries: impl Iterator<Item = (u64, u64, &'a str)>) -> Value {
    let entries: Value = entries
        .map(|(client, clock, state)| {
            let state: Value = serde_json::from_str(state).expect("a state is JSON");
            json!({ "client": client, "clock": clock, "state": state })
        })
        .collect();
    json!({ "message": "awareness", "entries": entries })
}

fn with_address(address: Option<&Text>, mut said: Value) -> Value {
    if let Some(address) = address {
        said["address"] = address.as_str().into();
    }
    said
}

fn dialect(frame: &Value) -> Dialect {
    match frame["dialect"].as_str() {
        Some("y-websocket") => Dialect::YWebsocket,
        Some("hocuspocus") => Dialect::Hocuspocus,
        other => panic!("unknown dialect {other:?}"),
    }
}

fn frames(direction: &str) -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = std::fs::read_dir(directory).expect("the folder of recorded frames");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    paths.sort();
    let all = paths.iter().flat_map(|path| {
        let text = std::fs::read_to_string(path).expect("a readable file");
        serde_json::from_str::<Vec<Value>>(&text).expect("a list of frames")
    });
    all.filter(|frame| frame["direction"] == direction).collect()
}

fn unhex(hex: &Value) -> Bytes {
    let hex = hex.as_str().expect("hex digits");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}
