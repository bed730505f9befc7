//! Who is here: coalesced, owned, gone with its connection, never published twice.

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Server};

const ANN: &str = r#"{"user":"Ann"}"#;
const BO: &str = r#"{"user":"Bo"}"#;

/// Client id, clock and state of every entry that an editor has heard.
fn entries(editor: &Editor) -> Vec<(u64, u64, String)> {
    let lists = editor.heard.iter().filter_map(|said| match said {
        Said::Awareness(entries) => Some(entries.clone()),
        _ => None,
    });
    lists.flatten().collect()
}

/// Reads until an entry has been heard.
async fn until_entry(editor: &mut Editor, client: u64, clock: u64, state: &str) {
    let wanted = (client, clock, state.to_owned());
    editor.until(|editor| entries(editor).contains(&wanted)).await;
}

#[actix::test]
async fn what_one_says_all_hear_in_both_dialects_and_so_does_the_sender() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    ann.show(1, ANN).await;
    bo.show(1, BO).await;
    for (client, state) in [(ann.client(), ANN), (bo.client(), BO)] {
        until_entry(&mut ann, client, 1, state).await;
        until_entry(&mut bo, client, 1, state).await;
    }
    let mut late = Editor::connect(&server, Dialect::YWebsocket, "d").await;
    let both = vec![(ann.client(), 1, ANN.to_owned()), (bo.client(), 1, BO.to_owned())];
    late.until_said(|said| *said == Said::Awareness(both.clone())).await;
    late.say(wire::query_awareness()).await;
    late.until_said(|said| *said == Said::Awareness(both.clone())).await;
}

