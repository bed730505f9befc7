//! Starting and ending the program.

use std::time::Duration;

use crate::support::wire::Said;
use crate::support::{Dialect, Editor, Home, Program, Server};

/// What the README promises to service managers.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

#[actix::test]
async fn the_first_line_of_output_says_where_it_serves() {
    let home = Home::new();
    let mut program = Program::serve(&home.database());
    let server = program.server();
    assert_eq!(server.get("/healthz").await.text(), "ok\n");
    program.terminate();
    assert_eq!(program.line(), "", "nothing else is printed");
    assert!(program.ended().status.success());
}

#[actix::test]
async fn a_second_server_on_the_same_file_is_refused_with_a_clear_text() {
    let server = Server::start(|_| {});
    let mut second = Program::serve(&server.home().database());
    assert_eq!(second.line(), "", "a server that does not serve does not say that it is ready");
    let ended = second.ended();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.errors.contains("another coscribe holds"), "{}", ended.errors);
    assert!(!ended.errors.contains("panicked"), "{}", ended.errors);
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.save_text("the first goes on").await;
}

#[actix::test]
async fn on_sigterm_sockets_are_closed_with_1012_and_what_was_saved_is_there_after_a_restart() {
    let home = Home::new();
    let mut program = Program::serve(&home.database());
    let server = program.server();
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    ann.save_text("Ann").await;
    bo.until_text("Ann").await;
    bo.save_text("+Bo").await;
    program.terminate();
    for editor in [&mut ann, &mut bo] {
        let (code, reason) = editor.until_closed().await;
        assert_eq!(code, 1012);
        assert!(reason.contains("restarting"), "{reason}");
    }
    let ended = tokio::task::spawn_blocking(move || program.ended());
    let ended = tokio::time::timeout(ENDS_WITHIN, ended).await.expect("it ends in time");
    let ended = ended.expect("it ends by itself");
    assert!(ended.status.success(), "{}", ended.errors);

    let server = Server::start_at(home, |_| {});
    let late = Editor::open(&server, Dialect::YWebsocket, "d").await;
    assert_eq!(late.text(), "Ann+Bo");
}

#[actix::test]
async fn what_was_answered_while_the_server_ended_is_there_after_a_restart() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    // Sent and not answered: it may or may not have been read when the server ends.
    for word in 0..50 {
        ann.type_text(&format!("{word} ")).await;
    }
    let home = server.stop();
    let (code, _) = ann.until_closed().await;
    assert_eq!(code, 1012);
    let statuses = ann.heard.iter().filter(|said| **said == Said::Status(1)).count();
    // The first one answers the sync.
    let answered = statuses.saturating_sub(1);
    let server = Server::start_at(home, |_| {});
    let late = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let kept = late.text().split_whitespace().count();
    assert!(kept >= answered, "{answered} were called saved, {kept} are there");
}
