//! The people: one thread, one poll, as many connections as wanted.
//!
//! They connect, sync, type and move cursors at times that are set beforehand, whatever the server
//! does. What somebody typed is measured at everybody else from the moment it was due, by client id
//! and clock; so servers that merge updates are counted as those that do not.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::act::{Habit, Unpaced};
use crate::clock::Stopwatch;
use crate::dialect::Dialect;
use crate::histogram::Histogram;
use crate::memo::{Clients, Memo};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// A millisecond in ns.
const MS: u64 = 1_000_000;
/// Connections that are being opened at once.
const OPENING_MAX: usize = 128;
/// Connections that are read before it is looked whether somebody is due: a crowd hears all at once.
const EVENTS_AT_ONCE: usize = 128;
/// Sends that may be done, when many are due, before what has come is read.
const SENDS_BETWEEN_READS: usize = 1024;
/// Whether everything has come is looked at this often.
const DRAIN_SLICE: Duration = Duration::from_millis(20);
/// The clock of the first place of a cursor.
pub const CURSOR_CLOCK_FIRST: u32 = 1;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub enum Stage {
    /// The socket is being opened.
    Connecting,
    /// The upgrade has been asked for.
    Upgrading,
    /// The login has been sent; Hocuspocus only.
    LoggingIn,
    /// Step 1 has been sent.
    Syncing,
    /// The first step 2 has come.
    Synced,
    /// Over, by whichever side.
    Closed,
}

/// One connection and what it has seen.
pub struct Person {
    /// Gone when it is closed.
    pub stream: Option<TcpStream>,
    /// How far it has come.
    pub stage: Stage,
    /// What it is about.
    pub document: usize,
    /// Which of the document's writers types here.
    pub slot: Option<u32>,
    /// For each of the document's writers, the clock behind the last character that was seen.
    pub seen: Vec<u32>,
    /// The same of cursors.
    pub seen_cursors: Vec<u32>,
    /// Nothing is read from the socket.
    pub deaf: bool,
    /// Everything that comes is kept, for comparing.
    pub kept: Option<Vec<Vec<u8>>>,
    /// The longest step 2 or update that came.
    pub longest: usize,
    /// When it came, in ns.
    pub longest_at: u64,
    /// The start of a frame that has not come whole.
    pub rest: Vec<u8>,
    /// The parts of a message that have come.
    pub message: Vec<u8>,
    /// What is sent to the server; empty when all of it has been taken.
    pub out: Vec<u8>,
    /// Bytes of it that have been taken.
    pub out_sent: usize,
}

/// One document.
pub struct Document {
    /// Client ids of its writers.
    pub clients: Clients,
    /// Where its writers begin among all.
    pub first_writer: usize,
    /// What each update of its writers inserts.
    pub insert: Vec<u8>,
    /// What stands in front of every message about it.
    pub address: Vec<u8>,
    path: String,
}

/// Somebody who types.
#[derive(Default)]
pub struct Writer {
    /// The connection on which they type.
    pub person: Option<usize>,
    /// Where.
    pub document: usize,
    /// Which of the document's writers.
    pub slot: u32,
    /// The clock of the next character.
    pub clock: u32,
    /// When each update was due, in ns.
    pub due: Vec<u64>,
    /// When each place of the cursor was due; the first one is that of joining.
    pub cursor_due: Vec<u64>,
}

/// What came of it all.
#[derive(Default)]
pub struct Tally {
    /// Times from due to seen, of what was due in the time of [`Crowd::measure`].
    pub typed: Histogram,
    /// The same of cursors: of every place, until it or a later one was seen.
    pub moved: Histogram,
    /// From due to seen of the places that were seen.
    pub shown: Histogram,
    /// How late those who go by the clock acted, because the generator was busy.
    pub late: Histogram,
    /// Updates seen by somebody else, at any time.
    pub deliveries: u64,
    /// Updates that were typed.
    pub sent: u64,
    /// Frames that came.
    pub frames_in: u64,
    /// Updates that came before those in front of them.
    pub gaps: u64,
    /// Messages that were none.
    pub unreadable: u64,
    /// Connections that the server has closed or refused.
    pub closed: u64,
    /// ns that went into waiting without sleeping.
    pub spun: u64,
}

