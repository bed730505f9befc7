//! Reads an update from end to end before anything decodes it, and says what it carries.
//!
//! An update is the one thing a stranger can put into a document, and the CRDT library trusts it: lengths are
//! reserved as declared, nested values are decoded recursively, numbers wrap. The lint walks the bytes once,
//! without recursion and without allocating more than it reports, and refuses what no Yjs client ever writes.
//! It knows nothing of the document: whether the update fits is answered by its caller from the [`Summary`].
//!
//! The rule that must hold: what the lint accepts, `Update::decode_v1` decodes without a panic, an abort or more
//! memory than a fixed multiple of the bytes; the one exception is JSON inside embeds and formats, which the
//! decoder checks itself and answers with an error. What it cannot see is where items really lie in a document:
//! well-formed items may still contradict each other, and the replica has to be ready for that.
//! Source of the format: Yjs 13.6, `src/utils/encoding.js`, `src/structs`, and lib0's `decoding.js`.

use thiserror::Error;

/// Clocks end here: above it the library's signed arithmetic loses updates without a word.
const CLOCK_END: u64 = 1 << 31;
/// Client ids end here: the library folds larger ones onto smaller, and JavaScript cannot hold them.
const CLIENT_END: u64 = 1 << 53;
/// Numbers of no particular kind end here, as in lib0.
const NUMBER_END: u64 = 1 << 53;

/// Bits of an item's info byte: which of its neighbours and which key follow.
const HAS_ORIGIN: u8 = 0b1000_0000;
const HAS_RIGHT_ORIGIN: u8 = 0b0100_0000;
const HAS_PARENT_KEY: u8 = 0b0010_0000;
/// Kinds of block, in the low five bits of the info byte.
const KIND: u8 = 0b0001_1111;
const GC: u8 = 0;
const SKIP: u8 = 10;

/// Smallest possible sizes in bytes, to compare declared counts with what is left.
const SECTION_BYTES_MIN: usize = 5;
const BLOCK_BYTES_MIN: usize = 2;
const DELETE_SECTION_BYTES_MIN: usize = 2;
const DELETE_BYTES_MIN: usize = 2;

/// How much one update may carry. Over a limit the update is refused as a whole.
#[derive(Debug, Clone)]
pub struct LintLimits {
    /// Bytes of the update.
    pub update_bytes_max: usize,
    /// How deep arrays and objects may be nested in a plain value. The decoder recurses once per level and
    /// overflows a stack of 2 MiB between 5,000 and 10,000.
    pub any_depth_max: usize,
    /// Subdocuments in one update. Each 8 bytes become a whole document object in memory.
    pub subdocuments_max: usize,
    /// Clocks in one update whose content is gone (GC blocks and deleted content), over all client ids.
    ///
    /// Two bytes can claim any number of such clocks, and what is claimed can never be used again. An honest
    /// clock was a character or an element once, so the limit is far above what has been typed into any
    /// document, and far below the 2^31 that would use up a client id in one update.
    pub fill_clocks_max: u64,
}

impl Default for LintLimits {
    fn default() -> Self {
        LintLimits {
            update_bytes_max: 16 << 20,
            any_depth_max: 32,
            subdocuments_max: 1_000,
            fill_clocks_max: 1 << 26,
        }
    }
}

/// The clocks `start..end` of one client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Client id, below 2^53.
    pub client: u64,
    /// First clock.
    pub start: u32,
    /// Clock after the last, above `start` and below 2^31.
    pub end: u32,
}

/// A state that must exist before the update can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Client id, below 2^53.
    pub client: u64,
    /// The clocks below this one must exist.
    pub end: u32,
}

/// What an update carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Inserted clocks, in the order of the update. One span for each client id, more only around skips.
    pub inserts: Vec<Span>,
    /// What the update builds on and does not bring itself: places that items are attached to, deleted clocks.
    /// One entry for each client id, sorted by it. Not repeated here is that the clocks below the start of a
    /// span must exist.
    pub needs: Vec<Need>,
    /// Deleted clocks, in the order of the update; ascending for each client id.
    pub deletes: Vec<Span>,
    /// Those of the inserted clocks that have no content any more (GC blocks and deleted content).
    pub fills: Vec<Span>,
    /// There are gaps in the clocks: the update was made by somebody who waits for the missing part.
    pub has_skip: bool,
    /// References to subdocuments.
    pub subdocuments: usize,
    /// Items that can have items below them (texts, elements, maps, arrays).
    pub types: usize,
}

/// Why an update is refused. All are the sender's mistake and none goes away by sending it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LintError {
    /// Over `update_bytes_max`.
    #[error("update of {got} bytes is over the limit of {max}")]
    TooLarge {
        /// Bytes of the update.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes end, or cannot hold what they declare.
    #[error("update ends at byte {at} before it is complete")]
    Truncated {
        /// Where it ends.
        at: usize,
    },
    /// Something no Yjs client writes.
    #[error("update is malformed at byte {at}: {what}")]
    Malformed {
        /// Where it was noticed.
        at: usize,
        /// What it is.
        what: &'static str,
    },
    /// Valid for Yjs, but our library would read it as something else.
    #[error("update holds {what} at byte {at}, which is not supported")]
    Unsupported {
        /// Where it was noticed.
        at: usize,
        /// What it is.
        what: &'static str,
    },
    /// Over one of the other limits.
    #[error("update has {what} of {got} at byte {at}, over the limit of {max}")]
    OverLimit {
        /// Where it was noticed.
        at: usize,
        /// What is limited.
        what: &'static str,
        /// As far as it was counted.
        got: u64,
        /// The limit.
        max: u64,
    },
}

