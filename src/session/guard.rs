//! Looks at the header of every incoming WebSocket frame before the frame is gathered.
//!
//! The WebSocket library notices that a frame is over the limit only when all of it is in memory,
//! and takes a length of gigabytes as a reason to wait; so lengths are checked here, as the bytes
//! pass by. What is wrong is noted, and the stream ends. Large frames of all sockets together have
//! a budget: one that does not fit is not read until there is room, one that does not come on ends
//! its socket.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::dev;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::{Future, LocalBoxFuture};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// The longest frame header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Pieces up to this size are copied out of the read buffer.
const COPIED_BYTES_MAX: usize = 4096;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// Frames over this size count against the [`Budget`].
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// The unit of the budget, in bytes.
const BUDGET_UNIT: u64 = 1024;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The message is over the limit, in one frame or in all its fragments.
    TooBig,
    /// The message is over the limit for whoever has not been let in.
    Stranger,
    /// A bit that only extensions use, and none was agreed on.
    ReservedBits,
    /// A large frame did not come to its end in time.
    TooSlow,
}

/// Memory that the large frames of all sockets share while they are gathered and handled.
#[derive(Debug, Clone)]
pub struct Budget {
    places: Arc<Semaphore>,
    frame_timeout: Duration,
}

impl Budget {
    /// Room for `bytes_max` bytes, each frame for at most `frame_timeout` until it is complete.
    pub fn new(bytes_max: usize, frame_timeout: Duration) -> Self {
        let places = Arc::new(Semaphore::new(bytes_max / BUDGET_UNIT as usize));
        Self { places, frame_timeout }
    }

    /// Waits for room; it is given back when what is returned is dropped.
    pub async fn take(self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // A frame is never over the whole budget: the configuration sees to that.
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT)).unwrap_or(u32::MAX);
        self.places.acquire_many_owned(units).await.ok()
    }
}

/// What a [`Guard`] and the reader behind it share.
#[derive(Debug, Clone, Default)]
pub struct Passage(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    fault: Cell<Option<Fault>>,
    /// The peer has not been let in: its large frames wait, and may have so many bytes.
    stranger_bytes_max: Cell<Option<u64>>,
    let_in: Notify,
    /// Room of large frames that are complete and not handled yet.
    complete: RefCell<Vec<OwnedSemaphorePermit>>,
}

impl Passage {
    /// What was wrong, if anything.
    pub fn fault(&self) -> Option<Fault> {
        self.0.fault.get()
    }

    /// The peer is a stranger: its large frames are not gathered until it has been let in, and are
    /// refused beyond `bytes_max`.
    pub fn hold_large(&self, bytes_max: usize) {
        self.0.stranger_bytes_max.set(Some(bytes_max as u64));
    }

    /// The peer has been let in.
    pub fn let_in(&self) {
        if self.0.stranger_bytes_max.take().is_some() {
            self.0.let_in.notify_one();
        }
    }

    async fn admission(self) {
        if self.0.stranger_bytes_max.get().is_some() {
            self.0.let_in.notified().await;
        }
    }

    /// The reader has handled a message: its room is free again.
    pub fn handled(&self) {
        self.0.complete.borrow_mut().clear();
    }
}

/// Bytes of a socket that passed the check.
pub struct Guard {
    payload: dev::Payload,
    scan: Scan,
    budget: Budget,
    passage: Passage,
    large: Large,
}

/// A large frame on its way.
enum Large {
    None,
    /// Its header is there; what follows is not read until there is room.
    Waiting(LocalBoxFuture<'static, Option<OwnedSemaphorePermit>>),
    /// It is being gathered.
    Coming(OwnedSemaphorePermit, Pin<Box<Sleep>>),
}

impl Guard {
    /// Lets messages of up to `bytes_max` bytes pass, large ones within the budget.
    pub fn new(payload: dev::Payload, bytes_max: usize, budget: Budget) -> (Self, Passage) {
        let (scan, passage) = (Scan::new(bytes_max as u64), Passage::default());
        (Self { payload, scan, budget, passage: passage.clone(), large: Large::None }, passage)
    }

