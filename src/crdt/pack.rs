//! Rows of the log in few bytes: the codec of segments.
//!
//! What comes out is what went in, byte for byte, whatever the rows hold. An update in the usual encoding
//! is taken apart into columns: what its shape is (most keystrokes have one of a few), and what cannot be
//! foreseen from the rows before it (`pack/walk` says what is foreseen). An update that is not is kept as
//! it is. Each column is then compressed by itself.
//!
//! Bytes: the format's version (1 byte), then each column: its length (var-uint), its compressed length
//! (var-uint, 0 where it is not compressed), its bytes. Numbers are var-uints as in updates.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::id::{ConnectionId, LogRow, Seq};

mod columns;
mod pen;
mod scan;
mod walk;

use columns::{Column, Columns, ReadColumns};
use pen::Pen;
use scan::Scan;
use walk::{Habits, walk};

/// What a segment may unpack to, in bytes: the updates, and [`ROW_BYTES`] for each row. Decompressing
/// may take as much again.
pub const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// What a row counts besides its update.
pub const ROW_BYTES: usize = 128;

/// Why a segment cannot be unpacked. The bytes are damaged, or another version of coscribe wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PackError {
    /// The first byte is not the version this code reads.
    #[error("packed rows have version {0}, which is unknown")]
    Version(u8),
    /// Over [`UNPACKED_BYTES_MAX`].
    #[error("packed rows are over the limit of {max} bytes", max = UNPACKED_BYTES_MAX)]
    TooLarge,
    /// The bytes end early, or say what no packed rows say.
    #[error("packed rows are damaged: {0}")]
    Damaged(&'static str),
}

const VERSION: u8 = 1;

/// Counts from here on are not part of a shape.
const LARGE: u8 = 24;

/// Packs rows, for good: with the highest compression, which takes about 1 us for a keystroke, and memory
/// of a few times the rows' bytes.
///
/// Rows with 40 MiB of updates and authors, and not more than a million, can always be unpacked again,
/// because nothing takes up more than six times its bytes in the columns. More are packed as well, but may
/// be over the limit of [`unpack`]. Whoever lets the rows go afterwards unpacks first, and compares.
pub fn pack(rows: &[LogRow]) -> Vec<u8> {
    let mut packed = vec![VERSION];
    columns_of(rows).compress(&mut packed);
    packed
}

fn columns_of(rows: &[LogRow]) -> Columns {
    let mut columns = Columns::default();
    let mut scan = Scan::default();
    let mut before = Moment::default();
    for row in rows {
        let moment = Moment { seq: row.seq.0, at_ms: row.at_ms };
        moment.put(before, &mut columns);
        before = moment;
        scan.take(row, &mut columns);
    }
    scan.put_tables(rows.len(), &mut columns);
    columns
}

/// Unpacks what [`pack`] made, a million keystrokes in 0.1 to 0.2 s. The rows share one buffer: one that
/// is kept keeps all of them.
///
/// # Errors
/// The bytes are damaged or too large; see [`PackError`]. Not every damage is noticed: a checksum is the
/// business of whoever keeps the bytes.
pub fn unpack(packed: &[u8]) -> Result<Vec<LogRow>, PackError> {
    unpack_up_to(UNPACKED_BYTES_MAX, packed)
}

fn unpack_up_to(bytes_max: usize, packed: &[u8]) -> Result<Vec<LogRow>, PackError> {
    let (version, packed) = packed.split_first().ok_or(PackError::Damaged("no bytes"))?;
    if *version != VERSION {
        return Err(PackError::Version(*version));
    }
    rows_of(&Columns::decompress(bytes_max, packed)?, bytes_max)
}

