//! Where the blocks of a row go.

use std::collections::{BTreeMap, HashMap, HashSet};

use yrs::Any;

use super::super::super::lint::{Place, Span};
use super::super::decode::{Found, Hang, Load, Section, TypeKind};
use super::{Branch, Client, Content, Entry, Holds, Id, Item, Items, NONE};

/// Levels of nested types: as many as a replica lets in. Reading recurses over them.
const DEPTH_MAX: u32 = 512;

const MISSING: &str = "something that it builds on is missing";

impl Items {
    /// Puts the blocks of a row in their places. What is known already is passed over. Says which row the
    /// clients of these blocks brought last before it: what came until then they have seen.
    pub(in crate::crdt::past) fn insert(
        &mut self,
        sections: &[Section],
        row: u32,
    ) -> Result<u32, String> {
        let mut seen = 0;
        for section in sections {
            let client = self.client(section.client) as usize;
            seen = seen.max(std::mem::replace(&mut self.clients[client].last_row, row));
        }
        let by_client: HashMap<u64, usize> = match sections {
            [_] => HashMap::new(),
            _ => sections.iter().enumerate().map(|(at, section)| (section.client, at)).collect(),
        };
        let mut next = vec![0; sections.len()];
        for start in 0..sections.len() {
            // Sections may build on each other both ways: the one that is waited for goes on by one
            // block, then the one that waits is asked again.
            let mut waiting = vec![start];
            while let Some(&at) = waiting.last() {
                let Some(found) = sections[at].blocks.get(next[at]) else {
                    waiting.pop();
                    continue;
                };
                let Some(client) = self.missing(found) else {
                    self.put(found, row)?;
                    next[at] += 1;
                    if waiting.len() > 1 {
                        waiting.pop();
                    }
                    continue;
                };
                let other = by_client.get(&client).copied();
                let has_more = |other: &usize| next[*other] < sections[*other].blocks.len();
                match other.filter(|other| !waiting.contains(other) && has_more(other)) {
                    Some(other) => waiting.push(other),
                    None => return Err(MISSING.to_owned()),
                }
            }
        }
        Ok(seen)
    }

    /// The client id of a section that has to go on first.
    fn missing(&self, found: &Found) -> Option<u64> {
        let parent = match found.parent {
            Hang::Item(place, _) => Some(place),
            Hang::Beside | Hang::Root(..) => None,
        };
        let places = [found.origin, found.right_origin, parent];
        let absent = places.into_iter().flatten().find(|p| p.clock >= self.known(p.client));
        absent.map(|place| place.client)
    }

    /// Puts one block in its place.
    fn put(&mut self, found: &Found, row: u32) -> Result<(), String> {
        let Span { client, start, end } = found.span;
        let client = self.client(client);
        let known = self.clients[client as usize].known;
        if end <= known {
            return Ok(());
        }
        if start > known {
            return Err(MISSING.to_owned());
        }
        let skip = known - start;
        let origin = match skip {
            0 => found.origin.map(|place| self.id(place)),
            _ => Some(Id { client, clock: known - 1 }),
        };
        let right_origin = found.right_origin.map(|place| self.id(place));
        let left = origin.map_or(NONE, |id| self.ending_at(id));
        let right = right_origin.map_or(NONE, |id| self.starting_at(id));
        let (parent, entry) = self.parent(found, left, right);
        let is_gc = matches!(found.content, Load::Gc) || parent == NONE;
        let depth = if is_gc { 0 } else { self.branches[parent as usize].depth };
        let number = self.next_number()?;
        let content = match is_gc {
            true => Content::Gc,
            false => self.load(&found.content, skip, number, depth)?,
        };
        self.items.push(Item {
            id: Id { client, clock: known },
            len: end - known,
            origin,
            right_origin,
            left: NONE,
            right: NONE,
            parent,
            entry,
            inserted: row,
            deleted: NONE,
            written: row,
            content,
        });
        let owner = &mut self.clients[client as usize];
        owner.known = end;
        owner.items.insert(known, number);
        if !is_gc {
            let left = self.settle(number, left, right);
            self.link(number, left, row);
        }
        Ok(())
    }

