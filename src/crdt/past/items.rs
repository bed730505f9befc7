//! Everything that was ever in a document, in the order of the document.
//!
//! Items are put where every Yjs client puts them, and are never taken out: each remembers the row
//! that brought it and the row that deleted it first. What a document looked like after any number
//! of rows is therefore a walk that leaves out what was not there yet and what was gone already.
//! Items that a row deletes are cut where the deletion begins and ends, so that an item is always
//! there as a whole or not at all.
//!
//! Source of the order: Yjs 13.6, `Item.integrate`; "YATA", Nicolaescu et al. 2016.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use yrs::Any;

use super::super::lint::{Place, Span};
use super::decode::TypeKind;

mod insert;

/// In place of the number of an item, type or entry: there is none. In place of a row: never.
pub(super) const NONE: u32 = u32::MAX;

/// One clock, its client id given by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) client: u32,
    pub(super) clock: u32,
}

/// What an item holds; longer ones are kept elsewhere, this says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing, and it stands in no list.
    Gc,
    /// Nothing any more, or nothing that is shown.
    Blank,
    /// UTF-16 units from here.
    Text(u32),
    /// Values from here, one for each clock.
    Values(u32),
    /// One value, inside a text.
    Embed(u32),
    /// Switches a format on or off.
    Format(u32),
    /// A type, by number.
    Type(u32),
}

/// A run of clocks that came, stand and went together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) id: Id,
    pub(super) len: u32,
    pub(super) origin: Option<Id>,
    pub(super) right_origin: Option<Id>,
    pub(super) left: u32,
    pub(super) right: u32,
    /// The type that it is in.
    pub(super) parent: u32,
    /// The entry of the type that it is in, if it is not in its list.
    entry: u32,
    /// Row that brought it, and row that deleted it first.
    pub(super) inserted: u32,
    pub(super) deleted: u32,
    /// Row that wrote it first: another one than the row that brought it where text was moved or
    /// came back.
    pub(super) written: u32,
    pub(super) content: Content,
}

impl Item {
    /// UTF-16 units of text in it.
    pub(super) fn text_len(&self) -> u32 {
        if let Content::Text(_) = self.content { self.len } else { 0 }
    }

    /// It stands in a list, not under a key.
    pub(super) fn is_listed(&self) -> bool {
        self.entry == NONE && self.content != Content::Gc
    }

    /// The last of its clocks.
    pub(super) fn end(&self) -> Id {
        Id { clock: self.id.clock + self.len - 1, ..self.id }
    }
}

/// A type: a list of items and entries that have keys.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) kind: TypeKind,
    pub(super) tag: Arc<str>,
    pub(super) first: u32,
    /// The item that holds it; [`NONE`] of a root.
    pub(super) owner: u32,
    depth: u32,
    /// Entries by key.
    entries: BTreeMap<Arc<str>, u32>,
    /// What was ever in its list.
    holds: Holds,
}

#[derive(Debug, Default, Clone, Copy)]
struct Holds {
    text: bool,
    elements: bool,
    values: bool,
}

/// What stands under one key: the last item is the value, those before it are former ones.
#[derive(Debug, Clone)]
struct Entry {
    first: u32,
    last: u32,
}

#[derive(Debug, Clone)]
struct Client {
    id: u64,
    /// The next clock.
    known: u32,
    /// The last row that it brought; 0 if none.
    last_row: u32,
    /// Items by their first clock.
    items: BTreeMap<u32, u32>,
}

/// All items. See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Items {
    clients: Vec<Client>,
    numbers: HashMap<u64, u32>,
    items: Vec<Item>,
    branches: Vec<Branch>,
    entries: Vec<Entry>,
    roots: BTreeMap<Arc<str>, u32>,
    units: Vec<u16>,
    values: Vec<Any>,
    formats: Vec<(Arc<str>, Any)>,
    /// Of values and formats, about.
    value_bytes: usize,
}

