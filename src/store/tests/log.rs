//! Order, numbering, batches, quarantine, the end.

use super::*;

#[tokio::test]
async fn updates_are_numbered_per_document_and_come_back_in_order() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(append(&store, "a", 1..=3).await, Seq(3));
    assert_eq!(append(&store, "b", 1..=1).await, Seq(1));
    // More than one statement of each size.
    assert_eq!(append(&store, "a", 4..=1200).await, Seq(1200));

    let stored = load(&store, "a").await;
    assert_eq!(numbers(&stored), (1..=1200).collect::<Vec<_>>());
    assert_eq!((stored.last, stored.snapshot), (Seq(1200), None));
    assert_eq!(stored.tail_bytes, stored.tail.iter().map(Bytes::len).sum::<usize>());
    assert_eq!(load(&store, "b").await.last, Seq(1));
    store.close().await;
}

#[tokio::test]
async fn a_document_never_written_is_empty_and_leaves_no_row() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(load(&store, "nothing").await, Stored::default());
    assert_eq!(place.number("SELECT count(*) FROM documents").await, 0);
    let refused = store.append(document("nothing"), Vec::new()).await;
    assert!(matches!(refused, Err(AppendError::Refused { .. })), "{refused:?}");
    assert_eq!(place.number("SELECT count(*) FROM documents").await, 0);
}

#[tokio::test]
async fn numbering_goes_on_after_a_restart() {
    let place = Place::new();
    for (durability, first) in [(Durability::Disk, 1), (Durability::Process, 11)] {
        let store = place.open_tuned(durability, Tuning::default()).await;
        assert_eq!(append(&store, "a", first..=first + 9).await, Seq(first + 9));
        store.close().await;
        assert!(!place.0.path().join("notes.db-wal").exists(), "the WAL was not folded in");
    }
    let store = place.open().await;
    assert_eq!(numbers(&load(&store, "a").await), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn names_are_bound_and_compared_byte_for_byte() {
    let place = Place::new();
    let store = place.open().await;
    let names =
        ["a", "A", "a ", "é", "e\u{301}", "'; DROP TABLE updates; --", "%", "?1", "\n\u{1f600}"];
    for (number, name) in (1..).zip(names) {
        append(&store, name, number..=number).await;
    }
    for (number, name) in (1..).zip(names) {
        assert_eq!(numbers(&load(&store, name).await), [number], "{name:?}");
    }
}

#[tokio::test]
async fn many_documents_share_commits() {
    let place = Place::new();
    let store = place.open().await;
    let appends = (0..500).map(|number| {
        let store = store.clone();
        async move { append(&store, &format!("d{}", number % 100), number..=number).await }
    });
    futures_util::future::join_all(appends).await;

    let stats = store.stats();
    assert_eq!((stats.requests, stats.rows, stats.failures, stats.queued), (500, 500, 0, 0));
    assert!(stats.commits < 50, "{} commits for 500 appends", stats.commits);
    for number in 0..100 {
        assert_eq!(numbers(&load(&store, &format!("d{number}")).await).len(), 5);
    }
}

#[tokio::test]
async fn a_batch_ends_when_it_is_large() {
    let place = Place::new();
    let options = StoreOptions { batch_bytes_max: 1, ..place.options(Durability::Disk) };
    let store = Store::open(options).await.unwrap();
    futures_util::future::join_all((1..=5).map(|number| {
        let store = store.clone();
        async move { append(&store, "a", number..=number).await }
    }))
    .await;
    assert_eq!(store.stats().commits, 5);
}

#[tokio::test]
async fn quarantine_keeps_the_newest_with_their_bytes() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "b", 1..=1).await;
    let limit = u64::from(QUARANTINE_ROWS_MAX);
    for number in 1..=limit + 5 {
        let poison = LogRecord { author: Some("ann".into()), ..record(number.to_string()) };
        store.quarantine(document("a"), poison, "it panicked".into()).await.unwrap();
    }
    store.quarantine(document("b"), record("b"), "too deep".into()).await.unwrap();

    let of_a = "FROM quarantine JOIN documents d ON d.id = document WHERE name = 'a' \
         AND author = 'ann' AND connection = 7 AND reason = 'it panicked'";
    assert_eq!(
        place.number(&format!("SELECT count(*) {of_a}")).await,
        i64::from(QUARANTINE_ROWS_MAX)
    );
    let oldest =
        place.number(&format!("SELECT min(CAST(CAST(bytes AS TEXT) AS INTEGER)) {of_a}")).await;
    assert_eq!(oldest, 6);
    assert_eq!(
        place.number("SELECT count(*) FROM quarantine").await,
        i64::from(QUARANTINE_ROWS_MAX) + 1
    );
    assert_eq!(load(&store, "a").await, Stored::default());
}

#[tokio::test]
async fn callers_who_go_away_do_not_disturb_the_writer() {
    let place = Place::new();
    let store = place.open().await;
    for number in 1..=50 {
        let append = store.append(document("a"), records(number..=number));
        // Polled once: the request is in the queue, and nobody will hear the answer.
        assert!(futures_util::FutureExt::now_or_never(append).is_none());
    }
    assert_eq!(append(&store, "a", 51..=51).await, Seq(51));
    assert_eq!(numbers(&load(&store, "a").await), (1..=51).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_load_that_is_dropped_gives_its_connection_back() {
    let place = Place::new();
    let options = StoreOptions { readers: 1, ..place.options(Durability::Disk) };
    let store = Store::open(options).await.unwrap();
    append(&store, "a", 1..=5_000).await;
    for steps in 1..=20 {
        let document = document("a");
        let mut load = Box::pin(store.load(&document, None));
        for _ in 0..steps {
            // One step of the load, then a turn for whatever it waits for.
            if futures_util::FutureExt::now_or_never(&mut load).is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(load(&store, "a").await.last, Seq(5_000));
}

#[tokio::test]
async fn closing_answers_what_is_queued_and_refuses_the_rest() {
    let place = Place::new();
    let store = place.open().await;
    let other = store.clone();
    let appends = queue_all(&store, (0..20).map(|_| ("a", records(1..=1))));
    let (answers, ()) = futures_util::future::join(appends, store.clone().close()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");

    let refused = other.append(document("a"), records(1..=1)).await;
    assert!(matches!(refused, Err(AppendError::Closed)), "{refused:?}");
    assert!(other.check().await.is_err());
    other.clone().close().await;
    let store = place.open().await;
    assert_eq!(load(&store, "a").await.last, Seq(20));
    store.check().await.unwrap();
}
