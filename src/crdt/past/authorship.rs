//! Whose text it is that a row inserts.
//!
//! Editors move text by deleting it and writing it again: a paragraph that is split, a heading that
//! becomes a paragraph, an item of a list. To the CRDT that is new text of whoever pressed the key.
//! Here it keeps who wrote it first:
//!
//! - **Text that comes back.** Undo writes text again right before where it was deleted, and a block
//!   right before where the block was deleted.
//! - **Text that moves.** What a row deletes is searched for in what it inserts, the longest common
//!   runs first: whole runs whatever their length, runs at the beginning or end of both from
//!   [`EDGE_UNITS_MIN`] on, others from [`INNER_UNITS_MIN`] on, so that a new sentence does not owe
//!   its " the " to the old one.
//!
//! The work for a row is bounded; beyond the bounds, text belongs to the row that inserts it.

use std::collections::{HashMap, HashSet};

use super::changes::is_cut;
use super::items::{Content, Id, Item, Items, NONE};
use super::moves::{Move, Moves};

/// UTF-16 units from which a common run counts.
const EDGE_UNITS_MIN: usize = 4;
const INNER_UNITS_MIN: usize = 12;
/// Units that are looked at in what a row deletes, and in what it inserts.
const UNITS_MAX: usize = 1 << 20;
/// Places in the deleted text at which a common run is looked for.
const CANDIDATES_MAX: usize = 16;
/// Units that are compared for one row.
const COMPARED_MAX: usize = 1 << 22;
/// Runs that are compared with short ones, and short ones that are.
const SHORT_MAX: usize = 256;
/// Items that are passed over between two of one run.
const PASSED_MAX: usize = 64;

/// Text that lies together, in pieces.
#[derive(Debug, Default)]
struct Runs {
    units: Vec<u16>,
    /// Where each run begins in the units, and the end of the last.
    starts: Vec<usize>,
    pieces: Vec<Piece>,
}

/// Clocks that follow each other.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// In the units of the runs.
    at: usize,
    id: Id,
    len: usize,
    written: u32,
}

/// Units that are equal.
#[derive(Debug, Clone, Copy)]
struct Match {
    from: usize,
    to: usize,
    len: usize,
}

/// Settles whose text a row inserts, and notes what of it was moved. `first` is the number of the
/// first item that it made, `deleted` the items that it deleted; `is_own` tells what its author has deleted
/// before.
pub(super) fn inherit(
    items: &mut Items,
    moves: &mut Moves,
    row: u32,
    first: u32,
    deleted: &[u32],
    is_own: &dyn Fn(&Item) -> bool,
) {
    revive(items, moves, row, first, is_own);
    let came = (first..items.count())
        .filter(|&it| is_text(items, it, |item| item.inserted == row && item.deleted != row));
    let came: Vec<u32> = came.filter(|&it| items.item(it).written == row).collect();
    let came: Vec<u32> =
        came.into_iter().filter(|number| !comes_back(items, moves, row, *number, is_own)).collect();
    if came.is_empty() {
        return;
    }
    let went = deleted.iter().copied();
    let went = went.filter(|&it| is_text(items, it, |item| item.inserted != row));
    let went: Vec<u32> = went.collect();
    if went.is_empty() {
        return;
    }
    let passes = |number: u32| {
        let item = items.item(number);
        item.inserted == row || item.deleted < row || !matches!(item.content, Content::Text(_))
    };
    let went = Runs::gather(items, &went, passes);
    let came = Runs::gather(items, &came, |number| {
        matches!(items.item(number).content, Content::Format(_))
    });
    let mut taken =
        Taken { from: vec![false; went.units.len()], to: vec![false; came.units.len()] };
    // A row that writes what it deletes, and nothing else, moves it: lines that change places.
    let moves_all = went.sorted() == came.sorted();
    let is_of_block = |part: Match| {
        let ((source, from), (target, to)) = (went.piece(part.from), came.piece(part.to));
        let at =
            |piece: &Piece, skip: usize| Id { clock: piece.id.clock + skip as u32, ..piece.id };
        is_of_a_block(items, row, at(source, from), at(target, to))
    };
    let mut parts = Vec::new();
    for found in common(&went, &came) {
        parts.extend(taken.claim(found, &went, &came, &is_of_block));
    }
    for part in parts {
        give(items, moves, (row, moves_all), (&went, &came), part);
    }
}