/// Checks an update in v1 encoding and sums it up. Cost: linear in the bytes, 70 ns for a keystroke,
/// 250 to 350 MB/s for long ones.
///
/// # Errors
/// Whatever makes the update unfit to be decoded; see [`LintError`].
pub fn lint(update: &[u8], limits: &LintLimits) -> Result<Summary, LintError> {
    if update.len() > limits.update_bytes_max {
        let (got, max) = (update.len(), limits.update_bytes_max);
        return Err(LintError::TooLarge { got, max });
    }
    let mut reader = Reader::new(update);
    let mut summary = Summary::default();
    let mut fill_clocks = 0;
    read_blocks(&mut reader, limits, |block, at| {
        summary.add(block);
        if block.kind.is_fill() {
            fill_clocks += u64::from(block.span.end - block.span.start);
        }
        within(at, "deleted content", fill_clocks, limits.fill_clocks_max)?;
        let subdocuments = summary.subdocuments as u64;
        within(at, "subdocuments", subdocuments, limits.subdocuments_max as u64)
    })?;
    let deletes = read_deletes(&mut reader)?;
    summary.needs.extend(deletes.iter().map(|span| Need { client: span.client, end: span.end }));
    summary.deletes = deletes;
    if reader.at != update.len() {
        return Err(reader.malformed("bytes after the end"));
    }
    summary.settle_needs();
    Ok(summary)
}

impl Summary {
    /// Whether a replica can apply the update and leave no hole and nothing pending, given the next clock that it
    /// expects of each client id. The library must not be left with pending parts: taking them up again later it
    /// was seen to read freed memory.
    pub fn fits(&self, known: impl Fn(u64) -> u32) -> bool {
        !self.has_skip
            && self.inserts.iter().all(|span| span.start <= known(span.client))
            && self.needs.iter().all(|need| need.end <= known(need.client))
    }

    fn add(&mut self, block: &Block) {
        match block.kind {
            Kind::Skip => self.has_skip = true,
            _ => append(&mut self.inserts, block.span),
        }
        match block.kind {
            Kind::Type => self.types += 1,
            Kind::Subdocument => self.subdocuments += 1,
            Kind::Gc | Kind::Deleted => append(&mut self.fills, block.span),
            Kind::Skip | Kind::Value => {}
        }
        for place in block.places() {
            self.need(place, block.span.client);
        }
    }

    /// Notes a place outside the current section; sorted out when the whole update is known.
    fn need(&mut self, place: Place, section: u64) {
        if place.client == section {
            return;
        }
        let need = Need { client: place.client, end: place.clock + 1 };
        match self.needs.last_mut() {
            Some(last) if last.client == need.client => last.end = last.end.max(need.end),
            _ => {
                // Two client ids often take turns: sort out before the list grows beyond what it says.
                if self.needs.len() == self.needs.capacity() && self.needs.len() > 64 {
                    self.merge_needs();
                    self.needs.reserve(self.needs.len());
                }
                self.needs.push(need);
            }
        }
    }

    /// Leaves the highest need of each client id.
    fn merge_needs(&mut self) {
        self.needs.sort_unstable_by_key(|need| (need.client, std::cmp::Reverse(need.end)));
        self.needs.dedup_by_key(|need| need.client);
    }

    /// Drops the needs that the update meets itself.
    fn settle_needs(&mut self) {
        if self.needs.is_empty() {
            return;
        }
        self.merge_needs();
        for span in &self.inserts {
            let found = self.needs.binary_search_by_key(&span.client, |need| need.client);
            if let Ok(index) = found
                && self.needs[index].end <= span.end
            {
                self.needs[index].end = 0;
            }
        }
        self.needs.retain(|need| need.end > 0);
    }
}

/// Adds a span, into the last one where it goes on.
fn append(spans: &mut Vec<Span>, span: Span) {
    if span.start == span.end {
        return;
    }
    match spans.last_mut() {
        Some(last) if last.client == span.client && last.end == span.start => last.end = span.end,
        _ => spans.push(span),
    }
}

fn within(at: usize, what: &'static str, got: u64, max: u64) -> Result<(), LintError> {
    if got > max {
        return Err(LintError::OverLimit { at, what, got, max });
    }
    Ok(())
}

/// One clock of one client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) client: u64,
    pub(super) clock: u32,
}

/// Where an item hangs, as far as its bytes say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parent {
    /// Below a type that has a name and no item.
    Root,
    /// Below the type that this item is.
    Item(Place),
    /// Below whatever its neighbours are below.
    OfNeighbours,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gc,
    Skip,
    Deleted,
    Subdocument,
    Type,
    Value,
}

impl Kind {
    fn is_fill(self) -> bool {
        matches!(self, Kind::Gc | Kind::Deleted)
    }
}

/// One block of the update.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) span: Span,
    pub(super) kind: Kind,
    pub(super) parent: Parent,
    pub(super) origin: Option<Place>,
    pub(super) right_origin: Option<Place>,
}

