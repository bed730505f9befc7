//! The read loop of one socket, whatever its dialect.

use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::guard::{Fault, Passage};
use super::heartbeat::Heartbeat;
use super::pace::Pace;
use super::{Services, writer};
use crate::clock;
use crate::fanout::{Close, Outbox};
use crate::id::ConnectionId;
use crate::wire::{Dialect, Frame};

/// RFC 6455 close codes.
const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const TOO_BIG: u16 = 1009;
const RESTARTING: u16 = 1012;

/// As Hocuspocus says it.
const RESET: u16 = 4205;
const CONNECTION_TIMEOUT: u16 = 4408;

/// What a dialect does with the frames of one socket.
pub trait Socket {
    /// Takes one message. Returning a [`Close`] ends the socket.
    fn frame(&mut self, kind: Kind, bytes: Bytes) -> impl Future<Output = Result<(), Close>>;

    /// Ends the socket if it has not logged in by now; `None` where there is no deadline (left).
    fn login_deadline(&self) -> Option<Duration>;

    /// Under which document idle clients of this socket can be kept awake.
    fn filler(&self) -> Option<Dialect>;

    /// Asks again what the callers on this socket may do, and tells those for whom it has changed.
    /// Returning a [`Close`] ends the socket.
    fn review(&mut self) -> impl Future<Output = Result<(), Close>>;

    /// When a review is due although nobody changed anything, in unix milliseconds.
    fn review_at_ms(&self) -> Option<i64>;

    /// Waits until everything that came by this socket is in the log, or will not get there.
    fn flush(&self) -> impl Future<Output = ()>;
}

/// The kind of a WebSocket message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As all dialects use it.
    Binary,
    /// UTF-8, which some clients send beside their protocol.
    Text,
}

/// A socket that has been opened.
pub struct Connection {
    /// Counted by the server.
    pub id: ConnectionId,
    /// What waits to be written.
    pub outbox: Arc<Outbox>,
    /// The writing half.
    pub socket: actix_ws::Session,
    /// The reading half.
    pub stream: AggregatedMessageStream,
    /// Shared with the guard in front of `stream`.
    pub passage: Passage,
}

/// Serves one socket until either side ends it.
pub async fn run(services: Arc<Services>, connection: Connection, dialect: impl Socket) {
    let Connection { id, outbox, socket, stream, passage } = connection;
    let timing = &services.config.timing;
    let filler_interval_ms = match dialect.filler() {
        Some(Dialect::YSweet) => timing.y_sweet_filler_interval_ms,
        _ => timing.filler_interval_ms,
    };
    let filler_interval = Duration::from_millis(filler_interval_ms);
    let heartbeat = Rc::new(Heartbeat::new(timing, filler_interval));
    let metrics = services.metrics.clone();
    metrics.connections.inc();
    let writing = writer::write(socket.clone(), outbox.clone(), heartbeat.clone(), metrics.clone());
    let mut writing = pin!(writing);
    let mut changes = services.access.changes();
    // What has changed since the login was looked at is not missed.
    changes.mark_changed();
    let mut reader =
        Reader { services, outbox, socket, stream, passage, dialect, heartbeat, changes };
    tokio::select! {
        end = reader.read() => {
            let Reader { services, outbox, dialect, .. } = reader;
            let End { close, cut } = end;
            debug!(connection.id = id.0, close.code = close.code, close.reason, "socket is closing");
            // It leaves its documents now, however long the peer takes to read the end.
            drop(dialect);
            if cut {
                outbox.cut(close);
            } else {
                outbox.close(close);
            }
            let patience = Duration::from_millis(services.config.timing.shutdown_timeout_ms);
            if timeout(patience, &mut writing).await.is_err() {
                outbox.abandon();
            }
        }
        () = &mut writing => debug!(connection.id = id.0, "socket has closed"),
    }
    metrics.connections.dec();
}

/// How reading ended.
struct End {
    close: Close,
    /// What is queued is not for the peer any more.
    cut: bool,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self { close, cut: false }
    }
}

struct Reader<D> {
    services: Arc<Services>,
    outbox: Arc<Outbox>,
    socket: actix_ws::Session,
    stream: AggregatedMessageStream,
    passage: Passage,
    dialect: D,
    heartbeat: Rc<Heartbeat>,
    changes: watch::Receiver<()>,
}

