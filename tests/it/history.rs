//! The past of a document, over HTTP.

use std::process::Command;

use coscribe::access::Level;
use coscribe::config::Anonymous;
use coscribe::recording::{Recording, Replay};
use serde_json::{Value, json};

use super::support::{self, Answer, Database, Dialect, Editor, Home, Office, Server};

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

/// What the program prints about a database that nobody serves.
fn program(home: &Home, arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
    let output = program.args(arguments).arg("--database").arg(home.database()).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output of UTF-8")
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
    let page = [("origin", "http://localhost:3000")];
    let exposed = server.request("GET", path, &page).await;
    assert!(exposed.header("access-control-expose-headers").contains("coscribe-seq"));
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

#[actix::test]
async fn the_timeline_shows_who_was_at_it() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let shown = get(&server, "history").await.json();
    let bursts = shown["bursts"].as_array().expect("a list");
    let told: Vec<_> =
        bursts.iter().map(|each| (each["first"].as_u64(), each["edits"].as_u64())).collect();
    assert_eq!(told, [(Some(4), Some(1)), (Some(1), Some(3))], "newest first: {shown}");
    assert_eq!((&bursts[0]["inserted"], &shown["next"]), (&json!(4), &Value::Null));
    let page = get(&server, "history?limit=1").await.json();
    let rest = get(&server, &format!("history?cursor={}", page["next"])).await.json();
    assert_eq!(rest["bursts"][0], bursts[1]);
}

#[actix::test]
async fn a_moment_can_be_read_as_json() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let json = get(&server, "content?format=json&seq=2").await.json();
    assert_eq!(json, json!({ "body": "one two " }));
    let body = get(&server, "content?format=json&root=body").await.json();
    assert_eq!(body, "one two three four");
}

#[actix::test]
async fn what_one_author_did_is_taken_back() {
    let server = Server::start(|_| {});
    let (mut ann, mut bo) = written(&server).await;
    let shown = get(&server, "history").await.json();
    let anns = shown["bursts"][1]["connection"].as_u64().expect("a connection");
    let wish = json!({ "connection": anns, "from": "2", "to": "2", "dry_run": true });
    let dry = post(&server, "revert", wish.clone()).await;
    assert_eq!((&dry["removed_characters"], &dry["before"]), (&json!(4), &Value::Null));
    assert_eq!(get(&server, "content").await.text(), "one two three four");
    let mut wet = wish;
    wet["dry_run"] = false.into();
    let done = post(&server, "revert", wet).await;
    assert_eq!(done["before"]["seq"], 4);
    ann.until_text("one three four").await;
    bo.until_text("one three four").await;
}

#[actix::test]
async fn packed_history_is_read_as_before_and_a_thinned_one_at_its_ends() {
    let server = Server::start(|config| config.limits.snapshot_rows = 10);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "plan").await;
    for number in 1..=60 {
        ann.save_text(&format!("{number} ")).await;
    }
    let then = get(&server, "content?seq=20").await.text().to_owned();
    drop(ann);
    let home = server.stop();
    let packed = program(&home, &["compact"]);
    let count: u64 = packed.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
    assert!(count >= 20, "{packed}");
    assert!(program(&home, &["fsck"]).starts_with("sound: 1 documents, 60 updates"));
    let server = Server::start_at(home, |_| {});
    assert_eq!(get(&server, "content?seq=20").await.text(), then);
    let home = server.stop();
    assert!(
        program(&home, &["compact", "--keep-edits", "0s", "--dry-run"]).contains("would leave")
    );
    let thinned = program(&home, &["compact", "--keep-edits", "0s"]);
    assert!(thinned.contains("updates left 1,"), "{thinned}");
    assert!(program(&home, &["fsck"]).starts_with("sound: 1 documents"));
    let server = Server::start_at(home, |_| {});
    let text: String = (1..=60).map(|number| format!("{number} ")).collect();
    assert_eq!(get(&server, "content").await.text(), text);
    // The moment is gone: nothing else is shown in its place, and nothing is restored.
    let path = "/api/v1/documents/plan";
    let gone = server.get(&format!("{path}/content?seq=20")).await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("nearest that are kept are 0 and 59"), "{}", gone.text());
    let refused = server.ask("POST", &format!("{path}/restore"), "", r#"{"seq":20}"#).await;
    assert_eq!(refused.status, 404);
    assert_eq!(get(&server, "content?at=0").await.text(), "");
}

