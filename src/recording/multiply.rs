//! A crowd: the cast of a recording, several times over, in one document.
//!
//! Each further copy types with client ids of its own, so its edits are new to everybody and build
//! on that copy's edits and on what was there before, which is there once. What they type at one
//! place stands side by side, so the recorded text is nobody's end any more; that all replicas agree
//! and hold everything still is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::parts::{Parts, Place, Span};
use super::{Event, Recording, ReplayError, What};

impl Recording {
    /// The same session by so many times the people, at the same times, in one document. One
    /// recorded text cannot be the end of that; the end event is left out where `times` is over 1.
    ///
    /// # Errors
    /// An update cannot be taken apart, or repeats a part of what was there before the first event.
    pub fn multiplied(&self, times: usize) -> Result<Self, ReplayError> {
        if times <= 1 {
            return Ok(self.clone());
        }
        let crowd = Crowd::of(self)?;
        let mut events = Vec::with_capacity(self.events.len() * times);
        let copies: Vec<Ids> = (0..times).map(|copy| crowd.ids(copy)).collect();
        for (index, event) in self.events.iter().enumerate() {
            for (copy, ids) in copies.iter().enumerate() {
                events.extend(crowd.copied(copy, ids, index, event)?);
            }
        }
        Ok(Self { header: self.header.clone(), events })
    }
}

/// What the client ids of a recording become.
type Ids = HashMap<u64, u64>;

/// Who is in a recording.
struct Crowd {
    /// By the index of the event.
    updates: HashMap<usize, Parts>,
    /// For each client id the clock at which the session begins; below it is what was there before.
    starts: BTreeMap<u64, u32>,
    connections: u32,
}

impl Crowd {
    fn of(recording: &Recording) -> Result<Self, ReplayError> {
        let failed = |event| move |reason| ReplayError::Event { event, reason };
        let mut starts = BTreeMap::new();
        if let Some(start) = &recording.header.start {
            for section in Parts::of(start).map_err(failed(0))?.sections {
                starts.insert(section.client, section.span().end);
            }
        }
        let mut updates = HashMap::new();
        for (index, event) in recording.events.iter().enumerate() {
            match &event.what {
                What::Update { update, .. } => {
                    let parts = Parts::of(update).map_err(failed(index + 1))?;
                    for section in &parts.sections {
                        starts.entry(section.client).or_insert(0);
                    }
                    updates.insert(index, parts);
                }
                What::Awareness { client, .. } => {
                    starts.entry(*client).or_insert(0);
                }
                _ => {}
            }
        }
        let connections = recording.events.iter().filter_map(|event| event.what.connection());
        let connections = connections.max().unwrap_or(0).saturating_add(1);
        Ok(Self { updates, starts, connections })
    }

    /// The client ids of a copy: in the order of the first copy's, which decides between what is
    /// typed at one place. The first copy keeps its own.
    fn ids(&self, copy: usize) -> Ids {
        let own: BTreeSet<u64> = self.starts.keys().copied().collect();
        let count = own.len();
        if copy == 0 {
            return own.iter().map(|id| (*id, *id)).collect();
        }
        let free = (1..).filter(|id| !own.contains(id)).skip((copy - 1) * count);
        own.iter().copied().zip(free).collect()
    }

    fn copied(
        &self,
        copy: usize,
        ids: &Ids,
        index: usize,
        event: &Event,
    ) -> Result<Option<Event>, ReplayError> {
        let failed = |reason: String| ReplayError::Event { event: index + 1, reason };
        let shift = u32::try_from(copy).ok().and_then(|copy| copy.checked_mul(self.connections));
        let shift = shift.ok_or_else(|| failed("too many connections".into()))?;
        let number = |connection: &u32| {
            let number = connection.checked_add(shift);
            number.ok_or_else(|| failed("too many connections".into()))
        };
        let mut what = event.what.clone();
        match &mut what {
            What::End { .. } => return Ok(None),
            What::Join { connection, name } => {
                *connection = number(connection)?;
                if copy > 0 && !name.is_empty() {
                    name.push_str(&format!(" {}", copy + 1));
                }
            }
            What::Leave { connection } | What::Fault { connection, .. } => {
                *connection = number(connection)?;
            }
            What::Awareness { connection, client, .. } => {
                *connection = number(connection)?;
                *client = ids.get(client).copied().unwrap_or(*client);
            }
            What::Update { connection, update } => {
                *connection = number(connection)?;
                if copy > 0 {
                    *update = self.retyped(ids, &self.updates[&index]).map_err(failed)?;
                }
            }
        }
        Ok(Some(Event { t: event.t, what }))
    }

