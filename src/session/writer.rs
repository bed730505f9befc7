//! Writes what is in the outbox; one task a socket.
//!
//! Large messages go out in bounded pieces (RFC 6455 fragments), so that a connection's write
//! buffer never grows to the size of the largest document it saw, and a peer that does not read
//! holds little more than its outbox.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::Bytes;
use actix_ws::{CloseCode, CloseReason, Closed, Item, Session};
use bytes::BytesMut;
use tokio::time::{MissedTickBehavior, interval};

use super::heartbeat::{Beat, Heartbeat};
use crate::fanout::{Drained, Next, Outbox};
use crate::metrics::Metrics;
use crate::wire::Frame;

/// Bytes of one fragment. The channel to the socket takes 32 of them, and all that are there at once
/// are copied into one buffer.
const PIECE_BYTES: usize = 4 << 10;

/// Writes until the socket is closed by either side, and leaves the outbox abandoned.
pub(super) async fn write(
    mut socket: Session,
    outbox: Arc<Outbox>,
    heartbeat: Rc<Heartbeat>,
    metrics: Arc<Metrics>,
) {
    let mut beat = interval(heartbeat.interval());
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.tick().await;
    let ended = loop {
        let next = tokio::select! {
            next = outbox.next() => next,
            _ = beat.tick() => {
                if pulse(&mut socket, &heartbeat, &metrics).await.is_err() { break None }
                continue;
            }
        };
        match next {
            Next::Frame(frame) => {
                let written = write_frame(&mut socket, &frame, &metrics);
                let beating = async {
                    // A peer that does not read must not outlive the timeout behind its full queue.
                    loop {
                        beat.tick().await;
                        if heartbeat.beat() == Beat::Dead {
                            return;
                        }
                    }
                };
                let written = tokio::select! {
                    written = written => written,
                    () = beating => Err(Closed),
                };
                if written.is_err() {
                    break None;
                }
                heartbeat.wrote();
            }
            Next::Drained(stalled) => {
                for (session, document) in stalled {
                    // A document that has ended needs no message.
                    let _ = document.send(Drained { session }).await;
                }
            }
            Next::Close(close) => break Some(close),
        }
    };
    let reason = ended.map(|close| CloseReason {
        code: CloseCode::from(close.code),
        description: Some(close.reason).filter(|reason| !reason.is_empty()),
    });
    outbox.abandon();
    // The peer may have gone first.
    let _ = socket.close(reason).await;
}

async fn pulse(
    socket: &mut Session,
    heartbeat: &Heartbeat,
    metrics: &Metrics,
) -> Result<(), Closed> {
    match heartbeat.beat() {
        Beat::Dead => Err(Closed),
        Beat::Alive(filler) => {
            if let Some(frame) = filler {
                write_frame(socket, &frame, metrics).await?;
                heartbeat.wrote();
            }
            socket.ping(b"").await
        }
    }
}

async fn write_frame(socket: &mut Session, frame: &Frame, metrics: &Metrics) -> Result<(), Closed> {
    metrics.messages_sent.inc();
    metrics.bytes_sent.inc_by(frame.len() as u64);
    if frame.payload.is_empty() {
        return write_pieces(socket, frame.head.clone()).await;
    }
    if frame.len() <= PIECE_BYTES {
        let mut whole = BytesMut::with_capacity(frame.len());
        whole.extend_from_slice(&frame.head);
        whole.extend_from_slice(&frame.payload);
        return socket.binary(whole.freeze()).await;
    }
    socket.continuation(Item::FirstBinary(frame.head.clone())).await?;
    continue_with(socket, frame.payload.clone()).await
}

async fn write_pieces(socket: &mut Session, mut bytes: Bytes) -> Result<(), Closed> {
    if bytes.len() <= PIECE_BYTES {
        return socket.binary(bytes).await;
    }
    let first = bytes.split_to(PIECE_BYTES);
    socket.continuation(Item::FirstBinary(first)).await?;
    continue_with(socket, bytes).await
}

async fn continue_with(socket: &mut Session, mut rest: Bytes) -> Result<(), Closed> {
    while rest.len() > PIECE_BYTES {
        let piece = rest.split_to(PIECE_BYTES);
        socket.continuation(Item::Continue(piece)).await?;
    }
    socket.continuation(Item::Last(rest)).await
}
