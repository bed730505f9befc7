//! Whether the peer is still there, and what stock clients need to stay.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::config::Timing;
use crate::wire::{Dialect, Frame, Reply, awareness};

/// Shared by the reader and the writer of one socket, which live on one thread.
#[derive(Debug)]
pub(super) struct Heartbeat {
    clock: Clock,
    ping_interval: Duration,
    peer_timeout: Duration,
    filler_interval: Duration,
    heard_at: Cell<Duration>,
    wrote_at: Cell<Duration>,
    /// In which the filler is said; `None` while no document is open.
    filler: RefCell<Option<Dialect>>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing has come for too long.
    Dead,
    /// Ask for a sign of life, and say something where the client needs to hear it.
    Alive(Option<Frame>),
}

impl Heartbeat {
    /// `filler_interval` is for the dialect of the socket.
    pub(super) fn new(timing: &Timing, filler_interval: Duration) -> Self {
        Self {
            clock: Clock::new(),
            ping_interval: Duration::from_millis(timing.ping_interval_ms),
            peer_timeout: Duration::from_millis(timing.peer_timeout_ms),
            filler_interval,
            heard_at: Cell::default(),
            wrote_at: Cell::default(),
            filler: RefCell::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(super) fn heard(&self) {
        self.heard_at.set(self.clock.now());
    }

    pub(super) fn wrote(&self) {
        self.wrote_at.set(self.clock.now());
    }

    /// Says under which document the client can be kept awake.
    pub(super) fn set_filler(&self, dialect: Option<Dialect>) {
        *self.filler.borrow_mut() = dialect;
    }

    /// How often [`Heartbeat::beat`] wants to be asked.
    pub(super) fn interval(&self) -> Duration {
        self.ping_interval.min(self.filler_interval)
    }

    /// Stock clients reconnect when no *message* came for 30 s; pings do not count for them. An
    /// awareness frame without entries changes nothing anywhere.
    pub(super) fn beat(&self) -> Beat {
        let now = self.clock.now();
        if now.saturating_sub(self.heard_at.get()) >= self.peer_timeout {
            return Beat::Dead;
        }
        if now.saturating_sub(self.wrote_at.get()) < self.filler_interval {
            return Beat::Alive(None);
        }
        let body: Bytes = awareness::encode([].iter());
        let filler = self.filler.borrow();
        Beat::Alive(filler.as_ref().and_then(|d| d.encode(&Reply::Awareness { body })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_dead_and_an_idle_client_is_kept_awake() {
        let timing = Timing::default();
        let filler_interval = Duration::from_millis(timing.filler_interval_ms);
        let heartbeat = Heartbeat::new(&timing, filler_interval);
        assert_eq!(heartbeat.beat(), Beat::Alive(None));
        heartbeat.set_filler(Some(Dialect::YWebsocket));
        tokio::time::advance(Duration::from_millis(timing.filler_interval_ms)).await;
        let Beat::Alive(Some(filler)) = heartbeat.beat() else { panic!("a filler was expected") };
        assert_eq!(filler.head.as_ref(), [1, 1, 0]);
        heartbeat.wrote();
        assert_eq!(heartbeat.beat(), Beat::Alive(None));
        tokio::time::advance(Duration::from_millis(timing.peer_timeout_ms)).await;
        assert_eq!(heartbeat.beat(), Beat::Dead);
        heartbeat.heard();
        assert!(matches!(heartbeat.beat(), Beat::Alive(Some(_))));
    }
}
