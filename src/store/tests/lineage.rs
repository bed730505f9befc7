//! Purging, earlier lives, branches.

use super::*;

/// Bytes that are found nowhere else.
const MARK: &[u8] = b"the secret sentence of the purged document";

/// A document with something in every table that a purge empties, deleted at 9.
async fn deleted(place: &Place, store: &Store, name: &str) {
    let a = || document(name);
    let marked = record(MARK);
    store.append(a(), vec![marked.clone(), marked.clone()]).await.unwrap();
    store.write_snapshot(a(), Seq(2), MARK.into(), 0).await.unwrap();
    store.quarantine(a(), marked, "poison".into()).await.unwrap();
    let lost = rescued::rescued(&format!("lost-{name}"), 1, str::from_utf8(MARK).unwrap());
    let aside = Aside { examine_from: Some(Seq(2)), rescued: vec![lost], unkept: Vec::new() };
    store.append_with_aside(a(), vec![], aside).await.unwrap();
    let link = ShareLink {
        id: format!("link-{name}"),
        document: a(),
        level: "read".into(),
        label: String::new(),
        created_at_ms: 0,
        created_by: None,
        expires_at_ms: None,
        revoked_at_ms: None,
    };
    let mut hash = [0; 32];
    hash[..name.len()].copy_from_slice(name.as_bytes());
    store.insert_link(link, hash, 10).await.unwrap();
    let row = format!("(SELECT id FROM documents WHERE name = '{name}')");
    let text = str::from_utf8(MARK).unwrap();
    place
        .sql(&format!(
            "INSERT INTO segments VALUES ({row}, 1, 1, 0, 0, CAST('{text}' AS BLOB), 0); \
             INSERT INTO versions VALUES ('v-{name}', {row}, 1, 0, 'one', 'named', NULL, 0);"
        ))
        .await;
    store.delete(a(), 9).await.unwrap();
}

fn purge_of(deleted_at_ms: i64) -> Purge {
    Purge { at_ms: 20, deleted_at_ms, clocks: Bytes::from_static(&[1, 7, 3]), branches: false }
}

async fn purge(store: &Store, name: &str) -> Result<bool, AppendError> {
    store.purge(document(name), purge_of(9)).await
}

async fn rows(place: &Place, table: &str) -> i64 {
    place.number(&format!("SELECT count(*) FROM {table}")).await
}

#[tokio::test]
async fn a_purge_removes_every_row_of_its_document_and_no_other() {
    let place = Place::new();
    let store = place.open().await;
    deleted(&place, &store, "a").await;
    deleted(&place, &store, "b").await;
    let tables = [
        "documents",
        "updates",
        "snapshots",
        "segments",
        "versions",
        "quarantine",
        "rescued",
        "share_links",
    ];
    let mut before = Vec::new();
    for table in tables {
        before.push(rows(&place, table).await);
    }
    assert_eq!(purge(&store, "a").await, Ok(true));
    for (table, before) in tables.iter().zip(before) {
        assert_eq!(rows(&place, table).await, before / 2, "{table}");
    }
    assert_eq!(store.status(&document("a")).await, Ok(DocumentStatus::Absent));
    assert_eq!(store.rescued(&document("a")).await, Ok(vec![]));
    assert_eq!(store.status(&document("b")).await, Ok(DocumentStatus::Deleted));
    assert_eq!(purge(&store, "a").await, Ok(false));
}

#[tokio::test]
async fn nothing_of_a_purged_document_is_left_in_the_files() {
    for durability in [Durability::Disk, Durability::Process] {
        let place = Place::new();
        let store = place.open_tuned(durability, Tuning::default()).await;
        deleted(&place, &store, "a").await;
        let found = |place: &Place| {
            let mut wal = place.database().into_os_string();
            wal.push("-wal");
            let files = [place.database(), wal.into()];
            let holds = |bytes: Vec<u8>| bytes.windows(MARK.len()).any(|part| part == MARK);
            files.map(|file| std::fs::read(file).is_ok_and(holds))
        };
        assert!(found(&place).contains(&true), "the test finds what is there");
        assert_eq!(purge(&store, "a").await, Ok(true));
        assert_eq!(found(&place), [false, false]);
        store.close().await;
        assert_eq!(found(&place), [false, false]);
    }
}

#[tokio::test]
async fn only_the_deletion_that_was_read_is_purged() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=2).await;
    let refused = |answer| matches!(answer, Err(AppendError::Refused { .. }));
    assert!(refused(purge(&store, "a").await), "it is live");
    store.delete(document("a"), 9).await.unwrap();
    store.undelete(document("a")).await.unwrap();
    append(&store, "a", 3..=3).await;
    store.delete(document("a"), 10).await.unwrap();
    assert!(refused(purge(&store, "a").await), "something was written since");
    store.undelete(document("a")).await.unwrap();
    assert_eq!(numbers(&load(&store, "a").await), [1, 2, 3]);
}

