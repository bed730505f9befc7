//! The lives of a name: purging a deleted document, what is known of its earlier lives, and the
//! branches that copies of those brought along.
//!
//! A purge removes every row of a document and leaves one behind that says which client ids the
//! document has used, so that a copy of it is recognised when it comes back. Branches are kept by
//! name: they outlive the document that they were brought to.

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::load::{is_damage, unavailable};
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, LoadError, LogRecord, Store, check_len, checksum, snapshots};
use crate::id::{ConnectionId, DocumentId, Seq};

/// Branches kept of one document; the oldest go first.
pub const BRANCHES_MAX: u32 = 100;

/// What a purge removes and what it leaves behind.
#[derive(Debug, Clone)]
pub struct Purge {
    /// When, in unix milliseconds.
    pub at_ms: i64,
    /// When the document was deleted, as [`Store::read_deleted`] has said: what came after that is
    /// not in `clocks`, so another deletion than this one is not purged.
    pub deleted_at_ms: i64,
    /// Which client ids the document has used, and how far: an encoded Yjs state vector.
    pub clocks: Bytes,
    /// Whether the branches of the name go as well.
    pub branches: bool,
}

/// A piece of what is left of a deleted document.
#[derive(Debug)]
pub enum Remains<'a> {
    /// An update, or a snapshot.
    Update(&'a [u8]),
    /// Packed rows.
    Segment(&'a [u8]),
}

/// Text of an earlier life that is kept beside a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Names the branch. Random, and no secret.
    pub id: String,
    /// The name that it was brought to.
    pub document: DocumentId,
    /// When it came, in unix milliseconds.
    pub at_ms: i64,
    /// The user who brought it, if there was a login.
    pub author: Option<String>,
    /// The connection that brought it.
    pub connection: ConnectionId,
    /// Length of its update, in bytes.
    pub bytes: usize,
}

impl Store {
    /// Removes a deleted document for good: its log, snapshots, versions, quarantine, rescued texts
    /// and share links, from the database file and its WAL. The name is free; the next document that has it
    /// is another life of it. False if there is no such document.
    ///
    /// Whoever purges makes sure first that nobody has the document live.
    ///
    /// # Errors
    /// [`AppendError::Refused`] when the document is not deleted, or was brought back and deleted
    /// again meanwhile; else as [`Self::append`].
    pub async fn purge(&self, document: DocumentId, purge: Purge) -> Result<bool, AppendError> {
        self.change(Change::Document(document, DocumentChange::Purge(purge))).await
    }

    /// Shows `take` every snapshot, update and segment that can be read of a deleted document, in any
    /// order and unchecked, for what they say of client ids. Gives the time of its deletion in unix
    /// milliseconds; `None` where no document is deleted by that name.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`]. Damaged parts of the file are passed over.
    pub async fn read_deleted(
        &self,
        document: &DocumentId,
        mut take: impl FnMut(Remains<'_>),
    ) -> Result<Option<i64>, LoadError> {
        const FIND: &str =
            "SELECT id, deleted_at FROM documents WHERE name = ?1 AND deleted_at IS NOT NULL";
        const STORED: [(&str, bool); 3] = [
            ("SELECT bytes FROM snapshots WHERE document = ?1", false),
            ("SELECT bytes FROM updates WHERE document = ?1", false),
            ("SELECT bytes FROM segments WHERE document = ?1", true),
        ];

        let mut view = self.readers.begin().await.map_err(unavailable)?;
        let found: Option<(i64, i64)> = sqlx::query_as(FIND)
            .bind(document.as_str())
            .fetch_optional(&mut *view)
            .await
            .map_err(unavailable)?;
        let Some((row, deleted_at_ms)) = found else { return Ok(None) };
        for (statement, is_packed) in STORED {
            let mut rows = sqlx::query_scalar::<_, Vec<u8>>(statement).bind(row).fetch(&mut *view);
            loop {
                match rows.try_next().await {
                    Ok(Some(bytes)) if is_packed => take(Remains::Segment(&bytes)),
                    Ok(Some(bytes)) => {
                        // A snapshot of the newer kind is compressed.
                        let whole = snapshots::decompress(&bytes);
                        take(Remains::Update(whole.as_deref().unwrap_or(&bytes)));
                    }
                    Ok(None) => break,
                    Err(error) if is_damage(&error) => {
                        tracing::warn!(document.id = %document, "damaged rows are passed over");
                        break;
                    }
                    Err(error) => return Err(unavailable(error)),
                }
            }
        }
        Ok(Some(deleted_at_ms))
    }

    /// Keeps what a copy of an earlier life of `document` brought, under `id`; what is kept under
    /// that id already is replaced. The id under which it is kept: another one where just these
    /// bytes are there already. At most [`BRANCHES_MAX`] of a document, the oldest go first.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn keep_branch(
        &self,
        document: DocumentId,
        id: String,
        record: LogRecord,
    ) -> Result<String, AppendError> {
        check_len(record.bytes.len())?;
        let sum = checksum::of_branch(&document, &record.bytes);
        let (name, bytes) = (document.clone(), record.bytes.clone());
        let keep = DocumentChange::KeepBranch { id: id.clone(), record };
        if self.change(Change::Document(document, keep)).await? {
            return Ok(id);
        }
        let same = sqlx::query_scalar(SAME).bind(name.as_str()).bind(sum).bind(bytes.as_ref());
        let kept = same.fetch_optional(&self.readers).await;
        let kept = kept.map_err(|error| AppendError::Failed { why: error.to_string() })?;
        kept.ok_or_else(|| AppendError::Failed { why: "the branch has been deleted".into() })
    }

