//! Rescued texts: what lost its place in a document because somebody replaced or removed what it was
//! written into, kept beside the document until it is put back or dismissed.
//!
//! They are written with the append that made them necessary, in its transaction: there is no moment
//! at which an update is in the log and the text that it cost is nowhere.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::load::unavailable;
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, Commit, LoadError, LogRecord, Store, Written, check_len};
use crate::id::{ConnectionId, DocumentId, Seq};

/// Rescued texts kept of one document; the oldest go first. Each is as long as it is.
pub const RESCUED_MAX: u32 = 10_000;

/// A text that lost its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Names the text in the API. Made by the caller, the same when it tries again.
    pub id: String,
    /// When it lost its place, in unix milliseconds.
    pub at_ms: i64,
    /// The user who wrote it, if there was a login.
    pub author: Option<Arc<str>>,
    /// The connection that brought it.
    pub connection: ConnectionId,
    /// The Yjs client id under which it was written.
    pub client: u64,
    /// The Yjs clock at which it began.
    pub clock: u32,
    /// The text.
    pub text: String,
    /// Why it is here, in words for people.
    pub reason: String,
}

/// What an append changes beside the log, in the same transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aside {
    /// From now on: the first update of the log that has not been examined for text that lost its
    /// place; `None` when all have been.
    pub examine_from: Option<Seq>,
    /// Texts that are kept from now on. One whose id the document has already replaces it.
    pub rescued: Vec<Rescued>,
    /// Texts that are kept no longer, where there are any that begin there: Yjs client ids and clocks.
    pub unkept: Vec<(u64, u32)>,
}

impl Aside {
    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.rescued.iter().map(|rescued| rescued.text.len()).sum()
    }
}

impl Store {
    /// Appends updates as [`Self::append`] does, and writes what they change beside the log: all of
    /// it or nothing. Without updates only that is written, and [`Commit::last`] is the end of the
    /// log. At most [`RESCUED_MAX`] texts of a document are kept, the oldest go first.
    ///
    /// # Errors
    /// As [`Self::append`]. [`AppendError::Refused`] also without updates when the document is not
    /// there, and when another document has a text of the same id.
    pub async fn append_with_aside(
        &self,
        document: DocumentId,
        records: Vec<LogRecord>,
        aside: Aside,
    ) -> Result<Commit, AppendError> {
        let updates = records.iter().map(|record| record.bytes.len());
        let texts = aside.rescued.iter().map(|rescued| rescued.text.len());
        updates.chain(texts).try_for_each(check_len)?;
        let append = DocumentChange::AppendWithAside { records, aside };
        let Written { done, durable } = self.request(Change::Document(document, append)).await?;
        Ok(Commit { last: done.last, durable })
    }

    /// The rescued texts of `document`, deleted or not, newest first.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn rescued(&self, document: &DocumentId) -> Result<Vec<Rescued>, LoadError> {
        const OF_DOCUMENT: &str = "SELECT r.id, at, author, connection, client, clock, text, reason \
             FROM rescued AS r JOIN documents AS d ON d.id = document \
             WHERE d.name = ?1 ORDER BY at DESC, r.rowid DESC";

        let rows: Vec<Row> = sqlx::query_as(OF_DOCUMENT)
            .bind(document.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.into_iter().map(Rescued::try_from).collect()
    }

    /// The rescued text of `document` with this id.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn rescued_text(
        &self,
        document: &DocumentId,
        id: &str,
    ) -> Result<Option<Rescued>, LoadError> {
        const BY_ID: &str = "SELECT r.id, at, author, connection, client, clock, text, reason \
             FROM rescued AS r JOIN documents AS d ON d.id = document \
             WHERE d.name = ?1 AND r.id = ?2";

        let row: Option<Row> = sqlx::query_as(BY_ID)
            .bind(document.as_str())
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(Rescued::try_from).transpose()
    }

    /// Keeps a rescued text no longer; what the log says of it stays. False if the document has none
    /// with this id.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn delete_rescued(
        &self,
        document: DocumentId,
        id: String,
    ) -> Result<bool, AppendError> {
        self.change(Change::Document(document, DocumentChange::DeleteRescued { id })).await
    }
}

