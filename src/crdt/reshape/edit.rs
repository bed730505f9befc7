//! The edits that make one tree into another, in the live document.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use yrs::branch::BranchPtr;
use yrs::types::text::DeltaPrelim;
use yrs::types::xml::XmlDeltaPrelim;
use yrs::types::{Attrs, Delta};
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, IdSet, In, Map, MapPrelim, MapRef, Out, ReadTxn, Snapshot,
    Text as _, TextRef, TransactionMut, WriteTxn, XmlElementPrelim, XmlFragmentPrelim,
};

use super::align::{Gap, Identity, Match, gaps};
use super::matching::{match_arrays, match_texts};
use super::tree::{Kind, List, Node, Text, Value, branch_of};

/// How often the formats of a text are set. Deleting, the library also takes back formats, and
/// with elements in the text too many of them: the second pass sets those again.
const FORMAT_PASSES_MAX: usize = 4;

/// Makes the live document what the past one is.
pub(super) struct Editor<'a, 'live, 'past> {
    live: &'a mut TransactionMut<'live>,
    past: &'a mut TransactionMut<'past>,
    live_before: Snapshot,
    past_before: Snapshot,
    /// Subdocuments were met where one state has something else: the results differ there.
    pub(super) keeps_subdocuments: bool,
}

impl<'a, 'live, 'past> Editor<'a, 'live, 'past> {
    pub(super) fn new(
        live: &'a mut TransactionMut<'live>,
        past: &'a mut TransactionMut<'past>,
    ) -> Self {
        let (live_before, past_before) = (undeleted(live), undeleted(past));
        Editor { live, past, live_before, past_before, keeps_subdocuments: false }
    }

    /// Makes a named type that the live document does not have.
    pub(super) fn make_root(&mut self, name: &Arc<str>, wanted: &Node) -> Result<(), String> {
        let root = Out::YText(self.live.get_or_insert_text(name.clone()));
        self.reshape(branch_of(&root)?, None, wanted)
    }

    /// Makes a shared type what another one is; `found` is what is in it, if anything.
    pub(super) fn reshape(
        &mut self,
        branch: BranchPtr,
        found: Option<&Node>,
        wanted: &Node,
    ) -> Result<(), String> {
        if found.is_some_and(|found| found.hash == wanted.hash) {
            return Ok(());
        }
        let nothing = BTreeMap::new();
        self.entries(branch, found.map_or(&nothing, |found| &found.entries), &wanted.entries)?;
        match (found.map(|found| &found.list), &wanted.list) {
            (Some(List::Array(found)), List::Array(wanted)) => self.array(branch, found, wanted),
            (None, List::Array(wanted)) => self.array(branch, &[], wanted),
            // What is wanted is nothing: an array that the past did not have.
            (Some(List::Array(found)), List::Text(_)) => self.array(branch, found, &[]),
            (Some(List::Text(list)), List::Text(wanted_list)) => {
                let mut ids = (Vec::new(), Vec::new());
                // Where nothing is wanted, the past may not even have the type.
                if !wanted_list.units.is_empty() {
                    let past = (wanted.branch, wanted_list.units.len());
                    ids.0 = clocks(self.live, (branch, list.units.len()), &self.live_before);
                    ids.1 = clocks(self.past, past, &self.past_before);
                }
                let matches = match_texts(list, wanted_list, ids.0, ids.1);
                self.text(branch, list, wanted_list, &matches)
            }
            (None, List::Text(wanted)) => self.text(branch, &Text::default(), wanted, &[]),
            (Some(List::Text(_)), List::Array(_)) => Err("a text that was an array".to_owned()),
        }
    }

