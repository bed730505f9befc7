//! Reads numbers, texts, values and single blocks, and never past the end.

use super::blocks::{Block, Kind, Parent, Place};
use super::{LintError, LintLimits, Span, within};

/// Clocks end here: above it the library's signed arithmetic loses updates without a word.
pub(super) const CLOCK_END: u64 = 1 << 31;
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

/// A place in the bytes of an update.
pub(in crate::crdt) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::crdt) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub(super) fn malformed(&self, what: &'static str) -> LintError {
        LintError::Malformed { at: self.at, what }
    }

    fn unsupported(&self, what: &'static str) -> LintError {
        LintError::Unsupported { at: self.at, what }
    }

    /// Bytes read so far.
    pub(in crate::crdt) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(in crate::crdt) fn byte(&mut self) -> Result<u8, LintError> {
        let byte = *self.bytes.get(self.at).ok_or(LintError::Truncated { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    pub(in crate::crdt) fn take(&mut self, len: usize) -> Result<&'a [u8], LintError> {
        if len > self.left() {
            return Err(LintError::Truncated { at: self.bytes.len() });
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// A var-uint below `end` (at most 2^53). The library lets larger ones wrap.
    pub(super) fn number(&mut self, end: u64) -> Result<u64, LintError> {
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
    pub(in crate::crdt) fn count(&mut self, bytes_min: usize) -> Result<usize, LintError> {
        let count = self.number(NUMBER_END)? as usize;
        if count > self.left() / bytes_min {
            return Err(LintError::Truncated { at: self.bytes.len() });
        }
        Ok(count)
    }

    pub(in crate::crdt) fn client(&mut self) -> Result<u64, LintError> {
        self.number(CLIENT_END)
    }

    pub(in crate::crdt) fn clock(&mut self) -> Result<u32, LintError> {
        Ok(self.number(CLOCK_END)? as u32)
    }

    pub(in crate::crdt) fn place(&mut self) -> Result<Place, LintError> {
        Ok(Place { client: self.client()?, clock: self.clock()? })
    }

    /// The clocks that `len` units take up from `start`.
    pub(in crate::crdt) fn span(
        &self,
        client: u64,
        start: u32,
        len: u64,
    ) -> Result<Span, LintError> {
        let end = u64::from(start) + len;
        if end >= CLOCK_END {
            return Err(self.malformed("clock out of range"));
        }
        Ok(Span { client, start, end: end as u32 })
    }

    pub(in crate::crdt) fn buffer(&mut self) -> Result<&'a [u8], LintError> {
        let len = self.count(1)?;
        self.take(len)
    }

    pub(in crate::crdt) fn string(&mut self) -> Result<&'a str, LintError> {
        let bytes = self.buffer()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    /// One block. The span of an item may be empty: old encoders made such items, the library drops them.
    pub(in crate::crdt) fn block(
        &mut self,
        client: u64,
        clock: u32,
        limits: &LintLimits,
    ) -> Result<Block, LintError> {
        let info = self.byte()?;
        if info == GC || info == SKIP {
            let len = self.number(CLOCK_END)?;
            if len == 0 {
                return Err(self.malformed("empty block"));
            }
            let span = self.span(client, clock, len)?;
            let kind = if info == GC { Kind::Gc } else { Kind::Skip };
            let parent = Parent::OfNeighbours;
            let (origin, right_origin, has_key) = (None, None, false);
            return Ok(Block { span, kind, parent, origin, right_origin, has_key });
        }
        let origin = if info & HAS_ORIGIN != 0 { Some(self.place()?) } else { None };
        let right_origin = if info & HAS_RIGHT_ORIGIN != 0 { Some(self.place()?) } else { None };
        let is_beside = info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) != 0;
        let has_key = !is_beside && info & HAS_PARENT_KEY != 0;
        let parent = if is_beside { Parent::OfNeighbours } else { self.parent()? };
        if has_key {
            self.string()?;
        }
        let (kind, len) = self.content(info & KIND, limits)?;
        let span = self.span(client, clock, len)?;
        let block = Block { span, kind, parent, origin, right_origin, has_key };
        if block.places().any(|place| place.client == client && place.clock >= clock) {
            return Err(self.malformed("item attached to itself or to a later one"));
        }
        Ok(block)
    }

    fn parent(&mut self) -> Result<Parent, LintError> {
        match self.number(NUMBER_END)? {
            0 => Ok(Parent::Item(self.place()?)),
            1 => self.string().map(|_| Parent::Root),
            _ => Err(self.malformed("unknown kind of parent")),
        }
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
