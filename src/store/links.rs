//! Share links: who holds the secret may do something with one document.
//!
//! Kept are the hash of the secret and what the link gives, never the secret. Whether a link still
//! counts is for the caller to judge: ended ones are given back like the others.

use sqlx::sqlite::SqliteConnection;

use super::load::unavailable;
use super::log_writer::Change;
use super::{AppendError, LoadError, Store};
use crate::id::DocumentId;

/// Revoked and expired links kept of one document; those that ended first go first.
pub const ENDED_LINKS_MAX: u32 = 100;

/// A share link, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareLink {
    /// Names the link in the API. Random, and no secret.
    pub id: String,
    /// What it leads to; may be absent or deleted.
    pub document: DocumentId,
    /// What it allows: `read`, `comment`, `write` or `admin`.
    pub level: String,
    /// What its maker calls it; may be empty.
    pub label: String,
    /// When it was made, in unix milliseconds.
    pub created_at_ms: i64,
    /// The subject of the token that made it, if there was one.
    pub created_by: Option<String>,
    /// The moment from which it does not count, in unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// When it was revoked, in unix milliseconds. Never taken back.
    pub revoked_at_ms: Option<i64>,
}

/// What the log writer does with links.
pub(super) enum LinkChange {
    Insert { link: ShareLink, secret_hash: [u8; 32], max_per_document: u32 },
    Update { id: String, level: String, expires_at_ms: Option<i64> },
    Revoke { id: String, at_ms: i64 },
}

impl Store {
    /// Keeps a new link. `secret_hash` is the SHA-256 of its secret; at most `max_per_document`
    /// links of a document count at `created_at_ms`.
    ///
    /// # Errors
    /// [`AppendError::Refused`] at that limit, and when the id or the hash is taken.
    pub async fn insert_link(
        &self,
        link: ShareLink,
        secret_hash: [u8; 32],
        max_per_document: u32,
    ) -> Result<(), AppendError> {
        let insert = LinkChange::Insert { link, secret_hash, max_per_document };
        self.change(Change::Link(insert)).await?;
        Ok(())
    }

    /// The link whose secret has this SHA-256, ended or not.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn link_by_hash(
        &self,
        secret_hash: &[u8; 32],
    ) -> Result<Option<ShareLink>, LoadError> {
        const BY_HASH: &str = "SELECT id, document, level, label, created_at, created_by, \
             expires_at, revoked_at FROM share_links WHERE secret_hash = ?1";

        let row: Option<Row> = sqlx::query_as(BY_HASH)
            .bind(secret_hash.as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(ShareLink::try_from).transpose()
    }

    /// The link with this id, ended or not.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn link(&self, id: &str) -> Result<Option<ShareLink>, LoadError> {
        const BY_ID: &str = "SELECT id, document, level, label, created_at, created_by, \
             expires_at, revoked_at FROM share_links WHERE id = ?1";

        let row: Option<Row> = sqlx::query_as(BY_ID)
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(ShareLink::try_from).transpose()
    }

    /// The links of `document`, newest first: as many as [`Store::insert_link`] lets in, and
    /// [`ENDED_LINKS_MAX`] ended ones.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn links(&self, document: &DocumentId) -> Result<Vec<ShareLink>, LoadError> {
        const OF_DOCUMENT: &str = "SELECT id, document, level, label, created_at, created_by, \
             expires_at, revoked_at FROM share_links WHERE document = ?1 \
             ORDER BY created_at DESC, rowid DESC";

        let rows: Vec<Row> = sqlx::query_as(OF_DOCUMENT)
            .bind(document.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.into_iter().map(ShareLink::try_from).collect()
    }

    /// Gives a link another level and another end. False if there is none, or it is revoked.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn update_link(
        &self,
        id: String,
        level: String,
        expires_at_ms: Option<i64>,
    ) -> Result<bool, AppendError> {
        self.change(Change::Link(LinkChange::Update { id, level, expires_at_ms })).await
    }

    /// Revokes a link for good. False if there is none, or it is revoked already.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn revoke_link(&self, id: String, at_ms: i64) -> Result<bool, AppendError> {
        self.change(Change::Link(LinkChange::Revoke { id, at_ms })).await
    }
}

