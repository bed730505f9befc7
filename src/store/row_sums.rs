//! Checksums of whole rows, for the tables whose rows may change: CRC-32 (IEEE) over the table's name
//! and every other column.
//!
//! Whoever inserts a row leaves `row_checksum` out, whoever changes one sets it to NULL; before the
//! COMMIT all that have none get theirs. They are for `fsck`: what is served is not compared.

use std::sync::LazyLock;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnection;

/// Rows that are read before they are written back: they may be large.
const ROWS_AT_ONCE: u32 = 16;

/// A table whose rows have checksums.
pub(super) struct Table {
    pub(super) name: &'static str,
    unsummed: String,
    update: String,
    all: String,
}

/// These tables. A column that is not named here is not covered, as `examine_from` of `documents`:
/// it changes with appends, which are not to pay for a checksum.
pub(super) static TABLES: LazyLock<[Table; 8]> = LazyLock::new(|| {
    [
        ("documents", &["id", "name", "created_at", "deleted_at", "epoch"][..]),
        ("quarantine", &["id", "document", "at", "author", "connection", "reason", "bytes"]),
        (
            "share_links",
            &[
                "id",
                "document",
                "level",
                "secret_hash",
                "label",
                "created_at",
                "created_by",
                "expires_at",
                "revoked_at",
            ],
        ),
        ("revocations", &["id", "kind", "value", "at", "created_by"]),
        ("versions", &["id", "document", "seq", "at", "name", "kind", "created_by"]),
        ("retired", &["document", "epoch", "ended_at", "clocks"]),
        ("branches", &["id", "document", "at", "author", "connection", "bytes", "checksum"]),
        (
            "rescued",
            &["id", "document", "at", "author", "connection", "client", "clock", "text", "reason"],
        ),
    ]
    .map(|(name, columns)| Table::new(name, columns))
});

impl Table {
    fn new(name: &'static str, columns: &[&str]) -> Self {
        // The tables are STRICT, so that as a blob two values of a column differ; `quote` tells NULL
        // from all of them and ends each.
        let quoted: Vec<_> =
            columns.iter().map(|column| format!("quote(CAST({column} AS BLOB))")).collect();
        let content = quoted.join(" || ',' || ");
        Self {
            name,
            unsummed: format!(
                "SELECT rowid, {content} FROM {name} INDEXED BY {name}_unsummed \
                 WHERE row_checksum IS NULL LIMIT {ROWS_AT_ONCE}"
            ),
            update: format!("UPDATE {name} SET row_checksum = ?2 WHERE rowid = ?1"),
            all: format!("SELECT rowid, {content}, row_checksum FROM {name}"),
        }
    }

    fn sum(&self, content: &str) -> i64 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.name.as_bytes());
        hasher.update(&[0]);
        hasher.update(content.as_bytes());
        i64::from(hasher.finalize())
    }

    /// Gives `report` the numbers of the rows whose checksum is missing or wrong.
    pub(super) async fn check(
        &'static self,
        view: &mut SqliteConnection,
        mut report: impl FnMut(i64),
    ) -> Result<(), sqlx::Error> {
        let mut rows =
            sqlx::query_as::<_, (i64, String, Option<i64>)>(self.all.as_str()).fetch(view);
        while let Some((row, content, sum)) = rows.try_next().await? {
            if sum != Some(self.sum(&content)) {
                report(row);
            }
        }
        Ok(())
    }
}

/// Gives a checksum to every row that has none, inside the transaction of the caller.
pub(super) async fn complete(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for table in TABLES.iter() {
        loop {
            let rows: Vec<(i64, String)> =
                sqlx::query_as(table.unsummed.as_str()).fetch_all(&mut *connection).await?;
            if rows.is_empty() {
                break;
            }
            for (row, content) in rows {
                sqlx::query(table.update.as_str())
                    .bind(row)
                    .bind(table.sum(&content))
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    Ok(())
}
