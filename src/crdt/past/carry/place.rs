//! Finds where text belongs whose block was written anew.
//!
//! Letters go beside the nearest letter of their old line that was written again, however often. A line
//! without such letters goes where an empty line took its place. Whole blocks go beside the nearest
//! block of their old list that was written again: into the same kind of list if there is one, else
//! in the shell of what they were in.

use std::collections::HashMap;

use super::super::decode::TypeKind;
use super::super::items::{Content, Id, Item, NONE};
use super::super::walk::{BREAKS, INLINE};
use super::ground::Ground;
use super::orphans::Run;
use super::pieces::Piece;
use crate::crdt::lint::Place;

/// Letters that are looked at on each side.
const UNITS_MAX: u32 = 4_096;
/// Items that are looked at on each side of a block.
const ITEMS_MAX: usize = 256;
/// Times that an empty line took the place of another.
const FORMS_MAX: usize = 16;
/// Elements whose text has no formats and no elements in it.
const CODE: [&str; 3] = ["codeBlock", "code_block", "code"];

/// Where something is put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) left: Option<Place>,
    pub(super) right: Option<Place>,
    /// The type that it is put in, where it has no neighbours.
    pub(super) parent: Option<Place>,
    /// Only letters may stand here.
    pub(super) is_code: bool,
    /// It is put here with a copy of what it was in.
    pub(super) is_wrapped: bool,
}

/// What was put where, so that what comes next stands behind it.
#[derive(Debug, Default)]
pub(super) struct Spots {
    tails: HashMap<Spot, Place>,
    behind: HashMap<u32, Spot>,
}

impl Spots {
    pub(super) fn behind_what_came(&self, mut spot: Spot) -> Spot {
        while let Some(tail) = self.tails.get(&spot) {
            spot.left = Some(*tail);
        }
        spot
    }

    pub(super) fn note(&mut self, run: &Run, spot: &Spot, end: Place) {
        self.tails.insert(spot.clone(), end);
        if let Some(last) = run.items.last() {
            self.behind.insert(*last, Spot { left: Some(end), ..spot.clone() });
        }
    }
}

/// Which side of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Where a run belongs; `None` if its line was not written again.
pub(super) fn find(ground: &Ground<'_>, spots: &Spots, run: &Run) -> Option<Spot> {
    let first = *run.items.first()?;
    let branch = ground.past.items.branch(ground.item(first).parent);
    match branch.kind {
        TypeKind::Text | TypeKind::XmlText if !is_block(ground, first) => {
            let beside = beside_text(ground, spots, run);
            beside.or_else(|| into_empty_line(ground, ground.line(first)?))
        }
        TypeKind::Text | TypeKind::XmlText | TypeKind::Element | TypeKind::Fragment => {
            let beside = spots.behind.get(&ground.item(first).left).cloned();
            let beside = beside.or_else(|| beside_block(ground, first));
            beside.or_else(|| into_empty_line(ground, ground.line(first)?))
        }
        TypeKind::Array | TypeKind::Map => None,
    }
}

/// Lexical has blocks in texts.
fn is_block(ground: &Ground<'_>, number: u32) -> bool {
    let is_named = ground.tag(number).is_some_and(|tag| !tag.is_empty() && !is_inline(tag));
    let Content::Type(branch) = ground.item(number).content else { return false };
    is_named && ground.past.items.branch(branch).kind == TypeKind::XmlText
}

fn beside_text(ground: &Ground<'_>, spots: &Spots, run: &Run) -> Option<Spot> {
    let (first, last) = (*run.items.first()?, *run.items.last()?);
    let left = ground.nearest(spots, ground.item(first).left, Side::Left);
    let right = ground.nearest(spots, ground.item(last).right, Side::Right);
    match (left, right) {
        (Some((left, far)), Some((right, near))) => Some(if near < far { right } else { left }),
        (one, other) => one.or(other).map(|(spot, _)| spot),
    }
}

