//! Goes through a document as it was, and hands out its plain text piece by piece.
//!
//! Two moments are looked at in one go, so that they can be compared: each piece comes with a mask
//! that says in which of the two it is there. What is plain text is written down in
//! [`past`](super).

use super::decode::TypeKind;
use super::items::{Content, Item, Items, NONE};

/// Which of two moments: one bit for each.
pub(super) type Mask = u8;

/// Both moments.
const BOTH: Mask = 0b11;

/// Elements that are a line end.
pub(super) const BREAKS: [&str; 4] = ["hardBreak", "hard_break", "br", "linebreak"];
/// Elements that stand in a line even where no text is beside them. Names of editors' own nodes.
pub(super) const INLINE: [&str; 14] = [
    "mention",
    "image",
    "emoji",
    "inlineMath",
    "math_inline",
    "link",
    "autolink",
    "mark",
    "overflow",
    "a",
    "span",
    "code",
    "strong",
    "em",
];
/// Elements that are a cell of a table.
const CELLS: [&str; 7] =
    ["tableCell", "tableHeader", "table_cell", "table_header", "tablecell", "td", "th"];

/// Two moments, each given by how many rows there were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Views {
    from: u32,
    to: u32,
}

impl Views {
    pub(super) fn one(rows: u32) -> Self {
        Self { from: rows, to: rows }
    }

    pub(super) fn two(from: u32, to: u32) -> Self {
        Self { from, to }
    }

    pub(super) fn came(self, item: &Item) -> Mask {
        u8::from(item.inserted < self.from) | u8::from(item.inserted < self.to) << 1
    }

    pub(super) fn shows(self, item: &Item) -> Mask {
        let stays = u8::from(item.deleted >= self.from) | u8::from(item.deleted >= self.to) << 1;
        self.came(item) & stays
    }
}

/// Where a piece comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Row that wrote it first.
    pub(super) written: u32,
    /// Row that took it away, with what is around it; [`NONE`] if none did.
    pub(super) gone: u32,
}

/// What takes the pieces.
pub(super) trait Sink {
    /// A run of text, as UTF-16 units, which is there in some of the moments.
    fn text(&mut self, mask: Mask, units: &[u16], source: Source);

    /// Something that is not text stands here in some of the moments, or stood here: what is on its
    /// two sides is not joined to one character.
    fn gap(&mut self, mask: Mask);
}

/// The text of one moment.
#[derive(Debug, Default)]
pub(super) struct PlainText(Vec<u16>);

impl PlainText {
    pub(super) fn finish(self) -> String {
        String::from_utf16_lossy(&self.0)
    }
}

impl Sink for PlainText {
    fn text(&mut self, _: Mask, units: &[u16], _: Source) {
        self.0.extend_from_slice(units);
    }

    fn gap(&mut self, _: Mask) {
        seal(&mut self.0);
    }
}

/// A first half of a pair at the end stays without its second half.
pub(super) fn seal(units: &mut [u16]) {
    if let Some(last) = units.last_mut().filter(|last| (0xd800..0xdc00).contains(*last)) {
        *last = 0xfffd;
    }
}

/// What is in an element, as far as lines go: in which moments.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// There is text among its children.
    texts: Mask,
    /// There are blocks among its children.
    blocks: Mask,
}

/// One walk.
pub(super) struct Walk<'a, S> {
    items: &'a Items,
    views: Views,
    sink: &'a mut S,
    /// There was a line already.
    started: Mask,
    /// What comes next is on a new line.
    due: Mask,
    /// The next line is in the next cell of a row.
    cell: Mask,
}

impl<'a, S: Sink> Walk<'a, S> {
    pub(super) fn new(items: &'a Items, views: Views, sink: &'a mut S) -> Self {
        Self { items, views, sink, started: 0, due: 0, cell: 0 }
    }

    /// One root, or all of them.
    pub(super) fn document(&mut self, root: Option<&str>) {
        let items = self.items;
        for (name, branch) in items.roots() {
            if root.is_none_or(|root| root == &**name)
                && let Some(kind) = items.kind_of_root(branch)
            {
                self.due = BOTH;
                self.branch(branch, kind, BOTH, NONE);
            }
        }
    }

    /// What is in a type; `gone` is the row that took it away.
    fn branch(&mut self, branch: u32, kind: TypeKind, mask: Mask, gone: u32) {
        match kind {
            TypeKind::Text | TypeKind::XmlText => self.in_text(branch, mask, gone),
            TypeKind::Element | TypeKind::Fragment => {
                let shape = self.shape(branch, mask);
                self.in_element(branch, mask, gone, shape);
            }
            TypeKind::Array => self.values(self.items.branch(branch).first, mask, gone),
            TypeKind::Map => {
                let items = self.items;
                items.entries(branch).for_each(|(_, first)| self.values(first, mask, gone));
            }
        }
    }

