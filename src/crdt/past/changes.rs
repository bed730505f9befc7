//! What is different between two moments.

use super::walk::{Mask, Sink, Source, seal};
use super::{Author, Past};

/// From this many equal UTF-16 units on, what one author deleted and wrote again at the same place
/// counts as kept. Fewer only where that leaves nothing else of what was deleted or written.
const AGAIN_UNITS_MIN: usize = 4;

const FROM: Mask = 0b01;
const TO: Mask = 0b10;

/// What became of a stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is there in both moments.
    Kept,
    /// It is there in the later one only.
    Inserted,
    /// It is there in the earlier one only.
    Deleted,
}

/// A stretch of plain text, compared. All that is kept or deleted, put together, is the text of the
/// earlier moment; all that is kept or inserted, that of the later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// The text.
    pub text: String,
    /// Who wrote what was inserted, or deleted what was deleted. Nobody in particular did where a
    /// line end went because its line became the first.
    pub author: Option<Author>,
}

/// Gathers changes.
pub(super) struct Changes<'a> {
    past: &'a Past,
    done: Vec<Piece>,
    /// What was deleted and inserted since something was kept.
    deleted: Vec<Piece>,
    inserted: Vec<Piece>,
}

struct Piece {
    kind: ChangeKind,
    author: Option<u32>,
    units: Vec<u16>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(past: &'a Past) -> Self {
        Self { past, done: Vec::new(), deleted: Vec::new(), inserted: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Vec<Change> {
        self.settle();
        let author = |number: u32| self.past.authors[number as usize].clone();
        let change = |piece: Piece| Change {
            kind: piece.kind,
            text: String::from_utf16_lossy(&piece.units),
            author: piece.author.map(author),
        };
        self.done.into_iter().map(change).collect()
    }

    /// Ends a stretch in which nothing was kept: first what went, then what came, without what went
    /// and came again.
    fn settle(&mut self) {
        let (mut deleted, mut inserted) = (take(&mut self.deleted), take(&mut self.inserted));
        let (went, came) = (joined(&deleted), joined(&inserted));
        let all = went.len().min(came.len());
        let counts = |len: usize| len >= AGAIN_UNITS_MIN || (len == all && len > 0);
        let equal = |pair: &(&u16, &u16)| pair.0 == pair.1;
        let mut head = went.iter().zip(&came).take_while(equal).count();
        head -= usize::from(is_cut(&went, head) || is_cut(&came, head));
        let head = if counts(head) { head } else { 0 };
        let ends = went[head..].iter().rev().zip(came[head..].iter().rev());
        let mut tail = ends.take_while(equal).count();
        tail -= usize::from(is_cut(&went, went.len() - tail) || is_cut(&came, came.len() - tail));
        let tail = if counts(tail) || (tail > 0 && head + tail == all) { tail } else { 0 };
        cut(&mut deleted, head, tail);
        cut(&mut inserted, head, tail);
        self.keep(&went[..head]);
        for piece in deleted.iter().chain(&inserted) {
            add(&mut self.done, piece.kind, piece.author, &piece.units);
        }
        self.keep(&went[went.len() - tail..]);
    }

    fn keep(&mut self, units: &[u16]) {
        add(&mut self.done, ChangeKind::Kept, None, units);
    }

    fn author(&self, row: u32) -> Option<u32> {
        self.past.rows.get(row as usize).map(|row| row.author)
    }
}

impl Sink for Changes<'_> {
    fn text(&mut self, mask: Mask, units: &[u16], source: Source) {
        match mask {
            FROM => {
                let author = self.author(source.gone);
                add(&mut self.deleted, ChangeKind::Deleted, author, units);
            }
            TO => {
                let author = self.author(source.written);
                add(&mut self.inserted, ChangeKind::Inserted, author, units);
            }
            _ => {
                if !self.deleted.is_empty() || !self.inserted.is_empty() {
                    self.settle();
                }
                self.keep(units);
            }
        }
    }

    fn gap(&mut self, _: Mask) {
        let lists = [&mut self.done, &mut self.deleted, &mut self.inserted];
        lists.into_iter().filter_map(|list| list.last_mut()).for_each(|last| seal(&mut last.units));
    }
}

/// Adds a piece, to the last one where it goes on.
fn add(pieces: &mut Vec<Piece>, kind: ChangeKind, author: Option<u32>, units: &[u16]) {
    match pieces.last_mut() {
        _ if units.is_empty() => {}
        Some(last) if last.kind == kind && (last.author == author || author.is_none()) => {
            last.units.extend_from_slice(units);
        }
        _ => pieces.push(Piece { kind, author, units: units.to_vec() }),
    }
}

fn take(pieces: &mut Vec<Piece>) -> Vec<Piece> {
    std::mem::take(pieces)
}

fn joined(pieces: &[Piece]) -> Vec<u16> {
    pieces.iter().flat_map(|piece| &piece.units).copied().collect()
}

/// Whether a place lies inside a pair of surrogates.
pub(super) fn is_cut(units: &[u16], at: usize) -> bool {
    let is_first = |unit: &u16| (0xd800..0xdc00).contains(unit);
    at > 0 && at < units.len() && is_first(&units[at - 1])
}

/// Takes units away from the beginning and from the end.
fn cut(pieces: &mut [Piece], mut head: usize, mut tail: usize) {
    for piece in pieces.iter_mut() {
        let len = head.min(piece.units.len());
        piece.units.drain(..len);
        head -= len;
    }
    for piece in pieces.iter_mut().rev() {
        let len = tail.min(piece.units.len());
        piece.units.truncate(piece.units.len() - len);
        tail -= len;
    }
}