impl Ground<'_> {
    /// The spot beside the nearest letter that is there, and how many are not before it.
    fn nearest(&self, spots: &Spots, from: u32, side: Side) -> Option<(Spot, u32)> {
        let mut passed = 0;
        let mut at = from;
        while at != NONE && passed < UNITS_MAX {
            if let Some(spot) = spots.behind.get(&at).filter(|_| side == Side::Left) {
                return Some((spot.clone(), passed));
            }
            let item = self.item(at);
            for id in units(item, side) {
                if let Some(image) = self.image(id) {
                    return Some((self.beside(image, side), passed));
                }
                passed += 1;
            }
            at = if side == Side::Left { item.left } else { item.right };
        }
        None
    }

    /// Behind a letter that was on the left, before one that was on the right.
    fn beside(&self, id: Id, side: Side) -> Spot {
        let items = &self.past.items;
        let number = items.find(id);
        let item = self.item(number);
        let is_code = self.outwards(number).filter_map(|it| self.tag(it)).take(3).any(is_code);
        let spot = match side {
            Side::Left if id == item.end() => self.behind(number),
            Side::Left => {
                let next = Id { clock: id.clock + 1, ..id };
                Spot {
                    left: Some(items.place(id)),
                    right: Some(items.place(next)),
                    ..Spot::default()
                }
            }
            Side::Right if id == item.id => self.before(number),
            Side::Right => {
                let last = Id { clock: id.clock - 1, ..id };
                Spot {
                    left: Some(items.place(last)),
                    right: Some(items.place(id)),
                    ..Spot::default()
                }
            }
        };
        Spot { is_code, ..spot }
    }

    /// Behind a letter.
    pub(super) fn after(&self, id: Id) -> Spot {
        self.beside(id, Side::Left)
    }

    /// In front of a letter.
    pub(super) fn ahead(&self, id: Id) -> Spot {
        self.beside(id, Side::Right)
    }

    pub(super) fn behind(&self, number: u32) -> Spot {
        let (items, item) = (&self.past.items, self.item(number));
        let right = (item.right != NONE).then(|| items.place(self.item(item.right).id));
        Spot { left: Some(items.place(item.end())), right, ..Spot::default() }
    }

    pub(super) fn before(&self, number: u32) -> Spot {
        let (items, item) = (&self.past.items, self.item(number));
        let left = (item.left != NONE).then(|| items.place(self.item(item.left).end()));
        Spot { left, right: Some(items.place(item.id)), ..Spot::default() }
    }

    /// The element whose text an item is in: that of a paragraph, not that of a list.
    fn line(&self, number: u32) -> Option<u32> {
        let owner = self.owner(self.item(number).parent)?;
        if self.tag(owner) != Some("") {
            return Some(owner);
        }
        let around = self.owner(self.item(owner).parent).filter(|it| self.tag(*it) != Some(""));
        Some(around.unwrap_or(owner))
    }

    /// Where the line of a run was, and the run in a copy of all that was around it and is gone.
    pub(super) fn line_of(&self, run: &Run) -> Option<(Spot, Vec<Piece>)> {
        let first = *run.items.first()?;
        let (top, pieces) = self.wrapped(first, self.pieces(run, false))?;
        Some((self.behind(top), pieces))
    }

    /// The outermost item around another that is gone, and a copy of all that is gone with pieces in it.
    pub(super) fn wrapped(&self, first: u32, pieces: Vec<Piece>) -> Option<(u32, Vec<Piece>)> {
        let (mut top, mut pieces) = (first, self.with_first_map(first, pieces));
        while self.died(self.item(top).parent) != NONE {
            let branch = self.item(top).parent;
            pieces = vec![self.shell(branch, pieces)];
            top = self.owner(branch)?;
        }
        self.item(top).is_listed().then_some((top, pieces))
    }

    /// The first or last letter in an item that is there or was written again.
    fn image_in(&self, number: u32, side: Side) -> Option<Id> {
        let item = self.item(number);
        if let Some(id) = units(item, side).find_map(|id| self.image(id)) {
            return Some(id);
        }
        let Content::Type(branch) = item.content else { return None };
        let mut inside: Vec<u32> = self.children(branch).collect();
        if side == Side::Left {
            inside.reverse();
        }
        inside.into_iter().take(ITEMS_MAX).find_map(|it| self.image_in(it, side))
    }

    /// The items beside another, the nearest first.
    fn neighbours(&self, number: u32, side: Side) -> impl Iterator<Item = u32> + '_ {
        let next = move |number: u32| {
            let item = self.item(number);
            let next = if side == Side::Left { item.left } else { item.right };
            (next != NONE).then_some(next)
        };
        std::iter::successors(next(number), move |number| next(*number)).take(ITEMS_MAX)
    }

    /// The innermost block that begins an element, and whether there are letters in it.
    fn first_line(&self, number: u32) -> Option<(u32, bool)> {
        let Content::Type(branch) = self.item(number).content else { return None };
        if self.tag(number) == Some("") {
            return None;
        }
        let there: Vec<u32> =
            self.children(branch).filter(|it| self.item(*it).deleted == NONE).collect();
        let is_block =
            |it: &&u32| self.tag(**it).is_some_and(|tag| !tag.is_empty() && !is_inline(tag));
        if let Some(block) = there.iter().find(is_block) {
            return self.first_line(*block);
        }
        let has_letters = there.iter().any(|it| self.has_letters(*it));
        Some((number, has_letters))
    }

    fn has_letters(&self, number: u32) -> bool {
        let item = self.item(number);
        match item.content {
            Content::Text(_) => true,
            Content::Type(branch) => {
                let mut there = self.children(branch).filter(|it| self.item(*it).deleted == NONE);
                there.any(|it| self.has_letters(it))
            }
            _ => false,
        }
    }
}

fn is_code(tag: &str) -> bool {
    CODE.contains(&tag)
}

fn is_inline(tag: &str) -> bool {
    INLINE.contains(&tag) || BREAKS.contains(&tag)
}

