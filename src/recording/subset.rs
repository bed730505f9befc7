//! Some events of a recording, made to stand for themselves.
//!
//! An edit points to what it was typed beside, and counts its client id's clocks from what that had
//! typed before. Where some of that is left out, the edit is attached to what that was attached to on
//! the same side, and so on until something is kept, and clocks are counted anew. An item whose
//! element is left out goes with it. What comes of it is another document, in which what is attached
//! to nothing any more may have changed places: its recorded end is what a document without a server
//! makes of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::parts::{Block, Item, Parent, Parts, Place, Section, Span};
use super::script::End;
use super::spans::{Ranks, Spans};
use super::{Event, Expected, Fault, Header, Recording, ReplayError, What};

/// A recording taken apart.
pub(super) struct Pieces<'a> {
    recording: &'a Recording,
    start: Option<Parts>,
    /// By the index of the event.
    updates: Vec<Option<Parts>>,
    items: Items,
}

/// What to keep.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub start: bool,
    /// By the index of the event.
    pub events: Vec<bool>,
}

impl<'a> Pieces<'a> {
    pub fn of(recording: &'a Recording) -> Result<Self, ReplayError> {
        let failed = |event| move |reason| ReplayError::Event { event, reason };
        let start = recording.header.start.as_ref();
        let start = start.map(Parts::of).transpose().map_err(failed(0))?;
        let updates = (1..).zip(&recording.events).map(|(number, event)| match &event.what {
            What::Update { update, .. } => Parts::of(update).map(Some).map_err(failed(number)),
            _ => Ok(None),
        });
        let updates = updates.collect::<Result<Vec<_>, _>>()?;
        let items = Items::of(start.iter().chain(updates.iter().flatten()));
        Ok(Self { recording, start, updates, items })
    }

    /// Everything.
    pub fn all(&self) -> Choice {
        Choice { start: self.start.is_some(), events: vec![true; self.updates.len()] }
    }

    /// What is chosen, as a recording; `None` where it cannot be played.
    pub fn choose(&self, choice: &Choice) -> Option<Recording> {
        let chosen = self.updates.iter().zip(&choice.events);
        let chosen = chosen.filter_map(|(parts, is_kept)| parts.as_ref().filter(|_| *is_kept));
        let start = self.start.as_ref().filter(|_| choice.start);
        let kept = Kept::of(&self.items, start.into_iter().chain(chosen));
        let start = start.map(|parts| kept.rewrite(parts)).filter(|parts| !parts.is_empty());
        let start = start.map(|parts| parts.encode());
        let mut cast = Cast::default();
        for (index, event) in self.recording.events.iter().enumerate() {
            let mut what = event.what.clone();
            if let (What::Update { update, .. }, Some(parts)) = (&mut what, &self.updates[index]) {
                let parts = if choice.events[index] { kept.rewrite(parts) } else { continue };
                if parts.is_empty() {
                    continue;
                }
                *update = parts.encode();
            }
            if choice.events[index] || matches!(what, What::End { .. }) {
                cast.add(&Event { t: event.t, what }, &self.recording.events);
            }
        }
        let header = Header { start, ..self.recording.header.clone() };
        with_end(Recording { header, events: cast.events }).ok()
    }
}

/// With the end that a document without a server has.
fn with_end(mut recording: Recording) -> Result<Recording, ReplayError> {
    let (_, replica) = End::of(&recording)?;
    for event in &mut recording.events {
        if let What::End { root, expected } = &mut event.what {
            *expected = Expected::Text(replica.text(root));
        }
    }
    Ok(recording)
}

/// Who is here. Whoever does something has joined before, and who is not here does not leave.
#[derive(Default)]
struct Cast {
    here: HashSet<u32>,
    events: Vec<Event>,
}

impl Cast {
    fn add(&mut self, event: &Event, all: &[Event]) {
        let Event { t, what } = event;
        match what {
            What::Join { connection, .. } if !self.here.insert(*connection) => return,
            What::Leave { connection } | What::Fault { connection, fault: Fault::Drop } => {
                if !self.here.remove(connection) {
                    return;
                }
            }
            What::Update { connection, .. } | What::Awareness { connection, .. } => {
                if self.here.insert(*connection) {
                    let joined = all.iter().map(|event| &event.what).find(|what| {
                        matches!(what, What::Join { connection: who, .. } if who == connection)
                    });
                    self.events.extend(joined.map(|what| Event { t: *t, what: what.clone() }));
                }
            }
            What::Join { .. } | What::End { .. } => {}
        }
        self.events.push(event.clone());
    }
}

