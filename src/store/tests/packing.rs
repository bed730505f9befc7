//! Segments, and the log that is read through them.

use super::*;

/// A segment that says what it stands for.
fn segment(first: u64, last: u64) -> Segment {
    let at_ms = record("").at_ms;
    let bytes = Bytes::from(format!("the packed updates {first} to {last}"));
    Segment { first: Seq(first), last: Seq(last), first_at_ms: at_ms, last_at_ms: at_ms, bytes }
}

async fn pack(store: &Store, name: &str, first: u64, last: u64) -> Result<(), AppendError> {
    store.write_segment(document(name), segment(first, last)).await
}

/// What `read_log` gives: the ranges of the segments, and the rows.
async fn log(store: &Store, after: u64, until: u64) -> (Vec<(u64, u64)>, Vec<u64>) {
    let log = store.read_log(&document("a"), Seq(after), Seq(until)).await.unwrap();
    let segments = log.segments.iter().map(|segment| (segment.first.0, segment.last.0));
    (segments.collect(), log.rows.iter().map(|row| row.seq.0).collect())
}

/// Twelve updates of `a`, of which six are packed, and a neighbour.
async fn packed(place: &Place) -> Store {
    let store = place.open().await;
    append(&store, "a", 1..=12).await;
    append(&store, "b", 1..=12).await;
    pack(&store, "a", 1, 3).await.unwrap();
    pack(&store, "a", 4, 6).await.unwrap();
    store
}

#[tokio::test]
async fn a_log_is_read_through_its_segments() {
    let place = Place::new();
    let store = packed(&place).await;
    let all = u64::MAX;
    for (after, until, expected) in [
        (0, all, (vec![(1, 3), (4, 6)], vec![7, 8, 9, 10, 11, 12])),
        (3, 8, (vec![(4, 6)], vec![7, 8])),
        (4, 5, (vec![(4, 6)], vec![])),
        (1, 2, (vec![(1, 3)], vec![])),
        (6, 7, (vec![], vec![7])),
        (10, all, (vec![], vec![11, 12])),
        (12, all, (vec![], vec![])),
        (all, all, (vec![], vec![])),
        (8, 3, (vec![], vec![])),
    ] {
        assert_eq!(log(&store, after, until).await, expected, "{after} to {until}");
    }
    let whole = store.read_log(&document("a"), Seq(0), Seq(all)).await.unwrap();
    assert_eq!(whole.segments, [segment(1, 3), segment(4, 6)]);
    assert_eq!(whole.last, Seq(12));
    let row = LogRow {
        seq: Seq(7),
        at_ms: 1_700_000_000_000,
        author: None,
        connection: ConnectionId(7),
        bytes: "7".into(),
    };
    assert_eq!(whole.rows[0], row);
    assert_eq!(numbers(&load(&store, "b").await), (1..=12).collect::<Vec<_>>());
    let nothing = store.read_log(&document("nothing"), Seq(0), Seq(all)).await.unwrap();
    assert_eq!(nothing, StoredLog::default());
}

#[tokio::test]
async fn a_load_takes_the_segments_it_needs() {
    let place = Place::new();
    let store = packed(&place).await;
    let stored = load(&store, "a").await;
    assert_eq!(stored.segments, [segment(1, 3), segment(4, 6)]);
    assert_eq!((numbers(&stored), stored.last), ((7..=12).collect(), Seq(12)));

    for (seq, segments, tail) in
        [(5, vec![segment(4, 6)], 7..=12), (6, vec![], 7..=12), (8, vec![], 9..=12)]
    {
        store.write_snapshot(document("a"), Seq(seq), "state".into(), 0).await.unwrap();
        let stored = load(&store, "a").await;
        assert_eq!(stored.segments, segments, "{seq}");
        assert_eq!((numbers(&stored), stored.last), (tail.collect(), Seq(12)), "{seq}");
    }
}

