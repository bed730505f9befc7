//! The columns of a segment: what is alike lies together, and is compressed together.
//!
//! Written by appending, read from front to back. Reading never goes past the end, and nothing is
//! decompressed before its declared size was compared with what it could be.

use zstd::bulk::{Compressor, Decompressor};

use super::PackError;

/// zstd's level for the archive: packing happens once and in the background.
const LEVEL: i32 = 19;

/// The most that zstd makes of one byte: blocks of 128 KiB, each of at least 4 bytes.
const RATIO_MAX: usize = 32 << 10;

/// What a column holds, in the order in which they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Number of rows, authors, client ids, writers, shapes: what the other columns refer to.
    Tables,
    /// A row each: how much more than 1 its seq is above the one before.
    Seqs,
    /// A row each: the low byte of the milliseconds since the one before.
    TimesLow,
    /// A row each: the rest of these milliseconds.
    TimesHigh,
    /// A row each: index of its writer.
    Writers,
    /// A row each: index of its shape.
    Shapes,
    /// Where blocks start that do not follow the client id's last.
    Clocks,
    /// Left neighbours that were not foreseen.
    Origins,
    /// Right neighbours that were not foreseen.
    RightOrigins,
    /// Elements that something is the first in, where not foreseen.
    Parents,
    /// Where deletes start that were not foreseen.
    Deletes,
    /// Client ids, by index, of neighbours that are somebody else's.
    Others,
    /// Lengths and counts too large for a shape.
    Lengths,
    /// Typed text.
    Text,
    /// All other content, names and keys, and updates that are kept as they are.
    Rest,
}

const COLUMNS: usize = Column::Rest as usize + 1;

/// Columns that are being written, or were decompressed.
#[derive(Default, Clone)]
pub(super) struct Columns(pub(super) [Vec<u8>; COLUMNS]);

/// How far each column was written.
#[derive(Clone, Copy)]
pub(super) struct Mark([usize; COLUMNS]);

impl Columns {
    pub(super) fn put_bytes(&mut self, column: Column, bytes: &[u8]) {
        self.0[column as usize].extend_from_slice(bytes);
    }

    pub(super) fn put(&mut self, column: Column, number: u64) {
        put_number(&mut self.0[column as usize], number);
    }

    /// A number around 0: those close to it are short, whatever their sign.
    pub(super) fn put_signed(&mut self, column: Column, number: i64) {
        self.put(column, ((number << 1) ^ (number >> 63)) as u64);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(std::array::from_fn(|column| self.0[column].len()))
    }

    /// Takes back what was written since.
    pub(super) fn go_back(&mut self, mark: Mark) {
        self.0.iter_mut().zip(mark.0).for_each(|(column, len)| column.truncate(len));
    }

    pub(super) fn compress(&self, packed: &mut Vec<u8>) {
        let mut compressor = Compressor::new(LEVEL).ok();
        for column in &self.0 {
            put_number(packed, column.len() as u64);
            let smaller = compressor
                .as_mut()
                .and_then(|compressor| compressor.compress(column).ok())
                .filter(|smaller| smaller.len() < column.len());
            put_number(packed, smaller.as_ref().map_or(0, Vec::len) as u64);
            packed.extend_from_slice(smaller.as_ref().unwrap_or(column));
        }
    }

    /// # Errors
    /// The columns are damaged, or together larger than `bytes_max`.
    pub(super) fn decompress(bytes_max: usize, packed: &[u8]) -> Result<Self, PackError> {
        let mut packed = Cursor::new(packed);
        let mut columns = Self::default();
        let mut left = bytes_max;
        for column in &mut columns.0 {
            let len = packed.number()?;
            let compressed_len = packed.number()?;
            let capacity = usize::try_from(len).map_err(|_| PackError::TooLarge)?;
            left = left.checked_sub(capacity).ok_or(PackError::TooLarge)?;
            *column = if compressed_len == 0 {
                packed.take(len)?.to_vec()
            } else {
                decompress(packed.take(compressed_len)?, capacity)?
            };
        }
        if packed.is_at_end() {
            Ok(columns)
        } else {
            Err(PackError::Damaged("bytes after the end"))
        }
    }

    pub(super) fn read(&self) -> ReadColumns<'_> {
        ReadColumns(std::array::from_fn(|column| Cursor::new(&self.0[column])))
    }
}

fn decompress(compressed: &[u8], len: usize) -> Result<Vec<u8>, PackError> {
    let not_zstd = PackError::Damaged("a column that cannot be decompressed");
    if len / RATIO_MAX > compressed.len() {
        return Err(not_zstd);
    }
    let mut decompressor = Decompressor::new().map_err(|_| not_zstd)?;
    let column = decompressor.decompress(compressed, len).map_err(|_| not_zstd)?;
    if column.len() == len { Ok(column) } else { Err(not_zstd) }
}

/// Columns that are being read.
pub(super) struct ReadColumns<'a>([Cursor<'a>; COLUMNS]);

impl<'a> ReadColumns<'a> {
    pub(super) fn byte(&mut self, column: Column) -> Result<u8, PackError> {
        self.0[column as usize].byte()
    }

    pub(super) fn number(&mut self, column: Column) -> Result<u64, PackError> {
        self.0[column as usize].number()
    }

    pub(super) fn signed(&mut self, column: Column) -> Result<i64, PackError> {
        let number = self.number(column)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn take(&mut self, column: Column, len: u64) -> Result<&'a [u8], PackError> {
        self.0[column as usize].take(len)
    }

    pub(super) fn left(&self, column: Column) -> usize {
        let cursor = &self.0[column as usize];
        cursor.bytes.len() - cursor.at
    }

    pub(super) fn are_at_end(&self) -> bool {
        self.0.iter().all(Cursor::is_at_end)
    }
}

/// A place in bytes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, PackError> {
        let byte = *self.bytes.get(self.at).ok_or(ENDS_EARLY)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], PackError> {
        let len = usize::try_from(len).map_err(|_| ENDS_EARLY)?;
        if len > self.bytes.len() - self.at {
            return Err(ENDS_EARLY);
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// The same bytes, from an earlier place.
    pub(super) fn back_to(&self, at: usize) -> Self {
        Self { at, ..*self }
    }

    /// What is still to come.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// A var-uint, in as few bytes as it can have: there is one way to write each number.
    pub(super) fn number(&mut self) -> Result<u64, PackError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if byte < 0x80 {
                let is_shortest = byte != 0 || shift == 0;
                let fits = bits << shift >> shift == bits;
                return if is_shortest && fits { Ok(number) } else { Err(ODD_NUMBER) };
            }
        }
        Err(ODD_NUMBER)
    }
}

const ENDS_EARLY: PackError = PackError::Damaged("bytes end early");
const ODD_NUMBER: PackError = PackError::Damaged("a number that nobody writes");

/// Writes a var-uint: seven bits a byte, lowest first.
pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
