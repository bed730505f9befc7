//! `coscribe compact`: packs, thins and gives room back, in a database that nobody serves.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::clock;
use crate::config::Config;
use crate::document::input::Loaded;
use crate::document::load::{NotLoaded, load};
use crate::history::{Policy, each_document, pack_document, thin};
use crate::id::DocumentId;
use crate::store::{LoadError, Store, StoreOptions};

/// Pack the history of all documents, thin it if asked to, and give free room back to the disk
///
/// The server packs by itself; this does it for everything at once, while no server runs on the
/// database. Every edit stays readable, unless --keep-edits says how long: of what is older, one
/// moment for each author and hour is kept, and with --keep-hours of what is older still, one for
/// each author and day. Versions are kept in any case, and so is the document as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe compact --database coscribe.db
  coscribe compact --keep-edits 30d --dry-run                what would go?
  coscribe compact --keep-edits 30d --keep-hours 365d")]
pub(super) struct Compact {
    /// The SQLite file
    #[arg(long, value_name = "FILE", default_value = "coscribe.db")]
    database: PathBuf,
    /// Keep every edit for this long, as 30d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    keep_edits: Option<Duration>,
    /// Keep hours for this long, as 365d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "keep_edits")]
    keep_hours: Option<Duration>,
    /// Only say what thinning would do
    #[arg(long, requires = "keep_edits")]
    dry_run: bool,
}

/// Does it, and says what came of it.
pub(super) fn run(compact: &Compact) -> anyhow::Result<()> {
    let Compact { database, keep_edits, keep_hours, dry_run } = compact;
    let size = || std::fs::metadata(database).map_or(0, |file| file.len());
    // One that is not there is not made.
    let before = std::fs::metadata(database)
        .map_err(|e| anyhow::anyhow!("{}: {e}", database.display()))?
        .len();
    anyhow::ensure!(before > 0, "{} is empty, and no database", database.display());
    if let (Some(edits), Some(hours)) = (keep_edits, keep_hours) {
        anyhow::ensure!(hours > edits, "--keep-hours must be longer than --keep-edits");
    }
    let config = Config { database: database.clone(), ..Config::default() };
    actix_web::rt::System::new().block_on(async {
        let store = Store::open(StoreOptions::new(&config)).await?;
        let mut failures = 0_u64;
        let mut done = (0_u64, 0_u64);
        if !dry_run {
            each_document(&store, async |document| {
                // What is not in a snapshot yet is not packed.
                let snapshot = take_snapshot(&store, document).await;
                failures += u64::from(said(document, snapshot).is_none());
                let packed = pack_document(&store, document, true).await;
                done.0 += 1;
                match said(document, packed) {
                    Some(rows) => done.1 += rows,
                    None => failures += 1,
                }
                super::progress(&format!("{} documents, {} updates packed", done.0, done.1));
                Ok::<_, LoadError>(())
            })
            .await?;
        }
        super::progress("");
        if let Some(edits) = keep_edits {
            let policy = Policy { edits: Some(*edits), hours: *keep_hours };
            each_document(&store, async |document| {
                let thinned = thin(&store, document, policy, clock::unix_ms(), *dry_run).await;
                let thinned = said(document, thinned);
                failures += u64::from(thinned.is_none());
                if let Some(Some(thinned)) = thinned {
                    let would = if *dry_run { "would leave" } else { "left" };
                    let line = format!(
                        "document \"{document}\": {} updates {would} {}, {} bytes {would} {}\n",
                        thinned.rows_before,
                        thinned.rows_after,
                        thinned.bytes_before,
                        thinned.bytes_after,
                    );
                    print!("{line}");
                }
                Ok::<_, LoadError>(())
            })
            .await?;
        }
        if !dry_run {
            store.compact().await?;
        }
        store.close().await;
        anyhow::ensure!(
            failures == 0,
            "not everything could be done, see above; what could not is as it was (coscribe fsck says more)"
        );
        if *dry_run {
            return super::say("nothing was changed\n");
        }
        super::say(&format!(
            "packed {} updates of {} documents; {} had {before} bytes and has {}\n",
            done.1,
            done.0,
            database.display(),
            size(),
        ))
    })
}

/// The result, or a line that says why there is none.
fn said<T, E: std::fmt::Display>(document: &DocumentId, result: Result<T, E>) -> Option<T> {
    result.inspect_err(|e| eprintln!("document \"{document}\": {e}")).ok()
}

/// Takes a snapshot of all that the log has, unless there is one.
async fn take_snapshot(store: &Store, document: &DocumentId) -> anyhow::Result<()> {
    let loaded = load(store.clone(), document.clone()).await;
    let Loaded { mut replica, last, rows, .. } = loaded.map_err(|e| match e {
        NotLoaded::Deleted => anyhow::anyhow!("it has been deleted"),
        NotLoaded::Because { reason, .. } => anyhow::anyhow!(reason),
    })?;
    if rows == 0 {
        return Ok(());
    }
    let (bytes, fingerprint) = (replica.encode_full(), replica.fingerprint());
    anyhow::ensure!(fingerprint.matches(&bytes), "its state cannot be stored");
    Ok(store.write_snapshot(document.clone(), last, bytes, clock::unix_ms()).await?)
}
