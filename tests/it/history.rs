//! The past of a document, over HTTP.

use coscribe::recording::{self, Recording};
use serde_json::{Value, json};

use super::support::{Answer, Dialect, Editor, Server};

async fn get(server: &Server, path: &str) -> Answer {
    let answer = server.get(&format!("/api/v1/documents/plan/{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text_lossy());
    answer
}

async fn post(server: &Server, path: &str, body: Value) -> Value {
    let path = format!("/api/v1/documents/plan/{path}");
    let answer = server.ask("POST", &path, "", body.to_string()).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text_lossy());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Ann writes three words, Bo one.
async fn written(server: &Server) -> (Editor, Editor) {
    let mut ann = Editor::open(server, Dialect::YWebsocket, "plan").await;
    for word in ["one ", "two ", "three "] {
        ann.save_text(word).await;
    }
    let mut bo = Editor::open(server, Dialect::Hocuspocus, "plan").await;
    bo.save_text("four").await;
    ann.until_text("one two three four").await;
    (ann, bo)
}

#[actix::test]
async fn every_moment_can_be_read() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let texts = ["", "one ", "one two ", "one two three ", "one two three four"];
    for (seq, text) in texts.iter().enumerate() {
        let answer = get(&server, &format!("content?seq={seq}")).await;
        assert_eq!((answer.text(), answer.header("coscribe-seq")), (*text, &*seq.to_string()));
    }
    let now = get(&server, "content?format=text").await;
    assert_eq!(now.text(), texts[4]);
    assert_eq!(get(&server, "content?at=2000-01-01T00:00:00Z").await.text(), "");
    assert_eq!(get(&server, "content?at=2100-01-01T00:00:00Z").await.text(), texts[4]);
    let path = "/api/v1/documents/plan/content";
    let known = [("if-none-match", now.header("etag"))];
    assert_eq!(server.request("GET", path, &known).await.status, 304);
    let other = [("if-none-match", "\"other\"")];
    assert_eq!(server.request("GET", path, &other).await.status, 200);
    for (query, status) in
        [("seq=5", 404), ("seq=x", 400), ("at=soon", 400), ("seq=1&at=1", 400), ("nope=1", 400)]
    {
        let answer = server.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text_lossy());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{query}");
    }
    assert_eq!(server.get("/api/v1/documents/absent/content").await.status, 404);
    assert!(get(&server, "content?format=update&seq=2").await.text_lossy().contains("one two "));
}

#[actix::test]
async fn what_changed_and_who_wrote_it_can_be_read() {
    let server = Server::start(|_| {});
    let (mut ann, _bo) = written(&server).await;
    let gone = ann.change(|text, change| yrs::Text::remove_range(text, change, 4, 4));
    ann.send_change(&gone).await;
    ann.until_text("one three four").await;
    ann.settle().await;
    let changes = get(&server, "changes?from=3").await.json();
    let pieces = changes["changes"].as_array().expect("a list").iter();
    let kinds = pieces.map(|each| (each["kind"].as_str(), each["text"].as_str()));
    let kinds: Vec<_> = kinds.collect();
    let expected =
        [("kept", "one "), ("deleted", "two "), ("kept", "three "), ("inserted", "four")];
    assert_eq!(kinds, expected.map(|(kind, text)| (Some(kind), Some(text))));
    let authors = get(&server, "authors").await.json();
    let spans = authors["spans"].as_array().expect("a list");
    assert_eq!(spans[0]["text"], "one three ");
    assert_eq!(spans[1]["text"], "four");
    assert_ne!(spans[0]["connection"], spans[1]["connection"]);
}

#[actix::test]
async fn the_log_is_handed_out_as_a_recording() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    for (query, edits) in [("", 4), ("?from=2", 3), ("?from=2&to=3", 2)] {
        let answer = get(&server, &format!("recording{query}")).await;
        let recording = Recording::read(answer.body.as_ref()).expect("a recording");
        assert_eq!(recording.edits(), edits, "{query}");
        assert_eq!(recording.header.start.is_some(), !query.is_empty());
        let outcome = recording::bare(&recording).expect("it can be played");
        assert!(outcome.converged, "{query}: {:?}", outcome.differences);
    }
}
