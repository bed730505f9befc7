//! Text that a row deleted and wrote again elsewhere: from which clocks to which.
//!
//! Editors change the form of a block by writing it anew. Whoever still means the old clocks, because
//! they have not seen the change, is led to the new ones by [`Trail`].

use super::items::Id;

/// Clocks that follow each other, written again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    /// The row that did it.
    pub(super) row: u32,
    pub(super) from: Id,
    pub(super) to: Id,
    pub(super) len: u32,
}

impl Move {
    /// A clock is written again by it.
    pub(super) fn starts_from(&self, id: Id) -> bool {
        holds(self.from, self.len, id)
    }

    /// Where it wrote a clock again.
    pub(super) fn image(&self, id: Id) -> Id {
        Id { clock: self.to.clock + (id.clock - self.from.clock), ..self.to }
    }

    /// A clock repeats another because of it.
    pub(super) fn leads_to(&self, id: Id) -> bool {
        holds(self.to, self.len, id)
    }
}

fn holds(start: Id, len: u32, id: Id) -> bool {
    start.client == id.client && start.clock <= id.clock && id.clock < start.clock + len
}

/// All moves, in the order of the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Moves(Vec<Move>);

impl Moves {
    pub(super) fn push(&mut self, next: Move) {
        if let Some(last) = self.0.last_mut()
            && last.row == next.row
            && follows(last.from, last.len, next.from)
            && follows(last.to, last.len, next.to)
        {
            last.len += next.len;
            return;
        }
        self.0.push(next);
    }

    /// Bytes of memory, about.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<Move>()
    }

    /// Those of one row.
    pub(super) fn of(&self, row: u32) -> &[Move] {
        let start = self.0.partition_point(|moved| moved.row < row);
        let end = self.0.partition_point(|moved| moved.row <= row);
        &self.0[start..end]
    }

    pub(super) fn trail(&self) -> Trail {
        Trail {
            copies: Index::new(&self.0, |it| it.from),
            sources: Index::new(&self.0, |it| it.to),
        }
    }
}

fn follows(start: Id, len: u32, next: Id) -> bool {
    start.client == next.client && start.clock + len == next.clock
}

/// Where text went and where it came from.
pub(super) struct Trail {
    copies: Index,
    sources: Index,
}

impl Trail {
    /// Where a clock was written again, the latest first.
    pub(super) fn copies(&self, id: Id) -> Vec<Id> {
        let moved = |(it, skip): (Move, u32)| Id { clock: it.to.clock + skip, ..it.to };
        self.copies.around(id).into_iter().map(moved).collect()
    }

    /// What a clock repeats.
    pub(super) fn sources(&self, id: Id) -> Vec<Id> {
        let moved = |(it, skip): (Move, u32)| Id { clock: it.from.clock + skip, ..it.from };
        self.sources.around(id).into_iter().map(moved).collect()
    }
}

/// Moves sorted by one of their ends.
struct Index {
    moves: Vec<Move>,
    end: fn(&Move) -> Id,
    /// The longest of them: one that holds a clock does not begin further before it.
    len_max: u32,
}

impl Index {
    fn new(moves: &[Move], end: fn(&Move) -> Id) -> Self {
        let mut moves = moves.to_vec();
        moves.sort_by_key(|it| (end(it), it.row));
        let len_max = moves.iter().map(|it| it.len).max().unwrap_or(0);
        Self { moves, end, len_max }
    }

    /// The moves that a clock is in, the latest first, and how far in it is.
    fn around(&self, id: Id) -> Vec<(Move, u32)> {
        let until = self.moves.partition_point(|it| (self.end)(it) <= id);
        let near = self.moves[..until].iter().rev().take_while(|it| {
            let start = (self.end)(it);
            start.client == id.client && start.clock + self.len_max > id.clock
        });
        let skip = |it: &Move| id.clock - (self.end)(it).clock;
        let found = near.filter(|it| skip(it) < it.len).map(|it| (*it, skip(it)));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(it, _)| std::cmp::Reverse(it.row));
        found
    }
}
