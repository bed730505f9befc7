//! No reader can hurt a document, and large messages arrive whole.

use crate::support::wire::Said;
use crate::support::{Dialect, Editor, Server};

/// Far more than all buffers between two sockets of one machine.
const OFFERED_BYTES: usize = 16 << 20;

/// A reader that does not read loses its queue, not its place: the writer and the others go on, and
/// when it reads again it gets one difference instead of everything that it missed.
#[actix::test]
async fn a_slow_reader_catches_up_with_one_difference_and_nobody_waits_for_it() {
    const CHANGES: usize = 32;
    let server = Server::start(|config| config.limits.outbox_bytes_max = 1_000);
    for dialect in Dialect::BOTH {
        let mut writer = Editor::open(&server, Dialect::YWebsocket, "d").await;
        let mut slow = Editor::open(&server, dialect, "d").await;
        let mut other = Editor::open(&server, Dialect::Hocuspocus, "d").await;
        let stalls = server.metric("stalls_total").await;
        for number in 0..CHANGES {
            let tail = (b'a' + (number % 26) as u8) as char;
            let change = writer.change(|text, change| {
                use yrs::{GetString, Text};
                let len = text.get_string(change).len() as u32;
                text.remove_range(change, 0, len);
                text.insert(change, 0, &tail.to_string().repeat(OFFERED_BYTES / CHANGES));
            });
            writer.send_change(&change).await;
            writer.saved().await;
            other.until(|other| other.text().ends_with(tail)).await;
        }
        assert!(server.metric("stalls_total").await > stalls, "the slow reader was slow");
        writer.save_text("the end").await;
        let heard = slow.heard.len();
        slow.until(|slow| slow.text() == writer.text()).await;
        let updates = slow.heard[heard..].iter().filter(|said| matches!(said, Said::Update(_)));
        let updates = updates.count();
        assert!(updates < CHANGES, "{updates} of {CHANGES} changes came one by one");
        // It is a session like any other again.
        writer.save_text(" and on").await;
        slow.until(|slow| slow.text() == writer.text()).await;
        slow.save_text("!").await;
        other.until(|other| other.text() == slow.text()).await;
    }
}

#[actix::test]
async fn a_large_first_sync_comes_in_fragments_and_whole() {
    let server = Server::start(|_| {});
    let text: String = (0..40_000).map(|n| format!("{n} ")).collect();
    let mut ann = Editor::open(&server, Dialect::YWebsocket, "d").await;
    ann.save_text(&text).await;
    for dialect in Dialect::BOTH {
        let late = Editor::open(&server, dialect, "d").await;
        assert!(late.socket.fragments > 5, "{} fragments", late.socket.fragments);
        assert_eq!(late.text(), text);
    }
}
