//! Saved means saved: when authors are answered, and what they are told when the log fails.

use coscribe::store::Durability;

use crate::support::wire::{self, Said};
use crate::support::{Database, Dialect, Editor, Server, Table};

/// Whether this tells an author that a change of theirs is not saved.
fn is_not_saved(said: &Said) -> bool {
    match said {
        Said::Status(0) => true,
        Said::Denied(reason) => reason.contains("not saved"),
        _ => false,
    }
}

#[actix::test]
async fn an_update_is_answered_once_it_is_in_the_database() {
    for dialect in Dialect::BOTH {
        let server = Server::start(|_| {});
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.saved().await;
        ann.save_text("saved").await;
        let mut database = Database::open(server.home()).await;
        assert_eq!(database.count(Table::Updates).await, 1, "{dialect:?}");
    }
}

#[actix::test]
async fn with_process_durability_authors_are_answered_and_others_see() {
    let server = Server::start(|config| config.durability = Durability::Process);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    for round in 1..=20 {
        ann.save_text("a").await;
        bo.until_text(&"ab".repeat(round)[..2 * round - 1]).await;
        bo.save_text("b").await;
        ann.until_text(&"ab".repeat(round)).await;
    }
    let late = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert_eq!(late.text(), "ab".repeat(20));
}

/// While another program holds the write lock, nothing can be stored. Nobody is told that anything
/// is saved, the authors are told that it is not, everybody can go on reading; afterwards the server
/// stores what it kept and asks for what it could not keep.
#[actix::test]
async fn while_the_database_is_locked_nothing_is_called_saved_and_then_everything_is() {
    let server = Server::start(|config| config.limits.waiting_bytes_max = 2_000);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    ann.save_text("before ").await;
    bo.until_text("before ").await;
    bo.saved().await;
    let mut database = Database::open(server.home()).await;
    database.lock().await;

    ann.type_text("Ann ").await;
    ann.until_said(is_not_saved).await;
    // More than the server keeps for later: it will have to ask for the last of these.
    for _ in 0..3 {
        bo.type_text(&"Bo ".repeat(300)).await;
    }
    bo.until_said(is_not_saved).await;
    let wanted = bo.text();

    let mut reader = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert_eq!(reader.text(), "before ", "nobody is shown what is not in the log");
    let other = Editor::open(&server, Dialect::Hocuspocus, "another").await;
    assert_eq!(other.text(), "");
    assert_eq!(server.get("/readyz").await.status, 200);
    assert!(!ann.is_saved() && !bo.is_saved());
    assert_eq!(database.count(Table::Updates).await, 1);
    database.unlock().await;

    ann.saved().await;
    bo.saved().await;
    assert_eq!(bo.text().len(), wanted.len() + "Ann ".len());
    ann.until(|ann| ann.text() == bo.text()).await;
    reader.until(|reader| reader.text() == bo.text()).await;
    let server = Server::start_at(server.stop(), |_| {});
    let late = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert_eq!(late.text(), bo.text());
}

#[actix::test]
async fn an_update_that_leaves_a_hole_is_not_applied_and_the_rest_is_asked_for() {
    for dialect in Dialect::BOTH {
        let server = Server::start(|_| {});
        let mut ann = Editor::open(&server, dialect, "d").await;
        let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
        ann.saved().await;
        ann.change_text("lost on the way, ");
        let second = ann.change_text("then this");
        ann.send_change(&second).await;
        ann.until_said(|said| matches!(said, Said::Step1(_))).await;
        ann.saved().await;
        bo.until_text("lost on the way, then this").await;
        let shown: Vec<_> = bo.heard.iter().filter(|s| matches!(s, Said::Update(_))).collect();
        assert_eq!(shown.len(), 1, "{dialect:?}: the second half alone was never shown");
    }
}

/// What is on its way when a hole is noticed leaves a hole as well; the one answer settles it all.
#[actix::test]
async fn a_burst_behind_a_hole_is_settled_by_one_question() {
    for dialect in Dialect::BOTH {
        let server = Server::start(|_| {});
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.saved().await;
        ann.change_text("0 ");
        for number in 1..60 {
            ann.type_text(&format!("{number} ")).await;
        }
        ann.saved().await;
        let late = Editor::open(&server, dialect, "d").await;
        assert_eq!(late.text(), ann.text(), "{dialect:?}");
        assert_eq!(server.metric("quarantined_total").await, 0.0);
    }
}

#[actix::test]
async fn an_update_that_is_known_is_answered_and_not_published() {
    for dialect in Dialect::BOTH {
        let server = Server::start(|_| {});
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.saved().await;
        let change = ann.change_text("once");
        ann.send_change(&change).await;
        ann.saved().await;
        let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
        ann.send_change(&change).await;
        ann.settle().await;
        ann.saved().await;
        let heard = bo.settle().await;
        assert_eq!(heard, [], "{dialect:?}");
    }
}

#[actix::test]
async fn an_update_that_cannot_be_read_is_kept_aside_and_hurts_only_its_sender() {
    let server = Server::start(|_| {});
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let garbage = wire::update(&[1, 1, 0xff, 0xff]);
    for dialect in Dialect::BOTH {
        let mut ann = Editor::open(&server, dialect, "d").await;
        ann.say(garbage.clone()).await;
        ann.until_said(is_not_saved).await;
        match dialect {
            // Its clients would come back at once, so the socket stays.
            Dialect::YWebsocket | Dialect::YSweet => ann.save_text("Ann ").await,
            Dialect::Hocuspocus => {
                ann.until_said(|said| matches!(said, Said::Closed(_))).await;
            }
        }
        bo.save_text("Bo ").await;
    }
    assert_eq!(bo.text().replace("Ann ", ""), "Bo Bo ");
    server.until_metric("quarantined_total", |kept| kept == 2.0).await;
    let mut database = Database::open(server.home()).await;
    assert_eq!(database.count(Table::Quarantine).await, 2);
}
