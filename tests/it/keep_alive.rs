//! What keeps idle clients connected, and what ends sockets with nobody behind them.

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket};

#[actix::test]
async fn a_silent_client_hears_an_empty_awareness_frame_now_and_then() {
    let server = Server::start(|config| config.timing.filler_interval_ms = 50);
    for dialect in Dialect::BOTH {
        let mut ann = Editor::open(&server, dialect, "d").await;
        for _ in 0..2 {
            ann.until_said(|said| *said == Said::Awareness(vec![])).await;
        }
    }
}

#[actix::test]
async fn a_peer_that_answers_no_ping_is_dropped_and_its_cursor_goes() {
    let server = Server::start(|config| {
        config.timing.ping_interval_ms = 30;
        config.timing.peer_timeout_ms = 300;
    });
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    // Nobody reads this socket, so nobody answers.
    let mut dead = Editor::open(&server, Dialect::YWebsocket, "d").await;
    dead.show(1, r#"{"user":"Bo"}"#).await;
    let gone = Said::Awareness(vec![(dead.client(), 1, "null".into())]);
    ann.until_said(|said| *said == gone).await;
    server.until_metric("connections", |open| open == 1.0).await;
    drop(dead);
}

#[actix::test]
async fn a_hocuspocus_socket_that_opens_no_document_is_closed_with_4408() {
    let server = Server::start(|config| config.timing.login_timeout_ms = 50);
    let mut idle = Socket::open(&server, "/collab").await;
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    assert_eq!(idle.closed().await, (4408, "Connection Timeout".into()));
    ann.say(wire::close()).await;
    ann.until_said(|said| matches!(said, Said::Closed(_))).await;
    // The deadline ends for good with the first document.
    let mut another = Socket::open(&server, "/collab").await;
    another.closed().await;
    ann.say(wire::token("")).await;
    ann.until_said(|said| matches!(said, Said::Authenticated(_))).await;
}
