//! Segments: older rows of the log, packed by the caller and kept here as opaque bytes.
//!
//! The log of a document is its segments and then its rows in `updates`, without a gap and without
//! an overlap: writing a segment and removing the rows that it stands for is one transaction, so
//! that a kill at any moment leaves each row in one of the two. The newest row is never packed.

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;

use super::load::{Range, corrupt, damaged_or_unavailable, unavailable};
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, LoadError, Store, check_len, checksum, load};
use crate::id::{DocumentId, LogRow, Seq};

/// Packed rows of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The first update it stands for.
    pub first: Seq,
    /// The last update it stands for; also its last row.
    pub last: Seq,
    /// The earliest time of its rows, in unix milliseconds.
    pub first_at_ms: i64,
    /// The latest time of its rows, in unix milliseconds.
    pub last_at_ms: i64,
    /// The rows, in the format of `crdt/pack`. The store does not look into them.
    pub bytes: Bytes,
}

impl Segment {
    /// A segment of `rows`, which stand for everything from `first` on and are packed in `bytes`.
    /// None without rows.
    pub fn over(first: Seq, rows: &[LogRow], bytes: Bytes) -> Option<Self> {
        let last = rows.last()?.seq;
        let first_at_ms = rows.iter().map(|row| row.at_ms).min()?;
        let last_at_ms = rows.iter().map(|row| row.at_ms).max()?;
        Some(Self { first, last, first_at_ms, last_at_ms, bytes })
    }
}

/// Rows that may be packed now: the oldest that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packable {
    /// The first of them.
    pub first: Seq,
    /// The last of them; older than the newest row.
    pub last: Seq,
    /// Sum of the lengths of their updates.
    pub bytes: u64,
}

/// Where a moment lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// After this update; 0 is before all of them.
    After(Seq),
    /// After one of the updates in this segment: the last one that is not later than the moment.
    Within(Segment),
}

impl Store {
    /// Moves the rows from `segment.first` to `segment.last` out of `updates`: `segment`, which the
    /// caller has made of them, takes their place. One transaction; the segment is read back and
    /// compared before the rows go.
    ///
    /// # Errors
    /// [`AppendError::Refused`] unless exactly these rows are there, with these times, directly
    /// after the last segment and older than the newest row. [`AppendError::Failed`] when what is
    /// read back differs. Nothing is changed then.
    pub async fn write_segment(
        &self,
        document: DocumentId,
        segment: Segment,
    ) -> Result<(), AppendError> {
        check_len(segment.bytes.len())?;
        self.change(Change::Document(document, DocumentChange::WriteSegment(segment))).await?;
        Ok(())
    }

    /// Puts `new` in the place of the segments whose first and last updates are `old`; all of them
    /// or none. Both are in order and stand for the same updates.
    ///
    /// # Errors
    /// [`AppendError::Refused`] unless the old ones are exactly there, one after the other, and the
    /// new ones begin and end where they do, at the same latest time. Otherwise as
    /// [`Self::write_segment`].
    pub async fn replace_segments(
        &self,
        document: DocumentId,
        old: Vec<(Seq, Seq)>,
        new: Vec<Segment>,
    ) -> Result<(), AppendError> {
        for segment in &new {
            check_len(segment.bytes.len())?;
        }
        let replace = DocumentChange::ReplaceSegments { old, new };
        self.change(Change::Document(document, replace)).await?;
        Ok(())
    }

    /// What can be packed of `document` now, if anything: what comes before the newest snapshot, but
    /// only what comes before the one before it where loading from that must stay quick (`spare`).
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn packable(
        &self,
        document: &DocumentId,
        spare: bool,
    ) -> Result<Option<Packable>, LoadError> {
        const PACKABLE: &str = "SELECT min(seq), max(seq), sum(length(bytes)) FROM updates \
             JOIN documents ON documents.id = document WHERE name = ?1 \
             AND seq <= (SELECT seq FROM snapshots WHERE snapshots.document = documents.id \
                 ORDER BY seq DESC LIMIT 1 OFFSET ?2) \
             AND seq < (SELECT max(seq) FROM updates AS u WHERE u.document = documents.id)";

        let (first, last, bytes): (Option<i64>, Option<i64>, Option<i64>) =
            sqlx::query_as(PACKABLE)
                .bind(document.as_str())
                .bind(i64::from(spare))
                .fetch_one(&self.readers)
                .await
                .map_err(unavailable)?;
        let (Some(first), Some(last), Some(bytes)) = (first, last, bytes) else {
            return Ok(None);
        };
        let [first, last] = [first, last].map(|seq| Seq(seq.cast_unsigned()));
        Ok(Some(Packable { first, last, bytes: bytes.cast_unsigned() }))
    }

    /// The last update of `document` that is not later than `at_ms`, or the segment it lies in.
    /// Where the clock was set back, a later update with an earlier time counts.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn seq_at(&self, document: &DocumentId, at_ms: i64) -> Result<Moment, LoadError> {
        const ROW_AT: &str = "SELECT seq FROM updates WHERE document = ?1 AND at <= ?2 \
             ORDER BY seq DESC LIMIT 1";
        const SEGMENT_AT: &str = "SELECT first, last, first_at, last_at, bytes, checksum \
             FROM segments WHERE document = ?1 AND first_at <= ?2 ORDER BY last DESC LIMIT 1";

