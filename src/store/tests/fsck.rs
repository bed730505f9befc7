//! Looking a database over: every flipped bit is found, or is where nothing is stored.

use std::path::Path;

use super::*;
use crate::store::fsck::{Fault, Fsck, Sealed};

/// Flips in the normal run of the tests of bits; this many, if given, in a longer one.
const FLIPS: &str = "COSCRIBE_FLIPS";

fn flips() -> u64 {
    std::env::var(FLIPS).map_or(200, |number| number.parse().expect("a number of flips"))
}

/// A small database with something in every table, closed and sealed.
async fn everything() -> Place {
    let place = Place::new();
    let store = place.open().await;
    for name in ["a", "b", "team/minutes"] {
        let author = Some(Arc::from("ann"));
        let texts = (1..=30).map(|number| LogRecord {
            author: author.clone(),
            ..record(format!("update {number} of {name}"))
        });
        store.append(document(name), texts.collect()).await.unwrap();
    }
    for seq in [10, 20] {
        let state = Bytes::from(vec![seq as u8; 5000]);
        store.write_snapshot(document("a"), Seq(seq), state, 7).await.unwrap();
    }
    for (first, last) in [(1, 6), (7, 10)] {
        let at_ms = record("").at_ms;
        let bytes = Bytes::from(format!("packed {first} to {last}").repeat(100));
        let (first, last) = (Seq(first), Seq(last));
        let segment = Segment { first, last, first_at_ms: at_ms, last_at_ms: at_ms, bytes };
        store.write_segment(document("a"), segment).await.unwrap();
    }
    let version = Version {
        id: "v1".into(),
        seq: Seq(12),
        at_ms: 1_700_000_000_123,
        name: "as sent to Bo".into(),
        kind: VersionKind::Named,
        created_by: Some("ann".into()),
    };
    store.insert_version(document("a"), version, 9).await.unwrap();
    let link = ShareLink {
        id: "l1".into(),
        document: document("a"),
        level: "read".into(),
        label: "for Bo".into(),
        created_at_ms: 1_700_000_000_000,
        created_by: Some("ann".into()),
        expires_at_ms: Some(1_800_000_000_000),
        revoked_at_ms: None,
    };
    store.insert_link(link, [5; 32], 9).await.unwrap();
    let revocation = Revocation {
        id: "r1".into(),
        kind: RevocationKind::Subject,
        value: "bo".into(),
        at_ms: 1_700_000_000_000,
        created_by: None,
    };
    store.insert_revocation(revocation, 9).await.unwrap();
    let lost = rescued::rescued("t1", 1_700_000_000_000, "a sentence without a line");
    let aside = Aside { examine_from: None, rescued: vec![lost], unkept: Vec::new() };
    store.append_with_aside(document("a"), vec![], aside).await.unwrap();
    store.quarantine(document("b"), record("poison"), "it is poison".into()).await.unwrap();
    store.create(document("gone"), 1_700_000_000_000).await.unwrap();
    store.delete(document("gone"), 1_700_000_000_001).await.unwrap();
    store.create(document("old"), 1_700_000_000_000).await.unwrap();
    store.delete(document("old"), 1_700_000_000_001).await.unwrap();
    let purge = Purge {
        at_ms: 1_700_000_000_002,
        deleted_at_ms: 1_700_000_000_001,
        clocks: "a state vector".into(),
        branches: false,
    };
    assert_eq!(store.purge(document("old"), purge).await, Ok(true));
    store.keep_branch(document("old"), "k1".into(), record("a copy of old")).await.unwrap();
    store.close().await;
    place
}

/// What is reported of a database; None when it cannot even be opened.
async fn faults(database: &Path) -> Option<Vec<String>> {
    let mut fsck = Fsck::open(database).await.ok()?;
    Some(fsck.check().await.iter().map(Fault::to_string).collect())
}

async fn faults_of(place: &Place) -> String {
    faults(&place.database()).await.expect("it can be opened").join("\n")
}

