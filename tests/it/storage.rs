//! A damaged database: no document is served in part, and none is hurt by another's damage. A
//! database of an earlier version: it is served as its own server would.

use coscribe::config::Config;

use crate::support::wire::{self, Said};
use crate::support::{Database, Dialect, Editor, Home, Server, Socket};

const SCHEMA_1: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/databases/schema-1.sqlite");

/// A document whose log is damaged must never be served, not even the part that can be read: the
/// first client to see it would take what is missing for deleted.
#[actix::test]
async fn a_damaged_log_makes_its_document_unavailable_and_no_other() {
    let server = Server::start(|_| {});
    for document in ["damaged", "sound"] {
        let mut ann = Editor::open(&server, Dialect::YWebsocket, document).await;
        ann.save_text("first ").await;
        ann.save_text("second").await;
    }
    let home = server.stop();
    let mut database = Database::open(&home).await;
    database.damage_log("damaged").await;
    database.close().await;

    let server = Server::start_at(home, |_| {});
    for _again in 0..2 {
        let refused = server.upgrade("/sync/damaged").await;
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("damaged: update 1 does not match"), "{}", refused.text());

        let mut socket = Socket::open(&server, "/collab").await;
        socket.send(wire::addressed("damaged", wire::token(""))).await;
        socket.send(wire::addressed("damaged", wire::step_1(&[0]))).await;
        socket.send(wire::addressed("sound", wire::token(""))).await;
        let (address, said) = socket.hear_addressed().await;
        assert_eq!((address.as_str(), said), ("damaged", Said::Authenticated("read-write".into())));
        let (address, said) = socket.hear_addressed().await;
        assert!(
            matches!(&said, Said::Denied(reason) if reason.contains("does not match its checksum")),
            "{said:?}"
        );
        assert_eq!(address, "damaged");
        let (address, said) = socket.hear_addressed().await;
        assert_eq!((address.as_str(), said), ("sound", Said::Authenticated("read-write".into())));
    }
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "sound").await;
    assert_eq!(bo.text(), "first second");
    bo.save_text(" third").await;
}

#[actix::test]
async fn a_damaged_snapshot_is_passed_over_and_the_log_is_read_instead() {
    let often = |config: &mut Config| config.limits.snapshot_rows = 2;
    for right_checksum in [false, true] {
        let server = Server::start(often);
        let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
        for word in ["one ", "two ", "three ", "four "] {
            ann.save_text(word).await;
        }
        server.until_metric("snapshots_total", |written| written >= 1.0).await;
        let home = server.stop();
        let mut database = Database::open(&home).await;
        match right_checksum {
            false => database.damage_snapshots(b"damaged").await,
            true => database.replace_snapshots(&[1, 1, 0xff, 0xff]).await,
        }
        database.close().await;
        let server = Server::start_at(home, often);
        let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
        assert_eq!(bo.text(), "one two three four ");
        bo.save_text("five").await;
    }
}

#[actix::test]
async fn a_database_of_schema_1_is_served_and_written_on() {
    let home = Home::new();
    std::fs::copy(SCHEMA_1, home.database()).expect("a copy of the database");
    let server = Server::start_at(home, |_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "team/minutes").await;
    assert_eq!(ann.text(), "Minutes of Monday: Ann and Bo agree.");
    ann.save_text(" And Cy.").await;

    let server = Server::start_at(server.stop(), |_| {});
    let bo = Editor::open(&server, Dialect::Hocuspocus, "team/minutes").await;
    assert_eq!(bo.text(), "Minutes of Monday: Ann and Bo agree. And Cy.");
    let cy = Editor::open(&server, Dialect::Hocuspocus, "Größe ✓").await;
    assert_eq!(cy.text(), "Ein Satz.");
}