impl Block {
    fn places(&self) -> impl Iterator<Item = Place> {
        let parent = match self.parent {
            Parent::Item(place) => Some(place),
            Parent::Root | Parent::OfNeighbours => None,
        };
        [self.origin, self.right_origin, parent].into_iter().flatten()
    }
}

/// Walks the blocks of an update, up to its delete set, and hands out each together with where it ends.
pub(super) fn read_blocks(
    reader: &mut Reader,
    limits: &LintLimits,
    mut take: impl FnMut(&Block, usize) -> Result<(), LintError>,
) -> Result<(), LintError> {
    let sections = reader.count(SECTION_BYTES_MIN)?;
    let mut clients = Clients::default();
    for _ in 0..sections {
        let blocks = reader.count(BLOCK_BYTES_MIN)?;
        let client = reader.client()?;
        clients.add(client);
        let start = reader.clock()?;
        let mut clock = start;
        for _ in 0..blocks {
            let block = reader.block(client, clock, limits)?;
            take(&block, reader.at)?;
            clock = block.span.end;
        }
        // The library's search for the next section recurses over empty ones.
        if clock == start {
            return Err(reader.malformed("section without content"));
        }
    }
    // The library would append the second section to the first, Yjs would forget the first.
    clients.check_unique(reader)
}

fn read_deletes(reader: &mut Reader) -> Result<Vec<Span>, LintError> {
    let sections = reader.count(DELETE_SECTION_BYTES_MIN)?;
    let mut clients = Clients::default();
    let mut deletes = Vec::new();
    for _ in 0..sections {
        let client = reader.client()?;
        clients.add(client);
        let ranges = reader.count(DELETE_BYTES_MIN)?;
        let mut last_end = 0;
        for _ in 0..ranges {
            let start = reader.clock()?;
            let len = reader.number(CLOCK_END)?;
            if len == 0 {
                return Err(reader.malformed("empty delete"));
            }
            let span = reader.span(client, start, len)?;
            // Backwards, each delete would move all blocks that the ones before it have split.
            if start < last_end {
                return Err(reader.malformed("deletes out of order"));
            }
            last_end = span.end;
            deletes.push(span);
        }
    }
    // The library would keep the second section only, Yjs both.
    clients.check_unique(reader)?;
    Ok(deletes)
}

/// Client ids of the sections read so far. Stock encoders write the highest first; some old ones did not.
#[derive(Default)]
struct Clients {
    last: Option<u64>,
    /// Filled from the second section on: nearly all updates have one.
    all: Vec<u64>,
    unordered: bool,
}

impl Clients {
    fn add(&mut self, client: u64) {
        if let Some(last) = self.last.replace(client) {
            if self.all.is_empty() {
                self.all.push(last);
            }
            self.all.push(client);
            self.unordered |= client >= last;
        }
    }

    fn check_unique(mut self, reader: &Reader) -> Result<(), LintError> {
        if self.unordered {
            self.all.sort_unstable();
            if self.all.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(reader.malformed("two sections of one client id"));
            }
        }
        Ok(())
    }
}

