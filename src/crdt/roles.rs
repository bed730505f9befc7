//! Remembers what role each place of a document plays, as far as updates may contradict it: what is a map entry
//! (value of a map, attribute), and what may be a parent. An update is read against it before it is applied.
//!
//! The CRDT library believes what items say about each other. When a type is deleted, it deletes the type's list
//! and the *last* item of each map entry, takes all others for deleted, and frees the type. An item that is alive
//! and in neither place then points into freed memory. Two kinds of update bring that about, and no Yjs client
//! makes them:
//! - A live value longer than 1. It is split by a delete or by an item inside it, and the left part stays alive.
//! - An item whose left neighbour is in a list and whose right neighbour is a map entry. It becomes the last
//!   item of the entry, and the value before it is forgotten alive.
//!
//! A value longer than 1 is honest where the update deletes it as well: clients that keep deleted content (without
//! garbage collection, or for undo) merge the old values of an entry. Only the first item of an entry names its
//! key, the others inherit it from their left neighbour; the bit that tells of a key gets lost when updates are
//! merged without a document.
//!
//! A parent that is no type is an error for the library as long as the parent has its content, and no error
//! later: whether such an update can be applied would depend on when deleted content is collected, and the log
//! could not be replayed.
//!
//! The rule that must hold: every update that enters a replica passes [`Roles::examine`], in order, and what that
//! found is added once the update is applied. Source: yrs 0.28.1, `TransactionMut::delete`, `ItemContent::gc`,
//! `Update::missing_dependency`; Yjs 13.6 and 14, `typeMapSet`, `redoItem`, `Item.mergeWith`.

use std::collections::HashMap;

use super::lint::{
    Block, Kind, LintError, LintLimits, Parent, Place, Reader, Span, Summary, read_blocks,
};

/// The roles of the clocks in one replica. Costs 8 bytes for each run of clocks that have one.
#[derive(Debug, Default)]
pub struct Roles {
    entries: Runs,
    /// Types, and what came without content: what hangs on that is discarded.
    parents: Runs,
}

/// The roles in one update, to be added when it has been applied.
#[derive(Debug, Default)]
pub struct NewRoles {
    entries: Vec<Span>,
    parents: Vec<Span>,
    /// Some values are longer than 1 until the update's own deletes have been applied: if the update fails half
    /// way, the replica must not be touched again.
    pub has_long_values: bool,
}

impl Roles {
    /// Finds the roles in a linted update, in the part of it that is not `known` yet (the next clock that the
    /// replica expects of a client id). Linear in the bytes.
    ///
    /// # Errors
    /// The update contradicts what is there, or itself.
    pub fn examine(
        &self,
        update: &[u8],
        summary: &Summary,
        known: impl Fn(u64) -> u32,
    ) -> Result<NewRoles, LintError> {
        let mut search = Search {
            before: self,
            known,
            sections: Vec::new(),
            by_client: HashMap::new(),
            waiting: Vec::new(),
            waiting_for_parent: Vec::new(),
            long: Vec::new(),
        };
        let mut reader = Reader::new(update);
        read_blocks(&mut reader, &LintLimits::NONE, |block, at| search.take(block, at))?;
        search.settle_waiting()?;
        check_deleted(&mut search.long, &summary.deletes)?;
        Ok(search.found())
    }

    /// Remembers the roles in an update that has been applied.
    pub fn add(&mut self, found: &NewRoles) {
        self.entries.add(&found.entries);
        self.parents.add(&found.parents);
    }
}

/// A set of clocks that grows at the ends.
#[derive(Debug, Default)]
struct Runs {
    /// For each client id, ascending and not touching: first clock and the one after the last.
    by_client: HashMap<u64, Vec<(u32, u32)>>,
}

impl Runs {
    /// Adds spans that are above all others of their client id, and ascending.
    fn add(&mut self, spans: &[Span]) {
        for span in spans {
            append(self.by_client.entry(span.client).or_default(), span.start, span.end);
        }
    }

    fn contains(&self, place: Place) -> bool {
        self.by_client.get(&place.client).is_some_and(|runs| is_in(runs, place.clock))
    }
}

fn append(runs: &mut Vec<(u32, u32)>, start: u32, end: u32) {
    match runs.last_mut() {
        Some(last) if last.1 == start => last.1 = end,
        _ => runs.push((start, end)),
    }
}

fn is_in(runs: &[(u32, u32)], clock: u32) -> bool {
    let after = runs.partition_point(|(start, _)| *start <= clock);
    runs[..after].last().is_some_and(|(_, end)| clock < *end)
}

/// What the update says about one place.
enum Found {
    /// It is a map entry, or it is none.
    Is(bool),
    /// It is one if this waiting item is.
    AsWaiting(usize),
    /// Its section has not been read yet.
    Later,
}

