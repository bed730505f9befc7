//! How much of the past is kept: everything, or of what is older only the end of each stretch of work.
//!
//! Thinning puts neighbouring rows of the log together: moments inside them cannot be read any more,
//! the moment at their end and everything after it can, and so can every moment that is a version.
//! What was written and deleted again inside such a stretch is gone from the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use crate::clock;
use crate::crdt::{Replica, RestoreError};
use crate::id::{DocumentId, LogRow, Seq};
use crate::store::{AppendError, LoadError, Store};

use super::archive::Archive;
use super::packer::{PackerError, segments_of};

/// Stretches of this length are kept of what is older than [`Policy::edits`].
const HOUR_MS: i64 = 3_600_000;

/// Stretches of this length are kept of what is older than [`Policy::hours`].
const DAY_MS: i64 = 24 * HOUR_MS;

/// Versions or documents that are read at once.
const PAGE: u32 = 1_000;

/// How often all documents are looked through.
const EVERY: Duration = Duration::from_secs(3_600);

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Every edit that is younger than this.
    pub edits: Option<Duration>,
    /// Of what is older than `edits`, and younger than this, one moment for each author and hour; of
    /// what is older still, one for each author and day. None: hours are kept for ever.
    pub hours: Option<Duration>,
}

/// What thinning does to one document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thinning {
    /// Packed rows of the log before.
    pub rows_before: usize,
    /// And after.
    pub rows_after: usize,
    /// Bytes of their segments before.
    pub bytes_before: usize,
    /// And after.
    pub bytes_after: usize,
}

