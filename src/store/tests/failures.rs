//! A database that is locked or full, and requests that fail.

use super::*;

#[tokio::test]
async fn a_foreign_lock_fails_the_append_in_time_and_then_it_works_again() {
    let place = Place::new();
    let tuning = Tuning { busy_timeout: Duration::from_millis(50), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    append(&store, "a", 1..=1).await;

    let mut shell = place.shell().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    let failed = store.append(document("a"), records(2..=2)).await;
    assert!(matches!(failed, Err(AppendError::Busy { .. })), "{failed:?}");
    // Reading goes on.
    assert_eq!(load(&store, "a").await.last, Seq(1));
    sqlx::raw_sql("ROLLBACK").execute(&mut shell).await.unwrap();

    assert_eq!(append(&store, "a", 2..=3).await, Seq(3));
    assert_eq!(numbers(&load(&store, "a").await), [1, 2, 3]);
    assert_eq!(store.stats().failures, 1);
}

#[tokio::test]
async fn a_full_disk_fails_what_does_not_fit_and_nothing_else() {
    let place = Place::new();
    let tuning = Tuning { pages_max: Some(60), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    append(&store, "a", 1..=1).await;

    let large = vec![record(vec![0; 900_000])];
    let requests = [("a", records(2..=2)), ("large", large.clone()), ("b", records(1..=2))];
    let answers = queue_all(&store, requests).await;
    assert_eq!(answers[0].as_ref().unwrap().last, Seq(2));
    assert!(matches!(answers[1], Err(AppendError::Full { .. })), "{:?}", answers[1]);
    assert_eq!(answers[2].as_ref().unwrap().last, Seq(2));

    let alone = store.append(document("large"), large).await;
    assert!(matches!(alone, Err(AppendError::Full { .. })), "{alone:?}");
    assert_eq!(load(&store, "large").await, Stored::default());
    assert_eq!(append(&store, "large", 1..=1).await, Seq(1));
    assert_eq!(numbers(&load(&store, "a").await), [1, 2]);
    assert_eq!(numbers(&load(&store, "b").await), [1, 2]);
}

/// Two appends of a document are in one batch and the first does not fit: the second, which may
/// build on it, must not get in alone.
#[tokio::test]
async fn no_append_gets_past_a_failed_one_of_its_batch() {
    let place = Place::new();
    let tuning = Tuning { pages_max: Some(60), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    let large = vec![record(vec![0; 900_000])];
    let requests = [("a", large), ("b", records(1..=1)), ("a", records(2..=2))];
    let answers = queue_all(&store, requests).await;
    assert!(answers[0].is_err() && answers[2].is_err(), "{answers:?}");
    assert_eq!(answers[1].as_ref().unwrap().last, Seq(1));
    assert_eq!(load(&store, "a").await, Stored::default());
}

/// Somebody with a shell has appended a row: the number that the writer remembers is taken.
#[tokio::test]
async fn a_row_that_should_not_be_there_costs_nobody_else_anything() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=1).await;
    append(&store, "b", 1..=1).await;
    place
        .sql(
            "INSERT INTO updates SELECT document, 2, at, author, connection, bytes, checksum \
              FROM updates JOIN documents ON id = document WHERE name = 'a'",
        )
        .await;
    let answers = queue_all(&store, [("a", records(2..=2)), ("b", records(2..=2))]).await;
    assert_eq!(answers[0].as_ref().unwrap().last, Seq(3), "numbered behind the foreign row");
    assert_eq!(answers[1].as_ref().unwrap().last, Seq(2));
    // The foreign row has the checksum of another place.
    let error = store.load(&document("a"), None).await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { seq: Seq(2), .. }), "{error}");
}

#[tokio::test]
async fn those_who_meet_a_foreign_lock_wait_for_it_together() {
    let place = Place::new();
    let tuning = Tuning { busy_timeout: Duration::from_millis(50), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    let mut shell = place.shell().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    let requests = ["a", "b", "c"].map(|name| (name, records(1..=1)));
    for answer in queue_all(&store, requests).await {
        assert!(matches!(answer, Err(AppendError::Busy { .. })), "{answer:?}");
    }
    assert_eq!(store.stats().failures, 1);
}