/// Blocks that come back with all their letters: the letters are those of the blocks that were deleted.
fn revive(
    items: &mut Items,
    moves: &mut Moves,
    row: u32,
    first: u32,
    is_own: &dyn Fn(&Item) -> bool,
) {
    for number in first..items.count() {
        let item = *items.item(number);
        let Some(old) = item.right_origin.filter(|id| items.is_known(*id)) else { continue };
        let old = *items.item(items.find(old));
        let (Content::Type(new), Content::Type(gone)) = (item.content, old.content) else {
            continue;
        };
        let is_same = items.branch(new).tag == items.branch(gone).tag;
        if item.inserted != row || old.deleted == NONE || !is_same {
            continue;
        }
        let (mut went, mut came) = (Vec::new(), Vec::new());
        items.letters(gone, &|item| item.deleted == old.deleted, &mut went);
        items.letters(new, &|item| item.deleted == NONE, &mut came);
        if went.is_empty() || !went.iter().map(|it| it.1).eq(came.iter().map(|it| it.1)) {
            continue;
        }
        // What its author moved and then puts where it was is another copy, not the same.
        let copies = moves.of(old.deleted);
        let is_there = |id: Id| items.item(items.find(id)).deleted == NONE;
        let image =
            |from: Id| copies.iter().find(|it| it.starts_from(from)).map(|it| it.image(from));
        let is_copy = is_own(&old) && image(went[0].0).is_some_and(is_there);
        for ((from, _), (to, _)) in went.into_iter().zip(came) {
            let written = items.item(items.find(from)).written;
            items.give(to, 1, written);
            if !is_copy {
                moves.push(Move { row, from, to, len: 1 });
            }
        }
    }
}

fn is_text(items: &Items, number: u32, is_meant: impl Fn(&Item) -> bool) -> bool {
    let item = items.item(number);
    matches!(item.content, Content::Text(_)) && is_meant(item)
}

/// Whether an item repeats deleted text that begins right behind it; then it belongs to whom that
/// belonged.
fn comes_back(
    items: &mut Items,
    moves: &mut Moves,
    row: u32,
    number: u32,
    is_own: &dyn Fn(&Item) -> bool,
) -> bool {
    let item = *items.item(number);
    let (Some(mut id), Content::Text(start)) = (item.right_origin, item.content) else {
        return false;
    };
    let units = items.units(start, item.len);
    let mut compared = 0;
    let mut parts = Vec::new();
    while compared < units.len() {
        if !items.is_known(id) {
            return false;
        }
        let old = items.item(items.find(id));
        let Content::Text(at) = old.content else { return false };
        let skip = id.clock - old.id.clock;
        let len = (old.len - skip).min((units.len() - compared) as u32);
        let same = units[compared..][..len as usize] == *items.units(at + skip, len);
        if old.deleted == NONE || !same {
            return false;
        }
        parts.push((compared as u32, id, len, old.written));
        compared += len as usize;
        id.clock += len;
    }
    // A single letter that happens to be the first of a deleted word has not come back.
    let last = items.item(items.find(Id { clock: id.clock - 1, ..id }));
    let ends = id.clock == last.id.clock + last.len
        && (last.right == NONE || {
            let next = items.item(last.right);
            next.deleted != last.deleted || !matches!(next.content, Content::Text(_))
        });
    let is_gone = match items.branch(item.parent).owner {
        NONE => false,
        owner => items.item(owner).deleted != NONE,
    };
    if compared < EDGE_UNITS_MIN && !ends && !is_gone && !is_own(last) {
        return false;
    }
    for (at, from, len, written) in parts {
        let to = Id { clock: item.id.clock + at, ..item.id };
        items.give(to, len, written);
        moves.push(Move { row, from, to, len });
    }
    true
}

