//! A Hocuspocus socket: many documents on one socket, each under the address its provider uses.
//!
//! Every document is logged into for itself and ends for itself; the socket stays. What closes the
//! socket is a frame without a readable address, and not logging in at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tracing::{debug, info};

use super::part::{Login, Part};
use super::socket::{Kind, Socket, push};
use super::{Services, rights};
use crate::access::{Caller, Credentials, Level, LoginError};
use crate::clock;
use crate::fanout::{Close, Outbox, Outlet};
use crate::id::{ConnectionId, DocumentId, User};
use crate::wire::hocuspocus::{self, Addressed};
use crate::wire::{Dialect, Message, Reply, Text, WireError};

/// The words of the reference server, which applications may compare with.
const RESET_CONNECTION: &str = "Reset Connection";
const PROVIDER_INITIATED: &str = "provider_initiated";
const UNAUTHORIZED_REASON: &str = "Unauthorized";

/// Close codes of this dialect.
const UNAUTHORIZED: u16 = 4401;
const RESET: u16 = 4205;

/// A client is asked for a fresh token when this part of the old one's time is left, and a minute
/// before its end at the latest: time enough to fetch one.
const RENEWAL_SHARE: i64 = 4;
const RENEWAL_MS_MAX: i64 = 60_000;

/// One Hocuspocus socket.
#[derive(Debug)]
pub struct HocuspocusSocket {
    services: Arc<Services>,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    from: Option<IpAddr>,
    /// Whom a trusted proxy has signed in, for the whole socket.
    proxied: Option<User>,
    /// By address as the client writes it.
    parts: BTreeMap<String, Open>,
    /// Addresses that were closed or denied.
    closed: BTreeMap<String, Shut>,
    /// Bytes of what waits in `closed`.
    kept_bytes: usize,
    /// `None` once a document has been opened.
    stranger: Option<Stranger>,
    review_at_ms: Option<i64>,
}

/// One document of the socket.
#[derive(Debug)]
struct Open {
    part: Part,
    /// It was opened by an Auth frame.
    by_token: bool,
    /// When to ask for a fresh token, in unix milliseconds; `None` where that has been done.
    renew_at_ms: Option<i64>,
}

/// A document that was closed or denied. What is sent to it may have been on its way before that, or
/// come ahead of the token with which the client tries again.
#[derive(Debug)]
struct Shut {
    reopener: Reopener,
    /// The newest step 1 and the newest awareness, for a login that is accepted.
    step_1: Option<Message>,
    awareness: Option<Message>,
}

/// Bytes that wait for logins on one socket; what is beyond is dropped.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// What opens a document again that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reopener {
    /// A login.
    Token,
    /// Also a step 1: the provider is one of 2.x without a token, which sends nothing else, and after
    /// its close one more awareness frame.
    Step1,
}

/// A socket that has opened no document may send a little, for a short time.
#[derive(Debug)]
struct Stranger {
    deadline: Duration,
    frames: u32,
    bytes: usize,
}

impl Open {
    fn new(part: Part, by_token: bool) -> Self {
        let renew_at_ms = renewal(part.login().caller());
        Self { part, by_token, renew_at_ms }
    }

    fn review_at_ms(&self) -> Option<i64> {
        let expires_at_ms = self.part.login().caller().expires_at_ms();
        self.renew_at_ms.into_iter().chain(expires_at_ms).min()
    }
}

/// When to ask for a fresh token.
fn renewal(caller: &Caller) -> Option<i64> {
    let expires_at_ms = caller.expires_at_ms().filter(|_| caller.can_be_renewed())?;
    let lifetime_ms = expires_at_ms.saturating_sub(caller.shown_at_ms());
    Some(expires_at_ms - (lifetime_ms / RENEWAL_SHARE).min(RENEWAL_MS_MAX))
}

