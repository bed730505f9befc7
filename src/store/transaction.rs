//! One write transaction: what the changes of a batch become in SQL.
//!
//! Gives `seq` to updates. Decides nothing about who is in a batch and what happens after a
//! failure: that is `log_writer`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::LazyLock;

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;

use super::lineage::{Purge, write_branch, write_branch_deletion, write_purge};
use super::log_writer::{Change, DocumentChange, Request};
use super::{
    AppendError, Aside, LogRecord, QUARANTINE_ROWS_MAX, checksum, rescued, row_sums, segments,
};
use crate::id::{DocumentId, Seq};

/// Where a document's log ends.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Key in `documents`; None before the first row.
    row: Option<i64>,
    last: Seq,
    is_deleted: bool,
}

impl Head {
    /// Of a document that is not there.
    const ABSENT: Self = Self { row: None, last: Seq(0), is_deleted: false };
}

/// What became of a request.
#[derive(Clone, Copy)]
pub(super) struct Done {
    /// The end of its document's log after it; 0 for what is not about a document.
    pub(super) last: Seq,
    /// Whether anything was to be done.
    pub(super) changed: bool,
}

/// For each request what became of it, or why it was left out.
pub(super) type Answers = Vec<Result<Done, AppendError>>;

/// What a committed transaction has done.
pub(super) struct Committed {
    pub(super) answers: Answers,
    /// The documents it touched, as they are now.
    pub(super) heads: HashMap<DocumentId, Head>,
    /// Updates appended, and their bytes.
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Gives free pages at hand back to the file system, at most 16 MiB at a time; the next time takes the
/// rest. Without effect on files that were made before there was `auto_vacuum`.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(4096)";

/// Writes all of `requests`, those of a document in their order, and commits. `known` is what is
/// certain about documents; the others are asked for.
///
/// After an error the transaction may still be open: the connection must be closed.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    known: &HashMap<DocumentId, Head>,
    requests: &[Request],
) -> Result<Committed, sqlx::Error> {
    let (heads, rows) = (HashMap::new(), Vec::new());
    let mut batch = Batch { connection, known, heads, rows, is_log_only: true, frees_pages: false };
    // A statement by itself is a transaction: the usual batch goes to SQLite's thread and back once.
    let is_one_statement = batch.is_one_statement(requests);
    if !is_one_statement {
        // IMMEDIATE takes the write lock at once: waiting for it later is not possible after a read.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *batch.connection).await?;
    }
    let mut answers = Answers::with_capacity(requests.len());
    for request in requests {
        answers.push(batch.apply(&request.change).await?);
    }
    let Batch { connection, heads, rows, is_log_only, frees_pages, .. } = batch;
    insert_updates(connection, &rows).await?;
    if !is_log_only {
        row_sums::complete(connection).await?;
    }
    if frees_pages {
        sqlx::query(GIVE_BACK).execute(&mut *connection).await?;
    }
    if !is_one_statement {
        sqlx::query("COMMIT").execute(connection).await?;
    }

    let bytes = rows.iter().map(|row| row.record.bytes.len() as u64).sum();
    Ok(Committed { answers, heads, rows: rows.len() as u64, bytes })
}

/// A transaction on its way.
struct Batch<'a> {
    connection: &'a mut SqliteConnection,
    known: &'a HashMap<DocumentId, Head>,
    /// Changed by this transaction, or read for it.
    heads: HashMap<DocumentId, Head>,
    /// Updates of all documents; they go in together at the end.
    rows: Vec<Row<'a>>,
    /// Nothing but updates, segments and snapshots was touched.
    is_log_only: bool,
    /// Rows of a log were removed.
    frees_pages: bool,
}

/// One row for `updates`.
struct Row<'a> {
    document: i64,
    seq: Seq,
    checksum: i64,
    record: &'a LogRecord,
}