impl Runs {
    /// Puts items together that lie beside each other, but for those that may be passed over.
    fn gather(items: &Items, numbers: &[u32], passes: impl Fn(u32) -> bool) -> Self {
        let all: HashSet<u32> = numbers.iter().copied().collect();
        let beside = |number: u32, next: fn(&Items, u32) -> u32| {
            let mut at = next(items, number);
            for _ in 0..PASSED_MAX {
                if at == NONE || all.contains(&at) || !passes(at) {
                    break;
                }
                at = next(items, at);
            }
            Some(at).filter(|at| all.contains(at))
        };
        let mut runs = Runs::default();
        for &number in numbers {
            if beside(number, |items, at| items.item(at).left).is_some() {
                continue;
            }
            runs.starts.push(runs.units.len());
            let mut at = Some(number);
            while let Some(number) = at.filter(|_| runs.units.len() < UNITS_MAX) {
                runs.push(items, number);
                at = beside(number, |items, at| items.item(at).right);
            }
        }
        runs.starts.push(runs.units.len());
        runs
    }

    fn push(&mut self, items: &Items, number: u32) {
        let item = items.item(number);
        if let Content::Text(start) = item.content {
            let (at, len) = (self.units.len(), item.len as usize);
            self.pieces.push(Piece { at, id: item.id, len, written: item.written });
            self.units.extend_from_slice(items.units(start, item.len));
        }
    }

    /// The run that a place is in.
    fn around(&self, at: usize) -> std::ops::Range<usize> {
        let run = self.starts.partition_point(|start| *start <= at) - 1;
        self.starts[run]..self.starts[run + 1]
    }

    /// The texts of the runs, in an order that says nothing of their places.
    fn sorted(&self) -> Vec<&[u16]> {
        let mut texts: Vec<&[u16]> = self.runs().map(|run| &self.units[run]).collect();
        texts.retain(|text| !text.is_empty());
        texts.sort_unstable();
        texts
    }

    fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.starts.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// Common runs, the longest first.
fn common(went: &Runs, came: &Runs) -> Vec<Match> {
    let mut found = whole(went, came);
    let mut grams: HashMap<&[u16], Vec<usize>> = HashMap::new();
    for run in went.runs() {
        for at in run.start..run.end.saturating_sub(EDGE_UNITS_MIN - 1).max(run.start) {
            let places = grams.entry(&went.units[at..at + EDGE_UNITS_MIN]).or_default();
            if places.len() < CANDIDATES_MAX {
                places.push(at);
            }
        }
    }
    let mut left = COMPARED_MAX;
    for run in came.runs() {
        for to in run.start..run.end.saturating_sub(EDGE_UNITS_MIN - 1).max(run.start) {
            for &from in grams.get(&came.units[to..to + EDGE_UNITS_MIN]).into_iter().flatten() {
                let source = went.around(from);
                let goes_on = from > source.start
                    && to > run.start
                    && went.units[from - 1] == came.units[to - 1];
                if goes_on || left == 0 {
                    continue;
                }
                let rest = went.units[from..source.end].iter().zip(&came.units[to..run.end]);
                let len = rest.take(left).take_while(|pair| pair.0 == pair.1).count();
                left -= len;
                found.push(Match { from, to, len });
            }
        }
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.len));
    found
}

/// Runs that are equal as a whole, and short ones that are the end of another.
fn whole(went: &Runs, came: &Runs) -> Vec<Match> {
    let mut by_text: HashMap<&[u16], Vec<usize>> = HashMap::new();
    // The last is taken first.
    went.runs().collect::<Vec<_>>().into_iter().rev().for_each(|run| {
        by_text.entry(&went.units[run.clone()]).or_default().push(run.start);
    });
    let mut found = Vec::new();
    for run in came.runs().filter(|run| !run.is_empty()) {
        if let Some(from) = by_text.get_mut(&came.units[run.clone()]).and_then(Vec::pop) {
            found.push(Match { from, to: run.start, len: run.len() });
        }
    }
    let short = came.runs().filter(|run| (1..EDGE_UNITS_MIN).contains(&run.len()));
    for run in short.take(SHORT_MAX) {
        let text = &came.units[run.clone()];
        let ends = went.runs().take(SHORT_MAX).filter(|it| went.units[it.clone()].ends_with(text));
        let (to, len) = (run.start, run.len());
        found.extend(ends.map(|it| Match { from: it.end - len, to, len }));
    }
    found
}

