//! The store: every update of every document, in order, in one SQLite database.
//!
//! The contract:
//! - **Order.** The updates of a document have `seq` 1, 2, 3 … without gaps, in the order in which
//!   [`Store::append`] was called. A row is never rewritten, only packed with its neighbours into a
//!   [`Segment`], which then stands for them. Restarts do not change that.
//! - **Durable.** With [`Durability::Disk`] an answered append is on disk (fsync) before the
//!   answer. With [`Durability::Process`] it then survives the death of this process, and it
//!   survives a power cut once [`Commit::durable`] resolves to `Ok`. Whoever acknowledges to a
//!   client waits for that. A load may show what is not durable yet.
//! - **A failed append** was not acknowledged, and is not in the log unless the failure struck
//!   between the write and the answer. Callers drop the replica and load again.
//! - **A dropped future** does not withdraw a request that is already queued.
//! - **A deleted document** keeps its rows. Nothing is added to it and it is not loaded, until it is
//!   brought back.
//! - **Rescued texts** are written with the append that cost them their place, or neither is.
//! - **A purged document** is gone, from the file as well. What stays is which client ids it used.
//! - **Reads** check every row. What does not match its checksum, or is missing, is an error, never
//!   an older or shorter document.
//!
//! Share links and revocations are kept here as well; what they mean is for `access` to say. What
//! is changed of them, and the creation or deletion of a document, is on disk before the answer,
//! with either durability.
//!
//! Only this module has SQL. It knows nothing of what the bytes mean.

mod checksum;
mod documents;
mod error;
pub mod fsck;
mod group_commit;
mod lineage;
mod links;
mod load;
mod log_writer;
mod open;
mod rescued;
mod revocations;
mod row_sums;
mod seal;
mod segments;
mod snapshots;
mod transaction;
mod versions;
mod wal;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
pub use crate::config::Durability;
use crate::id::{ConnectionId, DocumentId, LogRow, Seq};
use log_writer::{Change, Command, DocumentChange, LogWriter, Request, Written};
use open::Tuning;

pub use documents::{DocumentStatus, DocumentSummary};
pub use error::{AppendError, LoadError, OpenError};
pub use lineage::{BRANCHES_MAX, Branch, Purge, Remains};
pub use links::{ENDED_LINKS_MAX, ShareLink};
pub use rescued::{Aside, RESCUED_MAX, Rescued};
pub use revocations::{Revocation, RevocationKind};
pub use segments::{Moment, Packable, Segment};
pub use versions::{SESSION_VERSIONS_MAX, Version, VersionKind};

/// The longest update or snapshot, in bytes. Longer ones are [`AppendError::Refused`]; `config`
/// sets much smaller limits for what comes from the network.
pub const RECORD_BYTES_MAX: usize = 512 << 20;

/// Connections for loads, where the settings say nothing.
const READERS: u32 = 4;

/// Quarantined updates kept of one document; the oldest go first.
pub const QUARANTINE_ROWS_MAX: u32 = 100;

/// Everything [`Store::open`] needs.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database file. It and its directory are made when missing, for this user only.
    pub path: PathBuf,
    /// When an append is answered.
    pub durability: Durability,
    /// Requests that may wait for the log writer; further callers wait for a place.
    pub queue_len: usize,
    /// Bytes of updates and snapshots after which a transaction takes no further request.
    pub batch_bytes_max: usize,
    /// Connections for loads; further loads wait for one.
    pub readers: u32,
}

impl StoreOptions {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        Self {
            path: config.database.clone(),
            durability: config.durability,
            queue_len: config.limits.log_queue_len,
            batch_bytes_max: config.limits.log_batch_bytes_max,
            readers: READERS,
        }
    }
}

/// One update, as it goes into the log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// When the server took it, in unix milliseconds.
    pub at_ms: i64,
    /// The user who wrote it, if there was a login.
    pub author: Option<Arc<str>>,
    /// The connection that brought it.
    pub connection: ConnectionId,
    /// The update. Not empty by any rule of the store; it is not looked into.
    pub bytes: Bytes,
}

impl LogRecord {
    /// As a row of the log.
    pub fn row(self, seq: Seq) -> LogRow {
        let Self { at_ms, author, connection, bytes } = self;
        LogRow { seq, at_ms, author, connection, bytes }
    }
}

/// The answer to an append.
#[derive(Debug)]
pub struct Commit {
    /// The place of the last record of the request; those before it have the numbers before it.
    pub last: Seq,
    /// None: already on disk. Else resolves to `Ok` after the fsync. `Err` says that the fsync
    /// failed or will not happen: the update must not be acknowledged.
    pub durable: Option<oneshot::Receiver<()>>,
}

