//! Everything that ever was in a document, in its order, and who brought it and took it away.

use std::collections::BTreeMap;

use yrs::branch::BranchPtr;
use yrs::types::text::YChange;
use yrs::{
    Any, Array, ArrayRef, Assoc, BranchID, ClientID, ID, IdSet, IndexedSequence, Map, MapRef, Out,
    Snapshot, Text, TextRef, TransactionMut,
};

use crate::crdt::lint::{LintLimits, Reader, Span, Summary, read_blocks};
use crate::crdt::replica::DEPTH_MAX;

/// Values of one array whose ids are looked for; each costs a walk along the array.
const VALUES_MAX: u32 = 10_000;

/// What chosen rows have brought and taken away, as clocks.
#[derive(Default)]
pub(super) struct Doings {
    pub(super) brought: IdSet,
    /// Deleted by none before them.
    pub(super) taken: IdSet,
    known: BTreeMap<u64, u32>,
    /// Deleted so far: for each client id, where a range starts and ends.
    deleted: BTreeMap<u64, BTreeMap<u32, u32>>,
}

impl Doings {
    /// Takes in the next row.
    pub(super) fn add(&mut self, row: &Summary, is_chosen: bool) {
        for span in &row.inserts {
            let known = self.known.entry(span.client).or_default();
            let start = span.start.max(*known);
            if is_chosen && start < span.end {
                insert(&mut self.brought, span.client, start, span.end);
            }
            *known = span.end.max(*known);
        }
        for span in &row.deletes {
            let ranges = self.deleted.entry(span.client).or_default();
            for (start, end) in cover(ranges, span) {
                if is_chosen {
                    insert(&mut self.taken, span.client, start, end);
                }
            }
        }
        // What comes without content was deleted before it came, by whoever brings it.
        for span in &row.fills {
            cover(self.deleted.entry(span.client).or_default(), span);
        }
    }
}

fn insert(set: &mut IdSet, client: u64, start: u32, end: u32) {
    set.insert(ID::new(ClientID::new(client), start), end - start);
}

/// Adds a range to those covered, and returns what of it was not.
fn cover(ranges: &mut BTreeMap<u32, u32>, span: &Span) -> Vec<(u32, u32)> {
    let mut start = span.start;
    if let Some((_, end)) = ranges.range(..=span.start).next_back() {
        start = start.max(*end);
    }
    let mut new = Vec::new();
    for (next, end) in ranges.range(span.start + 1..span.end) {
        if start < *next {
            new.push((start, *next));
        }
        start = start.max(*end);
    }
    if start < span.end {
        new.push((start, span.end));
    }
    ranges.extend(new.iter().copied());
    new
}

/// An update without what it deletes.
pub(in crate::crdt) fn without_deletes(update: &[u8]) -> Vec<u8> {
    let mut end = 1;
    let mut reader = Reader::new(update);
    // The bytes have been linted.
    let read = read_blocks(&mut reader, &LintLimits::NONE, |_, at| {
        end = at;
        Ok(())
    });
    debug_assert!(read.is_ok(), "{read:?}");
    [&update[..end], &[0]].concat()
}

/// A shared type that ever was.
pub(super) struct Type {
    pub(super) id: BranchID,
    /// Of its list, in order.
    pub(super) pieces: Vec<Piece>,
    /// Shared types under its keys, as indexes.
    pub(super) keyed: Vec<usize>,
}

/// A part of a list: the clocks from `id` on.
pub(super) struct Piece {
    pub(super) id: ID,
    pub(super) what: What,
}

/// What a piece is.
pub(super) enum What {
    /// Characters, in UTF-16; as many clocks.
    Text(Vec<u16>),
    /// A plain or embedded value; one clock.
    Value,
    /// A shared type, as an index; one clock.
    Type(usize),
}

/// Reads a document in which nothing is deleted.
pub(super) struct Everything<'a, 'doc> {
    pub(super) txn: &'a mut TransactionMut<'doc>,
    /// What is to be seen.
    pub(super) all: Snapshot,
    pub(super) types: Vec<Type>,
}

