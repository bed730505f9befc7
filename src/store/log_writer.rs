//! The log writer: the one task that writes to the database, with group commit.
//!
//! It takes whatever is queued, writes it in one transaction and answers everybody; meanwhile the
//! queue fills again, so that batches grow with the load and latency stays at about one commit.
//!
//! The rule: an answer leaves after the COMMIT, and `seq` is counted on only by a COMMIT. A
//! transaction that failed costs its connection; the next one begins with a fresh connection and
//! asks the database again.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::error::result_code;
use super::group_commit::GroupCommit;
use super::lineage::Purge;
use super::links::LinkChange;
use super::open::Opened;
use super::revocations::RevocationChange;
use super::transaction::{self, Answers, Committed, Done, Head};
use super::versions::VersionChange;
use super::wal::{Waiting, WalFile, WalSyncer};
use super::{AppendError, Aside, Durability, LogRecord, Segment, State, StoreOptions, seal};
use crate::id::{DocumentId, Seq};

/// Documents whose place in the log is remembered; past that all are asked for anew.
const HEADS_MAX: usize = 16_384;

/// What a row costs beside its bytes, so that a batch of tiny updates ends as well.
const ROW_BYTES: usize = 64;

/// What travels to the log writer.
pub(super) enum Command {
    Write(Request),
    /// Write the file anew, without the room that nothing takes up.
    Compact(oneshot::Sender<Result<(), AppendError>>),
    /// Write what is queued, then end.
    Close,
}

/// One change.
pub(super) struct Request {
    pub(super) change: Change,
    /// The caller may be gone: then nobody hears the answer, and the change stands.
    pub(super) answer: oneshot::Sender<Result<Written, AppendError>>,
}

/// The good answer to a request.
pub(super) struct Written {
    pub(super) done: Done,
    /// As [`Commit::durable`](super::Commit::durable).
    pub(super) durable: Option<oneshot::Receiver<()>>,
}

/// What is to be written.
pub(super) enum Change {
    Document(DocumentId, DocumentChange),
    Link(LinkChange),
    Revocation(RevocationChange),
    DeleteBranch { id: String },
}

/// What is to be written of one document.
pub(super) enum DocumentChange {
    Create {
        at_ms: i64,
    },
    Delete {
        at_ms: i64,
    },
    Undelete,
    Append(Vec<LogRecord>),
    AppendWithAside {
        records: Vec<LogRecord>,
        aside: Aside,
    },
    Snapshot {
        seq: Seq,
        bytes: Bytes,
        at_ms: i64,
    },
    /// Removes all snapshots older than the one before `newest`.
    ThinSnapshots {
        newest: Seq,
    },
    DropSnapshot {
        seq: Seq,
    },
    Quarantine {
        record: LogRecord,
        reason: String,
    },
    WriteSegment(Segment),
    ReplaceSegments {
        old: Vec<(Seq, Seq)>,
        new: Vec<Segment>,
    },
    Version(VersionChange),
    Purge(Purge),
    KeepBranch {
        id: String,
        record: LogRecord,
    },
    DeleteRescued {
        id: String,
    },
}

impl Change {
    /// Whether it touches nothing but logs and snapshots, of documents that are there.
    pub(super) fn is_log_only(&self) -> bool {
        matches!(self, Self::Document(_, change) if change.is_log_only())
    }

    /// The document that it is about, if it is about one.
    fn document(&self) -> Option<&DocumentId> {
        match self {
            Self::Document(document, _) => Some(document),
            Self::Link(_) | Self::Revocation(_) | Self::DeleteBranch { .. } => None,
        }
    }

    /// Whether it may leave much of the file free.
    pub(super) fn frees_pages(&self) -> bool {
        use DocumentChange::{Purge, ReplaceSegments, WriteSegment};
        matches!(self, Self::Document(_, WriteSegment(_) | ReplaceSegments { .. } | Purge(_)))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Document(_, change) => change.bytes(),
            Self::Link(_) | Self::Revocation(_) | Self::DeleteBranch { .. } => ROW_BYTES,
        }
    }

    /// Whether what it removes must not be found in the files any more.
    fn removes_for_good(&self) -> bool {
        matches!(self, Self::DeleteBranch { .. } | Self::Document(_, DocumentChange::Purge(_)))
    }
}

