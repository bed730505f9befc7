//! Opening the database: directory, lock, schema, connections and what they are set to.
//!
//! The rule: what is not ours, or is newer than this program, is left exactly as it is.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::wal::{SyncFile, WalFile};
use super::{Durability, OpenError, StoreOptions, load, row_sums, seal};

/// How long a statement waits for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a load waits for a free connection.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that SQLite's thread may read ahead of a load (260,000 updates: 0.2 to 0.3 s; with
/// sqlx's 50: 0.6 to 0.7 s).
const ROWS_AHEAD: usize = 512;

/// Statements that stay prepared: those of `transaction` for each number of rows, and all others.
const STATEMENTS_KEPT: usize = 256;

/// The WAL file is cut back to this size after a burst.
const WAL_BYTES_KEPT: &str = "67108864";

/// "cosc" as a number, set by the first migration.
pub(super) const APPLICATION_ID: i64 = 0x636f_7363;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Number of the newest migration that this program has.
pub(super) fn known_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What the tests set otherwise.
pub(super) struct Tuning {
    pub(super) busy_timeout: Duration,
    pub(super) sync_file: SyncFile,
    /// Most pages of the database file, as a disk that is nearly full. None: as many as fit.
    pub(super) pages_max: Option<u32>,
}

impl Default for Tuning {
    fn default() -> Self {
        let sync_file: SyncFile = Arc::new(File::sync_data);
        Self { busy_timeout: BUSY_TIMEOUT, sync_file, pages_max: None }
    }
}

/// An open database, for the log writer.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) connect_writer: SqliteConnectOptions,
    pub(super) readers: SqlitePool,
    pub(super) wal: WalFile,
    /// The database file, without links.
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

/// Opens the database: directory, lock, schema, connections, in this order.
pub(super) async fn open(options: &StoreOptions, tuning: Tuning) -> Result<Opened, OpenError> {
    let path = make_file(&options.path)?;
    let lock = take_lock(&path)?;
    refuse_stray_wal(&path)?;
    let connect = connect_options(&path, &tuning);
    let database_error =
        |error: sqlx::Error| OpenError::Database { path: path.clone(), why: error.to_string() };

    refuse_foreign(&connect, &path).await?;
    seal::remove(&path).map_err(|source| OpenError::File { path: seal::path(&path), source })?;
    let connect_writer = writer_options(connect.clone(), options.durability, &tuning);
    let mut writer = connect_writer.connect().await.map_err(database_error)?;
    set_wal_mode(&mut writer, &path).await?;
    migrate(&mut writer, &path).await?;
    complete_row_sums(&mut writer).await.map_err(database_error)?;

    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(READER_TIMEOUT)
        // A connection that stays open keeps SQLite from removing the WAL file, see `WalFile`.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(connect.read_only(true).row_buffer_size(ROWS_AHEAD))
        .await
        .map_err(database_error)?;
    load::check(&readers)
        .await
        .map_err(|error| OpenError::Database { path: path.clone(), why: error.to_string() })?;

    fold_in_wal(&mut writer).await;
    let wal = WalFile::open(&path, tuning.sync_file)
        .and_then(|wal| wal.sync().map(|()| wal))
        .map_err(|source| OpenError::File { path: path.clone(), source })?;
    Ok(Opened { writer, connect_writer, readers, wal, path, lock })
}

/// What a killed process has committed without an fsync is served from now on as saved. Folding the
/// WAL in writes it once more. Where that cannot be done now, because another program reads or the
/// disk is full, the fsync of the WAL that follows has to do: a full disk must not keep anyone from
/// reading.
async fn fold_in_wal(writer: &mut SqliteConnection) {
    let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await;
    if let Err(error) = folded {
        tracing::warn!(%error, "the WAL stays beside the database for now");
    }
}

/// SQLite removes a WAL that lies beside an empty file, and with it every commit in it.
pub(super) fn refuse_stray_wal(path: &Path) -> Result<(), OpenError> {
    let len = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let wal = seal::beside(path, "-wal");
    if len(path) > 0 || len(&wal) == 0 {
        return Ok(());
    }
    let why = format!(
        "it is empty, but {} beside it is not; both are left as they are. Put the database that the \
         WAL belongs to in its place, or move the WAL away",
        wal.display()
    );
    Err(OpenError::Database { path: path.to_owned(), why })
}

/// Makes directory and file if they are missing; gives the path without links, the same for
/// everyone who means this file.
fn make_file(path: &Path) -> Result<PathBuf, OpenError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        private_directories().create(directory).map_err(at(directory))?;
    }
    // `create_new`, because an existing database must not be opened here: closing that handle would
    // drop the locks that SQLite holds on the file if this process has it open already.
    match private_file().create_new(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(path)(error)),
        _ => fs::canonicalize(path).map_err(at(path)),
    }
}