impl HocuspocusSocket {
    /// A socket that has not logged in anywhere.
    pub fn new(
        services: Arc<Services>,
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        from: Option<IpAddr>,
        proxied: Option<User>,
    ) -> Self {
        let deadline = Duration::from_millis(services.config.timing.login_timeout_ms);
        Self {
            services,
            connection,
            outbox,
            from,
            proxied,
            parts: BTreeMap::new(),
            closed: BTreeMap::new(),
            kept_bytes: 0,
            stranger: Some(Stranger { deadline, frames: 0, bytes: 0 }),
            review_at_ms: None,
        }
    }

    async fn message(&mut self, address: Text, message: Message) -> Result<(), Close> {
        self.forget_if_ended(&address);
        match message {
            Message::Token { token, .. } => {
                if self.parts.contains_key(address.as_str()) {
                    self.renew(&address, &token).await;
                } else {
                    self.log_in(&address, Some(token.as_str())).await;
                }
            }
            Message::Close => {
                match self.parts.remove(address.as_str()) {
                    // It does not know the answer.
                    Some(open) if !open.by_token => {
                        self.remember_closed(&address, Reopener::Step1);
                    }
                    Some(_) => self.close_document(&address, PROVIDER_INITIATED),
                    None => {}
                }
            }
            message => {
                let Some(part) = self.part(&address, &message).await else { return Ok(()) };
                if let Err(e) = part.tell(message).await {
                    return self.unreadable(&address, &e);
                }
            }
        }
        Ok(())
    }

    /// The session for an address. Providers of 2.x without a token send no Auth frame: their first
    /// other frame is an anonymous login.
    async fn part(&mut self, address: &Text, message: &Message) -> Option<&mut Part> {
        let plain = hocuspocus::name_of(address);
        let known = [address.as_str(), plain].into_iter().find(|key| self.parts.contains_key(*key));
        let key = match known {
            Some(key) => key,
            None => {
                let is_step_1 = matches!(message, Message::SyncStep1 { .. });
                match self.closed.get(address.as_str()).map(|shut| shut.reopener) {
                    None => {}
                    Some(Reopener::Step1) if is_step_1 => {}
                    Some(_) => {
                        self.keep(address, message);
                        return None;
                    }
                }
                self.log_in(address, None).await;
                address.as_str()
            }
        };
        self.parts.get_mut(key).map(|open| &mut open.part)
    }

    /// Remembers what a client says ahead of its token.
    fn keep(&mut self, address: &Text, message: &Message) {
        let Some(shut) = self.closed.get_mut(address.as_str()) else { return };
        // Copies: what was read are views into whole frames.
        let (slot, message) = match message {
            Message::SyncStep1 { state_vector } => {
                let state_vector = Bytes::copy_from_slice(state_vector);
                (&mut shut.step_1, Message::SyncStep1 { state_vector })
            }
            Message::Awareness { body } => {
                let body = Bytes::copy_from_slice(body);
                (&mut shut.awareness, Message::Awareness { body })
            }
            _ => return,
        };
        self.kept_bytes -= slot.take().as_ref().map_or(0, Message::len);
        if self.kept_bytes + message.len() <= KEPT_BYTES_MAX {
            self.kept_bytes += message.len();
            *slot = Some(message);
        }
    }

    /// Takes back what was remembered.
    fn unshut(&mut self, address: &Text) -> Vec<Message> {
        let shut = self.closed.remove(address.as_str());
        let kept = shut.into_iter().flat_map(|shut| [shut.step_1, shut.awareness]);
        let kept: Vec<Message> = kept.flatten().collect();
        self.kept_bytes -= kept.iter().map(Message::len).sum::<usize>();
        kept
    }

    /// `token` is what stood in the Auth frame, if there was one.
    async fn log_in(&mut self, address: &Text, token: Option<&str>) {
        let kept = self.unshut(address);
        match self.let_in(address, token.unwrap_or_default()).await {
            Ok(login) => {
                self.open(address, login, token.is_some()).await;
                if let Some(open) = self.parts.get_mut(address.as_str()) {
                    for message in kept {
                        if let Err(e) = open.part.tell(message).await {
                            debug!(connection.id = self.connection.0, reason = %e, "not read");
                        }
                    }
                }
            }
            Err(e) => {
                self.services.metrics.refused.inc();
                let (from, reason) = (self.from, e.for_log());
                info!(connection.id = self.connection.0, client.address = ?from, reason, "login denied");
                self.deny(address, &e.code());
            }
        }
    }