/// Why a document was not thinned. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ThinError {
    /// It cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot be packed anew.
    #[error(transparent)]
    Pack(#[from] PackerError),
    /// The segments were not taken.
    #[error(transparent)]
    Write(#[from] AppendError),
    /// Its log cannot be replayed.
    #[error("the log cannot be replayed: {0}")]
    Replay(#[from] RestoreError),
    /// What would be kept does not make the same document.
    #[error("the thinned log would not make the same document")]
    Differs,
}

impl Policy {
    /// As it is set in days; None where everything is kept.
    pub fn of_days(edits: u32, hours: u32) -> Option<Self> {
        let days = |days: u32| (days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400));
        Some(Self { edits: Some(days(edits)?), hours: days(hours) })
    }
}

/// Thins all documents by a policy, again and again.
pub async fn keep_thinning(store: Store, archive: Archive, policy: Policy) {
    loop {
        let now_ms = clock::unix_ms();
        let thinned = each_document(&store, async |document| {
            match thin(&store, document, policy, now_ms, false).await {
                Ok(None) => {}
                Ok(Some(Thinning { rows_before, rows_after, .. })) => {
                    archive.forget(document);
                    info!(document.id = %document, rows_before, rows_after, "history thinned");
                }
                Err(e) => warn!(document.id = %document, reason = %e, "history not thinned"),
            }
            Ok::<_, LoadError>(())
        });
        if let Err(e) = thinned.await {
            warn!(reason = %e, "history not thinned");
        }
        sleep(EVERY).await;
    }
}

/// Does something with every document that is not deleted, in the order of their names.
///
/// # Errors
/// The first one; the rest is not done.
pub async fn each_document<E: From<LoadError>>(
    store: &Store,
    mut work: impl AsyncFnMut(&DocumentId) -> Result<(), E>,
) -> Result<(), E> {
    let mut behind: Option<DocumentId> = None;
    loop {
        let page = store.documents(behind.as_ref(), PAGE).await?;
        for document in page.iter().filter(|document| document.deleted_at_ms.is_none()) {
            work(&document.id).await?;
        }
        match page.last() {
            Some(last) => behind = Some(last.id.clone()),
            None => return Ok(()),
        }
    }
}

/// Thins what is packed of a document, or with `dry_run` only says what that would do. None where
/// there is nothing to thin.
///
/// # Errors
/// [`ThinError`]
pub async fn thin(
    store: &Store,
    document: &DocumentId,
    policy: Policy,
    now_ms: i64,
    dry_run: bool,
) -> Result<Option<Thinning>, ThinError> {
    let log = store.read_log(document, Seq(0), Seq(u64::MAX)).await?;
    let kept = versions(store, document).await?;
    let old: Vec<(Seq, Seq)> = log.segments.iter().map(|each| (each.first, each.last)).collect();
    let bytes_before = log.segments.iter().map(|segment| segment.bytes.len()).sum();
    let thinning = tokio::task::spawn_blocking(move || {
        let mut rows = Vec::new();
        for segment in &log.segments {
            let unpacked = crate::crdt::pack::unpack(&segment.bytes);
            rows.extend(unpacked.map_err(|_| PackerError::Differs)?);
        }
        let ends = ends(&rows, &kept, policy, now_ms);
        if ends.len() == rows.len() {
            return Ok(None);
        }
        let thinned = put_together(&rows, &ends)?;
        let (rows_before, rows_after) = (rows.len(), thinned.len());
        let segments = segments_of(Seq(1), thinned)?;
        let bytes_after = segments.iter().map(|segment| segment.bytes.len()).sum();
        let thinning = Thinning { rows_before, rows_after, bytes_before, bytes_after };
        Ok::<_, ThinError>(Some((thinning, segments)))
    });
    let thinned = thinning.await.map_err(|_| ThinError::Differs)??;
    let Some((thinning, segments)) = thinned else { return Ok(None) };
    if !dry_run {
        store.replace_segments(document.clone(), old, segments).await?;
    }
    Ok(Some(thinning))
}

async fn versions(store: &Store, document: &DocumentId) -> Result<BTreeSet<Seq>, LoadError> {
    let mut kept = BTreeSet::new();
    let mut behind: Option<(Seq, String)> = None;
    loop {
        let cursor = behind.as_ref().map(|(seq, id)| (*seq, id.as_str()));
        let page = store.versions(document, cursor, PAGE).await?;
        kept.extend(page.iter().map(|version| version.seq));
        match page.last() {
            Some(last) if page.len() == PAGE as usize => {
                behind = Some((last.seq, last.id.clone()));
            }
            _ => return Ok(kept),
        }
    }
}

/// The indices of the rows that end a stretch, in order; the last row always does.
fn ends(rows: &[LogRow], versions: &BTreeSet<Seq>, policy: Policy, now_ms: i64) -> Vec<usize> {
    let older_than = |row: &LogRow, age: Option<Duration>| {
        let age_ms = age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        age_ms.is_some_and(|age_ms| row.at_ms < now_ms.saturating_sub(age_ms))
    };
    let stretch = |row: &LogRow| match () {
        () if older_than(row, policy.edits.and(policy.hours)) => Some((DAY_MS, row.at_ms / DAY_MS)),
        () if older_than(row, policy.edits) => Some((HOUR_MS, row.at_ms / HOUR_MS)),
        () => None,
    };
    let goes_on = |index: usize| {
        let (row, next) = (&rows[index], rows.get(index + 1)?);
        let same = stretch(row).is_some()
            && stretch(row) == stretch(next)
            && row.author == next.author
            && (row.author.is_some() || row.connection == next.connection)
            && !versions.contains(&row.seq);
        same.then_some(())
    };
    (0..rows.len()).filter(|index| goes_on(*index).is_none()).collect()
}

/// One row for each stretch, which makes of the document what its rows made.
fn put_together(rows: &[LogRow], ends: &[usize]) -> Result<Vec<LogRow>, ThinError> {
    let mut replica = Replica::new();
    let mut thinned = Vec::with_capacity(ends.len());
    let mut start = 0;
    for &end in ends {
        let stretch = &rows[start..=end];
        let (last, before) = (&rows[end], replica.fingerprint());
        let updates: Vec<_> = stretch.iter().map(|row| row.bytes.clone()).collect();
        replica.replay_all(&updates)?;
        let bytes = match stretch {
            [only] => only.bytes.clone(),
            _ => replica.encode_since(&before),
        };
        let at_ms = stretch.iter().map(|row| row.at_ms).max().unwrap_or(last.at_ms);
        thinned.push(LogRow { at_ms, bytes, ..last.clone() });
        start = end + 1;
    }
    let updates: Vec<_> = thinned.iter().map(|row| row.bytes.clone()).collect();
    let again = Replica::restore(None, &updates)?;
    if again.fingerprint() == replica.fingerprint() { Ok(thinned) } else { Err(ThinError::Differs) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::crdt::Desk;
    use crate::id::ConnectionId;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn policy(edits: u32, hours: Option<u32>) -> Policy {
        Policy { edits: Some(DAY * edits), hours: hours.map(|days| DAY * days) }
    }

    fn row(seq: u64, at_ms: i64, author: &str, bytes: Bytes) -> LogRow {
        let author = Some(author.into());
        LogRow { seq: Seq(seq), at_ms, author, connection: ConnectionId(1), bytes }
    }

    /// Ann and Bo write in turns of ten, one edit every ten minutes for four days.
    fn rows() -> Vec<LogRow> {
        let mut desks = [Desk::new(1, "body"), Desk::new(2, "body")];
        let mut rows = Vec::new();
        for number in 0..576_u64 {
            let who = (number / 10 % 2) as usize;
            let len = desks[who].text().len() as u32;
            let bytes = if number % 7 == 6 {
                desks[who].replace(len - 2..len, "").expect("a place")
            } else {
                desks[who].replace(len..len, "ab").expect("a place")
            };
            desks[1 - who].hear(&bytes).expect("an update");
            let at_ms = i64::try_from(number).expect("small") * 600_000;
            rows.push(row(number + 1, at_ms, ["ann", "bo"][who], bytes));
        }
        rows
    }

    fn thinned(policy: Policy, versions: &BTreeSet<Seq>) -> Vec<LogRow> {
        let rows = rows();
        let ends = ends(&rows, versions, policy, 4 * DAY_MS);
        put_together(&rows, &ends).expect("the same document")
    }

    #[test]
    fn young_edits_stay_and_older_ones_keep_the_end_of_each_hour_and_day() {
        let (rows, none) = (rows(), BTreeSet::new());
        assert_eq!(ends(&rows, &none, policy(9, None), 4 * DAY_MS).len(), 576);
        let hours = thinned(policy(2, None), &none);
        let days = thinned(policy(2, Some(3)), &none);
        let young = |rows: &[LogRow]| rows.iter().filter(|row| row.at_ms >= 2 * DAY_MS).count();
        assert_eq!((young(&hours), young(&days)), (288, 288));
        // 288 edits of ten minutes: an end at each hour (48) and at each turn of ten (28), some fall
        // together.
        assert!((48..=76).contains(&(hours.len() - 288)), "{}", hours.len());
        assert!(days.len() < hours.len(), "{} {}", days.len(), hours.len());
    }

    #[test]
    fn what_is_left_shows_what_was_there_at_its_ends() {
        let whole = rows();
        let thinned = thinned(policy(1, None), &BTreeSet::new());
        let text = |rows: &[LogRow], until: Seq| {
            let rows = rows.iter().filter(|row| row.seq <= until);
            let updates: Vec<_> = rows.map(|row| row.bytes.clone()).collect();
            Replica::restore(None, &updates).expect("a log").text("body")
        };
        for row in &thinned {
            assert_eq!(text(&thinned, row.seq), text(&whole, row.seq), "at {}", row.seq);
        }
    }

    #[test]
    fn a_version_is_the_end_of_a_stretch() {
        let versions = BTreeSet::from([Seq(3)]);
        assert!(!thinned(policy(1, None), &BTreeSet::new()).iter().any(|row| row.seq == Seq(3)));
        assert!(thinned(policy(1, None), &versions).iter().any(|row| row.seq == Seq(3)));
    }
}
