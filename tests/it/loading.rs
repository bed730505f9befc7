//! Documents come into memory when somebody is there, and go when nobody is.

use futures_util::future::join_all;

use crate::support::Database;
use crate::support::{Dialect, Editor, Server, Table};

const JOINERS: usize = 40;

#[actix::test]
async fn an_idle_document_is_unloaded_and_comes_back_whole() {
    let server = Server::start(|config| config.timing.idle_timeout_ms = 30);
    for round in 1..=3 {
        let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
        assert_eq!(ann.text(), "word ".repeat(round - 1));
        ann.save_text("word ").await;
        drop(ann);
        server.until_metric("documents_loaded", |loaded| loaded == 0.0).await;
    }
    assert_eq!(server.metric("load_seconds_count").await, 3.0);
    let mut database = Database::open(server.home()).await;
    assert!(database.count(Table::Snapshots).await >= 1, "the next load is quick");
}

#[actix::test]
async fn a_document_with_somebody_in_it_is_not_unloaded() {
    let server = Server::start(|config| config.timing.idle_timeout_ms = 1);
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    // It may have been unloaded before she was in it.
    let loads = server.metric("load_seconds_count").await;
    for _ in 0..20 {
        ann.save_text("word ").await;
    }
    assert_eq!(server.metric("load_seconds_count").await, loads);
    assert_eq!(server.metric("documents_loaded").await, 1.0);
}

#[actix::test]
async fn many_joiners_at_once_load_a_document_once() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.save_text("everything").await;
    let server = Server::start_at(server.stop(), |_| {});
    let joining = (0..JOINERS).map(|n| Editor::open(&server, Dialect::BOTH[n % 2], "d"));
    for editor in join_all(joining).await {
        assert_eq!(editor.text(), "everything");
    }
    assert_eq!(server.metric("load_seconds_count").await, 1.0);
}

#[actix::test]
async fn a_document_joined_while_it_retires_loses_nothing() {
    const ROUNDS: usize = 100;
    let server = Server::start(|config| config.timing.idle_timeout_ms = 1);
    for round in 0..ROUNDS {
        let dialect = Dialect::BOTH[round % 2];
        let mut ann = Editor::open(&server, dialect, "d").await;
        assert_eq!(ann.text().len(), round, "round {round}");
        ann.save_text("x").await;
        drop(ann);
        // Every fourth round the document has certainly gone; else the next comes at any moment.
        if round % 4 == 0 {
            server.until_metric("documents_loaded", |loaded| loaded == 0.0).await;
        }
    }
    assert!(server.metric("load_seconds_count").await >= (ROUNDS / 4) as f64);
}