impl Items {
    /// Notes that a row deletes clocks. Those that are gone already, or have no item, stay as they are.
    /// `again` hears of those that another row has deleted, and of that row.
    pub(super) fn delete(
        &mut self,
        span: Span,
        row: u32,
        mut deleted: impl FnMut(u32),
        mut again: impl FnMut(u32, u32),
    ) {
        let Some(&client) = self.numbers.get(&span.client) else {
            return;
        };
        let end = span.end.min(self.clients[client as usize].known);
        let mut clock = span.start;
        while clock < end {
            let mut item = self.find(Id { client, clock });
            let found = self.items[item as usize];
            if found.deleted == NONE && found.content != Content::Gc {
                if found.id.clock < clock {
                    item = self.split(item, clock - found.id.clock);
                }
                if found.id.clock + found.len > end {
                    self.split(item, end - clock);
                }
                self.items[item as usize].deleted = row;
                deleted(item);
            } else if found.deleted < row {
                again(item, found.deleted);
            }
            clock = found.id.clock + found.len;
        }
    }

    /// Notes that clocks, which came together, were written first by another row.
    pub(super) fn give(&mut self, id: Id, len: u32, written: u32) {
        let end = id.clock + len;
        let mut clock = id.clock;
        while clock < end {
            let number = self.starting_at(Id { clock, ..id });
            if clock + self.item(number).len > end {
                self.split(number, end - clock);
            }
            let item = &mut self.items[number as usize];
            item.written = written;
            clock += item.len;
        }
    }

    /// The letters in a type, of those items that are meant.
    pub(super) fn letters(
        &self,
        branch: u32,
        is_meant: &dyn Fn(&Item) -> bool,
        letters: &mut Vec<(Id, u16)>,
    ) {
        for (number, item) in self.from(self.branch(branch).first) {
            match item.content {
                Content::Type(inner) => self.letters(inner, is_meant, letters),
                _ => self.letters_of(number, is_meant, letters),
            }
        }
    }

    /// The letters of one item, if it is meant.
    pub(super) fn letters_of(
        &self,
        number: u32,
        is_meant: &dyn Fn(&Item) -> bool,
        letters: &mut Vec<(Id, u16)>,
    ) {
        let item = self.item(number);
        let Content::Text(at) = item.content else { return };
        if is_meant(item) {
            let units = self.units(at, item.len).iter().enumerate();
            let id = |skip: usize| Id { clock: item.id.clock + skip as u32, ..item.id };
            letters.extend(units.map(|(skip, unit)| (id(skip), *unit)));
        }
    }

    /// A clock with its client id as clients know it.
    pub(super) fn place(&self, id: Id) -> Place {
        Place { client: self.clients[id.client as usize].id, clock: id.clock }
    }

    /// The clock that clients know by this place, if it has come.
    pub(super) fn at(&self, place: Place) -> Option<Id> {
        let client = *self.numbers.get(&place.client)?;
        Some(Id { client, clock: place.clock }).filter(|id| self.is_known(*id))
    }

    /// How many types there were; a type has a higher number than the one around it.
    pub(super) fn branch_count(&self) -> u32 {
        self.branches.len() as u32
    }

    pub(super) fn is_known(&self, id: Id) -> bool {
        id.clock < self.clients[id.client as usize].known
    }

    /// The next clock of a client id.
    pub(super) fn known(&self, client: u64) -> u32 {
        self.numbers.get(&client).map_or(0, |number| self.clients[*number as usize].known)
    }

    pub(super) fn item(&self, number: u32) -> &Item {
        &self.items[number as usize]
    }

    pub(super) fn branch(&self, number: u32) -> &Branch {
        &self.branches[number as usize]
    }

    /// How many items there are; they are numbered in the order in which they came or were cut off.
    pub(super) fn count(&self) -> u32 {
        self.items.len() as u32
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.roots.iter().map(|(name, branch)| (name, *branch))
    }

    pub(super) fn root(&self, name: &str) -> Option<u32> {
        self.roots.get(name).copied()
    }

    /// UTF-16 units of text that a row brought, with items from number `first` on.
    pub(super) fn text_since(&self, first: u32, row: u32) -> u32 {
        let new = self.items[first as usize..].iter().filter(|item| item.inserted == row);
        new.map(Item::text_len).sum()
    }

