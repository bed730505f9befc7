//! Versions, and the listing of documents.

use super::*;

fn version(id: &str, seq: u64) -> Version {
    Version {
        id: id.into(),
        seq: Seq(seq),
        at_ms: 5,
        name: format!("{id} at {seq}"),
        kind: VersionKind::Named,
        created_by: Some("ann".into()),
    }
}

async fn insert(store: &Store, id: &str, seq: u64) -> Result<(), AppendError> {
    store.insert_version(document("a"), version(id, seq), 6).await
}

async fn ids(store: &Store, behind: Option<(Seq, &str)>, limit: u32) -> String {
    let versions = store.versions(&document("a"), behind, limit).await.unwrap();
    versions.iter().map(|version| version.id.as_str()).collect()
}

#[tokio::test]
async fn versions_are_listed_newest_first_with_a_cursor() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5).await;
    for (id, seq) in [("x", 3), ("b", 5), ("a", 5), ("c", 0), ("d", 5)] {
        insert(&store, id, seq).await.unwrap();
    }
    let restore = Version { kind: VersionKind::Restore, created_by: None, ..version("r", 4) };
    store.insert_version(document("a"), restore.clone(), 6).await.unwrap();

    assert_eq!(ids(&store, None, 100).await, "dbarxc");
    assert_eq!(ids(&store, None, 2).await, "db");
    assert_eq!(ids(&store, Some((Seq(5), "b")), 2).await, "ar");
    assert_eq!(ids(&store, Some((Seq(0), "c")), 2).await, "");
    assert_eq!(store.version(&document("a"), "r").await, Ok(Some(restore)));
    assert_eq!(store.version(&document("b"), "r").await, Ok(None));
    assert_eq!(store.versions(&document("b"), None, 9).await, Ok(vec![]));
}

#[tokio::test]
async fn versions_that_cannot_be_are_refused() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5).await;
    insert(&store, "a", 1).await.unwrap();
    let beyond = insert(&store, "b", 6).await;
    assert!(matches!(beyond, Err(AppendError::Refused { .. })), "{beyond:?}");
    let taken = insert(&store, "a", 2).await;
    assert!(matches!(taken, Err(AppendError::Refused { .. })), "{taken:?}");
    let nowhere = store.insert_version(document("nothing"), version("b", 0), 6).await;
    assert!(matches!(nowhere, Err(AppendError::Refused { .. })), "{nowhere:?}");
    let too_many = store.insert_version(document("a"), version("b", 1), 1).await;
    assert!(matches!(too_many, Err(AppendError::Refused { .. })), "{too_many:?}");
    assert_eq!(place.number("SELECT count(*) FROM documents").await, 1);

    store.delete(document("a"), 1).await.unwrap();
    assert_eq!(insert(&store, "b", 1).await, Err(AppendError::Deleted));
    assert_eq!(ids(&store, None, 9).await, "a");
}

#[tokio::test]
async fn versions_are_renamed_and_deleted_by_their_document() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=5).await;
    append(&store, "b", 1..=5).await;
    insert(&store, "x", 1).await.unwrap();
    let rename =
        async |name| store.rename_version(document(name), "x".into(), "new".into()).await.unwrap();
    let delete = async |name| store.delete_version(document(name), "x".into()).await.unwrap();
    assert!(!rename("b").await && !delete("b").await && !delete("nothing").await);
    assert!(rename("a").await);
    let renamed = store.version(&document("a"), "x").await.unwrap().unwrap();
    assert_eq!(renamed, Version { name: "new".into(), ..version("x", 1) });
    assert!(delete("a").await);
    assert!(!delete("a").await);
    assert_eq!(ids(&store, None, 9).await, "");
}

#[tokio::test]
async fn documents_are_listed_by_name_with_where_they_end() {
    let place = Place::new();
    let store = place.open().await;
    for name in ["b", "ä", "B", "a"] {
        append(&store, name, 1..=3).await;
    }
    store.create(document("c"), 4).await.unwrap();
    store.delete(document("b"), 9).await.unwrap();
    let names = async |behind: Option<&str>, limit| -> Vec<String> {
        let behind = behind.map(document);
        let listed = store.documents(behind.as_ref(), limit).await.unwrap();
        listed.iter().map(|listed| listed.id.as_str().to_owned()).collect()
    };
    assert_eq!(names(None, 9).await, ["B", "a", "b", "c", "ä"]);
    assert_eq!(names(None, 2).await, ["B", "a"]);
    assert_eq!(names(Some("a"), 2).await, ["b", "c"]);
    assert_eq!(names(Some("ä"), 2).await, [""; 0]);

    let listed = store.documents(Some(&document("a")), 2).await.unwrap();
    let at_ms = record("").at_ms;
    let expected = [("b", at_ms, Some(9), 3, Some(at_ms)), ("c", 4, None, 0, None)];
    let expected = expected.map(|(name, created_at_ms, deleted_at_ms, last, last_at_ms)| {
        let (id, last) = (document(name), Seq(last));
        DocumentSummary { id, created_at_ms, deleted_at_ms, last, last_at_ms }
    });
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn versions_after_sessions_go_by_themselves_unless_somebody_named_them() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, "a", 1..=1).await;
    let session = |id: String| {
        let (at_ms, name, created_by) = (1, String::new(), None);
        Version { id, seq: Seq(1), at_ms, name, kind: VersionKind::Session, created_by }
    };
    store.insert_version(document("a"), session("0000".into()), 1_000).await.unwrap();
    assert!(store.rename_version(document("a"), "0000".into(), "kept".into()).await.unwrap());
    for number in 1..=SESSION_VERSIONS_MAX + 5 {
        let version = session(format!("{number:04}"));
        store.insert_version(document("a"), version, 1_000).await.unwrap();
    }
    let left = store.versions(&document("a"), None, 1_000).await.unwrap();
    let ids: Vec<&str> = left.iter().map(|version| version.id.as_str()).collect();
    assert_eq!(ids.len() as u32, SESSION_VERSIONS_MAX + 1);
    assert_eq!((ids[0], ids[ids.len() - 2], ids[ids.len() - 1]), ("0105", "0006", "0000"));
}
