//! Letters that two people have written again, neither seeing the other's.
//!
//! Who makes something else of a line, moves it or undoes a change of its form deletes it and writes a
//! copy. Two who do that at the same time write two copies of the same letters. All copies of a letter
//! are known from the rows that deleted one and wrote another, which a copy that somebody pastes does not
//! do. Of those that are there the one that came to the log first stays, unless
//! the other one stands where its line went. A block that holds nothing else goes as
//! well; what is new in it is carried to the copy that stays.

use std::collections::{BTreeMap, HashSet};

use super::ground::Ground;
use super::orphans::{Run, runs_of};
use super::{Hint, Seen};
use crate::crdt::lint::Span;
use crate::crdt::past::items::{Content, Id, Item, NONE};

/// What goes because it is there twice.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// Letters.
    pub(super) letters: HashSet<Id>,
    /// Blocks that are left without letters, by who wrote them.
    pub(super) gone: BTreeMap<u32, Vec<Span>>,
    /// What is new in these.
    pub(super) runs: Vec<Run>,
}

/// The copies that the rows from `since` on brought.
pub(super) fn find(ground: &Ground<'_>, since: u32, hints: &[Hint], own: u64) -> Doubles {
    let mut doubles = Doubles::default();
    for row in since..ground.past.rows.len() as u32 {
        let seq = ground.past.rows[row as usize].seq;
        let hint = hints.iter().find(|hint| hint.seq == seq);
        let unseen = hint.and_then(|hint| unseen(ground, row, hint));
        for moved in ground.past.moves.of(row) {
            // Whoever comes back names all deletions that they know: these are no deeds of their own.
            let died = ground.item(ground.past.items.find(moved.from)).deleted;
            let is_own = died == row || unseen.as_ref().is_none_or(|rows| rows.contains(&died));
            for skip in (0..moved.len).filter(|_| is_own) {
                let copy = Id { clock: moved.to.clock + skip, ..moved.to };
                if let Some(other) = double_of(ground, copy, &doubles.letters, hint) {
                    let goes = if has_moved(ground, row, other, copy) { other } else { copy };
                    doubles.letters.insert(goes);
                }
            }
        }
    }
    for row in since..ground.past.rows.len() as u32 {
        let seq = ground.past.rows[row as usize].seq;
        let is_away = hints.iter().any(|it| it.seq == seq && matches!(it.seen, Seen::All(_)));
        if !is_away {
            doubles.letters.extend(taken_back(ground, row, own));
        }
    }
    let blocks: HashSet<u32> =
        doubles.letters.iter().filter_map(|it| block_of(ground, *it, &doubles.letters)).collect();
    let mut blocks: Vec<u32> = blocks.into_iter().collect();
    blocks.sort_unstable();
    let new: Vec<u32> =
        blocks.iter().flat_map(|it| new_in(ground, *it, &doubles.letters)).collect();
    doubles.runs = runs_of(ground, &new, true);
    for block in blocks {
        let author = ground.author_of(ground.item(block).inserted);
        doubles.gone.entry(author).or_default().extend(ground.spans_below(block));
    }
    let mut letters: Vec<Id> = doubles.letters.iter().copied().collect();
    letters.sort_unstable();
    for letter in letters {
        let author = ground.author_of(ground.item(ground.past.items.find(letter)).inserted);
        let place = ground.past.items.place(letter);
        let (client, start, end) = (place.client, place.clock, place.clock + 1);
        doubles.gone.entry(author).or_default().push(Span { client, start, end });
    }
    doubles
}

/// The rows before another that its author had not seen; `None` if they were there.
fn unseen(ground: &Ground<'_>, row: u32, hint: &Hint) -> Option<HashSet<u32>> {
    let Seen::All(seen) = &hint.seen else { return None };
    let items = (0..ground.past.items.count()).map(|it| ground.item(it));
    let is_unseen = |item: &&Item| {
        let place = ground.past.items.place(item.id);
        item.inserted < row && !seen.has(place.client, place.clock)
    };
    Some(items.filter(is_unseen).map(|item| item.inserted).collect())
}