/// Everything that was ever typed, by its place.
struct Items {
    blocks: Vec<Typed>,
    /// For each client id where its blocks begin.
    starts: HashMap<u64, BTreeMap<u32, usize>>,
}

/// One block, as far as others depend on it.
struct Typed {
    span: Span,
    origin: Option<Place>,
    right_origin: Option<Place>,
    /// Below what it is; `None` where nothing of it is left.
    home: Option<(Parent, Option<String>)>,
}

impl Items {
    fn of<'p>(updates: impl Iterator<Item = &'p Parts>) -> Self {
        let mut items = Self { blocks: Vec::new(), starts: HashMap::new() };
        for (place, block) in updates.flat_map(|parts| &parts.sections).flat_map(Section::places) {
            let span =
                Span { client: place.client, start: place.clock, end: place.clock + block.len() };
            let starts = items.starts.entry(place.client).or_default();
            starts.entry(place.clock).or_insert(items.blocks.len());
            let typed = match block {
                Block::Item(Item { origin, right_origin, parent, key, .. }) => {
                    let home = parent.clone().map(|parent| (parent, key.clone()));
                    Typed { span, origin: *origin, right_origin: *right_origin, home }
                }
                _ => Typed { span, origin: None, right_origin: None, home: None },
            };
            items.blocks.push(typed);
        }
        for index in 0..items.blocks.len() {
            items.find_home(index);
        }
        items
    }

    /// The block that a place is in.
    fn at(&self, place: Place) -> Option<usize> {
        let (_, index) = self.starts.get(&place.client)?.range(..=place.clock).next_back()?;
        (place.clock < self.blocks[*index].span.end).then_some(*index)
    }

    /// An item is below whatever its neighbours are below.
    fn find_home(&mut self, index: usize) {
        let mut path = vec![index];
        let mut at = index;
        while self.blocks[at].home.is_none() {
            let Typed { origin, right_origin, .. } = self.blocks[at];
            let Some(next) = origin.or(right_origin).and_then(|place| self.at(place)) else {
                return;
            };
            // What goes round in circles is below nothing.
            if path.len() > self.blocks.len() {
                return;
            }
            path.push(next);
            at = next;
        }
        let home = self.blocks[at].home.clone();
        path.into_iter().for_each(|index| self.blocks[index].home.clone_from(&home));
    }
}

/// What is kept, and where that lies now.
struct Kept<'a> {
    items: &'a Items,
    spans: Spans,
    ranks: Ranks,
}