    /// The keys of a type in order, each with the first item under it.
    pub(super) fn entries(&self, branch: u32) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.branch(branch)
            .entries
            .iter()
            .map(|(key, entry)| (key, self.entries[*entry as usize].first))
    }

    /// The last value that ever stood under a key, if that is a string.
    pub(super) fn text_under(&self, branch: u32, key: &str) -> Option<&str> {
        let entry = *self.branch(branch).entries.get(key)?;
        match self.item(self.entries[entry as usize].last).content {
            Content::Values(at) => match self.value(at) {
                Any::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items from this one to the end of its list or entry.
    pub(super) fn from(&self, first: u32) -> impl Iterator<Item = (u32, &Item)> {
        let next = |number: u32| (number != NONE).then(|| (number, self.item(number)));
        std::iter::successors(next(first), move |(_, item)| next(item.right))
    }

    pub(super) fn units(&self, start: u32, len: u32) -> &[u16] {
        &self.units[start as usize..][..len as usize]
    }

    pub(super) fn value(&self, at: u32) -> &Any {
        &self.values[at as usize]
    }

    pub(super) fn format(&self, at: u32) -> &(Arc<str>, Any) {
        &self.formats[at as usize]
    }

    /// Bytes that all this takes, about.
    pub(super) fn weight(&self) -> usize {
        // A tree is three quarters full; a branch is counted with what it is made of.
        const INDEX_BYTES: usize = 12;
        self.items.capacity() * size_of::<Item>()
            + self.items.len() * INDEX_BYTES
            + self.branches.capacity() * (size_of::<Branch>() + 16)
            + self.entries.capacity() * (size_of::<Entry>() + 64)
            + self.units.capacity() * 2
            + self.clients.len() * 128
            + self.value_bytes
    }

    /// The kind of a root, which no update tells, from what was ever in it; `None` if nothing was.
    pub(super) fn kind_of_root(&self, branch: u32) -> Option<TypeKind> {
        let branch = self.branch(branch);
        let Holds { text, elements, values } = branch.holds;
        let kinds = [
            (text, TypeKind::Text),
            (elements, TypeKind::Fragment),
            (!branch.entries.is_empty() && !values, TypeKind::Map),
            (values, TypeKind::Array),
        ];
        kinds.into_iter().find(|(holds, _)| *holds).map(|(_, kind)| kind)
    }

    /// The item that holds a known clock.
    pub(super) fn find(&self, id: Id) -> u32 {
        let items = &self.clients[id.client as usize].items;
        let found = items.range(..=id.clock).next_back();
        *found.expect("every clock below the next one has an item").1
    }

    /// The item that ends with a clock, cut there if need be.
    fn ending_at(&mut self, id: Id) -> u32 {
        let number = self.find(id);
        let item = &self.items[number as usize];
        let keep = id.clock + 1 - item.id.clock;
        if keep < item.len {
            self.split(number, keep);
        }
        number
    }

    /// The item that starts with a clock, cut there if need be.
    fn starting_at(&mut self, id: Id) -> u32 {
        let number = self.find(id);
        match id.clock - self.items[number as usize].id.clock {
            0 => number,
            keep => self.split(number, keep),
        }
    }

    /// Cuts an item in two and returns the second part.
    fn split(&mut self, number: u32, keep: u32) -> u32 {
        let left = self.items[number as usize];
        let id = Id { client: left.id.client, clock: left.id.clock + keep };
        let content = match left.content {
            Content::Text(start) => Content::Text(start + keep),
            Content::Values(start) => Content::Values(start + keep),
            other => other,
        };
        let origin = Some(Id { clock: id.clock - 1, ..id });
        let part = Item { id, len: left.len - keep, origin, left: number, content, ..left };
        let new = self.items.len() as u32;
        self.items.push(part);
        self.clients[id.client as usize].items.insert(id.clock, new);
        let first = &mut self.items[number as usize];
        first.len = keep;
        if left.content == Content::Gc {
            return new;
        }
        first.right = new;
        if part.right != NONE {
            self.items[part.right as usize].left = new;
        } else if part.entry != NONE {
            self.entries[part.entry as usize].last = new;
        }
        new
    }
}