/// A row as the queries above give it.
type Row = (String, String, String, String, i64, Option<String>, Option<i64>, Option<i64>);

impl TryFrom<Row> for ShareLink {
    type Error = LoadError;

    fn try_from(row: Row) -> Result<Self, LoadError> {
        let (id, name, level, label, created_at_ms, created_by, expires_at_ms, revoked_at_ms) = row;
        let document = DocumentId::parse(&name).map_err(|error| LoadError::Unavailable {
            why: format!("the share link {id:?} has no document: {error}"),
        })?;
        Ok(Self {
            id,
            document,
            level,
            label,
            created_at_ms,
            created_by,
            expires_at_ms,
            revoked_at_ms,
        })
    }
}

impl LinkChange {
    /// Writes it, inside the transaction of the caller. Whether a row was changed.
    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Result<bool, AppendError>, sqlx::Error> {
        const UPDATE: &str = "UPDATE share_links SET level = ?2, expires_at = ?3, row_checksum = NULL \
             WHERE id = ?1 AND revoked_at IS NULL";
        const REVOKE: &str = "UPDATE share_links SET revoked_at = ?2, row_checksum = NULL \
             WHERE id = ?1 AND revoked_at IS NULL";

        let update = match self {
            Self::Insert { link, secret_hash, max_per_document } => {
                return insert(connection, link, secret_hash, *max_per_document).await;
            }
            Self::Update { id, level, expires_at_ms } => {
                sqlx::query(UPDATE).bind(id).bind(level).bind(expires_at_ms)
            }
            Self::Revoke { id, at_ms } => sqlx::query(REVOKE).bind(id).bind(at_ms),
        };
        Ok(Ok(update.execute(connection).await?.rows_affected() == 1))
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    link: &ShareLink,
    secret_hash: &[u8; 32],
    max_per_document: u32,
) -> Result<Result<bool, AppendError>, sqlx::Error> {
    const LIVE: &str = "SELECT count(*) FROM share_links WHERE document = ?1 \
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
    const INSERT: &str = "INSERT INTO share_links (id, document, level, secret_hash, label, \
         created_at, created_by, expires_at, revoked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    const THIN: &str = "DELETE FROM share_links WHERE id IN (SELECT id FROM share_links \
         WHERE document = ?1 AND (revoked_at IS NOT NULL OR expires_at <= ?2) \
         ORDER BY coalesce(revoked_at, expires_at) DESC, rowid DESC LIMIT -1 OFFSET ?3)";

    let document = link.document.as_str();
    let live: u32 = sqlx::query_scalar(LIVE)
        .bind(document)
        .bind(link.created_at_ms)
        .fetch_one(&mut *connection)
        .await?;
    if live >= max_per_document {
        let why = format!("the document has {live} share links, the limit is {max_per_document}");
        return Ok(Err(AppendError::Refused { why }));
    }
    let inserted = sqlx::query(INSERT)
        .bind(&link.id)
        .bind(document)
        .bind(&link.level)
        .bind(secret_hash.as_slice())
        .bind(&link.label)
        .bind(link.created_at_ms)
        .bind(&link.created_by)
        .bind(link.expires_at_ms)
        .bind(link.revoked_at_ms)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 0 {
        let why = "there is a share link with this id or this secret".into();
        return Ok(Err(AppendError::Refused { why }));
    }
    sqlx::query(THIN)
        .bind(document)
        .bind(link.created_at_ms)
        .bind(ENDED_LINKS_MAX)
        .execute(connection)
        .await?;
    Ok(Ok(true))
}
