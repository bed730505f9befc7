//! The y-sweet family: its routes, its tokens, and "saved" on its sockets.

use coscribe::access::Level;
use serde_json::json;

use crate::support::wire::{self, Said};
use crate::support::{Database, Dialect, Editor, Office, Server};

/// What `POST path` with JSON is answered with.
async fn post(server: &Server, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
    let answer = server.ask("POST", path, token, body).await;
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[actix::test]
async fn a_document_is_made_opened_read_and_written() {
    let server = Server::start(|_| {});
    assert_eq!(post(&server, "/check_store", "", "{}").await, (200, json!({ "ok": true })));
    assert_eq!(server.get("/ready").await.json(), json!({ "ok": true }));
    assert_eq!(post(&server, "/doc/plan/auth", "", "{}").await.0, 404, "it is not there yet");
    let body = r#"{"docId":"plan","more":1}"#;
    for _ in 0..2 {
        assert_eq!(post(&server, "/doc/new", "", body).await, (200, json!({ "docId": "plan" })));
    }
    let (status, token) = post(&server, "/doc/plan/auth?z=1", "", r#"{"userId":null}"#).await;
    assert_eq!(status, 200);
    assert_eq!(token["url"], server.url("ws", "/d/plan/ws"));
    assert_eq!(token["baseUrl"], server.url("http", "/d/plan"));
    assert_eq!((token["docId"].as_str(), token.get("token")), (Some("plan"), None));
    let mut ann = Editor::open(&server, Dialect::YSweet, "plan").await;
    ann.save_text("by socket").await;
    let whole = server.get("/d/plan/as-update").await;
    assert!(whole.text_lossy().contains("by socket"));
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "plan").await;
    let change = bo.change_text(" and by request");
    assert_eq!(server.ask("POST", "/d/plan/update", "", change).await.status, 200);
    ann.until_text("by socket and by request").await;
}

#[actix::test]
async fn names_are_plain_and_the_two_in_a_path_are_the_same() {
    let server = Server::start(|_| {});
    for name in ["", "a b", "a/b", "ä", "a.b"] {
        let body = json!({ "docId": name }).to_string();
        assert_eq!(post(&server, "/doc/new", "", &body).await.0, 400, "{name:?}");
    }
    assert_eq!(server.upgrade("/d/plan/ws/other").await.status, 400);
    assert_eq!(server.upgrade("/d/a%20b/ws/a%20b").await.status, 400);
    let (status, made) = post(&server, "/doc/new", "", "").await;
    assert_eq!(status, 200);
    assert_eq!(made["docId"].as_str().map(str::len), Some(16), "a name that nobody guesses");
}

#[actix::test]
async fn an_update_by_request_that_cannot_be_taken_says_why() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YSweet, "plan").await;
    let answer = server.ask("POST", "/d/plan/update", "", "no update").await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("not saved"), "{}", answer.text());
    let (_missing, later) = (ann.change_text("first "), ann.change_text("second"));
    assert_eq!(server.ask("POST", "/d/plan/update", "", later).await.status, 409);
    ann.settle().await;
    // It was asked for what it has meanwhile; the answer is not on disk yet.
    ann.saved().await;
    let whole = server.ask("GET", "/d/plan/as-update", "", "").await;
    assert!(whole.text_lossy().contains("first second"), "it came by the socket");
}