#[tokio::test]
async fn a_packed_log_goes_on_where_it_was_also_after_a_restart() {
    let place = Place::new();
    let store = packed(&place).await;
    pack(&store, "a", 7, 11).await.unwrap();
    assert_eq!(append(&store, "a", 13..=13).await, Seq(13));
    store.close().await;

    let store = place.open().await;
    assert_eq!(append(&store, "a", 14..=14).await, Seq(14));
    pack(&store, "a", 12, 13).await.unwrap();
    let expected = (vec![(1, 3), (4, 6), (7, 11), (12, 13)], vec![14]);
    assert_eq!(log(&store, 0, u64::MAX).await, expected);
    assert_eq!(place.number("SELECT count(*) FROM updates WHERE document = 1").await, 1);
}

#[tokio::test]
async fn a_segment_of_other_rows_is_refused() {
    let place = Place::new();
    let store = packed(&place).await;
    let cases = [
        segment(8, 9),
        segment(6, 9),
        segment(1, 3),
        segment(7, 12),
        segment(7, 13),
        segment(7, 6),
        Segment { last_at_ms: 1_700_000_000_001, ..segment(7, 9) },
        Segment { first_at_ms: 1_699_999_999_999, ..segment(7, 9) },
    ];
    for wrong in cases {
        let refused = store.write_segment(document("a"), wrong.clone()).await;
        assert!(matches!(refused, Err(AppendError::Refused { .. })), "{wrong:?}: {refused:?}");
    }
    let refused = pack(&store, "nothing", 1, 1).await;
    assert!(matches!(refused, Err(AppendError::Refused { .. })), "{refused:?}");
    place.sql("DELETE FROM updates WHERE document = 1 AND seq = 8").await;
    let refused = pack(&store, "a", 7, 9).await;
    assert!(matches!(refused, Err(AppendError::Refused { .. })), "{refused:?}");
    assert_eq!(place.number("SELECT count(*) FROM segments").await, 2);
    assert_eq!(place.number("SELECT count(*) FROM updates WHERE document = 1").await, 5);
}

/// The disk gives back something else than what was written: a trigger plays the disk. Nobody else
/// in the batch notices.
#[tokio::test]
async fn a_segment_that_reads_back_differently_leaves_the_rows() {
    let place = Place::new();
    let store = packed(&place).await;
    place
        .sql(
            "CREATE TRIGGER disk AFTER INSERT ON segments \
             BEGIN UPDATE segments SET bytes = x'00' WHERE last = new.last; END",
        )
        .await;
    let write = pack(&store, "a", 7, 9);
    let append = store.append(document("b"), records(13..=13));
    let (failed, appended) = futures_util::future::join(write, append).await;
    assert!(matches!(failed, Err(AppendError::Failed { .. })), "{failed:?}");
    assert_eq!(appended.unwrap().last, Seq(13));
    let expected = (vec![(1, 3), (4, 6)], (7..=12).collect());
    assert_eq!(log(&store, 0, u64::MAX).await, expected);
}

/// The transaction fails after some of its statements have been carried out, as with a bad sector.
#[tokio::test]
async fn packing_that_fails_half_way_leaves_everything_as_it_was() {
    for sector in [
        "AFTER INSERT ON segments",
        "BEFORE DELETE ON updates WHEN old.seq = 8",
        "AFTER DELETE ON segments WHEN old.last = 6",
    ] {
        let place = Place::new();
        let store = packed(&place).await;
        let fails =
            format!("CREATE TRIGGER sector {sector} BEGIN SELECT RAISE(FAIL, 'a bad sector'); END");
        place.sql(&fails).await;
        let failed = if sector.contains("old.last") {
            let old = vec![(Seq(1), Seq(3)), (Seq(4), Seq(6))];
            store.replace_segments(document("a"), old, vec![segment(1, 6)]).await
        } else {
            pack(&store, "a", 7, 9).await
        };
        assert!(matches!(&failed, Err(AppendError::Failed { why }) if why.contains("bad sector")));

        place.sql("DROP TRIGGER sector").await;
        store.close().await;
        let store = place.open().await;
        let as_it_was = (vec![(1, 3), (4, 6)], (7..=12).collect());
        assert_eq!(log(&store, 0, u64::MAX).await, as_it_was, "{sector}");
        pack(&store, "a", 7, 9).await.unwrap();
    }
}

