//! Whether a document is there: creating, deleting and bringing back.
//!
//! Deleting removes nothing: it marks the document, and the log writer refuses everything that
//! would add to it. Loading one is refused in `load`.

use super::load::unavailable;
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, LoadError, Store};
use crate::id::{DocumentId, Seq};

/// Whether a document is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentStatus {
    /// Never created and never written.
    Absent,
    /// There, perhaps without an update.
    Live,
    /// Deleted, and not brought back.
    Deleted,
}

/// A document as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSummary {
    /// Its name.
    pub id: DocumentId,
    /// When it was made, in unix milliseconds.
    pub created_at_ms: i64,
    /// When it was deleted, in unix milliseconds; None: it is live.
    pub deleted_at_ms: Option<i64>,
    /// The last update of its log; 0 when it was never written.
    pub last: Seq,
    /// When the last update was taken, in unix milliseconds.
    pub last_at_ms: Option<i64>,
}

impl Store {
    /// The documents behind the one named `behind`, deleted ones too, in the order of the bytes of
    /// their names; at most `limit`.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn documents(
        &self,
        behind: Option<&DocumentId>,
        limit: u32,
    ) -> Result<Vec<DocumentSummary>, LoadError> {
        // The newest row is never packed.
        const DOCUMENTS: &str = "SELECT name, created_at, deleted_at, seq, at FROM documents \
             LEFT JOIN updates ON document = id \
             AND seq = (SELECT max(seq) FROM updates WHERE document = documents.id) \
             WHERE name > ?1 ORDER BY name LIMIT ?2";

        let rows: Vec<SummaryRow> = sqlx::query_as(DOCUMENTS)
            .bind(behind.map_or("", DocumentId::as_str))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.into_iter().map(DocumentSummary::try_from).collect()
    }

    /// The summary of one document, deleted or not; None if it is not there.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn summary(
        &self,
        document: &DocumentId,
    ) -> Result<Option<DocumentSummary>, LoadError> {
        const SUMMARY: &str = "SELECT name, created_at, deleted_at, seq, at FROM documents \
             LEFT JOIN updates ON document = id \
             AND seq = (SELECT max(seq) FROM updates WHERE document = documents.id) \
             WHERE name = ?1";

        let row: Option<SummaryRow> = sqlx::query_as(SUMMARY)
            .bind(document.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.map(DocumentSummary::try_from).transpose()
    }

    /// Whether `document` is there now. One read; it may be outdated when it arrives, and what is
    /// written is judged by the writer.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn status(&self, document: &DocumentId) -> Result<DocumentStatus, LoadError> {
        const STATUS: &str = "SELECT deleted_at IS NOT NULL FROM documents WHERE name = ?1";

        let found: Option<bool> = sqlx::query_scalar(STATUS)
            .bind(document.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(match found {
            None => DocumentStatus::Absent,
            Some(false) => DocumentStatus::Live,
            Some(true) => DocumentStatus::Deleted,
        })
    }

    /// Makes `document` without an update. Whether it is new: one that is there stays as it is.
    ///
    /// # Errors
    /// [`AppendError::Deleted`] when it is there and deleted.
    pub async fn create(&self, document: DocumentId, at_ms: i64) -> Result<bool, AppendError> {
        self.change(Change::Document(document, DocumentChange::Create { at_ms })).await
    }

    /// Deletes `document`: from the answer on, also after a restart, nothing is added to it and it
    /// is not loaded. Appends that were queued before are in the log. False if there is none, or
    /// none that is not deleted already.
    ///
    /// Its rows and its share links stay. Whoever holds the document live ends that.
    ///
    /// # Errors
    /// As [`Self::append`]; the document is then as before, unless the failure struck between the
    /// write and the answer.
    pub async fn delete(&self, document: DocumentId, at_ms: i64) -> Result<bool, AppendError> {
        self.change(Change::Document(document, DocumentChange::Delete { at_ms })).await
    }

    /// Brings a deleted document back, as it was. False if it is not deleted.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn undelete(&self, document: DocumentId) -> Result<bool, AppendError> {
        self.change(Change::Document(document, DocumentChange::Undelete)).await
    }
}

/// A row of the listing.
type SummaryRow = (String, i64, Option<i64>, Option<i64>, Option<i64>);

impl TryFrom<SummaryRow> for DocumentSummary {
    type Error = LoadError;

    fn try_from(row: SummaryRow) -> Result<Self, LoadError> {
        let (name, created_at_ms, deleted_at_ms, last, last_at_ms) = row;
        let id = DocumentId::parse(&name).map_err(|error| LoadError::Unavailable {
            why: format!("{name:?} names no document: {error}"),
        })?;
        let last = Seq(last.unwrap_or(0).cast_unsigned());
        Ok(Self { id, created_at_ms, deleted_at_ms, last, last_at_ms })
    }
}