/// What is stored of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The newest snapshot whose checksum is right.
    pub snapshot: Option<(Seq, Bytes)>,
    /// The segments that hold updates after the snapshot, in order; the first may begin before it.
    pub segments: Vec<Segment>,
    /// The updates after snapshot and segments, in order.
    pub tail: Vec<Bytes>,
    /// The last update of the log; 0 when the document was never written.
    pub last: Seq,
    /// Sum of the lengths in `tail`.
    pub tail_bytes: usize,
    /// Which client ids the earlier, purged lives of the name have used: encoded Yjs state vectors.
    pub retired: Vec<Bytes>,
    /// The first update that has not been examined for text that lost its place. `None`, nearly
    /// always: all have been.
    pub examine_from: Option<Seq>,
}

/// A part of a document's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredLog {
    /// The segments that reach into the part, whole, in order: the first may begin before it, the
    /// last end after it.
    pub segments: Vec<Segment>,
    /// The rows of the part that are not packed, in order; they follow the segments.
    pub rows: Vec<LogRow>,
    /// The last update of the whole log; 0 when the document was never written.
    pub last: Seq,
}

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions committed.
    pub commits: u64,
    /// Requests answered well; divided by `commits` it is the size of a batch.
    pub requests: u64,
    /// Updates written to the log.
    pub rows: u64,
    /// Bytes of these updates.
    pub bytes: u64,
    /// Transactions that failed and were rolled back.
    pub failures: u64,
    /// Time spent in committed transactions, fsync included.
    pub commit_time: Duration,
    /// Requests that wait for the writer now.
    pub queued: usize,
}

/// The handle to an open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    commands: mpsc::Sender<Command>,
    readers: SqlitePool,
    state: Arc<State>,
    /// Its sender lives as long as the writer.
    writer_gone: watch::Receiver<()>,
}

/// What the writer and the handles both see.
#[derive(Default)]
struct State {
    commits: AtomicU64,
    requests: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    commit_micros: AtomicU64,
    /// Why nothing is written any more; never unset.
    broken: OnceLock<String>,
}

impl State {
    /// Ends all writing. The first reason stays.
    fn set_broken(&self, error: &io::Error) {
        if self.broken.set(error.to_string()).is_ok() {
            tracing::error!(%error, "the database is not written any more until a restart");
        }
    }
}

impl Store {
    /// Opens or makes the database, brings its schema up to date and starts the log writer.
    ///
    /// # Errors
    /// [`OpenError`]; a database that is not ours, or newer than this program, is left as it is.
    pub async fn open(options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_tuned(options, Tuning::default()).await
    }

    async fn open_tuned(options: StoreOptions, tuning: Tuning) -> Result<Self, OpenError> {
        let opened = open::open(&options, tuning).await?;
        let state = Arc::new(State::default());
        let readers = opened.readers.clone();
        let (commands, queue) = mpsc::channel(options.queue_len.max(1));
        let (alive, writer_gone) = watch::channel(());
        let writer = LogWriter::new(opened, &options, Arc::clone(&state));
        tokio::spawn(async move {
            writer.run(queue).await;
            drop(alive);
        });
        Ok(Self { commands, readers, state, writer_gone })
    }

    /// Loads the newest sound snapshot (older than `below`, if given) and every update after it.
    ///
    /// A document that was never written gives an empty [`Stored`] and leaves no trace. A snapshot
    /// with a wrong checksum is skipped with a warning; the whole log is the last resort.
    ///
    /// # Errors
    /// [`LoadError::Corrupt`] when an update is damaged or missing, [`LoadError::Deleted`] when the
    /// document is deleted.
    pub async fn load(
        &self,
        document: &DocumentId,
        below: Option<Seq>,
    ) -> Result<Stored, LoadError> {
        load::load(&self.readers, document, below).await
    }

