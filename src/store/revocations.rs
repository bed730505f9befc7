//! Revocations: tokens that are refused although their signature is good.
//!
//! What a revocation means for a token is for `access` to judge; here it is a row.

use sqlx::sqlite::SqliteConnection;

use super::load::unavailable;
use super::log_writer::Change;
use super::{AppendError, LoadError, Store};

/// Tokens that are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Names the revocation in the API.
    pub id: String,
    /// What `value` is compared with.
    pub kind: RevocationKind,
    /// The subject, or the id of the token.
    pub value: String,
    /// When it was revoked, in unix milliseconds. Only ever moves forward.
    pub at_ms: i64,
    /// The subject of the token that revoked, if there was one.
    pub created_by: Option<String>,
}

/// Which tokens a revocation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationKind {
    /// Those of a subject.
    Subject,
    /// The one with this id.
    Token,
}

impl RevocationKind {
    /// The word that is stored.
    fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Token => "token",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Subject, Self::Token].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What the log writer does with revocations.
pub(super) enum RevocationChange {
    Insert { revocation: Revocation, max: u32 },
    Remove { id: String },
}

impl Store {
    /// Keeps a revocation; at most `max` of all. A second one of the same kind and value moves the
    /// time of the first one forward, never back, and leaves its id and its author.
    ///
    /// # Errors
    /// [`AppendError::Refused`] at that limit, and when the id is taken by another.
    pub async fn insert_revocation(
        &self,
        revocation: Revocation,
        max: u32,
    ) -> Result<(), AppendError> {
        self.change(Change::Revocation(RevocationChange::Insert { revocation, max })).await?;
        Ok(())
    }

    /// All revocations, newest first: as many as [`Store::insert_revocation`] lets in.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn revocations(&self) -> Result<Vec<Revocation>, LoadError> {
        const ALL: &str = "SELECT id, kind, value, at, created_by FROM revocations \
             ORDER BY at DESC, rowid DESC";

        let rows: Vec<Row> =
            sqlx::query_as(ALL).fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.into_iter().map(Revocation::try_from).collect()
    }

    /// Takes a revocation back. False if there is none with this id.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn remove_revocation(&self, id: String) -> Result<bool, AppendError> {
        self.change(Change::Revocation(RevocationChange::Remove { id })).await
    }
}

/// A row as the query above gives it.
type Row = (String, String, String, i64, Option<String>);

impl TryFrom<Row> for Revocation {
    type Error = LoadError;

    fn try_from((id, kind, value, at_ms, created_by): Row) -> Result<Self, LoadError> {
        let Some(kind) = RevocationKind::parse(&kind) else {
            let why = format!("the revocation {id:?} is of an unknown kind: {kind:?}");
            return Err(LoadError::Unavailable { why });
        };
        Ok(Self { id, kind, value, at_ms, created_by })
    }
}

impl RevocationChange {
    /// Writes it, inside the transaction of the caller. Whether a row was changed.
    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Result<bool, AppendError>, sqlx::Error> {
        match self {
            Self::Insert { revocation, max } => insert(connection, revocation, *max).await,
            Self::Remove { id } => {
                let removed = sqlx::query("DELETE FROM revocations WHERE id = ?1")
                    .bind(id)
                    .execute(connection)
                    .await?;
                Ok(Ok(removed.rows_affected() == 1))
            }
        }
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    revocation: &Revocation,
    max: u32,
) -> Result<Result<bool, AppendError>, sqlx::Error> {
    const MOVE: &str = "UPDATE revocations SET at = max(at, ?3), row_checksum = NULL \
         WHERE kind = ?1 AND value = ?2";
    const INSERT: &str = "INSERT INTO revocations (id, kind, value, at, created_by) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";

    let moved = sqlx::query(MOVE)
        .bind(revocation.kind.as_str())
        .bind(&revocation.value)
        .bind(revocation.at_ms)
        .execute(&mut *connection)
        .await?;
    if moved.rows_affected() == 1 {
        return Ok(Ok(true));
    }
    let count: u32 =
        sqlx::query_scalar("SELECT count(*) FROM revocations").fetch_one(&mut *connection).await?;
    if count >= max {
        let why = format!("there are {count} revocations, the limit is {max}");
        return Ok(Err(AppendError::Refused { why }));
    }
    let inserted = sqlx::query(INSERT)
        .bind(&revocation.id)
        .bind(revocation.kind.as_str())
        .bind(&revocation.value)
        .bind(revocation.at_ms)
        .bind(&revocation.created_by)
        .execute(connection)
        .await?;
    if inserted.rows_affected() == 0 {
        let why = "there is a revocation with this id".into();
        return Ok(Err(AppendError::Refused { why }));
    }
    Ok(Ok(true))
}