    /// An update under other client ids.
    fn retyped(&self, ids: &Ids, parts: &Parts) -> Result<Bytes, String> {
        let mut parts = parts.clone();
        for section in &mut parts.sections {
            let start = self.start(section.client);
            if section.start < start {
                return Err("it repeats a part of what was there before".into());
            }
            section.start -= start;
            section.client = ids.get(&section.client).copied().unwrap_or(section.client);
            for block in &mut section.blocks {
                for place in block.places_mut() {
                    *place = self.moved(ids, *place);
                }
            }
        }
        // The highest client id first, as every encoder writes them.
        parts.sections.sort_by_key(|section| std::cmp::Reverse(section.client));
        parts.deletes = parts.deletes.iter().flat_map(|span| self.moved_span(ids, *span)).collect();
        parts.deletes.sort_unstable();
        Ok(parts.encode())
    }

    /// The clock at which the session of a client id begins.
    fn start(&self, client: u64) -> u32 {
        self.starts.get(&client).copied().unwrap_or(0)
    }

    fn moved(&self, ids: &Ids, place: Place) -> Place {
        match place.clock.checked_sub(self.start(place.client)) {
            Some(clock) => {
                Place { client: ids.get(&place.client).copied().unwrap_or(place.client), clock }
            }
            None => place,
        }
    }

    /// What of a span was there before, and what was typed.
    fn moved_span(&self, ids: &Ids, span: Span) -> impl Iterator<Item = Span> + use<> {
        let border = self.start(span.client).clamp(span.start, span.end);
        let before = Span { end: border, ..span };
        let first = self.moved(ids, Place { client: span.client, clock: border });
        let (client, start) = (first.client, first.clock);
        let typed = Span { client, start, end: start + (span.end - border) };
        [before, typed].into_iter().filter(|span| span.start < span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;
    use crate::recording::{Header, Replay};

    fn load(name: &str) -> Recording {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/");
        Recording::load(format!("{folder}{name}")).expect("a recording")
    }

    fn text(recording: &Recording) -> String {
        Replay::new(recording).run().expect("it can be played").text("body")
    }

    #[test]
    fn every_copy_types_the_same_words_beside_each_other() {
        for name in ["session.jsonl", "sequential.json", "concurrent.json"] {
            let one = load(name);
            let three = one.multiplied(3).expect("a crowd");
            assert_eq!(three.edits(), 3 * one.edits(), "{name}");
            let connections = three.info().people.len();
            assert_eq!(connections, 3 * one.info().people.len(), "{name}");
            assert_eq!(one.multiplied(1).expect("a crowd"), one);
        }
        assert_eq!(text(&load("session.jsonl").multiplied(3).expect("a crowd")).len(), 36);
    }

    /// What was there before is one for all of them, also what they delete of it.
    #[test]
    fn what_was_there_before_is_there_once() {
        let one = load("sequential.json");
        assert!(one.header.start.is_some());
        let twice = text(&one.multiplied(2).expect("a crowd"));
        assert_eq!(twice.matches("Shopping:").count(), 1, "{twice:?}");
        assert_eq!(twice.matches("and tea").count(), 2, "{twice:?}");
    }

    /// Who typed what was there before goes on with the same client id.
    #[test]
    fn copies_share_what_their_own_ids_typed_before() {
        let mut desk = Desk::new(1, "body");
        let mut header = Header::new("d", "");
        header.start = Some(desk.replace(0..0, "Hello ").expect("a place in the text"));
        let connection = 1;
        let mut events = vec![What::Join { connection, name: String::new() }];
        for (at, comes) in [(6..6, "Bo"), (3..7, "")] {
            let update = desk.replace(at, comes).expect("a place in the text");
            events.push(What::Update { connection, update });
        }
        let events = events.into_iter().map(|what| Event { t: 0, what }).collect();
        let recording = Recording { header, events };
        assert_eq!(text(&recording), "Helo");
        assert_eq!(text(&recording.multiplied(3).expect("a crowd")), "Helooo");
    }
}
