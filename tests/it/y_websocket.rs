//! What is y-websocket alone: the greeting, the echo, subprotocols, frames that are ignored.

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket, patiently};

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

/// What comes back on a connection of its own until the server closes it or has said `last`.
async fn raw(server: &Server, path: &str, rest: &[u8], last: &[u8]) -> Vec<u8> {
    let address = server.url("http", "").replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    request.extend(rest);
    stream.write_all(&request).await.expect("a request");
    let mut answer = Vec::new();
    while !answer.ends_with(last) {
        if patiently(path, stream.read_buf(&mut answer)).await.expect("an answer") == 0 {
            break;
        }
    }
    answer
}

#[actix::test]
async fn what_comes_together_with_the_request_is_read_and_the_end_is_heard() {
    let server = Server::start(|_| {});
    let ping = [0x89, 0x82, 0, 0, 0, 0, b'h', b'i'];
    let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];
    let unread = [0x89, 0x80, 0, 0, 0, 0];
    for path in ["/sync/d", "/collab"] {
        let answer = raw(&server, path, &[&ping[..], &close, &unread].concat(), b"not said").await;
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{path}: {answer:?}");
        let (pong, close) = ([0x8a, 2, b'h', b'i'], [0x88, 2, 0x03, 0xe9]);
        assert!(answer.windows(4).any(|bytes| bytes == pong), "{path}: {answer:?}");
        assert!(answer.ends_with(&close), "{path}: {answer:?}");
    }
}

#[actix::test]
async fn what_is_no_address_of_a_socket_is_not_upgraded() {
    let server = Server::start(|_| {});
    for (path, status) in [("/", 404), ("/healthz", 404), ("/sync/", 400)] {
        let answer = String::from_utf8(raw(&server, path, b"", b"not said").await).expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains("connection: close"), "{path}: {answer}");
        assert!(body.ends_with('\n'), "{path}: {answer}");
    }
}
