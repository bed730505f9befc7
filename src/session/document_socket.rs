//! A y-websocket or y-sweet socket: the socket is the document.
//!
//! Nothing that a client sends closes it at once: stock clients come back 100 ms after every close,
//! whatever the code. Frames that cannot be read are ignored within a budget.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{debug, info};

use super::part::{Login, OpenError, Part};
use super::socket::{Kind, Socket, push};
use super::{Services, rights};
use crate::access::LoginError;
use crate::fanout::{Close, Outbox, Outlet};
use crate::id::ConnectionId;
use crate::wire::{Dialect, Message, Reply, WireError, y_sweet, y_websocket};

/// Permanent, so that applications that look at codes do not hurry back.
const UNREADABLE: u16 = 4400;
const LOGIN_OVER: u16 = 4401;
const FORBIDDEN: u16 = 4403;

/// RFC 6455: a kind of data that cannot be accepted, and "try again later".
const UNSUPPORTED_DATA: u16 = 1003;
const TRY_AGAIN_LATER: u16 = 1013;

/// One socket that is a document.
#[derive(Debug)]
pub struct DocumentSocket {
    services: Arc<Services>,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    dialect: Dialect,
    decode: fn(Bytes) -> Result<Message, WireError>,
    part: Part,
    unreadable: u32,
}

impl DocumentSocket {
    /// Joins the document; to be done before the upgrade is answered, so that a refusal can be an
    /// HTTP status, which clients back off from.
    ///
    /// # Errors
    /// The document cannot be joined.
    ///
    /// # Panics
    /// The dialect is one whose sockets carry many documents.
    pub async fn open(
        services: Arc<Services>,
        connection: ConnectionId,
        login: Login,
        outbox: Arc<Outbox>,
        dialect: Dialect,
    ) -> Result<Self, OpenError> {
        let decode = match dialect {
            Dialect::YWebsocket => y_websocket::decode,
            Dialect::YSweet => y_sweet::decode,
            Dialect::Hocuspocus { .. } => unreachable!("a Hocuspocus socket is no document"),
        };
        let outlet = || {
            let (outbox, dialect) = (outbox.clone(), dialect.clone());
            Outlet::Socket { outbox, dialect, stalled: false }
        };
        let part = Part::open(&services, connection, login, outlet).await?;
        Ok(Self { services, connection, outbox, dialect, decode, part, unreadable: 0 })
    }

    fn ignore(&mut self, code: u16, reason: &str) -> Result<(), Close> {
        debug!(connection.id = self.connection.0, reason, "frame ignored");
        self.unreadable += 1;
        let max = self.services.config.limits.unreadable_frames_max;
        if self.unreadable <= max {
            return Ok(());
        }
        Err(Close { code, reason: format!("more than {max} frames could not be read: {reason}") })
    }
}

impl Socket for DocumentSocket {
    async fn frame(&mut self, kind: Kind, bytes: Bytes) -> Result<(), Close> {
        if kind == Kind::Text {
            return self.ignore(UNSUPPORTED_DATA, "text messages are not part of this protocol");
        }
        let told = match (self.decode)(bytes) {
            Ok(message) => self.part.tell(message).await,
            Err(e) => Err(e),
        };
        if let Err(e) = told {
            return self.ignore(UNREADABLE, &e.to_string());
        }
        if self.part.is_ended() {
            // The document's own word, if there was one, was put into the outbox before.
            let reason = "the document had to be reopened; what was saved is safe".to_owned();
            return Err(Close { code: TRY_AGAIN_LATER, reason });
        }
        Ok(())
    }

    fn login_deadline(&self) -> Option<Duration> {
        None
    }

    fn filler(&self) -> Option<Dialect> {
        Some(self.dialect.clone())
    }

    async fn review(&mut self) -> Result<(), Close> {
        match self.part.review(&self.services.access).await {
            Ok(Some(level)) if !rights::may_write(level) => {
                let reason = "you may read this document now, not change it".into();
                push(&self.outbox, self.dialect.encode(&Reply::Denied { reason }));
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(e) => {
                info!(connection.id = self.connection.0, reason = %e.for_log(), "session ended");
                let code = if matches!(e, LoginError::Lapsed(_)) { LOGIN_OVER } else { FORBIDDEN };
                Err(Close { code, reason: e.code().into_owned() })
            }
        }
    }

    fn review_at_ms(&self) -> Option<i64> {
        self.part.login().caller().expires_at_ms()
    }

    async fn flush(&self) {
        self.part.flush().await;
    }
}
