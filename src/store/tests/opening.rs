//! What may be opened, by whom, and how it is set up.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::store::fsck::Fsck;

#[tokio::test]
async fn files_are_private_and_directories_are_made() {
    let place = Place::new();
    let directory = place.0.path().join("deep/er");
    let options = StoreOptions { path: directory.join("n.db"), ..place.options(Durability::Disk) };
    let store = Store::open(options).await.unwrap();
    append(&store, "a", 1..=1).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in ["n.db", "n.db-wal", "n.db.lock"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_second_opener_is_refused_also_through_a_link() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=1).await;
    let link = place.0.path().join("link.db");
    std::os::unix::fs::symlink(place.database(), &link).unwrap();
    for path in [place.database(), link.clone()] {
        let options = StoreOptions { path, ..place.options(Durability::Disk) };
        let Err(error) = Store::open(options).await else { panic!("opened twice") };
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("notes.db.lock"), "{error}");
    }
    // The attempts have not disturbed the holder, and closing frees the lock for the other name.
    append(&store, "a", 2..=2).await;
    store.close().await;
    let options = StoreOptions { path: link, ..place.options(Durability::Disk) };
    let store = Store::open(options).await.unwrap();
    assert_eq!(load(&store, "a").await.last, Seq(2));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    place
        .sql("INSERT INTO _sqlx_migrations VALUES (9999, 'later', '2030-01-01', TRUE, x'00', 1)")
        .await;
    let Err(error) = Store::open(place.options(Durability::Disk)).await else {
        panic!("opened a newer database")
    };
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("newer coscribe"), "{error}");
}

#[tokio::test]
async fn other_files_are_refused_and_left_alone() {
    let place = Place::new();
    place.sql("CREATE TABLE theirs (x)").await;
    let before = std::fs::read(place.database()).unwrap();
    let Err(error) = Store::open(place.options(Durability::Disk)).await else {
        panic!("opened another program's database")
    };
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read(place.database()).unwrap(), before);

    std::fs::write(place.database(), "not a database, only text that is long enough").unwrap();
    let Err(error) = Store::open(place.options(Durability::Disk)).await else {
        panic!("opened a text file")
    };
    assert!(matches!(error, OpenError::Database { .. }), "{error}");

    let options = StoreOptions { path: place.0.path().into(), ..place.options(Durability::Disk) };
    let Err(error) = Store::open(options).await else { panic!("opened a directory") };
    assert!(matches!(error, OpenError::Database { .. } | OpenError::File { .. }), "{error}");
}

#[tokio::test]
async fn the_writer_is_set_up_as_its_durability_says() {
    for (durability, synchronous) in [(Durability::Disk, 2), (Durability::Process, 1)] {
        let place = Place::new();
        let opened = super::super::open::open(&place.options(durability), Tuning::default()).await;
        let mut writer = opened.unwrap().writer;
        for (pragma, expected) in [
            ("synchronous", synchronous),
            ("foreign_keys", 1),
            ("busy_timeout", 5_000),
            ("journal_size_limit", 64 << 20),
            ("application_id", 0x636f_7363),
        ] {
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA {pragma}")))
                .fetch_one(&mut writer)
                .await
                .unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
    }
}

#[tokio::test]
async fn a_wal_beside_an_empty_file_is_left_alone() {
    let place = Place::new();
    let wal = place.0.path().join("notes.db-wal");
    std::fs::write(place.database(), "").unwrap();
    std::fs::write(&wal, "commits of a killed server").unwrap();
    for error in [
        Store::open(place.options(Durability::Disk)).await.err().map(|error| error.to_string()),
        Fsck::open(&place.database()).await.err().map(|error| error.to_string()),
    ] {
        let error = error.expect("it is refused");
        assert!(error.contains("is empty, but"), "{error}");
        assert_eq!(std::fs::read_to_string(&wal).unwrap(), "commits of a killed server");
    }
}
