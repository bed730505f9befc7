//! Undoes what some rows of the log did, in a document that others have changed since.
//!
//! From the whole log, everything that ever was is put in order, deleted or not; so what was deleted
//! still has its place, and what was inserted is known by its clocks. Text that the chosen rows have
//! brought goes, text that they were the first to delete comes back between what is left of its
//! neighbours. What cannot be undone that way is counted and said.
//!
//! What comes back is written anew. So the log does not tell that it is back: undone once more, it
//! comes twice.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use yrs::branch::BranchPtr;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{BranchID, ID, IdSet, ReadTxn, Snapshot, Text, TextRef, TransactionMut, Update};

use super::lint::{LintLimits, Summary, lint};
use super::replica::Replica;
use super::reshape::array_roots;
use crate::id::{LogRow, Seq};
use ever::{Doings, Everything, Piece, Type, What};

pub(super) use ever::without_deletes;

mod ever;

/// How the doings of some rows are undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverted {
    /// A Yjs v1 update for the live document; `None` if nothing can be undone.
    pub update: Option<Bytes>,
    /// Characters (in UTF-16) and values of theirs that go.
    pub inserted_removed: usize,
    /// Characters (in UTF-16) deleted by them that come back.
    pub deleted_restored: usize,
    /// What stays as it is, a sentence each.
    pub cannot: Vec<String>,
}

/// Why rows cannot be undone.
#[derive(Debug, Error)]
pub enum RevertError {
    /// The live document cannot be read.
    #[error("the live document cannot be read: {0}")]
    Live(String),
    /// A row cannot be read, or does not fit those before it.
    #[error("row {seq} cannot be read: {reason}")]
    Row {
        /// Which one.
        seq: Seq,
        /// For people.
        reason: String,
    },
    /// The client id is taken, or no client id. Another one will do.
    #[error("client id {0} cannot be used for the edit")]
    Client(u64),
    /// The document holds something that cannot be walked.
    #[error("the rows cannot be undone: {0}")]
    Impossible(String),
}

/// Client ids end here.
const CLIENT_END: u64 = 1 << 53;

/// Makes the edit that undoes what the chosen rows did to a document.
///
/// `live` is its full state as a Yjs v1 update and `rows` its whole log from the first row on;
/// `client` is the client id of the edit, drawn at random. Who only wants to know what would happen
/// does not use the update. Cost: the whole log is integrated once.
///
/// # Errors
/// [`RevertError`] says what does not fit.
pub fn revert(
    live: &[u8],
    rows: &[LogRow],
    chosen: impl Fn(&LogRow) -> bool,
    client: u64,
) -> Result<Reverted, RevertError> {
    if client >= CLIENT_END {
        return Err(RevertError::Client(client));
    }
    let mut doings = Doings::default();
    let mut summaries = Vec::with_capacity(rows.len());
    for row in rows {
        let summary = lint(&row.bytes, &LintLimits::NONE)
            .map_err(|e| RevertError::Row { seq: row.seq, reason: e.to_string() })?;
        doings.add(&summary, chosen(row));
        summaries.push(summary);
    }
    let types = read_everything(rows, &summaries)?;
    let live = Replica::scratch(live, client).map_err(RevertError::Live)?;
    if live.clock(client) > 0 {
        return Err(RevertError::Client(client));
    }
    let undone = live.use_up(|txn| {
        let before = txn.snapshot().delete_set;
        let mut undoing = Undoing::new(&types, &doings, before);
        undoing.judge(txn);
        undoing.write(txn)
    });
    undone.map_err(RevertError::Impossible)
}

fn read_everything(rows: &[LogRow], summaries: &[Summary]) -> Result<Vec<Type>, RevertError> {
    let updates = rows.iter().zip(summaries);
    let updates = updates.map(|(row, summary)| (without_deletes(&row.bytes), summary));
    let everything = Replica::of_everything(updates).map_err(|(index, reason)| {
        let seq = rows.get(index).map_or(Seq(0), |row| row.seq);
        RevertError::Row { seq, reason }
    })?;
    let types = everything.use_up(|txn| {
        let arrays = array_roots(txn);
        let roots = txn.root_refs().filter_map(|(name, root)| {
            let branch = root.try_branch().map(BranchPtr::from)?;
            Some((Arc::<str>::from(name), branch))
        });
        let roots: Vec<_> = roots.collect();
        let all = Snapshot::new(txn.state_vector(), IdSet::new());
        let mut everything = Everything { txn, all, types: Vec::new() };
        for (name, branch) in roots {
            everything.read(branch, arrays.contains(&name), 0)?;
        }
        Ok(everything.types)
    });
    types.map_err(RevertError::Impossible)
}

