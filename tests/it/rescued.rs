//! Text that lost its place: listed, put back once, dismissed.

use std::process::Command;

use coscribe::access::Level;
use coscribe::config::Config;
use coscribe::id::{ConnectionId, DocumentId};
use coscribe::store::{Aside, Rescued, Store, StoreOptions};
use futures_util::future::join_all;
use serde_json::json;
use yrs::{Doc, Map, ReadTxn, Text, Transact, XmlElementPrelim, XmlFragment, XmlTextPrelim};

use crate::support::{Answer, Dialect, Editor, Home, Office, Server};

/// A text that lost its place at `at_ms`.
fn rescued(id: &str, at_ms: i64, text: &str) -> Rescued {
    Rescued {
        id: id.into(),
        at_ms,
        author: Some("ann".into()),
        connection: ConnectionId(7),
        client: 1001,
        clock: 3,
        text: text.into(),
        reason: "its line was removed".into(),
    }
}

/// Keeps texts beside a document, while no server runs.
async fn keep(home: &Home, document: &str, rescued: &[Rescued]) {
    let config = Config { database: home.database(), ..Config::default() };
    let store = Store::open(StoreOptions::new(&config)).await.expect("a database");
    let document = DocumentId::parse(document).expect("a name");
    let aside = Aside { examine_from: None, rescued: rescued.to_vec(), unkept: Vec::new() };
    store.append_with_aside(document, Vec::new(), aside).await.expect("it is kept");
    store.close().await;
}

/// A server of an office, and everybody's token for all documents.
struct House {
    office: Office,
    server: Server,
}

impl House {
    fn new() -> Self {
        let office = Office::new();
        Self { server: office.server(|_| {}), office }
    }

    /// The server ends, texts are kept, and another one starts.
    async fn keep(self, document: &str, rescued: &[Rescued]) -> Self {
        let Self { office, server } = self;
        let home = server.stop();
        keep(&home, document, rescued).await;
        let secrets = vec![office.secret_file()];
        let server = Server::start_at(home, |config| config.auth.secret_files = secrets);
        Self { office, server }
    }

    fn token(&self, who: &str) -> String {
        self.office.token(who, "*", Level::Admin)
    }

    async fn editor(&self, who: &str) -> Editor {
        Editor::open_as(&self.server, Dialect::Hocuspocus, "plan", &self.token(who)).await
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        let path = format!("/api/v1/documents/plan{path}");
        self.server.ask(method, &path, &self.token("bo"), "").await
    }

    async fn restore(&self, id: &str) -> u16 {
        let answer = self.ask("POST", &format!("/rescued/{id}/restore")).await;
        if answer.status == 200 {
            assert_eq!(answer.json(), json!({ "restored": true }));
        }
        answer.status.as_u16()
    }

    /// The ids of what is kept, newest first.
    async fn ids(&self) -> Vec<String> {
        let listed = self.ask("GET", "/rescued").await.json();
        let listed = listed["rescued"].as_array().expect("a list").iter();
        listed.map(|each| each["id"].as_str().expect("an id").to_owned()).collect()
    }

    async fn content(&self, format: &str) -> Answer {
        self.ask("GET", &format!("/content?format={format}")).await
    }

    /// Brings in what a document of its own holds.
    async fn bring(&self, document: &Doc) {
        let update = document.transact().encode_diff_v1(&yrs::StateVector::default());
        let answer = self.server.ask("POST", "/d/plan/update", &self.token("ann"), update).await;
        assert_eq!(answer.status, 200, "{}", answer.text_lossy());
    }
}

