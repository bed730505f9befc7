//! Databases of earlier versions, brought up to date on open.

use std::path::Path;

use super::*;

const SCHEMA_1: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/databases/schema-1.sqlite");

const SCHEMA_2: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/databases/schema-2.sqlite");

const SCHEMA_3: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/databases/schema-3.sqlite");

/// A place with a database of an earlier version.
fn stored(database: &str) -> Place {
    let place = Place::new();
    std::fs::copy(database, place.database()).unwrap();
    place
}

const MIGRATIONS_DONE: &str = "SELECT max(version) FROM _sqlx_migrations";
const COLUMNS_OF_DOCUMENTS: &str = "SELECT count(*) FROM pragma_table_info('documents')";

#[tokio::test]
async fn a_database_of_schema_1_keeps_its_documents() {
    let place = stored(SCHEMA_1);
    assert_eq!(place.number(MIGRATIONS_DONE).await, 1);
    let store = place.open().await;
    assert_eq!(place.number(MIGRATIONS_DONE).await, 4);

    let minutes = load(&store, "team/minutes").await;
    assert_eq!(minutes.snapshot.map(|(seq, _)| seq), Some(Seq(4)));
    assert_eq!((minutes.tail.len(), minutes.last), (3, Seq(7)));
    let whole = store.load(&document("team/minutes"), Some(Seq(1))).await.unwrap();
    assert_eq!(whole.tail.len(), 7);
    assert_eq!(load(&store, "Größe ✓").await.last, Seq(2));
    for table in ["quarantine", "snapshots"] {
        assert_eq!(place.number(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }

    // All of them are live, and everything works on them.
    assert_eq!(store.status(&document("Größe ✓")).await, Ok(DocumentStatus::Live));
    assert_eq!(append(&store, "team/minutes", 8..=8).await, Seq(8));
    assert_eq!(store.delete(document("Größe ✓"), 1).await, Ok(true));
    store.close().await;
    let store = place.open().await;
    assert_eq!(load(&store, "team/minutes").await.last, Seq(8));
    assert_eq!(store.status(&document("Größe ✓")).await, Ok(DocumentStatus::Deleted));
}

#[tokio::test]
async fn a_database_of_schema_2_keeps_everything() {
    let place = stored(SCHEMA_2);
    assert_eq!(place.number(MIGRATIONS_DONE).await, 2);
    let store = place.open().await;
    assert_eq!(place.number(MIGRATIONS_DONE).await, 4);

    let plan = load(&store, "plan").await;
    assert_eq!(plan.snapshot.map(|(seq, _)| seq), Some(Seq(6)));
    assert_eq!((plan.tail.len(), plan.last), (1, Seq(7)));
    let log = store.read_log(&document("plan"), Seq(0), Seq(u64::MAX)).await.unwrap();
    assert_eq!((log.segments.len(), log.rows.len()), (0, 7));
    assert!(log.rows.iter().all(|row| row.author.as_deref() == Some("ann")));
    assert_eq!(load(&store, "team/minutes").await.last, Seq(7));
    assert_eq!(store.status(&document("gone")).await, Ok(DocumentStatus::Deleted));
    assert_eq!(store.undelete(document("gone")).await, Ok(true));
    assert_eq!(load(&store, "gone").await.last, Seq(2));
    assert_eq!(store.links(&document("team/minutes")).await.unwrap().len(), 2);
    assert_eq!(store.revocations().await.unwrap().len(), 1);

    // Rows with checksums of the older kind are packed like others, and newer ones follow them.
    let packable = store.packable(&document("plan"), true).await.unwrap().unwrap();
    assert_eq!((packable.first, packable.last), (Seq(1), Seq(3)));
    let segment = Segment::over(Seq(1), &log.rows[..3], "packed".into()).unwrap();
    store.write_segment(document("plan"), segment.clone()).await.unwrap();
    assert_eq!(append(&store, "plan", 8..=8).await, Seq(8));
    store.close().await;
    let store = place.open().await;
    let log = store.read_log(&document("plan"), Seq(0), Seq(u64::MAX)).await.unwrap();
    assert_eq!((log.segments, log.rows.len(), log.last), (vec![segment], 5, Seq(8)));
}

#[tokio::test]
async fn a_database_of_schema_3_keeps_everything_and_has_no_rescued_texts() {
    let place = stored(SCHEMA_3);
    assert_eq!(place.number(MIGRATIONS_DONE).await, 3);
    let store = place.open().await;
    assert_eq!(place.number(MIGRATIONS_DONE).await, 4);

    for (name, last) in [("team/minutes", 7), ("Größe ✓", 2), ("plan", 7), ("packed", 7)] {
        let stored = load(&store, name).await;
        assert_eq!((stored.last, stored.examine_from), (Seq(last), None), "{name}");
        assert_eq!(store.rescued(&document(name)).await, Ok(vec![]), "{name}");
    }
    let log = store.read_log(&document("packed"), Seq(0), Seq(u64::MAX)).await.unwrap();
    assert_eq!((log.segments.len(), log.rows.len()), (1, 1));
    let versions = store.versions(&document("packed"), None, 9).await.unwrap();
    assert_eq!(
        versions.iter().map(|version| &version.name[..]).collect::<Vec<_>>(),
        ["as sent to Bo"]
    );
    assert_eq!(load(&store, "gone").await.retired.len(), 1);
    assert_eq!(store.branches(&document("gone")).await.unwrap().len(), 1);
    assert_eq!(store.links(&document("team/minutes")).await.unwrap().len(), 2);

    // What is new works on what is old.
    let aside = Aside {
        unkept: Vec::new(),
        examine_from: Some(Seq(8)),
        rescued: vec![rescued::rescued("one", 1, "a sentence without a line")],
    };
    store.append_with_aside(document("packed"), records(8..=8), aside.clone()).await.unwrap();
    store.close().await;
    let store = place.open().await;
    let packed = load(&store, "packed").await;
    assert_eq!((packed.last, packed.examine_from), (Seq(8), Some(Seq(8))));
    assert_eq!(store.rescued(&document("packed")).await, Ok(aside.rescued));
}

/// The statements before the one that fails have been carried out: what is left of them is what
/// would be left of any migration that ends too early.
#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_the_older_schema() {
    for (database, version, in_the_way) in [
        (SCHEMA_1, 1, "revocations"),
        (SCHEMA_2, 2, "branches"),
        (SCHEMA_3, 3, "rescued_by_document"),
    ] {
        let place = stored(database);
        let columns = place.number(COLUMNS_OF_DOCUMENTS).await;
        place.sql(&format!("CREATE TABLE {in_the_way} (theirs)")).await;
        let Err(error) = Store::open(place.options(Durability::Disk)).await else {
            panic!("opened a database that cannot be migrated")
        };
        assert!(matches!(&error, OpenError::Database { why, .. } if why.contains(in_the_way)));
        assert_eq!(place.number(MIGRATIONS_DONE).await, version);
        assert_eq!(place.number(COLUMNS_OF_DOCUMENTS).await, columns);

        place.sql(&format!("DROP TABLE {in_the_way}")).await;
        let store = place.open().await;
        assert_eq!(load(&store, "team/minutes").await.last, Seq(7));
    }
}

/// The files as a kill in the middle leaves them: all statements carried out and written to the
/// WAL, no COMMIT.
async fn killed_while_migrating(database: &str, migration: &str, rows: &str) -> Place {
    let place = stored(database);
    let mut shell = place.shell().await;
    for statement in [
        "PRAGMA journal_mode = WAL",
        // Pages go to the WAL as soon as the next ones come.
        "PRAGMA cache_size = 1",
        "PRAGMA cache_spill = 1",
        "BEGIN IMMEDIATE",
        migration,
        rows,
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut shell).await.unwrap();
    }
    let killed = Place::new();
    let wal = |place: &Place| place.0.path().join("notes.db-wal");
    std::fs::copy(place.database(), killed.database()).unwrap();
    std::fs::copy(wal(&place), wal(&killed)).unwrap();
    assert!(holds(&wal(&killed), b"in the WAL"), "nothing got into the WAL");
    killed
}

