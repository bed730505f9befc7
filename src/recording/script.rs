//! What each connection of a recording has to do, and what must be there in the end.
//!
//! Making one replays the recording onto a bare document, so whatever cannot be replayed at all is
//! noticed before anything is sent.

use std::collections::HashMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::holdings::Holdings;
use super::outcome::difference;
use super::{Event, Expected, Recording, ReplayError, What};
use crate::crdt::{Fingerprint, LintLimits, Linted, Replica, StateVector, Verdict};

/// Updates integrated in one transaction.
const CHUNK: usize = 64;

/// A recording, sorted by who does what.
pub(super) struct Script<'a> {
    pub start: Option<&'a Bytes>,
    /// One for each connection, in the order in which they joined first.
    pub parts: Vec<Part<'a>>,
    pub edits: usize,
    pub end: End,
    recording: &'a Recording,
}

/// One event, and its number, counted from 1.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub number: usize,
    pub event: &'a Event,
}

/// What one connection does, in order.
pub(super) struct Part<'a> {
    pub connection: u32,
    pub steps: Vec<Step<'a>>,
}

/// What must be there in the end.
pub(super) struct End {
    /// For each client id the next clock, which is quicker to compare than everything.
    clocks: HashMap<u64, u32>,
    fingerprint: Fingerprint,
    pub expected: Option<(String, Expected)>,
}

impl<'a> Script<'a> {
    pub fn new(recording: &'a Recording) -> Result<Self, ReplayError> {
        let (end, _) = End::of(recording)?;
        let mut parts: Vec<Part> = Vec::new();
        let mut places = HashMap::new();
        for (number, event) in (1..).zip(&recording.events) {
            let Some(connection) = event.what.connection() else { continue };
            let place = *places.entry(connection).or_insert_with(|| {
                parts.push(Part { connection, steps: Vec::new() });
                parts.len() - 1
            });
            parts[place].steps.push(Step { number, event });
        }
        let (start, edits) = (recording.header.start.as_ref(), recording.edits());
        Ok(Self { start, parts, edits, end, recording })
    }

    /// How many events there are.
    pub fn events(&self) -> usize {
        self.recording.events.len()
    }

    /// The numbers of all edits.
    pub fn edit_numbers(&self) -> Vec<usize> {
        let numbered = (1..).zip(&self.recording.events);
        let edits = numbered.filter(|(_, event)| matches!(event.what, What::Update { .. }));
        edits.map(|(number, _)| number).collect()
    }

    /// The numbers of the edits that somebody does not have.
    pub fn missing(&self, holdings: &Holdings) -> Vec<usize> {
        holdings.missing(self.recording).collect()
    }

    /// The first edit that somebody does not have, in words.
    pub fn first_missing(&self, holdings: &Holdings) -> Option<String> {
        let number = holdings.missing(self.recording).next()?;
        let event = &self.recording.events[number - 1];
        let connection = event.what.connection().unwrap_or_default();
        Some(format!("event {number}, by connection {connection} at {} ms", event.t))
    }
}

impl End {
    /// What the recording makes of a bare document, and that document.
    pub fn of(recording: &Recording) -> Result<(Self, Replica), ReplayError> {
        let mut bare = Bare::new();
        if let Some(start) = &recording.header.start {
            bare.take(0, start)?;
        }
        let mut expected = None;
        for (number, event) in (1..).zip(&recording.events) {
            match &event.what {
                What::Update { update, .. } => bare.take(number, update)?,
                What::End { root, expected: text } => expected = Some((root.clone(), text.clone())),
                _ => {}
            }
        }
        bare.integrate()?;
        let fingerprint = bare.replica.fingerprint();
        Ok((Self { clocks: bare.clocks, fingerprint, expected }, bare.replica))
    }

    /// Whether a replica holds exactly what the recording makes.
    pub fn is_reached(&self, replica: &Replica) -> bool {
        self.clocks.iter().all(|(client, clock)| replica.clock(*client) == *clock)
            && replica.fingerprint() == self.fingerprint
    }

    /// Whether a replica holds what the recording never makes.
    pub fn is_exceeded(&self, replica: &Replica) -> bool {
        let all = replica.grown_since(&StateVector::default());
        let known = |client| self.clocks.get(&client).copied().unwrap_or(0);
        all.into_iter().any(|(client, _)| replica.clock(client) > known(client))
    }

    /// In words, what a replica has that the recording does not say; `None` where it is as it should be.
    pub fn difference(&self, replica: &Replica) -> Option<String> {
        let text = |root: &str| replica.text(root);
        let differs = match &self.expected {
            Some((root, Expected::Text(expected))) => difference(&text(root), expected),
            Some((root, Expected::Sha256(expected))) => hash_difference(&text(root), expected),
            None => None,
        };
        let lacks = || "not everything that was typed, or more than that".to_owned();
        differs.or_else(|| (!self.is_reached(replica)).then(lacks))
    }
}

fn hash_difference(shown: &str, expected: &str) -> Option<String> {
    let hash = hex(&Sha256::digest(shown));
    (hash != expected).then(|| {
        format!(
            "{} characters with the SHA-256 {hash} instead of {expected}",
            shown.chars().count()
        )
    })
}

/// In lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The recording on a document without a server.
struct Bare {
    replica: Replica,
    clocks: HashMap<u64, u32>,
    /// The next updates with the numbers of their events.
    waiting: Vec<(usize, Linted)>,
}

impl Bare {
    fn new() -> Self {
        Self { replica: Replica::new(), clocks: HashMap::new(), waiting: Vec::new() }
    }

    fn take(&mut self, event: usize, update: &Bytes) -> Result<(), ReplayError> {
        let linted = Linted::new(update.clone(), &LintLimits::default())
            .map_err(|e| ReplayError::Event { event, reason: e.to_string() })?;
        for insert in &linted.summary.inserts {
            let clock = self.clocks.entry(insert.client).or_default();
            *clock = insert.end.max(*clock);
        }
        self.waiting.push((event, linted));
        if self.waiting.len() == CHUNK { self.integrate() } else { Ok(()) }
    }

    fn integrate(&mut self) -> Result<(), ReplayError> {
        let waiting = std::mem::take(&mut self.waiting);
        let updates: Vec<&Linted> = waiting.iter().map(|(_, update)| update).collect();
        let event = |index: usize| waiting.get(index).map_or(0, |(event, _)| *event);
        let done = self.replica.integrate(&updates).map_err(|broken| ReplayError::Event {
            event: event(broken.index.unwrap_or(0)),
            reason: broken.reason,
        })?;
        for (index, verdict) in done.verdicts.into_iter().enumerate() {
            let reason = match verdict {
                Verdict::Applied | Verdict::Known => continue,
                Verdict::Hole => "it builds on something that is not in the recording".into(),
                Verdict::Refused(reason) => reason,
            };
            return Err(ReplayError::Event { event: event(index), reason });
        }
        Ok(())
    }
}
