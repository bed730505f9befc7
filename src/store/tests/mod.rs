//! Tests of the store through its handle, on real files.
//!
//! Damage is done with a second SQLite connection, as somebody with a shell would.

mod access;
mod damage;
mod documents;
mod durability;
mod failures;
mod fsck;
mod lineage;
mod log;
mod migration;
mod opening;
mod packing;
mod rescued;
mod versions;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use super::*;

/// A directory with a database in it; removed at the end.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("notes.db")
    }

    fn options(&self, durability: Durability) -> StoreOptions {
        StoreOptions {
            path: self.database(),
            durability,
            queue_len: 1000,
            batch_bytes_max: 1 << 20,
            readers: 2,
        }
    }

    async fn open(&self) -> Store {
        self.open_tuned(Durability::Disk, Tuning::default()).await
    }

    async fn open_tuned(&self, durability: Durability, tuning: Tuning) -> Store {
        Store::open_tuned(self.options(durability), tuning).await.unwrap()
    }

    /// A connection that knows nothing of the store, as the sqlite3 shell.
    async fn shell(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.database())
            .create_if_missing(true)
            .connect()
            .await
            .unwrap()
    }

    async fn sql(&self, statement: &str) {
        let mut shell = self.shell().await;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();
    }

    async fn number(&self, statement: &str) -> i64 {
        let mut shell = self.shell().await;
        let number = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut shell).await;
        shell.close().await.unwrap();
        number.unwrap()
    }
}

fn document(name: &str) -> DocumentId {
    DocumentId::parse(name).unwrap()
}

fn record(bytes: impl Into<Bytes>) -> LogRecord {
    LogRecord {
        at_ms: 1_700_000_000_000,
        author: None,
        connection: ConnectionId(7),
        bytes: bytes.into(),
    }
}

/// Updates that say their own number.
fn records(numbers: RangeInclusive<u64>) -> Vec<LogRecord> {
    numbers.map(|number| record(number.to_string())).collect()
}

fn numbers(stored: &Stored) -> Vec<u64> {
    stored.tail.iter().map(|bytes| std::str::from_utf8(bytes).unwrap().parse().unwrap()).collect()
}

async fn append(store: &Store, name: &str, numbers: RangeInclusive<u64>) -> Seq {
    store.append(document(name), records(numbers)).await.unwrap().last
}

async fn load(store: &Store, name: &str) -> Stored {
    store.load(&document(name), None).await.unwrap()
}

/// Sends requests that are all queued before the writer sees the first of them: on a runtime of one
/// thread nothing else runs while they are sent.
fn queue_all<'a>(
    store: &'a Store,
    requests: impl IntoIterator<Item = (&'a str, Vec<LogRecord>)>,
) -> impl Future<Output = Vec<Result<Commit, AppendError>>> {
    let appends: Vec<_> =
        requests.into_iter().map(|(name, records)| store.append(document(name), records)).collect();
    futures_util::future::join_all(appends)
}
