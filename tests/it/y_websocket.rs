//! What is y-websocket alone: the greeting, the echo, subprotocols, frames that are ignored.

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket};

#[actix::test]
async fn the_server_asks_first_and_answers_with_everything() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert!(matches!(ann.heard[..], [Said::Step1(_), Said::Step2(_)]), "{:?}", ann.heard);
    ann.save_text("text").await;
    let bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert!(matches!(bo.heard[..], [Said::Step1(_), Said::Step2(_)]), "{:?}", bo.heard);
    assert_eq!(bo.text(), "text");
}

/// The light of `@y/websocket` turns green when its own ids come back.
#[actix::test]
async fn an_author_hears_its_own_update() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.type_text("echo").await;
    assert!(!ann.is_saved());
    ann.until_said(|said| matches!(said, Said::Update(_))).await;
    assert!(ann.is_saved());
}

#[actix::test]
async fn what_is_no_message_is_ignored_and_so_is_what_follows_a_message() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.settle().await;
    for frame in
        [vec![], vec![102, 1, 0], vec![0, 9], vec![200, 1], vec![2, 0, 1, b'x'], vec![0, 2, 9]]
    {
        ann.say(frame).await;
    }
    ann.socket.send_text("__YPS:hello").await;
    let ignored = wire::update(&ann.everything());
    let two_in_one = [wire::query_awareness(), ignored].concat();
    ann.say(two_in_one).await;
    assert_eq!(ann.settle().await, []);
    ann.save_text("goes on").await;
}

#[actix::test]
async fn the_first_subprotocol_that_is_no_token_is_chosen() {
    let server = Server::start(|_| {});
    for path in ["/sync/d", "/collab"] {
        let offered = [("sec-websocket-protocol", "yauth-secret, other")];
        let chosen = Socket::protocol(&server, path, &offered).await;
        assert_eq!(chosen, "other");
        let offered = [("sec-websocket-protocol", "yauth-secret")];
        let chosen = Socket::protocol(&server, path, &offered).await;
        assert_eq!(chosen, "yauth-secret", "a browser wants one of those that it offers");
    }
}

#[actix::test]
async fn a_plain_request_to_a_socket_address_is_told_to_upgrade() {
    let server = Server::start(|_| {});
    for path in ["/sync/d", "/collab"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 426, "{path}");
        assert!(answer.text().contains("WebSocket"), "{}", answer.text());
    }
}