fn rows_of(columns: &Columns, bytes_max: usize) -> Result<Vec<LogRow>, PackError> {
    let mut columns = columns.read();
    let tables = Tables::read(&mut columns)?;
    let rows_bytes = tables.rows.saturating_mul(ROW_BYTES);
    let updates_bytes_max = bytes_max.checked_sub(rows_bytes).ok_or(PackError::TooLarge)?;
    let mut pen = Pen::new(columns, &tables.clients, updates_bytes_max);
    let mut habits = Habits::default();
    let mut before = Moment::default();
    let mut rows = Vec::with_capacity(tables.rows);
    for _ in 0..tables.rows {
        before = Moment::read(before, &mut pen.columns)?;
        let writer = pen.columns.number(Column::Writers)? as usize;
        let writer = tables.writers.get(writer).ok_or(PackError::Damaged("unknown writer"))?;
        let shape = pen.columns.number(Column::Shapes)? as usize;
        let shape = tables.shapes.get(shape).ok_or(PackError::Damaged("unknown shape"))?;
        let start = pen.begin(shape);
        if shape.is_empty() {
            pen.whole()?;
            habits.forget();
        } else {
            walk(&mut pen, &mut habits, writer.client)?;
        }
        rows.push((before, writer, start..pen.end()?));
    }
    if !pen.columns.are_at_end() {
        return Err(PackError::Damaged("more than its rows"));
    }
    let updates = Bytes::from(pen.finish());
    let row = |(place, writer, range): (Moment, &Writer, Range<usize>)| LogRow {
        seq: Seq(place.seq),
        at_ms: place.at_ms,
        author: writer.author.clone(),
        connection: writer.connection,
        bytes: updates.slice(range),
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Where and when a row was; the first follows all zeros.
#[derive(Clone, Copy, Default)]
struct Moment {
    seq: u64,
    at_ms: i64,
}

impl Moment {
    fn put(self, before: Self, columns: &mut Columns) {
        let gap = self.seq.wrapping_sub(before.seq).wrapping_sub(1);
        columns.put_signed(Column::Seqs, gap as i64);
        let waited = self.at_ms.wrapping_sub(before.at_ms);
        columns.put_bytes(Column::TimesLow, &[waited as u8]);
        columns.put_signed(Column::TimesHigh, waited >> 8);
    }

    fn read(before: Self, columns: &mut ReadColumns) -> Result<Self, PackError> {
        let gap = columns.signed(Column::Seqs)? as u64;
        let low = i64::from(columns.byte(Column::TimesLow)?);
        let waited = columns.signed(Column::TimesHigh)? << 8 | low;
        let seq = before.seq.wrapping_add(gap).wrapping_add(1);
        Ok(Self { seq, at_ms: before.at_ms.wrapping_add(waited) })
    }
}

/// What the columns refer to.
struct Tables<'a> {
    rows: usize,
    clients: Vec<u64>,
    writers: Vec<Writer>,
    shapes: Vec<&'a [u8]>,
}

struct Writer {
    author: Option<Arc<str>>,
    connection: ConnectionId,
    /// By its index.
    client: u32,
}

impl<'a> Tables<'a> {
    fn read(columns: &mut ReadColumns<'a>) -> Result<Self, PackError> {
        let rows =
            usize::try_from(columns.number(Column::Tables)?).map_err(|_| PackError::TooLarge)?;
        // Each has a shape of at least one byte.
        if rows > columns.left(Column::Shapes) {
            return Err(PackError::Damaged("fewer rows than declared"));
        }
        let authors = list(columns, author)?;
        let clients = list(columns, |columns| columns.number(Column::Tables))?;
        let writers = list(columns, |columns| writer(columns, &authors))?;
        let shapes = list(columns, buffer)?;
        Ok(Self { rows, clients, writers, shapes })
    }
}

/// A table: how many there are, then each.
fn list<'a, T>(
    columns: &mut ReadColumns<'a>,
    mut read: impl FnMut(&mut ReadColumns<'a>) -> Result<T, PackError>,
) -> Result<Vec<T>, PackError> {
    let len = columns.number(Column::Tables)?;
    // Each takes at least one byte, so this ends where the column does.
    (0..len).map(|_| read(columns)).collect()
}

fn buffer<'a>(columns: &mut ReadColumns<'a>) -> Result<&'a [u8], PackError> {
    let len = columns.number(Column::Tables)?;
    columns.take(Column::Tables, len)
}

fn author(columns: &mut ReadColumns) -> Result<Arc<str>, PackError> {
    let name = std::str::from_utf8(buffer(columns)?);
    name.map(Arc::from).map_err(|_| PackError::Damaged("an author that is not UTF-8"))
}

fn writer(columns: &mut ReadColumns, authors: &[Arc<str>]) -> Result<Writer, PackError> {
    let author = match columns.number(Column::Tables)? {
        0 => None,
        number => {
            let author = authors.get(number as usize - 1);
            Some(author.ok_or(PackError::Damaged("unknown author"))?.clone())
        }
    };
    let connection = ConnectionId(columns.number(Column::Tables)?);
    let client = columns.number(Column::Tables)?;
    let client = u32::try_from(client).map_err(|_| PackError::Damaged("unknown client id"))?;
    Ok(Writer { author, connection, client })
}

/// How many UTF-16 units a text has, which is how Yjs counts.
fn utf16_len(text: &[u8]) -> u64 {
    let starts = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let pairs = text.iter().filter(|byte| **byte >= 0xf0).count();
    (starts + pairs) as u64
}

#[cfg(test)]
mod tests;
