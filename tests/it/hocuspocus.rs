//! What is Hocuspocus alone: addresses, logins, closing one document of many.

use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, Transact, Update};

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket};

const ACCEPTED: &str = "read-write";

fn accepted() -> Said {
    Said::Authenticated(ACCEPTED.into())
}

/// Logs in and reads the answer.
async fn log_in(socket: &mut Socket, address: &str) {
    socket.send(wire::addressed(address, wire::token(""))).await;
    assert_eq!(socket.hear_addressed().await, (address.into(), accepted()));
}

/// Writes "hello" into an empty document of its own.
fn hello() -> Vec<u8> {
    let doc = Doc::with_client_id(77);
    let text = doc.get_or_insert_text("body");
    let mut change = doc.transact_mut();
    yrs::Text::push(&text, &mut change, "hello");
    change.encode_update_v1()
}

fn text_in(update: &[u8]) -> String {
    let doc = Doc::new();
    let text = doc.get_or_insert_text("body");
    let update = Update::decode_v1(update).expect("an update of the server");
    doc.transact_mut().apply_update(update).expect("an update that fits");
    text.get_string(&doc.transact())
}

#[actix::test]
async fn two_session_ids_of_one_document_are_two_sessions_on_one_socket() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server, "/collab").await;
    let (first, second) = ("d\0one", "d\0two");
    log_in(&mut socket, first).await;
    log_in(&mut socket, second).await;
    socket.send(wire::addressed(second, wire::step_1(&[0]))).await;
    let (address, said) = socket.hear_addressed().await;
    assert!(address == second && matches!(said, Said::Step1(_)), "its own step 1 first: {said:?}");
    let (address, said) = socket.hear_addressed().await;
    assert!(address == second && matches!(said, Said::Step2(_)), "{said:?}");

    socket.send(wire::addressed(first, wire::update(&hello()))).await;
    let mut updates = Vec::new();
    let mut statuses = Vec::new();
    while updates.len() < 2 || statuses.is_empty() {
        match socket.hear_addressed().await {
            (address, Said::Update(update)) => updates.push((address, text_in(&update))),
            (address, Said::Status(status)) => statuses.push((address, status)),
            other => panic!("{other:?}"),
        }
    }
    let shown = |address: &str| (address.to_owned(), "hello".to_owned());
    assert_eq!(updates, [shown(first), shown(second)]);
    assert_eq!(statuses, [(first.to_owned(), 1)], "only the author is answered");

    let mut plain = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    assert_eq!(plain.text(), "hello", "it is the same document");
    // Closing one leaves the other.
    socket.send(wire::addressed(first, wire::close())).await;
    assert_eq!(
        socket.hear_addressed().await,
        (first.into(), Said::Closed("provider_initiated".into()))
    );
    plain.type_text("!").await;
    let (address, said) = socket.hear_addressed().await;
    assert!(address == second && matches!(said, Said::Update(_)), "{address:?} {said:?}");
}

#[actix::test]
async fn an_unknown_session_id_is_served_where_the_plain_name_is_open() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server, "/collab").await;
    log_in(&mut socket, "d").await;
    socket.send(wire::addressed("d\0unknown", wire::update(&hello()))).await;
    let (address, said) = socket.hear_addressed().await;
    assert!(address == "d" && matches!(said, Said::Update(_)), "{address:?} {said:?}");
    assert_eq!(socket.hear_addressed().await, ("d".into(), Said::Status(1)));
}

