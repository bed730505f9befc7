//! Who may do what, by every way in: role × route, and role × message.

use coscribe::access::Level;
use coscribe::config::Anonymous;

use crate::support::wire::{self, Said};
use crate::support::{Database, Dialect, Editor, Office, Server, Socket, Table};

/// What is in the document, and must not be seen by those who may not read it.
const SECRET: &str = "nobody else may know this";

/// Everybody who knocks: a name, a token, and what it is worth in the document `plan`.
fn roles(office: &Office) -> Vec<(&'static str, String, Result<Level, u16>)> {
    let stranger = Office::with_secret("some other secret, as long as the first one");
    let forged = |token: &str, header: &str| {
        use base64::Engine as _;
        let header = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(header);
        let (_, rest) = token.split_once('.').expect("a token");
        format!("{header}.{rest}")
    };
    let writer = office.token("w", "plan", Level::Write);
    let unsigned = forged(&writer, r#"{"alg":"none","typ":"JWT"}"#);
    let unsigned = format!("{}.", unsigned.rsplit_once('.').expect("a token").0);
    vec![
        ("nobody", String::new(), Err(401)),
        ("nonsense", "nonsense".into(), Err(401)),
        ("forged", stranger.token("a", "*", Level::Admin), Err(401)),
        ("unsigned", unsigned, Err(401)),
        ("other algorithm", forged(&writer, r#"{"alg":"HS512","typ":"JWT"}"#), Err(401)),
        ("expired", office.token_for("a", "*", Level::Admin, -1), Err(401)),
        ("link that never was", "share-AAAAAAAAAAAAAAAAAAAAAA".into(), Err(401)),
        ("elsewhere", office.token("a", "other/*", Level::Admin), Err(403)),
        ("prefix", office.token("a", "pla", Level::Admin), Err(403)),
        ("reader", office.token("r", "plan", Level::Read), Ok(Level::Read)),
        ("commenter", office.token("c", "pl*", Level::Comment), Ok(Level::Comment)),
        ("writer", writer, Ok(Level::Write)),
        ("admin", office.token("a", "*", Level::Admin), Ok(Level::Admin)),
    ]
}

async fn server_with_plan(office: &Office) -> Server {
    let server = office.server(|_| {});
    let token = office.token("owner", "plan", Level::Write);
    let mut owner = Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await;
    owner.save_text(SECRET).await;
    server
}

/// What a request needs, and what it is answered with by whoever has that.
struct Route {
    method: &'static str,
    path: &'static str,
    body: &'static [u8],
    needs: Level,
    /// `None`: the level is not enough by itself (it takes an administrator of everything).
    answer: Option<u16>,
}

fn routes() -> Vec<Route> {
    let route = |method, path, body: &'static str, needs, answer| Route {
        method,
        path,
        body: body.as_bytes(),
        needs,
        answer,
    };
    vec![
        route("GET", "/d/plan/as-update", "", Level::Read, Some(200)),
        route("GET", "/doc/plan/as-update", "", Level::Read, Some(200)),
        route("POST", "/d/plan/update", "\0\0", Level::Write, Some(200)),
        route("POST", "/doc/plan/update", "\0\0", Level::Write, Some(200)),
        route("POST", "/doc/new", r#"{"docId":"plan"}"#, Level::Write, Some(200)),
        route("POST", "/doc/plan/auth", "{}", Level::Admin, Some(200)),
        route("GET", "/api/v1/documents/plan/links", "", Level::Admin, Some(200)),
        route(
            "POST",
            "/api/v1/documents/plan/links",
            r#"{"level":"read"}"#,
            Level::Admin,
            Some(201),
        ),
        route("GET", "/api/v1/documents/plan/content", "", Level::Read, Some(200)),
        route("GET", "/api/v1/documents/plan/content?seq=0", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/content?at=1", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/history", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/changes", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/authors", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/recording", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/versions", "", Level::Write, Some(200)),
        route(
            "POST",
            "/api/v1/documents/plan/versions",
            r#"{"name":"x"}"#,
            Level::Write,
            Some(201),
        ),
        route(
            "PATCH",
            "/api/v1/documents/plan/versions/none",
            r#"{"name":"x"}"#,
            Level::Write,
            Some(404),
        ),
        route("DELETE", "/api/v1/documents/plan/versions/none", "", Level::Write, Some(404)),
        route("POST", "/api/v1/documents/plan/restore", r#"{"seq":1}"#, Level::Write, Some(200)),
        route("POST", "/api/v1/documents/plan/copy", r#"{"to":"plan"}"#, Level::Write, Some(409)),
        route(
            "POST",
            "/api/v1/documents/plan/revert",
            r#"{"author":"x"}"#,
            Level::Write,
            Some(200),
        ),
        route("GET", "/api/v1/documents/plan/branches", "", Level::Write, Some(200)),
        route("GET", "/api/v1/documents/plan/branches/none/content", "", Level::Write, Some(404)),
        route("POST", "/api/v1/documents/plan/branches/none/merge", "", Level::Write, Some(404)),
        route("DELETE", "/api/v1/documents/plan/branches/none", "", Level::Admin, Some(404)),
        route("GET", "/api/v1/documents/plan/rescued", "", Level::Write, Some(200)),
        route("POST", "/api/v1/documents/plan/rescued/none/restore", "", Level::Write, Some(404)),
        route("DELETE", "/api/v1/documents/plan/rescued/none", "", Level::Write, Some(404)),
        route("POST", "/api/v1/documents/plan/undelete", "", Level::Admin, Some(404)),
        route("POST", "/api/v1/documents/plan/purge", "", Level::Admin, Some(409)),
        route("POST", "/api/v1/revocations", r#"{"subject":"x"}"#, Level::Admin, Some(201)),
        route("GET", "/api/v1/revocations", "", Level::Admin, Some(200)),
        route("DELETE", "/api/v1/revocations/none", "", Level::Admin, Some(404)),
        // The last: it changes what the others are answered.
        route("DELETE", "/api/v1/documents/plan", "", Level::Admin, Some(204)),
    ]
}

#[actix::test]
async fn every_role_at_every_route() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    let roles = roles(&office);
    for route in routes() {
        for (role, token, worth) in &roles {
            let Route { method, path, body, needs, answer } = &route;
            let expected = match worth {
                Err(status) => *status,
                Ok(level) if level < needs => 403,
                Ok(_) => answer.unwrap_or(403),
            };
            let got = server.ask(method, path, token, *body).await;
            assert_eq!(
                got.status.as_u16(),
                expected,
                "{role}: {method} {path}: {}",
                got.text_lossy()
            );
            let may_read = matches!(worth, Ok(level) if *level >= Level::Read);
            if !may_read {
                assert!(!got.text_lossy().contains(SECRET), "{role} reads by {method} {path}");
            }
            if !got.status.is_success() {
                assert_eq!(got.header("content-type"), "application/problem+json", "{role} {path}");
            }
        }
    }
}

#[actix::test]
async fn who_may_not_write_does_not_listen_to_a_recording() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    for (role, token, worth) in roles(&office) {
        let expected = match worth {
            Err(status) => status,
            Ok(level) if level < Level::Write => 403,
            // Theirs has no end; `record` has the tests.
            Ok(_) => continue,
        };
        let got = server.ask("GET", "/api/v1/documents/plan/recording/live", &token, "").await;
        assert_eq!(got.status.as_u16(), expected, "{role}");
        assert!(!got.text_lossy().contains(SECRET), "{role}");
    }
}

#[actix::test]
async fn whoever_administers_one_document_does_not_administer_the_server() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    let token = office.token("a", "plan", Level::Admin);
    for (method, path) in [("GET", "/api/v1/revocations"), ("DELETE", "/api/v1/revocations/x")] {
        assert_eq!(server.ask(method, path, &token, "").await.status, 403, "{method} {path}");
    }
    let revoke = server.ask("POST", "/api/v1/revocations", &token, r#"{"subject":"x"}"#).await;
    assert_eq!(revoke.status, 403);
    assert_eq!(server.ask("GET", "/api/v1/documents/other/links", &token, "").await.status, 403);
}

#[actix::test]
async fn every_role_at_every_socket() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    for (role, token, worth) in roles(&office) {
        for path in ["/sync/plan", "/d/plan/ws/plan", "/doc/ws/plan"] {
            let bearer = format!("Bearer {token}");
            let subprotocol = format!("yauth-{token}");
            let ways = [
                (format!("{path}?token={token}"), vec![]),
                (format!("{path}?yauth={token}"), vec![]),
                (path.to_owned(), vec![("authorization", bearer.as_str())]),
                (path.to_owned(), vec![("sec-websocket-protocol", subprotocol.as_str())]),
            ];
            for (path, headers) in ways {
                let opened = Socket::try_open(&server, &path, &headers).await;
                let refused = opened.err().map(|status| status.as_u16());
                assert_eq!(refused, worth.err(), "{role} at {path}");
            }
        }
        let mut socket = Socket::open(&server, "/collab").await;
        socket.send(wire::addressed("plan", wire::token(&token))).await;
        let scope = |level| if level >= Level::Write { "read-write" } else { "readonly" };
        let expected = match (worth, role) {
            (Ok(level), _) => Said::Authenticated(scope(level).into()),
            (Err(_), "expired") => Said::Denied("token-expired".into()),
            (Err(_), _) => Said::Denied("permission-denied".into()),
        };
        assert_eq!(socket.hear_addressed().await, ("plan".into(), expected), "{role}");
    }
}

#[actix::test]
async fn who_may_not_write_changes_nothing_by_any_message() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    for (role, token, worth) in roles(&office) {
        let Ok(level @ (Level::Read | Level::Comment)) = worth else { continue };
        for dialect in Dialect::ALL {
            let mut reader = Editor::open_as(&server, dialect, "plan", &token).await;
            reader.saved().await;
            let change = reader.change_text(" and a lie");
            let everything = reader.everything();
            for message in [
                wire::update(&change),
                wire::step_2(&change),
                wire::step_2(&everything),
                wire::update(&everything),
            ] {
                reader.say(message).await;
                let said = reader.settle().await;
                let positive = |said: &Said| matches!(said, Said::Status(1) | Said::Checkpoint(_));
                assert!(!said.iter().any(positive), "{role}, {dialect:?}: {said:?}");
            }
            let whole = server.ask("GET", "/d/plan/as-update", &token, "").await;
            assert!(!whole.text_lossy().contains("a lie"), "{role} {level:?} wrote by {dialect:?}");
        }
        let posted = server.ask("POST", "/d/plan/update", &token, "\0\0").await;
        assert_eq!(posted.status, 403, "{role}");
    }
    let mut database = Database::open(server.home()).await;
    assert_eq!(database.count(Table::Updates).await, 1, "only the owner's");
}

#[actix::test]
async fn readers_do_not_talk_to_everybodys_application() {
    let office = Office::new();
    let server = server_with_plan(&office).await;
    let open = async |level| {
        let token = office.token("u", "plan", level);
        Editor::open_as(&server, Dialect::Hocuspocus, "plan", &token).await
    };
    let (mut reader, mut commenter) = (open(Level::Read).await, open(Level::Comment).await);
    let mut other = open(Level::Write).await;
    reader.say(wire::stateless("of a reader")).await;
    // An answer shows that what came before it has been handled.
    reader.settle().await;
    commenter.say(wire::stateless("of a commenter")).await;
    let heard = other.until_said(|said| matches!(said, Said::Stateless(_))).await;
    assert_eq!(heard, Said::Stateless("of a commenter".into()));
}

#[actix::test]
async fn a_server_without_keys_does_not_look_at_tokens() {
    let server = Server::start(|_| {});
    for dialect in Dialect::ALL {
        Editor::open_as(&server, dialect, "plan", "undefined").await;
    }
    let made = server.ask("POST", "/doc/new", "undefined", r#"{"docId":"plan"}"#).await;
    assert_eq!(made.status, 200);
}

#[actix::test]
async fn a_token_that_is_not_accepted_is_not_nobodys() {
    let office = Office::new();
    let server = office.server(|config| config.anonymous = Anonymous::Write);
    let expired = office.token_for("a", "*", Level::Read, -1);
    let opened = Socket::try_open(&server, &format!("/sync/d?token={expired}"), &[]).await;
    assert_eq!(opened.err().map(|status| status.as_u16()), Some(401));
    assert!(Socket::try_open(&server, "/sync/d", &[]).await.is_ok());
}

#[actix::test]
async fn pages_of_other_origins_use_no_api() {
    let server = Server::start(|config| {
        config.allowed_origins = vec!["https://wiki.example".into()];
    });
    for (headers, status) in [
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("host", "rebound.example")], 403),
        (vec![("origin", "https://wiki.example")], 200),
        (vec![("host", "wiki.example")], 200),
        (vec![], 200),
    ] {
        let answer = server.request("POST", "/doc/new", &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        let allowed = answer.header("access-control-allow-origin");
        let expected =
            if headers == [("origin", "https://wiki.example")] { headers[0].1 } else { "" };
        assert_eq!(allowed, expected, "{headers:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[actix::test]
async fn a_refused_join_leaves_no_trace() {
    let office = Office::new();
    let server = office.server(|_| {});
    let elsewhere = office.token("a", "other", Level::Admin);
    for token in ["", "nonsense", &elsewhere] {
        for document in ["a", "b", "c"] {
            let path = format!("/sync/{document}?token={token}");
            assert!(Socket::try_open(&server, &path, &[]).await.is_err());
            let path = format!("/d/{document}/ws/{document}?token={token}");
            assert!(Socket::try_open(&server, &path, &[]).await.is_err());
            let mut socket = Socket::open(&server, "/collab").await;
            socket.send(wire::addressed(document, wire::token(token))).await;
            let denied = Said::Denied("permission-denied".into());
            assert_eq!(socket.hear_addressed().await, (document.into(), denied));
            socket.send(wire::addressed(document, wire::step_1(&[0]))).await;
            let path = format!("/d/{document}/as-update");
            assert!(!server.ask("GET", &path, token, "").await.status.is_success());
        }
    }
    assert_eq!(server.metric("load_seconds_count").await, 0.0, "no document was looked at");
    assert_eq!(server.metric("documents_loaded").await, 0.0);
    let mut database = Database::open(server.home()).await;
    assert_eq!(database.count(Table::Documents).await, 0);
}

#[actix::test]
async fn a_stranger_is_refused_before_a_body_is_read() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let office = Office::new();
    let server = office.server(|_| {});
    for path in ["/doc/new", "/d/plan/update", "/api/v1/documents/plan/links"] {
        let address = server.url("http", "").replace("http://", "");
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("a connection");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 16777216\r\n\r\nsome of it"
        );
        stream.write_all(head.as_bytes()).await.expect("a request");
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        crate::support::patiently(path, read).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 401", "{path}");
    }
}

#[actix::test]
async fn what_a_reader_sends_is_kept_nowhere() {
    let office = Office::new();
    let server = office.server(|_| {});
    let token = office.token("r", "*", Level::Read);
    for message in [wire::update(b"no update"), wire::step_2(b"no update")] {
        let mut reader = Editor::open_as(&server, Dialect::YWebsocket, "absent", &token).await;
        reader.say(message).await;
        reader.until_said(|said| matches!(said, Said::Denied(_))).await;
    }
    let mut database = Database::open(server.home()).await;
    assert_eq!(database.count(Table::Quarantine).await, 0);
    assert_eq!(database.count(Table::Documents).await, 0);
}

#[actix::test]
async fn a_reader_does_not_keep_a_writer_from_writing() {
    let office = Office::new();
    let server = office.server(|_| {});
    let read = office.token("eve", "plan", Level::Read);
    let write = office.token("ann", "plan", Level::Write);
    for dialect in Dialect::ALL {
        let mut eve = Editor::open_as(&server, dialect, "plan", &read).await;
        let mut ann = Editor::connect_as(&server, dialect, "plan", &write).await;
        // She says that Ann's client is hers, before Ann says anything.
        eve.say(wire::awareness(&[(ann.client(), 1, "{}")])).await;
        eve.settle().await;
        ann.synced().await;
        ann.show(2, r#"{"is":"Ann"}"#).await;
        ann.save_text("heard ").await;
        let client = ann.client();
        let is_ann = |said: &Said| {
            let shows = |e: &(u64, u64, String)| e.0 == client && e.2.contains(r#""is":"Ann""#);
            matches!(said, Said::Awareness(list) if list.iter().any(shows))
        };
        eve.until_said(is_ann).await;
    }
}

#[actix::test]
async fn an_address_that_is_no_address_closes_the_socket() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server, "/collab").await;
    let address = format!("plan\0{}", "x".repeat(2_000));
    socket.send(wire::addressed(&address, wire::token(""))).await;
    assert_eq!(socket.closed().await.0, 4401);
}
