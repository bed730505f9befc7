//! The read loop of one socket, whatever its dialect.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Services;
use super::frames::{Event, Fault};
use super::heartbeat::Heartbeat;
use super::incoming::{self, Incoming};
use super::pace::Pace;
use super::writer::Writer;
use crate::clock;
use crate::config::Config;
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

/// How long a peer that was told that it is over may go on talking.
const FAREWELL: Duration = Duration::from_secs(1);

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

/// A socket that has been let in.
pub struct Connection {
    /// Counted by the server.
    pub id: ConnectionId,
    /// What waits to be written.
    pub outbox: Arc<Outbox>,
    /// The socket itself.
    pub socket: TcpStream,
    /// The answer to the request, which is still to be written.
    pub answer: Bytes,
    /// What was read together with the request.
    pub early: Bytes,
}

/// Serves one socket until either side ends it; `place` is dropped then.
///
/// What an idle socket costs is mostly the size of this future: what is moved inside a future takes
/// up room at both places, so the parts are put together here and used there where they lie.
pub fn serve<D: Socket>(
    services: Arc<Services>,
    connection: Connection,
    dialect: D,
    place: impl Sized,
) -> impl Future<Output = ()> {
    let Connection { id, outbox, socket, answer, early } = connection;
    let Config { timing, limits, .. } = &services.config;
    let filler_interval_ms = match dialect.filler() {
        Some(Dialect::YSweet) => timing.y_sweet_filler_interval_ms,
        _ => timing.filler_interval_ms,
    };
    let heartbeat = Heartbeat::new(timing, Duration::from_millis(filler_interval_ms));
    let patience = Duration::from_millis(timing.shutdown_timeout_ms);
    let mut incoming = Incoming::new(early, limits.frame_bytes_max, services.frames.clone());
    // Where everybody is let in, the first frame may be the login and large.
    if dialect.login_deadline().is_some() && !services.access.lets_anybody_in() {
        incoming.hold_large(limits.unauthenticated_bytes_max);
    }
    let mut changes = services.access.changes();
    // What has changed since the login was looked at is not missed.
    changes.mark_changed();
    let mut dialect = Some(dialect);
    services.metrics.connections.inc();
    async move {
        let was_told = {
            let writer = Writer {
                socket: &socket,
                outbox: &outbox,
                heartbeat: &heartbeat,
                metrics: &services.metrics,
                rest: answer,
            };
            let mut writing = pin!(writer.write());
            tokio::select! {
                end = async {
                    let mut reader = Reader {
                        services: &services,
                        outbox: &outbox,
                        socket: &socket,
                        heartbeat: &heartbeat,
                        incoming: &mut incoming,
                        dialect: dialect.as_mut()?,
                        changes: &mut changes,
                    };
                    Some(reader.read().await)
                } => {
                    // It leaves its documents now, however long the peer takes to read the end.
                    dialect = None;
                    if let Some(end) = end {
                        end.tell(id, &outbox);
                    }
                    timeout(patience, &mut writing).await.unwrap_or(false)
                }
                was_told = &mut writing => was_told,
            }
        };
        outbox.abandon();
        debug!(connection.id = id.0, "socket has closed");
        services.metrics.connections.dec();
        drop((dialect, place));
        if was_told {
            end(socket).await;
        }
    }
}

/// Closes a socket whose peer has been told so. Closed with something unread it would be reset, and
/// the peer might never see what it was told.
async fn end(mut socket: TcpStream) {
    if poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx)).await.is_ok() {
        // A peer that talks on is not listened to for longer.
        let _ = timeout(FAREWELL, incoming::ignore(&socket)).await;
    }
}

/// Answers a request that does not become a socket.
pub async fn refuse(socket: TcpStream, answer: &[u8]) {
    // It is new and the answer is short: the system takes all of it.
    if socket.try_write(answer).is_ok() {
        end(socket).await;
    }
}

/// How reading ended.
struct End {
    close: Close,
    /// What is queued is not for the peer any more.
    cut: bool,
}