/// A new item.
struct Item {
    span: Span,
    origin: Option<Place>,
    right_origin: Option<Place>,
    parent: Option<Place>,
    names_key: bool,
    /// It has content and more than one clock.
    is_long: bool,
    /// Where its bytes end.
    at: usize,
}

/// Marked clocks of a section. What has been read and is not marked is no map entry.
enum Mark {
    Entry,
    Waiting(usize),
}

struct Section {
    client: u64,
    /// The clocks below are the replica's.
    known: u32,
    /// Read so far.
    end: u32,
    marks: Vec<(u32, u32, Mark)>,
    parents: Vec<(u32, u32)>,
}

struct Search<'a, F> {
    before: &'a Roles,
    known: F,
    sections: Vec<Section>,
    /// All sections but the last: nearly all updates have one.
    by_client: HashMap<u64, usize>,
    /// Items with a neighbour in a section that came later: their order in the bytes is free.
    waiting: Vec<Item>,
    /// Parents in a section that came later, and where the items end that name them.
    waiting_for_parent: Vec<(Place, usize)>,
    /// Values longer than 1, and where they end in the bytes.
    long: Vec<(Span, usize)>,
}

impl<F: Fn(u64) -> u32> Search<'_, F> {
    fn take(&mut self, block: &Block, at: usize) -> Result<(), LintError> {
        let Some(item) = self.new_item(block, at) else {
            return Ok(());
        };
        if let Some(parent) = item.parent {
            match self.find_parent(parent) {
                Some(true) => {}
                Some(false) => return Err(no_parent(at)),
                None => self.waiting_for_parent.push((parent, at)),
            }
        }
        let is_entry = match item.origin {
            Some(origin) => self.find(origin),
            None => Found::Is(item.names_key),
        };
        let right_is_entry = item.right_origin.map_or(Found::Is(false), |right| self.find(right));
        match (is_entry, right_is_entry) {
            (Found::Is(is_entry), Found::Is(right_is_entry)) => {
                if is_entry {
                    self.mark(item.span, Mark::Entry);
                }
                self.check(&item, is_entry, right_is_entry)
            }
            _ => {
                self.mark(item.span, Mark::Waiting(self.waiting.len()));
                self.waiting.push(item);
                Ok(())
            }
        }
    }

    /// What of a block is new to the replica, if it is an item.
    fn new_item(&mut self, block: &Block, at: usize) -> Option<Item> {
        let Span { client, start, end } = block.span;
        if self.sections.last().is_none_or(|section| section.client != client) {
            if let Some(last) = self.sections.last() {
                self.by_client.insert(last.client, self.sections.len() - 1);
            }
            let known = (self.known)(client);
            self.sections.push(Section {
                client,
                known,
                end: 0,
                marks: Vec::new(),
                parents: Vec::new(),
            });
        }
        let section = self.sections.last_mut()?;
        section.end = end;
        let known = section.known;
        let span = Span { client, start: start.max(known), end };
        if span.end <= span.start {
            return None;
        }
        if matches!(block.kind, Kind::Type | Kind::Gc | Kind::Deleted) {
            append(&mut section.parents, span.start, span.end);
        }
        if matches!(block.kind, Kind::Gc | Kind::Skip) {
            return None;
        }
        let is_long = span.end - span.start > 1 && block.kind != Kind::Deleted;
        let right_origin = block.right_origin;
        if start < known {
            // Of an item that the replica has in part, the rest follows that part, whatever the bytes say about
            // its beginning.
            let origin = Some(Place { client, clock: known - 1 });
            let (parent, names_key) = (None, false);
            return Some(Item { span, origin, right_origin, parent, names_key, is_long, at });
        }
        let parent = match block.parent {
            Parent::Item(place) => Some(place),
            Parent::Root | Parent::OfNeighbours => None,
        };
        let (origin, names_key) = (block.origin, block.has_key);
        Some(Item { span, origin, right_origin, parent, names_key, is_long, at })
    }

    /// The section of the update that a place is in, unless it is the replica's.
    fn section(&self, client: u64) -> Option<&Section> {
        match self.sections.last() {
            Some(section) if section.client == client => Some(section),
            _ => self.by_client.get(&client).map(|index| &self.sections[*index]),
        }
    }

    /// Whether a place may be a parent; `None` if its section has not been read yet.
    fn find_parent(&self, place: Place) -> Option<bool> {
        let section = self.section(place.client);
        let known = section.map_or_else(|| (self.known)(place.client), |section| section.known);
        if place.clock < known {
            return Some(self.before.parents.contains(place));
        }
        let section = section.filter(|section| place.clock < section.end)?;
        Some(is_in(&section.parents, place.clock))
    }

    fn find(&self, place: Place) -> Found {
        let section = self.section(place.client);
        let known = section.map_or_else(|| (self.known)(place.client), |section| section.known);
        if place.clock < known {
            return Found::Is(self.before.entries.contains(place));
        }
        let Some(section) = section.filter(|section| place.clock < section.end) else {
            return Found::Later;
        };
        let after = section.marks.partition_point(|(start, ..)| *start <= place.clock);
        match section.marks[..after].last() {
            Some((_, end, mark)) if place.clock < *end => match mark {
                Mark::Entry => Found::Is(true),
                Mark::Waiting(index) => Found::AsWaiting(*index),
            },
            _ => Found::Is(false),
        }
    }

    /// Marks clocks of the section that is being read.
    fn mark(&mut self, span: Span, mark: Mark) {
        if let Some(section) = self.sections.last_mut() {
            section.marks.push((span.start, span.end, mark));
        }
    }

    fn check(
        &mut self,
        item: &Item,
        is_entry: bool,
        right_is_entry: bool,
    ) -> Result<(), LintError> {
        if right_is_entry || (is_entry && item.right_origin.is_some()) {
            let what = "map entry with a right neighbour";
            return Err(LintError::Malformed { at: item.at, what });
        }
        if is_entry && item.is_long {
            self.long.push((item.span, item.at));
        }
        Ok(())
    }

    /// Now that all sections have been read, nothing has to wait any more.
    fn settle_waiting(&mut self) -> Result<(), LintError> {
        for (parent, at) in &self.waiting_for_parent {
            if self.find_parent(*parent) != Some(true) {
                return Err(no_parent(*at));
            }
        }
        let waiting = std::mem::take(&mut self.waiting);
        let answers = self.answers(&waiting);
        for (item, is_entry) in waiting.iter().zip(&answers) {
            let right_is_entry = match item.right_origin.map(|right| self.find(right)) {
                Some(Found::Is(is_entry)) => is_entry,
                Some(Found::AsWaiting(index)) => answers[index],
                Some(Found::Later) | None => false,
            };
            self.check(item, *is_entry, right_is_entry)?;
        }
        for section in &mut self.sections {
            section.marks.retain_mut(|(_, _, mark)| match mark {
                Mark::Entry => true,
                Mark::Waiting(index) => answers[*index],
            });
        }
        Ok(())
    }

    /// Which of the waiting items are map entries. Each is what its left neighbour is; a chain of them may be as
    /// long as the update, and one that bites its own tail never becomes part of a document.
    fn answers(&self, waiting: &[Item]) -> Vec<bool> {
        let mut answers: Vec<Option<bool>> = vec![None; waiting.len()];
        for first in 0..waiting.len() {
            let mut path = Vec::new();
            let mut index = first;
            let answer = loop {
                if let Some(answer) = answers[index] {
                    break answer;
                }
                answers[index] = Some(false);
                path.push(index);
                match waiting[index].origin.map(|origin| self.find(origin)) {
                    Some(Found::AsWaiting(next)) => index = next,
                    Some(Found::Is(answer)) => break answer,
                    Some(Found::Later) | None => break false,
                }
            };
            for index in path {
                answers[index] = Some(answer);
            }
        }
        answers.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn found(self) -> NewRoles {
        let mut found = NewRoles { has_long_values: !self.long.is_empty(), ..NewRoles::default() };
        for Section { client, marks, parents, .. } in self.sections {
            let span = |start, end| Span { client, start, end };
            found.entries.extend(marks.into_iter().map(|(start, end, _)| span(start, end)));
            found.parents.extend(parents.into_iter().map(|(start, end)| span(start, end)));
        }
        found
    }
}

fn no_parent(at: usize) -> LintError {
    LintError::Malformed { at, what: "a parent that cannot have children" }
}

/// Checks that the update itself deletes all of these values.
fn check_deleted(values: &mut [(Span, usize)], deletes: &[Span]) -> Result<(), LintError> {
    if values.is_empty() {
        return Ok(());
    }
    values.sort_unstable_by_key(|(span, _)| (span.client, span.start));
    let mut deletes = deletes.to_vec();
    deletes.sort_unstable_by_key(|span| (span.client, span.start));
    let mut deletes = deletes.iter().peekable();
    for (value, at) in values {
        let mut deleted_end = value.start;
        while let Some(delete) = deletes.peek()
            && (delete.client, delete.start) <= (value.client, deleted_end)
        {
            if delete.client == value.client {
                deleted_end = deleted_end.max(delete.end);
            }
            if deleted_end >= value.end {
                break;
            }
            deletes.next();
        }
        if deleted_end < value.end {
            let what = "map entry with several values at once";
            return Err(LintError::Malformed { at: *at, what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