impl<'a> Kept<'a> {
    fn of<'p>(items: &'a Items, chosen: impl Iterator<Item = &'p Parts>) -> Self {
        let sections: Vec<&Section> = chosen.flat_map(|parts| &parts.sections).collect();
        let chosen: Spans = sections.iter().map(|section| section.span()).collect();
        let blocks = sections.iter().flat_map(|section| section.places());
        let spans: Spans = blocks
            .filter(|(place, _)| is_held(items, &chosen, *place))
            .map(|(place, block)| Span {
                client: place.client,
                start: place.clock,
                end: place.clock + block.len(),
            })
            .collect();
        let ranks = Ranks::of(&spans);
        Self { items, spans, ranks }
    }

    fn has(&self, place: Place) -> bool {
        self.spans.contains(Span { client: place.client, start: place.clock, end: place.clock + 1 })
    }

    fn moved(&self, place: Place) -> Place {
        Place { clock: self.ranks.rank(place.client, place.clock), ..place }
    }

    /// What of an update is kept.
    fn rewrite(&self, parts: &Parts) -> Parts {
        let mut rewritten = Parts::default();
        for section in &parts.sections {
            let kept = section.places().filter(|(place, _)| self.has(*place));
            let mut kept = kept.peekable();
            let Some((first, _)) = kept.peek() else { continue };
            let Place { client, clock: start } = self.moved(*first);
            let blocks = kept.map(|(_, block)| self.reattach(block)).collect();
            rewritten.sections.push(Section { client, start, blocks });
        }
        for span in parts.deletes.iter().flat_map(|span| self.spans.within(*span)) {
            let start = self.ranks.rank(span.client, span.start);
            let end = start + (span.end - span.start);
            rewritten.deletes.push(Span { client: span.client, start, end });
        }
        rewritten
    }

    fn reattach(&self, block: &Block) -> Block {
        let Block::Item(item) = block else { return block.clone() };
        let mut item = item.clone();
        let home = item.origin.or(item.right_origin).and_then(|place| self.items.at(place));
        let home = home.and_then(|index| self.items.blocks[index].home.clone());
        item.origin = self.nearest(item.origin, |typed| typed.origin);
        item.right_origin = self.nearest(item.right_origin, |typed| typed.right_origin);
        if item.origin.is_some() || item.right_origin.is_some() {
            return Block::Item(item);
        }
        if let Some((parent, key)) = home {
            item.is_keyed = key.is_some();
            (item.parent, item.key) = (Some(parent), key);
        }
        if let Some(Parent::Item(place)) = &mut item.parent {
            *place = self.moved(*place);
        }
        Block::Item(item)
    }

    /// The first on the way that is kept, as it lies now.
    fn nearest(
        &self,
        from: Option<Place>,
        next: impl Fn(&Typed) -> Option<Place>,
    ) -> Option<Place> {
        let mut at = from?;
        for _ in 0..=self.items.blocks.len() {
            if self.has(at) {
                return Some(self.moved(at));
            }
            at = next(&self.items.blocks[self.items.at(at)?])?;
        }
        None
    }
}

