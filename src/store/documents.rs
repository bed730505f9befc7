//! Whether a document is there: creating, deleting and bringing back.
//!
//! Deleting removes nothing: it marks the document, and the log writer refuses everything that
//! would add to it. Loading one is refused in `load`.

use super::load::unavailable;
use super::log_writer::{Change, DocumentChange};
use super::{AppendError, LoadError, Store};
use crate::id::DocumentId;

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

impl Store {
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
