//! Looking a database over without changing it: everything that can be told without knowing what
//! updates mean. Whoever knows that reads each document on from [`Fsck::document`].
//!
//! Works on a closed database, on one whose server was killed, and beside a running server; there
//! is a seal to compare with only in the first case. Everything is of one moment. As long as it
//! lasts a running server cannot fold its WAL in.

mod rows;
mod schema;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::load::{self, Range, SEQ_MAX, unavailable};
use super::open::{Nature, refuse_stray_wal};
use super::seal::{self, Seal};
use super::{LoadError, OpenError, StoredLog};
use crate::id::{DocumentId, Seq};

/// Faults that are listed; where there are more, a last one says so.
pub const FAULTS_MAX: usize = 1000;

/// A database that is looked over.
pub struct Fsck {
    view: SqliteConnection,
    path: PathBuf,
    sealed: Sealed,
    /// Keeps a server from starting meanwhile; None where no server ever ran.
    _lock: Option<File>,
}

/// Whether there is a seal to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// Every bit of the file is compared.
    Yes,
    /// The server was killed, or the file is a copy: damage where nothing is stored, and in times
    /// and labels without a checksum, is not noticed.
    No,
    /// A server is running, so there is no seal, as with [`Sealed::No`].
    Running,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The document it is about, if it is about one.
    pub document: Option<DocumentId>,
    /// What is wrong: a sentence without a full stop.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.document {
            Some(document) => write!(f, "document \"{document}\": {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// All that is stored of a document, deleted or not, to be looked into further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its whole log.
    pub log: StoredLog,
    /// Its snapshots whose checksum is right, oldest first.
    pub snapshots: Vec<(Seq, Bytes)>,
}