/// There is no space for the segment: nothing of the log is touched, and appending goes on.
#[tokio::test]
async fn packing_without_space_leaves_the_rows() {
    let place = Place::new();
    let tuning = Tuning { pages_max: Some(80), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    append(&store, "a", 1..=12).await;
    let large = Segment { bytes: vec![0; 900_000].into(), ..segment(1, 6) };
    let failed = store.write_segment(document("a"), large).await;
    assert!(matches!(failed, Err(AppendError::Full { .. })), "{failed:?}");
    assert_eq!(append(&store, "a", 13..=13).await, Seq(13));
    assert_eq!(numbers(&load(&store, "a").await), (1..=13).collect::<Vec<_>>());
}

#[tokio::test]
async fn packing_makes_the_file_smaller() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5_000).await;
    store.close().await;
    let before = std::fs::metadata(place.database()).unwrap().len();
    let store = place.open().await;
    pack(&store, "a", 1, 4_990).await.unwrap();
    store.close().await;
    let after = std::fs::metadata(place.database()).unwrap().len();
    assert!(after + 100_000 < before, "{before} before, {after} after");
}

#[tokio::test]
async fn damage_in_and_around_segments_is_noticed() {
    for (damage, seq) in [
        ("UPDATE segments SET bytes = x'00' WHERE last = 6", 4),
        ("UPDATE segments SET first_at = first_at + 1 WHERE last = 3", 1),
        ("UPDATE segments SET last_at = last_at + 1 WHERE last = 3", 1),
        ("UPDATE segments SET first = 2 WHERE last = 3", 2),
        ("DELETE FROM segments WHERE last = 3", 1),
        ("DELETE FROM segments WHERE last = 6", 4),
        ("DELETE FROM segments", 1),
        ("DELETE FROM updates WHERE document = 1 AND seq = 7", 7),
        ("DELETE FROM updates WHERE document = 1", 7),
        ("UPDATE segments SET last = 7 WHERE last = 6", 4),
    ] {
        let place = Place::new();
        let store = packed(&place).await;
        place.sql(damage).await;
        for error in [
            store.load(&document("a"), None).await.expect_err(damage),
            store.read_log(&document("a"), Seq(0), Seq(u64::MAX)).await.expect_err(damage),
        ] {
            assert!(
                matches!(&error, LoadError::Corrupt { seq: found, .. } if *found == Seq(seq)),
                "{damage}: {error}"
            );
        }
        assert_eq!(load(&store, "b").await.last, Seq(12), "{damage}");
    }
}

#[tokio::test]
async fn what_can_be_packed_ends_at_the_newest_snapshot_but_one() {
    let place = Place::new();
    let store = packed(&place).await;
    let packable = async || store.packable(&document("a"), true).await.unwrap();
    let snapshot =
        async |seq| store.write_snapshot(document("a"), Seq(seq), "s".into(), 0).await.unwrap();
    assert_eq!(packable().await, None);
    snapshot(5).await;
    assert_eq!(packable().await, None);
    snapshot(9).await;
    assert_eq!(packable().await, None, "all up to the newest but one are packed");
    snapshot(12).await;
    assert_eq!(packable().await, Some(Packable { first: Seq(7), last: Seq(9), bytes: 3 }));
    append(&store, "a", 13..=14).await;
    snapshot(14).await;
    assert_eq!(packable().await, Some(Packable { first: Seq(7), last: Seq(12), bytes: 9 }));
    pack(&store, "a", 7, 12).await.unwrap();
    assert_eq!(packable().await, None);
    assert_eq!(store.packable(&document("nothing"), true).await, Ok(None));
}