impl<D: Socket> Reader<D> {
    /// Reads until the peer leaves, misbehaves, or the server ends; says how to close.
    async fn read(&mut self) -> End {
        let limits = &self.services.config.limits;
        let now = self.heartbeat.now();
        let mut messages = Pace::new(limits.connection_messages_per_s_max, now);
        let mut bytes_read = Pace::new(limits.connection_bytes_per_s_max, now);
        let mut stopping = self.services.stopping.clone();
        loop {
            self.heartbeat.set_filler(self.dialect.filler());
            let deadline = self.dialect.login_deadline();
            if deadline.is_none() {
                self.passage.let_in();
            }
            let message = tokio::select! {
                // However fast the peer sends, the end and a review come first.
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return self.stop().await.into(),
                () = due(&mut self.changes, self.dialect.review_at_ms()) => {
                    match self.review().await {
                        Ok(()) => continue,
                        Err(end) => return end,
                    }
                }
                () = until(deadline, &self.heartbeat) => {
                    return close(CONNECTION_TIMEOUT, "Connection Timeout").into();
                }
                message = self.stream.recv() => message,
            };
            self.heartbeat.heard();
            let (kind, bytes) = match message {
                None => return close(NORMAL, "").into(),
                Some(Err(e)) => return fault(&e, self.passage.fault()).into(),
                Some(Ok(AggregatedMessage::Close(reason))) => return echo(reason).into(),
                Some(Ok(AggregatedMessage::Pong(_))) => continue,
                Some(Ok(AggregatedMessage::Ping(payload))) => {
                    let mut socket = self.socket.clone();
                    match self.meanwhile(socket.pong(&payload)).await {
                        Ok(Ok(())) => continue,
                        Ok(Err(_)) => return close(NORMAL, "").into(),
                        Err(end) => return end,
                    }
                }
                Some(Ok(AggregatedMessage::Binary(bytes))) => (Kind::Binary, bytes),
                Some(Ok(AggregatedMessage::Text(text))) => (Kind::Text, text.into_bytes()),
            };
            self.services.metrics.messages_received.inc();
            self.services.metrics.bytes_received.inc_by(bytes.len() as u64);
            let now = self.heartbeat.now();
            let wait = messages.take(1.0, now).max(bytes_read.take(bytes.len() as f64, now));
            if let Err(close) = self.dialect.frame(kind, bytes).await {
                return close.into();
            }
            self.passage.handled();
            let outbox = self.outbox.clone();
            let pause = async {
                // Replies to what the peer sends must not pile up: it is read as fast as it reads.
                outbox.has_room().await;
                if !wait.is_zero() {
                    sleep(wait).await;
                }
            };
            if let Err(end) = self.meanwhile(pause).await {
                return end;
            }
        }
    }

    /// Waits for something; meanwhile the peer may lose its rights.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                () = due(&mut self.changes, self.dialect.review_at_ms()) => self.review().await?,
                done = &mut work => return Ok(done),
            }
        }
    }

    async fn review(&mut self) -> Result<(), End> {
        self.dialect.review().await.map_err(|close| End { close, cut: true })
    }

    /// The server is ending: what was read gets into the log first.
    async fn stop(&self) -> Close {
        self.dialect.flush().await;
        close(RESTARTING, "the server is restarting; everything that was saved is safe")
    }
}

/// Ready when what callers may do has to be asked again.
pub(super) async fn due(changes: &mut watch::Receiver<()>, at_ms: Option<i64>) {
    let expiry = async {
        match at_ms {
            Some(at_ms) => {
                let left_ms = u64::try_from(at_ms.saturating_sub(clock::unix_ms())).unwrap_or(0);
                // One more, so that it is past when it is looked at.
                sleep(Duration::from_millis(left_ms + 1)).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        changed = changes.changed() => {
            if changed.is_err() {
                // Nothing changes any more while the server ends.
                std::future::pending::<()>().await;
            }
        }
        () = expiry => {}
    }
}

/// Never, where there is no deadline.
async fn until(deadline: Option<Duration>, heartbeat: &Heartbeat) {
    match deadline {
        Some(deadline) => sleep(deadline.saturating_sub(heartbeat.now())).await,
        None => std::future::pending().await,
    }
}

/// Closes as the peer asked, with its own code where that may stand in a close frame.
fn echo(reason: Option<actix_ws::CloseReason>) -> Close {
    let code = reason.map_or(NORMAL, |reason| u16::from(reason.code));
    close(if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) { code } else { NORMAL }, "")
}

fn fault(e: &ProtocolError, noted: Option<Fault>) -> Close {
    match (noted, e) {
        (Some(Fault::TooBig), _) | (None, ProtocolError::Overflow) => {
            close(TOO_BIG, "Message Too Big")
        }
        (Some(Fault::Stranger), _) => close(RESET, "Reset Connection"),
        (Some(Fault::TooSlow), _) => close(CONNECTION_TIMEOUT, "Connection Timeout"),
        (Some(Fault::ReservedBits), _) => close(PROTOCOL_ERROR, "reserved bits are set"),
        (None, ProtocolError::Io(e)) if e.kind() == ErrorKind::InvalidData => {
            close(INVALID_DATA, "a text message must be UTF-8")
        }
        // The connection is broken; nobody hears this.
        (None, ProtocolError::Io(_)) => close(NORMAL, ""),
        (None, e) => close(PROTOCOL_ERROR, &e.to_string()),
    }
}

fn close(code: u16, reason: &str) -> Close {
    Close { code, reason: reason.to_owned() }
}

/// Queues a frame where the dialect has one.
pub(super) fn push(outbox: &Outbox, frame: Option<Frame>) {
    if let Some(frame) = frame {
        outbox.push(frame);
    }
}
