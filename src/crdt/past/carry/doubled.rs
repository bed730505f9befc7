//! Lines that two people have written again, neither seeing the other's.
//!
//! Both made something else of the same lines: each deleted them and wrote a copy. The copy that came
//! to the log later goes. That is done only where the later row itself deletes the lines that were gone
//! already, and wrote all of their letters and no others; what differs stays, as two honest lines do.

use super::Hint;
use super::ground::Ground;
use crate::crdt::lint::Span;
use crate::crdt::past::items::{Content, NONE};

/// Items on each side of the old lines among which a copy is looked for.
const ITEMS_MAX: usize = 256;

/// A copy that goes.
#[derive(Debug)]
pub(super) struct Double {
    pub(super) gone: Vec<Span>,
    /// Who wrote it, by number.
    pub(super) author: u32,
}

/// The copies that the rows from `since` on brought.
pub(super) fn find(ground: &Ground<'_>, since: u32, hints: &[Hint]) -> Vec<Double> {
    let again = &ground.past.again;
    let mut doubles = Vec::new();
    let mut at = again.partition_point(|(row, _)| *row < since);
    while let Some(&(row, line)) = again.get(at) {
        let item = ground.item(line);
        let group = again[at..].iter().take_while(|(other, number)| {
            let it = ground.item(*number);
            *other == row && it.parent == item.parent && it.deleted == item.deleted
        });
        let lines: Vec<u32> = group.map(|(_, number)| *number).collect();
        at += lines.len();
        if is_unaware(ground, row, item.deleted, hints) {
            doubles.extend(double(ground, row, &lines));
        }
    }
    doubles
}

/// Whether whoever wrote a row had not seen the one that deleted the lines before.
fn is_unaware(ground: &Ground<'_>, row: u32, before: u32, hints: &[Hint]) -> bool {
    let seq = ground.past.rows[row as usize].seq;
    let Some(hint) = hints.iter().find(|hint| hint.seq == seq) else { return true };
    let mut written = (0..ground.past.items.count()).map(|it| ground.item(it));
    written.any(|item| {
        let place = ground.past.items.place(item.id);
        item.inserted == before && !hint.seen.has(place.client, place.clock)
    })
}

fn double(ground: &Ground<'_>, row: u32, lines: &[u32]) -> Option<Double> {
    let first = ground.item(*lines.first()?);
    let before = first.deleted;
    if ground.died(first.parent) != NONE || before == row {
        return None;
    }
    let mut old = Vec::new();
    for line in lines {
        ground.letters(*line, &|item| item.deleted == before, &mut old);
    }
    // The earlier copy is there.
    let is_there = |id| ground.trail.copies(id).into_iter().any(|it| ground.image(it).is_some());
    if old.is_empty() || !old.iter().all(|(id, _)| is_there(*id)) {
        return None;
    }
    let copies = copies(ground, row, before, lines);
    let mut new = Vec::new();
    for copy in &copies {
        ground.letters(*copy, &|item| item.deleted == NONE, &mut new);
    }
    let is_copy = old.iter().map(|(_, unit)| unit).eq(new.iter().map(|(_, unit)| unit));
    is_copy.then(|| Double {
        gone: copies.iter().flat_map(|it| ground.spans_below(*it)).collect(),
        author: ground.author_of(row),
    })
}

/// What a row wrote where lines were, in the order of the list.
fn copies(ground: &Ground<'_>, row: u32, before: u32, lines: &[u32]) -> Vec<u32> {
    let is_near = |it: &u32| {
        let item = ground.item(*it);
        item.deleted != NONE || item.inserted == row || item.inserted == before
    };
    let left = |it: &u32| Some(ground.item(*it).left).filter(|it| *it != NONE);
    let right = |it: &u32| Some(ground.item(*it).right).filter(|it| *it != NONE);
    let Some(&first) = lines.first() else { return Vec::new() };
    let start = std::iter::successors(Some(first), left).take(ITEMS_MAX).take_while(is_near).last();
    let near = std::iter::successors(start, right).take(2 * ITEMS_MAX).take_while(is_near);
    near.filter(|it| {
        let item = ground.item(*it);
        item.inserted == row && matches!(item.content, Content::Type(_)) && ground.is_live(item)
    })
    .collect()
}
