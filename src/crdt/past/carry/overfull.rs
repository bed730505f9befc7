//! Blocks that an editor deleted because two forms of one line stood in them.
//!
//! A `blockContainer` of BlockNote holds one line. When two people give that line another form, both forms
//! meet in each of their editors before the server can take one of them out. The ProseMirror binding answers
//! by deleting the block with all that is in it, and then the blocks around it that are left empty. No person
//! did that: the blocks are written again, with one of the forms.
//! Source: `y-prosemirror`, `createNodeFromYElement`.

use std::collections::{BTreeMap, HashSet};

use super::ground::Ground;
use super::orphans::{Run, runs_of};
use super::pieces::Piece;
use super::place::Spot;
use crate::crdt::lint::Span;
use crate::crdt::past::items::{Content, Id, Item, NONE};

/// BlockNote's element around a line and the group of those below it.
const BLOCK: &str = "blockContainer";
/// Elements of which a document holds one: that of BlockNote.
const ONLY_ONE: [&str; 1] = ["blockGroup"];

/// A block that is to be written again.
#[derive(Debug)]
pub(super) struct Overfull {
    /// Who made the form that stays.
    pub(super) author: u32,
    pub(super) spot: Spot,
    pub(super) piece: Piece,
    /// Where all that is written again was.
    pub(super) gone: Vec<Span>,
    /// What the other forms hold: what of it is new goes into the one that stays.
    pub(super) runs: Vec<Run>,
}

/// A block that held two forms of one line, all around it that went with it, and its other forms.
#[derive(Debug, Default)]
struct Torn {
    /// The form that stays.
    form: u32,
    late: HashSet<u32>,
    /// The first row that deleted something of it, and who sent that.
    since: u32,
    author: u32,
}

/// The blocks that rows from `since` on deleted in this way.
pub(super) fn find(
    ground: &Ground<'_>,
    since: u32,
    whole: &HashSet<u32>,
    own: u64,
) -> Vec<Overfull> {
    let mut tops: BTreeMap<u32, Torn> = BTreeMap::new();
    for number in 0..ground.past.items.count() {
        let item = ground.item(number);
        let is_gone = item.deleted != NONE && item.deleted >= since && item.is_listed();
        // Whoever comes back names all that was ever deleted.
        if !is_gone || whole.contains(&item.deleted) || ground.tag(number) != Some(BLOCK) {
            continue;
        }
        let Some((form, late)) = forms(ground, number) else { continue };
        let author = ground.author_of(item.deleted);
        let Some(top) = top_of(ground, number, author) else { continue };
        let torn = tops.entry(top).or_insert(Torn {
            form,
            since: item.deleted,
            author,
            ..Torn::default()
        });
        torn.since = torn.since.min(item.deleted);
        torn.late.extend(late);
    }
    for top in emptied(ground, since, own) {
        let item = ground.item(top);
        let author = ground.author_of(item.deleted);
        tops.entry(top).or_insert(Torn {
            form: top,
            since: item.deleted,
            author,
            ..Torn::default()
        });
    }
    tops.into_iter().filter_map(|(top, torn)| overfull(ground, top, &torn)).collect()
}

/// Blocks that were deleted because nothing was left in them, while the server brought something back.
fn emptied(ground: &Ground<'_>, since: u32, own: u64) -> Vec<u32> {
    let is_emptied = |number: &u32| {
        let item = ground.item(*number);
        let Content::Type(branch) = item.content else { return false };
        let is_top = item.deleted != NONE && item.is_listed() && ground.died(item.parent) == NONE;
        if !is_top || item.deleted < since {
            return false;
        }
        let mut letters = Vec::new();
        ground.letters(*number, &|it| it.deleted == item.deleted, &mut letters);
        let is_block = |it: &u32| {
            let child = ground.item(*it);
            let is_brought = ground.past.items.place(child.id).client == own;
            is_brought
                && child.deleted == NONE
                && ground.tag(*it).is_some_and(|tag| !tag.is_empty())
        };
        letters.is_empty() && ground.children(branch).any(|it| is_block(&it))
    };
    (0..ground.past.items.count()).filter(is_emptied).collect()
}

/// Blocks without letters that rows from `since` on put beside one with letters or one that came before, where
/// there may be one only: an editor whose document was empty for a moment begins a new one.
pub(super) fn begun_anew(ground: &Ground<'_>, since: u32) -> Vec<u32> {
    let stands = |number: &u32| {
        let item = ground.item(*number);
        item.deleted == NONE && ground.tag(*number).is_some_and(|tag| ONLY_ONE.contains(&tag))
    };
    let has_letters = |number: u32| {
        let mut letters = Vec::new();
        ground.letters(number, &|it| ground.is_live(it), &mut letters);
        !letters.is_empty()
    };
    let is_begun = |number: &u32| {
        let item = ground.item(*number);
        let is_new = item.inserted >= since && stands(number);
        let is_empty = || !has_letters(*number) && !ground.has_things(*number);
        is_new && ground.owner(item.parent).is_none() && is_empty() && {
            let mut beside = ground.children(item.parent).filter(stands);
            beside.any(|it| it != *number && (has_letters(it) || it < *number))
        }
    };
    (0..ground.past.items.count()).filter(is_begun).collect()
}

