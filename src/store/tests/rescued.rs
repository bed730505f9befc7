//! Rescued texts and the mark of what has not been examined: written with an append, all or nothing.

use super::*;

/// A text of Ann's.
pub(super) fn rescued(id: &str, at_ms: i64, text: &str) -> Rescued {
    Rescued {
        id: id.into(),
        at_ms,
        author: Some("ann".into()),
        connection: ConnectionId(7),
        client: (1 << 53) - 1,
        clock: 5,
        text: text.into(),
        reason: "its line was removed".into(),
    }
}

fn aside(examine_from: Option<u64>, rescued: &[Rescued]) -> Aside {
    Aside { examine_from: examine_from.map(Seq), rescued: rescued.to_vec(), unkept: Vec::new() }
}

async fn append_aside(
    store: &Store,
    name: &str,
    numbers: RangeInclusive<u64>,
    aside: Aside,
) -> Result<Seq, AppendError> {
    let appended = store.append_with_aside(document(name), records(numbers), aside).await;
    appended.map(|commit| commit.last)
}

/// No number at all.
#[allow(clippy::reversed_empty_ranges)]
const NONE: RangeInclusive<u64> = 1..=0;

async fn ids(store: &Store, name: &str) -> String {
    let texts = store.rescued(&document(name)).await.unwrap();
    texts.iter().map(|rescued| rescued.id.as_str()).collect()
}

/// Where the log ends, from where it is to be examined, and the texts beside it.
async fn state(store: &Store, name: &str) -> (u64, Option<u64>, String) {
    let Stored { last, examine_from, .. } = load(store, name).await;
    (last.0, examine_from.map(|seq| seq.0), ids(store, name).await)
}

fn state_of(last: u64, examine_from: Option<u64>, ids: &str) -> (u64, Option<u64>, String) {
    (last, examine_from, ids.to_owned())
}

#[tokio::test]
async fn texts_are_kept_with_the_append_that_cost_them_and_listed_newest_first() {
    let place = Place::new();
    let store = place.open_tuned(Durability::Process, Tuning::default()).await;
    let a = rescued("a", 3, "three\nlines, and 😀\0\n");
    let b = Rescued { author: None, clock: u32::MAX, client: 0, ..rescued("b", 4, "") };
    let c = Rescued { connection: ConnectionId(u64::MAX), ..rescued("c", 3, "last") };
    let both = aside(Some(1), &[a.clone(), b.clone()]);
    assert_eq!(append_aside(&store, "d", 1..=2, both).await, Ok(Seq(2)));
    assert_eq!(append_aside(&store, "other", 1..=1, aside(None, &[])).await, Ok(Seq(1)));
    assert_eq!(
        append_aside(&store, "d", 3..=3, aside(None, std::slice::from_ref(&c))).await,
        Ok(Seq(3))
    );
    store.close().await;

    let store = place.open().await;
    assert_eq!(numbers(&load(&store, "d").await), [1, 2, 3]);
    let listed = store.rescued(&document("d")).await;
    assert_eq!(listed, Ok(vec![b, c.clone(), a]), "of the same time the later one first");
    assert_eq!(store.rescued_text(&document("d"), "c").await, Ok(Some(c)));
    assert_eq!(store.rescued_text(&document("other"), "c").await, Ok(None));
    assert_eq!(store.rescued_text(&document("d"), "none").await, Ok(None));
    for name in ["other", "nothing"] {
        assert_eq!(ids(&store, name).await, "", "{name}");
    }
}

#[tokio::test]
async fn the_mark_is_what_the_last_aside_has_said() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "d", 1..=2).await;
    assert_eq!(state(&store, "d").await, state_of(2, None, ""));
    append_aside(&store, "d", 3..=4, aside(Some(3), &[])).await.unwrap();
    assert_eq!(state(&store, "d").await, state_of(4, Some(3), ""));
    append(&store, "d", 5..=5).await;
    assert_eq!(state(&store, "d").await, state_of(5, Some(3), ""), "an append says nothing of it");
    // Without updates as well.
    let text = rescued("x", 1, "text");
    assert_eq!(append_aside(&store, "d", NONE, aside(Some(4), &[text])).await, Ok(Seq(5)));
    assert_eq!(state(&store, "d").await, state_of(5, Some(4), "x"));
    assert_eq!(append_aside(&store, "d", NONE, aside(None, &[])).await, Ok(Seq(5)));
    assert_eq!(state(&store, "d").await, state_of(5, None, "x"));
    assert_eq!(store.load(&document("d"), Some(Seq(1))).await.unwrap().examine_from, None);
}