#[actix::test]
async fn an_old_copy_is_kept_beside_the_document_and_merged_as_text() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("ann", "*", Level::Admin);
    let mut old = Editor::open_as(&server, Dialect::YWebsocket, "plan", &admin).await;
    old.save_text("kept line\nonly in the copy").await;
    let offline = old.everything();
    let ask = async |method: &str, path: &str, body: &str| {
        let path = format!("/api/v1/documents/plan{path}");
        let answer = server.ask(method, &path, &admin, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text_lossy());
        answer
    };
    ask("DELETE", "", "").await;
    ask("POST", "/purge", "").await;
    let early = server.ask("POST", "/d/plan/update", &admin, offline.clone()).await;
    assert!(!early.status.is_success(), "{}", early.text_lossy());
    let none_yet = ask("GET", "/branches", "").await.json();
    assert_eq!(none_yet["branches"].as_array().map(Vec::len), Some(1), "no document is needed");
    let mut new = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &admin).await;
    new.save_text("kept line").await;
    let refused = server.ask("POST", "/d/plan/update", &admin, offline).await;
    assert!(!refused.status.is_success(), "an earlier life does not come in");
    let branches = ask("GET", "/branches", "").await.json();
    let id = branches["branches"][0]["id"].as_str().expect("a branch").to_owned();
    let text = ask("GET", &format!("/branches/{id}/content"), "").await;
    assert_eq!(text.text(), "kept line\nonly in the copy");
    let merged = ask("POST", &format!("/branches/{id}/merge"), "").await.json();
    assert_eq!(merged, json!({ "lines": 1 }));
    new.until_text("kept line\nonly in the copy").await;
    assert_eq!(ask("POST", &format!("/branches/{id}/merge"), "").await.json()["lines"], 0);
    ask("DELETE", &format!("/branches/{id}"), "").await;
}

#[actix::test]
async fn a_damaged_database_is_told_apart_from_a_sound_one() {
    let server = Server::start(|_| {});
    drop(written(&server).await);
    let home = server.stop();
    assert!(program(&home, &["fsck"]).contains("every bit of the file"));
    let mut file = std::fs::read(home.database()).expect("a file");
    let place = file.windows(3).position(|three| three == b"two").expect("a word");
    file[place] ^= 1;
    std::fs::write(home.database(), file).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_coscribe"))
        .args(["fsck", "--database"])
        .arg(home.database())
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let faults = String::from_utf8(output.stdout).expect("output of UTF-8");
    assert!(faults.contains("is not as it was sealed"), "{faults}");
    assert!(faults.contains("document \"plan\": update 2 does not match"), "{faults}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not sound"));
}

#[actix::test]
async fn a_moment_that_is_restored_twice_at_once_comes_back_once() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    post(&server, "restore", json!({ "seq": 0 })).await;
    assert_eq!(get(&server, "content").await.text(), "");
    let restores = (0..8).map(|_| post(&server, "restore", json!({ "seq": 4 })));
    let answers = futures_util::future::join_all(restores).await;
    assert_eq!(answers.iter().filter(|answer| answer["changed"] == true).count(), 1, "{answers:?}");
    assert_eq!(get(&server, "content").await.text(), "one two three four");
    let by_time = post(&server, "restore", json!({ "at": 0 })).await;
    assert_eq!((&by_time["changed"], &by_time["restored"]), (&json!(true), &json!(0)));
}

#[actix::test]
async fn damage_in_what_is_packed_keeps_nobody_from_what_is_there_now() {
    let server = Server::start(|config| config.limits.snapshot_rows = 10);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "plan").await;
    for number in 1..=40 {
        ann.save_text(&format!("{number} ")).await;
    }
    let text = ann.text();
    drop(ann);
    let home = server.stop();
    program(&home, &["compact"]);
    Database::open(&home).await.damage_segments().await;
    let server = Server::start_at(home, |_| {});
    assert_eq!(get(&server, "content").await.text(), text);
    let then = server.get("/api/v1/documents/plan/content?seq=20").await;
    assert_eq!(then.status, 503, "{}", then.text_lossy());
    assert!(then.text().contains("checksum"), "{}", then.text());
}

#[actix::test]
async fn what_was_there_before_a_restore_is_what_the_one_before_it_left() {
    let server = Server::start(|_| {});
    let _here = written(&server).await;
    let restores = [1, 2, 3].map(|seq| post(&server, "restore", json!({ "seq": seq })));
    let answers = futures_util::future::join_all(restores).await;
    let mut before: Vec<_> =
        answers.iter().map(|answer| answer["before"]["seq"].as_u64()).collect();
    before.sort_unstable();
    assert_eq!(before, [Some(4), Some(5), Some(6)], "{answers:?}");
}
