//! Snapshots, and everything that may be wrong with what is read.

use super::*;

#[tokio::test]
async fn damaged_and_missing_updates_are_noticed() {
    let damages = [
        ("UPDATE updates SET bytes = x'00' WHERE seq = 3 AND document = 1", 3),
        ("UPDATE updates SET checksum = checksum + 1 WHERE seq = 5 AND document = 1", 5),
        ("UPDATE updates SET at = at + 1 WHERE seq = 3 AND document = 1", 3),
        ("UPDATE updates SET author = 'bo' WHERE seq = 3 AND document = 1", 3),
        ("UPDATE updates SET author = '' WHERE seq = 3 AND document = 1", 3),
        ("UPDATE updates SET connection = 8 WHERE seq = 3 AND document = 1", 3),
        // Not an older kind of checksum, which covers less.
        ("UPDATE updates SET checksum = checksum - (1 << 32) WHERE document = 1", 1),
        ("DELETE FROM updates WHERE seq = 2 AND document = 1", 2),
        ("UPDATE updates SET seq = 9 WHERE seq = 5 AND document = 1", 5),
        // Rows of another document.
        (
            "UPDATE documents SET name = 'x' WHERE name = 'a'; \
             UPDATE documents SET name = 'a' WHERE name = 'b'",
            1,
        ),
    ];
    for (damage, seq) in damages {
        let place = Place::new();
        let store = place.open().await;
        append(&store, "a", 1..=5).await;
        append(&store, "b", 1..=5).await;
        append(&store, "c", 1..=5).await;
        place.sql(damage).await;
        let error = store.load(&document("a"), None).await.expect_err(damage);
        assert!(
            matches!(&error, LoadError::Corrupt { seq: found, .. } if *found == Seq(seq)),
            "{damage}: {error}"
        );
        assert_eq!(numbers(&load(&store, "c").await), [1, 2, 3, 4, 5], "{damage}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_file_is_noticed() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=3).await;
    let marked = record(&b"a text that is easy to find in the file"[..]);
    store.append(document("a"), vec![marked]).await.unwrap();
    store.close().await;
    let mut file = std::fs::read(place.database()).unwrap();
    let found = file.windows(12).position(|bytes| bytes == b"easy to find").unwrap();
    file[found] ^= 0x10;
    std::fs::write(place.database(), file).unwrap();

    let store = place.open().await;
    let error = store.load(&document("a"), None).await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { seq: Seq(4), .. }), "{error}");
}

/// Writes a snapshot whose bytes name its place.
async fn snapshot(store: &Store, seq: u64) {
    let bytes = Bytes::from(format!("state at {seq}"));
    store.write_snapshot(document("a"), Seq(seq), bytes, 0).await.unwrap();
}

#[tokio::test]
async fn a_load_begins_at_the_newest_snapshot_below() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=10).await;
    snapshot(&store, 4).await;
    snapshot(&store, 8).await;

    let stored = load(&store, "a").await;
    assert_eq!(stored.snapshot, Some((Seq(8), "state at 8".into())));
    assert_eq!((numbers(&stored), stored.last), (vec![9, 10], Seq(10)));

    let stored = store.load(&document("a"), Some(Seq(8))).await.unwrap();
    assert_eq!(stored.snapshot, Some((Seq(4), "state at 4".into())));
    assert_eq!(numbers(&stored), (5..=10).collect::<Vec<_>>());

    let stored = store.load(&document("a"), Some(Seq(4))).await.unwrap();
    assert_eq!((stored.snapshot, stored.tail.len()), (None, 10));
}

#[tokio::test]
async fn only_the_newest_two_snapshots_are_kept() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=10).await;
    for seq in [2, 5, 7, 10, 10] {
        snapshot(&store, seq).await;
    }
    assert_eq!(place.number("SELECT count(*) FROM snapshots").await, 2);
    assert_eq!(place.number("SELECT min(seq) FROM snapshots").await, 7);
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=10).await;
    snapshot(&store, 4).await;
    snapshot(&store, 8).await;

    place.sql("UPDATE snapshots SET bytes = x'01' WHERE seq = 8").await;
    assert_eq!(load(&store, "a").await.snapshot.map(|(seq, _)| seq), Some(Seq(4)));
    place.sql("UPDATE snapshots SET at = at + 1 WHERE seq = 4").await;
    let stored = load(&store, "a").await;
    assert_eq!((stored.snapshot, stored.tail.len()), (None, 10));
    place.sql("UPDATE snapshots SET checksum = 0").await;
    let stored = load(&store, "a").await;
    assert_eq!((stored.snapshot, stored.tail.len()), (None, 10));
    // A new one of the same place heals it.
    snapshot(&store, 8).await;
    assert_eq!(load(&store, "a").await.snapshot.map(|(seq, _)| seq), Some(Seq(8)));
}

#[tokio::test]
async fn a_log_shorter_than_its_snapshot_is_noticed() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5).await;
    snapshot(&store, 5).await;
    place.sql("DELETE FROM updates WHERE seq = 5").await;
    let error = store.load(&document("a"), None).await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { seq: Seq(5), .. }), "{error}");
}

#[tokio::test]
async fn a_snapshot_of_what_is_not_in_the_log_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5).await;
    for (name, seq) in [("a", 6), ("a", 0), ("nothing", 1)] {
        let refused = store.write_snapshot(document(name), Seq(seq), "s".into(), 0).await;
        assert!(matches!(refused, Err(AppendError::Refused { .. })), "{name} {seq}: {refused:?}");
    }
    assert_eq!(place.number("SELECT count(*) FROM snapshots").await, 0);
    assert_eq!(place.number("SELECT count(*) FROM documents").await, 1);
}

/// The disk gives back something else than what was written, once: a trigger plays the disk.
#[tokio::test]
async fn a_snapshot_that_reads_back_differently_does_not_count() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=9).await;
    snapshot(&store, 3).await;
    snapshot(&store, 6).await;
    place
        .sql(
            "CREATE TRIGGER disk AFTER INSERT ON snapshots \
             BEGIN UPDATE snapshots SET bytes = x'00' WHERE seq = new.seq; END",
        )
        .await;
    let failed = store.write_snapshot(document("a"), Seq(9), "state".into(), 0).await;
    assert!(matches!(failed, Err(AppendError::Failed { .. })), "{failed:?}");
    assert_eq!(place.number("SELECT count(*) FROM snapshots").await, 2);
    assert_eq!(load(&store, "a").await.snapshot.map(|(seq, _)| seq), Some(Seq(6)));
}

/// A page of the file is gone, as a bad sector would do it.
#[tokio::test]
async fn a_destroyed_page_fails_its_document_only() {
    let place = Place::new();
    let store = place.open().await;
    for name in ["a", "b"] {
        let texts = (0..200).map(|number| record(format!("{name} at {number:60}")));
        store.append(document(name), texts.collect()).await.unwrap();
    }
    store.close().await;
    let mut file = std::fs::read(place.database()).unwrap();
    let text = format!("a at {:60}", 100);
    let found = file.windows(text.len()).position(|bytes| bytes == text.as_bytes()).unwrap();
    let page = found / 4096 * 4096;
    file[page..page + 8].fill(0xff);
    std::fs::write(place.database(), file).unwrap();

    let store = place.open().await;
    let error = store.load(&document("a"), None).await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { .. }), "{error}");
    assert_eq!(load(&store, "b").await.last, Seq(200));
    assert_eq!(append(&store, "b", 201..=201).await, Seq(201));
}