/// The form of a line that stays and the others, where a block held several when it was deleted; or the
/// groups below it.
fn forms(ground: &Ground<'_>, number: u32) -> Option<(u32, Vec<u32>)> {
    let Content::Type(branch) = ground.item(number).content else { return None };
    let row = ground.item(number).deleted;
    let again: HashSet<Id> = ground.past.again(row).collect();
    let stood = |number: &u32| {
        let item = ground.item(*number);
        let is_block = ground.tag(*number).is_some_and(|tag| !tag.is_empty());
        is_block && (item.deleted == row || again.contains(&item.id))
    };
    let is_group = |it: &u32| ground.tag(*it).is_some_and(|tag| ONLY_ONE.contains(&tag));
    let blocks = ground.children(branch).filter(stood);
    let (groups, lines): (Vec<u32>, Vec<u32>) = blocks.partition(is_group);
    copies_of_each_other(ground, row, &lines).or_else(|| copies_of_each_other(ground, row, &groups))
}

/// The block that stays and those that are other forms of it.
fn copies_of_each_other(ground: &Ground<'_>, row: u32, blocks: &[u32]) -> Option<(u32, Vec<u32>)> {
    let letters = |block: u32| {
        let mut letters = Vec::new();
        ground.letters(block, &|item| item.deleted == row, &mut letters);
        letters
    };
    let came = |block: u32| std::cmp::Reverse((ground.item(block).inserted, block));
    let stays = blocks.iter().copied().max_by_key(|it| (letters(*it).len(), came(*it)))?;
    let copies: HashSet<Id> =
        letters(stays).into_iter().flat_map(|(id, _)| ground.family(id)).collect();
    let is_form = |block: &u32| {
        let mut ever = Vec::new();
        ground.letters(*block, &|_| true, &mut ever);
        // Whoever has seen a form that took the place of another has not seen them together.
        let stood_together = ground.item(*block).deleted > ground.item(stays).inserted;
        let is_other = *block != stays && stood_together;
        is_other && ever.iter().any(|(id, _)| copies.contains(id))
    };
    let late: Vec<u32> = blocks.iter().copied().filter(is_form).collect();
    (!late.is_empty()).then_some((stays, late))
}

/// The outermost block that is gone around another; `None` if somebody else deleted it.
fn top_of(ground: &Ground<'_>, number: u32, author: u32) -> Option<u32> {
    let gone = ground.outwards(number).take_while(|it| {
        *it == number
            || ground.died(ground.item(*it).parent) != NONE
            || ground.item(*it).deleted != NONE
    });
    let top = gone.last()?;
    let item = ground.item(top);
    let is_own =
        item.is_listed() && item.deleted != NONE && ground.author_of(item.deleted) == author;
    is_own.then_some(top)
}

fn overfull(ground: &Ground<'_>, top: u32, torn: &Torn) -> Option<Overfull> {
    let went = |item: &Item| {
        item.deleted == NONE
            || item.deleted >= torn.since && ground.author_of(item.deleted) == torn.author
    };
    let is_left = |number: u32| went(ground.item(number)) && !torn.late.contains(&number);
    let piece = ground.piece_with(top, &is_left)?;
    let gone = below(ground, top, &|it| went(ground.item(it)));
    let gone = gone.into_iter().map(|it| span(ground, it)).collect();
    let mut new = Vec::new();
    for form in &torn.late {
        let inside = below(ground, *form, &|it| it == *form || went(ground.item(it)));
        new.extend(inside.into_iter().filter(|it| ground.item(*it).text_len() > 0));
    }
    let author = ground.author_of(ground.item(torn.form).inserted);
    let (spot, runs) = (ground.before(top), runs_of(ground, &new, true));
    Some(Overfull { author, spot, piece, gone, runs })
}

/// A block and the items in it that are meant.
fn below(ground: &Ground<'_>, top: u32, is_meant: &dyn Fn(u32) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![top];
    while let Some(number) = open.pop() {
        if !is_meant(number) {
            continue;
        }
        found.push(number);
        if let Content::Type(branch) = ground.item(number).content {
            open.extend(ground.children(branch));
        }
    }
    found
}

fn span(ground: &Ground<'_>, number: u32) -> Span {
    let item = ground.item(number);
    let place = ground.past.items.place(item.id);
    Span { client: place.client, start: place.clock, end: place.clock + item.len }
}
