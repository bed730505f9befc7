//! Checksums of rows: CRC-32 (IEEE) over the document's name and everything that the row says.
//!
//! A row that was moved to another document or another place is as wrong as one with a flipped bit.
//! Rows of earlier versions have checksums of an older kind, which do not cover times and authors;
//! they stay good. The newer kind is marked by [`NEWER`].

use crate::id::{DocumentId, LogRow, Seq};
use crate::store::{LogRecord, Segment};

/// Added to checksums that cover the whole row. Source: `docs/storage.md`, Tables.
const NEWER: i64 = 1 << 32;

/// Whether a checksum is of the newer kind.
pub(super) fn is_newer(sum: i64) -> bool {
    sum >= NEWER
}

/// Of an update.
pub(super) fn of_record(document: &DocumentId, seq: Seq, record: &LogRecord) -> i64 {
    let author = record.author.as_deref();
    of_update(document, seq, record.at_ms, author, record.connection.0, &record.bytes)
}

/// Whether `sum`, of either kind, is that of an update.
pub(super) fn is_of_row(sum: i64, document: &DocumentId, row: &LogRow) -> bool {
    if !is_newer(sum) {
        return sum == of_bytes(document, row.seq, &row.bytes);
    }
    let author = row.author.as_deref();
    sum == of_update(document, row.seq, row.at_ms, author, row.connection.0, &row.bytes)
}

fn of_update(
    document: &DocumentId,
    seq: Seq,
    at_ms: i64,
    author: Option<&str>,
    connection: u64,
    bytes: &[u8],
) -> i64 {
    let mut hasher = hasher(document, seq);
    hasher.update(&at_ms.to_be_bytes());
    hasher.update(&connection.to_be_bytes());
    // With its length before it, no author can be another one and a part of the bytes.
    let length = author.map_or(u64::MAX, |author| author.len() as u64);
    hasher.update(&length.to_be_bytes());
    hasher.update(author.unwrap_or("").as_bytes());
    hasher.update(bytes);
    NEWER | i64::from(hasher.finalize())
}

/// Of a snapshot.
pub(super) fn of_snapshot(document: &DocumentId, seq: Seq, at_ms: i64, bytes: &[u8]) -> i64 {
    let mut hasher = hasher(document, seq);
    hasher.update(&at_ms.to_be_bytes());
    hasher.update(bytes);
    NEWER | i64::from(hasher.finalize())
}

/// Whether `sum`, of either kind, is that of a snapshot.
pub(super) fn is_of_snapshot(
    sum: i64,
    document: &DocumentId,
    seq: Seq,
    at_ms: i64,
    bytes: &[u8],
) -> bool {
    if !is_newer(sum) {
        return sum == of_bytes(document, seq, bytes);
    }
    sum == of_snapshot(document, seq, at_ms, bytes)
}

/// Of a segment.
pub(super) fn of_segment(document: &DocumentId, segment: &Segment) -> i64 {
    let mut hasher = hasher(document, segment.last);
    hasher.update(&segment.first.0.to_be_bytes());
    hasher.update(&segment.first_at_ms.to_be_bytes());
    hasher.update(&segment.last_at_ms.to_be_bytes());
    hasher.update(&segment.bytes);
    i64::from(hasher.finalize())
}

/// Of a branch, which has no place in a log.
pub(super) fn of_branch(document: &DocumentId, bytes: &[u8]) -> i64 {
    of_bytes(document, Seq(0), bytes)
}

/// The older kind, of an update or a snapshot.
fn of_bytes(document: &DocumentId, seq: Seq, bytes: &[u8]) -> i64 {
    let mut hasher = hasher(document, seq);
    hasher.update(bytes);
    i64::from(hasher.finalize())
}

/// Names have no NUL, so the parts cannot run together.
fn hasher(document: &DocumentId, seq: Seq) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(document.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&seq.0.to_be_bytes());
    hasher
}