/// All that the tables say, but for when and how fast the migrations ran.
async fn dump(database: &Path) -> Result<Vec<String>, sqlx::Error> {
    const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    const IGNORED: [&str; 2] = ["installed_on", "execution_time"];

    let mut shell = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .immutable(true)
        .connect()
        .await?;
    let mut rows = Vec::new();
    for table in sqlx::query_scalar::<_, String>(TABLES).fetch_all(&mut shell).await? {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info(?1) ORDER BY cid")
                .bind(&table)
                .fetch_all(&mut shell)
                .await?;
        let columns: Vec<_> = columns.iter().filter(|c| !IGNORED.contains(&c.as_str())).collect();
        let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        let select = format!("SELECT {} FROM {table}", quoted.join(" || ',' || "));
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut shell).await?;
        rows.extend(found.into_iter().map(|row| format!("{table}: {row}")));
    }
    Ok(rows)
}

#[tokio::test]
async fn a_sound_database_has_no_faults() {
    let place = everything().await;
    let mut fsck = Fsck::open(&place.database()).await.unwrap();
    assert_eq!(fsck.sealed(), Sealed::Yes);
    assert_eq!(fsck.check().await, []);
    assert_eq!(fsck.documents(None, 2).await.unwrap(), ["a", "b"].map(document));
    let behind = document("b");
    let more = ["gone", "team/minutes"].map(document);
    assert_eq!(fsck.documents(Some(&behind), 9).await.unwrap(), more);
    let a = fsck.document(&document("a")).await.unwrap().unwrap();
    assert_eq!((a.log.segments.len(), a.log.rows.len(), a.log.last), (2, 20, Seq(30)));
    let seqs: Vec<_> = a.snapshots.iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(seqs, [10, 20]);
    assert_eq!(fsck.document(&document("gone")).await.unwrap().unwrap().log.last, Seq(0));
    assert_eq!(fsck.document(&document("nothing")).await, Ok(None));
}

#[tokio::test]
async fn what_is_changed_on_the_way_has_no_faults() {
    let place = everything().await;
    let store = place.open().await;
    store.undelete(document("gone")).await.unwrap();
    store.update_link("l1".into(), "write".into(), None).await.unwrap();
    store.revoke_link("l1".into(), 1_900_000_000_000).await.unwrap();
    store.rename_version(document("a"), "v1".into(), "another name".into()).await.unwrap();
    let again = Revocation {
        id: "r2".into(),
        kind: RevocationKind::Subject,
        value: "bo".into(),
        at_ms: 1_800_000_000_000,
        created_by: None,
    };
    store.insert_revocation(again, 9).await.unwrap();
    append(&store, "old", 1..=2).await;
    append(&store, "new", 1..=2).await;
    store.delete_rescued(document("a"), "t1".into()).await.unwrap();
    let lost = rescued::rescued("t2", 1_900_000_000_000, "another one");
    let aside = Aside { examine_from: Some(Seq(31)), rescued: vec![lost], unkept: Vec::new() };
    store.append_with_aside(document("a"), records(31..=31), aside).await.unwrap();
    assert_eq!(faults_of(&place).await, "");
    store.close().await;
    assert_eq!(faults_of(&place).await, "");
}

/// All that fsck expects is there in databases of earlier versions, once they have been opened.
#[tokio::test]
async fn databases_of_earlier_versions_have_no_faults_once_they_are_open() {
    for number in [1, 2, 3] {
        let place = Place::new();
        let root = env!("CARGO_MANIFEST_DIR");
        let database = format!("{root}/tests/fixtures/databases/schema-{number}.sqlite");
        std::fs::copy(database, place.database()).unwrap();
        let Err(error) = Fsck::open(&place.database()).await else {
            panic!("looked at schema {number}")
        };
        assert!(error.to_string().contains(&format!("it has schema {number}")), "{error}");
        place.open().await.close().await;
        assert_eq!(faults_of(&place).await, "", "schema {number}");
    }
}

