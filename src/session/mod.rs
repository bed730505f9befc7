//! One socket: reads frames, asks for rights, hands messages to documents, writes replies.
//!
//! A connection is one socket; a session is its part in one document. The reader awaits whatever it
//! hands over, so a document that is busy slows down the sockets that fill it and nobody else.

mod document_socket;
mod exchange;
mod frames;
mod heartbeat;
mod hocuspocus;
mod incoming;
mod pace;
mod part;
mod recorder;
mod rights;
mod socket;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Addr;
use tokio::sync::watch;

use crate::access::Access;
use crate::config::Config;
use crate::hub::Hub;
use crate::id::{ConnectionId, SessionId};
use crate::metrics::Metrics;

pub use document_socket::DocumentSocket;
pub use exchange::{ExchangeError, apply_update, read_state};
pub use hocuspocus::HocuspocusSocket;
pub use incoming::Budget;
pub use part::{Login, OpenError, Part};
pub use recorder::{RecordError, Recorder};
pub use socket::{Connection, Socket, refuse, serve};

/// What every connection of a server shares.
#[derive(Debug)]
pub struct Services {
    /// Finds documents.
    pub hub: Addr<Hub>,
    /// Decides who may what.
    pub access: Access,
    /// Limits and intervals.
    pub config: Config,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// True once the server is ending.
    pub stopping: watch::Receiver<bool>,
    /// Memory for large frames.
    pub frames: Budget,
    connections: AtomicU64,
    sessions: AtomicU64,
}

impl Services {
    /// For a server that has just been put together.
    pub fn new(
        hub: Addr<Hub>,
        access: Access,
        config: Config,
        metrics: Arc<Metrics>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (connections, sessions) = (AtomicU64::new(0), AtomicU64::new(0));
        let frame_timeout = Duration::from_millis(config.timing.frame_timeout_ms);
        let frames = Budget::new(config.limits.large_frames_bytes_max, frame_timeout);
        Self { hub, access, config, metrics, stopping, frames, connections, sessions }
    }

    /// A number for a new socket.
    pub fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