impl<'a> Batch<'a> {
    /// Whether `requests` are nothing but updates of documents that are known, few enough for one
    /// statement.
    fn is_one_statement(&self, requests: &[Request]) -> bool {
        let mut rows = 0;
        requests.iter().all(|request| {
            let Change::Document(document, DocumentChange::Append(records)) = &request.change
            else {
                return false;
            };
            rows += records.len();
            rows <= ROWS_AT_ONCE && self.known.get(document).is_some_and(|head| head.row.is_some())
        })
    }

    async fn apply(
        &mut self,
        change: &'a Change,
    ) -> Result<Result<Done, AppendError>, sqlx::Error> {
        self.is_log_only &= change.is_log_only();
        self.frees_pages |= change.frees_pages();
        let changed = match change {
            Change::Document(document, change) => {
                return self.apply_to_document(document, change).await;
            }
            Change::Link(change) => change.write(self.connection).await?,
            Change::Revocation(change) => change.write(self.connection).await?,
            Change::DeleteBranch { id } => Ok(write_branch_deletion(self.connection, id).await?),
        };
        Ok(changed.map(|changed| Done { last: Seq(0), changed }))
    }

    async fn apply_to_document(
        &mut self,
        document: &DocumentId,
        change: &'a DocumentChange,
    ) -> Result<Result<Done, AppendError>, sqlx::Error> {
        let head = self.head(document).await?;
        if head.is_deleted && change.adds() {
            return Ok(Err(AppendError::Deleted));
        }
        let mut changed = true;
        match change {
            DocumentChange::Create { at_ms } => {
                changed = head.row.is_none();
                self.row(document, *at_ms).await?;
            }
            DocumentChange::Delete { at_ms } => {
                changed = self.set_deleted(document, Some(*at_ms)).await?;
            }
            DocumentChange::Undelete => changed = self.set_deleted(document, None).await?,
            DocumentChange::Append(records) => {
                self.append(document, records).await?;
            }
            DocumentChange::AppendWithAside { records, aside } => {
                if let Err(refused) = self.append_with_aside(document, records, aside).await? {
                    return Ok(Err(refused));
                }
            }
            DocumentChange::Snapshot { seq, bytes, at_ms } => {
                let (Some(row), true) = (head.row, *seq >= Seq(1) && *seq <= head.last) else {
                    let why = format!("a snapshot at {seq}, but the log ends at {}", head.last);
                    return Ok(Err(AppendError::Refused { why }));
                };
                self.insert_snapshot(document, row, *seq, bytes, *at_ms).await?;
            }
            DocumentChange::ThinSnapshots { newest } => self.thin_snapshots(head, *newest).await?,
            DocumentChange::DropSnapshot { seq } => self.drop_snapshot(head, *seq).await?,
            DocumentChange::Quarantine { record, reason } => {
                self.quarantine(document, record, reason).await?;
            }
            DocumentChange::WriteSegment(segment) => {
                let Some(row) = head.row else { return Ok(Err(nothing_packed())) };
                let end = head.last;
                let written = segments::write(self.connection, document, row, end, segment).await?;
                if let Err(error) = written {
                    return Ok(Err(error));
                }
            }
            DocumentChange::ReplaceSegments { old, new } => {
                let Some(row) = head.row else { return Ok(Err(nothing_packed())) };
                let replaced = segments::replace(self.connection, document, row, old, new).await?;
                if let Err(error) = replaced {
                    return Ok(Err(error));
                }
            }
            DocumentChange::Version(change) => {
                match change.write(self.connection, head.row, head.last).await? {
                    Ok(written) => changed = written,
                    Err(error) => return Ok(Err(error)),
                }
            }
            DocumentChange::Purge(purge) => match self.purge(document, head, purge).await? {
                Ok(purged) => changed = purged,
                Err(refused) => return Ok(Err(refused)),
            },
            DocumentChange::KeepBranch { id, record } => {
                changed = write_branch(self.connection, document, id, record).await?;
            }
            DocumentChange::DeleteRescued { id } => {
                changed = rescued::write_deletion(self.connection, head.row, id).await?;
            }
        }
        Ok(Ok(Done { last: self.head(document).await?.last, changed }))
    }

