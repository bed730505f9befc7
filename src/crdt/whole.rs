//! A document's full state as bytes, and what has come since put into them without decoding either.
//!
//! Encoding a large replica for each newcomer, or building one before the first, costs more than all
//! the rest of a first sync. The bytes of an update are sections of blocks, one for each client id,
//! and a set of deletions: what is new is put behind the section that it continues. That works for
//! everything that an update brings as a whole; one that repeats a part of a block would have to be
//! cut, and is left to the replica.
//!
//! The rule that must hold: what is woven restores to the same as the state and the updates in turn.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use yrs::IdSet;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;

use super::lint::{Kind, LintError, LintLimits, Reader, Span, lint, read_deletes};
use super::replica::id_set;
use super::state_vector::StateVector;

/// Updates after the state at most, and their bytes as a share of it; then encoding anew is better.
const SINCE_MAX: usize = 1024;
const SINCE_BYTES_SHARE: usize = 4;
const SINCE_BYTES_MIN: usize = 16 << 10;

/// A full state and the updates after it.
#[derive(Debug)]
pub struct Whole {
    state: Bytes,
    /// Updates that are not in `woven`.
    since: Vec<Bytes>,
    /// Of all updates after `state`.
    count: usize,
    bytes: usize,
    index: Option<Index>,
    woven: Option<Bytes>,
}

impl Whole {
    /// Of a full state, as one update that has been linted or is our own.
    pub fn new(state: Bytes) -> Self {
        let woven = Some(state.clone());
        Self { state, since: Vec::new(), count: 0, bytes: 0, index: None, woven }
    }

    /// Adds an update that was integrated after everything before. False if there are too many of
    /// them by now: the whole is of no use any more.
    pub fn add(&mut self, update: Bytes) -> bool {
        self.count += 1;
        self.bytes += update.len();
        self.since.push(update);
        self.woven = None;
        let bytes_max = SINCE_BYTES_MIN.max(self.state.len() / SINCE_BYTES_SHARE);
        self.count <= SINCE_MAX && self.bytes <= bytes_max
    }

    /// Everything as one update, shared until the next [`Whole::add`]. `None` where it cannot be
    /// woven: the whole is of no use any more.
    pub fn encode(&mut self) -> Option<Bytes> {
        if self.woven.is_none() {
            let state = self.state.clone();
            self.woven = Some(self.indexed()?.weave(&state));
        }
        self.woven.clone()
    }

    /// The index with everything in it.
    fn indexed(&mut self) -> Option<&mut Index> {
        if self.index.is_none() {
            self.index = Some(Index::new(&self.state).ok()??);
        }
        let index = self.index.as_mut()?;
        for update in self.since.drain(..) {
            if !index.add(&update).is_ok_and(|added| added) {
                return None;
            }
        }
        Some(index)
    }
}

/// What can be told of a document from stored bytes alone, before there is a replica.
#[derive(Debug, Clone)]
pub struct Preview {
    full: Bytes,
    /// The answer to somebody who has everything: deletions travel in every difference, but those
    /// that follow from what he has.
    same: Bytes,
    vector: StateVector,
}

impl Preview {
    /// Of a snapshot and the updates after it, with the same for the replica that is built of them.
    /// `None` where it takes a replica. Costs a walk over the bytes.
    pub fn new(snapshot: Bytes, tail: &[Bytes]) -> Option<(Self, Whole)> {
        let mut whole = Whole::new(snapshot.clone());
        let index = whole.indexed()?;
        // Text whose deletion cannot be read would be shown as if it were there.
        IdSet::decode_v1(&snapshot[index.deletes_at..]).ok()?;
        for update in tail {
            let summary = lint(update, &LintLimits::NONE).ok()?;
            let fits = summary.fits(|client| index.end(client));
            if !fits || !index.add(update).ok()? {
                return None;
            }
        }
        let vector = index.state_vector();
        let same = [&[0], &index.deletes(&snapshot)[..]].concat().into();
        if !tail.is_empty() {
            whole.woven = None;
            whole.count = tail.len();
            whole.bytes = tail.iter().map(Bytes::len).sum();
        }
        let full = whole.encode()?;
        Some((Self { full, same, vector }, whole))
    }

    /// What there is.
    pub fn state_vector(&self) -> &StateVector {
        &self.vector
    }

    /// What somebody with this encoded state vector lacks, if that is everything or nothing.
    pub fn answer(&self, vector: &[u8]) -> Option<Bytes> {
        let known = self.vector.known_part(vector);
        if known.0.is_empty() {
            return Some(self.full.clone());
        }
        (known == self.vector).then(|| self.same.clone())
    }
}