    fn fail(&self, fault: Fault) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.passage.0.fault.set(Some(fault));
        Poll::Ready(Some(Err(PayloadError::Overflow)))
    }

    /// Ready when more may be read.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if let Large::Waiting(room) = &mut self.large {
            self.large = match ready!(room.as_mut().poll(cx)) {
                Some(room) => Large::Coming(room, Box::pin(sleep(self.budget.frame_timeout))),
                None => return Poll::Ready(Err(Fault::TooSlow)),
            };
        }
        if let Large::Coming(_, deadline) = &mut self.large
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(Fault::TooSlow));
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at what has passed: a large frame may have ended, another may have begun.
    fn note_large(&mut self) -> Result<(), Fault> {
        if (self.scan.left == 0 || self.scan.large.is_some())
            && let Large::Coming(room, _) = std::mem::replace(&mut self.large, Large::None)
        {
            self.passage.0.complete.borrow_mut().push(room);
        }
        if let Some(bytes) = self.scan.large.take()
            && self.scan.left > 0
        {
            if self.passage.0.stranger_bytes_max.get().is_some_and(|max| bytes > max) {
                return Err(Fault::Stranger);
            }
            let (passage, budget) = (self.passage.clone(), self.budget.clone());
            self.large = Large::Waiting(Box::pin(async move {
                passage.admission().await;
                budget.take(bytes).await
            }));
        }
        Ok(())
    }
}

impl Stream for Guard {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Err(fault) = ready!(this.poll_room(cx)) {
            return this.fail(fault);
        }
        let polled = Pin::new(&mut this.payload).poll_next(cx);
        let Poll::Ready(Some(Ok(bytes))) = polled else { return polled };
        match this.scan.pass(&bytes).and_then(|()| this.note_large()) {
            Ok(()) => Poll::Ready(Some(Ok(unshared(bytes)))),
            Err(fault) => this.fail(fault),
        }
    }
}

/// A few bytes are a view into the connection's read buffer; whoever keeps them, or what is left of
/// them, would keep all of it.
fn unshared(bytes: Bytes) -> Bytes {
    if bytes.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&bytes) } else { bytes }
}

/// Where in the stream of frames the next byte stands.
#[derive(Debug)]
struct Scan {
    bytes_max: u64,
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    /// Bytes of the current frame that are still to come.
    left: u64,
    /// Bytes of the current message in the frames before.
    message: u64,
    /// Bytes of a large frame that has begun since somebody looked.
    large: Option<u64>,
}

