//! Every limit that can be met from outside: what the caller gets, and that a neighbour goes on.

use coscribe::config::{Config, Limits};
use yrs::{Doc, Map, WriteTxn};

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket};

fn start(limit: impl FnOnce(&mut Limits)) -> Server {
    Server::start(|config: &mut Config| limit(&mut config.limits))
}

/// Two people in another document, who must not notice anything.
struct Neighbours(Editor, Editor);

impl Neighbours {
    async fn open(server: &Server) -> Self {
        let ann = Editor::open(server, Dialect::YWebsocket, "next door").await;
        let bo = Editor::open(server, Dialect::YWebsocket, "next door").await;
        Self(ann, bo)
    }

    async fn go_on(&mut self) {
        let Self(ann, bo) = self;
        ann.save_text("x").await;
        let text = ann.text();
        bo.until_text(&text).await;
    }
}

#[actix::test]
async fn a_message_over_frame_bytes_max_closes_with_1009() {
    let server = start(|limits| limits.frame_bytes_max = 2_000);
    let mut neighbours = Neighbours::open(&server).await;
    for dialect in Dialect::BOTH {
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.save_text(&"x".repeat(1_000)).await;
        ann.type_text(&"x".repeat(2_000)).await;
        assert_eq!(ann.until_closed().await, (1009, "Message Too Big".into()), "{dialect:?}");
        neighbours.go_on().await;
    }
}

#[actix::test]
async fn an_update_over_update_bytes_max_is_answered_negatively() {
    let server = start(|limits| limits.update_bytes_max = 1_000);
    let mut neighbours = Neighbours::open(&server).await;
    let reason = "this change was not saved: update of 2013 bytes is over the limit of 1000";
    let change = |editor: &mut Editor| editor.change_text(&"x".repeat(1_990));

    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let too_large = padded(change(&mut ann), 2_013);
    ann.send_change(&too_large).await;
    ann.until_said(|said| *said == Said::Denied(reason.into())).await;

    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    bo.send_change(&too_large).await;
    bo.until_said(|said| *said == Said::Status(0)).await;
    assert_eq!(bo.hear().await, Said::Closed(reason.into()));
    neighbours.go_on().await;
    assert_eq!(Editor::open(&server, Dialect::YWebsocket, "d").await.text(), "");
}

/// What follows an update that was not taken builds on it, so the server asks for the whole and gets
/// it: too large again. The client has to hear that each time, or it goes on in the dark.
#[actix::test]
async fn what_follows_an_update_that_was_too_large_is_answered_negatively_as_well() {
    let server = start(|limits| limits.update_bytes_max = 1_000);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.type_text(&"x".repeat(1_100)).await;
    ann.until_said(|said| matches!(said, Said::Denied(_))).await;
    for _ in 0..3 {
        ann.type_text("and more").await;
        ann.until_said(|said| matches!(said, Said::Denied(_))).await;
    }
    assert!(!ann.is_saved());
}

/// An update is looked at only after its length; so any bytes behind it make it longer.
fn padded(mut update: Vec<u8>, len: usize) -> Vec<u8> {
    assert!(update.len() <= len, "{}", update.len());
    update.resize(len, 0);
    update
}

#[actix::test]
async fn at_document_bytes_max_further_updates_are_answered_negatively() {
    for dialect in Dialect::BOTH {
        let server = start(|limits| limits.document_bytes_max = 1_000);
        let mut neighbours = Neighbours::open(&server).await;
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.save_text(&"x".repeat(700)).await;
        ann.type_text(&"y".repeat(700)).await;
        let refusal =
            ann.until_said(|said| matches!(said, Said::Status(0) | Said::Denied(_))).await;
        if let Said::Denied(reason) = refusal {
            assert_eq!(
                reason,
                "this change was not saved: the document is at its limit of 1000 bytes"
            );
        }
        let mut late = Editor::open(&server, dialect, "d").await;
        assert_eq!(late.text(), "x".repeat(700), "it can still be read");
        // What is there already is no news, however large.
        let known = late.everything();
        late.saved().await;
        late.send_change(&known).await;
        late.saved().await;
        neighbours.go_on().await;
    }
}

#[actix::test]
async fn an_update_over_update_subdocuments_max_is_answered_negatively() {
    let server = start(|limits| limits.update_subdocuments_max = 2);
    let mut neighbours = Neighbours::open(&server).await;
    let insert = |count: u32| {
        move |_: &yrs::TextRef, change: &mut yrs::TransactionMut| {
            let map = change.get_or_insert_map("subdocuments");
            for number in 0..count {
                map.insert(change, number.to_string(), Doc::new());
            }
        }
    };
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    let two = ann.change(insert(2));
    ann.send_change(&two).await;
    ann.saved().await;
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let three = bo.change(insert(3));
    bo.send_change(&three).await;
    let said = bo.until_said(|said| matches!(said, Said::Denied(_))).await;
    assert!(matches!(&said, Said::Denied(why) if why.contains("limit of 2")), "{said:?}");
    neighbours.go_on().await;
}

#[actix::test]
async fn at_document_sessions_max_further_sessions_are_denied() {
    let server = start(|limits| limits.document_sessions_max = 2);
    let mut neighbours = Neighbours::open(&server).await;
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    let refused = server.upgrade("/sync/d").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.text(), "the document has its limit of 2 sessions\n");
    let mut cy = Editor::connect(&server, Dialect::Hocuspocus, "d").await;
    let denied = cy.until_said(|said| matches!(said, Said::Denied(_))).await;
    assert_eq!(denied, Said::Denied("the document has its limit of 2 sessions".into()));
    ann.save_text("both ").await;
    bo.until_text("both ").await;
    neighbours.go_on().await;
}