/// Whether everything that an item is below is chosen.
fn is_held(items: &Items, chosen: &Spans, place: Place) -> bool {
    let mut at = place;
    for _ in 0..=items.blocks.len() {
        let home = items.at(at).and_then(|index| items.blocks[index].home.as_ref());
        let Some((Parent::Item(parent), _)) = home else { return true };
        let span = Span { client: parent.client, start: parent.clock, end: parent.clock + 1 };
        if !chosen.contains(span) {
            return false;
        }
        at = *parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::crdt::Desk;
    use crate::recording::Replay;
    use crate::recording::random::Random;

    /// Three people who hear of each other at times.
    fn session(seed: u64) -> Recording {
        let mut random = Random::of(seed, 0, 0);
        let mut desks: Vec<Desk> = (1..=3).map(|id| Desk::new(id, "body")).collect();
        let mut heard = [0; 3];
        let mut typed: Vec<Bytes> = Vec::new();
        let mut recording = Recording { header: Header::new("d", ""), events: Vec::new() };
        for t in 0..60 {
            let who = random.below(3) as usize;
            if random.below(2) == 0 {
                let news = &typed[heard[who]..];
                news.iter().for_each(|update| desks[who].hear(update).expect("an update"));
                heard[who] = typed.len();
            }
            let len = desks[who].text().len() as u64;
            let at = random.below(len + 1);
            let gone = if random.below(3) == 0 { random.below(len - at + 1).min(3) } else { 0 };
            let comes = if gone == 0 { "word" } else { "" };
            let update = desks[who].replace(at as u32..(at + gone) as u32, comes);
            let update = update.expect("a place in the text");
            let connection = who as u32;
            if !recording.events.iter().any(|event| event.what.connection() == Some(connection)) {
                let what = What::Join { connection, name: String::new() };
                recording.events.push(Event { t, what });
            }
            typed.push(update.clone());
            recording.events.push(Event { t, what: What::Update { connection, update } });
        }
        recording
    }

    fn text(recording: &Recording) -> String {
        Replay::new(recording).run().expect("it can be played").text("body")
    }

    #[test]
    fn everything_chosen_is_the_same_and_any_part_can_be_played() {
        for seed in 0..30 {
            let recording = session(seed);
            let pieces = Pieces::of(&recording).expect("sound updates");
            let mut choice = pieces.all();
            assert_eq!(pieces.choose(&choice).map(|whole| text(&whole)), Some(text(&recording)));
            let mut random = Random::of(seed, 1, 0);
            let mut kept = recording.events.len();
            while kept > 2 {
                choice.events.iter_mut().for_each(|kept| *kept &= random.below(5) > 0);
                kept = choice.events.iter().filter(|kept| **kept).count();
                let part = pieces.choose(&choice).expect("a part that can be played");
                assert!(part.edits() <= kept, "{part:?}");
                let mut written = Vec::new();
                part.write(&mut written).expect("room in memory");
                assert_eq!(Recording::read(&*written).expect("a recording"), part);
            }
        }
    }

    #[test]
    fn what_is_left_lies_where_it_lay() {
        let mut desk = Desk::new(1, "body");
        let mut recording = Recording { header: Header::new("d", ""), events: Vec::new() };
        let mut add = |what| recording.events.push(Event { t: 0, what });
        add(What::Join { connection: 1, name: String::new() });
        for (at, gone, comes) in [(0, 0, "b"), (0, 0, "a"), (2, 0, "d"), (2, 0, "c"), (1, 1, "")] {
            let update = desk.replace(at..at + gone, comes).expect("a place in the text");
            add(What::Update { connection: 1, update });
        }
        let pieces = Pieces::of(&recording).expect("sound updates");
        let without = |left_out: &[usize]| {
            let mut choice = pieces.all();
            left_out.iter().for_each(|index| choice.events[*index] = false);
            text(&pieces.choose(&choice).expect("it can be played"))
        };
        assert_eq!(without(&[]), "acd");
        assert_eq!(without(&[5]), "abcd");
        assert_eq!(without(&[3, 5]), "abc");
        // Without the letter that all hang on, those beside it are attached to nothing.
        let mut letters: Vec<char> = without(&[1]).chars().collect();
        letters.sort_unstable();
        assert_eq!(letters, ['a', 'c', 'd']);
    }

    fn recorded(updates: &[&[u8]]) -> Recording {
        let mut recording = Recording { header: Header::new("d", ""), events: Vec::new() };
        let mut add = |what| recording.events.push(Event { t: 0, what });
        add(What::Join { connection: 1, name: String::new() });
        for update in updates {
            let update = Bytes::copy_from_slice(update);
            add(What::Update { connection: 1, update });
        }
        Replay::new(&recording).run().expect("it can be played").assert_converged();
        recording
    }

    /// Without the first update.
    fn rest(recording: &Recording) -> Vec<Bytes> {
        let pieces = Pieces::of(recording).expect("sound updates");
        let mut choice = pieces.all();
        choice.events[1] = false;
        let part = pieces.choose(&choice).expect("it can be played");
        let updates = part.events.into_iter().filter_map(|event| match event.what {
            What::Update { update, .. } => Some(update),
            _ => None,
        });
        updates.collect()
    }

    #[test]
    fn what_is_in_an_element_goes_with_it() {
        let element = [1, 1, 1, 0, 7, 1, 1, b'x', 3, 1, b'p', 0];
        let inside = [1, 2, 1, 1, 7, 0, 1, 0, 6, 4, 0, 1, 1, 2, b'h', b'i', 0];
        let beside = [1, 1, 1, 4, 0x87, 1, 0, 3, 1, b'q', 0];
        // The element beside it stands at the beginning of the root now.
        let alone = [1, 1, 1, 0, 7, 1, 1, b'x', 3, 1, b'q', 0];
        assert_eq!(rest(&recorded(&[&element, &inside, &beside])), [&alone[..]]);
    }

    #[test]
    fn what_is_in_an_element_stays_in_it() {
        let other = [1, 1, 1, 0, 4, 1, 1, b'y', 2, b'a', b'b', 0];
        let element = [1, 1, 1, 2, 7, 1, 1, b'x', 3, 1, b'p', 0];
        let inside = [1, 1, 1, 3, 7, 0, 1, 2, 6, 0];
        let moved =
            [&[1, 1, 1, 0, 7, 1, 1, b'x', 3, 1, b'p', 0][..], &[1, 1, 1, 1, 7, 0, 1, 0, 6, 0]];
        assert_eq!(rest(&recorded(&[&other, &element, &inside])), moved);
    }
}