#[actix::test]
async fn texts_are_listed_newest_first_with_whoever_wrote_them() {
    let house = House::new();
    house.editor("ann").await.save_text("there").await;
    let anonymous = Rescued { author: None, ..rescued("b", 2, "without\na login") };
    let house = house.keep("plan", &[rescued("a", 1, "Ann's"), anonymous]).await;
    let answer = house.ask("GET", "/rescued").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let reason = "its line was removed";
    let expected = json!({ "rescued": [
        { "id": "b", "at_ms": 2, "connection": 7, "text": "without\na login", "reason": reason },
        { "id": "a", "at_ms": 1, "author": "ann", "text": "Ann's", "reason": reason },
    ] });
    assert_eq!(answer.json(), expected);
    assert_eq!(house.content("text").await.text(), "there", "they are beside it");

    assert_eq!(house.ask("DELETE", "").await.status, 204);
    for (method, path) in
        [("GET", "/rescued"), ("POST", "/rescued/a/restore"), ("DELETE", "/rescued/a")]
    {
        assert_eq!(house.ask(method, path).await.status, 404, "{method} {path}");
    }
    assert_eq!(house.ask("POST", "/undelete").await.status, 204);
    assert_eq!(house.ids().await, ["b", "a"], "a deleted document keeps them");
}

#[actix::test]
async fn a_text_is_put_back_while_people_type_by_whoever_asks_for_it() {
    let house = House::new();
    house.editor("ann").await.save_text("one").await;
    let house = house.keep("plan", &[rescued("a", 1, "two\nthree")]).await;
    let mut ann = house.editor("ann").await;
    assert_eq!(house.restore("a").await, 200);
    ann.until_text("one\ntwo\nthree").await;
    ann.save_text(", four").await;
    assert_eq!(house.ids().await, [""; 0]);
    assert_eq!(house.restore("a").await, 404, "it is gone");
    assert_eq!(house.content("text").await.text(), "one\ntwo\nthree, four");
    let authors = house.ask("GET", "/authors").await.json();
    assert_eq!(
        (&authors["spans"][1]["author"], &authors["spans"][1]["text"]),
        (&json!("bo"), &json!("\ntwo\nthree"))
    );
}

#[actix::test]
async fn a_text_that_many_put_back_at_once_is_there_once() {
    let house = House::new();
    house.editor("ann").await.save_text("one").await;
    let house = house.keep("plan", &[rescued("a", 1, "two")]).await;
    let mut answers = join_all((0..8).map(|_| house.restore("a"))).await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 404, 404, 404, 404, 404, 404, 404]);
    assert_eq!(house.content("text").await.text(), "one\ntwo");
}

/// The edit is in the log, the entry is still there: as a server leaves it that was killed in between.
#[actix::test]
async fn a_text_whose_server_ended_half_way_is_there_once() {
    let house = House::new();
    house.editor("ann").await.save_text("one").await;
    let texts = [rescued("a", 1, "two"), rescued("b", 2, "other")];
    let house = house.keep("plan", &texts).await;
    assert_eq!(house.restore("a").await, 200);
    let house = house.keep("plan", &texts[..1]).await;
    assert_eq!(house.ids().await, ["b", "a"]);
    assert_eq!(house.restore("a").await, 200);
    assert_eq!(house.content("text").await.text(), "one\ntwo");
    assert_eq!(house.ids().await, ["b"]);

    // Somebody has removed it since: that counts.
    let mut ann = house.editor("ann").await;
    let gone = ann.change(|text, change| text.remove_range(change, 3, 4));
    ann.send_change(&gone).await;
    ann.saved().await;
    let house = house.keep("plan", &texts[..1]).await;
    assert_eq!(house.restore("a").await, 200);
    assert_eq!(house.content("text").await.text(), "one");
    assert_eq!(house.restore("b").await, 200, "another text is another edit");
    assert_eq!(house.content("text").await.text(), "one\nother");
}