    async fn head(&mut self, document: &DocumentId) -> Result<Head, sqlx::Error> {
        let place = match self.heads.entry(document.clone()) {
            Entry::Occupied(place) => return Ok(*place.get()),
            Entry::Vacant(place) => place,
        };
        let head = match self.known.get(document) {
            Some(head) => *head,
            None => load_head(self.connection, document).await?,
        };
        Ok(*place.insert(head))
    }

    /// The key of `document`, which gets its row now if it has none.
    async fn row(&mut self, document: &DocumentId, at_ms: i64) -> Result<i64, sqlx::Error> {
        let head = self.head(document).await?;
        if let Some(row) = head.row {
            return Ok(row);
        }
        self.is_log_only = false;
        let row = insert_document(self.connection, document, at_ms).await?;
        self.heads.insert(document.clone(), Head { row: Some(row), ..head });
        Ok(row)
    }

    /// Marks the document as deleted or as live; false if it is that already, or not there.
    async fn set_deleted(
        &mut self,
        document: &DocumentId,
        at_ms: Option<i64>,
    ) -> Result<bool, sqlx::Error> {
        let head = self.head(document).await?;
        let is_deleted = at_ms.is_some();
        let Some(row) = head.row.filter(|_| head.is_deleted != is_deleted) else {
            return Ok(false);
        };
        sqlx::query("UPDATE documents SET deleted_at = ?2, row_checksum = NULL WHERE id = ?1")
            .bind(row)
            .bind(at_ms)
            .execute(&mut *self.connection)
            .await?;
        self.heads.insert(document.clone(), Head { is_deleted, ..head });
        Ok(true)
    }

    /// Removes a deleted document; false if it is not there.
    async fn purge(
        &mut self,
        document: &DocumentId,
        head: Head,
        purge: &Purge,
    ) -> Result<Result<bool, AppendError>, sqlx::Error> {
        let Some(row) = head.row else { return Ok(Ok(false)) };
        if let Err(refused) = write_purge(self.connection, document, row, purge).await? {
            return Ok(Err(refused));
        }
        // Written before it was deleted, in this batch.
        self.rows.retain(|pending| pending.document != row);
        self.heads.insert(document.clone(), Head::ABSENT);
        Ok(Ok(true))
    }

    /// Takes updates in; gives the key of the document.
    async fn append(
        &mut self,
        document: &DocumentId,
        records: &'a [LogRecord],
    ) -> Result<i64, sqlx::Error> {
        let created_ms = records.first().map_or(0, |record| record.at_ms);
        let row = self.row(document, created_ms).await?;
        let head = self.head(document).await?;
        let mut last = head.last;
        for record in records {
            last = Seq(last.0 + 1);
            let checksum = checksum::of_record(document, last, record);
            self.rows.push(Row { document: row, seq: last, checksum, record });
        }
        self.heads.insert(document.clone(), Head { last, ..head });
        Ok(row)
    }

    async fn append_with_aside(
        &mut self,
        document: &DocumentId,
        records: &'a [LogRecord],
        aside: &Aside,
    ) -> Result<Result<(), AppendError>, sqlx::Error> {
        let head = self.head(document).await?;
        if records.is_empty() && head.row.is_none() {
            let why = "there is no document that something could be kept beside".into();
            return Ok(Err(AppendError::Refused { why }));
        }
        // First: of what is refused nothing may be written.
        let checked = rescued::check_ids(self.connection, head.row, &aside.rescued).await?;
        if checked.is_ok() {
            let row = self.append(document, records).await?;
            rescued::write_aside(self.connection, row, aside).await?;
        }
        Ok(checked)
    }