#[tokio::test]
async fn a_name_remembers_all_its_lives() {
    let place = Place::new();
    let mut store = place.open().await;
    for life in 1..=3_u8 {
        let stored = load(&store, "a").await;
        assert_eq!((stored.retired.len(), stored.last), (usize::from(life) - 1, Seq(0)));
        append(&store, "a", 1..=2).await;
        let epoch = place.number("SELECT epoch FROM documents WHERE name = 'a'").await;
        assert_eq!(epoch, i64::from(life));
        let stored = load(&store, "a").await;
        let expected: Vec<Bytes> = (1..life).map(|life| vec![1, life, 1].into()).collect();
        assert_eq!(stored.retired, expected);
        assert_eq!(numbers(&stored), [1, 2]);
        store.delete(document("a"), 9).await.unwrap();
        let clocks = Bytes::from(vec![1, life, 1]);
        assert_eq!(store.purge(document("a"), Purge { clocks, ..purge_of(9) }).await, Ok(true));
        if life == 2 {
            store.close().await;
            store = place.open().await;
        }
    }
    assert_eq!(load(&store, "b").await.retired, Vec::<Bytes>::new());
}

/// All in one batch: what was written before the purge goes with it, what comes after it stays.
#[tokio::test]
async fn a_purge_has_its_place_among_the_appends_of_its_batch() {
    let place = Place::new();
    let store = place.open().await;
    let a = || document("a");
    let (first, deleted, purged, second) = tokio::join!(
        store.append(a(), records(1..=3)),
        store.delete(a(), 9),
        store.purge(a(), purge_of(9)),
        store.append(a(), records(7..=8)),
    );
    assert_eq!(store.stats().commits, 1, "one batch");
    assert_eq!((first.unwrap().last, deleted, purged), (Seq(3), Ok(true), Ok(true)));
    assert_eq!(second.unwrap().last, Seq(2));
    assert_eq!(numbers(&load(&store, "a").await), [7, 8]);
}

#[tokio::test]
async fn everything_readable_of_a_deleted_document_can_be_read() {
    let place = Place::new();
    let store = place.open().await;
    let read = async || {
        let mut read = Vec::new();
        let take = |remains: Remains<'_>| match remains {
            Remains::Update(bytes) | Remains::Segment(bytes) => read.push(bytes.to_vec()),
        };
        let at = store.read_deleted(&document("a"), take).await;
        (at.unwrap(), read)
    };
    append(&store, "a", 1..=2).await;
    store.write_snapshot(document("a"), Seq(2), "both".into(), 0).await.unwrap();
    assert_eq!(read().await, (None, vec![]));
    store.delete(document("a"), 9).await.unwrap();
    place.sql("UPDATE updates SET checksum = 0 WHERE seq = 1").await;
    let expected = [&b"both"[..], b"1", b"2"].map(<[u8]>::to_vec);
    assert_eq!(read().await, (Some(9), expected.to_vec()));
}

fn brought(at_ms: i64, bytes: &'static str) -> LogRecord {
    LogRecord { at_ms, author: Some("ann".into()), ..record(bytes) }
}

async fn keep(store: &Store, id: &str, at_ms: i64, bytes: &'static str) -> String {
    store.keep_branch(document("a"), id.into(), brought(at_ms, bytes)).await.unwrap()
}

async fn branch_ids(store: &Store) -> Vec<String> {
    let branches = store.branches(&document("a")).await.unwrap();
    branches.into_iter().map(|branch| branch.id).collect()
}

#[tokio::test]
async fn a_branch_is_kept_listed_read_replaced_and_removed() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(keep(&store, "one", 1, "first").await, "one");
    assert_eq!(keep(&store, "two", 2, "second").await, "two");
    assert_eq!(branch_ids(&store).await, ["two", "one"]);
    // The same bytes are kept once.
    assert_eq!(keep(&store, "three", 3, "first").await, "one");
    assert_eq!(keep(&store, "one", 4, "first and more").await, "one");
    assert_eq!(branch_ids(&store).await, ["one", "two"]);

    let (branch, bytes) = store.branch("one").await.unwrap().unwrap();
    assert_eq!((branch.at_ms, branch.bytes, &bytes[..]), (4, 14, &b"first and more"[..]));
    assert_eq!((branch.author.as_deref(), branch.connection), (Some("ann"), ConnectionId(7)));
    assert_eq!(store.branch("none").await, Ok(None));
    assert_eq!(store.delete_branch("one".into()).await, Ok(true));
    assert_eq!(store.delete_branch("one".into()).await, Ok(false));
    assert_eq!(branch_ids(&store).await, ["two"]);
    place.sql("UPDATE branches SET bytes = CAST('sEcond' AS BLOB)").await;
    assert!(matches!(store.branch("two").await, Err(LoadError::Corrupt { .. })));
}

#[tokio::test]
async fn the_newest_branches_are_kept() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..=i64::from(BRANCHES_MAX) {
        let record = LogRecord { at_ms: number, ..record(number.to_string()) };
        store.keep_branch(document("a"), format!("b{number}"), record).await.unwrap();
    }
    let kept = branch_ids(&store).await;
    assert_eq!((kept.len(), kept[0].as_str()), (BRANCHES_MAX as usize, "b100"));
    assert_eq!(kept.last().map(String::as_str), Some("b1"));
}

#[tokio::test]
async fn branches_survive_a_purge_unless_they_are_meant() {
    let place = Place::new();
    let store = place.open().await;
    for (branches, left) in [(false, 1), (true, 0)] {
        append(&store, "a", 1..=1).await;
        keep(&store, "one", 1, "first").await;
        store.delete(document("a"), 9).await.unwrap();
        let purge = Purge { branches, ..purge_of(9) };
        assert_eq!(store.purge(document("a"), purge).await, Ok(true));
        assert_eq!(branch_ids(&store).await.len(), left);
    }
}