    /// The type and the entry that a block belongs to; no type if that has been collected.
    fn parent(&mut self, found: &Found, left: u32, right: u32) -> (u32, u32) {
        let beside = |number: u32| (number != NONE).then(|| &self.items[number as usize]);
        let neighbours = [beside(left), beside(right)];
        if neighbours.iter().flatten().any(|item| item.content == Content::Gc) {
            return (NONE, NONE);
        }
        if let Some(item) = neighbours.into_iter().flatten().next() {
            return (item.parent, item.entry);
        }
        let (branch, key) = match found.parent {
            Hang::Beside => return (NONE, NONE),
            Hang::Root(name, key) => (self.root_or_new(name), key),
            Hang::Item(place, key) => {
                let id = self.id(place);
                match self.items[self.find(id) as usize].content {
                    Content::Type(branch) => (branch, key),
                    _ => return (NONE, NONE),
                }
            }
        };
        (branch, key.map_or(NONE, |key| self.entry(branch, key)))
    }

    /// Between the neighbours that its author saw, others may have put items meanwhile: finds the
    /// one that it comes after.
    fn settle(&self, number: u32, mut left: u32, right: u32) -> u32 {
        let item = &self.items[number as usize];
        let mut other = match left {
            NONE => self.first(item),
            _ => self.items[left as usize].right,
        };
        if other == right {
            return left;
        }
        let mut before = HashSet::new();
        let mut conflicting = HashSet::new();
        while other != NONE && other != right {
            before.insert(other);
            conflicting.insert(other);
            let at = &self.items[other as usize];
            let origin = at.origin.map(|id| self.find(id));
            if item.origin == at.origin {
                let id = |item: &Item| self.clients[item.id.client as usize].id;
                if id(at) < id(item) {
                    left = other;
                    conflicting.clear();
                } else if item.right_origin == at.right_origin {
                    break;
                }
            } else if let Some(origin) = origin.filter(|origin| before.contains(origin)) {
                if !conflicting.contains(&origin) {
                    left = other;
                    conflicting.clear();
                }
            } else {
                break;
            }
            other = at.right;
        }
        left
    }

    /// Where the list or the entry of an item begins.
    fn first(&self, item: &Item) -> u32 {
        match item.entry {
            NONE => self.branches[item.parent as usize].first,
            entry => self.entries[entry as usize].first,
        }
    }

    fn link(&mut self, number: u32, left: u32, row: u32) {
        let item = self.items[number as usize];
        let right = match left {
            NONE => self.first(&item),
            _ => self.items[left as usize].right,
        };
        if left != NONE {
            self.items[left as usize].right = number;
        } else if item.entry != NONE {
            self.entries[item.entry as usize].first = number;
        } else {
            self.branches[item.parent as usize].first = number;
        }
        if right != NONE {
            self.items[right as usize].left = number;
        }
        let linked = &mut self.items[number as usize];
        (linked.left, linked.right) = (left, right);
        if item.entry == NONE {
            self.note(&item);
            return;
        }
        // Of an entry only the last item is alive.
        let outdated = if right == NONE {
            self.entries[item.entry as usize].last = number;
            left
        } else {
            number
        };
        if outdated != NONE {
            let outdated = &mut self.items[outdated as usize];
            outdated.deleted = outdated.deleted.min(row);
        }
    }

    /// Notes what a list holds.
    fn note(&mut self, item: &Item) {
        let (mut text, mut elements, mut values) = (false, false, false);
        match item.content {
            Content::Text(_) | Content::Format(_) | Content::Embed(_) => text = true,
            Content::Type(inner) => match self.branches[inner as usize].kind {
                TypeKind::Element | TypeKind::XmlText => elements = true,
                _ => values = true,
            },
            Content::Values(_) | Content::Blank => values = true,
            Content::Gc => {}
        }
        let holds = &mut self.branches[item.parent as usize].holds;
        holds.text |= text;
        holds.elements |= elements;
        holds.values |= values;
    }