impl Scan {
    fn new(bytes_max: u64) -> Self {
        let header = [0; HEADER_BYTES_MAX];
        Self { bytes_max, header, header_len: 0, left: 0, message: 0, large: None }
    }

    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len() as u64);
                self.left -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len == self.header_size() {
                self.frame()?;
            }
        }
        Ok(())
    }

    /// Bytes of the header, as far as it is known; grows while it is read.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return HEADER_BYTES_MAX;
        }
        let length = match self.header[1] & LENGTH {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        2 + length + if self.header[1] & MASKED == 0 { 0 } else { 4 }
    }

    /// A header is complete.
    fn frame(&mut self) -> Result<(), Fault> {
        let [first, second, ..] = self.header;
        if first & RESERVED != 0 {
            return Err(Fault::ReservedBits);
        }
        let field = |size: usize| self.header[2..2 + size].iter();
        let length = match second & LENGTH {
            LENGTH_16 => field(2).fold(0, |length, byte| length << 8 | u64::from(*byte)),
            LENGTH_64 => field(8).fold(0, |length, byte| length << 8 | u64::from(*byte)),
            length => u64::from(length),
        };
        if first & CONTROL == 0 {
            self.message = self.message.saturating_add(length);
            if self.message > self.bytes_max {
                return Err(Fault::TooBig);
            }
            if first & FINAL != 0 {
                self.message = 0;
            }
        } else if length > self.bytes_max {
            return Err(Fault::TooBig);
        }
        self.header_len = 0;
        self.left = length;
        if length > SMALL_BYTES_MAX {
            self.large = Some(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: u8 = 2;
    const MORE: u8 = 0;
    const PING: u8 = 9;

    /// A masked frame; the mask is zero.
    fn frame(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(MASKED | length as u8),
            126..65_536 => {
                bytes.push(MASKED | LENGTH_16);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | LENGTH_64);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes
    }

    fn with_payload(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = frame(first, length);
        bytes.resize(bytes.len() + length as usize, 0xff);
        bytes
    }

    #[test]
    fn frames_within_the_limit_pass_however_they_are_cut() {
        let mut bytes = Vec::new();
        for length in [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000] {
            bytes.extend(with_payload(FINAL | BINARY, length));
        }
        for cut in [1, 2, 7, 1000, bytes.len()] {
            let mut scan = Scan::new(70_000);
            for piece in bytes.chunks(cut) {
                assert_eq!(scan.pass(piece), Ok(()), "cut into pieces of {cut}");
            }
        }
    }

    #[test]
    fn a_length_over_the_limit_is_noticed_before_the_payload_comes() {
        for length in [1001, 1 << 30, 1 << 62, u64::MAX] {
            assert_eq!(Scan::new(1000).pass(&frame(FINAL | BINARY, length)), Err(Fault::TooBig));
        }
    }

    #[test]
    fn fragments_count_together_and_pings_between_them_do_not() {
        let mut scan = Scan::new(1000);
        assert_eq!(scan.pass(&with_payload(BINARY, 600)), Ok(()));
        assert_eq!(scan.pass(&with_payload(FINAL | PING, 100)), Ok(()));
        assert_eq!(scan.pass(&with_payload(FINAL | MORE, 400)), Ok(()));
        assert_eq!(scan.pass(&with_payload(BINARY, 600)), Ok(()));
        assert_eq!(scan.pass(&frame(FINAL | MORE, 401)), Err(Fault::TooBig));
    }

    fn guard(budget: &Budget, pieces: Vec<Vec<u8>>) -> (Guard, Passage) {
        let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
        let stream = futures_util::stream::iter(pieces);
        let stream = futures_util::StreamExt::chain(stream, futures_util::stream::pending());
        let payload: dev::Payload = dev::Payload::Stream { payload: Box::pin(stream) };
        Guard::new(payload, 1 << 20, budget.clone())
    }

    async fn next(guard: &mut Guard) -> Option<Result<Bytes, PayloadError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *guard).poll_next(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_waits_for_room_and_gives_it_back_when_it_is_handled() {
        let budget = Budget::new(150 << 10, Duration::from_secs(60));
        let large = || {
            let mut bytes = with_payload(FINAL | BINARY, 100 << 10);
            let rest = bytes.split_off(20);
            vec![bytes, rest]
        };
        let (mut first, passage) = guard(&budget, large());
        let (mut second, _) = guard(&budget, large());
        assert!(next(&mut first).await.is_some_and(|r| r.is_ok()));
        assert!(next(&mut first).await.is_some_and(|r| r.is_ok()));
        assert!(next(&mut second).await.is_some_and(|r| r.is_ok()), "the header passes");
        let mut waiting = std::pin::pin!(next(&mut second));
        assert!(futures_util::poll!(&mut waiting).is_pending(), "the payload waits");
        passage.handled();
        assert!(waiting.await.is_some_and(|r| r.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_that_does_not_come_on_ends_its_socket() {
        let budget = Budget::new(150 << 10, Duration::from_secs(60));
        let mut started = with_payload(FINAL | BINARY, 100 << 10);
        started.truncate(20);
        let (mut slow, passage) = guard(&budget, vec![started]);
        assert!(next(&mut slow).await.is_some_and(|r| r.is_ok()));
        assert!(next(&mut slow).await.is_some_and(|r| r.is_err()));
        assert_eq!(passage.fault(), Some(Fault::TooSlow));
    }

    #[test]
    fn reserved_bits_are_a_fault() {
        let compressed = 0x40;
        let bytes = frame(FINAL | compressed | BINARY, 1);
        assert_eq!(Scan::new(1000).pass(&bytes), Err(Fault::ReservedBits));
    }
}