#[tokio::test]
async fn segments_are_replaced_together_or_not_at_all() {
    let place = Place::new();
    let store = packed(&place).await;
    let replace = async |old: &[(u64, u64)], new: &[(u64, u64)]| {
        let old = old.iter().map(|(first, last)| (Seq(*first), Seq(*last))).collect();
        let new = new.iter().map(|(first, last)| segment(*first, *last)).collect();
        store.replace_segments(document("a"), old, new).await
    };
    let whole = || vec![(1, 3), (4, 6)];
    for (old, new) in [
        (vec![(1, 3)], vec![(1, 4)]),
        (vec![(1, 3)], vec![]),
        (vec![], vec![]),
        (vec![(1, 3), (5, 6)], vec![(1, 6)]),
        (vec![(1, 3), (4, 6)], vec![(1, 2), (4, 6)]),
        (vec![(1, 2), (3, 6)], vec![(1, 6)]),
        (vec![(1, 3), (4, 6), (7, 12)], vec![(1, 12)]),
    ] {
        let refused = replace(&old, &new).await;
        assert!(matches!(refused, Err(AppendError::Refused { .. })), "{old:?} {new:?}");
        assert_eq!(log(&store, 0, 6).await, (whole(), vec![]));
    }
    replace(&whole(), &[(1, 6)]).await.unwrap();
    assert_eq!(log(&store, 0, 7).await, (vec![(1, 6)], vec![7]));
    replace(&[(1, 6)], &[(1, 5), (6, 6)]).await.unwrap();
    assert_eq!(log(&store, 0, 7).await, (vec![(1, 5), (6, 6)], vec![7]));
}

#[tokio::test]
async fn a_moment_is_found_in_rows_and_segments() {
    let place = Place::new();
    let store = place.open().await;
    // The clock was set back after the fourth.
    let times = [10, 20, 30, 60, 40, 50, 70, 80];
    let records = times.iter().map(|at_ms| LogRecord { at_ms: *at_ms, ..record("x") }).collect();
    store.append(document("a"), records).await.unwrap();
    let timed = |first, last, first_at_ms, last_at_ms| Segment {
        first_at_ms,
        last_at_ms,
        ..segment(first, last)
    };
    store.write_segment(document("a"), timed(1, 3, 10, 30)).await.unwrap();
    store.write_segment(document("a"), timed(4, 6, 40, 60)).await.unwrap();
    for (at_ms, expected) in [
        (9, Moment::After(Seq(0))),
        (10, Moment::Within(timed(1, 3, 10, 30))),
        (30, Moment::After(Seq(3))),
        (39, Moment::After(Seq(3))),
        (59, Moment::Within(timed(4, 6, 40, 60))),
        (60, Moment::After(Seq(6))),
        (75, Moment::After(Seq(7))),
        (i64::MAX, Moment::After(Seq(8))),
    ] {
        assert_eq!(store.seq_at(&document("a"), at_ms).await, Ok(expected), "{at_ms}");
    }
    assert_eq!(store.seq_at(&document("b"), 50).await, Ok(Moment::After(Seq(0))));
}

#[tokio::test]
async fn snapshots_are_stored_compressed_and_older_ones_are_read_as_they_are() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=2).await;
    let whole = Bytes::from(vec![7; 100_000]);
    store.write_snapshot(document("a"), Seq(2), whole.clone(), 0).await.unwrap();
    let stored: i64 = place.number("SELECT length(bytes) FROM snapshots").await;
    assert!(stored < 1_000, "{stored}");
    assert_eq!(store.load(&document("a"), None).await.unwrap().snapshot, Some((Seq(2), whole)));
    // As the schema before wrote them: the checksum covers name, seq and bytes.
    let sum = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"a\0\0\0\0\0\0\0\0\x02plain");
        hasher.finalize()
    };
    place
        .sql(&format!("UPDATE snapshots SET bytes = CAST('plain' AS BLOB), checksum = {sum}"))
        .await;
    let loaded = store.load(&document("a"), None).await.unwrap();
    assert_eq!(loaded.snapshot, Some((Seq(2), Bytes::from_static(b"plain"))));
}
