//! Share links and revocations.

use super::*;

const HOUR_MS: i64 = 3_600_000;

fn link(id: &str, name: &str, created_at_ms: i64) -> ShareLink {
    ShareLink {
        id: id.into(),
        document: document(name),
        level: "read".into(),
        label: "for Bo".into(),
        created_at_ms,
        created_by: Some("ann".into()),
        expires_at_ms: None,
        revoked_at_ms: None,
    }
}

fn hash(number: u8) -> [u8; 32] {
    [number; 32]
}

async fn ids(store: &Store, name: &str) -> Vec<String> {
    store.links(&document(name)).await.unwrap().into_iter().map(|link| link.id).collect()
}

#[tokio::test]
async fn a_link_is_found_by_its_hash_its_id_and_its_document() {
    let place = Place::new();
    let store = place.open().await;
    let one = ShareLink { expires_at_ms: Some(HOUR_MS), ..link("one", "a", 1) };
    let two = ShareLink { created_by: None, label: String::new(), ..link("two", "a", 2) };
    store.insert_link(one.clone(), hash(1), 10).await.unwrap();
    store.insert_link(two.clone(), hash(2), 10).await.unwrap();
    store.insert_link(link("three", "A", 3), hash(3), 10).await.unwrap();
    store.close().await;

    let store = place.open().await;
    assert_eq!(store.link_by_hash(&hash(1)).await, Ok(Some(one.clone())));
    assert_eq!(store.link_by_hash(&hash(9)).await, Ok(None));
    assert_eq!(store.link("two").await, Ok(Some(two.clone())));
    assert_eq!(store.link("Two").await, Ok(None));
    assert_eq!(store.links(&document("a")).await, Ok(vec![two, one]));
    assert_eq!(store.links(&document("nothing")).await, Ok(vec![]));
    // A link does not make its document.
    assert_eq!(store.status(&document("a")).await, Ok(DocumentStatus::Absent));
}

#[tokio::test]
async fn a_link_can_be_changed_until_it_is_revoked() {
    let place = Place::new();
    let store = place.open().await;
    store.insert_link(link("one", "a", 1), hash(1), 10).await.unwrap();
    store.insert_link(link("two", "a", 1), hash(2), 10).await.unwrap();
    assert_eq!(store.update_link("one".into(), "write".into(), Some(7)).await, Ok(true));
    let changed =
        ShareLink { level: "write".into(), expires_at_ms: Some(7), ..link("one", "a", 1) };
    assert_eq!(store.link("one").await, Ok(Some(changed.clone())));

    assert_eq!(store.revoke_link("one".into(), 8).await, Ok(true));
    assert_eq!(store.revoke_link("one".into(), 9).await, Ok(false));
    assert_eq!(store.update_link("one".into(), "admin".into(), None).await, Ok(false));
    let revoked = ShareLink { revoked_at_ms: Some(8), ..changed };
    assert_eq!(store.link_by_hash(&hash(1)).await, Ok(Some(revoked)));
    assert_eq!(store.link("two").await, Ok(Some(link("two", "a", 1))));

    assert_eq!(store.revoke_link("none".into(), 8).await, Ok(false));
    assert_eq!(store.update_link("none".into(), "read".into(), None).await, Ok(false));
}

#[tokio::test]
async fn a_document_has_a_limit_of_links_that_count() {
    let place = Place::new();
    let store = place.open().await;
    let short = ShareLink { expires_at_ms: Some(10), ..link("short", "a", 1) };
    store.insert_link(short, hash(1), 2).await.unwrap();
    store.insert_link(link("long", "a", 1), hash(2), 2).await.unwrap();
    store.insert_link(link("other", "b", 1), hash(3), 2).await.unwrap();
    let refused = store.insert_link(link("third", "a", 9), hash(4), 2).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "refused to write: the document has 2 share links, the limit is 2"
    );
    // The first has expired, then the second is revoked: each makes room.
    store.insert_link(link("third", "a", 10), hash(4), 2).await.unwrap();
    store.insert_link(link("fourth", "a", 10), hash(5), 2).await.unwrap_err();
    store.revoke_link("long".into(), 11).await.unwrap();
    store.insert_link(link("fourth", "a", 12), hash(5), 2).await.unwrap();
    assert_eq!(ids(&store, "a").await, ["fourth", "third", "long", "short"]);
}

