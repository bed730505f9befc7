//! Everything that is read, with the checks that damage cannot pass.
//!
//! Names are always bound, never put into the text of a statement. What cannot be read in full is
//! an error: no caller ever gets a part of a document.

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::error::result_code;
use super::lineage::load_retired;
use super::{LoadError, Stored};
use crate::id::{DocumentId, Seq};

/// The checksum of an update or a snapshot. A row that was moved to another document or another
/// place is as wrong as one with a flipped bit; names have no NUL, so the parts cannot run
/// together.
pub(super) fn checksum(document: &DocumentId, seq: Seq, bytes: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(document.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&seq.0.to_be_bytes());
    hasher.update(bytes);
    i64::from(hasher.finalize())
}

/// One read that touches a table.
pub(super) async fn check(readers: &SqlitePool) -> Result<(), LoadError> {
    sqlx::query("SELECT id FROM documents LIMIT 1")
        .fetch_optional(readers)
        .await
        .map_err(unavailable)?;
    Ok(())
}

const FIND_DOCUMENT: &str = "SELECT id, deleted_at IS NOT NULL FROM documents WHERE name = ?1";

/// See [`Store::load`](super::Store::load).
pub(super) async fn load(
    readers: &SqlitePool,
    document: &DocumentId,
    below: Option<Seq>,
) -> Result<Stored, LoadError> {
    // One transaction, so that snapshot and tail are of the same moment.
    let mut view = readers.begin().await.map_err(unavailable)?;
    let found: Option<(i64, bool)> = sqlx::query_as(FIND_DOCUMENT)
        .bind(document.as_str())
        .fetch_optional(&mut *view)
        .await
        .map_err(unavailable)?;
    let row = match found {
        None => {
            let retired = load_retired(&mut view, document).await?;
            return Ok(Stored { retired, ..Stored::default() });
        }
        Some((_, true)) => return Err(LoadError::Deleted),
        Some((row, false)) => row,
    };
    let retired = load_retired(&mut view, document).await?;
    let snapshot = load_sound_snapshot(&mut view, document, row, below).await?;
    let base = snapshot.as_ref().map_or(Seq(0), |(seq, _)| *seq);
    let tail = load_tail(&mut view, document, row, base).await?;
    if tail.is_empty() && snapshot.is_some() {
        expect_update(&mut view, document, row, base).await?;
    }
    let last = Seq(base.0 + tail.len() as u64);
    let tail_bytes = tail.iter().map(Bytes::len).sum();
    Ok(Stored { snapshot, tail, last, tail_bytes, retired })
}

const SNAPSHOTS_BELOW: &str =
    "SELECT seq FROM snapshots WHERE document = ?1 AND seq < ?2 ORDER BY seq DESC";

const SNAPSHOT: &str = "SELECT bytes, checksum FROM snapshots WHERE document = ?1 AND seq = ?2";

/// The newest snapshot below `below` that can be read and whose checksum is right.
async fn load_sound_snapshot(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    below: Option<Seq>,
) -> Result<Option<(Seq, Bytes)>, LoadError> {
    let below = below.map_or(i64::MAX, |seq| seq.0.cast_signed());
    let seqs: Vec<i64> = sqlx::query_scalar(SNAPSHOTS_BELOW)
        .bind(row)
        .bind(below)
        .fetch_all(&mut *view)
        .await
        .map_err(unavailable)?;
    for seq in seqs {
        let at = Seq(seq.cast_unsigned());
        let stored: Result<(Vec<u8>, i64), _> =
            sqlx::query_as(SNAPSHOT).bind(row).bind(seq).fetch_one(&mut *view).await;
        match stored {
            Ok((bytes, sum)) if checksum(document, at, &bytes) == sum => {
                return Ok(Some((at, bytes.into())));
            }
            Err(error) if !is_damage(&error) => return Err(unavailable(error)),
            _ => tracing::warn!(
                document.id = %document,
                snapshot.seq = seq,
                "a stored snapshot is damaged and was passed over"
            ),
        }
    }
    Ok(None)
}

const UPDATES_AFTER: &str = "SELECT seq, bytes, checksum FROM updates \
     WHERE document = ?1 AND seq > ?2 ORDER BY seq";

/// Every update after `base`, each checked.
async fn load_tail(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    base: Seq,
) -> Result<Vec<Bytes>, LoadError> {
    let mut rows = sqlx::query_as::<_, (i64, Vec<u8>, i64)>(UPDATES_AFTER)
        .bind(row)
        .bind(base.0.cast_signed())
        .fetch(view);
    let mut tail = Vec::new();
    loop {
        let next = Seq(base.0 + tail.len() as u64 + 1);
        let row =
            rows.try_next().await.map_err(|error| damaged_or_unavailable(document, next, error))?;
        let Some((seq, bytes, sum)) = row else {
            return Ok(tail);
        };
        if seq.cast_unsigned() != next.0 {
            return Err(corrupt(document, next, "is missing"));
        }
        if checksum(document, next, &bytes) != sum {
            return Err(corrupt(document, next, "does not match its checksum"));
        }
        tail.push(Bytes::from(bytes));
    }
}

/// A snapshot at the end of the log: the log must reach it, or its last updates are lost.
async fn expect_update(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    seq: Seq,
) -> Result<(), LoadError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM updates WHERE document = ?1 AND seq = ?2")
            .bind(row)
            .bind(seq.0.cast_signed())
            .fetch_optional(view)
            .await
            .map_err(|error| damaged_or_unavailable(document, seq, error))?;
    found.map(drop).ok_or_else(|| corrupt(document, seq, "is missing, though a snapshot has it"))
}

const SNAPSHOT_AT: &str = "SELECT bytes FROM snapshots JOIN documents ON documents.id = document \
     WHERE name = ?1 AND seq = ?2";

/// The bytes of the snapshot at `seq`, unchecked: the caller compares them.
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
    result_code(error) == Some(SQLITE_CORRUPT)
}

fn damaged_or_unavailable(document: &DocumentId, seq: Seq, error: sqlx::Error) -> LoadError {
    if is_damage(&error) {
        return corrupt(document, seq, "cannot be read, because the database file is damaged");
    }
    unavailable(error)
}

fn corrupt(document: &DocumentId, seq: Seq, what: &str) -> LoadError {
    LoadError::Corrupt { document: document.clone(), seq, what: what.into() }
}