        let mut view = self.readers.begin().await.map_err(unavailable)?;
        let Some(load::Live { row, .. }) = load::find_live(&mut view, document).await? else {
            return Ok(Moment::After(Seq(0)));
        };
        let found: Option<i64> = sqlx::query_scalar(ROW_AT)
            .bind(row)
            .bind(at_ms)
            .fetch_optional(&mut *view)
            .await
            .map_err(unavailable)?;
        if let Some(seq) = found {
            return Ok(Moment::After(Seq(seq.cast_unsigned())));
        }
        let found: Option<SegmentRow> = sqlx::query_as(SEGMENT_AT)
            .bind(row)
            .bind(at_ms)
            .fetch_optional(&mut *view)
            .await
            .map_err(unavailable)?;
        let Some(found) = found else {
            return Ok(Moment::After(Seq(0)));
        };
        let segment = checked(document, found)?;
        if segment.last_at_ms <= at_ms {
            return Ok(Moment::After(segment.last));
        }
        Ok(Moment::Within(segment))
    }
}

/// A row as the queries give it.
type SegmentRow = (i64, i64, i64, i64, Vec<u8>, i64);

fn checked(document: &DocumentId, row: SegmentRow) -> Result<Segment, LoadError> {
    let (first, last, first_at_ms, last_at_ms, bytes, sum) = row;
    let [first, last] = [first, last].map(|seq| Seq(seq.cast_unsigned()));
    let segment = Segment { first, last, first_at_ms, last_at_ms, bytes: bytes.into() };
    if checksum::of_segment(document, &segment) != sum {
        let what = format!("and those up to {last} are packed and do not match their checksum");
        return Err(corrupt(document, first, &what));
    }
    Ok(segment)
}

/// The last packed update; 0 where nothing is packed.
pub(super) async fn last_packed(view: &mut SqliteConnection, row: i64) -> Result<Seq, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(last) FROM segments WHERE document = ?1")
            .bind(row)
            .fetch_one(view)
            .await?;
    Ok(Seq(last.unwrap_or(0).cast_unsigned()))
}

/// The segments that reach into a range, each checked, without a gap.
pub(super) async fn read(
    view: &mut SqliteConnection,
    range: &Range<'_>,
) -> Result<Vec<Segment>, LoadError> {
    const IN_RANGE: &str = "SELECT last FROM segments \
         WHERE document = ?1 AND last > ?2 AND first <= ?3 ORDER BY last";
    const SEGMENT: &str = "SELECT first, last, first_at, last_at, bytes, checksum \
         FROM segments WHERE document = ?1 AND last = ?2";

    let Range { document, row, after, until } = *range;
    let mut next = Seq(after.0 + 1);
    let lasts: Vec<i64> = sqlx::query_scalar(IN_RANGE)
        .bind(row)
        .bind(after.0.cast_signed())
        .bind(until.0.cast_signed())
        .fetch_all(&mut *view)
        .await
        .map_err(|error| damaged_or_unavailable(document, next, error))?;
    let mut segments: Vec<Segment> = Vec::with_capacity(lasts.len());
    for last in lasts {
        let found: SegmentRow = sqlx::query_as(SEGMENT)
            .bind(row)
            .bind(last)
            .fetch_one(&mut *view)
            .await
            .map_err(|error| damaged_or_unavailable(document, next, error))?;
        let segment = checked(document, found)?;
        let follows = segment.first == next || (segments.is_empty() && segment.first < next);
        if !follows {
            return Err(corrupt(document, next, "is missing"));
        }
        next = Seq(segment.last.0 + 1);
        segments.push(segment);
    }
    Ok(segments)
}

/// What a change of segments came to; the outer error ends the whole transaction.
type Outcome = Result<Result<(), AppendError>, sqlx::Error>;

/// See [`Store::write_segment`]; inside the transaction of the caller. `newest` is the last update
/// of the document.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    newest: Seq,
    segment: &Segment,
) -> Outcome {
    let packed = last_packed(connection, row).await?;
    let (first, last) = (segment.first, segment.last);
    if first.0 != packed.0 + 1 || last < first || last >= newest {
        return Ok(Err(refused(format!(
            "a segment of the updates {first} to {last}, but {packed} are packed and {newest} is \
             the newest"
        ))));
    }
    if !holds_rows(connection, row, segment).await? {
        let why = format!("the updates {first} to {last} are not those of the segment");
        return Ok(Err(refused(why)));
    }
    begin(connection).await?;
    let outcome = insert_and_remove_rows(connection, document, row, segment).await?;
    end(connection, outcome).await
}