/// The clocks of a text, from the side on which it is met.
fn units(item: &Item, side: Side) -> impl Iterator<Item = Id> + use<> {
    let (id, len) = (item.id, item.text_len());
    (0..len).map(move |at| {
        let at = if side == Side::Left { len - 1 - at } else { at };
        Id { clock: id.clock + at, ..id }
    })
}

/// Into the empty line that took the place of an empty one.
fn into_empty_line(ground: &Ground<'_>, line: u32) -> Option<Spot> {
    let mut line = line;
    for _ in 0..FORMS_MAX {
        if lost_letters(ground, line) {
            return None;
        }
        let next = new_form(ground, line)?;
        if ground.is_live(ground.item(next)) {
            return Some(ground.into(next));
        }
        line = next;
    }
    None
}

/// Whether letters went with a line: then it was not empty.
fn lost_letters(ground: &Ground<'_>, line: u32) -> bool {
    let Content::Type(branch) = ground.item(line).content else { return true };
    let died = ground.died(branch);
    ground.children(branch).any(|it| {
        let item = ground.item(it);
        let went = item.deleted == died;
        match item.content {
            Content::Text(_) => went,
            Content::Type(_) if ground.tag(it) == Some("") => went && lost_letters(ground, it),
            _ => false,
        }
    })
}

/// The empty line that a row made beside the one that it deleted.
fn new_form(ground: &Ground<'_>, line: u32) -> Option<u32> {
    for node in ground.outwards(line) {
        let row = ground.item(node).deleted;
        if row == NONE || !ground.item(node).is_listed() {
            continue;
        }
        let both = [Side::Right, Side::Left].map(|side| {
            let near = ground.neighbours(node, side);
            let near = near.take_while(|it| {
                let item = ground.item(*it);
                item.deleted != NONE || item.inserted >= row
            });
            near.filter(|it| ground.item(*it).inserted == row)
                .filter_map(|it| ground.first_line(it))
                .find(|(_, has_letters)| !has_letters)
        });
        if let Some((found, _)) = both.into_iter().flatten().next() {
            return Some(found);
        }
    }
    None
}

impl Ground<'_> {
    /// Letters that are put into an element which has no text yet come in one of their own.
    pub(super) fn fitting(&self, spot: &Spot, pieces: Vec<Piece>) -> Vec<Piece> {
        let is_letters = |piece: &Piece| !matches!(piece, Piece::Type { .. });
        let parent = spot.parent.and_then(|place| self.past.items.at(place));
        let parent = parent.map(|id| self.past.items.find(id));
        let is_element = parent.is_some_and(|it| {
            let Content::Type(branch) = self.item(it).content else { return false };
            self.past.items.branch(branch).kind == TypeKind::Element
        });
        if !is_element || !pieces.iter().any(is_letters) {
            return pieces;
        }
        let (kind, tag, entries) = (TypeKind::XmlText, "".into(), Vec::new());
        vec![Piece::Type { kind, tag, entries, inside: pieces }]
    }

    /// The beginning of an element's text.
    fn into(&self, line: u32) -> Spot {
        let items = &self.past.items;
        let is_code = self.tag(line).is_some_and(is_code);
        let Content::Type(branch) = self.item(line).content else { return Spot::default() };
        let is_text = |it: &u32| self.tag(*it) == Some("") && self.item(*it).deleted == NONE;
        let text = self.children(branch).find(is_text).unwrap_or(line);
        let Content::Type(inner) = self.item(text).content else { return Spot::default() };
        let parent = Some(items.place(self.item(text).id));
        let first = items.branch(inner).first;
        let right = (first != NONE).then(|| items.place(self.item(first).id));
        Spot { right, parent, is_code, ..Spot::default() }
    }
}

/// Beside the block that stood beside it and was written again.
fn beside_block(ground: &Ground<'_>, first: u32) -> Option<Spot> {
    for node in ground.outwards(first) {
        if ground.died(ground.item(node).parent) == NONE {
            return None;
        }
        for side in [Side::Left, Side::Right] {
            let mut near = ground.neighbours(node, side);
            if let Some(image) = near.find_map(|it| ground.image_in(it, side)) {
                return Some(by_image(ground, first, image, side));
            }
        }
    }
    None
}

fn by_image(ground: &Ground<'_>, first: u32, image: Id, side: Side) -> Spot {
    let beside = |number| match side {
        Side::Left => ground.behind(number),
        Side::Right => ground.before(number),
    };
    let start = ground.past.items.find(image);
    let same = ground.outwards(start).find(|it| ground.tag(*it) == ground.tag(first));
    if let Some(same) = same {
        return beside(same);
    }
    let is_gone = |it: &u32| ground.died(ground.item(*it).parent) != NONE;
    let top = ground.outwards(first).find(|it| !is_gone(it)).unwrap_or(first);
    let list = ground.item(top).parent;
    let near = ground.outwards(start).find(|it| ground.item(*it).parent == list);
    Spot { is_wrapped: true, ..near.map_or_else(|| ground.behind(top), beside) }
}