#[actix::test]
async fn a_cursor_that_moves_quickly_is_told_in_few_frames() {
    const MOVES: u64 = 1_000;
    // With this many people a frame goes out every 50 ms at most.
    const PEOPLE: usize = 50;
    let server = Server::start(|_| {});
    let mut crowd = Vec::new();
    for _ in 0..PEOPLE {
        crowd.push(Editor::open(&server, Dialect::YWebsocket, "d").await);
    }
    let mut ann = crowd.pop().expect("a crowd");
    for clock in 1..=MOVES {
        ann.show(clock, &format!(r#"{{"cursor":{clock}}}"#)).await;
    }
    let mut bo = crowd.pop().expect("a crowd");
    until_entry(&mut bo, ann.client(), MOVES, &format!(r#"{{"cursor":{MOVES}}}"#)).await;
    let heard = entries(&bo);
    assert!(heard.len() < MOVES as usize / 10, "{} frames", heard.len());
    assert!(heard.is_sorted_by_key(|(_, clock, _)| *clock));
}

#[actix::test]
async fn nobody_speaks_for_another_connections_client() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.show(1, ANN).await;
    let client = ann.client();
    until_entry(&mut ann, client, 1, ANN).await;
    let mut bo = Editor::open(&server, Dialect::Hocuspocus, "d").await;
    bo.show(1, BO).await;
    bo.say(wire::awareness(&[(client, 9, r#"{"user":"not Ann"}"#)])).await;
    bo.say(wire::awareness(&[(client, 10, "null")])).await;
    bo.show(2, BO).await;
    let other = bo.client();
    until_entry(&mut ann, other, 2, BO).await;
    assert!(entries(&ann).iter().all(|(id, clock, _)| *id != client || *clock == 1));
    ann.show(2, ANN).await;
    until_entry(&mut bo, client, 2, ANN).await;
}

#[actix::test]
async fn a_connection_takes_its_clients_with_it() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    for dialect in Dialect::BOTH {
        let mut bo = Editor::open(&server, dialect, "d").await;
        bo.show(7, BO).await;
        until_entry(&mut ann, bo.client(), 7, BO).await;
        let client = bo.client();
        drop(bo);
        until_entry(&mut ann, client, 7, "null").await;
    }
    let mut late = Editor::open(&server, Dialect::YWebsocket, "d").await;
    late.settle().await;
    assert_eq!(entries(&late), [], "who left is not shown to who comes");
}

/// In a crowd what comes back is known by its bytes. Whoever comes back says what was published before,
/// byte for byte: that is no reflection.
#[actix::test]
async fn who_comes_back_to_a_crowd_with_the_old_clock_is_heard_and_told_to_renew() {
    let server = Server::start(|_| {});
    let mut crowd = Vec::new();
    for _ in 0..9 {
        crowd.push(Editor::open(&server, Dialect::YWebsocket, "d").await);
    }
    let mut ann = crowd.pop().expect("a crowd");
    let client = ann.client();
    ann.show(7, ANN).await;
    let mut bo = crowd.pop().expect("a crowd");
    until_entry(&mut bo, client, 7, ANN).await;
    drop(ann);
    until_entry(&mut bo, client, 7, "null").await;
    let mut back = Editor::open(&server, Dialect::YWebsocket, "d").await;
    back.say(wire::awareness(&[(client, 7, ANN)])).await;
    until_entry(&mut back, client, 7, "null").await;
    back.say(wire::awareness(&[(client, 8, ANN)])).await;
    until_entry(&mut bo, client, 8, ANN).await;
}

#[actix::test]
async fn who_reflects_a_client_that_has_left_is_told_so_and_nobody_else_sees_a_ghost() {
    let server = Server::start(|_| {});
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut cy = Editor::open(&server, Dialect::YWebsocket, "d").await;
    bo.show(1, BO).await;
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let client = ann.client();
    ann.show(7, ANN).await;
    until_entry(&mut bo, client, 7, ANN).await;
    drop(ann);
    until_entry(&mut bo, client, 7, "null").await;
    bo.say(wire::awareness(&[(client, 7, ANN)])).await;
    let gone = Said::Awareness(vec![(client, 7, "null".into())]);
    bo.until_said(|said| *said == gone).await;
    bo.show(2, BO).await;
    until_entry(&mut cy, bo.client(), 2, BO).await;
    let of_ann = entries(&cy).into_iter().filter(|(id, ..)| *id == client);
    assert!(of_ann.skip_while(|(.., state)| state != "null").count() == 1);
    // The same client on a new socket, with a newer clock.
    bo.say(wire::awareness(&[(client, 8, ANN)])).await;
    until_entry(&mut cy, client, 8, ANN).await;
}

/// Stock clients send back every awareness change that they hear. With N people in a document one
/// movement would become N frames to N people.
#[actix::test]
async fn reflected_frames_are_not_published_again() {
    let server = Server::start(|_| {});
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut cy = Editor::open(&server, Dialect::YWebsocket, "d").await;
    for clock in 1..=20 {
        ann.show(clock, ANN).await;
        until_entry(&mut bo, ann.client(), clock, ANN).await;
        bo.say(wire::awareness(&[(ann.client(), clock, ANN)])).await;
    }
    bo.show(1, BO).await;
    until_entry(&mut cy, bo.client(), 1, BO).await;
    let clocks: Vec<u64> = entries(&cy).iter().map(|(_, clock, _)| *clock).collect();
    assert_eq!(clocks, (1..=20).chain([1]).collect::<Vec<_>>());
}

#[actix::test]
async fn states_over_awareness_state_bytes_max_or_over_the_number_are_ignored() {
    let server = Server::start(|config| {
        config.limits.awareness_state_bytes_max = 100;
        config.limits.session_awareness_clients_max = 2;
    });
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    let mut bo = Editor::open(&server, Dialect::YWebsocket, "d").await;
    bo.show(1, BO).await;
    bo.show(2, &format!("\"{}\"", "x".repeat(100))).await;
    bo.say(wire::awareness(&[(11, 1, BO), (12, 1, BO), (13, 1, BO)])).await;
    bo.show(3, BO).await;
    until_entry(&mut ann, bo.client(), 3, BO).await;
    let heard = entries(&ann);
    assert!(!heard.iter().any(|(_, clock, _)| *clock == 2), "{heard:?}");
    let mut clients: Vec<u64> = heard.iter().map(|(client, ..)| *client).collect();
    clients.sort_unstable();
    clients.dedup();
    assert_eq!(clients, [11, bo.client()]);
    ann.show(1, ANN).await;
    until_entry(&mut bo, ann.client(), 1, ANN).await;
}
