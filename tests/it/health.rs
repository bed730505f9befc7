//! What operators ask for.

use crate::support::{Dialect, Editor, Server};

#[actix::test]
async fn health_and_readiness_answer() {
    let server = Server::start(|_| {});
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "ok\n"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[actix::test]
async fn a_server_whose_database_is_gone_is_not_ready() {
    let server = Server::start(|_| {});
    // The tables are dropped behind its back.
    let mut database = crate::support::Database::open(server.home()).await;
    database.drop_tables().await;
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("the database cannot be read"), "{}", answer.text());
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[actix::test]
async fn metrics_count_what_happens_and_name_no_document() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "secret-name").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "secret-name").await;
    ann.save_text("secret text").await;
    bo.until_text("secret text").await;
    assert_eq!(server.metric("connections").await, 2.0);
    assert_eq!(server.metric("documents_loaded").await, 1.0);
    assert_eq!(server.metric("log_rows").await, 1.0);
    assert!(server.metric("messages_received_total").await >= 4.0);
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    assert!(answer.text().ends_with("# EOF\n"));
    assert!(!answer.text().contains("secret"));
}
