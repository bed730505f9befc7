//! Where the past of documents is asked for: reads the log, keeps what was built from it.
//!
//! A [`Past`] is built from the whole log once and extended by what has come since; those asked for
//! last are kept, up to a number of bytes. Building and walking happen on blocking threads, few at a
//! time, so that nobody who types waits for somebody who reads old moments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::crdt::pack::unpack;
use crate::crdt::{Past, PastError, Replica};
use crate::id::{DocumentId, LogRow, Seq};
use crate::store::{DocumentSummary, LoadError, LogRecord, Moment, Store, StoredLog};

/// Pasts that are built or walked at the same time.
const AT_ONCE: usize = 2;

/// Why the past cannot be read. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LoadError),
    /// It is read, and does not make sense.
    #[error("the history of this document cannot be read: {0}")]
    Damaged(String),
    /// Thinning has put the moment together with others.
    #[error(
        "the moment {asked} was thinned away; the nearest that are kept are {before} and {after}"
    )]
    Thinned {
        /// What was asked for.
        asked: Seq,
        /// The last one before it; 0 is the empty document.
        before: Seq,
        /// The first one after it.
        after: Seq,
    },
    /// The log does not reach so far.
    #[error("the document's log ends at {last}, there is no {asked}")]
    Beyond {
        /// What was asked for.
        asked: Seq,
        /// The last one.
        last: Seq,
    },
}

impl From<PastError> for HistoryError {
    fn from(e: PastError) -> Self {
        Self::Damaged(e.to_string())
    }
}

/// The past of all documents. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    store: Store,
    shelves: Arc<Mutex<Shelves>>,
    desks: Arc<Semaphore>,
}

/// One life of a name: a document that was purged and made again is another one.
type Life = (DocumentId, i64);

/// What is kept, by when it was asked for.
struct Shelves {
    bytes_max: usize,
    asked: u64,
    pasts: HashMap<Life, Shelf>,
}

struct Shelf {
    past: Arc<tokio::sync::Mutex<Past>>,
    bytes: usize,
    asked: u64,
}

impl Archive {
    /// Keeps about `bytes_max` bytes of what it has built.
    pub fn new(store: Store, bytes_max: usize) -> Self {
        let shelves = Shelves { bytes_max, asked: 0, pasts: HashMap::new() };
        let desks = Arc::new(Semaphore::new(AT_ONCE));
        Self { store, shelves: Arc::new(Mutex::new(shelves)), desks }
    }

