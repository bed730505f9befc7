//! What waits to be written on one connection, bounded in bytes.
//!
//! Documents put frames in, from any thread and without waiting; the connection's writer takes them
//! out. Updates are *offered*: when there is no room the document stops offering to that session
//! and, told by [`Drained`] that the queue is empty, sends one difference instead (promise P3).
//! Replies to what the peer itself said are *pushed*: the connection stops reading while there is
//! no room, so a peer cannot make them pile up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Recipient;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::id::SessionId;
use crate::wire::Frame;

/// "The outbox of this session, which was full, is empty."
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Drained {
    /// The session that was stalled.
    pub session: SessionId,
}

/// The last word on a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// RFC 6455 close code, or one of the dialect's own.
    pub code: u16,
    /// For people; cut at 123 bytes by the protocol.
    pub reason: String,
}

/// What the writer has to do next.
#[derive(Debug)]
pub enum Next {
    /// Answer a ping with these bytes.
    Pong(Bytes),
    /// Write a message.
    Frame(Frame),
    /// Nothing is left; tell these that they may be offered updates again.
    Drained(Vec<(SessionId, Recipient<Drained>)>),
    /// Everything has been written; close the socket.
    Close(Close),
}

/// The queue of one connection.
#[derive(Debug)]
pub struct Outbox {
    bytes_max: usize,
    queue: Mutex<Queue>,
    /// Something was put in.
    filled: Notify,
    /// Something was taken out.
    taken: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// What came with the newest ping that was not answered.
    pong: Option<Bytes>,
    stalled: Vec<(SessionId, Recipient<Drained>)>,
    close: Option<Close>,
    /// The socket is gone; what comes is dropped.
    abandoned: bool,
}

impl Outbox {
    /// An empty queue for about `bytes_max` bytes: a frame finds room while fewer are waiting, or
    /// when nothing is, so that one large first sync always fits.
    pub fn new(bytes_max: usize) -> Self {
        let (filled, taken) = (Notify::new(), Notify::new());
        Self { bytes_max, queue: Mutex::default(), filled, taken }
    }

    /// Queues a frame in any case.
    pub fn push(&self, frame: Frame) {
        self.put(&mut self.lock(), frame);
    }

    /// Answers a ping, ahead of everything that is queued. Only the newest ping needs an answer, so
    /// a peer that pings and does not read makes nothing pile up.
    pub fn pong(&self, payload: Bytes) {
        let mut queue = self.lock();
        if !queue.abandoned && queue.close.is_none() {
            queue.pong = Some(payload);
            self.filled.notify_one();
        }
    }

    /// The answer to the newest ping, if it has not been taken: it may go between the fragments of a
    /// message.
    pub fn take_pong(&self) -> Option<Bytes> {
        self.lock().pong.take()
    }

    /// Queues a frame if there is room, and says whether there was.
    pub fn offer(&self, frame: Frame) -> bool {
        let mut queue = self.lock();
        if queue.bytes > 0 && queue.bytes + frame.len() > self.bytes_max {
            return false;
        }
        self.put(&mut queue, frame);
        true
    }

    /// Asks for one [`Drained`] as soon as the queue is empty.
    pub fn notify_when_drained(&self, session: SessionId, recipient: Recipient<Drained>) {
        let mut queue = self.lock();
        if !queue.abandoned {
            queue.stalled.push((session, recipient));
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Forgets a session that has left while it was stalled.
    pub fn forget(&self, session: SessionId) {
        self.lock().stalled.retain(|(stalled, _)| *stalled != session);
    }

    /// Closes the socket once everything before has been written. The first close counts.
    pub fn close(&self, close: Close) {
        self.lock().close.get_or_insert(close);
        self.filled.notify_one();
    }

    /// Closes the socket now: what is queued is not for the peer any more.
    pub fn cut(&self, close: Close) {
        let mut queue = self.lock();
        (queue.frames, queue.bytes) = (VecDeque::new(), 0);
        drop(queue);
        self.taken.notify_waiters();
        self.close(close);
    }

    /// Whether [`Outbox::close`] was called or the socket is gone.
    pub fn is_closing(&self) -> bool {
        let queue = self.lock();
        queue.close.is_some() || queue.abandoned
    }

    /// Drops what is queued and everything that still comes: the socket is gone.
    pub fn abandon(&self) {
        *self.lock() = Queue { abandoned: true, ..Queue::default() };
        self.taken.notify_waiters();
        self.filled.notify_one();
    }

    /// Bytes that wait to be written.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Waits until there is something to do. Only the connection's writer calls this.
    pub async fn next(&self) -> Next {
        loop {
            // A permit that was stored before this point makes the wait return at once.
            let filled = self.filled.notified();
            if let Some(next) = self.try_next() {
                return next;
            }
            filled.await;
        }
    }

    /// What there is to do now, if anything.
    pub fn try_next(&self) -> Option<Next> {
        let mut queue = self.lock();
        if let Some(payload) = queue.pong.take() {
            return Some(Next::Pong(payload));
        }
        if let Some(frame) = queue.frames.pop_front() {
            queue.bytes -= frame.len();
            drop(queue);
            self.taken.notify_waiters();
            return Some(Next::Frame(frame));
        }
        if !queue.stalled.is_empty() {
            return Some(Next::Drained(std::mem::take(&mut queue.stalled)));
        }
        queue.close.clone().map(Next::Close)
    }

    /// Waits until fewer bytes than the limit are queued, or the socket is gone.
    pub async fn has_room(&self) {
        loop {
            // Subscribe first, then look: what is taken in between is not missed.
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            if self.bytes() <= self.bytes_max {
                return;
            }
            taken.await;
        }
    }

    fn put(&self, queue: &mut Queue, frame: Frame) {
        if queue.abandoned || queue.close.is_some() {
            return;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock was held leaves a queue that is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