    async fn let_in(&self, address: &Text, token: &str) -> Result<Login, LoginError> {
        // A blank name is nobody's document.
        let document = DocumentId::parse(hocuspocus::name_of(address));
        let document = document.map_err(|_| LoginError::Forbidden)?;
        let caller = self.identify(token).await?;
        Login::new(&self.services.access, Arc::new(caller), document)
    }

    async fn identify(&self, token: &str) -> Result<Caller, LoginError> {
        let access = &self.services.access;
        access.knock(self.from)?;
        let (token, proxied) = (Some(token.to_owned()), self.proxied.clone());
        access.identify(Credentials { token, proxied }).await
    }

    async fn open(&mut self, address: &Text, login: Login, by_token: bool) {
        let max = self.services.config.limits.connection_documents_max;
        if self.parts.len() >= max {
            return self.deny(address, &format!("a socket may open {max} documents at most"));
        }
        self.stranger = None;
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        let scope = rights::scope(login.level());
        push(&self.outbox, dialect.encode(&Reply::Authenticated { scope }));
        let outlet = || {
            let (outbox, dialect) = (self.outbox.clone(), dialect.clone());
            Outlet::Socket { outbox, dialect, stalled: false }
        };
        match Part::open(&self.services, self.connection, login, outlet).await {
            Ok(part) => {
                self.parts.insert(address.as_str().to_owned(), Open::new(part, by_token));
                self.set_review();
            }
            Err(e) => self.deny(address, &e.to_string()),
        }
    }

    /// A fresh token for an open document; one that is not accepted closes it.
    async fn renew(&mut self, address: &Text, token: &Text) {
        let renewed = match self.identify(token.as_str()).await {
            Ok(caller) => {
                let Some(open) = self.parts.get_mut(address.as_str()) else { return };
                let before = open.part.login().caller().expires_at_ms();
                let renewed = open.part.renew(&self.services.access, Arc::new(caller)).await;
                let caller = open.part.login().caller();
                // Whoever sends the old token again has no other.
                let is_fresh = caller.expires_at_ms() > before;
                open.renew_at_ms = renewal(caller).filter(|_| is_fresh);
                renewed
            }
            Err(e) => Err(e),
        };
        match renewed {
            // An accepted token gets no answer of its own.
            Ok(None) => {}
            Ok(Some(level)) => self.tell_scope(address, level),
            // That says nothing about the token; the old one still holds.
            Err(e @ (LoginError::TooOften | LoginError::Unavailable(_))) => {
                info!(connection.id = self.connection.0, reason = %e.for_log(), "token not checked");
            }
            Err(e) => {
                info!(connection.id = self.connection.0, reason = %e.for_log(), "token refused");
                self.parts.remove(address.as_str());
                if let LoginError::Lapsed(_) = e {
                    self.deny(address, &e.code());
                    self.close_document(address, &e.code());
                } else {
                    self.close_document(address, UNAUTHORIZED_REASON);
                }
            }
        }
        self.set_review();
    }

    fn tell_scope(&self, address: &Text, level: Level) {
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        let scope = rights::scope(level);
        push(&self.outbox, dialect.encode(&Reply::Authenticated { scope }));
    }

    fn deny(&mut self, address: &Text, reason: &str) {
        self.remember_closed(address, Reopener::Token);
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        push(&self.outbox, dialect.encode(&Reply::Denied { reason: reason.into() }));
    }

    fn close_document(&mut self, address: &Text, reason: &str) {
        self.remember_closed(address, Reopener::Token);
        let dialect = Dialect::Hocuspocus { address: address.clone() };
        push(&self.outbox, dialect.encode(&Reply::Closed { reason: reason.into() }));
    }

