//! What comes in on one socket.
//!
//! All sockets of a thread read into the same memory; what a message needs is allocated when its
//! header has been seen, so a socket that says nothing holds no buffer. Large frames of all sockets
//! together have a budget: one that does not fit is not read until there is room, one that does not
//! come on ends its socket.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::frames::{Event, Fault, Frames, Step};

/// The most that is read at once.
const READ_BYTES: usize = 64 << 10;

/// The unit of the budget, in bytes.
const BUDGET_UNIT: u64 = 1024;

thread_local! {
    /// Holds bytes only while they are looked at, which never waits.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
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

/// The reading half of a socket.
pub(super) struct Incoming {
    frames: Frames,
    /// Has been read and not been looked at.
    rest: Bytes,
    budget: Budget,
    large: Large,
    /// Room of large frames that are complete and not handled yet.
    complete: Vec<OwnedSemaphorePermit>,
    /// When a message in fragments has to be complete: until then it may hold room that others need.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The peer has not been let in: its large frames wait, and may have so many bytes.
    stranger_bytes_max: Option<u64>,
}

/// A large frame on its way.
enum Large {
    None,
    /// Its header is there; what follows is not read until there is room.
    Waiting(LocalBoxFuture<'static, Option<OwnedSemaphorePermit>>),
    /// It is being gathered.
    Coming(OwnedSemaphorePermit, Pin<Box<Sleep>>),
}

impl Incoming {
    /// For messages of up to `bytes_max` bytes, large ones within the budget. `early` was read
    /// together with the request.
    pub(super) fn new(early: Bytes, bytes_max: usize, budget: Budget) -> Self {
        Self {
            frames: Frames::new(bytes_max),
            rest: early,
            budget,
            large: Large::None,
            complete: Vec::new(),
            deadline: None,
            stranger_bytes_max: None,
        }
    }

    /// The peer is a stranger: its large frames are not gathered until it has been let in, and are
    /// refused beyond `bytes_max`.
    pub(super) fn hold_large(&mut self, bytes_max: usize) {
        self.stranger_bytes_max = Some(bytes_max as u64);
    }

    /// The peer has been let in.
    pub(super) fn let_in(&mut self) {
        self.stranger_bytes_max = None;
    }

    /// A message has been handled: its room is free again.
    pub(super) fn handled(&mut self) {
        self.complete.clear();
    }

    /// Waits for what the peer says next; `None` where the connection has ended. May be dropped
    /// while it waits: nothing is lost.
    ///
    /// # Errors
    /// What comes cannot be read, now and later.
    pub(super) async fn next(&mut self, socket: &TcpStream) -> Result<Option<Event>, Fault> {
        loop {
            if !poll_fn(|cx| self.poll_ready(socket, cx)).await? {
                return Ok(None);
            }
            let event = if self.rest.is_empty() {
                match self.read(socket) {
                    Ok(event) => event?,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => None,
                    Err(_) => return Ok(None),
                }
            } else {
                self.take_rest()?
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Ready when there are bytes to take and there is room for them; false where none will come.
    fn poll_ready(
        &mut self,
        socket: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Fault>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(Fault::TooSlow));
        }
        if let Large::Waiting(room) = &mut self.large {
            // It is let in by something that it says before, or not at all.
            if self.stranger_bytes_max.is_some() {
                return Poll::Pending;
            }
            self.large = match std::task::ready!(room.as_mut().poll(cx)) {
                Some(room) => Large::Coming(room, Box::pin(sleep(self.budget.frame_timeout))),
                None => return Poll::Ready(Err(Fault::TooSlow)),
            };
        }
        if let Large::Coming(_, deadline) = &mut self.large
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(Fault::TooSlow));
        }
        if !self.rest.is_empty() {
            return Poll::Ready(Ok(true));
        }
        socket.poll_read_ready(cx).map(|ready| Ok(ready.is_ok()))
    }

    /// Reads once.
    fn read(&mut self, socket: &TcpStream) -> io::Result<Result<Option<Event>, Fault>> {
        INPUT.with_borrow_mut(|buffer| {
            let length = socket.try_read(buffer)?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let mut input = &buffer[..length];
            let event = self.take(&mut input);
            self.rest = Bytes::copy_from_slice(input);
            Ok(event)
        })
    }

    fn take_rest(&mut self) -> Result<Option<Event>, Fault> {
        let rest = std::mem::take(&mut self.rest);
        let mut input = &rest[..];
        let event = self.take(&mut input)?;
        self.rest = rest.slice_ref(input);
        Ok(event)
    }

    fn take(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        let step = self.frames.take(input)?;
        if !self.frames.is_inside_large() || matches!(step, Step::Large(_)) {
            self.large_has_ended();
        }
        if !self.frames.is_inside_message() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(sleep(self.budget.frame_timeout)));
        }
        match step {
            Step::Starved => Ok(None),
            Step::Event(event) => Ok(Some(event)),
            Step::Large(bytes) if self.stranger_bytes_max.is_some_and(|max| bytes > max) => {
                Err(Fault::Stranger)
            }
            Step::Large(bytes) => {
                self.large = Large::Waiting(Box::pin(self.budget.clone().take(bytes)));
                Ok(None)
            }
        }
    }

    fn large_has_ended(&mut self) {
        if let Large::Coming(room, _) = std::mem::replace(&mut self.large, Large::None) {
            self.complete.push(room);
        }
    }
}