#[tokio::test]
async fn looking_changes_nothing_and_keeps_a_server_out() {
    let place = everything().await;
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(place.0.path()).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.unwrap().path();
            (std::fs::read(&path).unwrap(), path)
        };
        files.into_iter().map(read).collect::<Vec<_>>()
    };
    let before = files();
    let mut fsck = Fsck::open(&place.database()).await.unwrap();
    assert_eq!(fsck.check().await, []);
    let Err(error) = Store::open(place.options(Durability::Disk)).await else {
        panic!("a server was let in")
    };
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(fsck);
    assert_eq!(files(), before);
    let store = place.open().await;
    assert_eq!(load(&store, "b").await.last, Seq(30));
}

#[tokio::test]
async fn a_running_server_is_not_disturbed() {
    let place = everything().await;
    let store = place.open().await;
    append(&store, "b", 31..=31).await;
    let mut fsck = Fsck::open(&place.database()).await.unwrap();
    assert_eq!(fsck.sealed(), Sealed::Running);
    append(&store, "b", 32..=32).await;
    assert_eq!(fsck.check().await, []);
    assert_eq!(fsck.document(&document("b")).await.unwrap().unwrap().log.last, Seq(31));
    drop(fsck);
    place.sql("UPDATE updates SET author = 'bo' WHERE document = 2 AND seq = 4").await;
    assert_eq!(faults_of(&place).await, "document \"b\": update 4 does not match its checksum");
    append(&store, "a", 31..=31).await;
}

#[tokio::test]
async fn the_seal_is_broken_before_anything_is_written_and_made_when_all_is_well() {
    let place = everything().await;
    let seal = place.0.path().join("notes.db.seal");
    assert!(seal.exists());
    let store = place.open().await;
    assert!(!seal.exists());
    // Killed: a copy of the files, as they are now.
    append(&store, "a", 31..=31).await;
    let killed = Place::new();
    for suffix in ["", "-wal"] {
        let from = place.0.path().join(format!("notes.db{suffix}"));
        std::fs::copy(from, killed.0.path().join(format!("notes.db{suffix}"))).unwrap();
    }
    let mut fsck = Fsck::open(&killed.database()).await.unwrap();
    assert_eq!(fsck.sealed(), Sealed::No);
    assert_eq!(fsck.check().await, []);
    assert_eq!(fsck.document(&document("a")).await.unwrap().unwrap().log.last, Seq(31));

    // Somebody still reads when the store is closed: the WAL stays, and there is no seal.
    let mut shell = place.shell().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM documents").execute(&mut shell).await.unwrap();
    store.close().await;
    assert!(!seal.exists());
    shell.close().await.unwrap();
    place.open().await.close().await;
    assert!(seal.exists());
    assert_eq!(faults_of(&place).await, "");
}