/// What has been given away, and to whom.
struct Taken {
    from: Vec<bool>,
    to: Vec<bool>,
}

impl Taken {
    /// The parts of a match that are still free, on both sides, and long enough.
    fn claim(
        &mut self,
        found: Match,
        went: &Runs,
        came: &Runs,
        is_of_block: &dyn Fn(Match) -> bool,
    ) -> Vec<Match> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < found.len {
            let is_free = |i: &usize| !self.from[found.from + i] && !self.to[found.to + i];
            let start = (at..found.len).find(is_free).unwrap_or(found.len);
            let end = (start..found.len).find(|i| !is_free(i)).unwrap_or(found.len);
            at = end;
            let part = Match { from: found.from + start, to: found.to + start, len: end - start };
            let counts = |part: &Match| {
                counts(*part, went, came) || is_end(*part, went, came) && is_of_block(*part)
            };
            parts.extend(whole_characters(part, came).filter(counts));
        }
        for part in &parts {
            self.from[part.from..][..part.len].fill(true);
            self.to[part.to..][..part.len].fill(true);
        }
        parts
    }
}

/// Leaves away halves of surrogate pairs at the ends.
fn whole_characters(mut part: Match, came: &Runs) -> Option<Match> {
    if is_cut(&came.units, part.to) {
        part = Match { from: part.from + 1, to: part.to + 1, len: part.len.checked_sub(1)? };
    }
    if is_cut(&came.units, part.to + part.len) {
        part.len = part.len.checked_sub(1)?;
    }
    Some(part).filter(|part| part.len > 0)
}

/// Whether a whole run is the end of another.
fn is_end(part: Match, went: &Runs, came: &Runs) -> bool {
    let (source, target) = (went.around(part.from), came.around(part.to));
    part.from + part.len == source.end && part.to == target.start && part.len == target.len()
}

/// Whether a common run is long enough for where it is.
fn counts(part: Match, went: &Runs, came: &Runs) -> bool {
    let (source, target) = (went.around(part.from), came.around(part.to));
    let begins = part.from == source.start && part.to == target.start;
    let ends = part.from + part.len == source.end && part.to + part.len == target.end;
    match (begins, ends) {
        (true, true) => true,
        (false, false) => part.len >= INNER_UNITS_MIN,
        _ => part.len >= EDGE_UNITS_MIN,
    }
}

/// Hands a run on, piece by piece.
fn give(
    items: &mut Items,
    moves: &mut Moves,
    (row, moves_all): (u32, bool),
    (went, came): (&Runs, &Runs),
    part: Match,
) {
    let mut done = 0;
    while done < part.len {
        let (source, skipped) = went.piece(part.from + done);
        let (target, offset) = came.piece(part.to + done);
        let len = (source.len - skipped).min(target.len - offset).min(part.len - done);
        let id = Id { clock: target.id.clock + offset as u32, ..target.id };
        items.give(id, len as u32, source.written);
        let from = Id { clock: source.id.clock + skipped as u32, ..source.id };
        if moves_all || part.len >= EDGE_UNITS_MIN || is_of_a_block(items, row, from, id) {
            moves.push(Move { row, from, to: id, len: len as u32 });
        }
        done += len;
    }
}

/// Few letters that are equal may be so by chance, unless their block goes or a block comes with them.
fn is_of_a_block(items: &Items, row: u32, from: Id, to: Id) -> bool {
    let owner = |id: Id| match items.branch(items.item(items.find(id)).parent).owner {
        NONE => None,
        owner => Some(items.item(owner)),
    };
    owner(from).is_some_and(|it| it.deleted != NONE)
        || owner(to).is_some_and(|it| it.inserted == row)
}

impl Runs {
    /// The piece that a place is in, and how far in it.
    fn piece(&self, at: usize) -> (&Piece, usize) {
        let piece = &self.pieces[self.pieces.partition_point(|piece| piece.at <= at) - 1];
        (piece, at - piece.at)
    }
}