impl DocumentChange {
    /// As [`Change::is_log_only`].
    fn is_log_only(&self) -> bool {
        match self {
            Self::AppendWithAside { aside, .. } => aside.rescued.is_empty(),
            Self::Append(_)
            | Self::Snapshot { .. }
            | Self::ThinSnapshots { .. }
            | Self::DropSnapshot { .. }
            | Self::WriteSegment(_)
            | Self::ReplaceSegments { .. } => true,
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append(records) => records.iter().map(row_bytes).sum(),
            Self::AppendWithAside { records, aside } => {
                ROW_BYTES + aside.bytes() + records.iter().map(row_bytes).sum::<usize>()
            }
            Self::Snapshot { bytes, .. } => ROW_BYTES + bytes.len(),
            Self::Quarantine { record, .. } | Self::KeepBranch { record, .. } => row_bytes(record),
            Self::Purge(purge) => ROW_BYTES + purge.clocks.len(),
            Self::WriteSegment(segment) => ROW_BYTES + segment.bytes.len(),
            Self::ReplaceSegments { new, .. } => {
                new.iter().map(|segment| ROW_BYTES + segment.bytes.len()).sum()
            }
            Self::Version(_)
            | Self::DeleteRescued { .. }
            | Self::Create { .. }
            | Self::Delete { .. }
            | Self::Undelete
            | Self::ThinSnapshots { .. }
            | Self::DropSnapshot { .. } => ROW_BYTES,
        }
    }

    /// Whether a deleted document refuses it. What only removes a snapshot, which is a cache, ends
    /// the work on one that was written before; packing adds nothing, a branch lies beside it.
    pub(super) fn adds(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Append(_)
            | Self::AppendWithAside { .. }
            | Self::Snapshot { .. }
            | Self::Quarantine { .. }
            | Self::Version(_) => true,
            Self::Delete { .. }
            | Self::Undelete
            | Self::WriteSegment(_)
            | Self::ReplaceSegments { .. }
            | Self::Purge(_)
            | Self::KeepBranch { .. }
            | Self::DeleteRescued { .. }
            | Self::ThinSnapshots { .. }
            | Self::DropSnapshot { .. } => false,
        }
    }

    /// Whether it must stay in order with the others of its document, come what may.
    fn is_ordered(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Delete { .. }
            | Self::Undelete
            | Self::Purge(_)
            | Self::Append(_)
            | Self::AppendWithAside { .. } => true,
            Self::Snapshot { .. }
            | Self::ThinSnapshots { .. }
            | Self::DropSnapshot { .. }
            | Self::Quarantine { .. }
            | Self::KeepBranch { .. }
            | Self::DeleteRescued { .. }
            | Self::WriteSegment(_)
            | Self::ReplaceSegments { .. }
            | Self::Version(_) => false,
        }
    }
}

fn row_bytes(record: &LogRecord) -> usize {
    ROW_BYTES + record.bytes.len()
}

/// A transaction that failed.
struct Failed {
    error: AppendError,
    /// Nothing would get through now, whatever it is: no use in trying the requests one by one.
    everybodys: bool,
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        const SQLITE_BUSY: i32 = 5;
        const SQLITE_LOCKED: i32 = 6;
        const SQLITE_READONLY: i32 = 8;
        const SQLITE_IOERR: i32 = 10;
        const SQLITE_FULL: i32 = 13;
        const SQLITE_CANTOPEN: i32 = 14;

        let why = error.to_string();
        match result_code(&error) {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => {
                Self { error: AppendError::Busy { why }, everybodys: true }
            }
            // Without the largest request the others may still fit.
            Some(SQLITE_FULL) => Self { error: AppendError::Full { why }, everybodys: false },
            Some(SQLITE_READONLY | SQLITE_IOERR | SQLITE_CANTOPEN) | None => {
                Self { error: AppendError::Failed { why }, everybodys: true }
            }
            // A damaged page or a row that should not be there belongs to one document.
            Some(_) => Self { error: AppendError::Failed { why }, everybodys: false },
        }
    }
}

/// See the head of this file.
pub(super) struct LogWriter {
    connection: Option<SqliteConnection>,
    connect: SqliteConnectOptions,
    /// Closed before the last write connection, so that this one can fold the WAL in.
    readers: SqlitePool,
    wal: Arc<WalFile>,
    /// Only with [`Durability::Process`].
    syncer: Option<WalSyncer>,
    heads: HashMap<DocumentId, Head>,
    group_commit: GroupCommit,
    batch_bytes_max: usize,
    state: Arc<State>,
    /// The database file.
    path: PathBuf,
    /// Held as long as anything can be written.
    _lock: File,
}

