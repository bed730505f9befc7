//! Creating, deleting and bringing back documents.

use futures_util::future::{FutureExt, LocalBoxFuture, join_all};

use super::*;

async fn status(store: &Store, name: &str) -> DocumentStatus {
    store.status(&document(name)).await.unwrap()
}

async fn refused_append(store: &Store, name: &str) -> bool {
    let appended = store.append(document(name), records(1..=1)).await;
    matches!(appended, Err(AppendError::Deleted))
}

#[tokio::test]
async fn a_created_document_is_empty_and_keeps_what_it_has_when_created_again() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(status(&store, "a").await, DocumentStatus::Absent);
    assert_eq!(store.create(document("a"), 5).await, Ok(true));
    assert_eq!(status(&store, "a").await, DocumentStatus::Live);
    assert_eq!(load(&store, "a").await, Stored::default());

    append(&store, "a", 1..=2).await;
    assert_eq!(store.create(document("a"), 6).await, Ok(false));
    assert_eq!(numbers(&load(&store, "a").await), [1, 2]);
    assert_eq!(place.number("SELECT created_at FROM documents").await, 5);
}

#[tokio::test]
async fn nothing_is_added_to_a_deleted_document_and_nothing_removed() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=3).await;
    append(&store, "b", 1..=3).await;
    store.write_snapshot(document("a"), Seq(2), "two".into(), 0).await.unwrap();
    assert_eq!(store.delete(document("a"), 9).await, Ok(true));

    assert!(refused_append(&store, "a").await);
    let snapshot = store.write_snapshot(document("a"), Seq(3), "three".into(), 0).await;
    assert_eq!(snapshot, Err(AppendError::Deleted));
    let quarantined = store.quarantine(document("a"), record("x"), "poison".into()).await;
    assert_eq!(quarantined, Err(AppendError::Deleted));
    assert_eq!(store.create(document("a"), 10).await, Err(AppendError::Deleted));
    assert_eq!(store.load(&document("a"), None).await, Err(LoadError::Deleted));
    assert_eq!(status(&store, "a").await, DocumentStatus::Deleted);
    assert_eq!(place.number("SELECT deleted_at FROM documents WHERE name = 'a'").await, 9);
    assert_eq!(place.number("SELECT count(*) FROM updates").await, 6);
    assert_eq!(place.number("SELECT count(*) FROM snapshots").await, 1);
    assert_eq!(place.number("SELECT count(*) FROM quarantine").await, 0);
    // Its neighbour has noticed nothing.
    assert_eq!(append(&store, "b", 4..=4).await, Seq(4));
    assert_eq!(numbers(&load(&store, "b").await), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_document_stays_deleted_after_a_restart_until_it_is_brought_back() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=3).await;
    store.delete(document("a"), 9).await.unwrap();
    store.close().await;

    let store = place.open().await;
    assert!(refused_append(&store, "a").await);
    assert_eq!(store.load(&document("a"), None).await, Err(LoadError::Deleted));
    assert_eq!(store.undelete(document("a")).await, Ok(true));
    assert_eq!(status(&store, "a").await, DocumentStatus::Live);
    assert_eq!(append(&store, "a", 4..=4).await, Seq(4));
    assert_eq!(numbers(&load(&store, "a").await), [1, 2, 3, 4]);
}

#[tokio::test]
async fn deleting_and_bringing_back_say_whether_there_was_anything_to_do() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.delete(document("a"), 1).await, Ok(false));
    assert_eq!(store.undelete(document("a")).await, Ok(false));
    assert_eq!(status(&store, "a").await, DocumentStatus::Absent);

    store.create(document("a"), 1).await.unwrap();
    assert_eq!(store.undelete(document("a")).await, Ok(false));
    assert_eq!(store.delete(document("a"), 2).await, Ok(true));
    assert_eq!(store.delete(document("a"), 3).await, Ok(false));
    assert_eq!(place.number("SELECT deleted_at FROM documents").await, 2);
    assert_eq!(store.undelete(document("a")).await, Ok(true));
    assert_eq!(store.undelete(document("a")).await, Ok(false));
}

/// Requests that are all queued before the writer sees the first: `(what, whether it went well)`.
async fn queue_life(store: &Store, life: &[&'static str]) -> Vec<(&'static str, bool)> {
    let requests = life.iter().map(|what| -> LocalBoxFuture<'_, (&'static str, bool)> {
        let a = document("a");
        let request = async move {
            match *what {
                "append" => store.append(a, records(1..=1)).await.is_ok(),
                "too large" => store.append(a, vec![record(vec![0; 900_000])]).await.is_ok(),
                "delete" => store.delete(a, 1).await.is_ok(),
                "undelete" => store.undelete(a).await.is_ok(),
                other => unreachable!("{other}"),
            }
        };
        request.map(move |went_well| (*what, went_well)).boxed_local()
    });
    join_all(requests).await
}

#[tokio::test]
async fn deletion_has_its_place_among_the_appends_of_its_batch() {
    for durability in [Durability::Disk, Durability::Process] {
        let place = Place::new();
        let store = place.open_tuned(durability, Tuning::default()).await;
        let life = ["append", "delete", "append", "undelete", "append", "delete", "append"];
        let answers = queue_life(&store, &life).await;
        assert_eq!(store.stats().commits, 1, "one batch");
        let went_well: Vec<_> = answers.iter().map(|(_, went_well)| *went_well).collect();
        assert_eq!(went_well, [true, true, false, true, true, true, false]);
        assert!(refused_append(&store, "a").await);
        store.undelete(document("a")).await.unwrap();
        assert_eq!(load(&store, "a").await.last, Seq(2));
    }
}

/// The batch is written again in parts, and the deletion must not change its place.
#[tokio::test]
async fn deletion_keeps_its_place_when_its_batch_fails() {
    let place = Place::new();
    let tuning = Tuning { pages_max: Some(80), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    let large = vec![record(vec![0; 900_000])];
    let other = store.append(document("other"), large);
    let life = queue_life(&store, &["append", "delete", "append", "undelete", "append"]);
    let (other, answers) = futures_util::future::join(other, life).await;
    assert!(matches!(other, Err(AppendError::Full { .. })), "{other:?}");
    let went_well: Vec<_> = answers.iter().map(|(_, went_well)| *went_well).collect();
    assert_eq!(went_well, [true, true, false, true, true]);
    assert_eq!(load(&store, "a").await.last, Seq(2));

    // What does not fit takes those of its document with it, so that nothing gets past it.
    let answers = queue_life(&store, &["too large", "delete", "undelete", "append"]).await;
    assert!(answers.iter().all(|(_, went_well)| !went_well), "{answers:?}");
    assert_eq!(load(&store, "a").await.last, Seq(2));
}

/// After a failed transaction the writer asks the database again, which knows of the deletion.
#[tokio::test]
async fn a_deletion_is_not_forgotten_over_a_failure() {
    let place = Place::new();
    let tuning = Tuning { busy_timeout: Duration::from_millis(50), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    append(&store, "a", 1..=1).await;
    store.delete(document("a"), 1).await.unwrap();
    let mut shell = place.shell().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    assert!(matches!(store.undelete(document("a")).await, Err(AppendError::Busy { .. })));
    sqlx::raw_sql("ROLLBACK").execute(&mut shell).await.unwrap();
    assert!(refused_append(&store, "a").await);
}
