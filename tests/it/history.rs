//! The past of a document, over HTTP.

use coscribe::config::Anonymous;
use coscribe::recording::{Recording, Replay};
use serde_json::{Value, json};

use super::support::{self, Answer, Dialect, Editor, Server};

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
        let outcome = Replay::new(&recording).bare().run().expect("it can be played");
        assert!(outcome.converged, "{query}: {:?}", outcome.differences);
    }
}

#[actix::test]
async fn a_moment_gets_a_name_and_comes_back_while_people_type() {
    let server = Server::start(|_| {});
    let (mut ann, mut bo) = written(&server).await;
    let named = post(&server, "versions", json!({ "name": "two words", "seq": 2 })).await;
    assert_eq!((named["seq"].as_u64(), named["kind"].as_str()), (Some(2), Some("named")));
    let id = named["id"].as_str().expect("an id").to_owned();
    assert_eq!(get(&server, &format!("content?version={id}")).await.text(), "one two ");
    // Bo has typed something that the server does not know yet.
    let meanwhile = bo.change_text("!");
    let restored = post(&server, "restore", json!({ "version": id })).await;
    assert_eq!((&restored["changed"], &restored["restored"]), (&json!(true), &json!(2)));
    bo.send_change(&meanwhile).await;
    ann.until_text("one two !").await;
    bo.until_text("one two !").await;
    let again = post(&server, "restore", json!({ "version": id })).await;
    assert_eq!(again["changed"], true, "Bo's letter is not in it");
    ann.until_text("one two ").await;
    let same = post(&server, "restore", json!({ "version": id })).await;
    assert_eq!(same, json!({ "changed": false }));
    let before = &restored["before"];
    assert_eq!((before["kind"].as_str(), before["seq"].as_u64()), (Some("restore"), Some(4)));
    let list = get(&server, "versions?limit=2").await.json();
    let seqs: Vec<_> = list["versions"].as_array().expect("a list").iter().collect();
    assert_eq!(seqs.len(), 2, "{list}");
    let next = list["next"].as_str().expect("there is one more");
    let rest = get(&server, &format!("versions?cursor={next}")).await.json();
    assert_eq!((&rest["versions"][0]["id"], &rest["next"]), (&json!(id), &Value::Null));
    let path = format!("/api/v1/documents/plan/versions/{id}");
    let renamed = server.ask("PATCH", &path, "", r#"{"name":"the first two"}"#).await;
    assert_eq!(renamed.json()["name"], "the first two");
    assert_eq!(server.ask("DELETE", &path, "", "").await.status, 204);
    assert_eq!(server.ask("DELETE", &path, "", "").await.status, 404);
    assert_eq!(get(&server, "content?seq=4").await.text(), "one two three four", "nothing is gone");
}

#[actix::test]
async fn any_moment_can_begin_a_new_document() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let copied = post(&server, "copy", json!({ "to": "plan/b", "seq": 2 })).await;
    assert_eq!(copied, json!({ "document": "plan/b", "seq": 2 }));
    let mut copy = Editor::open(&server, Dialect::YWebsocket, "plan/b").await;
    assert_eq!(copy.text(), "one two ");
    copy.save_text("only here").await;
    assert_eq!(get(&server, "content").await.text(), "one two three four");
    let path = "/api/v1/documents/plan/copy";
    let again = server.ask("POST", path, "", r#"{"to":"plan/b"}"#).await;
    assert_eq!(again.status, 409, "{}", again.text_lossy());
}

#[actix::test]
async fn a_session_leaves_a_version_behind() {
    let server = Server::start(|config| config.timing.idle_timeout_ms = 1);
    drop(written(&server).await);
    server.until_metric("documents_loaded", |loaded| loaded == 0.0).await;
    let list = support::patiently("the version", async {
        loop {
            let list = get(&server, "versions").await.json();
            if list["versions"].as_array().is_some_and(|versions| !versions.is_empty()) {
                return list;
            }
        }
    });
    let list = list.await;
    let version = &list["versions"][0];
    assert_eq!((version["kind"].as_str(), version["seq"].as_u64()), (Some("session"), Some(4)));
}

#[actix::test]
async fn readers_see_what_is_there_and_not_what_was() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let home = server.stop();
    let server = Server::start_at(home, |config| config.anonymous = Anonymous::Read);
    assert_eq!(get(&server, "content").await.text(), "one two three four");
    for path in ["content?seq=1", "changes", "authors", "versions", "recording", "recording/live"] {
        let answer = server.get(&format!("/api/v1/documents/plan/{path}")).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    for path in ["restore", "copy", "versions"] {
        let path = format!("/api/v1/documents/plan/{path}");
        assert_eq!(server.ask("POST", &path, "", "{}").await.status, 403, "{path}");
    }
}
