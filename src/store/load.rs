//! Everything that is read, with the checks that damage cannot pass.
//!
//! Names are always bound, never put into the text of a statement. What cannot be read in full is
//! an error: no caller ever gets a part of a document.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::error::result_code;
use super::lineage::load_retired;
use super::{LoadError, Segment, Stored, StoredLog, checksum, segments, snapshots};
use crate::id::{ConnectionId, DocumentId, LogRow, Seq};

/// One read that touches a table.
pub(super) async fn check(readers: &SqlitePool) -> Result<(), LoadError> {
    sqlx::query("SELECT id FROM documents LIMIT 1")
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// A document that is there.
pub(super) struct Live {
    /// Its key.
    pub(super) row: i64,
    /// As [`Stored::examine_from`].
    pub(super) examine_from: Option<Seq>,
}

/// What `documents` says of `document`, if it is there.
pub(super) async fn find_live(
    view: &mut SqliteConnection,
    document: &DocumentId,
) -> Result<Option<Live>, LoadError> {
    const FIND: &str =
        "SELECT id, deleted_at IS NOT NULL, examine_from FROM documents WHERE name = ?1";

    let found: Option<(i64, bool, Option<i64>)> = sqlx::query_as(FIND)
        .bind(document.as_str())
        .fetch_optional(view)
        .await
        .map_err(unavailable)?;
    match found {
        Some((_, true, _)) => Err(LoadError::Deleted),
        Some((row, false, examine_from)) => {
            let examine_from = examine_from.map(|seq| Seq(seq.cast_unsigned()));
            Ok(Some(Live { row, examine_from }))
        }
        None => Ok(None),
    }
}

/// See [`Store::load`](super::Store::load).
pub(super) async fn load(
    readers: &SqlitePool,
    document: &DocumentId,
    below: Option<Seq>,
) -> Result<Stored, LoadError> {
    // One transaction, so that snapshot and tail are of the same moment.
    let mut view = readers.begin().await.map_err(unavailable)?;
    let Some(Live { row, examine_from }) = find_live(&mut view, document).await? else {
        let retired = load_retired(&mut view, document).await?;
        return Ok(Stored { retired, ..Stored::default() });
    };
    let retired = load_retired(&mut view, document).await?;
    let snapshot = load_sound_snapshot(&mut view, document, row, below).await?;
    let base = snapshot.as_ref().map_or(Seq(0), |(seq, _)| *seq);
    let mut tail = Vec::new();
    let range = Range { document, row, after: base, until: SEQ_MAX };
    let (segments, last) = range.read(&mut view, |row| tail.push(row.bytes)).await?;
    if last < base {
        return Err(corrupt(document, base, "is missing, though a snapshot has it"));
    }
    let tail_bytes = tail.iter().map(Bytes::len).sum();
    Ok(Stored { snapshot, segments, tail, last, tail_bytes, retired, examine_from })
}

/// See [`Store::read_log`](super::Store::read_log).
pub(super) async fn read_log(
    readers: &SqlitePool,
    document: &DocumentId,
    after: Seq,
    until: Seq,
) -> Result<StoredLog, LoadError> {
    let mut view = readers.begin().await.map_err(unavailable)?;
    let Some(Live { row, .. }) = find_live(&mut view, document).await? else {
        return Ok(StoredLog::default());
    };
    let mut rows = Vec::new();
    let range = Range { document, row, after: after.min(SEQ_MAX), until: until.min(SEQ_MAX) };
    let (segments, last) = range.read(&mut view, |row| rows.push(row)).await?;
    Ok(StoredLog { segments, rows, last })
}

/// The newest snapshot below `below` that can be read and whose checksum is right.
async fn load_sound_snapshot(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    below: Option<Seq>,
) -> Result<Option<(Seq, Bytes)>, LoadError> {
    let below = below.unwrap_or(SEQ_MAX);
    for seq in snapshot_seqs(view, row, below).await.map_err(unavailable)? {
        if let Some(bytes) = sound_snapshot(view, document, row, seq).await? {
            return Ok(Some((seq, bytes)));
        }
        tracing::warn!(
            document.id = %document,
            snapshot.seq = seq.0,
            "a stored snapshot is damaged and was passed over"
        );
    }
    Ok(None)
}

/// The places of the snapshots below `below`, newest first.
pub(super) async fn snapshot_seqs(
    view: &mut SqliteConnection,
    row: i64,
    below: Seq,
) -> Result<Vec<Seq>, sqlx::Error> {
    const BELOW: &str =
        "SELECT seq FROM snapshots WHERE document = ?1 AND seq < ?2 ORDER BY seq DESC";

    let seqs: Vec<i64> =
        sqlx::query_scalar(BELOW).bind(row).bind(below.0.cast_signed()).fetch_all(view).await?;
    Ok(seqs.into_iter().map(|seq| Seq(seq.cast_unsigned())).collect())
}

/// The snapshot at `seq`; None if it cannot be read or does not match its checksum.
pub(super) async fn sound_snapshot(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    seq: Seq,
) -> Result<Option<Bytes>, LoadError> {
    const SNAPSHOT: &str =
        "SELECT at, bytes, checksum FROM snapshots WHERE document = ?1 AND seq = ?2";

    let stored: Result<(i64, Vec<u8>, i64), _> =
        sqlx::query_as(SNAPSHOT).bind(row).bind(seq.0.cast_signed()).fetch_one(view).await;
    match stored {
        Ok((at_ms, bytes, sum)) => {
            if !checksum::is_of_snapshot(sum, document, seq, at_ms, &bytes) {
                return Ok(None);
            }
            match checksum::is_newer(sum) {
                true => snapshots::decompressed(bytes.into()).await,
                false => Ok(Some(bytes.into())),
            }
        }
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

/// The greatest place that the database can hold.
pub(super) const SEQ_MAX: Seq = Seq(i64::MAX.cast_unsigned() - 1);

/// A part of a document's log: everything after `after`, up to `until`.
pub(super) struct Range<'a> {
    pub(super) document: &'a DocumentId,
    /// Key of the document.
    pub(super) row: i64,
    pub(super) after: Seq,
    /// At most [`SEQ_MAX`].
    pub(super) until: Seq,
}

impl Range<'_> {
    /// Reads the segments that reach into the range, then hands out the rows of `updates` in it.
    /// Everything is checked; a gap is damage. The second result is the last update of the log,
    /// whatever the range.
    pub(super) async fn read(
        &self,
        view: &mut SqliteConnection,
        take: impl FnMut(LogRow),
    ) -> Result<(Vec<Segment>, Seq), LoadError> {
        let next = Seq(self.after.0 + 1);
        let damaged = |error| damaged_or_unavailable(self.document, next, error);
        let packed = segments::last_packed(view, self.row).await.map_err(damaged)?;
        let last = last_row(view, self.row).await.map_err(damaged)?;
        if last <= packed && packed > Seq(0) {
            // The newest update is never packed.
            return Err(corrupt(self.document, Seq(packed.0 + 1), "is missing"));
        }
        let segments = segments::read(view, self).await?;
        let base = segments.last().map_or(self.after, |segment| segment.last);
        let read = self.read_rows(view, base.max(packed), take).await?;
        if base < packed.min(self.until) {
            return Err(corrupt(self.document, Seq(base.0 + 1), "is missing"));
        }
        if read < last.min(self.until) {
            return Err(corrupt(self.document, Seq(read.0 + 1), "is missing"));
        }
        Ok((segments, last))
    }

    /// Hands out the rows after `base`; gives the place of the last.
    async fn read_rows(
        &self,
        view: &mut SqliteConnection,
        base: Seq,
        mut take: impl FnMut(LogRow),
    ) -> Result<Seq, LoadError> {
        const ROWS: &str = "SELECT seq, at, author, connection, bytes, checksum FROM updates \
             WHERE document = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";

        let mut rows = sqlx::query_as::<_, (i64, i64, Option<String>, i64, Vec<u8>, i64)>(ROWS)
            .bind(self.row)
            .bind(base.0.cast_signed())
            .bind(self.until.0.cast_signed())
            .fetch(view);
        let mut read = base;
        let mut known: Option<Arc<str>> = None;
        loop {
            let next = Seq(read.0 + 1);
            let found = rows.try_next().await;
            let found = found.map_err(|e| damaged_or_unavailable(self.document, next, e))?;
            let Some((seq, at_ms, author, connection, bytes, sum)) = found else {
                return Ok(read);
            };
            if seq.cast_unsigned() != next.0 {
                return Err(corrupt(self.document, next, "is missing"));
            }
            // Most updates have the author of the one before.
            if known.as_deref() != author.as_deref() {
                known = author.map(Arc::from);
            }
            let row = LogRow {
                seq: next,
                at_ms,
                author: known.clone(),
                connection: ConnectionId(connection.cast_unsigned()),
                bytes: bytes.into(),
            };
            if !checksum::is_of_row(sum, self.document, &row) {
                return Err(corrupt(self.document, next, "does not match its checksum"));
            }
            take(row);
            read = next;
        }
    }
}

/// The last update that is not packed; 0 if there is none.
pub(super) async fn last_row(view: &mut SqliteConnection, row: i64) -> Result<Seq, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM updates WHERE document = ?1")
        .bind(row)
        .fetch_one(view)
        .await?;
    Ok(Seq(last.unwrap_or(0).cast_unsigned()))
}