    /// The branches of `document`, newest first.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn branches(&self, document: &DocumentId) -> Result<Vec<Branch>, LoadError> {
        let statement = format!("{BRANCH} WHERE document = ?1 ORDER BY at DESC, rowid DESC");
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(document.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.iter().map(read_branch).collect()
    }

    /// The branch with this id and its bytes, a Yjs v1 update.
    ///
    /// # Errors
    /// [`LoadError::Corrupt`] when the bytes are damaged, else [`LoadError::Unavailable`].
    pub async fn branch(&self, id: &str) -> Result<Option<(Branch, Bytes)>, LoadError> {
        const BYTES: &str = "SELECT bytes, checksum FROM branches WHERE id = ?1";

        let mut view = self.readers.begin().await.map_err(unavailable)?;
        let row = sqlx::query(AssertSqlSafe(format!("{BRANCH} WHERE id = ?1")))
            .bind(id)
            .fetch_optional(&mut *view)
            .await
            .map_err(unavailable)?;
        let Some(branch) = row.as_ref().map(read_branch).transpose()? else { return Ok(None) };
        let (bytes, sum): (Vec<u8>, i64) =
            sqlx::query_as(BYTES).bind(id).fetch_one(&mut *view).await.map_err(unavailable)?;
        if checksum::of_branch(&branch.document, &bytes) != sum {
            let what = format!("is damaged: the branch {id:?}");
            return Err(LoadError::Corrupt { document: branch.document, seq: Seq(0), what });
        }
        Ok(Some((branch, bytes.into())))
    }

    /// Removes a branch for good. False if there is none.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn delete_branch(&self, id: String) -> Result<bool, AppendError> {
        self.change(Change::DeleteBranch { id }).await
    }
}

const SAME: &str = "SELECT id FROM branches WHERE document = ?1 AND checksum = ?2 AND bytes = ?3";

const BRANCH: &str =
    "SELECT id, document, at, author, connection, length(bytes) AS size FROM branches";

fn read_branch(row: &SqliteRow) -> Result<Branch, LoadError> {
    let name: String = row.try_get("document").map_err(unavailable)?;
    let document = DocumentId::parse(&name)
        .map_err(|error| LoadError::Unavailable { why: format!("a branch of nothing: {error}") })?;
    let connection: i64 = row.try_get("connection").map_err(unavailable)?;
    let size: i64 = row.try_get("size").map_err(unavailable)?;
    Ok(Branch {
        id: row.try_get("id").map_err(unavailable)?,
        document,
        at_ms: row.try_get("at").map_err(unavailable)?,
        author: row.try_get("author").map_err(unavailable)?,
        connection: ConnectionId(connection.cast_unsigned()),
        bytes: usize::try_from(size).unwrap_or_default(),
    })
}

