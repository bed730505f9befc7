//! Who was at work when: the rows of a log, folded to bursts.
//!
//! A burst is what one author did without a pause. Two who write at the same time have a burst each,
//! and these overlap; else the log would be cut at every keystroke. Pauses are what lies between.

use std::collections::HashMap;

use crate::crdt::{Author, Edit};
use crate::id::Seq;

/// What one author did without a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// Who it was.
    pub author: Author,
    /// The first and the last row. Between them may be rows of others.
    pub first: Seq,
    /// See `first`.
    pub last: Seq,
    /// When the first row came, in unix milliseconds.
    pub from_ms: i64,
    /// When the last row came; never before `from_ms`.
    pub to_ms: i64,
    /// How many rows.
    pub edits: u64,
    /// UTF-16 units of text inserted, those included that were only moved.
    pub inserted: u64,
    /// UTF-16 units of text deleted.
    pub deleted: u64,
}

/// Folds rows, given in order, to bursts in the order of their first rows. A pause of more than
/// `gap_ms` milliseconds ends a burst.
pub fn timeline(edits: impl IntoIterator<Item = Edit>, gap_ms: i64) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let mut open: HashMap<Author, usize> = HashMap::new();
    for edit in edits {
        let at = open.get(&edit.author).copied();
        let goes_on = |at: &usize| edit.at_ms.saturating_sub(bursts[*at].to_ms) <= gap_ms;
        match at.filter(goes_on) {
            Some(at) => bursts[at].add(&edit),
            None => {
                open.insert(edit.author.clone(), bursts.len());
                bursts.push(Burst::of(edit));
            }
        }
    }
    bursts
}

impl Burst {
    fn of(edit: Edit) -> Self {
        Self {
            author: edit.author,
            first: edit.seq,
            last: edit.seq,
            from_ms: edit.at_ms,
            to_ms: edit.at_ms,
            edits: 1,
            inserted: u64::from(edit.inserted),
            deleted: u64::from(edit.deleted),
        }
    }

    fn add(&mut self, edit: &Edit) {
        self.last = edit.seq;
        // The server's clock may have been set back.
        self.to_ms = self.to_ms.max(edit.at_ms);
        self.edits += 1;
        self.inserted += u64::from(edit.inserted);
        self.deleted += u64::from(edit.deleted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(seq: u64, at_ms: i64, author: &str) -> Edit {
        let author = Author::User(author.into());
        Edit { seq: Seq(seq), at_ms, author, inserted: 2, deleted: 1 }
    }

    #[test]
    fn a_pause_ends_a_burst() {
        let edits = [edit(1, 0, "ann"), edit(2, 1_000, "ann"), edit(3, 2_001, "ann")];
        let bursts = timeline(edits, 1_000);
        let rows: Vec<_> = bursts.iter().map(|burst| (burst.first.0, burst.last.0)).collect();
        assert_eq!(rows, [(1, 2), (3, 3)]);
        let first = &bursts[0];
        assert_eq!((first.from_ms, first.to_ms, first.edits), (0, 1_000, 2));
        assert_eq!((first.inserted, first.deleted), (4, 2));
    }

    #[test]
    fn two_who_write_at_the_same_time_have_a_burst_each() {
        let edits = (1..=10).map(|seq| edit(seq, seq as i64, ["ann", "bo"][seq as usize % 2]));
        let bursts = timeline(edits, 100);
        let rows: Vec<_> = bursts.iter().map(|burst| (burst.first.0, burst.last.0)).collect();
        assert_eq!(rows, [(1, 9), (2, 10)]);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_a_burst_round() {
        let bursts = timeline([edit(1, 500, "ann"), edit(2, 100, "ann")], 1_000);
        assert_eq!((bursts.len(), bursts[0].from_ms, bursts[0].to_ms), (1, 500, 500));
    }
}