#[tokio::test]
async fn nothing_is_kept_beside_what_is_not_there() {
    let place = Place::new();
    let store = place.open().await;
    let text = || aside(Some(1), &[rescued("x", 1, "text")]);
    let nowhere = append_aside(&store, "nothing", NONE, text()).await;
    assert!(matches!(nowhere, Err(AppendError::Refused { .. })), "{nowhere:?}");
    assert_eq!(place.number("SELECT count(*) FROM documents").await, 0);
    append(&store, "d", 1..=1).await;
    store.delete(document("d"), 9).await.unwrap();
    for numbers in [NONE, 2..=2] {
        let refused = append_aside(&store, "d", numbers, text()).await;
        assert_eq!(refused, Err(AppendError::Deleted));
    }
    assert_eq!(place.number("SELECT count(*) FROM rescued").await, 0);
}

#[tokio::test]
async fn a_text_that_is_written_again_is_there_once_and_another_documents_stays() {
    let place = Place::new();
    let store = place.open().await;
    append_aside(&store, "a", 1..=1, aside(None, &[rescued("x", 1, "first")])).await.unwrap();
    append_aside(&store, "a", NONE, aside(None, &[rescued("x", 2, "again")])).await.unwrap();
    let again = rescued("x", 2, "again");
    assert_eq!(store.rescued(&document("a")).await, Ok(vec![again.clone()]));

    append(&store, "b", 1..=1).await;
    let taken = aside(Some(1), &[rescued("y", 1, "y"), rescued("x", 3, "theirs")]);
    for name in ["b", "new"] {
        let refused = append_aside(&store, name, 2..=2, taken.clone()).await;
        assert!(matches!(refused, Err(AppendError::Refused { .. })), "{name}: {refused:?}");
    }
    assert_eq!(state(&store, "b").await, state_of(1, None, ""));
    assert_eq!(store.status(&document("new")).await, Ok(DocumentStatus::Absent));
    assert_eq!(store.rescued(&document("a")).await, Ok(vec![again]));
}

/// Each statement of the transaction fails once: what was carried out before it is taken back.
#[tokio::test]
async fn what_fails_half_way_leaves_nothing_of_it() {
    for (table, event, at) in [
        ("documents", "UPDATE", "NEW.examine_from = 2"),
        ("rescued", "INSERT", "NEW.id = 'z'"),
        ("rescued", "DELETE", "OLD.id = 'x'"),
        ("updates", "INSERT", "NEW.seq = 3"),
    ] {
        let place = Place::new();
        let store = place.open().await;
        append_aside(&store, "a", 1..=1, aside(Some(1), &[rescued("x", 1, "x")])).await.unwrap();
        append(&store, "b", 1..=1).await;
        place
            .sql(&format!(
                "CREATE TRIGGER no BEFORE {event} ON {table} WHEN {at} \
                 BEGIN SELECT RAISE(ABORT, 'not now'); END"
            ))
            .await;
        let texts = match event {
            // So many that `x` has to go.
            "DELETE" => (0..RESCUED_MAX).map(|n| rescued(&format!("t{n}"), 2, "t")).collect(),
            _ => vec![rescued("y", 2, "y"), rescued("z", 2, "z")],
        };
        let (failed, other) = tokio::join!(
            append_aside(&store, "a", 2..=3, aside(Some(2), &texts)),
            store.append(document("b"), records(2..=2)),
        );
        assert!(matches!(failed, Err(AppendError::Failed { .. })), "{table} {event}: {failed:?}");
        assert_eq!(other.unwrap().last, Seq(2), "{table} {event}: nobody else's affair");
        assert_eq!(state(&store, "a").await, state_of(1, Some(1), "x"), "{table} {event}");

        place.sql("DROP TRIGGER no").await;
        let again = aside(Some(2), &[rescued("y", 2, "y")]);
        assert_eq!(append_aside(&store, "a", 2..=3, again).await, Ok(Seq(3)));
        assert_eq!(state(&store, "a").await, state_of(3, Some(2), "yx"), "{table} {event}");
    }
}