/// A place in the bytes of an update.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    fn malformed(&self, what: &'static str) -> LintError {
        LintError::Malformed { at: self.at, what }
    }

    fn unsupported(&self, what: &'static str) -> LintError {
        LintError::Unsupported { at: self.at, what }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Result<u8, LintError> {
        let byte = *self.bytes.get(self.at).ok_or(LintError::Truncated { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], LintError> {
        if len > self.left() {
            return Err(LintError::Truncated { at: self.bytes.len() });
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// A var-uint below `end` (at most 2^53). The library lets larger ones wrap.
    fn number(&mut self, end: u64) -> Result<u64, LintError> {
        let mut number = 0;
        // Eight bytes of seven bits hold everything that is allowed; padding beyond that is nobody's.
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                if number >= end {
                    return Err(self.malformed("number out of range"));
                }
                return Ok(number);
            }
        }
        Err(self.malformed("number out of range"))
    }

    /// A signed number as in plain values: sign and six bits in the first byte, seven in each other.
    fn signed_number(&mut self) -> Result<(), LintError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(());
        }
        self.number(NUMBER_END >> 6).map(|_| ())
    }

    /// A declared count of things that take at least `bytes_min` each.
    fn count(&mut self, bytes_min: usize) -> Result<usize, LintError> {
        let count = self.number(NUMBER_END)? as usize;
        if count > self.left() / bytes_min {
            return Err(LintError::Truncated { at: self.bytes.len() });
        }
        Ok(count)
    }

    fn client(&mut self) -> Result<u64, LintError> {
        self.number(CLIENT_END)
    }

    fn clock(&mut self) -> Result<u32, LintError> {
        Ok(self.number(CLOCK_END)? as u32)
    }

    fn place(&mut self) -> Result<Place, LintError> {
        Ok(Place { client: self.client()?, clock: self.clock()? })
    }

    /// The clocks that `len` units take up from `start`.
    fn span(&self, client: u64, start: u32, len: u64) -> Result<Span, LintError> {
        let end = u64::from(start) + len;
        if end >= CLOCK_END {
            return Err(self.malformed("clock out of range"));
        }
        Ok(Span { client, start, end: end as u32 })
    }

    fn buffer(&mut self) -> Result<&'a [u8], LintError> {
        let len = self.count(1)?;
        self.take(len)
    }

    fn string(&mut self) -> Result<&'a str, LintError> {
        let bytes = self.buffer()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    /// One block. The span of an item may be empty: old encoders made such items, the library drops them.
    fn block(&mut self, client: u64, clock: u32, limits: &LintLimits) -> Result<Block, LintError> {
        let info = self.byte()?;
        if info == GC || info == SKIP {
            let len = self.number(CLOCK_END)?;
            if len == 0 {
                return Err(self.malformed("empty block"));
            }
            let span = self.span(client, clock, len)?;
            let kind = if info == GC { Kind::Gc } else { Kind::Skip };
            let parent = Parent::OfNeighbours;
            return Ok(Block { span, kind, parent, origin: None, right_origin: None });
        }
        let origin = if info & HAS_ORIGIN != 0 { Some(self.place()?) } else { None };
        let right_origin = if info & HAS_RIGHT_ORIGIN != 0 { Some(self.place()?) } else { None };
        let parent = if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
            self.parent(info)?
        } else {
            Parent::OfNeighbours
        };
        let (kind, len) = self.content(info & KIND, limits)?;
        let span = self.span(client, clock, len)?;
        let block = Block { span, kind, parent, origin, right_origin };
        if block.places().any(|place| place.client == client && place.clock >= clock) {
            return Err(self.malformed("item attached to itself or to a later one"));
        }
        Ok(block)
    }

    fn parent(&mut self, info: u8) -> Result<Parent, LintError> {
        let parent = match self.number(NUMBER_END)? {
            0 => Parent::Item(self.place()?),
            1 => {
                self.string()?;
                Parent::Root
            }
            _ => return Err(self.malformed("unknown kind of parent")),
        };
        if info & HAS_PARENT_KEY != 0 {
            self.string()?;
        }
        Ok(parent)
    }

    /// Content of an item: its kind and how many clocks it takes.
    fn content(&mut self, kind: u8, limits: &LintLimits) -> Result<(Kind, u64), LintError> {
        match kind {
            1 => Ok((Kind::Deleted, self.number(CLOCK_END)?)),
            // The library reads one string more than there are: everything after would be shifted.
            2 => Err(self.unsupported("JSON content of Yjs before 13.0")),
            3 => self.buffer().map(|_| (Kind::Value, 1)),
            4 => Ok((Kind::Value, utf16_len(self.string()?))),
            5 => self.string().map(|_| (Kind::Value, 1)),
            6 => {
                self.string()?;
                self.string().map(|_| (Kind::Value, 1))
            }
            7 => self.type_content().map(|()| (Kind::Type, 1)),
            8 => {
                let values = self.count(1)?;
                self.values(values, limits)?;
                Ok((Kind::Value, values as u64))
            }
            9 => {
                self.string()?;
                self.options(limits)?;
                Ok((Kind::Subdocument, 1))
            }
            _ => Err(self.malformed("unknown kind of content")),
        }
    }

    fn type_content(&mut self) -> Result<(), LintError> {
        match self.byte()? {
            0 | 1 | 2 | 4 | 6 => Ok(()),
            3 => self.string().map(|_| ()),
            // The library does not read the name that follows: everything after would be shifted.
            5 => Err(self.unsupported("an XML hook")),
            _ => Err(self.malformed("unknown kind of type")),
        }
    }

    /// Options of a subdocument. Yjs clients throw when they are not an object.
    fn options(&mut self, limits: &LintLimits) -> Result<(), LintError> {
        if self.bytes.get(self.at) != Some(&118) {
            return Err(self.malformed("subdocument without options"));
        }
        self.values(1, limits)
    }

    /// Passes over plain values, however nested, without recursion.
    fn values(&mut self, count: usize, limits: &LintLimits) -> Result<(), LintError> {
        /// Values still to come on one level.
        struct Level {
            left: usize,
            keyed: bool,
        }
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level { left: count, keyed: false };
        loop {
            while level.left == 0 {
                match outer.pop() {
                    Some(next) => level = next,
                    None => return Ok(()),
                }
            }
            level.left -= 1;
            if level.keyed {
                self.string()?;
            }
            let inner = match self.byte()? {
                120 | 121 | 126 | 127 => continue,
                125 => {
                    self.signed_number()?;
                    continue;
                }
                124 => {
                    self.take(4)?;
                    continue;
                }
                122 | 123 => {
                    self.take(8)?;
                    continue;
                }
                119 => {
                    self.string()?;
                    continue;
                }
                116 => {
                    self.buffer()?;
                    continue;
                }
                118 => Level { left: self.count(2)?, keyed: true },
                117 => Level { left: self.count(1)?, keyed: false },
                _ => return Err(self.malformed("unknown kind of value")),
            };
            outer.push(std::mem::replace(&mut level, inner));
            within(self.at, "nested values", outer.len() as u64, limits.any_depth_max as u64)?;
        }
    }
}