impl LogWriter {
    pub(super) fn new(opened: Opened, options: &StoreOptions, state: Arc<State>) -> Self {
        let wal = Arc::new(opened.wal);
        let syncer = match options.durability {
            Durability::Disk => None,
            Durability::Process => Some(WalSyncer::spawn(Arc::clone(&wal), Arc::clone(&state))),
        };
        Self {
            connection: Some(opened.writer),
            connect: opened.connect_writer,
            readers: opened.readers,
            wal,
            syncer,
            heads: HashMap::new(),
            group_commit: GroupCommit::default(),
            batch_bytes_max: options.batch_bytes_max,
            state,
            path: opened.path,
            _lock: opened.lock,
        }
    }

    /// Serves until [`Command::Close`] or until no handle is left.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.recv().await {
            if let Some(due) = self.group_commit.due() {
                sleep_until(due).await;
            }
            let (batch, compacting) = self.fill_batch(command, &mut queue);
            self.write_batch(batch).await;
            for answer in compacting {
                // Whoever asked may have gone.
                let _ = answer.send(self.compact().await);
            }
        }
        self.finish().await;
    }

    /// `first` and what waits behind it, as far as it fits.
    fn fill_batch(
        &self,
        first: Command,
        queue: &mut mpsc::Receiver<Command>,
    ) -> (Vec<Request>, Vec<oneshot::Sender<Result<(), AppendError>>>) {
        let (mut batch, mut compacting) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Write(request) => {
                    bytes += request.change.bytes();
                    batch.push(request);
                }
                Command::Compact(answer) => compacting.push(answer),
                // What is already queued still comes out; nobody can add to it.
                Command::Close => queue.close(),
            }
            next = if bytes < self.batch_bytes_max { queue.try_recv().ok() } else { None };
        }
        (batch, compacting)
    }

    /// Writes the file anew. Nothing else is written meanwhile.
    async fn compact(&mut self) -> Result<(), AppendError> {
        if let Some(why) = self.state.broken.get() {
            return Err(AppendError::Broken { why: why.clone() });
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect.connect().await.map_err(|error| Failed::from(error).error)?,
        };
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            if let Err(error) = sqlx::query(statement).execute(&mut connection).await {
                // As after a transaction that failed.
                let _ = connection.close().await;
                return Err(Failed::from(error).error);
            }
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Writes a batch in one transaction. If that fails and the fault may be that of one document
    /// or of one snapshot, smaller transactions let the others through.
    async fn write_batch(&mut self, batch: Vec<Request>) {
        if batch.is_empty() {
            return;
        }
        let documents = batch.iter().filter_map(|request| request.change.document());
        self.group_commit.begins(Instant::now(), documents);
        let result = self.transact(&batch).await;
        match result {
            Err(failed) if !failed.everybodys && batch.len() > 1 => {
                for requests in split(batch) {
                    let result = self.transact(&requests).await;
                    self.answer(requests, result).await;
                }
            }
            result => self.answer(batch, result).await,
        }
    }

    async fn answer(&self, requests: Vec<Request>, result: Result<Answers, Failed>) {
        let answers = match result {
            Ok(answers) => answers,
            Err(Failed { error, .. }) => vec![Err(error); requests.len()],
        };
        let mut waiting = Waiting::new();
        for (request, answer) in requests.into_iter().zip(answers) {
            let written = answer.map(|done| {
                let durable = self.syncer.is_some().then(|| {
                    let (synced, durable) = oneshot::channel();
                    waiting.push(synced);
                    durable
                });
                Written { done, durable }
            });
            // The caller may have stopped waiting.
            let _ = request.answer.send(written);
        }
        if let Some(syncer) = &self.syncer
            && !waiting.is_empty()
        {
            syncer.sync(waiting).await;
        }
    }

    /// Writes all of `requests` or nothing, and keeps the connection only if that went well.
    async fn transact(&mut self, requests: &[Request]) -> Result<Answers, Failed> {
        if let Some(why) = self.state.broken.get() {
            // The fsync of an earlier commit may have noticed first that the WAL is gone.
            if let Err(lost) = self.wal.check() {
                return Err(self.fold_in_lost_wal(&lost).await);
            }
            let error = AppendError::Broken { why: why.clone() };
            return Err(Failed { error, everybodys: true });
        }
        let started = Instant::now();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.connect.connect().await {
                Ok(connection) => connection,
                Err(error) => return Err(self.failed(error)),
            },
        };
        match transaction::write(&mut connection, &self.heads, requests).await {
            Ok(committed) => {
                self.connection = Some(connection);
                if let Err(lost) = self.wal.check() {
                    return Err(self.fold_in_lost_wal(&lost).await);
                }
                if requests.iter().any(|request| request.change.removes_for_good()) {
                    self.empty_wal().await;
                }
                self.count(&committed, started);
                self.remember(committed.heads);
                Ok(committed.answers)
            }
            Err(error) => {
                // SQLite may or may not have rolled back by itself; closing settles it, and whether
                // closing went well changes nothing.
                let _ = connection.close().await;
                Err(self.failed(error))
            }
        }
    }

    /// What was removed for good is still in the WAL, which lies beside the database as long as
    /// somebody reads: it is folded in and emptied.
    async fn empty_wal(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let truncate = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
        match truncate.fetch_one(connection).await {
            Ok((0, ..)) => {}
            Ok(_) => tracing::warn!("the WAL is being read; it is emptied with the next purge"),
            Err(error) => tracing::warn!(%error, "the WAL could not be emptied after a purge"),
        }
    }

    /// Somebody removed the WAL. A restart would not find it, but SQLite still has it open: folded
    /// in now, nothing is lost that was answered.
    async fn fold_in_lost_wal(&mut self, lost: &io::Error) -> Failed {
        self.state.set_broken(lost);
        if let Some(connection) = &mut self.connection {
            let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
            if let Err(error) = folded {
                tracing::error!(%error, "a removed WAL cannot be folded in, its commits are lost");
            }
        }
        self.state.failures.fetch_add(1, Ordering::Relaxed);
        Failed { error: AppendError::Broken { why: lost.to_string() }, everybodys: true }
    }

    fn failed(&mut self, error: sqlx::Error) -> Failed {
        self.state.failures.fetch_add(1, Ordering::Relaxed);
        // What we believed about these documents may be what was wrong.
        self.heads.clear();
        error.into()
    }

    fn count(&self, committed: &Committed, started: Instant) {
        let add = |counter: &AtomicU64, value: u64| counter.fetch_add(value, Ordering::Relaxed);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&self.state.commits, 1);
        add(&self.state.commit_micros, micros);
        add(&self.state.requests, committed.answers.len() as u64);
        add(&self.state.rows, committed.rows);
        add(&self.state.bytes, committed.bytes);
    }

    fn remember(&mut self, heads: HashMap<DocumentId, Head>) {
        if self.heads.len() + heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        self.heads.extend(heads);
    }

    /// Ends in order: everything durable, readers gone, WAL folded in, file sealed, lock released.
    async fn finish(mut self) {
        if let Some(syncer) = self.syncer.take() {
            syncer.close().await;
        }
        self.readers.close().await;
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.state.broken.get().is_some() && self.wal.check().is_ok() {
            // Closing would fold in a WAL that the disk may not have. The next start reads it from
            // the disk and takes what matches SQLite's own checksums.
            std::mem::forget(connection);
            return;
        }
        // The last connection to close folds the WAL into the database and removes it.
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "closing the database failed; the next start recovers its WAL");
            return;
        }
        self.seal().await;
    }

    /// Seals the database file, unless another program still has it open.
    async fn seal(&self) {
        let path = self.path.clone();
        let sealed = tokio::task::spawn_blocking(move || {
            if seal::beside(&path, "-wal").exists() {
                return Ok(());
            }
            seal::write(&path)
        });
        let sealed = sealed.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        if let Err(error) = sealed {
            tracing::warn!(%error, "the database could not be sealed");
        }
    }
}

/// Divides a batch, in order. The appends of a document stay together: when the first fails, what
/// was meant to follow it must not get through. So do its creation and deletion, or an append would
/// get past them. Everything else stands alone: no append fails because a snapshot finds no space.
fn split(batch: Vec<Request>) -> Vec<Vec<Request>> {
    let mut places: HashMap<DocumentId, usize> = HashMap::new();
    let mut groups: Vec<Vec<Request>> = Vec::new();
    for request in batch {
        let place = match &request.change {
            Change::Document(document, change) if change.is_ordered() => {
                *places.entry(document.clone()).or_insert(groups.len())
            }
            _ => groups.len(),
        };
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(request);
    }
    groups
}