impl Fsck {
    /// Opens a database for looking it over. Nothing is written to it; beside a WAL that a killed
    /// server has left, SQLite makes the file `-shm` that belongs to it.
    ///
    /// # Errors
    /// [`OpenError`]: it is not there, no database of ours, of a newer or an older schema, or too
    /// damaged to be opened.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let path = fs::canonicalize(path)
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        refuse_stray_wal(&path)?;
        let (is_running, lock) = match lock(&path)? {
            Lock::Theirs => (true, None),
            Lock::Ours(lock) => (false, lock),
        };
        let has_wal = seal::beside(&path, "-wal").exists();
        let sealed = match (is_running, has_wal || !seal::path(&path).exists()) {
            (true, _) => Sealed::Running,
            (false, true) => Sealed::No,
            (false, false) => Sealed::Yes,
        };
        let connect = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            // Without a WAL nobody writes, and not even a `-shm` is made.
            .immutable(!has_wal && !is_running)
            .disable_statement_logging();
        let look = async {
            let mut view = connect.connect().await?;
            sqlx::query("BEGIN").execute(&mut view).await?;
            let nature = Nature::of(&mut view).await?;
            Ok::<_, sqlx::Error>((view, nature))
        };
        let (view, nature) = look
            .await
            .map_err(|error| OpenError::Database { path: path.clone(), why: error.to_string() })?;
        nature.refuse_others(&path)?;
        Ok(Self { view, path, sealed, _lock: lock })
    }

    /// Whether every bit of the file is compared with a seal.
    pub fn sealed(&self) -> Sealed {
        self.sealed
    }

    /// Looks at everything: the seal, the file's inner structure, the schema and every row with its
    /// checksum and its place. At most [`FAULTS_MAX`] faults and one that counts the others; none: it
    /// is sound.
    pub async fn check(&mut self) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.check_seal(&mut faults).await;
        self.check_structure(&mut faults).await;
        let checked = schema::check(&mut self.view, &mut faults).await;
        faults.unread("the schema", checked);
        let checked = rows::check(&mut self.view, &mut faults).await;
        faults.unread("the tables", checked);
        faults.list()
    }

    async fn check_seal(&self, faults: &mut Faults) {
        if self.sealed != Sealed::Yes {
            return;
        }
        let path = self.path.clone();
        let compared = tokio::task::spawn_blocking(move || {
            let seal = Seal::read(&path)?;
            seal.map(|seal| seal.compare(&path)).transpose()
        });
        match compared.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(difference) => {
                let difference = difference.unwrap_or_default();
                if let Some((sealed, now)) = difference.len {
                    faults
                        .add(format!("the file had {sealed} bytes when it was sealed, now {now}"));
                }
                for page in &difference.pages {
                    faults.add(format!("page {page} of the file is not as it was sealed"));
                }
                let more = difference.count - difference.pages.len() as u64;
                if more > 0 {
                    faults.add(format!("{more} more pages are not as they were sealed"));
                }
            }
            Err(error) => faults.add(format!("the seal cannot be compared: {error}")),
        }
    }

    /// What SQLite knows: pages, indices, types, constraints, references.
    async fn check_structure(&mut self, faults: &mut Faults) {
        const INTEGRITY: &str = "PRAGMA integrity_check(1000)";
        const REFERENCES: &str = "SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check";

        let found = sqlx::query_scalar::<_, String>(INTEGRITY).fetch_all(&mut self.view).await;
        for line in faults.unread("the file", found).unwrap_or_default() {
            if line != "ok" {
                faults.add(format!("SQLite says: {line}"));
            }
        }
        let found =
            sqlx::query_as::<_, (String, String)>(REFERENCES).fetch_all(&mut self.view).await;
        for (table, parent) in faults.unread("references", found).unwrap_or_default() {
            faults.add(format!("there are rows of {table} whose row in {parent} is missing"));
        }
    }

    /// The names of documents behind `behind`, deleted ones too, in order; at most `limit`.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`].
    pub async fn documents(
        &mut self,
        behind: Option<&DocumentId>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, LoadError> {
        let behind = behind.map_or("", DocumentId::as_str);
        let names = rows::documents(&mut self.view, behind, limit).await.map_err(unavailable)?;
        // Others have been reported.
        Ok(names.into_iter().filter_map(|(_, name)| DocumentId::parse(&name).ok()).collect())
    }

    /// Everything that is stored of `document`, with the checks of [`Store::read_log`]; None if
    /// there is none of that name.
    ///
    /// # Errors
    /// [`LoadError::Corrupt`], [`LoadError::Unavailable`].
    ///
    /// [`Store::read_log`]: super::Store::read_log
    pub async fn document(
        &mut self,
        document: &DocumentId,
    ) -> Result<Option<StoredDocument>, LoadError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM documents WHERE name = ?1")
            .bind(document.as_str())
            .fetch_optional(&mut self.view)
            .await
            .map_err(unavailable)?;
        let Some(row) = found else { return Ok(None) };
        let mut rows = Vec::new();
        let range = Range { document, row, after: Seq(0), until: SEQ_MAX };
        let (segments, last) = range.read(&mut self.view, |row| rows.push(row)).await?;
        let mut snapshots = Vec::new();
        let seqs = load::snapshot_seqs(&mut self.view, row, SEQ_MAX).await.map_err(unavailable)?;
        for seq in seqs.into_iter().rev() {
            if let Some(bytes) = load::sound_snapshot(&mut self.view, document, row, seq).await? {
                snapshots.push((seq, bytes));
            }
        }
        Ok(Some(StoredDocument { log: StoredLog { segments, rows, last }, snapshots }))
    }
}

enum Lock {
    /// A server runs.
    Theirs,
    /// None runs, and none can start; None where there is nothing to lock.
    Ours(Option<File>),
}

/// Takes the server's lock if it is there: it is not made here.
fn lock(database: &Path) -> Result<Lock, OpenError> {
    let path = seal::beside(database, ".lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Ours(None)),
        Err(source) => return Err(OpenError::File { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(Lock::Ours(Some(file))),
        Err(TryLockError::WouldBlock) => Ok(Lock::Theirs),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// What was found so far.
#[derive(Default)]
struct Faults {
    listed: Vec<Fault>,
    unlisted: u64,
}

impl Faults {
    fn add(&mut self, what: String) {
        self.push(Fault { document: None, what });
    }

    fn add_to(&mut self, document: &DocumentId, what: String) {
        self.push(Fault { document: Some(document.clone()), what });
    }

    /// Notes an error in reading `what`.
    fn unread<T>(&mut self, what: &str, read: Result<T, sqlx::Error>) -> Option<T> {
        read.map_err(|error| self.add(format!("{what} cannot be read: {error}"))).ok()
    }

    fn push(&mut self, fault: Fault) {
        if self.listed.len() < FAULTS_MAX {
            self.listed.push(fault);
        } else {
            self.unlisted += 1;
        }
    }

    fn list(mut self) -> Vec<Fault> {
        if self.unlisted > 0 {
            let what = format!("and {} more faults", self.unlisted);
            self.listed.push(Fault { document: None, what });
        }
        self.listed
    }
}