#[actix::test]
async fn a_client_token_is_made_by_whoever_administers() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("app", "*", Level::Admin);
    let writer = office.token("w", "*", Level::Write);
    for (token, status) in [("", 401), ("nonsense", 401), (&writer, 200), (&admin, 200)] {
        assert_eq!(post(&server, "/doc/new", token, r#"{"docId":"plan"}"#).await.0, status);
    }
    for (token, status) in [("", 401), ("nonsense", 401), (&admin, 200)] {
        assert_eq!(post(&server, "/check_store", token, "{}").await.0, status);
    }
    assert_eq!(post(&server, "/doc/plan/auth", &writer, "{}").await.0, 403);
    let ask = async |body: &str| {
        let (status, answer) = post(&server, "/doc/plan/auth", &admin, body).await;
        assert_eq!(status, 200);
        answer["token"].as_str().expect("a token").to_owned()
    };
    let full = ask(r#"{"userId":"ann"}"#).await;
    let read_only = ask(r#"{"authorization":"read-only","validForSeconds":60}"#).await;
    let over = ask(r#"{"validForSeconds":0}"#).await;
    let mut ann = Editor::open_as(&server, Dialect::YSweet, "plan", &full).await;
    ann.save_text("text").await;
    let reader = Editor::open_as(&server, Dialect::YSweet, "plan", &read_only).await;
    assert_eq!(reader.text(), "text");
    assert_eq!(server.ask("POST", "/d/plan/update", &read_only, "\0\0").await.status, 403);
    assert_eq!(server.ask("GET", "/d/plan/as-update", &over, "").await.status, 401);
    assert_eq!(server.ask("GET", "/d/other/as-update", &full, "").await.status, 403);
    assert_eq!(post(&server, "/doc/plan/auth", &full, "{}").await.0, 403);
    let own = office.token("mallory", "plan", Level::Admin);
    let another = post(&server, "/doc/plan/auth", &own, r#"{"userId":"ann"}"#).await;
    assert_eq!(another.0, 403, "whoever administers one document is not everybody in it");
    let (_, minted) =
        post(&server, "/doc/plan/auth", &own, r#"{"validForSeconds":1000000000}"#).await;
    let minted = minted["token"].as_str().unwrap_or_default().to_owned();
    assert!(!minted.is_empty());
    let body = r#"{"subject":"mallory"}"#;
    assert_eq!(post(&server, "/api/v1/revocations", &admin, body).await.0, 201);
    assert_eq!(server.ask("GET", "/d/plan/as-update", &minted, "").await.status, 401);
    let unknown = post(&server, "/doc/plan/auth", &admin, r#"{"authorization":"all"}"#).await;
    assert_eq!(unknown.0, 400);
}

#[actix::test]
async fn a_checkpoint_comes_back_when_everything_before_it_is_on_disk() {
    let server = Server::start(|_| {});
    let mut ann = Editor::connect(&server, Dialect::YSweet, "plan").await;
    // As stock clients: before what was written offline has been brought.
    ann.say(wire::checkpoint(&[3])).await;
    let first = ann.until_said(|said| matches!(said, Said::Checkpoint(_))).await;
    assert_eq!(first, Said::Checkpoint(vec![3].into()));
    let step_2 = |said: &Said| matches!(said, Said::Step2(_));
    assert!(ann.heard.iter().any(step_2), "not before the first sync");

    let mut database = Database::open(server.home()).await;
    database.lock().await;
    ann.type_text("waits for the disk").await;
    ann.say(wire::checkpoint(&[4])).await;
    // Something else is answered meanwhile.
    ann.say(wire::query_awareness()).await;
    ann.until_said(|said| matches!(said, Said::Awareness(_) | Said::Denied(_))).await;
    assert_eq!(ann.heard.iter().filter(|s| matches!(s, Said::Checkpoint(_))).count(), 1);
    database.unlock().await;
    let second = ann.until_said(|said| matches!(said, Said::Checkpoint(_))).await;
    assert_eq!(second, Said::Checkpoint(vec![4].into()));
    assert!(ann.is_saved(), "its echo came before");
}

#[actix::test]
async fn a_reader_who_writes_is_never_told_that_it_is_saved_and_stays_connected() {
    let office = Office::new();
    let server = office.server(|config| config.timing.y_sweet_filler_interval_ms = 20);
    let token = office.token("r", "plan", Level::Read);
    let mut reader = Editor::open_as(&server, Dialect::YSweet, "plan", &token).await;
    reader.say(wire::checkpoint(&[0])).await;
    reader.until_said(|said| *said == Said::Checkpoint(vec![0].into())).await;
    reader.type_text("a lie").await;
    reader.say(wire::checkpoint(&[1])).await;
    for _ in 0..5 {
        reader.until_said(|said| *said == Said::Awareness(vec![])).await;
    }
    assert!(!reader.heard.contains(&Said::Checkpoint(vec![1].into())));
}