/// The state vectors that the earlier lives of `document` have left behind.
pub(super) async fn load_retired(
    view: &mut SqliteConnection,
    document: &DocumentId,
) -> Result<Vec<Bytes>, LoadError> {
    const RETIRED: &str = "SELECT clocks FROM retired WHERE document = ?1 ORDER BY epoch";

    let rows: Vec<Vec<u8>> = sqlx::query_scalar(RETIRED)
        .bind(document.as_str())
        .fetch_all(view)
        .await
        .map_err(unavailable)?;
    Ok(rows.into_iter().map(Bytes::from).collect())
}

/// Writes a purge, inside the transaction of the caller; `row` is the document's key.
pub(super) async fn write_purge(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    purge: &Purge,
) -> Result<Result<(), AppendError>, sqlx::Error> {
    const DELETION: &str = "SELECT deleted_at FROM documents WHERE id = ?1";
    const RETIRE: &str = "INSERT INTO retired (document, epoch, ended_at, clocks) \
         SELECT name, epoch, ?2, ?3 FROM documents WHERE id = ?1";
    // What refers to the document goes before it.
    const REMOVE: [&str; 7] = [
        "DELETE FROM updates WHERE document = ?1",
        "DELETE FROM segments WHERE document = ?1",
        "DELETE FROM snapshots WHERE document = ?1",
        "DELETE FROM versions WHERE document = ?1",
        "DELETE FROM quarantine WHERE document = ?1",
        "DELETE FROM rescued WHERE document = ?1",
        "DELETE FROM documents WHERE id = ?1",
    ];

    let deleted_at: Option<i64> =
        sqlx::query_scalar(DELETION).bind(row).fetch_one(&mut *connection).await?;
    if deleted_at != Some(purge.deleted_at_ms) {
        let why = "only a deleted document can be purged".into();
        return Ok(Err(AppendError::Refused { why }));
    }
    sqlx::query(RETIRE)
        .bind(row)
        .bind(purge.at_ms)
        .bind(purge.clocks.as_ref())
        .execute(&mut *connection)
        .await?;
    for statement in REMOVE {
        sqlx::query(statement).bind(row).execute(&mut *connection).await?;
    }
    let by_name = ["DELETE FROM share_links WHERE document = ?1"];
    let branches = purge.branches.then_some("DELETE FROM branches WHERE document = ?1");
    for statement in by_name.into_iter().chain(branches) {
        sqlx::query(statement).bind(document.as_str()).execute(&mut *connection).await?;
    }
    Ok(Ok(()))
}

/// Writes a branch, inside the transaction of the caller; false where its bytes are kept already.
pub(super) async fn write_branch(
    connection: &mut SqliteConnection,
    document: &DocumentId,
    id: &str,
    record: &LogRecord,
) -> Result<bool, sqlx::Error> {
    const KEEP: &str = "INSERT OR REPLACE INTO branches \
         (id, document, at, author, connection, bytes, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    const THIN: &str = "DELETE FROM branches WHERE id IN (SELECT id FROM branches \
         WHERE document = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)";

    let (name, bytes) = (document.as_str(), record.bytes.as_ref());
    let sum = checksum::of_branch(document, bytes);
    let same: Option<String> = sqlx::query_scalar(SAME)
        .bind(name)
        .bind(sum)
        .bind(bytes)
        .fetch_optional(&mut *connection)
        .await?;
    if same.is_some() {
        return Ok(false);
    }
    sqlx::query(KEEP)
        .bind(id)
        .bind(name)
        .bind(record.at_ms)
        .bind(record.author.as_deref())
        .bind(record.connection.0.cast_signed())
        .bind(bytes)
        .bind(sum)
        .execute(&mut *connection)
        .await?;
    sqlx::query(THIN).bind(name).bind(BRANCHES_MAX).execute(connection).await?;
    Ok(true)
}

/// Removes a branch, inside the transaction of the caller; false if there is none.
pub(super) async fn write_branch_deletion(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<bool, sqlx::Error> {
    let deleted =
        sqlx::query("DELETE FROM branches WHERE id = ?1").bind(id).execute(connection).await?;
    Ok(deleted.rows_affected() == 1)
}