const SNAPSHOT_AT: &str = "SELECT bytes FROM snapshots JOIN documents ON documents.id = document \
     WHERE name = ?1 AND seq = ?2";

/// The stored bytes of the snapshot at `seq`, unchecked: the caller compares them.
pub(super) async fn load_snapshot(
    readers: &SqlitePool,
    document: &DocumentId,
    seq: Seq,
) -> Result<Option<Bytes>, LoadError> {
    let bytes: Option<Vec<u8>> = sqlx::query_scalar(SNAPSHOT_AT)
        .bind(document.as_str())
        .bind(seq.0.cast_signed())
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    Ok(bytes.map(Bytes::from))
}

pub(super) fn unavailable(error: sqlx::Error) -> LoadError {
    LoadError::Unavailable { why: error.to_string() }
}

/// Whether the database file itself is damaged at this place.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    const SQLITE_CORRUPT: i32 = 11;
    // A value of a wrong type can only come from a damaged row: the tables are STRICT.
    matches!(error, sqlx::Error::ColumnDecode { .. }) || result_code(error) == Some(SQLITE_CORRUPT)
}

pub(super) fn damaged_or_unavailable(
    document: &DocumentId,
    seq: Seq,
    error: sqlx::Error,
) -> LoadError {
    if is_damage(&error) {
        return corrupt(document, seq, "cannot be read, because the database file is damaged");
    }
    unavailable(error)
}

pub(super) fn corrupt(document: &DocumentId, seq: Seq, what: &str) -> LoadError {
    LoadError::Corrupt { document: document.clone(), seq, what: what.into() }
}
