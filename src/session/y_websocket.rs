//! A y-websocket socket: the socket is the document.
//!
//! Nothing that a client sends closes it at once: stock clients come back 100 ms after every close,
//! whatever the code. Frames that cannot be read are ignored within a budget.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::debug;

use super::Services;
use super::part::{OpenError, Part};
use super::socket::{Kind, Socket};
use crate::access::Level;
use crate::fanout::{Close, Outbox};
use crate::id::{ConnectionId, DocumentId};
use crate::wire::{Dialect, y_websocket};

/// Permanent, so that applications that look at codes do not hurry back.
const UNREADABLE: u16 = 4400;

/// RFC 6455: a kind of data that cannot be accepted.
const UNSUPPORTED_DATA: u16 = 1003;

/// One y-websocket socket.
#[derive(Debug)]
pub struct YWebsocketSocket {
    connection: ConnectionId,
    part: Part,
    unreadable: u32,
    unreadable_max: u32,
}

impl YWebsocketSocket {
    /// Joins the document; to be done before the upgrade is answered, so that a refusal can be an
    /// HTTP status, which clients back off from.
    ///
    /// # Errors
    /// The document cannot be joined.
    pub async fn open(
        services: &Services,
        connection: ConnectionId,
        document: &DocumentId,
        level: Level,
        outbox: &Arc<Outbox>,
    ) -> Result<Self, OpenError> {
        let dialect = Dialect::YWebsocket;
        let part = Part::open(services, connection, document, level, outbox, dialect).await?;
        let unreadable_max = services.config.limits.unreadable_frames_max;
        Ok(Self { connection, part, unreadable: 0, unreadable_max })
    }

    fn ignore(&mut self, code: u16, reason: &str) -> Result<(), Close> {
        debug!(connection.id = self.connection.0, reason, "frame ignored");
        self.unreadable += 1;
        if self.unreadable <= self.unreadable_max {
            return Ok(());
        }
        let reason =
            format!("more than {} frames could not be read: {reason}", self.unreadable_max);
        Err(Close { code, reason })
    }
}

impl Socket for YWebsocketSocket {
    async fn frame(&mut self, kind: Kind, bytes: Bytes) -> Result<(), Close> {
        if kind == Kind::Text {
            return self.ignore(UNSUPPORTED_DATA, "text messages are not part of this protocol");
        }
        match y_websocket::decode(bytes) {
            Ok(message) => self.part.tell(message).await,
            Err(e) => return self.ignore(UNREADABLE, &e.to_string()),
        }
        if self.part.is_ended() {
            // The document's own word, if there was one, was put into the outbox before.
            let reason = "the document had to be reopened; what was saved is safe".to_owned();
            return Err(Close { code: 1013, reason });
        }
        Ok(())
    }

    fn login_deadline(&self) -> Option<Duration> {
        None
    }

    fn filler(&self) -> Option<Dialect> {
        Some(Dialect::YWebsocket)
    }

    async fn flush(&self) {
        self.part.flush().await;
    }
}
