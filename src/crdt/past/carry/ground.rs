//! What is there and what is gone, and where text went that was written again.

use std::collections::HashSet;

use super::super::Past;
use super::super::decode::TypeKind;
use super::super::items::{Content, Id, Item, NONE};
use super::super::moves::Trail;
use super::super::walk::BREAKS;
use crate::crdt::lint::Span;

/// In the names of elements that are lines: without anything in them they are empty lines.
const LINES: [&str; 7] = ["paragraph", "heading", "item", "quote", "code", "text", "cell"];
/// Clocks that are looked at to find where one of them went.
const STEPS_MAX: usize = 64;

/// The past, with what a search asks again and again.
pub(super) struct Ground<'a> {
    pub(super) past: &'a Past,
    pub(super) trail: Trail,
    /// For each type the row with which it, or a type around it, was deleted; [`NONE`] if none was.
    died: Vec<u32>,
    /// Letters that are about to go: they are there twice.
    pub(super) doubled: HashSet<Id>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(past: &'a Past) -> Self {
        let mut died = Vec::with_capacity(past.items.branch_count() as usize);
        for branch in 0..past.items.branch_count() {
            let row = match past.items.branch(branch).owner {
                NONE => NONE,
                owner => {
                    let item = past.items.item(owner);
                    item.deleted.min(died[item.parent as usize])
                }
            };
            died.push(row);
        }
        Self { past, trail: past.moves.trail(), died, doubled: HashSet::new() }
    }

    pub(super) fn item(&self, number: u32) -> &'a Item {
        self.past.items.item(number)
    }

    /// The row with which a type was deleted, by itself or with what is around it.
    pub(super) fn died(&self, branch: u32) -> u32 {
        self.died[branch as usize]
    }

    /// The item that holds a type; `None` of a root.
    pub(super) fn owner(&self, branch: u32) -> Option<u32> {
        Some(self.past.items.branch(branch).owner).filter(|owner| *owner != NONE)
    }

    /// It can be seen now.
    pub(super) fn is_live(&self, item: &Item) -> bool {
        item.deleted == NONE && item.content != Content::Gc && self.died(item.parent) == NONE
    }

    /// Where a clock of a text is now, if it is there or was written again.
    pub(super) fn image(&self, id: Id) -> Option<Id> {
        let is_there = |id: &Id| {
            !self.doubled.contains(id) && self.is_live(self.item(self.past.items.find(*id)))
        };
        if is_there(&id) {
            return Some(id);
        }
        self.family(id).into_iter().find(is_there)
    }

    /// A letter and all that repeat it or that it repeats, those first that were written again last.
    pub(super) fn family(&self, id: Id) -> Vec<Id> {
        let mut seen = HashSet::new();
        let mut family = Vec::new();
        let mut open = vec![id];
        while let Some(id) = open.pop().filter(|_| seen.len() < STEPS_MAX) {
            if !seen.insert(id) {
                continue;
            }
            family.push(id);
            open.extend(self.trail.sources(id));
            open.extend(self.trail.copies(id).into_iter().rev());
        }
        family
    }

    /// A letter of an item that stands somewhere else as well: it need not be written again.
    pub(super) fn is_elsewhere(&self, item: &Item, id: Id) -> bool {
        let is_there = self.is_live(item) && !self.doubled.contains(&id);
        !is_there && self.image(id).is_some()
    }

    /// The clocks of an item and of what is in it, but for what is gone already by itself.
    pub(super) fn spans_below(&self, number: u32) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut open = vec![number];
        while let Some(number) = open.pop() {
            let item = self.item(number);
            let place = self.past.items.place(item.id);
            let (client, start) = (place.client, place.clock);
            spans.push(Span { client, start, end: start + item.len });
            if let Content::Type(branch) = item.content {
                open.extend(self.children(branch).filter(|it| self.item(*it).deleted == NONE));
            }
        }
        spans
    }

    /// All items that were ever in the list of a type.
    pub(super) fn children(&self, branch: u32) -> impl Iterator<Item = u32> + use<'a> {
        let items = &self.past.items;
        items.from(items.branch(branch).first).map(|(number, _)| number)
    }

    /// The letters of an item and of what is in it, of those items that are meant.
    pub(super) fn letters(
        &self,
        number: u32,
        is_meant: &dyn Fn(&Item) -> bool,
        letters: &mut Vec<(Id, u16)>,
    ) {
        match self.item(number).content {
            Content::Type(branch) => self.past.items.letters(branch, is_meant, letters),
            _ => self.past.items.letters_of(number, is_meant, letters),
        }
    }

    /// Whether something that is no text is in a block and there: a picture, a divider, an embed.
    pub(super) fn has_things(&self, number: u32) -> bool {
        let Content::Type(branch) = self.item(number).content else {
            return matches!(self.item(number).content, Content::Embed(_) | Content::Values(_));
        };
        let mut inside =
            self.children(branch).filter(|it| self.item(*it).deleted == NONE).peekable();
        let is_empty = inside.peek().is_none();
        let tag = self.tag(number).unwrap_or("");
        let is_thing = is_empty
            && self.past.items.branch(branch).kind == TypeKind::Element
            && !BREAKS.contains(&tag)
            && !LINES.iter().any(|line| tag.to_lowercase().contains(line));
        is_thing || inside.any(|it| self.has_things(it))
    }

    /// An item and those around it, outwards, as far as the root.
    pub(super) fn outwards(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(number), |number| self.owner(self.item(*number).parent))
    }

    /// The name of the element that an item is; that of a text is empty.
    pub(super) fn tag(&self, number: u32) -> Option<&'a str> {
        let Content::Type(branch) = self.item(number).content else { return None };
        let items = &self.past.items;
        let tag = &*items.branch(branch).tag;
        // Lexical keeps elements as texts.
        Some(if tag.is_empty() { items.text_under(branch, "__type").unwrap_or("") } else { tag })
    }

    /// Who brought a row.
    pub(super) fn author_of(&self, row: u32) -> u32 {
        self.past.rows[row as usize].author
    }
}