#[actix::test]
async fn a_text_that_is_not_wanted_is_dismissed() {
    let house = House::new();
    house.editor("ann").await.save_text("one").await;
    let house = house.keep("plan", &[rescued("a", 1, "two"), rescued("b", 2, "three")]).await;
    assert_eq!(house.ask("DELETE", "/rescued/a").await.status, 204);
    assert_eq!(house.ask("DELETE", "/rescued/a").await.status, 404);
    assert_eq!(house.restore("a").await, 404);
    assert_eq!(house.ids().await, ["b"]);
    assert_eq!(house.content("text").await.text(), "one");
    let elsewhere = "/api/v1/documents/other/rescued/b";
    house.editor("ann").await;
    let mut other =
        Editor::open_as(&house.server, Dialect::YWebsocket, "other", &house.token("ann")).await;
    other.save_text("there").await;
    for (method, path) in
        [("DELETE", elsewhere.to_owned()), ("POST", format!("{elsewhere}/restore"))]
    {
        let answer = house.server.ask(method, &path, &house.token("bo"), "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
    assert_eq!(house.ids().await, ["b"], "it belongs to its document");
}

/// As the page keeps notes: a title and a page, in which nothing is left.
#[actix::test]
async fn a_text_goes_into_the_page_and_not_into_its_title() {
    let house = House::new();
    let note = Doc::with_client_id(5);
    note.get_or_insert_text("a title").insert(&mut note.transact_mut(), 0, "Plan");
    let page = note.get_or_insert_xml_fragment("page");
    page.insert(
        &mut note.transact_mut(),
        0,
        XmlElementPrelim::new("heading", [XmlTextPrelim::new("here").into()]),
    );
    house.bring(&note).await;
    page.remove_range(&mut note.transact_mut(), 0, 1);
    house.bring(&note).await;
    let house = house.keep("plan", &[rescued("a", 1, "first\n\nlast\n")]).await;
    assert_eq!(house.content("text").await.text(), "Plan");

    assert_eq!(house.restore("a").await, 200);
    let paragraph =
        |text: &str| json!({ "type": "paragraph", "content": [{ "type": "text", "text": text }] });
    let page = json!({ "type": "doc", "content": [
        paragraph("first"), { "type": "paragraph" }, paragraph("last"),
    ] });
    let there = house.content("json").await.json();
    assert_eq!(there, json!({ "a title": "Plan", "page": page }));
}

#[actix::test]
async fn a_text_stays_where_there_is_nothing_to_put_it_into() {
    let house = House::new();
    let settings = Doc::with_client_id(5);
    settings.get_or_insert_map("settings").insert(&mut settings.transact_mut(), "size", 5);
    house.bring(&settings).await;
    let house = house.keep("plan", &[rescued("a", 1, "two"), rescued("b", 2, " \n")]).await;
    let answer = house.ask("POST", "/rescued/a/restore").await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("no text that it could be put into"), "{}", answer.text());
    assert_eq!(house.ids().await, ["b", "a"]);
}

#[actix::test]
async fn the_command_line_lists_restores_and_dismisses() {
    let server = Server::start(|_| {});
    Editor::open(&server, Dialect::YWebsocket, "a plan/b").await.save_text("one").await;
    let home = server.stop();
    keep(&home, "a plan/b", &[rescued("a", 1, "two"), rescued("b", 2, "three")]).await;
    let server = Server::start_at(home, |_| {});
    let url = server.url("http", "");
    let run = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_coscribe"));
        let program = program.args(["document", "rescued", "a plan/b", "--server", &url]);
        program.args(arguments).output().expect("the program runs")
    };
    let printed = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output of UTF-8")
    };
    let listed: serde_json::Value = serde_json::from_str(&printed(&[])).expect("JSON");
    assert_eq!(
        (&listed["rescued"][1]["id"], &listed["rescued"][1]["text"]),
        (&json!("a"), &json!("two"))
    );
    assert_eq!(printed(&["--restore", "a"]), "{\n  \"restored\": true\n}\n");
    assert_eq!(printed(&["--dismiss", "b"]), "");
    assert_eq!(printed(&[]), "{\n  \"rescued\": []\n}\n");
    let content = server.get("/api/v1/documents/a%20plan%2Fb/content").await;
    assert_eq!(content.text(), "one\ntwo");

    let again = run(&["--restore", "a"]);
    let errors = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && errors.contains("no such rescued text"), "{errors}");
    let both = run(&["--restore", "a", "--dismiss", "b"]);
    assert!(!both.status.success(), "one thing at a time");
    let help = printed(&["--help"]);
    assert!(help.contains("coscribe document rescued minutes --restore"), "{help}");
}
