//! Writes what is in the outbox.
//!
//! Frames are put together in memory that all sockets of a thread share, and go out in one write;
//! only what the socket does not take is kept. Large messages go out in bounded pieces (RFC 6455
//! fragments), so a peer that does not read holds little more than its outbox.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};

use actix_web::rt::net::TcpStream;
use bytes::{Buf, Bytes};
use tokio::task::coop::consume_budget;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::frames::{BINARY, CLOSE, CONTINUATION, FINAL, LENGTH_16, LENGTH_64, PING, PONG};
use super::heartbeat::{Beat, Heartbeat};
use crate::fanout::{Close, Drained, Next, Outbox};
use crate::metrics::Metrics;
use crate::wire::Frame;

/// Bytes of one fragment.
const PIECE_BYTES: usize = 4 << 10;

/// A write that has so many bytes takes no further frame or fragment.
const BATCH_BYTES: usize = 64 << 10;

/// RFC 6455, section 5.5: what a control frame may carry, less the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;

thread_local! {
    /// Holds bytes only while they are put together and written, which never waits.
    static OUTPUT: RefCell<Batch> = RefCell::default();
}

/// What goes out in one write.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Messages that begin in it, and how long they are in all.
    messages: u64,
    message_bytes: u64,
}

/// The peer is gone.
#[derive(Debug)]
struct Gone;

/// The writing half of a socket.
pub(super) struct Writer<'a> {
    /// The socket.
    pub socket: &'a TcpStream,
    /// What is to be written.
    pub outbox: &'a Outbox,
    /// Whether the peer is there.
    pub heartbeat: &'a Heartbeat,
    /// Counts what is written.
    pub metrics: &'a Metrics,
    /// What the socket has not taken. Goes before everything else.
    pub rest: Bytes,
}

/// A large message on its way out.
struct Large {
    frame: Frame,
    begun: bool,
}