#[actix::test]
async fn frames_that_come_after_a_close_do_not_open_the_document_again() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server, "/collab").await;
    log_in(&mut socket, "d").await;
    log_in(&mut socket, "other").await;
    socket.send(wire::addressed("d", wire::close())).await;
    let closed = Said::Closed("provider_initiated".into());
    assert_eq!(socket.hear_addressed().await, ("d".into(), closed));
    socket.send(wire::addressed("d", wire::update(&hello()))).await;
    socket.send(wire::addressed("d", wire::step_1(&[0]))).await;
    socket.send(wire::addressed("d", wire::awareness(&[(1, 1, "{}")]))).await;
    socket.send(wire::addressed("d", wire::close())).await;
    socket.send(wire::addressed("other", wire::step_1(&[0]))).await;
    let (address, said) = socket.hear_addressed().await;
    assert_eq!(address, "other", "{said:?}");
    assert!(matches!(socket.hear_addressed().await.1, Said::Step2(_)));
    // A login does, and the late update was not taken.
    log_in(&mut socket, "d").await;
    socket.send(wire::addressed("d", wire::step_1(&[0]))).await;
    assert!(matches!(socket.hear_addressed().await.1, Said::Step1(_)));
    let (_, said) = socket.hear_addressed().await;
    assert!(matches!(&said, Said::Step2(update) if text_in(update).is_empty()), "{said:?}");
}

#[actix::test]
async fn who_closes_a_document_is_gone_for_the_others_at_once() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    bo.show(1, "{}").await;
    bo.say(wire::close()).await;
    let gone = Said::Awareness(vec![(bo.client(), 1, "null".into())]);
    ann.until_said(|said| *said == gone).await;
}

#[actix::test]
async fn a_fresh_token_for_an_open_document_gets_no_answer() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    ann.saved().await;
    ann.say(wire::token("fresh")).await;
    let heard = ann.settle().await;
    assert!(matches!(heard[..], [Said::Step1(_)]), "{heard:?}");
    ann.save_text("goes on").await;
}

#[actix::test]
async fn a_provider_that_does_not_log_in_is_let_in_with_its_first_frame() {
    let server = Server::start(|_| {});
    let socket = Socket::open(&server, "/collab").await;
    let mut old = Editor::over(socket, Dialect::Hocuspocus, "d");
    old.say_step_1().await;
    old.synced().await;
    assert_eq!(old.heard[0], accepted());
    old.save_text("2.x").await;
}

#[actix::test]
async fn an_unknown_type_is_ignored_and_a_servers_own_type_closes_the_document() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    for kind in [9, 10, 63, 102] {
        ann.say(vec![kind, 1, 2, 3]).await;
    }
    ann.save_text("goes on").await;
    let broadcast = [vec![6], wire::buffer(b"for everybody")].concat();
    ann.say(broadcast).await;
    ann.until_said(|said| *said == Said::Closed("Reset Connection".into())).await;
    ann.say(wire::token("")).await;
    ann.until_said(|said| *said == accepted()).await;
}

#[actix::test]
async fn a_stateless_message_goes_to_the_others() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    let mut elsewhere = Editor::open(&server, Dialect::Hocuspocus, "another").await;
    ann.say(wire::stateless("build 7 is ready")).await;
    let message = Said::Stateless("build 7 is ready".into());
    bo.until_said(|said| *said == message).await;
    for editor in [&mut ann, &mut elsewhere] {
        editor.settle().await;
        assert!(!editor.heard.contains(&message));
    }
}

#[actix::test]
async fn names_are_taken_byte_for_byte_and_blank_ones_are_denied() {
    let server = Server::start(|_| {});
    for name in ["a/b", "..", "%2F", " padded ", "día\n1", "e\u{301}", "\u{e9}"] {
        let mut ann = Editor::open(&server, Dialect::Hocuspocus, name).await;
        ann.save_text(name).await;
        let bo = Editor::open(&server, Dialect::YWebsocket, name).await;
        assert_eq!(bo.text(), name);
    }
    let mut socket = Socket::open(&server, "/collab").await;
    let too_long = "x".repeat(1_025);
    for name in ["", "  ", "\u{3000}", too_long.as_str(), "\0session"] {
        socket.send(wire::addressed(name, wire::token(""))).await;
        let denied = Said::Denied("permission-denied".into());
        assert_eq!(socket.hear_addressed().await, (name.into(), denied));
    }
    for path in ["/sync/", "/sync/%20", "/sync/%00", "/sync/%FF", &format!("/sync/{too_long}")] {
        assert_eq!(server.upgrade(path).await.status, 400, "{path}");
    }
}
