//! Versions: moments of a document that have a name and are kept whatever is thinned.

use sqlx::sqlite::SqliteConnection;

use super::load::unavailable;
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, LoadError, Store};
use crate::id::{DocumentId, Seq};

/// Versions of a document that were made after sessions and that nobody has named; the oldest go
/// first.
pub const SESSION_VERSIONS_MAX: u32 = 100;

/// A moment of a document that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Names the version in the API. Made by the caller, random.
    pub id: String,
    /// The last update that belongs to it; 0 is the empty document.
    pub seq: Seq,
    /// When it was made, in unix milliseconds.
    pub at_ms: i64,
    /// What people call it; may be empty.
    pub name: String,
    /// What it was made for.
    pub kind: VersionKind,
    /// The subject of the token that made it, if there was one.
    pub created_by: Option<String>,
}

/// What a version was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionKind {
    /// A person named it.
    Named,
    /// Made by itself after a session.
    Session,
    /// Made by itself before an older moment was restored.
    Restore,
}

impl VersionKind {
    pub(super) const ALL: [Self; 3] = [Self::Named, Self::Session, Self::Restore];

    /// The word that stands for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Session => "session",
            Self::Restore => "restore",
        }
    }
}

/// What the log writer does with versions.
pub(super) enum VersionChange {
    Insert { version: Version, max_per_document: u32 },
    Rename { id: String, name: String },
    Delete { id: String },
}

impl Store {
    /// Keeps a version; a document has at most `max_per_document`.
    ///
    /// # Errors
    /// [`AppendError::Refused`] at that limit, when the log does not reach its `seq`, when the
    /// document is not there and when the id is taken; [`AppendError::Deleted`].
    pub async fn insert_version(
        &self,
        document: DocumentId,
        version: Version,
        max_per_document: u32,
    ) -> Result<(), AppendError> {
        let insert = VersionChange::Insert { version, max_per_document };
        self.change(Change::Document(document, DocumentChange::Version(insert))).await?;
        Ok(())
    }

    /// The versions of `document`, newest moment first: at most `limit`, and only those behind the
    /// version with this `seq` and id, if given.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn versions(
        &self,
        document: &DocumentId,
        behind: Option<(Seq, &str)>,
        limit: u32,
    ) -> Result<Vec<Version>, LoadError> {
        const OF_DOCUMENT: &str = "SELECT v.id, seq, at, v.name, kind, created_by \
             FROM versions AS v JOIN documents AS d ON d.id = document \
             WHERE d.name = ?1 AND (seq, v.id) < (?2, ?3) ORDER BY seq DESC, v.id DESC LIMIT ?4";

        let (seq, id) = behind.map_or((i64::MAX, ""), |(seq, id)| (seq.0.cast_signed(), id));
        let rows: Vec<Row> = sqlx::query_as(OF_DOCUMENT)
            .bind(document.as_str())
            .bind(seq)
            .bind(id)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.into_iter().map(Version::try_from).collect()
    }

    /// The version of `document` with this id.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn version(
        &self,
        document: &DocumentId,
        id: &str,
    ) -> Result<Option<Version>, LoadError> {
        const BY_ID: &str = "SELECT v.id, seq, at, v.name, kind, created_by \
             FROM versions AS v JOIN documents AS d ON d.id = document \
             WHERE d.name = ?1 AND v.id = ?2";

        let row: Option<Row> = sqlx::query_as(BY_ID)
            .bind(document.as_str())
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(Version::try_from).transpose()
    }

    /// Gives a version another name; from then on it is one that a person named. False if the
    /// document has none with this id.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn rename_version(
        &self,
        document: DocumentId,
        id: String,
        name: String,
    ) -> Result<bool, AppendError> {
        let rename = VersionChange::Rename { id, name };
        self.change(Change::Document(document, DocumentChange::Version(rename))).await
    }

    /// Forgets a version; the log stays as it is. False if the document has none with this id.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn delete_version(
        &self,
        document: DocumentId,
        id: String,
    ) -> Result<bool, AppendError> {
        let delete = VersionChange::Delete { id };
        self.change(Change::Document(document, DocumentChange::Version(delete))).await
    }
}

/// A row as the queries above give it.
type Row = (String, i64, i64, String, String, Option<String>);

impl TryFrom<Row> for Version {
    type Error = LoadError;

    fn try_from((id, seq, at_ms, name, kind, created_by): Row) -> Result<Self, LoadError> {
        let kind =
            VersionKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
                LoadError::Unavailable { why: format!("the version {id:?} is of no known kind") }
            })?;
        Ok(Self { id, seq: Seq(seq.cast_unsigned()), at_ms, name, kind, created_by })
    }
}

impl VersionChange {
    /// Writes it, inside the transaction of the caller. `row` is the key of the document, None if
    /// it is not there; `last` the end of its log. Whether a row was changed.
    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
        row: Option<i64>,
        last: Seq,
    ) -> Result<Result<bool, AppendError>, sqlx::Error> {
        const RENAME: &str = "UPDATE versions SET name = ?3, kind = 'named', row_checksum = NULL \
             WHERE document = ?1 AND id = ?2";
        const DELETE: &str = "DELETE FROM versions WHERE document = ?1 AND id = ?2";

        let change = match self {
            Self::Insert { version, max_per_document } => {
                return insert(connection, row, last, version, *max_per_document).await;
            }
            Self::Rename { id, name } => sqlx::query(RENAME).bind(row).bind(id).bind(name),
            Self::Delete { id } => sqlx::query(DELETE).bind(row).bind(id),
        };
        Ok(Ok(change.execute(connection).await?.rows_affected() == 1))
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    row: Option<i64>,
    last: Seq,
    version: &Version,
    max_per_document: u32,
) -> Result<Result<bool, AppendError>, sqlx::Error> {
    const COUNT: &str = "SELECT count(*) FROM versions WHERE document = ?1";
    const INSERT: &str = "INSERT INTO versions (id, document, seq, at, name, kind, created_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

    const THIN: &str = "DELETE FROM versions WHERE id IN (SELECT id FROM versions \
         WHERE document = ?1 AND kind = 'session' ORDER BY seq DESC, id DESC LIMIT -1 OFFSET ?2)";

    let refused = |why: String| Ok(Err(AppendError::Refused { why }));
    let Some(row) = row.filter(|_| version.seq <= last) else {
        return refused(format!("a version at {}, but the log ends at {last}", version.seq));
    };
    let count: u32 = sqlx::query_scalar(COUNT).bind(row).fetch_one(&mut *connection).await?;
    if count >= max_per_document {
        let why = format!("the document has {count} versions, the limit is {max_per_document}");
        return refused(why);
    }
    let inserted = sqlx::query(INSERT)
        .bind(&version.id)
        .bind(row)
        .bind(version.seq.0.cast_signed())
        .bind(version.at_ms)
        .bind(&version.name)
        .bind(version.kind.as_str())
        .bind(&version.created_by)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 0 {
        return refused("there is a version with this id".into());
    }
    if version.kind == VersionKind::Session {
        sqlx::query(THIN).bind(row).bind(SESSION_VERSIONS_MAX).execute(connection).await?;
    }
    Ok(Ok(true))
}