#[tokio::test]
async fn a_kill_during_the_migration_leaves_schema_1() {
    let migration = include_str!("../../../migrations/0002_access.sql");
    let rows = "INSERT INTO share_links WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
         SELECT i + 1 FROM n WHERE i < 200) \
         SELECT i, 'd', 'read', randomblob(32), 'in the WAL', 1, NULL, NULL, NULL FROM n";
    let killed = killed_while_migrating(SCHEMA_1, migration, rows).await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 1);
    assert_eq!(killed.number("SELECT count(*) FROM pragma_table_info('share_links')").await, 0);
    let store = killed.open().await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 4);
    assert_eq!(load(&store, "team/minutes").await.last, Seq(7));
    assert_eq!(store.links(&document("d")).await, Ok(vec![]));
}

#[tokio::test]
async fn a_kill_during_the_migration_leaves_schema_2() {
    let migration = include_str!("../../../migrations/0003_history.sql");
    let rows = "INSERT INTO retired WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
         SELECT i + 1 FROM n WHERE i < 2000) SELECT 'in the WAL', i, 0, x'00', 0 FROM n";
    let killed = killed_while_migrating(SCHEMA_2, migration, rows).await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 2);
    assert_eq!(killed.number("SELECT count(*) FROM pragma_table_info('segments')").await, 0);
    let store = killed.open().await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 4);
    assert_eq!(load(&store, "plan").await.last, Seq(7));
    assert_eq!(killed.number("SELECT count(*) FROM retired").await, 0);
}

#[tokio::test]
async fn a_kill_during_the_migration_leaves_schema_3() {
    let migration = include_str!("../../../migrations/0004_rescued.sql");
    let rows = "INSERT INTO rescued WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
         SELECT i + 1 FROM n WHERE i < 2000) \
         SELECT i, 1, 0, NULL, 7, 8, 9, 'in the WAL', 'a kill', 0 FROM n";
    let killed = killed_while_migrating(SCHEMA_3, migration, rows).await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 3);
    assert_eq!(killed.number("SELECT count(*) FROM pragma_table_info('rescued')").await, 0);
    let store = killed.open().await;
    assert_eq!(killed.number(MIGRATIONS_DONE).await, 4);
    assert_eq!(load(&store, "packed").await.last, Seq(7));
    assert_eq!(killed.number("SELECT count(*) FROM rescued").await, 0);
}

fn holds(file: &Path, text: &[u8]) -> bool {
    std::fs::read(file).unwrap().windows(text.len()).any(|bytes| bytes == text)
}
