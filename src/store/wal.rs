//! Fsync of the write-ahead log by our own hand.
//!
//! With [`Durability::Process`](super::Durability::Process) SQLite commits without an fsync; here
//! one fsync makes everything durable that was committed before it began. Not used to write
//! anything.
//!
//! The rule: after a failed fsync nothing is ever reported as durable again. Linux marks the pages
//! it could not write as clean, so the next fsync would succeed without them.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::State;

/// Batches that may wait for the fsync in progress; then the log writer waits.
const BATCHES_WAITING_MAX: usize = 64;

/// How a file is brought to the disk; tests put their own in its place.
pub(super) type SyncFile = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// A handle of our own on the `-wal` file, kept as long as the database is open.
///
/// It must be opened before anything is written through it that matters: a write error that happens
/// before is reported to nobody who opens later. SQLite keeps the same file while a connection is
/// open.
pub(super) struct WalFile {
    file: File,
    path: PathBuf,
    sync_file: SyncFile,
}

impl WalFile {
    /// Opens the WAL of `database`. A connection must have read or written it before, and stay
    /// open.
    pub(super) fn open(database: &Path, sync_file: SyncFile) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let path = PathBuf::from(path);
        let file = File::options().read(true).write(true).open(&path)?;
        Ok(Self { file, path, sync_file })
    }

    /// Brings everything to the disk that was committed before the call. Blocks.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.check()?;
        (self.sync_file)(&self.file)
    }

    /// Fails when somebody has removed or replaced the file that SQLite writes to: a restart would
    /// not find what is written to it now.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_in_place() {
            return Ok(());
        }
        Err(io::Error::other(format!("{:?} was removed or replaced", self.path)))
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let file = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let named = fs::metadata(&self.path).map(file);
        self.file.metadata().map(file).is_ok_and(|ours| named.is_ok_and(|named| named == ours))
    }

    /// Open files cannot be removed on the other systems.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        self.path.exists()
    }
}

/// Those who wait for one commit to be durable.
pub(super) type Waiting = Vec<oneshot::Sender<()>>;

/// The task that fsyncs the WAL, once for all commits that wait.
pub(super) struct WalSyncer {
    batches: mpsc::Sender<Waiting>,
    task: JoinHandle<()>,
}

impl WalSyncer {
    pub(super) fn spawn(wal: Arc<WalFile>, state: Arc<State>) -> Self {
        let (batches, queue) = mpsc::channel(BATCHES_WAITING_MAX);
        let task = tokio::spawn(sync_batches(wal, queue, state));
        Self { batches, task }
    }

    /// Answers `waiting` once everything committed until now is on disk; drops them if it fails.
    pub(super) async fn sync(&self, waiting: Waiting) {
        // The task ends early only after a failure; then dropping them is the answer.
        let _ = self.batches.send(waiting).await;
    }

    /// Answers everybody who waits, then ends.
    pub(super) async fn close(self) {
        drop(self.batches);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task that fsyncs the WAL has died");
        }
    }
}

async fn sync_batches(wal: Arc<WalFile>, mut queue: mpsc::Receiver<Waiting>, state: Arc<State>) {
    while let Some(mut waiting) = queue.recv().await {
        while let Ok(more) = queue.try_recv() {
            waiting.extend(more);
        }
        // What was committed is shown to others first: waking another thread takes longer than that.
        tokio::task::yield_now().await;
        let wal = Arc::clone(&wal);
        let synced = tokio::task::spawn_blocking(move || wal.sync()).await;
        if let Err(error) = synced.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            state.set_broken(&error);
            return;
        }
        for answer in waiting {
            // The caller may have stopped waiting.
            let _ = answer.send(());
        }
    }
}
