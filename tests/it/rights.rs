//! Who may read, who may write, and from which pages.

use coscribe::config::Anonymous;

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server, Socket};

const READERS_ANSWER: &str = "this change was not saved: you may read this document, not change it";

/// A server that lets people read, with one document.
async fn read_only_server(text: &str) -> Server {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.save_text(text).await;
    Server::start_at(server.stop(), |config| config.anonymous = Anonymous::Read)
}

fn refusal(dialect: Dialect) -> Said {
    match dialect {
        Dialect::YWebsocket | Dialect::YSweet => Said::Denied(READERS_ANSWER.into()),
        Dialect::Hocuspocus => Said::Status(0),
    }
}

#[actix::test]
async fn what_a_reader_writes_is_answered_negatively_and_changes_nothing() {
    let server = read_only_server("as it was").await;
    let mut neighbour = Editor::open(&server, Dialect::YWebsocket, "d").await;
    for dialect in Dialect::BOTH {
        let mut reader = Editor::open(&server, dialect, "d").await;
        assert_eq!(reader.text(), "as it was");
        reader.type_text(" and more").await;
        assert_eq!(reader.until_said(|said| *said == refusal(dialect)).await, refusal(dialect));
        // Everything that the reader has, with what nobody else has.
        let everything = reader.everything();
        reader.say(wire::step_2(&everything)).await;
        reader.until_said(|said| *said == refusal(dialect)).await;
        assert!(!reader.is_saved());
        let mut late = Editor::open(&server, dialect, "d").await;
        assert_eq!(late.text(), "as it was");
        // A deletion is news as well, though it has no ids of its own.
        let deletion = late.change(|text, change| yrs::Text::remove_range(text, change, 0, 1));
        late.say(wire::step_2(&deletion)).await;
        late.until_said(|said| *said == refusal(dialect)).await;
    }
    assert_eq!(neighbour.settle().await, [], "nothing was shown to anybody");
    assert_eq!(server.metric("log_rows").await, 0.0);
}

#[actix::test]
async fn a_readers_step_2_with_known_content_is_answered_positively() {
    let server = read_only_server("as it was").await;
    let mut reader = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    assert!(reader.heard.contains(&Said::Authenticated("readonly".into())));
    reader.saved().await;
    let everything = reader.everything();
    reader.say(wire::step_2(&everything)).await;
    reader.until_said(|said| matches!(said, Said::Status(_))).await;
    assert_eq!(reader.heard.last(), Some(&Said::Status(1)));
    // An update frame of a reader is never positive, not even an empty one.
    reader.say(wire::update(&[0, 0])).await;
    reader.until_said(|said| matches!(said, Said::Status(_))).await;
    assert_eq!(reader.heard.last(), Some(&Said::Status(0)));
}

#[actix::test]
async fn readers_are_seen() {
    let server = read_only_server("as it was").await;
    for dialect in Dialect::BOTH {
        let mut reader = Editor::open(&server, dialect, "d").await;
        let mut other = Editor::open(&server, dialect, "d").await;
        reader.show(1, r#"{"user":"Ann"}"#).await;
        let seen = Said::Awareness(vec![(reader.client(), 1, r#"{"user":"Ann"}"#.into())]);
        other.until_said(|said| *said == seen).await;
        drop(reader);
        other.until_said(|said| matches!(said, Said::Awareness(list) if list[0].2 == "null")).await;
    }
}

#[actix::test]
async fn without_the_right_to_read_a_y_websocket_is_refused_in_the_upgrade() {
    let server = Server::start(|config| config.anonymous = Anonymous::None);
    let refused = server.upgrade("/sync/d").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.text(), "a login is needed\n");
    assert_eq!(server.metric("documents_loaded").await, 0.0);
}

#[actix::test]
async fn without_the_right_to_read_a_hocuspocus_login_is_denied_and_the_socket_stays() {
    let server = Server::start(|config| config.anonymous = Anonymous::None);
    let mut socket = Socket::open(&server, "/collab").await;
    // A provider of 2.x without a token starts with something else than a login.
    for opening in [wire::token("secret"), wire::token(""), wire::step_1(&[0])] {
        let document = format!("d{}", opening.len());
        socket.send(wire::addressed(&document, opening)).await;
        let denied = Said::Denied("permission-denied".into());
        assert_eq!(socket.hear_addressed().await, (document, denied));
    }
    assert_eq!(server.metric("documents_loaded").await, 0.0);
}

#[actix::test]
async fn pages_of_other_origins_may_not_connect() {
    let server =
        Server::start(|config| config.allowed_origins = vec!["https://wiki.example".into()]);
    for path in ["/sync/d", "/collab"] {
        for (origin, allowed) in [
            ("http://localhost:5173", true),
            ("https://wiki.example", true),
            ("https://evil.example", false),
            ("http://wiki.example", false),
            ("null", false),
        ] {
            let opened = Socket::try_open(&server, path, &[("origin", origin)]).await;
            let refused = opened.err().map(|status| status.as_u16());
            assert_eq!(refused, (!allowed).then_some(403), "{origin} at {path}");
        }
        assert!(Socket::try_open(&server, path, &[]).await.is_ok(), "programs send no origin");
    }
}