#[tokio::test]
async fn a_newer_database_keeps_its_seal() {
    let place = everything().await;
    place
        .sql("INSERT INTO _sqlx_migrations VALUES (9999, 'later', '2030-01-01', TRUE, x'00', 1)")
        .await;
    assert!(Store::open(place.options(Durability::Disk)).await.is_err());
    assert!(place.0.path().join("notes.db.seal").exists());
    let Err(error) = Fsck::open(&place.database()).await else { panic!("looked at a newer one") };
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_seal_and_a_file_of_another_length_are_faults() {
    let place = everything().await;
    let seal = place.0.path().join("notes.db.seal");
    let sealed = std::fs::read(&seal).unwrap();
    for (at, length) in [(3, sealed.len()), (20, sealed.len()), (30, sealed.len()), (0, 40), (0, 2)]
    {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        std::fs::write(&seal, &damaged[..length]).unwrap();
        let found = faults_of(&place).await;
        assert!(found.contains("the seal itself is damaged"), "{found}");
    }
    std::fs::write(&seal, sealed).unwrap();
    let mut file = std::fs::read(place.database()).unwrap();
    file.extend([0; 4096]);
    std::fs::write(place.database(), file).unwrap();
    let found = faults_of(&place).await;
    assert!(found.contains("bytes when it was sealed"), "{found}");
}

#[tokio::test]
async fn what_is_out_of_place_is_a_fault() {
    for (damage, expected) in [
        ("DELETE FROM updates WHERE document = 1 AND seq = 15", "\"a\": update 15 is missing"),
        ("UPDATE updates SET at = 5 WHERE document = 2 AND seq = 4", "\"b\": update 4 does not"),
        ("DELETE FROM segments WHERE last = 10", "\"a\": update 7 is missing"),
        ("UPDATE segments SET bytes = x'' WHERE last = 10", "update 7 and those up to 10 are"),
        ("UPDATE snapshots SET at = 5 WHERE seq = 20", "the snapshot at 20 does not match"),
        (
            "INSERT INTO updates SELECT document, 10, at, author, connection, bytes, checksum \
              FROM updates WHERE document = 1 AND seq = 11",
            "update 10 is packed and a row as well",
        ),
        ("UPDATE versions SET seq = 31", "the log ends at 30, before the version \"v1\""),
        ("UPDATE documents SET name = ' ' WHERE name = 'gone'", "\" \" names no document"),
        ("UPDATE documents SET epoch = 0 WHERE name = 'gone'", "the epoch of \"gone\""),
        ("UPDATE share_links SET document = ''", "\"\" in share_links names no document"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM documents WHERE name = 'b'",
            "rows of updates whose row in documents is missing",
        ),
        ("UPDATE share_links SET label = 'for Cy'", "row 1 of share_links does not match"),
        ("UPDATE retired SET clocks = x'00'", "row 1 of retired does not match"),
        ("UPDATE branches SET row_checksum = NULL", "row 1 of branches does not match"),
        ("UPDATE rescued SET text = 'another sentence'", "row 1 of rescued does not match"),
        (
            "UPDATE documents SET examine_from = 31 WHERE name = 'a'",
            "\"a\": the log ends at 30, but is to be examined from 31 on",
        ),
        (
            "UPDATE documents SET examine_from = 1 WHERE name = 'gone'",
            "\"gone\": the log ends at 0, but is to be examined from 1 on",
        ),
        ("DROP INDEX versions_by_document", "the index \"versions_by_document\" is missing"),
        (
            "ALTER TABLE segments ADD COLUMN x INTEGER",
            "the table \"segments\" is missing or not as",
        ),
        ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2", "\"2 access\""),
    ] {
        let place = everything().await;
        place.sql(damage).await;
        std::fs::remove_file(place.0.path().join("notes.db.seal")).unwrap();
        let found = faults_of(&place).await;
        assert!(found.contains(expected), "{damage}: {found}");
    }
}

/// Where the bits are that are flipped: the same ones in every run.
fn places(file: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut random = fastrand::Rng::with_seed(4);
    let len = file.len();
    (0..flips()).map(move |_| (random.usize(..len), 1 << random.u8(..8)))
}

#[tokio::test]
async fn every_flipped_bit_of_a_sealed_file_is_reported() {
    let place = everything().await;
    let file = std::fs::read(place.database()).unwrap();
    for (at, bit) in places(&file) {
        let mut flipped = file.clone();
        flipped[at] ^= bit;
        std::fs::write(place.database(), flipped).unwrap();
        let Some(found) = faults(&place.database()).await else { continue };
        let page = format!("page {} of the file is not as it was sealed", at / 4096 + 1);
        assert!(found.contains(&page), "byte {at}: {found:?}");
    }
}

#[tokio::test]
async fn without_the_seal_a_flipped_bit_is_reported_or_is_where_nothing_is_stored() {
    let place = everything().await;
    std::fs::remove_file(place.0.path().join("notes.db.seal")).unwrap();
    let file = std::fs::read(place.database()).unwrap();
    let before = dump(&place.database()).await.unwrap();
    let mut reported = 0;
    for (at, bit) in places(&file) {
        let mut flipped = file.clone();
        flipped[at] ^= bit;
        std::fs::write(place.database(), flipped).unwrap();
        match faults(&place.database()).await {
            Some(found) if found.is_empty() => {
                let now = dump(&place.database()).await;
                let now = now.unwrap_or_default();
                let lost: Vec<_> = before.iter().filter(|row| !now.contains(row)).collect();
                assert!(now == before, "byte {at}, bit {bit}: {lost:?}");
            }
            _ => reported += 1,
        }
    }
    assert!(reported > 0);
}
