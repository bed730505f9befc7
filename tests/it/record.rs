//! Sessions of a running server, recorded and played again.

use std::io::Read as _;

use actix_web::error::PayloadError;
use bytes::Bytes;
use coscribe::access::Level;
use coscribe::crdt::Replica;
use coscribe::recording::{Recording, Replay, What};
use futures_util::{Stream, StreamExt as _};

use super::support::{Dialect, Editor, Office, Server, patiently};

/// A recording on its way: the lines that have come.
struct Listening<S> {
    lines: S,
    text: String,
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Listening<S> {
    async fn until(&mut self, enough: impl Fn(&str) -> bool) {
        while !enough(&self.text) {
            let piece = patiently("an event", self.lines.next()).await;
            let piece = piece.expect("more").expect("whole");
            self.text += std::str::from_utf8(&piece).expect("lines of UTF-8");
        }
    }
}

/// Begins to record; the header has come.
async fn listen(
    server: &Server,
    document: &str,
) -> Listening<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>> {
    let url = server.url("http", &format!("/api/v1/documents/{document}/recording/live"));
    let lines = awc::Client::new().get(url).send().await.expect("a recording");
    assert_eq!(lines.status(), 200);
    let mut listening = Listening { lines, text: String::new() };
    listening.until(|text| text.contains('\n')).await;
    listening
}

fn count(text: &str, kind: &str) -> usize {
    text.matches(&format!("\"kind\":\"{kind}\"")).count()
}

#[actix::test]
async fn a_session_is_recorded_live_and_played_again() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "minutes").await;
    ann.save_text("before, ").await;
    let mut listening = listen(&server, "minutes").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "minutes").await;
    bo.show(1, r#"{"user":{"name":"Bo"}}"#).await;
    for _ in 0..20 {
        bo.save_text("b").await;
        ann.until_text(&bo.text()).await;
        ann.save_text("a").await;
        bo.until_text(&ann.text()).await;
    }
    drop(bo);
    listening.until(|text| count(text, "leave") > 0).await;
    let text = listening.text;
    let recording = Recording::read(text.as_bytes()).expect("a recording");
    assert!(recording.header.start.is_some(), "what was there before belongs to it");
    assert_eq!((recording.edits(), count(&text, "join"), count(&text, "awareness")), (40, 2, 1));
    let last = recording.events.last().expect("events");
    assert!(matches!(last.what, What::Leave { .. }), "Bo has gone last: {last:?}");
    let outcome = Replay::new(&recording).bare().run().expect("a recording that can be played");
    assert!(outcome.converged, "{:?}", outcome.differences);
    let played = recording.events.iter().filter_map(|event| match &event.what {
        What::Update { update, .. } => Some(update.clone()),
        _ => None,
    });
    let updates: Vec<_> = recording.header.start.clone().into_iter().chain(played).collect();
    let replica = Replica::restore(None, &updates).expect("updates");
    assert_eq!(replica.text("body"), ann.text());
}

#[actix::test]
async fn a_document_that_is_recorded_stays_and_is_let_go_afterwards() {
    let server = Server::start(|config| config.timing.idle_timeout_ms = 1);
    {
        let listening = listen(&server, "empty").await;
        assert!(listening.text.contains("\"version\":1"), "{}", listening.text);
        assert_eq!(server.metric("documents_loaded").await, 1.0);
    }
    server.until_metric("documents_loaded", |loaded| loaded == 0.0).await;
}

#[actix::test]
async fn a_recording_ends_with_the_right_to_make_it() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("root", "*", Level::Admin);
    let token = server.home().file("token");
    std::fs::write(&token, office.token("ann", "*", Level::Write)).expect("a file");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_coscribe"))
        .args(["record", "minutes", "--server", &server.url("http", "")])
        .arg("--token-file")
        .arg(&token)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut header = [0];
    let lines = program.stdout.as_mut().expect("a pipe");
    lines.read_exact(&mut header).expect("the recording has begun");
    let revoked = server.ask("POST", "/api/v1/revocations", &admin, r#"{"subject":"ann"}"#).await;
    assert_eq!(revoked.status, 201);
    let output = program.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the server has ended the recording"), "{said}");
}

#[actix::test]
async fn the_program_records_into_a_packed_file() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "a/b").await;
    ann.save_text("hello").await;
    let out = server.home().file("session.jsonl.gz");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_coscribe"))
        .args(["record", "a/b", "--for", "100ms", "--server", &server.url("http", "")])
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packed = Vec::new();
    std::fs::File::open(&out).expect("a file").read_to_end(&mut packed).expect("bytes");
    assert_eq!(packed[..2], [0x1f, 0x8b]);
    let recording = Recording::load(&out).expect("a recording");
    assert_eq!((recording.header.document.as_str(), recording.edits()), ("a/b", 0));
}