/// Whether all rows of `segment` are there, with its times.
async fn holds_rows(
    connection: &mut SqliteConnection,
    row: i64,
    segment: &Segment,
) -> Result<bool, sqlx::Error> {
    const ROWS: &str = "SELECT count(*), min(at), max(at) FROM updates \
         WHERE document = ?1 AND seq BETWEEN ?2 AND ?3";

    let found: (i64, Option<i64>, Option<i64>) = sqlx::query_as(ROWS)
        .bind(row)
        .bind(segment.first.0.cast_signed())
        .bind(segment.last.0.cast_signed())
        .fetch_one(connection)
        .await?;
    let count = (segment.last.0 - segment.first.0 + 1).cast_signed();
    Ok(found == (count, Some(segment.first_at_ms), Some(segment.last_at_ms)))
}

async fn insert_and_remove_rows(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    segment: &Segment,
) -> Outcome {
    const REMOVE: &str = "DELETE FROM updates WHERE document = ?1 AND seq BETWEEN ?2 AND ?3";

    let inserted = insert(connection, document, row, segment).await?;
    if inserted.is_ok() {
        sqlx::query(REMOVE)
            .bind(row)
            .bind(segment.first.0.cast_signed())
            .bind(segment.last.0.cast_signed())
            .execute(connection)
            .await?;
    }
    Ok(inserted)
}

/// Inserts a segment, reads it back and compares.
async fn insert(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    segment: &Segment,
) -> Outcome {
    const INSERT: &str = "INSERT INTO segments \
         (document, first, last, first_at, last_at, bytes, checksum) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    const READ_BACK: &str = "SELECT first, last, first_at, last_at, bytes, checksum \
         FROM segments WHERE document = ?1 AND last = ?2";

    sqlx::query(INSERT)
        .bind(row)
        .bind(segment.first.0.cast_signed())
        .bind(segment.last.0.cast_signed())
        .bind(segment.first_at_ms)
        .bind(segment.last_at_ms)
        .bind(segment.bytes.as_ref())
        .bind(checksum::of_segment(document, segment))
        .execute(&mut *connection)
        .await?;
    let stored: Option<SegmentRow> = sqlx::query_as(READ_BACK)
        .bind(row)
        .bind(segment.last.0.cast_signed())
        .fetch_optional(connection)
        .await?;
    let is_same = stored.is_some_and(|stored| checked(document, stored).as_ref() == Ok(segment));
    if is_same {
        return Ok(Ok(()));
    }
    Ok(Err(AppendError::Failed { why: "the segment read back is not the one written".into() }))
}

/// See [`Store::replace_segments`]; inside the transaction of the caller.
pub(super) async fn replace(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    old: &[(Seq, Seq)],
    new: &[Segment],
) -> Outcome {
    let ranges: Vec<_> = new.iter().map(|segment| (segment.first, segment.last)).collect();
    if !is_contiguous(old) || !is_contiguous(&ranges) || !is_same_span(old, &ranges) {
        let why = format!("the segments {ranges:?} do not stand for the same updates as {old:?}");
        return Ok(Err(refused(why)));
    }
    begin(connection).await?;
    let outcome = remove_and_insert(connection, document, row, old, new).await?;
    end(connection, outcome).await
}

fn is_contiguous(ranges: &[(Seq, Seq)]) -> bool {
    let in_order = ranges.iter().all(|(first, last)| first <= last);
    in_order && ranges.windows(2).all(|pair| pair[0].1.0 + 1 == pair[1].0.0)
}

/// Whether both begin and end with the same update; empty ones do not.
fn is_same_span(a: &[(Seq, Seq)], b: &[(Seq, Seq)]) -> bool {
    let span = |ranges: &[(Seq, Seq)]| Some((ranges.first()?.0, ranges.last()?.1));
    span(a).is_some() && span(a) == span(b)
}

async fn remove_and_insert(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    old: &[(Seq, Seq)],
    new: &[Segment],
) -> Outcome {
    const REMOVE: &str = "DELETE FROM segments WHERE document = ?1 AND first = ?2 AND last = ?3 \
         RETURNING last_at";

    let mut latest = None;
    for (first, last) in old {
        let removed: Option<i64> = sqlx::query_scalar(REMOVE)
            .bind(row)
            .bind(first.0.cast_signed())
            .bind(last.0.cast_signed())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(last_at_ms) = removed else {
            return Ok(Err(refused(format!("there is no segment from {first} to {last}"))));
        };
        latest = latest.max(Some(last_at_ms));
    }
    if latest != new.iter().map(|segment| segment.last_at_ms).max() {
        return Ok(Err(refused("the segments do not have the times of those they replace".into())));
    }
    for segment in new {
        let inserted = insert(connection, document, row, segment).await?;
        if inserted.is_err() {
            return Ok(inserted);
        }
    }
    Ok(Ok(()))
}

async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SAVEPOINT segments").execute(connection).await?;
    Ok(())
}

/// Takes back what was done since `begin` if it did not go well; the transaction goes on.
async fn end(connection: &mut SqliteConnection, outcome: Result<(), AppendError>) -> Outcome {
    if outcome.is_err() {
        sqlx::query("ROLLBACK TO segments").execute(&mut *connection).await?;
    }
    sqlx::query("RELEASE segments").execute(connection).await?;
    Ok(outcome)
}

fn refused(why: String) -> AppendError {
    AppendError::Refused { why }
}