#[tokio::test]
async fn two_links_cannot_have_the_same_id_or_secret() {
    let place = Place::new();
    let store = place.open().await;
    store.insert_link(link("one", "a", 1), hash(1), 10).await.unwrap();
    for (id, secret) in [("one", 2), ("two", 1)] {
        let refused = store.insert_link(link(id, "b", 1), hash(secret), 10).await;
        assert!(matches!(refused, Err(AppendError::Refused { .. })), "{id} {secret}: {refused:?}");
    }
    assert_eq!(store.link_by_hash(&hash(1)).await, Ok(Some(link("one", "a", 1))));
    assert_eq!(store.stats().failures, 0);
}

#[tokio::test]
async fn ended_links_are_kept_up_to_a_limit() {
    let place = Place::new();
    let store = place.open().await;
    store.insert_link(link("stays", "a", 0), hash(255), 10).await.unwrap();
    let ended = u8::try_from(ENDED_LINKS_MAX).unwrap();
    for number in 0..ended + 5 {
        let at = i64::from(number);
        store.insert_link(link(&number.to_string(), "a", at), hash(number), 10).await.unwrap();
        store.revoke_link(number.to_string(), at).await.unwrap();
    }
    store.insert_link(link("last", "a", 1000), hash(254), 10).await.unwrap();
    let ids = ids(&store, "a").await;
    assert_eq!(ids.len(), usize::from(ended) + 2);
    assert!(ids.iter().any(|id| id == "stays") && ids.iter().any(|id| id == "last"));
    assert!(ids.iter().any(|id| id == "5") && !ids.iter().any(|id| id == "4"));
}

#[tokio::test]
async fn an_unknown_level_costs_nobody_else_anything() {
    let place = Place::new();
    let store = place.open().await;
    let wrong = ShareLink { level: "none".into(), ..link("one", "a", 1) };
    let (refused, appended) = futures_util::future::join(
        store.insert_link(wrong, hash(1), 10),
        append(&store, "a", 1..=1),
    )
    .await;
    assert!(matches!(refused, Err(AppendError::Failed { .. })), "{refused:?}");
    assert_eq!(appended, Seq(1));
    assert_eq!(store.link("one").await, Ok(None));
}

fn revocation(id: &str, kind: RevocationKind, value: &str, at_ms: i64) -> Revocation {
    Revocation { id: id.into(), kind, value: value.into(), at_ms, created_by: Some("ann".into()) }
}

#[tokio::test]
async fn revocations_are_kept_until_they_are_taken_back() {
    let place = Place::new();
    let store = place.open().await;
    let of_bo = revocation("1", RevocationKind::Subject, "bo", 1);
    // A subject and a token of the same name are two things.
    let of_token = revocation("2", RevocationKind::Token, "bo", 2);
    let of_other = revocation("3", RevocationKind::Subject, "Bo", 3);
    for revocation in [&of_bo, &of_token, &of_other] {
        store.insert_revocation(revocation.clone(), 10).await.unwrap();
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.revocations().await, Ok(vec![of_other.clone(), of_token, of_bo.clone()]));
    assert_eq!(store.remove_revocation("2".into()).await, Ok(true));
    assert_eq!(store.remove_revocation("2".into()).await, Ok(false));
    assert_eq!(store.revocations().await, Ok(vec![of_other, of_bo]));
}

#[tokio::test]
async fn a_second_revocation_moves_the_first_one_forward_and_never_back() {
    let place = Place::new();
    let store = place.open().await;
    let insert =
        |id, at| store.insert_revocation(revocation(id, RevocationKind::Subject, "bo", at), 1);
    insert("first", 5).await.unwrap();
    for (at, expected) in [(9, 9), (7, 9)] {
        insert("second", at).await.unwrap();
        let moved = revocation("first", RevocationKind::Subject, "bo", expected);
        assert_eq!(store.revocations().await, Ok(vec![moved]));
    }
}

#[tokio::test]
async fn revocations_have_a_limit() {
    let place = Place::new();
    let store = place.open().await;
    let insert =
        |id, value| store.insert_revocation(revocation(id, RevocationKind::Token, value, 1), 2);
    insert("1", "a").await.unwrap();
    insert("1", "taken").await.unwrap_err();
    insert("2", "b").await.unwrap();
    let refused = insert("3", "c").await.unwrap_err();
    assert_eq!(refused.to_string(), "refused to write: there are 2 revocations, the limit is 2");
    // One that is there already can still be moved.
    insert("3", "b").await.unwrap();
    store.remove_revocation("1".into()).await.unwrap();
    insert("3", "c").await.unwrap();
}