    fn entries(
        &mut self,
        branch: BranchPtr,
        found: &BTreeMap<Arc<str>, Value>,
        wanted: &BTreeMap<Arc<str>, Value>,
    ) -> Result<(), String> {
        let map = MapRef::from(branch);
        for (key, value) in found.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
            if !matches!(value, Value::Subdocument) {
                map.remove(self.live, key);
            }
        }
        for (key, wanted) in wanted {
            match (found.get(key), wanted) {
                (None, Value::Subdocument) => {}
                (Some(found), wanted) if found.hash() == wanted.hash() => {}
                (Some(Value::Subdocument), _) | (_, Value::Subdocument) => {
                    self.keeps_subdocuments = true;
                }
                (Some(Value::Shared(found)), Value::Shared(wanted))
                    if found.kind == wanted.kind =>
                {
                    self.reshape(found.branch, Some(found), wanted)?;
                }
                (_, Value::Plain(value, _)) => {
                    map.insert(self.live, key.clone(), value.clone());
                }
                (_, Value::Shared(wanted)) => {
                    let made = map.insert(self.live, key.clone(), new(&wanted.kind)?);
                    self.reshape(branch_of(&made)?, None, wanted)?;
                }
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        branch: BranchPtr,
        found: &[Value],
        wanted: &[Value],
    ) -> Result<(), String> {
        let array = ArrayRef::from(branch);
        let matches = match_arrays(found, wanted);
        let mut matches = matches.iter().flat_map(|m| (0..m.len).map(|i| (m.live + i, m.past + i)));
        let (mut found_at, mut wanted_at, mut at) = (0, 0, 0);
        loop {
            let next = matches.next();
            let (found_end, wanted_end) = next.unwrap_or((found.len(), wanted.len()));
            at = self.delete_values(&array, at, &found[found_at..found_end]);
            at = self.insert_values(&array, at, &wanted[wanted_at..wanted_end])?;
            if next.is_none() {
                return Ok(());
            }
            if let (Some(found), Some(wanted)) =
                (found[found_end].node(), wanted[wanted_end].node())
            {
                self.reshape(found.branch, Some(found), wanted)?;
            }
            (found_at, wanted_at, at) = (found_end + 1, wanted_end + 1, at + 1);
        }
    }

    /// Deletes all but subdocuments; returns the place behind what is left.
    fn delete_values(&mut self, array: &ArrayRef, at: u32, values: &[Value]) -> u32 {
        let mut at = at;
        for run in values.chunk_by(|a, b| is_subdocument(a) == is_subdocument(b)) {
            if is_subdocument(&run[0]) {
                at += run.len() as u32;
            } else {
                array.remove_range(self.live, at, run.len() as u32);
            }
        }
        at
    }

    /// Inserts all but subdocuments; returns the place behind them.
    fn insert_values(
        &mut self,
        array: &ArrayRef,
        at: u32,
        values: &[Value],
    ) -> Result<u32, String> {
        let mut at = at;
        let plain = |value: &Value| match value {
            Value::Plain(value, _) => Some(value.clone()),
            Value::Shared(_) | Value::Subdocument => None,
        };
        for run in values.chunk_by(|a, b| plain(a).is_some() && plain(b).is_some()) {
            match &run[0] {
                Value::Plain(..) => {
                    array.insert_range(self.live, at, run.iter().filter_map(plain));
                    at += run.len() as u32;
                }
                Value::Shared(wanted) => {
                    let made = array.insert(self.live, at, new(&wanted.kind)?);
                    self.reshape(branch_of(&made)?, None, wanted)?;
                    at += 1;
                }
                Value::Subdocument => {}
            }
        }
        Ok(at)
    }

    fn text(
        &mut self,
        branch: BranchPtr,
        found: &Text,
        wanted: &Text,
        matches: &[Match],
    ) -> Result<(), String> {
        let mut writing = Writing { found, wanted, delta: Vec::new() };
        writing.write(matches)?;
        writing.apply(self.live, branch);
        let mut elements = Vec::new();
        for _ in 0..FORMAT_PASSES_MAX {
            elements.clear();
            let made = Text::read(self.live, branch, |embed| {
                elements.extend(branch_of(&embed));
                Ok(Value::Subdocument)
            })?;
            if made.units != wanted.units {
                return Err("a text did not become what it was".to_owned());
            }
            let mut writing = Writing { found: &made, wanted, delta: Vec::new() };
            writing.keep(&Match { live: 0, past: 0, len: made.units.len() });
            if !writing.apply(self.live, branch) {
                break;
            }
        }
        self.elements(&elements, found, wanted, matches)
    }

    /// Reshapes the shared types in a text that is otherwise as wanted.
    fn elements(
        &mut self,
        made: &[BranchPtr],
        found: &Text,
        wanted: &Text,
        matches: &[Match],
    ) -> Result<(), String> {
        let partner = |at: usize| {
            let kept = &matches[matches.partition_point(|m| m.past <= at).checked_sub(1)?];
            let live_at = kept.live + (at - kept.past);
            (at < kept.past_end()).then(|| found.embed(live_at)?.node()).flatten()
        };
        let nodes = wanted.embeds.iter().filter_map(|(at, value)| Some((*at, value.node()?)));
        if made.len() != nodes.clone().count() {
            return Err("a text did not take the elements it should".to_owned());
        }
        for ((at, wanted), branch) in nodes.zip(made) {
            self.reshape(*branch, partner(at), wanted)?;
        }
        Ok(())
    }
}

fn is_subdocument(value: &Value) -> bool {
    matches!(value, Value::Subdocument)
}

/// A shared type with nothing in it.
fn new(kind: &Kind) -> Result<In, String> {
    Ok(match kind {
        Kind::Text => In::Text(DeltaPrelim::default()),
        Kind::Array => In::Array(ArrayPrelim::default()),
        Kind::Map => In::Map(MapPrelim::default()),
        Kind::Element(name) => In::XmlElement(XmlElementPrelim::empty(name.clone())),
        Kind::Fragment => In::XmlFragment(XmlFragmentPrelim::default()),
        Kind::XmlText => In::XmlText(XmlDeltaPrelim::default()),
        Kind::Root => return Err("a named type inside another one".to_owned()),
    })
}

/// All that is there, as if nothing were deleted. To compare with a snapshot, the library goes
/// through all that is deleted in the document, for each text anew. What is deleted has lost its
/// content when it was read, and is not shown anyway.
fn undeleted(txn: &TransactionMut<'_>) -> Snapshot {
    Snapshot::new(txn.state_vector(), IdSet::new())
}

/// The clocks of the characters in a text of this length; none if they cannot be told.
fn clocks(
    txn: &mut TransactionMut<'_>,
    (branch, len): (BranchPtr, usize),
    all: &Snapshot,
) -> Vec<Identity> {
    // Compared with nothing, each item is a piece of its own that names its id.
    let nothing = Snapshot::default();
    let pieces = TextRef::from(branch).diff_range(txn, Some(all), Some(&nothing), |new| new.id);
    let mut at = 0;
    let mut found = Vec::new();
    for piece in pieces {
        let len = match (&piece.insert, piece.ychange) {
            (Out::Any(Any::String(run)), Some(id)) => {
                let len = run.encode_utf16().count();
                let (client, clock) = (id.client.get(), id.clock);
                found.push(Identity { client, clock, len: len as u32, at });
                len
            }
            _ => 1,
        };
        at += len;
    }
    if at == len { found } else { Vec::new() }
}

/// One walk along a text that makes it another.
struct Writing<'a> {
    found: &'a Text,
    wanted: &'a Text,
    delta: Vec<Delta<In>>,
}

