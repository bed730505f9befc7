//! The database file in the hands of another program: locked, looked into, damaged.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::Home;

const DOCUMENTS: &str = "SELECT count(*) FROM documents";
const UPDATES: &str = "SELECT count(*) FROM updates";
const SNAPSHOTS: &str = "SELECT count(*) FROM snapshots";
const QUARANTINE: &str = "SELECT count(*) FROM quarantine";
const BRANCHES: &str = "SELECT count(*) FROM branches";

/// A table.
#[derive(Debug, Clone, Copy)]
pub enum Table {
    Documents,
    Updates,
    Snapshots,
    Quarantine,
    Branches,
}

/// A connection of another program.
pub struct Database(SqliteConnection);

impl Database {
    /// Opens the file.
    pub async fn open(home: &Home) -> Self {
        let options = SqliteConnectOptions::new().filename(home.database());
        Self(options.connect().await.expect("the database can be opened"))
    }

    /// Keeps everybody else from writing, until [`Database::unlock`].
    pub async fn lock(&mut self) {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.0).await.expect("a lock");
    }

    /// Lets others write again.
    pub async fn unlock(&mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.0).await.expect("the lock was held");
    }

    /// Rows of a table.
    pub async fn count(&mut self, table: Table) -> i64 {
        let sql = match table {
            Table::Documents => DOCUMENTS,
            Table::Updates => UPDATES,
            Table::Snapshots => SNAPSHOTS,
            Table::Quarantine => QUARANTINE,
            Table::Branches => BRANCHES,
        };
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.expect("a count")
    }

    /// Makes the segments of all documents unreadable.
    pub async fn damage_segments(&mut self) {
        let damaged = sqlx::query("UPDATE segments SET bytes = x'00'").execute(&mut self.0).await;
        assert!(damaged.expect("a change").rows_affected() > 0, "there are segments");
    }

    /// Changes one bit in the first update of a document.
    pub async fn damage_log(&mut self, document: &str) {
        let sql = "SELECT bytes FROM updates JOIN documents ON documents.id = document \
             WHERE name = ?1 AND seq = 1";
        let stored = sqlx::query_scalar(sql).bind(document).fetch_one(&mut self.0).await;
        let mut bytes: Vec<u8> = stored.expect("the document's first update");
        *bytes.last_mut().expect("an update is not empty") ^= 1;
        let sql = "UPDATE updates SET bytes = ?2 WHERE seq = 1 \
             AND document = (SELECT id FROM documents WHERE name = ?1)";
        let update = sqlx::query(sql).bind(document).bind(bytes);
        update.execute(&mut self.0).await.expect("a written row");
    }

    /// Puts other bytes in the place of every snapshot; the checksums are of the old ones.
    pub async fn damage_snapshots(&mut self, bytes: &[u8]) {
        let update = sqlx::query("UPDATE snapshots SET bytes = ?1").bind(bytes.to_vec());
        update.execute(&mut self.0).await.expect("written rows");
    }

    /// Puts other bytes in the place of every snapshot, with checksums that are right.
    pub async fn replace_snapshots(&mut self, bytes: &[u8]) {
        self.damage_snapshots(bytes).await;
        let sql =
            "SELECT document, seq, name FROM snapshots JOIN documents ON documents.id = document";
        let rows: Vec<(i64, i64, String)> =
            sqlx::query_as(sql).fetch_all(&mut self.0).await.expect("the snapshots");
        for (document, seq, name) in rows {
            let parts = [name.as_bytes(), &[0], &seq.to_be_bytes(), bytes].concat();
            let update =
                sqlx::query("UPDATE snapshots SET checksum = ?3 WHERE document = ?1 AND seq = ?2")
                    .bind(document)
                    .bind(seq)
                    .bind(i64::from(crc32fast::hash(&parts)));
            update.execute(&mut self.0).await.expect("a written row");
        }
    }

    /// Removes what makes it a database of coscribe.
    pub async fn drop_tables(&mut self) {
        for sql in [
            "DROP TABLE updates",
            "DROP TABLE snapshots",
            "DROP TABLE quarantine",
            "DROP TABLE documents",
        ] {
            sqlx::query(sql).execute(&mut self.0).await.expect("a table less");
        }
    }

    /// Closes the file.
    pub async fn close(self) {
        self.0.close().await.expect("the file can be closed");
    }
}
