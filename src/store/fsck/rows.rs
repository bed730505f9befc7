//! Every row: its checksum, its place, and what it refers to by name.

use sqlx::sqlite::SqliteConnection;

use super::Faults;
use crate::id::{DocumentId, Seq};
use crate::store::load::{self, Range, SEQ_MAX};
use crate::store::row_sums::TABLES;
use crate::store::{LoadError, segments};

/// Documents that are read at a time.
const DOCUMENTS_AT_ONCE: u32 = 1000;

/// Keys and names of the documents behind `behind`, in the order of their names.
pub(super) async fn documents(
    view: &mut SqliteConnection,
    behind: &str,
    limit: u32,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    sqlx::query_as("SELECT id, name FROM documents WHERE name > ?1 ORDER BY name LIMIT ?2")
        .bind(behind)
        .bind(limit)
        .fetch_all(view)
        .await
}

/// Looks at all rows.
pub(super) async fn check(
    view: &mut SqliteConnection,
    faults: &mut Faults,
) -> Result<(), sqlx::Error> {
    const NAMES: &str = "SELECT 'share_links', document FROM share_links \
         UNION SELECT 'retired', document FROM retired \
         UNION SELECT 'branches', document FROM branches";
    const EPOCHS: &str = "SELECT name FROM documents WHERE epoch < 1";

    for table in TABLES.iter() {
        let report = |row| {
            let what = format!("row {row} of {} does not match its checksum", table.name);
            faults.add(what);
        };
        table.check(view, report).await?;
    }
    let mut behind = String::new();
    loop {
        let found = documents(view, &behind, DOCUMENTS_AT_ONCE).await?;
        let Some((_, last)) = found.last() else { break };
        behind.clone_from(last);
        for (row, name) in found {
            match DocumentId::parse(&name) {
                Ok(document) => check_document(view, &document, row, faults).await?,
                Err(error) => faults.add(format!("{name:?} names no document: {error}")),
            }
        }
    }
    for (table, name) in sqlx::query_as::<_, (String, String)>(NAMES).fetch_all(&mut *view).await? {
        if let Err(error) = DocumentId::parse(&name) {
            faults.add(format!("{name:?} in {table} names no document: {error}"));
        }
    }
    for name in sqlx::query_scalar::<_, String>(EPOCHS).fetch_all(view).await? {
        faults.add(format!("the epoch of {name:?} is not 1 or more"));
    }
    Ok(())
}

async fn check_document(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    faults: &mut Faults,
) -> Result<(), sqlx::Error> {
    const FIRST: &str = "SELECT min(seq) FROM updates WHERE document = ?1";
    const BEYOND: &str = "SELECT id FROM versions WHERE document = ?1 AND NOT seq BETWEEN 0 AND ?2";

    let range = Range { document, row, after: Seq(0), until: SEQ_MAX };
    // The rows are checked on the way; they need not be kept.
    let last = match range.read(view, drop).await {
        Ok((_, last)) => last,
        Err(error) => {
            faults.add_to(document, words(error));
            load::last_row(view, row).await?
        }
    };
    let packed = segments::last_packed(view, row).await?;
    let first: Option<i64> = sqlx::query_scalar(FIRST).bind(row).fetch_one(&mut *view).await?;
    if let Some(first) = first.filter(|first| first.cast_unsigned() <= packed.0) {
        faults.add_to(document, format!("update {first} is packed and a row as well"));
    }
    for seq in load::snapshot_seqs(view, row, SEQ_MAX).await? {
        match load::sound_snapshot(view, document, row, seq).await {
            Ok(Some(_)) if seq <= last => {}
            Ok(Some(_)) => {
                let what = format!("there is a snapshot at {seq}, but the log ends at {last}");
                faults.add_to(document, what);
            }
            Ok(None) => {
                let what = format!("the snapshot at {seq} does not match its checksum");
                faults.add_to(document, what);
            }
            Err(error) => faults.add_to(document, words(error)),
        }
    }
    let beyond: Vec<String> = sqlx::query_scalar(BEYOND)
        .bind(row)
        .bind(last.0.cast_signed())
        .fetch_all(&mut *view)
        .await?;
    for id in beyond {
        faults.add_to(document, format!("the log ends at {last}, before the version {id:?}"));
    }
    check_examined(view, document, row, last, faults).await
}

/// Whether the update from which the log is to be examined is there.
async fn check_examined(
    view: &mut SqliteConnection,
    document: &DocumentId,
    row: i64,
    last: Seq,
    faults: &mut Faults,
) -> Result<(), sqlx::Error> {
    const NOWHERE: &str = "SELECT examine_from FROM documents \
         WHERE id = ?1 AND NOT examine_from BETWEEN 1 AND ?2";

    let nowhere: Option<i64> = sqlx::query_scalar(NOWHERE)
        .bind(row)
        .bind(last.0.cast_signed())
        .fetch_optional(view)
        .await?;
    if let Some(seq) = nowhere {
        let what = format!("the log ends at {last}, but is to be examined from {seq} on");
        faults.add_to(document, what);
    }
    Ok(())
}

/// What is wrong, for a fault that names the document itself.
fn words(error: LoadError) -> String {
    match error {
        LoadError::Corrupt { seq, what, .. } => format!("update {seq} {what}"),
        error => error.to_string(),
    }
}
