//! What somebody may do changes while they are connected.

use std::sync::Arc;

use coscribe::access::{Claims, Level, Pattern};
use coscribe::clock;

use crate::support::wire::{self, Said};
use crate::support::{Dialect, Editor, Office, Server, patiently};

/// Waits until the server ends an editor's part, and returns the word for it.
async fn end_of(editor: &mut Editor, dialect: Dialect) -> String {
    match dialect {
        Dialect::Hocuspocus => {
            let denied = editor.until_said(|said| matches!(said, Said::Denied(_))).await;
            let closed = editor.until_said(|said| matches!(said, Said::Closed(_))).await;
            match (denied, closed) {
                (Said::Denied(why), Said::Closed(reason)) if why == reason => why,
                other => panic!("two words for one thing: {other:?}"),
            }
        }
        Dialect::YWebsocket | Dialect::YSweet => {
            let (code, reason) = editor.until_closed().await;
            assert!(matches!(code, 4401 | 4403 | 4404), "{code} is not permanent");
            reason
        }
    }
}

/// Makes a link for `plan` and returns its id and secret.
async fn link(server: &Server, office: &Office, body: &str) -> (String, String) {
    let admin = office.token("owner", "*", Level::Admin);
    let made = server.ask("POST", "/api/v1/documents/plan/links", &admin, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    assert!(text("url").ends_with(&format!("/n/plan#token={}", text("secret"))), "{made}");
    (text("id"), text("secret"))
}

/// Reads until what the editor may do has changed: answers to its writing are of another kind.
async fn until_writing_is_answered(editor: &mut Editor, dialect: Dialect, positive: bool) {
    let scope = if positive { "read-write" } else { "readonly" };
    match dialect {
        Dialect::Hocuspocus => {
            editor.until_said(|said| *said == Said::Authenticated(scope.into())).await;
        }
        // The server says so, or asks for what the editor has.
        _ if positive => {
            editor.until_said(|said| matches!(said, Said::Step1(_))).await;
        }
        _ => {
            editor.until_said(|said| matches!(said, Said::Denied(_))).await;
        }
    }
}

#[actix::test]
async fn a_token_that_expires_ends_the_session() {
    let office = Office::new();
    let server = office.server(|_| {});
    for dialect in Dialect::ALL {
        let token = office.token_for("ann", "plan", Level::Write, 2);
        let mut ann = Editor::open_as(&server, dialect, "plan", &token).await;
        ann.save_text("in time ").await;
        let before = clock::unix_ms();
        assert_eq!(end_of(&mut ann, dialect).await, "token-expired");
        assert!(clock::unix_ms() - before < 7_000, "{dialect:?}");
    }
}

#[actix::test]
async fn a_client_is_asked_for_a_fresh_token_and_goes_on_with_it() {
    let office = Office::new();
    let server = office.server(|_| {});
    let token = office.token_for("ann", "plan", Level::Write, 4);
    let mut ann = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await;
    ann.until_said(|said| *said == Said::TokenWanted).await;
    let fresh = office.token("ann", "plan", Level::Write);
    ann.say(wire::token(&fresh)).await;
    // Longer than the first token was good for.
    let until = clock::unix_ms() + 5_000;
    while clock::unix_ms() < until {
        ann.save_text("still here ").await;
    }
    let ended = |said: &&Said| matches!(said, Said::Denied(_) | Said::Closed(_));
    assert_eq!(ann.heard.iter().find(ended), None);
    let accepted = Said::Authenticated("read-write".into());
    assert_eq!(ann.heard.iter().filter(|said| **said == accepted).count(), 1);
}

#[actix::test]
async fn a_fresh_token_that_is_not_accepted_closes_the_document() {
    let office = Office::new();
    let server = office.server(|_| {});
    let token = office.token("ann", "plan", Level::Write);
    let mut ann = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await;
    ann.say(wire::token("nonsense")).await;
    let closed = ann.until_said(|said| matches!(said, Said::Closed(_))).await;
    assert_eq!(closed, Said::Closed("Unauthorized".into()));
}

#[actix::test]
async fn a_fresh_token_changes_the_level_in_place() {
    let office = Office::new();
    let server = office.server(|_| {});
    let dialect = Dialect::Hocuspocus;
    let write = office.token("ann", "plan", Level::Write);
    let mut ann = Editor::open_as(&server, dialect, "plan", &write).await;
    let mut bo = Editor::open_as(&server, dialect, "plan", &write).await;
    ann.save_text("one ").await;
    ann.say(wire::token(&office.token("ann", "plan", Level::Read))).await;
    until_writing_is_answered(&mut ann, dialect, false).await;
    ann.type_text("two ").await;
    ann.until_said(|said| *said == Said::Status(0)).await;
    assert!(!ann.is_saved());
    bo.settle().await;
    assert_eq!(bo.text(), "one ", "what was saved stays, what came after is not taken");
    ann.say(wire::token(&write)).await;
    until_writing_is_answered(&mut ann, dialect, true).await;
    ann.saved().await;
    bo.until_text("one two ").await;
}

#[actix::test]
async fn a_revoked_user_is_out_at_once_and_comes_back_with_a_later_token() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    let revoke = async |what: &str| {
        let revoked = server.ask("POST", "/api/v1/revocations", &admin, what).await;
        assert_eq!(revoked.status, 201, "{}", revoked.text());
        revoked.json()["id"].as_str().expect("an id").to_owned()
    };
    for dialect in Dialect::ALL {
        let subject = format!("ann by {dialect:?}");
        let token = office.token(&subject, "plan", Level::Write);
        let mut ann = Editor::open_as(&server, dialect, "plan", &token).await;
        let other = office.token("bo", "plan", Level::Write);
        let mut bo = Editor::open_as(&server, dialect, "plan", &other).await;
        let id = revoke(&format!(r#"{{"subject":"{subject}"}}"#)).await;
        assert_eq!(end_of(&mut ann, dialect).await, "token-revoked");
        assert_eq!(server.ask("GET", "/d/plan/as-update", &token, "").await.status, 401);
        bo.save_text("not concerned ").await;
        // The same token again once the revocation has been taken back.
        let unrevoked =
            server.ask("DELETE", &format!("/api/v1/revocations/{id}"), &admin, "").await;
        assert_eq!(unrevoked.status, 204);
        Editor::open_as(&server, dialect, "plan", &token).await;
    }
    let listed = server.ask("GET", "/api/v1/revocations", &admin, "").await;
    assert_eq!(listed.json(), serde_json::json!({ "revocations": [] }));
}

#[actix::test]
async fn one_token_is_revoked_by_its_id() {
    let office = Office::new();
    let server = office.server(|_| {});
    let claims = |id: &str| Claims {
        subject: Some("ann".into()),
        name: None,
        color: None,
        documents: vec![Pattern::parse("plan").expect("a pattern")],
        level: Level::Write,
        expires_at_s: clock::unix_s() + 60,
        issued_at_s: Some(clock::unix_s()),
        token_id: Some(Arc::from(id)),
    };
    let (one, two) = (office.sign(&claims("one")), office.sign(&claims("two")));
    let mut first = Editor::open_as(&server, Dialect::YWebsocket, "plan", &one).await;
    let mut second = Editor::open_as(&server, Dialect::YWebsocket, "plan", &two).await;
    let admin = office.token("owner", "*", Level::Admin);
    let body = r#"{"token_id":"one"}"#;
    assert_eq!(server.ask("POST", "/api/v1/revocations", &admin, body).await.status, 201);
    assert_eq!(first.until_closed().await, (4401, "token-revoked".into()));
    second.save_text("still here").await;
}

#[actix::test]
async fn a_revocation_outlives_a_restart() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    let token = office.token("ann", "plan", Level::Write);
    let body = r#"{"subject":"ann"}"#;
    assert_eq!(server.ask("POST", "/api/v1/revocations", &admin, body).await.status, 201);
    let home = server.stop();
    let secret = office.secret_file();
    let server = Server::start_at(home, |config| config.auth.secret_files = vec![secret]);
    assert_eq!(server.ask("GET", "/d/plan/as-update", &token, "").await.status, 401);
}

#[actix::test]
async fn a_share_link_opens_its_document_and_no_other() {
    let office = Office::new();
    let server = office.server(|_| {});
    let (_, secret) = link(&server, &office, r#"{"level":"write","label":"for Bo"}"#).await;
    for dialect in Dialect::ALL {
        let mut guest = Editor::open_as(&server, dialect, "plan", &secret).await;
        guest.save_text("hello ").await;
    }
    let admin = office.token("owner", "*", Level::Admin);
    assert_eq!(server.ask("GET", "/d/plan/as-update", &secret, "").await.status, 200);
    assert_eq!(server.ask("GET", "/d/other/as-update", &secret, "").await.status, 403);
    assert_eq!(server.ask("GET", "/api/v1/documents/plan/links", &secret, "").await.status, 403);
    let listed = server.ask("GET", "/api/v1/documents/plan/links", &admin, "").await;
    assert!(listed.text().contains("for Bo"));
    assert!(!listed.text().contains(&secret), "a secret is shown once");
    let stored = std::fs::read(server.home().database()).expect("the database");
    let stored = [
        stored,
        std::fs::read(server.home().database().with_extension("db-wal")).unwrap_or_default(),
    ]
    .concat();
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("for Bo") && !holds(&secret), "only the hash of a secret is stored");
}

#[actix::test]
async fn a_link_changes_and_ends_while_it_is_used() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    for dialect in Dialect::ALL {
        let (id, secret) = link(&server, &office, r#"{"level":"write"}"#).await;
        let path = format!("/api/v1/links/{id}");
        let change = async |body: &str| {
            let changed = server.ask("PATCH", &path, &admin, body).await;
            assert_eq!(changed.status, 200, "{}", changed.text());
        };
        let mut guest = Editor::open_as(&server, dialect, "plan", &secret).await;
        guest.save_text("one ").await;
        let before = guest.text();
        change(r#"{"level":"read"}"#).await;
        until_writing_is_answered(&mut guest, dialect, false).await;
        guest.type_text("two ").await;
        guest.settle().await;
        let mut owner = Editor::open_as(&server, dialect, "plan", &admin).await;
        assert_eq!(owner.text(), before, "{dialect:?}");
        change(r#"{"level":"write"}"#).await;
        until_writing_is_answered(&mut guest, dialect, true).await;
        guest.saved().await;
        owner.until_text(&format!("{before}two ")).await;
        assert_eq!(server.ask("DELETE", &path, &admin, "").await.status, 204);
        assert_eq!(end_of(&mut guest, dialect).await, "token-revoked");
        let again = server.ask("GET", "/d/plan/as-update", &secret, "").await;
        let never =
            server.ask("GET", "/d/plan/as-update", "share-AAAAAAAAAAAAAAAAAAAAAA", "").await;
        assert_eq!((again.status, &again.body), (never.status, &never.body), "the same answer");
        assert_eq!(server.ask("DELETE", &path, &admin, "").await.status, 404);
    }
}

#[actix::test]
async fn a_link_ends_by_itself() {
    let office = Office::new();
    let server = office.server(|_| {});
    for dialect in Dialect::ALL {
        let (_, secret) = link(&server, &office, r#"{"level":"write","expires_in_s":1}"#).await;
        let mut guest = Editor::open_as(&server, dialect, "plan", &secret).await;
        assert_eq!(end_of(&mut guest, dialect).await, "token-expired");
        assert_eq!(server.ask("GET", "/d/plan/as-update", &secret, "").await.status, 401);
    }
}

#[actix::test]
async fn a_deleted_document_is_over_for_everybody_and_comes_back_as_it_was() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    for dialect in Dialect::ALL {
        let token = office.token("ann", "plan", Level::Write);
        let mut ann = Editor::open_as(&server, dialect, "plan", &token).await;
        ann.save_text("kept ").await;
        let text = ann.text();
        assert_eq!(server.ask("DELETE", "/api/v1/documents/plan", &admin, "").await.status, 204);
        assert_eq!(end_of(&mut ann, dialect).await, "document-deleted");
        assert_eq!(server.ask("GET", "/d/plan/as-update", &token, "").await.status, 404);
        let posted = server.ask("POST", "/d/plan/update", &token, "\0\0").await;
        assert_eq!(posted.status, 404, "{}", posted.text());
        let refused = server.upgrade(&format!("/sync/plan?token={token}")).await;
        assert_eq!(refused.status, 404);
        let undelete = "/api/v1/documents/plan/undelete";
        assert_eq!(server.ask("POST", undelete, &admin, "").await.status, 204);
        let bo = Editor::open_as(&server, dialect, "plan", &token).await;
        assert_eq!(bo.text(), text);
    }
}

#[actix::test]
async fn names_in_presence_come_from_the_token() {
    let office = Office::new();
    let server = office.server(|_| {});
    let token = office.sign(&Claims {
        subject: Some("u1".into()),
        name: Some("Ann".into()),
        color: Some("#102030".into()),
        documents: vec![Pattern::parse("plan").expect("a pattern")],
        level: Level::Read,
        expires_at_s: clock::unix_s() + 60,
        issued_at_s: None,
        token_id: None,
    });
    let watching = office.token("bo", "plan", Level::Write);
    for dialect in Dialect::ALL {
        let mut ann = Editor::open_as(&server, dialect, "plan", &token).await;
        let mut bo = Editor::open_as(&server, dialect, "plan", &watching).await;
        let lie = r#"{"user":{"name":"The Boss","color":"red"},"coscribe":{"subject":"boss"}}"#;
        ann.show(1, lie).await;
        let heard = bo.until_said(|said| matches!(said, Said::Awareness(list) if !list.is_empty()));
        let Said::Awareness(list) = heard.await else { unreachable!("it was asked for") };
        let state: serde_json::Value = serde_json::from_str(&list[0].2).expect("JSON");
        let truth = serde_json::json!({
            "user": { "name": "Ann", "color": "#102030" },
            "coscribe": { "subject": "u1" },
        });
        assert_eq!(state, truth, "{dialect:?}");
        drop(ann);
        bo.until_said(
            |said| matches!(said, Said::Awareness(list) if list.iter().any(|e| e.2 == "null")),
        )
        .await;
    }
}

#[actix::test]
async fn a_slow_reader_that_is_revoked_does_not_stay() {
    let office = Office::new();
    let server = office.server(|config| config.limits.outbox_bytes_max = 1_000);
    let admin = office.token("owner", "*", Level::Admin);
    let mut owner = Editor::open_as(&server, Dialect::YWebsocket, "plan", &admin).await;
    owner.save_text(&"much to read ".repeat(500_000)).await;
    let token = office.token("ann", "plan", Level::Read);
    // It asks for everything and reads nothing.
    let mut slow = Editor::connect_as(&server, Dialect::YWebsocket, "plan", &token).await;
    slow.say_step_1().await;
    let body = r#"{"subject":"ann"}"#;
    assert_eq!(server.ask("POST", "/api/v1/revocations", &admin, body).await.status, 201);
    let (code, _) = patiently("the end", slow.until_closed()).await;
    assert_eq!(code, 4401);
}

#[actix::test]
async fn a_user_has_so_many_sessions() {
    let office = Office::new();
    let server = office.server(|config| config.limits.user_sessions_max = 2);
    let token = office.token("ann", "*", Level::Write);
    let one = Editor::open_as(&server, Dialect::YWebsocket, "a", &token).await;
    let _two = Editor::open_as(&server, Dialect::Hocuspocus, "b", &token).await;
    let refused = server.upgrade(&format!("/sync/c?token={token}")).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    let mut third = Editor::connect_as(&server, Dialect::Hocuspocus, "c", &token).await;
    let denied = third.until_said(|said| matches!(said, Said::Denied(_))).await;
    assert!(matches!(&denied, Said::Denied(why) if why.contains("limit of 2")), "{denied:?}");
    let other = office.token("bo", "*", Level::Write);
    Editor::open_as(&server, Dialect::YWebsocket, "c", &other).await;
    drop(one);
    server.until_metric("connections", |open| open <= 2.0).await;
}

#[actix::test]
async fn who_knocks_too_often_waits() {
    let office = Office::new();
    let server = office.server(|config| {
        config.limits.address_logins_per_s_max = 1;
        config.limits.address_logins_burst_max = 3;
    });
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(server.upgrade("/sync/plan?token=nonsense").await.status.as_u16());
    }
    assert_eq!(statuses[..3], [401, 401, 401]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
}
