//! What of a recording somebody has, and what not.

use std::collections::HashMap;

use bytes::Bytes;

use super::cursor::Cursor;
use super::parts::Span;
use super::spans::Spans;
use super::{Recording, What};
use crate::crdt::{LintLimits, Linted, Replica, Summary};

/// What is there, and what of it is deleted.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// For each client id the next clock.
    pub clocks: HashMap<u64, u32>,
    pub deletes: Spans,
}

impl Holdings {
    /// Of a replica.
    pub fn of(replica: &mut Replica) -> Self {
        let mut holdings = Self::default();
        // The replica's own words pass its own lint.
        if let Ok(summary) = summary(&replica.encode_full()) {
            holdings.add(&summary);
        }
        holdings
    }

    /// Of somebody who says so with a state vector and the deletions that every difference carries.
    pub fn said(vector: &[u8], deletes: &Summary) -> Self {
        let mut from = Cursor::new(vector);
        let entries = from.number().unwrap_or(0);
        let entry = |_| Some((from.number()?, from.clock()?));
        // Bytes that end early have said all they say.
        let clocks = (0..entries).map_while(entry).collect();
        Self { clocks, deletes: deletes.deletes.iter().map(span).collect() }
    }

    /// Takes in an update.
    pub fn add(&mut self, summary: &Summary) {
        for insert in &summary.inserts {
            let clock = self.clocks.entry(insert.client).or_default();
            *clock = insert.end.max(*clock);
        }
        summary.deletes.iter().for_each(|delete| self.deletes.insert(span(delete)));
    }

    pub fn clock(&self, client: u64) -> u32 {
        self.clocks.get(&client).copied().unwrap_or(0)
    }

    /// Whether everything that an update brings is here.
    pub fn has(&self, summary: &Summary) -> bool {
        summary.inserts.iter().all(|insert| insert.end <= self.clock(insert.client))
            && summary.deletes.iter().all(|delete| self.deletes.contains(span(delete)))
    }

    /// Whether everything that others have is here.
    pub fn covers(&self, other: &Self) -> bool {
        other.clocks.iter().all(|(client, clock)| *clock <= self.clock(*client))
            && other.deletes.iter().all(|span| self.deletes.contains(span))
    }

    /// The numbers of the recording's edits that are not here.
    pub fn missing<'a>(&'a self, recording: &'a Recording) -> impl Iterator<Item = usize> + 'a {
        (1..).zip(&recording.events).filter_map(|(number, event)| {
            let What::Update { update, .. } = &event.what else { return None };
            let is_here = summary(update).is_ok_and(|summary| self.has(&summary));
            (!is_here).then_some(number)
        })
    }
}

fn span(span: &crate::crdt::lint::Span) -> Span {
    Span { client: span.client, start: span.start, end: span.end }
}

fn summary(update: &Bytes) -> Result<Summary, crate::crdt::lint::LintError> {
    Ok(Linted::new(update.clone(), &LintLimits::default())?.summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;

    fn recording() -> Recording {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/");
        Recording::load(format!("{folder}session.jsonl")).expect("a recording")
    }

    #[test]
    fn what_somebody_lacks_is_named() {
        let recording = recording();
        let mut replica = Replica::new();
        let mut lacking = Vec::new();
        for event in &recording.events {
            if let What::Update { update, .. } = &event.what {
                lacking.push(Holdings::of(&mut replica).missing(&recording).collect::<Vec<_>>());
                let linted = Linted::new(update.clone(), &LintLimits::default()).expect("honest");
                replica.integrate(&[&linted]).expect("sound");
            }
        }
        // A deletion, event 7, is missed as well as what is typed.
        assert_eq!(lacking[0], [3, 5, 7, 8, 10]);
        assert_eq!(lacking[2], [7, 8, 10]);
        assert_eq!(lacking[3], [8, 10]);
        assert_eq!(Holdings::of(&mut replica).missing(&recording).next(), None);
    }

    #[test]
    fn a_server_that_has_less_than_it_had_shown_is_noticed() {
        let mut desk = Desk::new(3, "body");
        let typed = desk.replace(0..0, "abc").expect("a place in the text");
        let gone = desk.replace(1..2, "").expect("a place in the text");
        let mut seen = Holdings::default();
        seen.add(&summary(&typed).expect("honest"));
        seen.add(&summary(&gone).expect("honest"));
        let said = |vector: &[u8], deletes: &Bytes| {
            Holdings::said(vector, &summary(deletes).expect("honest")).covers(&seen)
        };
        let nothing = Bytes::from_static(&[0, 0]);
        assert!(said(&[1, 3, 3], &gone));
        assert!(said(&[1, 3, 4], &gone));
        assert!(!said(&[1, 3, 2], &gone));
        assert!(!said(&[1, 3, 3], &nothing));
        assert!(!said(&[0], &gone));
    }
}