    /// Reads the log of `document` after `after`, up to and with `until`, in one transaction.
    ///
    /// A document that was never written gives an empty [`StoredLog`]. What is in segments is
    /// checked as a whole; unpacking is for the caller.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn read_log(
        &self,
        document: &DocumentId,
        after: Seq,
        until: Seq,
    ) -> Result<StoredLog, LoadError> {
        load::read_log(&self.readers, document, after, until).await
    }

    /// Appends updates to the log of `document`, in order; all of them or none.
    ///
    /// Waits for a place in the queue. Requests are written in the order in which they got one. A
    /// caller whose next update builds on this one waits for the answer before it sends the next.
    ///
    /// # Errors
    /// See [`AppendError`]: nothing was acknowledged, and the next request is tried anew.
    /// [`AppendError::Deleted`] when the document is deleted, as for everything that would add to
    /// it.
    pub async fn append(
        &self,
        document: DocumentId,
        records: Vec<LogRecord>,
    ) -> Result<Commit, AppendError> {
        if records.is_empty() {
            return Err(AppendError::Refused { why: "there is nothing to append".into() });
        }
        for record in &records {
            check_len(record.bytes.len())?;
        }
        let append = DocumentChange::Append(records);
        let Written { done, durable } = self.request(Change::Document(document, append)).await?;
        Ok(Commit { last: done.last, durable })
    }

    /// Stores the whole state of `document` as of `seq`.
    ///
    /// The snapshot is read back and compared before it replaces older ones; after that only the
    /// newest two of the document are kept.
    ///
    /// # Errors [`AppendError::Refused`] when the log does not reach `seq`; [`AppendError::Failed`]
    /// when what is read back differs (that snapshot is then removed).
    pub async fn write_snapshot(
        &self,
        document: DocumentId,
        seq: Seq,
        bytes: Bytes,
        at_ms: i64,
    ) -> Result<(), AppendError> {
        check_len(bytes.len())?;
        let bytes = snapshots::compressed(bytes).await?;
        let request = |change| self.request(Change::Document(document.clone(), change));
        request(DocumentChange::Snapshot { seq, bytes: bytes.clone(), at_ms }).await?;
        let stored = load::load_snapshot(&self.readers, &document, seq).await;
        if stored.as_ref().is_ok_and(|stored| stored.as_ref() == Some(&bytes)) {
            request(DocumentChange::ThinSnapshots { newest: seq }).await?;
            return Ok(());
        }
        request(DocumentChange::DropSnapshot { seq }).await?;
        let why = match stored {
            Ok(_) => "the snapshot read back is not the one written".into(),
            Err(error) => format!("the snapshot cannot be read back: {error}"),
        };
        Err(AppendError::Failed { why })
    }

    /// Keeps an update that could not be taken, with the reason; at most [`QUARANTINE_ROWS_MAX`] of
    /// a document.
    ///
    /// # Errors As [`Self::append`].
    pub async fn quarantine(
        &self,
        document: DocumentId,
        record: LogRecord,
        reason: String,
    ) -> Result<(), AppendError> {
        check_len(record.bytes.len())?;
        let quarantine = DocumentChange::Quarantine { record, reason };
        self.request(Change::Document(document, quarantine)).await?;
        Ok(())
    }

    /// Whether the database can be read and the writer takes requests. One trivial read.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] with the reason.
    pub async fn check(&self) -> Result<(), LoadError> {
        if self.commands.is_closed() {
            return Err(LoadError::Unavailable { why: AppendError::Closed.to_string() });
        }
        if let Some(why) = self.state.broken.get() {
            let broken = AppendError::Broken { why: why.clone() };
            return Err(LoadError::Unavailable { why: broken.to_string() });
        }
        load::check(&self.readers).await
    }

    /// Writes the file anew, without the room that nothing takes up, and needs as much of it
    /// meanwhile. Nothing else is written until it is done.
    ///
    /// # Errors
    /// As [`Self::append`]; the database is as it was.
    pub async fn compact(&self) -> Result<(), AppendError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Compact(answer)).await.map_err(|_| AppendError::Closed)?;
        answered.await.map_err(|_| AppendError::Closed)?
    }

    /// Answers what is queued, folds the WAL into the database and releases the lock. Other clones
    /// get [`AppendError::Closed`] from then on. Returns when the writer has ended.
    pub async fn close(mut self) {
        // An error says that the writer has already ended, or that another clone closes.
        let _ = self.commands.send(Command::Close).await;
        while self.writer_gone.changed().await.is_ok() {}
    }

    /// The counters of this store.
    pub fn stats(&self) -> StoreStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            commits: get(&self.state.commits),
            requests: get(&self.state.requests),
            rows: get(&self.state.rows),
            bytes: get(&self.state.bytes),
            failures: get(&self.state.failures),
            commit_time: Duration::from_micros(get(&self.state.commit_micros)),
            queued: self.commands.max_capacity() - self.commands.capacity(),
        }
    }

    /// Whether `change` found anything to do; answered when it is on disk.
    async fn change(&self, change: Change) -> Result<bool, AppendError> {
        let Written { done, durable } = self.request(change).await?;
        if let Some(durable) = durable
            && durable.await.is_err()
        {
            let why = self.state.broken.get();
            return Err(
                why.map_or(AppendError::Closed, |why| AppendError::Broken { why: why.clone() })
            );
        }
        Ok(done.changed)
    }

    async fn request(&self, change: Change) -> Result<Written, AppendError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { change, answer };
        self.commands.send(Command::Write(request)).await.map_err(|_| AppendError::Closed)?;
        answered.await.map_err(|_| AppendError::Closed)?
    }
}

fn check_len(len: usize) -> Result<(), AppendError> {
    if len > RECORD_BYTES_MAX {
        let why = format!("{len} bytes are over the limit of {RECORD_BYTES_MAX}");
        return Err(AppendError::Refused { why });
    }
    Ok(())
}
