//! What the last few payloads said. A crowd gets the same bytes many times over; they are read once.

use crate::update::{Reader, clocks};

/// Payloads that are remembered.
const KEPT: usize = 8;
/// Shorter payloads are read again more quickly than they are compared.
const BYTES_MIN: usize = 64;

/// What somebody did, in the order of their clocks: typed characters or moved a cursor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Which of the document's writers.
    pub slot: u32,
    /// The first clock.
    pub from: u32,
    /// The clock behind the last one.
    pub to: u32,
    /// Where in the payload it is said; of cursors only.
    pub bytes: (u32, u32),
}

/// Whose clocks are of interest: the client ids of the document's writers, which follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clients {
    /// The client id of the first one.
    pub first: u64,
    /// How many there are.
    pub count: u32,
}

impl Clients {
    fn slot(self, client: u64) -> Option<u32> {
        let slot = client.checked_sub(self.first)?;
        (slot < u64::from(self.count)).then_some(slot as u32)
    }
}

/// The kinds of payloads that are remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// An update.
    Update,
    /// The entries of an awareness message.
    Awareness,
}

/// The last few payloads that came.
pub struct Memo {
    kept: Vec<Said>,
    next: usize,
}

struct Said {
    kind: Kind,
    clients: Clients,
    payload: Vec<u8>,
    ranges: Vec<Range>,
}

impl Memo {
    /// Nothing has come.
    pub fn new() -> Self {
        let clients = Clients { first: 0, count: 0 };
        let nothing = || Said { kind: Kind::Update, clients, payload: vec![], ranges: vec![] };
        Self { kept: (0..KEPT).map(|_| nothing()).collect(), next: 0 }
    }

    /// What a payload says about a document's writers; `None` where it cannot be read.
    pub fn ranges(&mut self, kind: Kind, clients: Clients, payload: &[u8]) -> Option<&[Range]> {
        let same = |said: &Said| {
            said.kind == kind && said.clients == clients && said.payload.as_slice() == payload
        };
        if payload.len() >= BYTES_MIN
            && let Some(found) = (1..=KEPT)
                .map(|back| (self.next + KEPT - back) % KEPT)
                .find(|&index| same(&self.kept[index]))
        {
            return Some(&self.kept[found].ranges);
        }
        let said = &mut self.kept[self.next];
        self.next = (self.next + 1) % KEPT;
        said.ranges.clear();
        said.payload.clear();
        match kind {
            Kind::Update => read_update(payload, clients, &mut said.ranges)?,
            Kind::Awareness => read_awareness(payload, clients, &mut said.ranges)?,
        }
        (said.kind, said.clients) = (kind, clients);
        said.payload.extend_from_slice(payload);
        Some(&said.ranges)
    }
}

fn read_update(update: &[u8], clients: Clients, ranges: &mut Vec<Range>) -> Option<()> {
    clocks(update, |client, from, to| {
        let Some(slot) = clients.slot(client) else { return };
        match ranges.last_mut() {
            Some(last) if last.slot == slot && last.to == from => last.to = to,
            _ => ranges.push(Range { slot, from, to, bytes: (0, 0) }),
        }
    })
}

fn read_awareness(body: &[u8], clients: Clients, ranges: &mut Vec<Range>) -> Option<()> {
    let mut rest = Reader(body);
    for _ in 0..rest.number()? {
        let start = (body.len() - rest.0.len()) as u32;
        let client = rest.number()?;
        let clock = rest.number()? as u32;
        rest.bytes()?;
        let end = (body.len() - rest.0.len()) as u32;
        if let Some(slot) = clients.slot(client) {
            ranges.push(Range { slot, from: clock, to: clock + 1, bytes: (start, end) });
        }
    }
    Some(())
}

/// What can be wrong without showing: the same bytes of another document, merged runs, cursors.
pub fn check() {
    let mut memo = Memo::new();
    let clients = Clients { first: 100, count: 2 };
    let mut update = vec![2, 2, 101, 4, 0x84, 101, 3, 1, b'a', 0x84, 101, 4, 80];
    update.extend_from_slice(&[b'b'; 80]);
    update.extend_from_slice(&[1, 7, 0, 0, 9]);
    let said = [Range { slot: 1, from: 4, to: 85, bytes: (0, 0) }];
    for _ in 0..2 * KEPT {
        let other = Clients { first: 101, count: 1 };
        let theirs = [Range { slot: 0, ..said[0] }];
        assert_eq!(memo.ranges(Kind::Update, clients, &update), Some(&said[..]));
        assert_eq!(memo.ranges(Kind::Update, other, &update), Some(&theirs[..]));
    }
    let cursors = [2, 100, 7, 2, b'{', b'}', 3, 9, 2, b'{', b'}'];
    let said = [Range { slot: 0, from: 7, to: 8, bytes: (1, 6) }];
    assert_eq!(memo.ranges(Kind::Awareness, clients, &cursors), Some(&said[..]));
    assert_eq!(memo.ranges(Kind::Awareness, clients, &cursors[..9]), None);
    assert_eq!(memo.ranges(Kind::Update, clients, &[1, 1, 100, 0, 15]), None);
}