#[actix::test]
async fn at_connection_documents_max_further_documents_are_denied() {
    let server = start(|limits| limits.connection_documents_max = 1);
    let mut socket = Socket::open(&server, "/collab").await;
    for document in ["first", "second"] {
        socket.send(wire::addressed(document, wire::token(""))).await;
    }
    let accepted = Said::Authenticated("read-write".into());
    assert_eq!(socket.hear_addressed().await, ("first".into(), accepted.clone()));
    let denied = Said::Denied("a socket may open 1 documents at most".into());
    assert_eq!(socket.hear_addressed().await, ("second".into(), denied));
    // When the first has been closed there is room again.
    socket.send(wire::addressed("first", wire::close())).await;
    socket.send(wire::addressed("second", wire::token(""))).await;
    let closed = Said::Closed("provider_initiated".into());
    assert_eq!(socket.hear_addressed().await, ("first".into(), closed));
    assert_eq!(socket.hear_addressed().await, ("second".into(), accepted));
}

#[actix::test]
async fn at_the_connection_limits_the_upgrade_is_refused_and_a_place_is_given_back() {
    type Set = fn(&mut Limits);
    let cases: [(Set, u16, &str); 2] = [
        (|limits| limits.connections_max = 2, 503, "5"),
        (|limits| limits.address_connections_max = 2, 429, "5"),
    ];
    for (set, status, retry_after) in cases {
        let server = start(set);
        let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
        let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
        for path in ["/sync/d", "/collab"] {
            let refused = server.upgrade(path).await;
            assert_eq!(refused.status.as_u16(), status, "{path}");
            assert_eq!(refused.header("retry-after"), retry_after, "{path}");
            assert!(refused.text().contains("limit of 2 connections"), "{}", refused.text());
        }
        ann.save_text("both ").await;
        bo.until_text("both ").await;
        drop(bo);
        server.until_metric("connections", |open| open == 1.0).await;
        Editor::open(&server, Dialect::YWebsocket, "d").await;
    }
}

#[actix::test]
async fn at_documents_live_max_further_documents_are_denied_until_one_is_idle() {
    let server = Server::start(|config| {
        config.limits.documents_live_max = 1;
        config.timing.idle_timeout_ms = 20;
    });
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "first").await;
    let refused = server.upgrade("/sync/second").await;
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("limit of 1 documents"), "{}", refused.text());
    let mut bo = Editor::connect(&server, Dialect::Hocuspocus, "second").await;
    bo.until_said(|said| matches!(said, Said::Denied(why) if why.contains("limit of 1"))).await;
    ann.save_text("goes on").await;
    drop(ann);
    server.until_metric("documents_loaded", |loaded| loaded == 0.0).await;
    Editor::open(&server, Dialect::YWebsocket, "second").await;
}

#[actix::test]
async fn over_unreadable_frames_max_a_y_websocket_is_closed() {
    let server = start(|limits| limits.unreadable_frames_max = 3);
    let mut neighbours = Neighbours::open(&server).await;
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    for _ in 0..3 {
        ann.socket.send_text("__YPS:hello").await;
        bo.say(vec![102, 1, 0]).await;
    }
    ann.save_text("within the budget").await;
    bo.until_text("within the budget").await;
    ann.socket.send_text("__YPS:hello").await;
    bo.say(vec![0, 9]).await;
    let (code, reason) = ann.until_closed().await;
    assert_eq!(code, 1003, "{reason}");
    let (code, reason) = bo.until_closed().await;
    assert_eq!(code, 4400, "{reason}");
    neighbours.go_on().await;
}

#[actix::test]
async fn the_smallest_queues_lose_nothing() {
    const EDITORS: usize = 8;
    const WORDS: usize = 20;
    let server = start(|limits| {
        limits.mailbox_len = 1;
        limits.log_queue_len = 1;
        limits.log_batch_bytes_max = 1;
        limits.outbox_bytes_max = 1;
    });
    let mut editors = Vec::new();
    for number in 0..EDITORS {
        let dialect = Dialect::BOTH[number % 2];
        editors.push(Editor::open(&server, dialect, &format!("d{}", number / 4)).await);
    }
    for _ in 0..WORDS {
        for editor in &mut editors {
            editor.type_text("x").await;
        }
    }
    for editor in &mut editors {
        editor.saved().await;
        editor.until(|editor| editor.text().len() == 4 * WORDS).await;
    }
}

#[actix::test]
async fn snapshots_are_taken_after_so_many_rows_or_bytes() {
    type Set = fn(&mut Limits);
    let cases: [(Set, usize); 2] =
        [(|limits| limits.snapshot_rows = 4, 1), (|limits| limits.snapshot_bytes = 2_000, 600)];
    for (set, word_len) in cases {
        let server = start(set);
        let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
        for _ in 0..3 {
            ann.save_text(&"x".repeat(word_len)).await;
        }
        assert_eq!(server.metric("snapshots_total").await, 0.0);
        ann.save_text(&"x".repeat(word_len)).await;
        server.until_metric("snapshots_total", |written| written == 1.0).await;
    }
}
