//! What can go wrong with the store, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use crate::id::{DocumentId, Seq};

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it. Stop that one or use another file.
    #[error(
        "the database is in use: another coscribe holds {lock:?}; stop that server, or give this \
         one a database of its own"
    )]
    InUse {
        /// The lock file. It is free as soon as its holder is gone; deleting it would let two
        /// servers in.
        lock: PathBuf,
    },
    /// A newer coscribe wrote it.
    #[error(
        "the database {path:?} was written by a newer coscribe (schema {found}, this one knows up \
         to {known}); start the newer one, or restore a copy from before the upgrade"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Number of the migration that this program does not have.
        found: i64,
        /// Number of the newest migration that it has.
        known: i64,
    },
    /// An SQLite database of another program. It was not touched.
    #[error("{path:?} is a database of another program; choose another file")]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// The file system says no: rights, space, a directory in the place of a file.
    #[error("cannot open {path:?}")]
    File {
        /// The file or directory in question.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite says no: not a database, damaged, a failing migration.
    #[error("cannot open the database {path:?}: {why}")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
}

/// Why something cannot be read. A document that cannot be loaded must not be served, and not be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The log is damaged; trying again does not help.
    #[error("the log of document \"{document}\" is damaged: update {seq} {what}")]
    Corrupt {
        /// The document.
        document: DocumentId,
        /// The first update that cannot be had.
        seq: Seq,
        /// What is wrong with it, in words that follow "update 5 …".
        what: String,
    },
    /// It was deleted; it can be loaded again when it is brought back.
    #[error("the document is deleted")]
    Deleted,
    /// The database cannot be read now; try again later.
    #[error("the database cannot be read: {why}")]
    Unavailable {
        /// What SQLite said.
        why: String,
    },
}

/// Why a request was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No space: on the disk, or in the quota. Later requests succeed once there is.
    #[error("the disk is full: {why}")]
    Full {
        /// What SQLite said.
        why: String,
    },
    /// Another program has locked the database for longer than the writer waits.
    #[error("another program keeps the database locked: {why}")]
    Busy {
        /// What SQLite said.
        why: String,
    },
    /// The request itself cannot be written, now or later.
    #[error("refused to write: {why}")]
    Refused {
        /// Which rule it breaks.
        why: String,
    },
    /// The document is deleted: nothing is added to it until it is brought back.
    #[error("the document is deleted")]
    Deleted,
    /// The database failed in some other way. A later request may succeed.
    #[error("the database cannot be written: {why}")]
    Failed {
        /// What SQLite said.
        why: String,
    },
    /// The write-ahead log can no longer be trusted: an fsync of it failed, or somebody removed the
    /// file. Nothing is written until a restart, because the system may report the next fsync as
    /// good without having written what this one lost.
    #[error("the database is read-only until a restart: {why}")]
    Broken {
        /// What the system said.
        why: String,
    },
    /// The store is closed or its writer is gone.
    #[error("the store is closed")]
    Closed,
}

/// SQLite's primary result code, if it was SQLite that failed. Source: sqlite.org/rescode.html.
pub(super) fn result_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