impl Writer<'_> {
    /// Writes until the socket is closed by either side, and leaves the outbox abandoned. Says
    /// whether the peer was told.
    pub(super) async fn write(mut self) -> bool {
        let mut beat = interval(self.heartbeat.interval());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        let close = self.write_outbox(&mut beat).await;
        self.outbox.abandon();
        match close {
            Ok(close) => {
                self.batch(|batch| batch.close(&close)).is_ok()
                    && self.write_rest(&mut beat).await.is_ok()
            }
            Err(Gone) => false,
        }
    }

    async fn write_outbox(&mut self, beat: &mut Interval) -> Result<Close, Gone> {
        let mut large = None;
        loop {
            // Documents may fill the outbox as fast as a peer reads; others want to be served too.
            consume_budget().await;
            self.write_rest(beat).await?;
            let outbox = self.outbox;
            let next = match large.take() {
                Some(begun) => {
                    large = self.batch(|batch| {
                        // A peer that pings must not have to wait for the end of a large message.
                        if let Some(payload) = outbox.take_pong() {
                            batch.pong(&payload);
                        }
                        batch.large(begun)
                    })?;
                    continue;
                }
                None => {
                    tokio::select! {
                        biased;
                        _ = beat.tick() => {
                            self.pulse()?;
                            continue;
                        }
                        next = outbox.next() => next,
                    }
                }
            };
            let (begun, after) = self.batch(|batch| batch.frames(next, outbox))?;
            large = begun;
            match after {
                None | Some(Next::Frame(_) | Next::Pong(_)) => {}
                Some(Next::Drained(stalled)) => {
                    self.write_rest(beat).await?;
                    for (session, document) in stalled {
                        // A document that has ended needs no message.
                        let _ = document.send(Drained { session }).await;
                    }
                }
                Some(Next::Close(close)) => {
                    self.write_rest(beat).await?;
                    return Ok(close);
                }
            }
        }
    }

    /// Asks for a sign of life, and says something where the client needs to hear it.
    fn pulse(&mut self) -> Result<(), Gone> {
        let Beat::Alive(filler) = self.heartbeat.beat() else { return Err(Gone) };
        self.batch(|batch| {
            if let Some(filler) = filler {
                batch.frame(filler);
            }
            batch.header(FINAL | PING, 0);
        })
    }

    /// Waits until the socket has taken everything; a peer that does not read must not outlive the
    /// timeout behind its full queue.
    async fn write_rest(&mut self, beat: &mut Interval) -> Result<(), Gone> {
        while !self.rest.is_empty() {
            let written = self.try_write(&self.rest)?;
            if written > 0 {
                self.rest.advance(written);
                continue;
            }
            tokio::select! {
                ready = poll_fn(|cx| self.socket.poll_write_ready(cx)) => ready.map_err(|_| Gone)?,
                _ = beat.tick() => {
                    if self.heartbeat.beat() == Beat::Dead {
                        return Err(Gone);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts bytes together and writes them as far as the socket takes them. Nothing else may wait
    /// to be written.
    fn batch<T>(&mut self, put: impl FnOnce(&mut Batch) -> T) -> Result<T, Gone> {
        OUTPUT.with_borrow_mut(|batch| {
            batch.bytes.clear();
            (batch.messages, batch.message_bytes) = (0, 0);
            let put = put(batch);
            if batch.messages > 0 {
                self.metrics.messages_sent.inc_by(batch.messages);
                self.metrics.bytes_sent.inc_by(batch.message_bytes);
                self.heartbeat.wrote();
            }
            if !batch.bytes.is_empty() {
                let written = self.try_write(&batch.bytes)?;
                self.rest = Bytes::copy_from_slice(&batch.bytes[written..]);
            }
            Ok(put)
        })
    }

    /// How much the socket took.
    fn try_write(&self, bytes: &[u8]) -> Result<usize, Gone> {
        match self.socket.try_write(bytes) {
            Ok(written) => Ok(written),
            Err(e) if would_block(&e) => Ok(0),
            Err(_) => Err(Gone),
        }
    }
}

fn would_block(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Batch {
    /// Puts in the frames of the outbox, starting with `next`, as far as they fit; returns the large
    /// one that does not, and what comes after them that is no frame.
    fn frames(&mut self, mut next: Next, outbox: &Outbox) -> (Option<Large>, Option<Next>) {
        loop {
            let large = match next {
                Next::Frame(frame) => self.frame(frame),
                Next::Pong(payload) => {
                    self.pong(&payload);
                    None
                }
                Next::Drained(_) | Next::Close(_) => return (None, Some(next)),
            };
            if large.is_some() || self.bytes.len() >= BATCH_BYTES {
                return (large, None);
            }
            match outbox.try_next() {
                Some(further) => next = further,
                None => return (None, None),
            }
        }
    }

    /// Puts in a frame; returns what is left of a large one.
    fn frame(&mut self, frame: Frame) -> Option<Large> {
        self.messages += 1;
        self.message_bytes += frame.len() as u64;
        if frame.len() > PIECE_BYTES {
            return self.large(Large { frame, begun: false });
        }
        self.header(FINAL | BINARY, frame.len());
        self.bytes.extend_from_slice(&frame.head);
        self.bytes.extend_from_slice(&frame.payload);
        None
    }

    fn pong(&mut self, payload: &[u8]) {
        self.header(FINAL | PONG, payload.len());
        self.bytes.extend_from_slice(payload);
    }

    /// Puts in fragments as far as they fit, and returns what is left.
    fn large(&mut self, mut large: Large) -> Option<Large> {
        while self.bytes.len() < BATCH_BYTES {
            let Frame { head, payload, .. } = &mut large.frame;
            let bytes = if head.is_empty() { payload } else { head };
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            let is_last = large.frame.is_empty();
            let opcode = if large.begun { CONTINUATION } else { BINARY };
            self.header(if is_last { FINAL | opcode } else { opcode }, piece.len());
            self.bytes.extend_from_slice(&piece);
            if is_last {
                return None;
            }
            large.begun = true;
        }
        Some(large)
    }

    fn close(&mut self, close: &Close) {
        let reason = &close.reason[..close.reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
        self.header(FINAL | CLOSE, 2 + reason.len());
        self.bytes.extend_from_slice(&close.code.to_be_bytes());
        self.bytes.extend_from_slice(reason.as_bytes());
    }

    /// The header of a frame of a server, which has no mask.
    fn header(&mut self, first: u8, length: usize) {
        let bytes = &mut self.bytes;
        if length < usize::from(LENGTH_16) {
            bytes.extend_from_slice(&[first, length as u8]);
        } else if let Ok(length) = u16::try_from(length) {
            bytes.extend_from_slice(&[first, LENGTH_16]);
            bytes.extend_from_slice(&length.to_be_bytes());
        } else {
            bytes.extend_from_slice(&[first, LENGTH_64]);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}