impl Everything<'_, '_> {
    /// Adds a shared type and all below it; returns its index.
    ///
    /// # Errors
    /// Nested too deep, or of an unknown kind.
    pub(super) fn read(
        &mut self,
        branch: BranchPtr,
        is_array: bool,
        depth: u32,
    ) -> Result<usize, String> {
        if depth > DEPTH_MAX {
            return Err(format!("elements nested deeper than {DEPTH_MAX}"));
        }
        let index = self.types.len();
        let (pieces, keyed) = (Vec::new(), Vec::new());
        self.types.push(Type { id: branch.id(), pieces, keyed });
        let entries: Vec<Out> = MapRef::from(branch).iter(self.txn).map(|(_, out)| out).collect();
        for entry in &entries {
            if let Some(inner) = self.read_inner(entry, depth)? {
                self.types[index].keyed.push(inner);
            }
        }
        let pieces = if is_array { self.values(branch, depth)? } else { self.text(branch, depth)? };
        self.types[index].pieces = pieces;
        Ok(index)
    }

    fn read_inner(&mut self, value: &Out, depth: u32) -> Result<Option<usize>, String> {
        let is_array = matches!(value, Out::YArray(_) | Out::YMap(_));
        let Some(branch) = value.try_branch().map(BranchPtr::from) else {
            return Ok(None);
        };
        self.read(branch, is_array, depth + 1).map(Some)
    }

    fn text(&mut self, branch: BranchPtr, depth: u32) -> Result<Vec<Piece>, String> {
        let text = TextRef::from(branch);
        let nothing = Snapshot::default();
        // Compared with nothing, each item is a piece of its own that names its id.
        let ids = |new: YChange| new.id;
        let found = text.diff_range(self.txn, Some(&self.all), Some(&nothing), ids);
        let mut pieces = Vec::new();
        let mut at = 0;
        for piece in found {
            match (&piece.insert, piece.ychange) {
                (Out::Any(Any::String(run)), Some(id)) => {
                    let units: Vec<u16> = run.encode_utf16().collect();
                    at += units.len() as u32;
                    pieces.push(Piece { id, what: What::Text(units) });
                }
                (value, _) => {
                    pieces.extend(self.piece(&text, at, value, depth)?);
                    at += 1;
                }
            }
        }
        Ok(pieces)
    }

    fn values(&mut self, branch: BranchPtr, depth: u32) -> Result<Vec<Piece>, String> {
        let array = ArrayRef::from(branch);
        let is_long = array.len(self.txn) > VALUES_MAX;
        let values: Vec<Out> = array.iter(self.txn).collect();
        let mut pieces = Vec::new();
        for (at, value) in values.iter().enumerate() {
            if !is_long || value.try_branch().is_some() {
                pieces.extend(self.piece(&array, at as u32, value, depth)?);
            }
        }
        Ok(pieces)
    }

    fn piece<L: IndexedSequence>(
        &mut self,
        list: &L,
        at: u32,
        value: &Out,
        depth: u32,
    ) -> Result<Option<Piece>, String> {
        if let Some(inner) = self.read_inner(value, depth)? {
            return Ok(match self.types[inner].id {
                BranchID::Nested(id) => Some(Piece { id, what: What::Type(inner) }),
                BranchID::Root(_) => None,
            });
        }
        let place = list.sticky_index(self.txn, at, Assoc::After);
        let id = place.as_ref().and_then(|place| place.id().copied());
        Ok(id.map(|id| Piece { id, what: What::Value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_deleted_before_is_not_deleted_again() {
        let mut ranges = BTreeMap::new();
        let mut delete = |start, end| cover(&mut ranges, &Span { client: 1, start, end });
        assert_eq!(delete(4, 6), [(4, 6)]);
        assert_eq!(delete(8, 9), [(8, 9)]);
        assert_eq!(delete(5, 7), [(6, 7)]);
        assert_eq!(delete(0, 12), [(0, 4), (7, 8), (9, 12)]);
        assert_eq!(delete(2, 12), []);
    }
}