/// Copies of letters that the server, under the client id `own`, had carried when their author took them back.
fn taken_back(ground: &Ground<'_>, row: u32, own: u64) -> Vec<Id> {
    let author = ground.author_of(row);
    let items = &ground.past.items;
    let mut copies = Vec::new();
    for start in ground.past.again(row) {
        let item = ground.item(items.find(start));
        let wrote = |row: u32| ground.author_of(row) == author;
        // A Lexical binding deletes letters by itself whose map others have deleted.
        let is_bare = ground.died(item.parent) == NONE && ground.is_lexical(items.find(start));
        if item.deleted >= row || is_bare || !wrote(item.written) || !wrote(item.deleted) {
            continue;
        }
        let is_carried = |id: &Id| {
            items.place(*id).client == own && ground.is_live(ground.item(items.find(*id)))
        };
        for clock in item.id.clock..item.id.clock + item.text_len() {
            let id = Id { clock, ..item.id };
            if ground.past.moves.of(row).iter().any(|it| it.starts_from(id)) {
                continue;
            }
            let moves = ground.past.moves.of(item.deleted).iter().filter(|it| it.starts_from(id));
            copies.extend(moves.map(|it| it.image(id)).filter(is_carried));
        }
    }
    copies
}

/// The copy of a letter that is there and came before it, where the letter is there and its author had not
/// seen that.
fn double_of(
    ground: &Ground<'_>,
    copy: Id,
    known: &HashSet<Id>,
    hint: Option<&Hint>,
) -> Option<Id> {
    let item = ground.item(ground.past.items.find(copy));
    // A text that is no element has no lines that could be written twice.
    if !ground.is_live(item) || ground.owner(item.parent).is_none() {
        return None;
    }
    ground.family(copy).into_iter().find(|&other| {
        let before = ground.item(ground.past.items.find(other));
        let place = ground.past.items.place(other);
        let is_seen = hint.is_some_and(|hint| match &hint.seen {
            Seen::All(seen) => seen.has(place.client, place.clock),
            Seen::Until(_) => false,
        });
        let is_before = (before.inserted, other) < (item.inserted, copy);
        other != copy && !is_seen && is_before && !known.contains(&other) && ground.is_live(before)
    })
}

/// Whether a row moved the line of the first copy to where the other one is: a redo, which knows nothing of
/// letters that were carried into that line.
fn has_moved(ground: &Ground<'_>, row: u32, first: Id, copy: Id) -> bool {
    let line = |id: Id| ground.item(ground.past.items.find(id)).parent;
    let (from, to) = (line(first), line(copy));
    let went = |number: &u32| {
        let item = ground.item(*number);
        item.deleted == row && item.text_len() > 0
    };
    let mut went = ground.children(from).filter(went).map(|it| ground.item(it).id);
    from != to && went.any(|id| ground.image(id).is_some_and(|image| line(image) == to))
}

/// The largest block around a letter that its row made and that holds more doubled letters than others.
fn block_of(ground: &Ground<'_>, letter: Id, doubled: &HashSet<Id>) -> Option<u32> {
    let number = ground.past.items.find(letter);
    let row = ground.item(number).inserted;
    let around = ground.outwards(number).skip(1);
    let own = around.take_while(|it| {
        let item = ground.item(*it);
        item.inserted == row && item.is_listed() && is_spent(ground, *it, row, doubled)
    });
    own.last()
}

/// Whether at least half of the letters that a row put into a block are doubled, and only letters are there
/// besides: they are carried to the other copy.
fn is_spent(ground: &Ground<'_>, block: u32, row: u32, doubled: &HashSet<Id>) -> bool {
    let mut own = Vec::new();
    ground.letters(block, &|item| item.deleted == NONE && item.inserted == row, &mut own);
    let spent = own.iter().filter(|(id, _)| doubled.contains(id)).count();
    2 * spent >= own.len() && !ground.has_things(block)
}

/// Items of a block with letters that are not doubled.
fn new_in(ground: &Ground<'_>, block: u32, doubled: &HashSet<Id>) -> Vec<u32> {
    let item = ground.item(block);
    match item.content {
        Content::Text(_) => {
            let mut clocks = (0..item.len).map(|skip| item.id.clock + skip);
            let is_new = |clock| !doubled.contains(&Id { clock, ..item.id });
            if clocks.any(is_new) { vec![block] } else { Vec::new() }
        }
        Content::Type(branch) => {
            let there = ground.children(branch).filter(|it| ground.item(*it).deleted == NONE);
            there.flat_map(|it| new_in(ground, it, doubled)).collect()
        }
        _ => Vec::new(),
    }
}