/// Where things are in a full state, and what comes behind them.
#[derive(Debug)]
struct Index {
    sections: BTreeMap<u64, Section>,
    /// Where the deletions of the state begin.
    deletes_at: usize,
    /// What was deleted since.
    deleted: Vec<Span>,
    /// The state's deletions and those of `deleted` that were there then.
    deletes: Option<(usize, Bytes)>,
}

/// The blocks of one client id.
#[derive(Debug, Default)]
struct Section {
    count: usize,
    /// In the state.
    blocks: Range<usize>,
    added: Vec<u8>,
    /// The clock behind the last block.
    end: u32,
}

impl Index {
    /// `None` where the state does not begin at the beginning.
    fn new(state: &[u8]) -> Result<Option<Self>, LintError> {
        let mut sections = BTreeMap::new();
        let mut reader = Reader::new(state);
        for _ in 0..reader.count(1)? {
            let (count, client) = (reader.count(1)?, reader.client()?);
            let mut end = reader.clock()?;
            let start = reader.at();
            if end > 0 {
                return Ok(None);
            }
            for _ in 0..count {
                let block = reader.block(client, end, &LintLimits::NONE)?;
                if block.kind == Kind::Skip {
                    return Ok(None);
                }
                end = block.span.end;
            }
            let section = Section { count, blocks: start..reader.at(), added: Vec::new(), end };
            if sections.insert(client, section).is_some() {
                return Ok(None);
            }
        }
        let deletes_at = reader.at();
        Ok(Some(Self { sections, deletes_at, deleted: Vec::new(), deletes: None }))
    }

    fn end(&self, client: u64) -> u32 {
        self.sections.get(&client).map_or(0, |section| section.end)
    }

    fn state_vector(&self) -> StateVector {
        let mut vector = StateVector::default();
        self.sections.iter().for_each(|(client, section)| vector.raise(*client, section.end));
        vector
    }

    /// Puts an update behind what it continues; false where it would have to be cut.
    fn add(&mut self, update: &[u8]) -> Result<bool, LintError> {
        let mut reader = Reader::new(update);
        for _ in 0..reader.count(1)? {
            let (count, client) = (reader.count(1)?, reader.client()?);
            let mut clock = reader.clock()?;
            let known = self.end(client);
            // Where what is new begins, and its blocks.
            let mut new = None;
            for number in 0..count {
                let at = reader.at();
                let block = reader.block(client, clock, &LintLimits::NONE)?;
                clock = block.span.end;
                if block.kind == Kind::Skip {
                    return Ok(false);
                }
                if new.is_none() && block.span.end > known {
                    if block.span.start != known {
                        return Ok(false);
                    }
                    new = Some((at, count - number));
                }
            }
            if let Some((at, count)) = new {
                let section = self.sections.entry(client).or_default();
                section.added.extend_from_slice(&update[at..reader.at()]);
                section.count += count;
                section.end = clock;
            }
        }
        self.deleted.extend(read_deletes(&mut reader)?);
        Ok(true)
    }

    /// The set of everything that is deleted, encoded.
    fn deletes(&mut self, state: &Bytes) -> Bytes {
        let (counted, known) = match &self.deletes {
            Some((counted, deletes)) => (*counted, deletes.clone()),
            None => (0, state.slice(self.deletes_at..)),
        };
        if counted == self.deleted.len() {
            return known;
        }
        let mut new = self.deleted[counted..].to_vec();
        new.sort_unstable_by_key(|span| (span.client, span.start));
        let mut set = id_set(&new);
        // These bytes are of our own library.
        set.merge_with(IdSet::decode_v1(&known).unwrap_or_default());
        let deletes: Bytes = set.encode_v1().into();
        self.deletes = Some((self.deleted.len(), deletes.clone()));
        deletes
    }

    fn weave(&mut self, state: &Bytes) -> Bytes {
        let deletes = self.deletes(state);
        let added: usize = self.sections.values().map(|section| section.added.len()).sum();
        let heads = 24 * (self.sections.len() + 1);
        let mut woven = Vec::with_capacity(self.deletes_at + added + heads + deletes.len());
        put(&mut woven, self.sections.len() as u64);
        // The highest client id first, as stock encoders have it.
        for (client, section) in self.sections.iter().rev() {
            put(&mut woven, section.count as u64);
            put(&mut woven, *client);
            put(&mut woven, 0);
            woven.extend_from_slice(&state[section.blocks.clone()]);
            woven.extend_from_slice(&section.added);
        }
        woven.extend_from_slice(&deletes);
        woven.into()
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests;
