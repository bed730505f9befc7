//! What a recording is about, summed up.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Expected, Fault, Recording, What};

/// Who did how much, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Info {
    /// The document's name where it was recorded.
    pub document: String,
    /// Where it is from, for people.
    pub source: String,
    /// Bytes of what was there before the first event.
    pub start_bytes: usize,
    /// From its beginning to its last event, in milliseconds.
    pub duration_ms: u64,
    /// Updates.
    pub edits: usize,
    /// Bytes of all updates together.
    pub edit_bytes: usize,
    /// By the number of their connection.
    pub people: BTreeMap<u32, Person>,
    /// What must be there in the end, in words.
    pub end: String,
}

/// One connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Whose it was; empty where nobody knows.
    pub name: String,
    /// How often it joined.
    pub joins: usize,
    /// How often it broke off.
    pub drops: usize,
    /// Updates.
    pub edits: usize,
    /// Milliseconds from the beginning to its first event.
    pub first_ms: u64,
    /// Milliseconds from the beginning to its last event.
    pub last_ms: u64,
}

impl Recording {
    /// Sums it up.
    pub fn info(&self) -> Info {
        let mut info = Info {
            document: self.header.document.clone(),
            source: self.header.source.clone(),
            start_bytes: self.header.start.as_ref().map_or(0, |start| start.len()),
            duration_ms: self.events.last().map_or(0, |event| event.t),
            edits: self.edits(),
            edit_bytes: 0,
            people: BTreeMap::new(),
            end: "whatever a document without a server makes of it".into(),
        };
        for event in &self.events {
            info.add(event.t, &event.what);
        }
        info
    }
}

impl Info {
    fn add(&mut self, t: u64, what: &What) {
        if let What::End { root, expected } = what {
            self.end = match expected {
                Expected::Text(text) => {
                    format!("{:?} with {} characters", root, text.chars().count())
                }
                Expected::Sha256(hash) => format!("{root:?} with the SHA-256 {hash}"),
            };
        }
        let Some(connection) = what.connection() else { return };
        let new = || Person { first_ms: t, ..Person::default() };
        let person = self.people.entry(connection).or_insert_with(new);
        person.last_ms = t;
        match what {
            What::Join { name, .. } => {
                person.joins += 1;
                if !name.is_empty() {
                    person.name.clone_from(name);
                }
            }
            What::Update { update, .. } => {
                person.edits += 1;
                self.edit_bytes += update.len();
            }
            What::Fault { fault: Fault::Drop, .. } => person.drops += 1,
            What::Leave { .. } | What::Awareness { .. } | What::End { .. } => {}
        }
    }
}

impl fmt::Display for Info {
    /// Some lines for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "document  {}", self.document)?;
        writeln!(f, "source    {}", self.source)?;
        writeln!(f, "start     {} bytes", self.start_bytes)?;
        writeln!(f, "length    {}", time(self.duration_ms))?;
        writeln!(f, "edits     {} in {} bytes", self.edits, self.edit_bytes)?;
        writeln!(f, "end       {}", self.end)?;
        writeln!(f, "people    {}", self.people.len())?;
        for (connection, person) in &self.people {
            let Person { name, joins, drops, edits, first_ms, last_ms } = person;
            let (first, last) = (time(*first_ms), time(*last_ms));
            let name = if name.is_empty() { "-" } else { name };
            writeln!(
                f,
                "  {connection} {name}: {edits} edits from {first} to {last}, joined {joins}, dropped {drops}"
            )?;
        }
        Ok(())
    }
}

fn time(ms: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(ms))
}