#[tokio::test]
async fn a_text_that_does_not_fit_on_the_disk_fails_with_its_updates() {
    let place = Place::new();
    let tuning = Tuning { pages_max: Some(80), ..Tuning::default() };
    let store = place.open_tuned(Durability::Disk, tuning).await;
    append(&store, "a", 1..=1).await;
    let large = aside(Some(2), &[rescued("x", 1, &"x".repeat(900_000))]);
    let (failed, next, other) = tokio::join!(
        append_aside(&store, "a", 2..=2, large),
        store.append(document("a"), records(3..=3)),
        store.append(document("b"), records(1..=1)),
    );
    assert!(matches!(failed, Err(AppendError::Full { .. })), "{failed:?}");
    assert!(next.is_err(), "what may build on it does not get past it");
    assert_eq!(other.unwrap().last, Seq(1));
    assert_eq!(state(&store, "a").await, state_of(1, None, ""));
}

/// Killed after the answer: a copy of the files, as they are then.
#[tokio::test]
async fn what_was_answered_is_in_the_files() {
    let place = Place::new();
    let store = place.open().await;
    append_aside(&store, "a", 1..=2, aside(Some(2), &[rescued("x", 1, "x")])).await.unwrap();
    let killed = Place::new();
    for suffix in ["", "-wal"] {
        let from = place.0.path().join(format!("notes.db{suffix}"));
        std::fs::copy(from, killed.0.path().join(format!("notes.db{suffix}"))).unwrap();
    }
    let store = killed.open().await;
    assert_eq!(state(&store, "a").await, state_of(2, Some(2), "x"));
}

#[tokio::test]
async fn a_text_is_dismissed_by_its_document_also_when_that_is_deleted() {
    let place = Place::new();
    let store = place.open().await;
    let texts = [rescued("x", 1, "x"), rescued("y", 2, "y")];
    append_aside(&store, "a", 1..=1, aside(None, &texts)).await.unwrap();
    append(&store, "b", 1..=1).await;
    let dismiss =
        async |name, id: &str| store.delete_rescued(document(name), id.into()).await.unwrap();
    assert!(!dismiss("b", "x").await && !dismiss("nothing", "x").await);
    assert!(dismiss("a", "x").await);
    assert!(!dismiss("a", "x").await);
    store.delete(document("a"), 9).await.unwrap();
    assert_eq!(ids(&store, "a").await, "y", "a deleted document keeps its texts");
    store.undelete(document("a")).await.unwrap();
    store.delete(document("a"), 9).await.unwrap();
    assert!(dismiss("a", "y").await);
    assert_eq!(ids(&store, "a").await, "");
}

#[tokio::test]
async fn the_newest_texts_are_kept_and_those_of_other_documents() {
    let place = Place::new();
    let store = place.open().await;
    append_aside(&store, "b", 1..=1, aside(None, &[rescued("b", 0, "b")])).await.unwrap();
    let old = [rescued("old", 1, "old"), rescued("older", 0, "older")];
    append_aside(&store, "a", 1..=1, aside(None, &old)).await.unwrap();
    let texts: Vec<_> =
        (1..RESCUED_MAX).map(|number| rescued(&format!("{number}"), 2, "text")).collect();
    append_aside(&store, "a", 2..=2, aside(None, &texts)).await.unwrap();
    let left = store.rescued(&document("a")).await.unwrap();
    assert_eq!(left.len() as u32, RESCUED_MAX);
    assert_eq!((&left[0].id[..], &left.last().unwrap().id[..]), ("9999", "old"));
    assert_eq!(ids(&store, "b").await, "b");
}

/// All in one batch: what was written before the purge goes with it, what comes after it stays.
#[tokio::test]
async fn texts_have_their_place_among_the_changes_of_their_batch() {
    let place = Place::new();
    let store = place.open().await;
    let purge = Purge { at_ms: 20, deleted_at_ms: 9, clocks: Bytes::new(), branches: false };
    let (first, dismissed, _, purged, second) = tokio::join!(
        append_aside(&store, "a", 1..=3, aside(Some(1), &[rescued("x", 1, "x")])),
        store.delete_rescued(document("a"), "x".into()),
        store.delete(document("a"), 9),
        store.purge(document("a"), purge),
        append_aside(&store, "a", 7..=8, aside(Some(2), &[rescued("y", 1, "y")])),
    );
    assert_eq!(store.stats().commits, 1, "one batch");
    assert_eq!((first, dismissed, purged, second), (Ok(Seq(3)), Ok(true), Ok(true), Ok(Seq(2))));
    assert_eq!(state(&store, "a").await, state_of(2, Some(2), "y"));
}