fn private_directories() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the lock beside the database. The system frees it when the process ends, however it ends;
/// the file stays, because removing it would let two servers lock two files of the same name.
fn take_lock(database: &Path) -> Result<File, OpenError> {
    let path = seal::beside(database, ".lock");
    let file = match private_file().create(true).truncate(false).open(&path) {
        Ok(file) => file,
        Err(source) => return Err(OpenError::File { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { lock: path }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// What holds for every connection. Statements are not logged: they are slow only when the disk is,
/// and that is measured.
fn connect_options(path: &Path, tuning: &Tuning) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(tuning.busy_timeout)
        .disable_statement_logging()
}

fn writer_options(
    connect: SqliteConnectOptions,
    durability: Durability,
    tuning: &Tuning,
) -> SqliteConnectOptions {
    let synchronous = match durability {
        Durability::Disk => SqliteSynchronous::Full,
        Durability::Process => SqliteSynchronous::Normal,
    };
    let connect = connect
        .synchronous(synchronous)
        .statement_cache_capacity(STATEMENTS_KEPT)
        // What packing and purging free is given back bit by bit. Counts for new files only.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        // What is removed is gone from the file as well, and not only with a purge: what it removes
        // has left traces wherever it lay before.
        .pragma("secure_delete", "ON")
        // Only on macOS: there a plain fsync stops at the drive's own memory.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .pragma("journal_size_limit", WAL_BYTES_KEPT);
    match tuning.pages_max {
        Some(pages) => connect.pragma("max_page_count", pages.to_string()),
        None => connect,
    }
}

/// What a database says that it is.
pub(super) struct Nature {
    is_ours: bool,
    /// Without a table of anybody.
    is_new: bool,
    /// Number of its newest migration; 0 without any.
    schema: i64,
}

impl Nature {
    /// Asks an open database.
    pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        const TABLES: &str = "SELECT count(*), coalesce(sum(name = '_sqlx_migrations'), 0) \
             FROM sqlite_schema WHERE type = 'table'";

        let id: i64 =
            sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
        let (tables, of_migrations): (i64, i64) =
            sqlx::query_as(TABLES).fetch_one(&mut *connection).await?;
        let schema: Option<i64> = match of_migrations {
            0 => None,
            _ => {
                let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
                newest.fetch_one(connection).await?
            }
        };
        let is_ours = id == APPLICATION_ID;
        Ok(Self {
            is_ours,
            is_new: id == 0 && tables == of_migrations,
            schema: schema.unwrap_or(0),
        })
    }

    /// Whether this program may open it: its own, or a new one, and of a schema that it knows.
    fn refuse_foreign(&self, path: &Path) -> Result<(), OpenError> {
        if !self.is_ours && !self.is_new {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let (found, known) = (self.schema, known_schema());
        if found > known {
            return Err(OpenError::Newer { path: path.to_owned(), found, known });
        }
        Ok(())
    }

    /// Whether it can be looked at as it is: ours, and of this program's schema.
    pub(super) fn refuse_others(&self, path: &Path) -> Result<(), OpenError> {
        if !self.is_ours {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        self.refuse_foreign(path)?;
        let (found, known) = (self.schema, known_schema());
        if found < known {
            let why = format!(
                "it has schema {found}, and this program's is {known}; start the server once, \
                 which brings it up to date, or use the coscribe that wrote it"
            );
            return Err(OpenError::Database { path: path.to_owned(), why });
        }
        Ok(())
    }
}

/// Looks before anything is changed, so that another program's database, or a newer one, stays as it
/// is.
async fn refuse_foreign(connect: &SqliteConnectOptions, path: &Path) -> Result<(), OpenError> {
    let look = async {
        let mut connection = connect.clone().read_only(true).connect().await?;
        let nature = Nature::of(&mut connection).await?;
        connection.close().await?;
        Ok::<Nature, sqlx::Error>(nature)
    };
    match look.await {
        Ok(nature) => nature.refuse_foreign(path),
        Err(error) => Err(OpenError::Database { path: path.to_owned(), why: error.to_string() }),
    }
}

async fn set_wal_mode(writer: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(writer).await;
    let why = match mode {
        Ok(mode) if mode == "wal" => return Ok(()),
        Ok(mode) => format!("the file system allows no write-ahead log, only mode {mode}"),
        Err(error) => error.to_string(),
    };
    Err(OpenError::Database { path: path.to_owned(), why })
}

async fn migrate(writer: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    MIGRATIONS
        .run(writer)
        .await
        .map_err(|error| OpenError::Database { path: path.to_owned(), why: error.to_string() })
}

/// Rows of an earlier version have no checksums yet.
async fn complete_row_sums(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin().await?;
    row_sums::complete(&mut transaction).await?;
    transaction.commit().await
}