impl Writing<'_> {
    /// Writes, unless there is nothing to change.
    fn apply(self, txn: &mut TransactionMut<'_>, branch: BranchPtr) -> bool {
        let is_change = self.delta.iter().any(|piece| !matches!(piece, Delta::Retain(_, None)));
        if is_change {
            TextRef::from(branch).apply_delta(txn, self.delta);
        }
        is_change
    }

    fn write(&mut self, matches: &[Match]) -> Result<(), String> {
        let lens = (self.found.units.len(), self.wanted.units.len());
        let mut gaps = gaps(matches, lens.0, lens.1).into_iter().peekable();
        for kept in matches {
            if let Some(gap) =
                gaps.next_if(|gap| gap.past.end <= kept.past && gap.live.end <= kept.live)
            {
                self.replace(&gap)?;
            }
            self.keep(kept);
        }
        gaps.try_for_each(|gap| self.replace(&gap))
    }

    fn replace(&mut self, gap: &Gap) -> Result<(), String> {
        if !gap.live.is_empty() {
            self.delta.push(Delta::Deleted(gap.live.len() as u32));
        }
        let mut at = gap.past.start;
        while at < gap.past.end {
            let (format, end) = self.wanted.format(at);
            let end = end.min(gap.past.end);
            self.insert(at..end, format)?;
            at = end;
        }
        Ok(())
    }

    fn insert(&mut self, range: Range<usize>, format: &Attrs) -> Result<(), String> {
        let mut insert = |value: In| {
            let format = (!format.is_empty()).then(|| Box::new(format.clone()));
            self.delta.push(Delta::Inserted(value, format));
        };
        let mut at = range.start;
        while at < range.end {
            let next = self.wanted.embeds.partition_point(|(place, _)| *place < at);
            let embed = self.wanted.embeds.get(next).filter(|(place, _)| *place < range.end);
            let end = embed.map_or(range.end, |(place, _)| *place);
            if at < end {
                let run = String::from_utf16_lossy(&self.wanted.units[at..end]);
                insert(In::Any(Any::String(run.into())));
            }
            match embed {
                Some((_, Value::Plain(value, _))) => insert(In::Any(value.clone())),
                Some((_, Value::Shared(node))) => insert(new(&node.kind)?),
                Some((_, Value::Subdocument)) | None => {}
            }
            at = end + 1;
        }
        Ok(())
    }

    /// Keeps characters, and gives them the format that they should have.
    fn keep(&mut self, kept: &Match) {
        let mut at = 0;
        while at < kept.len {
            let (found, found_end) = self.found.format(kept.live + at);
            let (wanted, wanted_end) = self.wanted.format(kept.past + at);
            let end = (found_end - kept.live).min(wanted_end - kept.past).min(kept.len);
            let change = change_of_format(found, wanted);
            self.delta.push(Delta::Retain((end - at) as u32, change.map(Box::new)));
            at = end;
        }
    }
}

fn change_of_format(found: &Attrs, wanted: &Attrs) -> Option<Attrs> {
    let unset = found.keys().filter(|key| !wanted.contains_key(*key));
    let unset = unset.map(|key| (key.clone(), Any::Null));
    let set = wanted.iter().filter(|(key, value)| found.get(*key) != Some(value));
    let change: Attrs = unset.chain(set.map(|(key, value)| (key.clone(), value.clone()))).collect();
    (!change.is_empty()).then_some(change)
}