/// A row as the queries above give it.
type Row = (String, i64, Option<String>, i64, i64, i64, String, String);

impl TryFrom<Row> for Rescued {
    type Error = LoadError;

    fn try_from(row: Row) -> Result<Self, LoadError> {
        let (id, at_ms, author, connection, client, clock, text, reason) = row;
        let clock = u32::try_from(clock).map_err(|_| LoadError::Unavailable {
            why: format!("the rescued text {id:?} begins at no clock"),
        })?;
        Ok(Self {
            id,
            at_ms,
            author: author.map(Arc::from),
            connection: ConnectionId(connection.cast_unsigned()),
            client: client.cast_unsigned(),
            clock,
            text,
            reason,
        })
    }
}

/// Whether the ids of texts are free for the document with the key `row`: another one's must not be
/// replaced.
pub(super) async fn check_ids(
    connection: &mut SqliteConnection,
    row: Option<i64>,
    rescued: &[Rescued],
) -> Result<Result<(), AppendError>, sqlx::Error> {
    const THEIRS: &str = "SELECT count(*) FROM rescued WHERE id = ?1 AND document IS NOT ?2";

    for Rescued { id, .. } in rescued {
        let theirs = sqlx::query_scalar(THEIRS).bind(id).bind(row);
        let theirs: i64 = theirs.fetch_one(&mut *connection).await?;
        if theirs > 0 {
            let why = format!("another document has a rescued text with the id {id:?}");
            return Ok(Err(AppendError::Refused { why }));
        }
    }
    Ok(Ok(()))
}

/// Writes what an append changes beside the log, inside the transaction of the caller.
pub(super) async fn write_aside(
    connection: &mut SqliteConnection,
    row: i64,
    aside: &Aside,
) -> Result<(), sqlx::Error> {
    const EXAMINE: &str = "UPDATE documents SET examine_from = ?2 WHERE id = ?1";
    // By the index alone: none of the texts is read.
    const THIN: &str = "DELETE FROM rescued WHERE rowid IN (SELECT rowid FROM rescued \
         WHERE document = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)";

    const UNKEEP: &str = "DELETE FROM rescued WHERE document = ?1 AND client = ?2 AND clock = ?3";

    let examine_from = aside.examine_from.map(|seq| seq.0.cast_signed());
    sqlx::query(EXAMINE).bind(row).bind(examine_from).execute(&mut *connection).await?;
    for (client, clock) in &aside.unkept {
        let unkeep = sqlx::query(UNKEEP).bind(row).bind(client.cast_signed());
        unkeep.bind(i64::from(*clock)).execute(&mut *connection).await?;
    }
    for rescued in &aside.rescued {
        insert(connection, row, rescued).await?;
    }
    if !aside.rescued.is_empty() {
        sqlx::query(THIN).bind(row).bind(RESCUED_MAX).execute(connection).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    row: i64,
    rescued: &Rescued,
) -> Result<(), sqlx::Error> {
    const INSERT: &str = "INSERT OR REPLACE INTO rescued \
         (id, document, at, author, connection, client, clock, text, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    sqlx::query(INSERT)
        .bind(&rescued.id)
        .bind(row)
        .bind(rescued.at_ms)
        .bind(rescued.author.as_deref())
        .bind(rescued.connection.0.cast_signed())
        .bind(rescued.client.cast_signed())
        .bind(i64::from(rescued.clock))
        .bind(&rescued.text)
        .bind(&rescued.reason)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a text, inside the transaction of the caller; false if there is none.
pub(super) async fn write_deletion(
    connection: &mut SqliteConnection,
    row: Option<i64>,
    id: &str,
) -> Result<bool, sqlx::Error> {
    let delete = sqlx::query("DELETE FROM rescued WHERE document = ?1 AND id = ?2");
    let deleted = delete.bind(row).bind(id).execute(connection).await?;
    Ok(deleted.rows_affected() == 1)
}