/// What is to become of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    ComesBack,
    IsGone,
}

/// Finds out what to do, then does it.
struct Undoing<'a> {
    types: &'a [Type],
    doings: &'a Doings,
    deleted: IdSet,
    /// Whether all that is in a type is theirs, by index.
    is_theirs: Vec<bool>,
    going: IdSet,
    /// Texts to write into types, with their places before anything is deleted; ascending.
    coming: Vec<(BranchPtr, u32, Vec<u16>)>,
    removed: usize,
    restored: usize,
    elements_kept: usize,
    elements_lost: usize,
    characters_lost: usize,
}

impl<'a> Undoing<'a> {
    fn new(types: &'a [Type], doings: &'a Doings, deleted: IdSet) -> Self {
        Undoing {
            types,
            doings,
            deleted,
            is_theirs: vec![false; types.len()],
            going: IdSet::new(),
            coming: Vec::new(),
            removed: 0,
            restored: 0,
            elements_kept: 0,
            elements_lost: 0,
            characters_lost: 0,
        }
    }

    fn fate(&self, id: &ID, offset: usize) -> Fate {
        let id = ID::new(id.client, id.clock + offset as u32);
        let is_theirs = self.doings.brought.contains(&id);
        match (self.deleted.contains(&id), is_theirs) {
            (false, true) => Fate::Goes,
            (false, false) => Fate::Stays,
            (true, false) if self.doings.taken.contains(&id) => Fate::ComesBack,
            (true, _) => Fate::IsGone,
        }
    }

    /// Goes through everything that ever was. Types come before those in them.
    fn judge<T: ReadTxn>(&mut self, txn: &T) {
        for index in (0..self.types.len()).rev() {
            self.is_theirs[index] = self.holds_only_theirs(&self.types[index]);
        }
        // Types of which nothing is to be looked at any more: they go with the one they are in.
        let mut is_going = vec![false; self.types.len()];
        for index in 0..self.types.len() {
            let kind = &self.types[index];
            if is_going[index] {
                for inner in inner_types(kind) {
                    is_going[inner] = true;
                }
                self.removed +=
                    kind.pieces.iter().map(|piece| self.count(piece, Fate::Goes)).sum::<usize>();
                continue;
            }
            let branch = kind.id.get_branch(txn).filter(|branch| !branch.is_deleted());
            match branch {
                Some(branch) => self.judge_type(kind, branch, &mut is_going),
                None => self.judge_deleted_type(kind),
            }
        }
    }

    fn holds_only_theirs(&self, kind: &Type) -> bool {
        let of_type = |index: usize| match self.types[index].id {
            BranchID::Nested(id) => match self.fate(&id, 0) {
                Fate::Goes => self.is_theirs[index],
                Fate::Stays => false,
                Fate::ComesBack | Fate::IsGone => true,
            },
            BranchID::Root(_) => false,
        };
        kind.keyed.iter().all(|index| of_type(*index))
            && kind.pieces.iter().all(|piece| match &piece.what {
                What::Type(index) => of_type(*index),
                What::Text(_) | What::Value => self.count(piece, Fate::Stays) == 0,
            })
    }

    /// How many clocks of a piece have this fate.
    fn count(&self, piece: &Piece, fate: Fate) -> usize {
        let len = match &piece.what {
            What::Text(units) => units.len(),
            What::Value => 1,
            What::Type(_) => 0,
        };
        (0..len).filter(|offset| self.fate(&piece.id, *offset) == fate).count()
    }

    fn judge_type(&mut self, kind: &Type, branch: BranchPtr, is_going: &mut [bool]) {
        let mut at = 0;
        for piece in &kind.pieces {
            match &piece.what {
                What::Text(units) => at = self.judge_text(branch, at, piece, units),
                What::Value => {
                    let fate = self.fate(&piece.id, 0);
                    if fate == Fate::Goes {
                        self.going.insert(piece.id, 1);
                        self.removed += 1;
                    }
                    at += u32::from(matches!(fate, Fate::Goes | Fate::Stays));
                }
                What::Type(inner) => match self.fate(&piece.id, 0) {
                    Fate::Goes if self.is_theirs[*inner] => {
                        self.going.insert(piece.id, 1);
                        is_going[*inner] = true;
                        at += 1;
                    }
                    Fate::Goes => {
                        self.elements_kept += 1;
                        at += 1;
                    }
                    Fate::Stays => at += 1,
                    Fate::ComesBack => self.elements_lost += 1,
                    Fate::IsGone => {}
                },
            }
        }
    }