/// Reads and forgets until the peer has nothing more to say.
pub(super) async fn ignore(socket: &TcpStream) {
    let forget = |cx: &mut Context<'_>| {
        loop {
            if std::task::ready!(socket.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            let read = INPUT.with_borrow_mut(|buffer| socket.try_read(buffer));
            match read {
                Ok(0) => return Poll::Ready(()),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    };
    poll_fn(forget).await;
}

#[cfg(test)]
mod tests {
    use actix_web::rt::net::TcpListener;

    use super::*;

    /// The start of a binary frame of a client, with a mask of zeros.
    fn start_of_frame(length: u64) -> Vec<u8> {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    fn whole_frame(length: u64) -> Bytes {
        let mut bytes = start_of_frame(length);
        bytes.resize(bytes.len() + length as usize, 0xff);
        bytes.into()
    }

    fn incoming(bytes: Bytes, budget: &Budget) -> Incoming {
        Incoming::new(bytes, 1 << 20, budget.clone())
    }

    /// A socket on which nothing comes, and its other end.
    async fn silent() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        (ours.expect("a socket"), theirs.expect("a socket").0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_waits_for_room_and_gives_it_back_when_it_is_handled() {
        let budget = Budget::new(150 << 10, Duration::from_secs(60));
        let (socket, _peer) = silent().await;
        let mut first = incoming(whole_frame(100 << 10), &budget);
        let mut second = incoming(whole_frame(100 << 10), &budget);
        assert!(matches!(first.next(&socket).await, Ok(Some(Event::Message(..)))));
        let mut waiting = std::pin::pin!(second.next(&socket));
        assert!(futures_util::poll!(&mut waiting).is_pending(), "the payload waits");
        first.handled();
        assert!(matches!(waiting.await, Ok(Some(Event::Message(..)))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_frame_that_does_not_come_on_ends_its_socket() {
        let budget = Budget::new(150 << 10, Duration::from_secs(60));
        let (socket, _peer) = silent().await;
        let mut slow = incoming(start_of_frame(100 << 10).into(), &budget);
        assert_eq!(slow.next(&socket).await, Err(Fault::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_whose_last_fragment_does_not_come_ends_its_socket() {
        let budget = Budget::new(150 << 10, Duration::from_secs(60));
        let (socket, _peer) = silent().await;
        for length in [10_u64, 100 << 10] {
            let mut fragment = whole_frame(length).to_vec();
            fragment[0] &= !0x80;
            let mut unfinished = incoming(fragment.into(), &budget);
            assert_eq!(unfinished.next(&socket).await, Err(Fault::TooSlow), "{length} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_waits_with_a_large_frame_and_is_refused_a_larger_one() {
        let budget = Budget::new(1 << 20, Duration::from_secs(60));
        let (socket, _peer) = silent().await;
        let mut stranger = incoming(whole_frame(100 << 10), &budget);
        stranger.hold_large(100 << 10);
        assert!(futures_util::poll!(std::pin::pin!(stranger.next(&socket))).is_pending());
        stranger.let_in();
        assert!(matches!(stranger.next(&socket).await, Ok(Some(Event::Message(..)))));
        let mut stranger = incoming(whole_frame(100 << 10), &budget);
        stranger.hold_large((100 << 10) - 1);
        assert_eq!(stranger.next(&socket).await, Err(Fault::Stranger));
    }
}