    fn remember_closed(&mut self, address: &Text, reopener: Reopener) {
        if self.closed.contains_key(address.as_str()) {
            return;
        }
        if self.closed.len() < self.services.config.limits.connection_documents_max {
            let shut = Shut { reopener, step_1: None, awareness: None };
            self.closed.insert(address.as_str().to_owned(), shut);
        }
    }

    /// The document has ended this session and told the client so.
    fn forget_if_ended(&mut self, address: &Text) {
        if self.parts.get(address.as_str()).is_some_and(|open| open.part.is_ended()) {
            self.parts.remove(address.as_str());
            self.remember_closed(address, Reopener::Token);
        }
    }

    fn set_review(&mut self) {
        self.review_at_ms = self.parts.values().filter_map(Open::review_at_ms).min();
    }

    /// Something with a readable address and an unreadable body.
    fn unreadable(&mut self, address: &Text, e: &WireError) -> Result<(), Close> {
        debug!(connection.id = self.connection.0, reason = %e, "frame could not be read");
        if self.parts.remove(address.as_str()).is_some() {
            self.close_document(address, RESET_CONNECTION);
            return Ok(());
        }
        Err(reset())
    }

    /// Counts what a socket sends that has not opened a document.
    fn count_stranger(&mut self, bytes: usize) -> Result<(), Close> {
        let Some(stranger) = &mut self.stranger else { return Ok(()) };
        let limits = &self.services.config.limits;
        stranger.frames += 1;
        stranger.bytes += bytes;
        let over = stranger.frames > limits.unauthenticated_frames_max
            || stranger.bytes > limits.unauthenticated_bytes_max
            || self.closed.len() > limits.unauthenticated_documents_max;
        if over { Err(reset()) } else { Ok(()) }
    }
}

fn reset() -> Close {
    Close { code: RESET, reason: RESET_CONNECTION.to_owned() }
}

impl Socket for HocuspocusSocket {
    async fn frame(&mut self, _: Kind, bytes: Bytes) -> Result<(), Close> {
        let bytes_len = bytes.len();
        let Addressed { address, message } = hocuspocus::decode(bytes).map_err(|e| {
            debug!(connection.id = self.connection.0, reason = %e, "frame has no address");
            Close { code: UNAUTHORIZED, reason: UNAUTHORIZED_REASON.to_owned() }
        })?;
        self.count_stranger(bytes_len)?;
        match message {
            Ok(message) => return self.message(address, message).await,
            Err(WireError::UnknownType { .. }) => {}
            Err(e) => return self.unreadable(&address, &e),
        }
        Ok(())
    }

    fn login_deadline(&self) -> Option<Duration> {
        self.stranger.as_ref().map(|stranger| stranger.deadline)
    }

    fn filler(&self) -> Option<Dialect> {
        let address = self.parts.keys().next()?;
        Some(Dialect::Hocuspocus { address: address.as_str().into() })
    }

    async fn review(&mut self) -> Result<(), Close> {
        let services = self.services.clone();
        let now_ms = clock::unix_ms();
        let mut over = Vec::new();
        for (key, open) in &mut self.parts {
            let address = Text::from(key.as_str());
            let dialect = Dialect::Hocuspocus { address: address.clone() };
            match open.part.review(&services.access).await {
                Ok(None) => {}
                Ok(Some(level)) => {
                    let scope = rights::scope(level);
                    push(&self.outbox, dialect.encode(&Reply::Authenticated { scope }));
                }
                Err(e) => {
                    over.push((address, e));
                    continue;
                }
            }
            if open.renew_at_ms.is_some_and(|at| at <= now_ms) {
                open.renew_at_ms = None;
                push(&self.outbox, dialect.encode(&Reply::TokenWanted));
            }
        }
        for (address, e) in over {
            info!(connection.id = self.connection.0, reason = %e.for_log(), "session ended");
            self.parts.remove(address.as_str());
            self.deny(&address, &e.code());
            self.close_document(&address, &e.code());
        }
        self.set_review();
        Ok(())
    }

    fn review_at_ms(&self) -> Option<i64> {
        self.review_at_ms
    }

    async fn flush(&self) {
        join_all(self.parts.values().map(|open| open.part.flush())).await;
    }
}
