//! A document that is purged, and what was there before under its name.

use coscribe::access::Level;

use crate::support::{Database, Dialect, Editor, Office, Server, Table};

const PURGE: &str = "/api/v1/documents/plan/purge";

async fn delete(server: &Server, admin: &str) {
    let deleted = server.ask("DELETE", "/api/v1/documents/plan", admin, "").await;
    assert_eq!(deleted.status, 204, "{}", deleted.text());
}

#[actix::test]
async fn only_a_deleted_document_is_purged_and_its_name_is_free_at_once() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    let token = office.token("ann", "plan", Level::Write);
    assert_eq!(server.ask("POST", PURGE, &admin, "").await.status, 404);
    for dialect in Dialect::ALL {
        let mut ann = Editor::open_as(&server, dialect, "plan", &token).await;
        ann.save_text("old").await;
        let live = server.ask("POST", PURGE, &admin, "").await;
        assert_eq!(live.status, 409, "{}", live.text());
        let link = "/api/v1/documents/plan/links";
        let made = server.ask("POST", link, &admin, r#"{"level":"read"}"#).await.json();
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        assert_eq!(server.ask("GET", "/d/plan/as-update", &secret, "").await.status, 200);
        delete(&server, &admin).await;
        let unclear = server.ask("POST", &format!("{PURGE}?all=true"), &admin, "").await;
        assert_eq!(unclear.status, 400, "{}", unclear.text());
        let purged = server.ask("POST", PURGE, &admin, "").await;
        assert_eq!(purged.status, 204, "{}", purged.text());
        assert_eq!(server.ask("POST", PURGE, &admin, "").await.status, 404);
        assert_eq!(server.ask("GET", "/d/plan/as-update", &token, "").await.status, 404);
        assert_eq!(server.ask("GET", "/d/plan/as-update", &secret, "").await.status, 401);
        let mut bo = Editor::open_as(&server, dialect, "plan", &token).await;
        assert_eq!(bo.text(), "");
        bo.save_text("new").await;
        delete(&server, &admin).await;
        assert_eq!(server.ask("POST", PURGE, &admin, "").await.status, 204);
    }
}

#[actix::test]
async fn a_request_with_text_of_a_purged_document_changes_nothing() {
    let office = Office::new();
    let server = office.server(|_| {});
    let admin = office.token("owner", "*", Level::Admin);
    let token = office.token("ann", "plan", Level::Write);
    let mut ann = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await;
    ann.save_text("old").await;
    let old = ann.everything();
    delete(&server, &admin).await;
    assert_eq!(server.ask("POST", PURGE, &admin, "").await.status, 204);
    let mut bo = Editor::open_as(&server, Dialect::YWebsocket, "plan", &token).await;
    bo.save_text("new").await;

    for _ in 0..2 {
        let refused = server.ask("POST", "/d/plan/update", &token, old.clone()).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        let told = "this copy belongs to an earlier document of this name";
        assert!(refused.text().contains(told), "{}", refused.text());
    }
    assert_eq!(bo.settle().await, []);
    bo.save_text(", and goes on").await;
    let cy = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await;
    assert_eq!(cy.text(), "new, and goes on");
    let mut database = Database::open(server.home()).await;
    assert_eq!(database.count(Table::Branches).await, 1);
    database.close().await;
}