impl End {
    fn tell(self, id: ConnectionId, outbox: &Outbox) {
        let Self { close, cut } = self;
        debug!(connection.id = id.0, close.code = close.code, close.reason, "socket is closing");
        if cut {
            outbox.cut(close);
        } else {
            outbox.close(close);
        }
    }
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self { close, cut: false }
    }
}

struct Reader<'a, D> {
    services: &'a Services,
    outbox: &'a Outbox,
    socket: &'a TcpStream,
    heartbeat: &'a Heartbeat,
    incoming: &'a mut Incoming,
    dialect: &'a mut D,
    changes: &'a mut watch::Receiver<()>,
}

impl<D: Socket> Reader<'_, D> {
    /// Reads until the peer leaves, misbehaves, or the server ends; says how to close.
    async fn read(&mut self) -> End {
        let limits = &self.services.config.limits;
        let now = self.heartbeat.now();
        let mut messages = Pace::new(limits.connection_messages_per_s_max, now);
        let mut bytes_read = Pace::new(limits.connection_bytes_per_s_max, now);
        let mut stopping = self.services.stopping.clone();
        let stopping = async {
            // Where the server is gone there is nobody to stop.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let mut stopping = pin!(stopping);
        loop {
            self.heartbeat.set_filler(self.dialect.filler());
            let deadline = self.dialect.login_deadline();
            if deadline.is_none() {
                self.incoming.let_in();
            }
            let event = tokio::select! {
                // However fast the peer sends, the end and a review come first.
                biased;
                () = &mut stopping => return self.stop().await.into(),
                () = due(self.changes, self.dialect.review_at_ms()) => {
                    match self.review().await {
                        Ok(()) => continue,
                        Err(end) => return end,
                    }
                }
                () = until(deadline, self.heartbeat) => {
                    return close(CONNECTION_TIMEOUT, "Connection Timeout").into();
                }
                event = self.incoming.next(self.socket) => event,
            };
            self.heartbeat.heard();
            let wait = match event {
                Ok(Some(Event::Message(kind, bytes))) => {
                    self.services.metrics.messages_received.inc();
                    self.services.metrics.bytes_received.inc_by(bytes.len() as u64);
                    let now = self.heartbeat.now();
                    let wait =
                        messages.take(1.0, now).max(bytes_read.take(bytes.len() as f64, now));
                    if let Err(close) = self.dialect.frame(kind, bytes).await {
                        return close.into();
                    }
                    self.incoming.handled();
                    wait
                }
                Ok(Some(Event::Ping(bytes))) => {
                    self.outbox.pong(bytes);
                    messages.take(1.0, self.heartbeat.now())
                }
                Ok(Some(Event::Pong)) => messages.take(1.0, self.heartbeat.now()),
                Ok(Some(Event::Close(code))) => return close(code.unwrap_or(NORMAL), "").into(),
                Ok(None) => return close(NORMAL, "").into(),
                Err(e) => return fault(e).into(),
            };
            // Replies to what the peer sends must not pile up: it is read as fast as it reads.
            let outbox = self.outbox;
            if wait.is_zero() && outbox.has_room().now_or_never().is_some() {
                continue;
            }
            let pause = async {
                outbox.has_room().await;
                sleep(wait).await;
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
                () = due(self.changes, self.dialect.review_at_ms()) => self.review().await?,
                done = &mut work => return Ok(done),
            }
        }
    }

    /// Boxed, as it is rare and large.
    fn review(&mut self) -> Pin<Box<dyn Future<Output = Result<(), End>> + '_>> {
        let review = self.dialect.review();
        Box::pin(async { review.await.map_err(|close| End { close, cut: true }) })
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

fn fault(fault: Fault) -> Close {
    match fault {
        Fault::TooBig => close(TOO_BIG, "Message Too Big"),
        Fault::Stranger => close(RESET, "Reset Connection"),
        Fault::TooSlow => close(CONNECTION_TIMEOUT, "Connection Timeout"),
        Fault::NotUtf8 => close(INVALID_DATA, "a text message must be UTF-8"),
        Fault::Malformed(what) => close(PROTOCOL_ERROR, what),
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
