//! Blocks that an editor deleted because two forms of one line stood in them.
//!
//! Where a block may hold one line only, and two people have given that line another form, both forms
//! meet in each of their editors before the server can take one of them out. A ProseMirror binding answers
//! that by deleting the block, with all that is in it. No person did that: the block is written again, with
//! the form that came first. Source: `y-prosemirror`, `createNodeFromYElement`.

use std::collections::{HashMap, HashSet};

use super::ground::Ground;
use super::pieces::Piece;
use super::place::Spot;
use crate::crdt::lint::Span;
use crate::crdt::past::items::{Content, Id, NONE};

/// Letters of one block that are looked at.
const LETTERS_MAX: usize = 4_096;

/// A block that is to be written again.
#[derive(Debug)]
pub(super) struct Overfull {
    /// Who wrote into it last.
    pub(super) author: u32,
    pub(super) spot: Spot,
    pub(super) piece: Piece,
    /// What it is a copy of.
    pub(super) items: HashSet<u32>,
    pub(super) gone: Vec<Span>,
}

/// The blocks that rows from `since` on deleted in this way.
pub(super) fn find(ground: &Ground<'_>, since: u32) -> Vec<Overfull> {
    let tops = (0..ground.past.items.count()).filter(|it| is_top(ground, *it, since));
    tops.filter_map(|it| overfull(ground, it)).collect()
}

/// A block that a row deleted which wrote nothing; what it stood in is there.
fn is_top(ground: &Ground<'_>, number: u32, since: u32) -> bool {
    let item = ground.item(number);
    let is_block = matches!(item.content, Content::Type(_)) && item.is_listed();
    let is_gone = item.deleted != NONE && item.deleted >= since;
    is_block && is_gone && ground.died(item.parent) == NONE
}

fn overfull(ground: &Ground<'_>, top: u32) -> Option<Overfull> {
    let row = ground.item(top).deleted;
    let late = late_forms(ground, top, &seen_together(ground, top, row))?;
    let is_left = |number: u32| {
        let item = ground.item(number);
        (item.deleted == NONE || item.deleted == row) && !late.contains(&number)
    };
    let piece = ground.piece_with(top, &is_left)?;
    let items = below(ground, top, &is_left);
    let made = items.iter().map(|it| ground.item(*it).inserted).max()?;
    let gone = items.iter().map(|it| span(ground, *it)).collect();
    let (author, spot) = (ground.author_of(made), ground.before(top));
    Some(Overfull { author, spot, piece, gone, items: items.into_iter().collect() })
}

/// The letters of a block that the row which deleted it found there.
fn seen_together(ground: &Ground<'_>, top: u32, row: u32) -> HashMap<Id, u32> {
    let again: HashSet<Id> = ground.past.again(row).collect();
    let is_seen = |it: u32| {
        let item = ground.item(it);
        item.deleted == row || again.contains(&item.id)
    };
    let mut letters = HashMap::new();
    for number in below(ground, top, &is_seen) {
        let item = ground.item(number);
        let clocks = (0..item.text_len()).map(|skip| Id { clock: item.id.clock + skip, ..item.id });
        letters.extend(clocks.take(LETTERS_MAX - letters.len().min(LETTERS_MAX)).map(|id| (id, number)));
    }
    letters
}

/// Where two forms of one line stood beside each other in a block that went with them: all but the first.
fn late_forms(ground: &Ground<'_>, top: u32, seen: &HashMap<Id, u32>) -> Option<HashSet<u32>> {
    let mut late = HashSet::new();
    for (letter, number) in seen {
        for other in ground.family(*letter) {
            let Some(copy) = seen.get(&other).filter(|_| other != *letter) else { continue };
            if let Some((one, two)) = beside_each_other(ground, top, *number, *copy) {
                let came = |it: u32| (ground.item(it).inserted, it);
                late.insert(if came(one) < came(two) { two } else { one });
            }
        }
    }
    (!late.is_empty()).then_some(late)
}

/// The two different blocks around two items that stand in the same block.
fn beside_each_other(ground: &Ground<'_>, top: u32, one: u32, two: u32) -> Option<(u32, u32)> {
    let inside = |it: u32| ground.outwards(it).take_while(move |it| *it != top);
    let around: Vec<u32> = inside(one).collect();
    inside(two).find_map(|two| {
        let is_beside = |one: &&u32| **one != two && ground.item(**one).parent == ground.item(two).parent;
        let one = *around.iter().find(is_beside)?;
        let are_blocks = [one, two].iter().all(|it| ground.tag(*it).is_some_and(|tag| !tag.is_empty()));
        are_blocks.then_some((one, two))
    })
}

/// The items in a block that are meant, each behind what it is in.
fn below(ground: &Ground<'_>, top: u32, is_meant: &dyn Fn(u32) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![top];
    while let Some(number) = open.pop() {
        if let Content::Type(branch) = ground.item(number).content {
            open.extend(ground.children(branch).filter(|it| is_meant(*it)));
        }
        if is_meant(number) {
            found.push(number);
        }
    }
    found
}

fn span(ground: &Ground<'_>, number: u32) -> Span {
    let item = ground.item(number);
    let place = ground.past.items.place(item.id);
    Span { client: place.client, start: place.clock, end: place.clock + item.len }
}