    async fn insert_snapshot(
        &mut self,
        document: &DocumentId,
        row: i64,
        seq: Seq,
        bytes: &Bytes,
        at_ms: i64,
    ) -> Result<(), sqlx::Error> {
        // A damaged snapshot of the same place is replaced.
        const INSERT: &str = "INSERT OR REPLACE INTO snapshots \
             (document, seq, at, bytes, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";

        sqlx::query(INSERT)
            .bind(row)
            .bind(seq.0.cast_signed())
            .bind(at_ms)
            .bind(bytes.as_ref())
            .bind(checksum::of_snapshot(document, seq, at_ms, bytes))
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn thin_snapshots(&mut self, head: Head, newest: Seq) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM snapshots WHERE document = ?1 AND seq < \
             (SELECT max(seq) FROM snapshots WHERE document = ?1 AND seq < ?2)";

        sqlx::query(DELETE)
            .bind(head.row)
            .bind(newest.0.cast_signed())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn drop_snapshot(&mut self, head: Head, seq: Seq) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM snapshots WHERE document = ?1 AND seq = ?2")
            .bind(head.row)
            .bind(seq.0.cast_signed())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn quarantine(
        &mut self,
        document: &DocumentId,
        record: &LogRecord,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        const INSERT: &str = "INSERT INTO quarantine \
             (document, at, author, connection, reason, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        const THIN: &str = "DELETE FROM quarantine WHERE document = ?1 AND id <= \
             (SELECT id FROM quarantine WHERE document = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";

        let row = self.row(document, record.at_ms).await?;
        sqlx::query(INSERT)
            .bind(row)
            .bind(record.at_ms)
            .bind(record.author.as_deref())
            .bind(record.connection.0.cast_signed())
            .bind(reason)
            .bind(record.bytes.as_ref())
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(THIN)
            .bind(row)
            .bind(QUARANTINE_ROWS_MAX)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }
}

fn nothing_packed() -> AppendError {
    AppendError::Refused { why: "the document has no updates that could be packed".into() }
}

async fn load_head(
    connection: &mut SqliteConnection,
    document: &DocumentId,
) -> Result<Head, sqlx::Error> {
    // The newest row is never packed; where it was removed by hand, its number is not given again
    // to what is packed.
    const HEAD: &str = "SELECT id, \
         max(coalesce((SELECT max(seq) FROM updates WHERE document = documents.id), 0), \
             coalesce((SELECT max(last) FROM segments WHERE document = documents.id), 0)), \
         deleted_at IS NOT NULL FROM documents WHERE name = ?1";

    let found: Option<(i64, i64, bool)> =
        sqlx::query_as(HEAD).bind(document.as_str()).fetch_optional(connection).await?;
    Ok(match found {
        Some((row, last, is_deleted)) => {
            Head { row: Some(row), last: Seq(last.cast_unsigned()), is_deleted }
        }
        None => Head::ABSENT,
    })
}

async fn insert_document(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    at_ms: i64,
) -> Result<i64, sqlx::Error> {
    const INSERT: &str = "INSERT INTO documents (name, created_at, epoch) VALUES (?1, ?2, \
         1 + coalesce((SELECT max(epoch) FROM retired WHERE document = ?1), 0)) RETURNING id";

    sqlx::query_scalar(INSERT).bind(document.as_str()).bind(at_ms).fetch_one(connection).await
}

/// Rows that one statement may take; past a few dozen the cost of a row does not fall any more.
const ROWS_AT_ONCE: usize = 64;

/// The statement for each number of rows. All of them stay prepared.
static INSERT_UPDATES: LazyLock<[String; ROWS_AT_ONCE]> = LazyLock::new(|| {
    std::array::from_fn(|index| {
        let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; index + 1].join(", ");
        let columns = "document, seq, at, author, connection, bytes, checksum";
        format!("INSERT INTO updates ({columns}) VALUES {values}")
    })
});

async fn insert_updates(
    connection: &mut SqliteConnection,
    rows: &[Row<'_>],
) -> Result<(), sqlx::Error> {
    for chunk in rows.chunks(ROWS_AT_ONCE) {
        let mut insert = sqlx::query(INSERT_UPDATES[chunk.len() - 1].as_str());
        for row in chunk {
            insert = insert
                .bind(row.document)
                .bind(row.seq.0.cast_signed())
                .bind(row.record.at_ms)
                .bind(row.record.author.as_deref())
                .bind(row.record.connection.0.cast_signed())
                .bind(row.record.bytes.as_ref())
                .bind(row.checksum);
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}