/// All people, and what came of what they did.
pub struct Crowd {
    poll: Poll,
    events: Events,
    /// What the server speaks.
    pub dialect: Dialect,
    prefix: String,
    port: u16,
    start: Stopwatch,
    /// In the order of joining.
    pub people: Vec<Person>,
    /// In the order of [`Self::document`].
    pub documents: Vec<Document>,
    /// Those of all documents, one document behind the other.
    pub writers: Vec<Writer>,
    /// When who acts next, and how long after that again.
    pub due: BinaryHeap<Reverse<(u64, usize, u64)>>,
    /// What those who are due do.
    pub habit: Habit,
    /// Whether time is kept to less than a millisecond.
    pub precise: bool,
    /// Those who do not go by the clock.
    pub unpaced: Vec<Unpaced>,
    /// Only what is due in this time, in ns, counts in the histograms.
    pub measured: Range<u64>,
    /// What came of it.
    pub tally: Tally,
    /// Connections that are neither synced nor closed.
    pub opening: usize,
    /// Connections that have synced and are open.
    pub synced: usize,
    /// What was said lately.
    pub memo: Memo,
    /// When what is being read was read, in ns.
    pub heard_at: u64,
    /// What is read goes in here first.
    pub buffer: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// The system gives no poll.
    pub fn new(dialect: Dialect, prefix: &str, port: u16) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_AT_ONCE),
            dialect,
            prefix: prefix.to_owned(),
            port,
            start: Stopwatch::start(),
            people: Vec::new(),
            documents: Vec::new(),
            writers: Vec::new(),
            due: BinaryHeap::new(),
            habit: Habit::Type,
            precise: true,
            unpaced: Vec::new(),
            measured: 0..0,
            tally: Tally::default(),
            opening: 0,
            synced: 0,
            memo: Memo::new(),
            heard_at: 0,
            buffer: vec![0; READ_BYTES],
        })
    }

    /// ns since the start.
    #[inline]
    pub fn now(&self) -> u64 {
        self.start.ns()
    }

    /// Adds a document with so many writers, whose client ids follow `first_client`.
    ///
    /// # Errors
    /// A y-sweet server does not say where its socket is.
    pub fn document(&mut self, name: &str, first_client: u64, writers: usize) -> Result<usize> {
        let document = self.documents.len();
        let path = self.dialect.path(&self.prefix, self.port, name)?;
        self.documents.push(Document {
            clients: Clients { first: first_client, count: writers as u32 },
            first_writer: self.writers.len(),
            insert: b"a".to_vec(),
            address: self.dialect.address(name),
            path,
        });
        self.writers.extend((0..writers as u32).map(|slot| Writer {
            document,
            slot,
            ..Writer::default()
        }));
        Ok(document)
    }

    /// The writers of a document.
    pub fn writers_of(&self, document: usize) -> Range<usize> {
        let Document { first_writer, clients, .. } = self.documents[document];
        first_writer..first_writer + clients.count as usize
    }

    /// Starts a connection to a document, for one of its writers or for a reader.
    ///
    /// # Errors
    /// The system gives no socket.
    pub fn join(&mut self, document: usize, slot: Option<u32>) -> Result<usize> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect(address).context("no socket (see ulimit -n)")?;
        let id = self.people.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(id), interest)?;
        let count = self.documents[document].clients.count as usize;
        if let Some(slot) = slot {
            let writer = self.writers_of(document).start + slot as usize;
            self.writers[writer].person = Some(id);
        }
        self.people.push(Person {
            stream: Some(stream),
            stage: Stage::Connecting,
            document,
            slot,
            seen: vec![0; count],
            seen_cursors: vec![CURSOR_CLOCK_FIRST; count],
            deaf: false,
            kept: None,
            longest: 0,
            longest_at: 0,
            rest: Vec::new(),
            message: Vec::new(),
            out: Vec::new(),
            out_sent: 0,
        });
        self.opening += 1;
        Ok(id)
    }

    /// Joins them all, a hundred or so at a time, and waits until they have synced.
    ///
    /// # Errors
    /// They have not within the time.
    pub fn join_all(&mut self, who: &[(usize, Option<u32>)], timeout: Duration) -> Result<()> {
        let (already, closed) = (self.synced, self.tally.closed);
        let until = self.now() + timeout.as_nanos() as u64;
        let mut joined = 0;
        while self.synced < already + who.len() {
            while joined < who.len() && self.opening < OPENING_MAX {
                self.join(who[joined].0, who[joined].1)?;
                joined += 1;
            }
            self.turn(self.now() + 20 * MS)?;
            let got = self.synced - already;
            ensure!(self.tally.closed == closed, "a connection was refused after {got} had synced");
            ensure!(self.now() < until, "only {got} of {} have synced in {timeout:?}", who.len());
        }
        Ok(())
    }

    /// Ends a connection, without a goodbye.
    pub fn leave(&mut self, id: usize) {
        let person = &mut self.people[id];
        match person.stage {
            Stage::Closed => return,
            Stage::Synced => self.synced -= 1,
            _ => self.opening -= 1,
        }
        person.stage = Stage::Closed;
        person.stream = None;
        (person.rest, person.message, person.out) = (Vec::new(), Vec::new(), Vec::new());
    }

    /// Measures what is due from now on, for so long, and forgets what was measured before.
    pub fn measure(&mut self, time: Duration) {
        let now = self.now();
        self.measured = now..now + time.as_nanos() as u64;
        let Tally { typed, moved, shown, late, .. } = &mut self.tally;
        (*typed, *moved, *shown, *late) = Default::default();
    }

    /// Goes on for so long.
    ///
    /// # Errors
    /// The system's poll fails.
    pub fn run(&mut self, time: Duration) -> Result<()> {
        self.run_until(time, |_| false).map(|_| ())
    }

    /// Goes on until something is so, which is asked often, or until the time is over.
    /// Says whether it came to be so.
    ///
    /// # Errors
    /// The system's poll fails.
    pub fn run_until(&mut self, time: Duration, is_so: impl Fn(&Self) -> bool) -> Result<bool> {
        let until = self.now() + time.as_nanos() as u64;
        while !is_so(self) {
            if self.now() >= until {
                return Ok(false);
            }
            self.turn(until)?;
        }
        Ok(true)
    }

    /// Does what is due, then waits for the next thing to do or to read, and reads.
    ///
    /// # Errors
    /// The system's poll fails.
    pub fn turn(&mut self, until: u64) -> Result<()> {
        let mut next = until;
        let mut sends = 0;
        while let Some(&Reverse((due, writer, interval))) = self.due.peek() {
            let now = self.now();
            if due > now || sends == SENDS_BETWEEN_READS {
                next = due.min(until);
                break;
            }
            self.tally.late.add(now - due);
            self.due.pop();
            self.due.push(Reverse((due + interval, writer, interval)));
            self.do_one(writer, due);
            sends += 1;
        }
        if self.type_unpaced() {
            next = 0;
        }
        let wait = next.saturating_sub(self.now());
        let spins = self.precise && !self.due.is_empty() && wait < MS;
        let ms = if spins || wait == 0 {
            0
        } else if self.precise {
            wait / MS
        } else {
            wait.div_ceil(MS)
        };
        let before = self.now();
        if let Err(e) = self.poll.poll(&mut self.events, Some(Duration::from_millis(ms))) {
            ensure!(e.kind() == ErrorKind::Interrupted, "poll: {e}");
            return Ok(());
        }
        if spins && wait > 0 && self.events.is_empty() {
            self.tally.spun += self.now() - before;
        }
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.ready(event);
        }
        self.events = events;
        Ok(())
    }

    fn ready(&mut self, event: &Event) {
        let id = event.token().0;
        match self.people[id].stage {
            Stage::Closed => return,
            Stage::Connecting if event.is_writable() => self.ask_for_upgrade(id),
            Stage::Connecting => {}
            _ if event.is_writable() => self.write(id),
            _ => {}
        }
        if event.is_readable() && !self.people[id].deaf {
            self.hear(id);
            // The end may have come with the last bytes, and is not told again.
            if event.is_read_closed() {
                self.hear(id);
            }
        }
    }

    fn ask_for_upgrade(&mut self, id: usize) {
        let person = &mut self.people[id];
        person.stage = Stage::Upgrading;
        // As browsers do; what fails here fails again at the first write.
        let _ = person.stream.as_ref().map(|stream| stream.set_nodelay(true));
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.documents[person.document].path, self.port
        );
        self.push(id, request.as_bytes());
    }

    /// The server has ended a connection.
    pub fn closed(&mut self, id: usize) {
        self.tally.closed += 1;
        self.leave(id);
    }

    /// Lets somebody read again who did not.
    pub fn listen_again(&mut self, id: usize) {
        self.people[id].deaf = false;
        self.hear(id);
    }

    /// Updates that should have been seen by somebody else and were not.
    pub fn missing(&self) -> u64 {
        let mut missing = 0;
        self.each_missing(|_, updates| missing += (updates.end - updates.start) as u64);
        missing
    }

    /// Goes on, without anybody acting, until everybody has seen everything or the time is over.
    /// Says how many updates are missing then; they count in the histogram as if they came now.
    ///
    /// # Errors
    /// The system's poll fails.
    pub fn drain(&mut self, timeout: Duration) -> Result<u64> {
        self.rest();
        let until = self.now() + timeout.as_nanos() as u64;
        let mut missing = self.missing();
        while missing > 0 && self.now() < until {
            self.run(DRAIN_SLICE)?;
            missing = self.missing();
        }
        let (now, mut late) = (self.now(), Vec::new());
        self.each_missing(|writer, updates| {
            let due = writer.due.get(updates).unwrap_or_default();
            late.extend(due.iter().filter(|due| self.measured.contains(due)).map(|due| now - due));
        });
        late.into_iter().for_each(|ns| self.tally.typed.add(ns));
        Ok(missing)
    }

    /// Tells of every writer which updates somebody else has not seen.
    fn each_missing(&self, mut tell: impl FnMut(&Writer, Range<usize>)) {
        let there = |person: &&Person| person.stage != Stage::Closed && !person.deaf;
        for person in self.people.iter().filter(there) {
            let len = self.documents[person.document].insert.len() as u32;
            let writers = &self.writers[self.writers_of(person.document)];
            for (writer, &seen) in writers.iter().zip(&person.seen) {
                if Some(writer.slot) != person.slot && seen < writer.clock {
                    tell(writer, (seen / len) as usize..(writer.clock / len) as usize);
                }
            }
        }
    }
}
