//! `coscribe fsck`: is everything in a database as it was written?

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::history::audit;
use crate::store::fsck::{Fsck, Sealed};

/// Documents that are listed at once.
const PAGE: u32 = 1_000;

/// Look a database over, without changing anything
///
/// Compares every page of the file with the seal that a server leaves when it ends, every row with
/// its checksum and its place, and replays the log of every document to compare it with its
/// snapshots. Works beside a running server too, then without the seal. Exit status 0: everything is
/// sound. 1: what is wrong is listed, one line each.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe fsck --database coscribe.db
  coscribe fsck --database copy.db      before you rely on a backup")]
pub(super) struct Check {
    /// The SQLite file
    #[arg(long, value_name = "FILE", default_value = "coscribe.db")]
    database: PathBuf,
}

/// Looks, and says what is wrong; an error where anything is.
pub(super) fn run(check: &Check) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let mut fsck = Fsck::open(&check.database).await?;
        let mut faults: Vec<String> = fsck.check().await.iter().map(ToString::to_string).collect();
        let (mut documents, mut updates) = (0_u64, 0_u64);
        let mut behind = None;
        loop {
            let page = match fsck.documents(behind.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(e) => {
                    faults.push(format!("the documents cannot be listed: {e}"));
                    break;
                }
            };
            let Some(last) = page.last() else { break };
            behind = Some(last.clone());
            for document in &page {
                documents += 1;
                super::progress(&format!("{documents} documents, {updates} updates"));
                match fsck.document(document).await {
                    Ok(None) => {}
                    Ok(Some(stored)) => {
                        let (rows, found) = audit(&stored);
                        updates += rows as u64;
                        let found = found.iter().map(|what| format!("document \"{document}\": {what}"));
                        faults.extend(found);
                    }
                    Err(e) => faults.push(e.to_string()),
                }
            }
        }
        super::progress("");
        faults.dedup();
        for fault in &faults {
            super::say(&format!("{fault}\n"))?;
        }
        if !faults.is_empty() {
            bail!(
                "{} is not sound; nothing was changed. Keep a copy of it, and see docs/storage.md",
                check.database.display()
            );
        }
        let how = match fsck.sealed() {
            Sealed::Yes => "every bit of the file is as it was when its server ended",
            Sealed::No => "there is no seal (the server was killed, or this is a copy), so damage where nothing is stored is not noticed",
            Sealed::Running => "a server is running, so there is no seal, and damage where nothing is stored is not noticed",
        };
        super::say(&format!("sound: {documents} documents, {updates} updates; {how}\n"))
    })
}
