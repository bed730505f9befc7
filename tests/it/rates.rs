//! A socket that sends too fast is read more slowly; nothing of it is refused, and nobody else waits.

use coscribe::config::Limits;
use tokio::time::{Duration, Instant};

use crate::support::{Dialect, Editor, Server};

/// A bucket holds this many seconds' worth at the start.
const BURST_S: u32 = 4;

#[actix::test]
async fn over_its_rate_a_socket_is_read_more_slowly_and_loses_nothing() {
    type Set = fn(&mut Limits);
    // Messages a second and bytes of text in each. Every case is half a second over the burst.
    let cases: [(Set, u32, usize); 2] = [
        (|limits| limits.connection_messages_per_s_max = 40, 40, 1),
        (|limits| limits.connection_bytes_per_s_max = 40_000, 40, 1_000),
    ];
    for (set, per_s, word_len) in cases {
        let server = Server::start(|config| set(&mut config.limits));
        let mut neighbour = Editor::open(&server, Dialect::YWebsocket, "d").await;
        let mut hasty = Editor::open(&server, Dialect::Hocuspocus, "d").await;
        let words = (BURST_S * per_s + per_s / 2) as usize;
        let started = Instant::now();
        for _ in 0..words {
            hasty.type_text(&"x".repeat(word_len)).await;
        }
        // The neighbour has not used anything of its own burst.
        neighbour.save_text("!").await;
        let neighbour_waited = started.elapsed();
        hasty.saved().await;
        let hasty_waited = started.elapsed();
        neighbour.until(|editor| editor.text().len() == words * word_len + 1).await;
        assert!(hasty_waited > Duration::from_millis(400), "{hasty_waited:?}");
        assert!(neighbour_waited < hasty_waited, "{neighbour_waited:?} {hasty_waited:?}");
    }
}