    /// Asks something of a document's past, as the log is now.
    ///
    /// # Errors
    /// [`HistoryError`]
    pub async fn read<T: Send + 'static>(
        &self,
        document: &DocumentSummary,
        question: impl FnOnce(&Past) -> T + Send + 'static,
    ) -> Result<T, HistoryError> {
        let _desk = self.desk().await;
        let life = (document.id.clone(), document.created_at_ms);
        let mut past = self.shelf(&life).lock_owned().await;
        let log = self.store.read_log(&document.id, past.last(), Seq(u64::MAX)).await?;
        let answering = spawn_blocking(move || {
            extend(&mut past, log).map(|()| (question(&past), past.weight()))
        });
        match joined(answering.await)? {
            Ok((answer, bytes)) => {
                self.shelves().weigh(&life, bytes);
                Ok(answer)
            }
            Err(e) => {
                self.shelves().pasts.remove(&life);
                Err(e)
            }
        }
    }

    /// Asks something of a document's past as it will be when `records` are in the log, too. Does not
    /// wait for those who read old moments.
    ///
    /// # Errors
    /// [`HistoryError`]
    pub async fn ahead<T: Send + 'static>(
        &self,
        document: &DocumentId,
        records: Vec<LogRecord>,
        question: impl FnOnce(&Past) -> T + Send + 'static,
    ) -> Result<T, HistoryError> {
        let summary = self.store.summary(document).await?;
        let life = (document.clone(), summary.map_or(0, |summary| summary.created_at_ms));
        let mut past = self.shelf(&life).lock_owned().await;
        let log = self.store.read_log(document, past.last(), Seq(u64::MAX)).await?;
        let answering = spawn_blocking(move || {
            extend(&mut past, log)?;
            let bytes = past.weight();
            let mut ahead = past.clone();
            drop(past);
            let rows = (ahead.last().0 + 1..).zip(records);
            let rows: Vec<LogRow> = rows.map(|(seq, record)| record.row(Seq(seq))).collect();
            ahead.extend(&rows)?;
            Ok((question(&ahead), bytes))
        });
        let answer: Result<(T, usize), HistoryError> = joined(answering.await)?;
        match answer {
            Ok((answer, bytes)) => {
                self.shelves().weigh(&life, bytes);
                Ok(answer)
            }
            Err(e) => {
                self.shelves().pasts.remove(&life);
                Err(e)
            }
        }
    }

    /// Whether a place of the log up to its end is a moment that can be read.
    ///
    /// # Errors
    /// [`HistoryError::Thinned`]
    pub async fn check(&self, document: &DocumentSummary, seq: Seq) -> Result<(), HistoryError> {
        if seq == Seq(0) || seq == document.last {
            return Ok(());
        }
        let (before, after) = self.read(document, move |past| past.row_of(seq)).await?;
        if after == seq { Ok(()) } else { Err(HistoryError::Thinned { asked: seq, before, after }) }
    }

    /// The rows after `after`, up to and with `until`.
    ///
    /// # Errors
    /// [`HistoryError`]
    pub async fn rows(
        &self,
        document: &DocumentId,
        after: Seq,
        until: Seq,
    ) -> Result<Vec<LogRow>, HistoryError> {
        let _desk = self.desk().await;
        self.unpacked(document, after, until).await
    }

    async fn unpacked(
        &self,
        document: &DocumentId,
        after: Seq,
        until: Seq,
    ) -> Result<Vec<LogRow>, HistoryError> {
        let log = self.store.read_log(document, after, until).await?;
        joined(spawn_blocking(move || rows(log, after, until)).await)?
    }

    /// The whole state as of `seq`, as one Yjs v1 update.
    ///
    /// # Errors
    /// [`HistoryError`]
    pub async fn state(&self, document: &DocumentId, seq: Seq) -> Result<Bytes, HistoryError> {
        let _desk = self.desk().await;
        let rows = self.unpacked(document, Seq(0), seq).await?;
        let restoring = spawn_blocking(move || {
            let updates: Vec<Bytes> = rows.into_iter().map(|row| row.bytes).collect();
            let restored = Replica::restore(None, &updates);
            restored.map(|mut replica| replica.encode_full())
        });
        joined(restoring.await)?.map_err(|e| HistoryError::Damaged(e.to_string()))
    }

    /// The last row that is not later than a time.
    ///
    /// # Errors
    /// [`HistoryError`]
    pub async fn seq_at(&self, document: &DocumentId, at_ms: i64) -> Result<Seq, HistoryError> {
        match self.store.seq_at(document, at_ms).await? {
            Moment::After(seq) => Ok(seq),
            Moment::Within(segment) => {
                let rows = unpack(&segment.bytes);
                let rows = rows.map_err(|e| HistoryError::Damaged(e.to_string()))?;
                let before = Seq(segment.first.0 - 1);
                Ok(rows.iter().rfind(|row| row.at_ms <= at_ms).map_or(before, |row| row.seq))
            }
        }
    }

    /// Waits for a place to work at. Whoever reads a whole document holds one, or many who read at once
    /// would fill the memory.
    pub async fn desk(&self) -> impl Drop + use<'_> {
        self.desks.acquire().await.expect("the desks are never closed")
    }

    /// Lets go of what was built of a document: it is gone.
    pub fn forget(&self, document: &DocumentId) {
        self.shelves().pasts.retain(|(kept, _), _| kept != document);
    }

    fn shelf(&self, life: &Life) -> Arc<tokio::sync::Mutex<Past>> {
        let mut shelves = self.shelves();
        shelves.asked += 1;
        let asked = shelves.asked;
        let shelf = shelves.pasts.entry(life.clone()).or_insert_with(|| Shelf {
            past: Arc::default(),
            bytes: 0,
            asked,
        });
        shelf.asked = asked;
        shelf.past.clone()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // What is kept can be built again; a panic meanwhile leaves it as it was.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    /// Notes what a past weighs, and lets go of those that nobody has asked for longest.
    fn weigh(&mut self, life: &Life, bytes: usize) {
        if let Some(shelf) = self.pasts.get_mut(life) {
            shelf.bytes = bytes;
        }
        let mut all: usize = self.pasts.values().map(|shelf| shelf.bytes).sum();
        while all > self.bytes_max {
            let oldest = self.pasts.iter().min_by_key(|(_, shelf)| shelf.asked);
            let Some(oldest) = oldest.map(|(life, _)| life.clone()) else { break };
            all -= self.pasts.remove(&oldest).map_or(0, |shelf| shelf.bytes);
        }
    }
}

fn extend(past: &mut Past, log: StoredLog) -> Result<(), HistoryError> {
    let rows = rows(log, past.last(), Seq(u64::MAX))?;
    Ok(past.extend(&rows)?)
}

/// The rows of a part of the log, unpacked.
fn rows(log: StoredLog, after: Seq, until: Seq) -> Result<Vec<LogRow>, HistoryError> {
    let mut all = Vec::new();
    for segment in log.segments {
        let unpacked = unpack(&segment.bytes);
        let unpacked = unpacked.map_err(|e| HistoryError::Damaged(e.to_string()))?;
        all.extend(unpacked.into_iter().filter(|row| after < row.seq && row.seq <= until));
    }
    all.extend(log.rows);
    Ok(all)
}

fn joined<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, HistoryError> {
    result.map_err(|e| HistoryError::Damaged(format!("reading was interrupted: {e}")))
}