    /// Judges a run of characters at a place of the live text; returns the place behind it.
    fn judge_text(&mut self, branch: BranchPtr, at: u32, piece: &Piece, units: &[u16]) -> u32 {
        let mut at = at;
        let fates: Vec<Fate> =
            (0..units.len()).map(|offset| self.fate(&piece.id, offset)).collect();
        let mut offset = 0;
        for run in fates.chunk_by(|a, b| a == b) {
            let new = &units[offset..offset + run.len()];
            match run[0] {
                Fate::Goes => {
                    let start = ID::new(piece.id.client, piece.id.clock + offset as u32);
                    self.going.insert(start, run.len() as u32);
                    self.removed += run.len();
                    at += run.len() as u32;
                }
                Fate::Stays => at += run.len() as u32,
                Fate::ComesBack => {
                    self.restored += run.len();
                    match self.coming.last_mut() {
                        Some((last, place, text)) if *last == branch && *place == at => {
                            text.extend(new);
                        }
                        _ => self.coming.push((branch, at, new.to_vec())),
                    }
                }
                Fate::IsGone => {}
            }
            offset += run.len();
        }
        at
    }

    fn judge_deleted_type(&mut self, kind: &Type) {
        for piece in &kind.pieces {
            match &piece.what {
                What::Text(_) => self.characters_lost += self.count(piece, Fate::ComesBack),
                What::Type(_) if self.fate(&piece.id, 0) == Fate::ComesBack => {
                    self.elements_lost += 1;
                }
                What::Type(_) | What::Value => {}
            }
        }
    }

    fn write(self, txn: &mut TransactionMut<'_>) -> Result<Reverted, String> {
        // From behind, so that the places before stay what they are.
        for (branch, at, units) in self.coming.iter().rev() {
            TextRef::from(*branch).insert(txn, *at, &String::from_utf16_lossy(units));
        }
        if !self.going.is_empty() {
            let deletes = [&[0][..], &self.going.encode_v1()].concat();
            let deletes = Update::decode_v1(&deletes).map_err(|e| e.to_string())?;
            txn.apply_update(deletes).map_err(|e| e.to_string())?;
        }
        let is_changed = !self.coming.is_empty() || !self.going.is_empty();
        let update = is_changed.then(|| txn.encode_update_v1().into());
        let cannot = self.cannot(&txn.snapshot().delete_set);
        let Undoing { removed, restored, .. } = self;
        Ok(Reverted { update, inserted_removed: removed, deleted_restored: restored, cannot })
    }

    fn cannot(&self, deleted: &IdSet) -> Vec<String> {
        let left = weight(&self.doings.brought.diff(deleted)).saturating_sub(self.elements_kept);
        let taken = weight(&self.doings.taken.diff(&self.doings.brought));
        let told = self.restored + self.characters_lost + self.elements_lost;
        let sentences = [
            (self.elements_kept, "elements of theirs stay because others have written in them"),
            (self.elements_lost, "deleted elements do not come back"),
            (
                self.characters_lost,
                "deleted characters do not come back: what they were in is gone",
            ),
            (left, "formats, attributes or values that they set stay"),
            (
                taken.saturating_sub(told),
                "formats, attributes or values that they deleted do not come back",
            ),
        ];
        let told = sentences.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

fn inner_types(kind: &Type) -> impl Iterator<Item = usize> + '_ {
    let listed = kind.pieces.iter().filter_map(|piece| match piece.what {
        What::Type(index) => Some(index),
        What::Text(_) | What::Value => None,
    });
    listed.chain(kind.keyed.iter().copied())
}

/// Clocks in a set.
fn weight(set: &IdSet) -> usize {
    set.iter().flat_map(|(_, ranges)| ranges.iter()).map(|r| (r.end - r.start) as usize).sum()
}

#[cfg(test)]
mod tests;
