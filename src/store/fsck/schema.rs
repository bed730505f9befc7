//! Whether the schema is the one that this program makes. What others have added is not a fault.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::Faults;
use crate::store::open::MIGRATIONS;

/// Compares tables, indices and migrations with those of a new database.
pub(super) async fn check(
    view: &mut SqliteConnection,
    faults: &mut Faults,
) -> Result<(), sqlx::Error> {
    let mut new = SqliteConnectOptions::new().in_memory(true).connect().await?;
    MIGRATIONS.run(&mut new).await.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
    let expected = read(&mut new).await?;
    new.close().await?;
    let found = read(view).await?;
    for part in expected.iter().filter(|part| !found.contains(part)) {
        faults.add(format!("the {} {:?} is missing or not as it should be", part.0, part.1));
    }
    let encoding: String = sqlx::query_scalar("PRAGMA encoding").fetch_one(view).await?;
    if encoding != "UTF-8" {
        faults.add(format!("the encoding of texts is {encoding}, not UTF-8"));
    }
    Ok(())
}

/// Kind, name, table and SQL of everything, and the migrations that have been carried out.
async fn read(
    view: &mut SqliteConnection,
) -> Result<Vec<(String, String, String, String)>, sqlx::Error> {
    const PARTS: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema \
         UNION ALL SELECT 'migration', version || ' ' || description, hex(success), hex(checksum) \
         FROM _sqlx_migrations";

    sqlx::query_as(PARTS).fetch_all(view).await
}