    /// Texts among the values of an array or an entry.
    fn values(&mut self, first: u32, mask: Mask, gone: u32) {
        let items = self.items;
        for (_, item) in items.from(first) {
            let mask = mask & self.views.shows(item);
            if let Content::Type(inner) = item.content
                && mask != 0
            {
                self.due |= mask;
                self.branch(inner, items.branch(inner).kind, mask, gone.min(item.deleted));
                self.due |= mask;
            }
        }
    }

    fn in_text(&mut self, branch: u32, outer: Mask, gone: u32) {
        let items = self.items;
        for (_, item) in items.from(items.branch(branch).first) {
            let mask = outer & self.views.shows(item);
            if mask == 0 {
                self.pass(item, outer);
                continue;
            }
            let source = Source { written: item.written, gone: gone.min(item.deleted) };
            match item.content {
                Content::Text(start) => {
                    if mask != outer {
                        self.pass(item, outer & !mask);
                    }
                    self.text(mask, items.units(start, item.len), source);
                }
                Content::Type(inner) => self.embedded(inner, mask, source),
                _ => self.sink.gap(mask),
            }
        }
    }

    /// What was there and is not any more keeps its neighbours apart.
    fn pass(&mut self, item: &Item, outer: Mask) {
        let came = outer & self.views.came(item);
        if came != 0 {
            self.sink.gap(came);
        }
    }

    /// A type inside a text, as Lexical has them.
    fn embedded(&mut self, branch: u32, mask: Mask, source: Source) {
        let kind = self.items.branch(branch).kind;
        match self.lexical(branch) {
            Some(name) if BREAKS.contains(&name) => self.mark(mask, '\n', source),
            Some(name) if kind == TypeKind::XmlText && !INLINE.contains(&name) => {
                let shape = self.shape(branch, mask);
                self.line(mask & !shape.blocks, source);
                self.branch(branch, kind, mask, source.gone);
            }
            _ => self.branch(branch, kind, mask, source.gone),
        }
    }

    fn in_element(&mut self, branch: u32, outer: Mask, gone: u32, shape: Shape) {
        let items = self.items;
        let mut cells = 0;
        for (_, item) in items.from(items.branch(branch).first) {
            let mask = outer & self.views.shows(item);
            let Content::Type(inner) = item.content else { continue };
            if mask == 0 {
                continue;
            }
            let source = Source { written: item.written, gone: gone.min(item.deleted) };
            let child = items.branch(inner);
            match child.kind {
                TypeKind::Text | TypeKind::XmlText => self.embedded(inner, mask, source),
                TypeKind::Element if BREAKS.contains(&&*child.tag) => {
                    self.mark(mask, '\n', source);
                }
                TypeKind::Element => {
                    let mut inside = self.shape(inner, mask);
                    if CELLS.contains(&&*child.tag) {
                        self.cell = cells & mask;
                        cells |= mask;
                    }
                    let is_inline = INLINE.contains(&&*child.tag);
                    let block = if is_inline { 0 } else { mask & !shape.texts };
                    // Inside of what is inline there are no lines either.
                    inside.texts |= mask & !block;
                    self.line(block & !inside.blocks, source);
                    self.in_element(inner, mask, source.gone, inside);
                }
                kind => self.branch(inner, kind, mask, source.gone),
            }
        }
        if cells != 0 {
            self.cell = 0;
        }
    }

    /// Looks at the children of an element.
    fn shape(&self, branch: u32, outer: Mask) -> Shape {
        let mut shape = Shape::default();
        for (_, item) in self.items.from(self.items.branch(branch).first) {
            let mask = outer & self.views.shows(item);
            match item.content {
                Content::Text(_) => shape.texts |= mask,
                Content::Type(inner) => {
                    let child = self.items.branch(inner);
                    let name = self.lexical(inner).unwrap_or(&child.tag);
                    let is_inline = INLINE.contains(&name) || BREAKS.contains(&name);
                    match child.kind {
                        TypeKind::XmlText if !name.is_empty() && !is_inline => shape.blocks |= mask,
                        TypeKind::Text | TypeKind::XmlText => shape.texts |= mask,
                        TypeKind::Element if !is_inline => shape.blocks |= mask,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        shape.blocks &= !shape.texts;
        shape
    }

    /// The type of a Lexical node.
    fn lexical(&self, branch: u32) -> Option<&'a str> {
        self.items.text_under(branch, "__type")
    }

    /// A line begins in some of the moments.
    fn line(&mut self, mask: Mask, source: Source) {
        if mask == 0 {
            return;
        }
        let next = mask & self.started;
        self.put(next & self.cell, '\t', source);
        self.put(next & !self.cell, '\n', source);
        self.started |= mask;
        self.due &= !mask;
        self.cell &= !mask;
    }

    fn text(&mut self, mask: Mask, units: &[u16], source: Source) {
        self.line(mask & (self.due | !self.started), source);
        self.sink.text(mask, units, source);
    }

    fn mark(&mut self, mask: Mask, mark: char, source: Source) {
        self.line(mask & (self.due | !self.started), source);
        self.put(mask, mark, source);
    }

    fn put(&mut self, mask: Mask, mark: char, source: Source) {
        if mask != 0 {
            self.sink.text(mask, &[mark as u16], source);
        }
    }
}
