//! A Hocuspocus socket: many documents on one socket, each under the address its provider uses.
//!
//! Every document is logged into for itself and ends for itself; the socket stays. What closes the
//! socket is a frame without a readable address, and not logging in at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tracing::debug;

use super::part::Part;
use super::socket::{Kind, Socket, push};
use super::{Services, rights};
use crate::access::Level;
use crate::fanout::{Close, Outbox};
use crate::id::{ConnectionId, DocumentId};
use crate::wire::hocuspocus::{self, Addressed};
use crate::wire::{Dialect, Message, Reply, Text, WireError};

/// The words of the reference server, which applications may compare with.
const PERMISSION_DENIED: &str = "permission-denied";
const RESET_CONNECTION: &str = "Reset Connection";
const PROVIDER_INITIATED: &str = "provider_initiated";

/// Close codes of this dialect.
const UNAUTHORIZED: u16 = 4401;
const RESET: u16 = 4205;

/// One Hocuspocus socket.
#[derive(Debug)]
pub struct HocuspocusSocket {
    services: Arc<Services>,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    /// By address as the client writes it.
    parts: BTreeMap<String, Part>,
    /// Addresses that were closed; only an Auth frame opens them again, not a frame that was
    /// already on its way.
    closed: BTreeSet<String>,
    login_deadline: Option<Duration>,
}

impl HocuspocusSocket {
    /// A socket that has not logged in anywhere.
    pub fn new(services: Arc<Services>, connection: ConnectionId, outbox: Arc<Outbox>) -> Self {
        let deadline = Duration::from_millis(services.config.timing.login_timeout_ms);
        Self {
            services,
            connection,
            outbox,
            parts: BTreeMap::new(),
            closed: BTreeSet::new(),
            login_deadline: Some(deadline),
        }
    }

    async fn message(&mut self, address: Text, message: Message) {
        self.forget_if_ended(&address);
        match message {
            Message::Token { .. } => {
                self.closed.remove(address.as_str());
                // A fresh token for an open document gets no answer when it is accepted.
                if !self.parts.contains_key(address.as_str()) {
                    self.login(&address).await;
                }
            }
            Message::Close => {
                if self.parts.remove(address.as_str()).is_some() {
                    self.close_document(&address, PROVIDER_INITIATED);
                }
            }
            message => {
                if let Some(part) = self.part(&address).await {
                    part.tell(message).await;
                }
            }
        }
    }

    /// The session for an address. Providers of 2.x without a token send no Auth frame: their first
    /// other frame is an anonymous login.
    async fn part(&mut self, address: &Text) -> Option<&mut Part> {
        let plain = hocuspocus::name_of(address);
        let known = [address.as_str(), plain].into_iter().find(|key| self.parts.contains_key(*key));
        let key = match known {
            Some(key) => key,
            None if self.closed.contains(address.as_str()) => return None,
            None => {
                self.login(address).await;
                address.as_str()
            }
        };
        self.parts.get_mut(key)
    }

    async fn login(&mut self, address: &Text) {
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        let Ok(document) = DocumentId::parse(hocuspocus::name_of(address)) else {
            return self.deny(&dialect, address, PERMISSION_DENIED);
        };
        let level = self.services.access.anonymous_level(&document);
        if level == Level::None {
            self.services.metrics.refused.inc();
            return self.deny(&dialect, address, PERMISSION_DENIED);
        }
        let max = self.services.config.limits.connection_documents_max;
        if self.parts.len() >= max {
            let reason = format!("a socket may open {max} documents at most");
            return self.deny(&dialect, address, &reason);
        }
        self.login_deadline = None;
        let scope = rights::scope(level);
        push(&self.outbox, dialect.encode(&Reply::Authenticated { scope }));
        let (services, outbox) = (&self.services, &self.outbox);
        let opened =
            Part::open(services, self.connection, &document, level, outbox, dialect.clone()).await;
        match opened {
            Ok(part) => {
                self.parts.insert(address.as_str().to_owned(), part);
            }
            Err(e) => self.deny(&dialect, address, &e.to_string()),
        }
    }

    fn deny(&mut self, dialect: &Dialect, address: &Text, reason: &str) {
        debug!(connection.id = self.connection.0, reason, "login denied");
        self.remember_closed(address);
        push(&self.outbox, dialect.encode(&Reply::Denied { reason: reason.into() }));
    }

    fn close_document(&mut self, address: &Text, reason: &str) {
        self.remember_closed(address);
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        push(&self.outbox, dialect.encode(&Reply::Closed { reason: reason.into() }));
    }

    fn remember_closed(&mut self, address: &Text) {
        if self.closed.len() < self.services.config.limits.connection_documents_max {
            self.closed.insert(address.as_str().to_owned());
        }
    }

    /// The document has ended this session and told the client so.
    fn forget_if_ended(&mut self, address: &Text) {
        if self.parts.get(address.as_str()).is_some_and(Part::is_ended) {
            self.parts.remove(address.as_str());
            self.remember_closed(address);
        }
    }

    /// Something with a readable address and an unreadable body.
    fn unreadable(&mut self, address: &Text, e: &WireError) -> Result<(), Close> {
        debug!(connection.id = self.connection.0, reason = %e, "frame could not be read");
        if self.parts.remove(address.as_str()).is_some() {
            self.close_document(address, RESET_CONNECTION);
            return Ok(());
        }
        Err(Close { code: RESET, reason: RESET_CONNECTION.to_owned() })
    }
}

impl Socket for HocuspocusSocket {
    async fn frame(&mut self, _: Kind, bytes: Bytes) -> Result<(), Close> {
        let Addressed { address, message } = hocuspocus::decode(bytes).map_err(|e| {
            debug!(connection.id = self.connection.0, reason = %e, "frame has no address");
            Close { code: UNAUTHORIZED, reason: "Unauthorized".to_owned() }
        })?;
        match message {
            Ok(message) => self.message(address, message).await,
            Err(WireError::UnknownType { .. }) => {}
            Err(e) => return self.unreadable(&address, &e),
        }
        Ok(())
    }

    fn login_deadline(&self) -> Option<Duration> {
        self.login_deadline
    }

    fn filler(&self) -> Option<Dialect> {
        let address = self.parts.keys().next()?;
        Some(Dialect::Hocuspocus { address: address.as_str().into() })
    }

    async fn flush(&self) {
        join_all(self.parts.values().map(Part::flush)).await;
    }
}