/// Length of a text in UTF-16 units, which is how Yjs counts.
fn utf16_len(text: &str) -> u64 {
    let starts = text.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
    let pairs = text.bytes().filter(|byte| *byte >= 0xf0).count();
    (starts + pairs) as u64
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use yrs::block::ClientID;
    use yrs::encoding::read::Error as DecodeError;
    use yrs::types::Attrs;
    use yrs::updates::decoder::Decode;
    use yrs::{
        Any, Array, ArrayPrelim, Doc, ID, Map, MapPrelim, OffsetKind, Options, ReadTxn,
        StateVector, Text, TextPrelim, Transact, TransactionMut, Update, WriteTxn, Xml,
        XmlElementPrelim, XmlFragment, XmlTextPrelim, merge_updates_v1,
    };

    use super::*;

    fn replica(client: u64, skip_gc: bool) -> Doc {
        Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            skip_gc,
            cleanup_formatting: false,
            ..Options::with_client_id(ClientID::new(client))
        })
    }

    fn state_of(doc: &Doc) -> Vec<u8> {
        doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    /// Runs one edit and gives the update that it makes.
    fn edit(doc: &Doc, change: impl FnOnce(&mut TransactionMut)) -> Vec<u8> {
        let mut txn = doc.transact_mut();
        change(&mut txn);
        txn.encode_update_v1()
    }

    /// Edits of all kinds by two people, one of them with the largest client id there is, who see each other's
    /// work now and then: single updates, diffs, whole states, merged ones.
    fn fixtures(skip_gc: bool) -> Vec<Vec<u8>> {
        let ann = replica(7, skip_gc);
        let bob = replica((1 << 53) - 1, skip_gc);
        let mut updates = Vec::new();
        for round in 0..4 {
            for (doc, other) in [(&ann, &bob), (&bob, &ann)] {
                let before = other.transact().state_vector();
                updates.extend([
                    edit(doc, write_text),
                    edit(doc, write_values),
                    edit(doc, write_elements),
                    edit(doc, |txn| delete(txn, round)),
                ]);
                updates.push(doc.transact().encode_state_as_update_v1(&before));
                if round % 2 == 1 {
                    let update = Update::decode_v1(&state_of(doc)).unwrap();
                    other.transact_mut().apply_update(update).unwrap();
                }
            }
        }
        updates.push(merge_updates_v1(updates.iter()).unwrap());
        updates.push(merge_updates_v1(updates[2..9].iter()).unwrap());
        updates.extend([state_of(&ann), state_of(&bob), Update::EMPTY_V1.to_vec()]);
        updates
    }

    fn write_text(txn: &mut TransactionMut) {
        let text = txn.get_or_insert_text("text");
        text.insert(txn, 0, "a😀 é 日本 ");
        text.insert(txn, 1, "in the middle");
        let bold = Attrs::from([("bold".into(), true.into()), ("link".into(), "x".into())]);
        text.format(txn, 2, 5, bold);
        text.insert_embed(txn, 3, Any::from_json(r#"{"image":[1,null]}"#).unwrap());
    }

    fn write_values(txn: &mut TransactionMut) {
        let map = txn.get_or_insert_map("map");
        map.insert(txn, "kéy", Any::from_json(r#"[1,-1.5,{"a":[[]]},"é",null]"#).unwrap());
        map.insert(txn, "bytes", Any::from(vec![1u8, 2, 3]));
        map.insert(txn, "large", i64::MAX);
        let inner = map.insert(txn, "inner", MapPrelim::from([("x", 1)]));
        inner.insert(txn, "list", ArrayPrelim::from(["a", "b"]));
        inner.insert(txn, "text", TextPrelim::new("deep"));
        let array = txn.get_or_insert_array("array");
        array.push_back(txn, replica(5, false));
        array.insert_range(txn, 0, [Any::Undefined, Any::from(1 << 20), Any::from(-3)]);
    }

    fn write_elements(txn: &mut TransactionMut) {
        let page = txn.get_or_insert_xml_fragment("page");
        let paragraph = page.push_back(txn, XmlElementPrelim::empty("paragraph"));
        paragraph.insert_attribute(txn, "level", "2");
        paragraph.push_back(txn, XmlTextPrelim::new("in it"));
        paragraph.push_back(txn, XmlElementPrelim::empty("image"));
    }

    fn delete(txn: &mut TransactionMut, round: u32) {
        txn.get_or_insert_text("text").remove_range(txn, round, 3);
        txn.get_or_insert_map("map").remove(txn, "inner");
        txn.get_or_insert_xml_fragment("page").remove_range(txn, 0, 1);
    }

    fn check(update: &[u8]) -> Result<Summary, LintError> {
        lint(update, &LintLimits::default())
    }

    #[test]
    fn real_updates_pass_and_are_summed_up_as_the_decoder_reads_them() {
        for update in [fixtures(false), fixtures(true)].concat() {
            let summary = check(&update).unwrap();
            let decoded = Update::decode_v1(&update).unwrap();
            assert_eq!(clocks(&summary.inserts), id_clocks(&decoded.insertions(true)));
            assert_eq!(clocks(&summary.deletes), id_clocks(decoded.delete_set()));
        }
    }

    fn clocks(spans: &[Span]) -> Vec<(u64, u32)> {
        let each = |span: &Span| (span.start..span.end).map(|clock| (span.client, clock)).collect();
        let mut clocks: Vec<_> = spans.iter().flat_map(|span| -> Vec<_> { each(span) }).collect();
        clocks.sort();
        clocks
    }

    fn id_clocks(set: &yrs::IdSet) -> Vec<(u64, u32)> {
        let mut clocks = Vec::new();
        for (client, ranges) in set.iter() {
            for range in ranges.iter() {
                clocks.extend(range.clone().map(|clock| (client.get(), clock)));
            }
        }
        clocks.sort();
        clocks
    }

    #[test]
    fn cut_and_grown_updates_are_refused() {
        for update in fixtures(false) {
            for len in 0..update.len() {
                assert!(check(&update[..len]).is_err(), "{len} bytes of {update:?}");
            }
            let grown = [&update[..], &[0]].concat();
            let refused = check(&grown).unwrap_err();
            assert_eq!(refused, malformed(update.len(), "bytes after the end"));
        }
    }

    fn malformed(at: usize, what: &'static str) -> LintError {
        LintError::Malformed { at, what }
    }

    #[test]
    fn places_of_others_are_needed_unless_the_update_brings_them() {
        // Client 9 writes between clock 4 of client 5 and clock 2 of client 6, then below clock 8 of client 5,
        // then after its clock 1.
        let nine = [3, 9, 3, 0xc4, 5, 4, 6, 2, 1, b'a', 7, 0, 5, 8, 0, 0x84, 5, 1, 1, b'b'];
        let update = [&[1][..], &nine, &[0]].concat();
        let summary = check(&update).unwrap();
        assert_eq!(summary.inserts, [Span { client: 9, start: 3, end: 6 }]);
        assert_eq!(summary.needs, [Need { client: 5, end: 9 }, Need { client: 6, end: 3 }]);
        assert_eq!(summary.types, 1);
        // With the clocks 5..8 of client 5 the place 8 is still missing; with 5..9 it is not.
        for (len, needs) in [(3, vec![5, 6]), (4, vec![6])] {
            let five = [1, 5, 5, 0, len];
            let update = [&[2][..], &nine, &five, &[0]].concat();
            let summary = check(&update).unwrap();
            let clients: Vec<u64> = summary.needs.iter().map(|need| need.client).collect();
            assert_eq!(clients, needs);
        }
    }

    #[test]
    fn deleted_clocks_are_needed_unless_the_update_brings_them() {
        // Deletes of client 5 (3..4, 8..10) and client 6 (0..2); inserted are the clocks 1..3 of client 6.
        let update = [1, 1, 6, 1, 0, 2, 2, 6, 1, 0, 2, 5, 2, 3, 1, 8, 2];
        let summary = check(&update).unwrap();
        assert_eq!(summary.needs, [Need { client: 5, end: 10 }]);
        assert!(summary.fits(|client| if client == 5 { 10 } else { 1 }));
        assert!(!summary.fits(|client| if client == 5 { 9 } else { 1 }));
        assert!(!summary.fits(|client| if client == 5 { 10 } else { 0 }));
    }

    #[test]
    fn the_highest_of_many_needs_counts() {
        let items = 1_000_u64;
        let mut update = vec![1];
        push_number(&mut update, items);
        update.extend([3, 0]);
        for item in 0..items {
            update.extend([0xc4, 5]);
            push_number(&mut update, item * 7_919 % items);
            update.push(6);
            push_number(&mut update, item * 104_729 % items);
            update.extend([1, b'a']);
        }
        update.push(0);
        let needs = check(&update).unwrap().needs;
        assert_eq!(needs, [Need { client: 5, end: 1_000 }, Need { client: 6, end: 1_000 }]);
    }

    #[test]
    fn clocks_without_content_and_gaps_are_told() {
        // GC of 3, deleted content of 2, a skip of 4, a text of 2 units.
        let update = [1, 4, 7, 0, 0, 3, 1, 1, 1, b't', 2, 10, 4, 4, 1, 1, b't', 2, b'a', b'b', 0];
        let summary = check(&update).unwrap();
        let start = Span { client: 7, start: 0, end: 5 };
        assert_eq!(summary.fills, [start]);
        assert_eq!(summary.inserts, [start, Span { client: 7, start: 9, end: 11 }]);
        assert!(summary.has_skip);
    }

    #[test]
    fn items_without_units_count_nothing() {
        let update = [1, 2, 7, 0, 4, 1, 1, b't', 0, 4, 1, 1, b't', 1, b'a', 0];
        let summary = check(&update).unwrap();
        assert_eq!(summary.inserts, [Span { client: 7, start: 0, end: 1 }]);
        // Yjs keeps them, so what they hang on has to exist all the same.
        let update = [1, 2, 7, 0, 0x84, 5, 3, 0, 4, 1, 1, b't', 1, b'a', 0];
        assert_eq!(check(&update).unwrap().needs, [Need { client: 5, end: 4 }]);
        let update = [1, 2, 7, 0, 4, 1, 1, b't', 1, b'a', 0x84, 7, 3, 0, 0];
        assert!(check(&update).is_err());
    }

    #[test]
    fn numbers_that_wrap_in_the_library_are_refused() {
        let out_of_range = |update: &[u8]| match check(update) {
            Err(LintError::Malformed { what, .. }) => what.ends_with("out of range"),
            _ => false,
        };
        let section = |client: u64, clock: u64, block: &[u8]| {
            let mut update = vec![1, 1];
            push_number(&mut update, client);
            push_number(&mut update, clock);
            [&update[..], block, &[0]].concat()
        };
        let gc = |len: u64| {
            let mut block = vec![0];
            push_number(&mut block, len);
            block
        };
        assert!(check(&section((1 << 53) - 1, (1 << 31) - 2, &gc(1))).is_ok());
        assert!(out_of_range(&section(1 << 53, 0, &gc(1))));
        assert!(out_of_range(&section(u64::MAX >> 1, 0, &gc(1))));
        assert!(out_of_range(&section(7, 1 << 31, &gc(1))));
        assert!(out_of_range(&section(7, (1 << 31) - 2, &gc(2))));
        assert!(out_of_range(&section(7, 0, &gc(u64::from(u32::MAX)))));
        // The same in an origin, a deleted range and a plain number.
        let mut origin = vec![0x84, 5];
        push_number(&mut origin, 1 << 31);
        assert!(out_of_range(&section(7, 0, &[&origin[..], &[1, b'a']].concat())));
        assert!(out_of_range(&[0, 1, 7, 1, 0xff, 0xff, 0xff, 0xff, 7, 1]));
        let signed = |rest: u64| {
            let mut value = vec![8, 1, 1, b't', 1, 125, 0xbf];
            push_number(&mut value, rest);
            value
        };
        assert!(check(&section(7, 0, &signed((1 << 47) - 1))).is_ok());
        assert!(out_of_range(&section(7, 0, &signed(1 << 47))));
        // Padded with zeros to any length.
        assert!(out_of_range(&[&[0x80; 8][..], &[0, 0]].concat()));
    }

    fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }

    #[test]
    fn a_short_frame_cannot_use_up_the_clocks_of_a_client_id() {
        let mut frame = vec![1, 1, 7, 0, 0];
        push_number(&mut frame, (1 << 31) - 2);
        frame.push(0);
        assert_eq!(frame.len(), 11);
        let over_limit = |frame: &[u8], limit: u64| {
            let limits = LintLimits { fill_clocks_max: limit, ..LintLimits::default() };
            matches!(
                lint(frame, &limits),
                Err(LintError::OverLimit { what: "deleted content", .. })
            )
        };
        assert!(over_limit(&frame, LintLimits::default().fill_clocks_max));
        // All that is in the update counts together: 5 here.
        let frame = [2, 1, 8, 0, 0, 2, 1, 7, 0, 1, 1, 1, b't', 3, 0];
        assert!(over_limit(&frame, 4));
        assert!(!over_limit(&frame, 5));
    }

    #[test]
    fn declared_counts_are_compared_with_what_is_left() {
        let million = [0x80, 0x89, 0x7a];
        let frames = [
            million.to_vec(),
            [&[1][..], &million, &[7, 0, 0, 1, 0]].concat(),
            [&[1, 1, 7, 0, 8, 1, 1, b't'][..], &million, &[126, 0]].concat(),
            [&[1, 1, 7, 0, 8, 1, 1, b't', 1, 117][..], &million, &[126, 0]].concat(),
            [&[1, 1, 7, 0, 8, 1, 1, b't', 1, 118][..], &million, &[126, 0]].concat(),
            [&[1, 1, 7, 0, 4, 1, 1, b't'][..], &million, &[0]].concat(),
            [&[0][..], &million, &[7, 1, 0, 1]].concat(),
            [&[0, 1, 7][..], &million, &[0, 1]].concat(),
        ];
        for frame in frames {
            let at = frame.len();
            assert_eq!(check(&frame), Err(LintError::Truncated { at }), "{frame:?}");
        }
    }

    #[test]
    fn nesting_of_values_is_limited_and_costs_no_stack() {
        for (depth, fits) in [(32, true), (33, false), (1_000_000, false)] {
            for (open, close) in [(&[117, 1][..], &[126][..]), (&[118, 1, 1, b'k'], &[126])] {
                let start = [1, 1, 7, 0, 8, 1, 1, b't', 1];
                let frame = [&start[..], &open.repeat(depth), close, &[0]].concat();
                assert_eq!(check(&frame).is_ok(), fits, "depth {depth}");
            }
        }
    }

    #[test]
    fn subdocuments_are_counted_and_limited() {
        let subdocument = [9, 1, 1, b'd', 1, b'g', 118, 0];
        let frame = [&[1, 3, 7, 0][..], &subdocument.repeat(3), &[0]].concat();
        assert_eq!(check(&frame).unwrap().subdocuments, 3);
        let limits = LintLimits { subdocuments_max: 2, ..LintLimits::default() };
        assert!(matches!(lint(&frame, &limits), Err(LintError::OverLimit { got: 3, max: 2, .. })));
    }

    #[test]
    fn what_no_client_writes_is_refused() {
        let item = |block: &[u8]| [&[1, 1, 7, 3][..], block, &[0]].concat();
        let table: [(Vec<u8>, &str); 17] = [
            (item(&[0, 0]), "empty block"),
            (item(&[10, 0]), "empty block"),
            (item(&[4, 1, 1, b't', 0]), "section without content"),
            (vec![1, 0, 7, 3, 0, 0], "section without content"),
            (vec![2, 1, 7, 0, 0, 1, 1, 7, 1, 0, 1, 0], "two sections of one client id"),
            (vec![0, 2, 7, 1, 0, 1, 7, 1, 1, 1], "two sections of one client id"),
            (vec![0, 1, 7, 1, 0, 0], "empty delete"),
            (vec![0, 1, 7, 2, 3, 1, 0, 1], "deletes out of order"),
            (item(&[4, 2, 1, b't', 1, b'a']), "unknown kind of parent"),
            (item(&[4, 1, 1, b't', 1, 0xff]), "text that is not UTF-8"),
            (item(&[0x80, 5, 0, 1]), "unknown kind of content"),
            (item(&[0x8b, 5, 0, 1]), "unknown kind of content"),
            (item(&[0x94, 5, 0, 1, b'a']), "unknown kind of content"),
            (item(&[7, 1, 1, b't', 7]), "unknown kind of type"),
            (item(&[9, 1, 1, b't', 1, b'g', 126]), "subdocument without options"),
            (item(&[0x84, 7, 3, 1, b'a']), "item attached to itself or to a later one"),
            (item(&[7, 0, 7, 4, 0]), "item attached to itself or to a later one"),
        ];
        for (frame, reason) in table {
            match check(&frame) {
                Err(LintError::Malformed { what, .. }) => assert_eq!(what, reason, "{frame:?}"),
                other => panic!("{other:?} instead of {reason} for {frame:?}"),
            }
        }
    }

    #[test]
    fn what_the_library_reads_wrongly_is_refused() {
        // As Yjs writes them: one JSON string, an XML hook with its name; and a GC block after each.
        let json = [1, 2, 7, 0, 2, 1, 1, b'a', 1, 4, b'n', b'u', b'l', b'l', 0, 1, 0];
        let hook = [1, 2, 7, 0, 7, 1, 1, b'x', 5, 1, b'h', 0, 1, 0];
        for frame in [&json[..], &hook] {
            assert!(matches!(check(frame), Err(LintError::Unsupported { .. })));
            assert!(Update::decode_v1(frame).is_err());
        }
    }

    #[test]
    fn updates_over_the_limit_are_not_looked_at() {
        let limits = LintLimits { update_bytes_max: 3, ..LintLimits::default() };
        assert_eq!(lint(&[9; 4], &limits), Err(LintError::TooLarge { got: 4, max: 3 }));
    }

    /// Whatever passes can be decoded and applied: real updates with flipped bits, overwritten, cut out and
    /// doubled pieces, on a replica that has what they need.
    #[test]
    fn damaged_updates_that_pass_can_be_applied() {
        let rounds = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
        let updates = [fixtures(false), fixtures(true)].concat();
        let states = [state_of(&replica(1, false)), updates[updates.len() - 2].clone()];
        let mut rng = fastrand::Rng::with_seed(2026);
        let (mut passed, mut applied) = (0, 0);
        for round in 0..rounds {
            let mut update = rng.choice(&updates).unwrap().clone();
            for _ in 0..rng.u8(1..4) {
                damage(&mut update, &mut rng);
            }
            let Ok(summary) = check(&update) else { continue };
            passed += 1;
            let state = rng.choice(&states).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| apply(state, &update, &summary)));
            match outcome {
                Ok(done) => applied += usize::from(done),
                Err(_) => panic!("round {round}: {update:?} on {state:?}"),
            }
        }
        assert!(
            passed > rounds / 20 && applied > rounds / 100,
            "{passed} passed, {applied} applied"
        );
    }

    fn damage(update: &mut Vec<u8>, rng: &mut fastrand::Rng) {
        if update.is_empty() {
            return;
        }
        let at = rng.usize(0..update.len());
        let end = (at + rng.usize(1..9)).min(update.len());
        match rng.u8(0..6) {
            0 | 1 => update[at] ^= 1 << rng.u8(0..8),
            2 => update[at] = rng.u8(..),
            3 => update[at] = rng.u8(0..4),
            4 => drop(update.drain(at..end)),
            _ => update.extend_from_within(at..end),
        }
    }

    fn apply(state: &[u8], update: &[u8], summary: &Summary) -> bool {
        let decoded = match Update::decode_v1(update) {
            Err(DecodeError::InvalidJSON(_)) => return false,
            decoded => decoded.unwrap(),
        };
        // Without collection: contradicting items make the library's collector free a type that is in use.
        let doc = replica(3, true);
        doc.transact_mut().apply_update(Update::decode_v1(state).unwrap()).unwrap();
        let state = doc.transact().state_vector();
        if !summary.fits(|client| state.get(&ClientID::new(client)))
            || doc.transact_mut().apply_update(decoded).is_err()
        {
            return false;
        }
        assert!(!doc.transact().has_missing_updates());
        for span in &summary.inserts {
            let last = ID::new(ClientID::new(span.client), span.end - 1);
            assert!(last.clock < doc.transact().state_vector().get(&last.client));
        }
        Update::decode_v1(&state_of(&doc)).unwrap();
        true
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..100_000 {
            let mut bytes = vec![0; rng.usize(0..40)];
            rng.fill(&mut bytes);
            // Small first numbers get further.
            for byte in bytes.iter_mut().take(3) {
                *byte &= 3;
            }
            if check(&bytes).is_ok() {
                let _decoded_or_bad_json = Update::decode_v1(&bytes);
            }
        }
    }
}