    /// Keeps a content, from its clock `skip` on, for the item `owner`.
    fn load(
        &mut self,
        content: &Load,
        skip: u32,
        owner: u32,
        depth: u32,
    ) -> Result<Content, String> {
        Ok(match content {
            Load::Gc => Content::Gc,
            Load::Deleted | Load::Opaque => Content::Blank,
            Load::Text(text) => {
                let start = room(self.units.len())?;
                self.units.extend(text.encode_utf16().skip(skip as usize));
                Content::Text(start)
            }
            Load::Embed(value) => Content::Embed(self.keep(std::slice::from_ref(value))?),
            Load::Values(values) => Content::Values(self.keep(&values[skip as usize..])?),
            Load::Format(key, value) => {
                let at = room(self.formats.len())?;
                self.value_bytes += bytes_of(value) + key.len() + 16;
                self.formats.push(((*key).into(), value.clone()));
                Content::Format(at)
            }
            Load::Type(kind, tag) => {
                if depth >= DEPTH_MAX {
                    return Err(format!("elements are nested over {DEPTH_MAX} deep"));
                }
                Content::Type(self.new_branch(*kind, tag, owner, depth + 1))
            }
        })
    }

    fn keep(&mut self, values: &[Any]) -> Result<u32, String> {
        let at = room(self.values.len())?;
        self.value_bytes += values.iter().map(bytes_of).sum::<usize>();
        self.values.extend_from_slice(values);
        Ok(at)
    }

    fn new_branch(&mut self, kind: TypeKind, tag: &str, owner: u32, depth: u32) -> u32 {
        let holds = Holds::default();
        let tag = tag.into();
        self.branches.push(Branch {
            kind,
            tag,
            first: NONE,
            owner,
            depth,
            entries: BTreeMap::new(),
            holds,
        });
        self.branches.len() as u32 - 1
    }

    fn root_or_new(&mut self, name: &str) -> u32 {
        if let Some(root) = self.root(name) {
            return root;
        }
        let root = self.new_branch(TypeKind::Fragment, "", NONE, 0);
        self.roots.insert(name.into(), root);
        root
    }

    fn entry(&mut self, branch: u32, key: &str) -> u32 {
        let entries = &mut self.branches[branch as usize].entries;
        if let Some(entry) = entries.get(key) {
            return *entry;
        }
        let entry = self.entries.len() as u32;
        self.entries.push(Entry { first: NONE, last: NONE });
        entries.insert(key.into(), entry);
        entry
    }

    fn client(&mut self, id: u64) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.clients.push(Client { id, known: 0, last_row: 0, items: BTreeMap::new() });
            self.clients.len() as u32 - 1
        })
    }

    fn id(&mut self, place: Place) -> Id {
        Id { client: self.client(place.client), clock: place.clock }
    }

    /// Items are numbered; a cut takes one number more for each block or deletion.
    fn next_number(&self) -> Result<u32, String> {
        room(self.items.len())
    }
}

/// Numbers end far below [`NONE`], so that what is cut in the meantime has room as well.
fn room(used: usize) -> Result<u32, String> {
    u32::try_from(used).ok().filter(|used| *used < NONE / 2).ok_or("too much history".to_owned())
}

/// Bytes that a value takes, about.
fn bytes_of(value: &Any) -> usize {
    const EACH: usize = 24;
    EACH + match value {
        Any::String(text) => text.len(),
        Any::Buffer(bytes) => bytes.len(),
        Any::Array(values) => values.iter().map(bytes_of).sum(),
        Any::Map(values) => {
            values.iter().map(|(key, value)| key.len() + 40 + bytes_of(value)).sum()
        }
        _ => 0,
    }
}
