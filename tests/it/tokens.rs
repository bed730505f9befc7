//! `coscribe token` and `coscribe serve --auth-secret-file`, as scripts use them.

use coscribe::access::Level;

use crate::support::{Dialect, Editor, Home, Office, Program};

#[actix::test]
async fn a_token_that_the_program_prints_opens_what_it_says() {
    let (home, office) = (Home::new(), Office::new());
    let secret = office.secret_file();
    let secret = secret.to_str().expect("a path of UTF-8");
    let mint = |level: &str, documents: &str| {
        let mut program = Program::run(&[
            "token",
            "--secret-file",
            secret,
            "--subject",
            "ann",
            "--name",
            "Ann",
            "--level",
            level,
            "--documents",
            documents,
            "--expires",
            "1h",
        ]);
        let token = program.line();
        assert_eq!(program.line(), "", "a token and nothing else");
        let ended = program.ended();
        assert!(ended.status.success() && ended.errors.is_empty(), "{}", ended.errors);
        token.trim_end().to_owned()
    };
    let database = home.database();
    let database = database.to_str().expect("a path of UTF-8");
    let mut program = Program::run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        database,
        "--auth-secret-file",
        secret,
    ]);
    let server = program.server();
    let mut ann =
        Editor::open_as(&server, Dialect::YWebsocket, "team/plan", &mint("write", "team/*")).await;
    ann.save_text("by token").await;
    let reader = mint("read", "team/*");
    let bo = Editor::open_as(&server, Dialect::Hocuspocus, "team/plan", &reader).await;
    assert_eq!(bo.text(), "by token");
    let refused = server.upgrade(&format!("/sync/other?token={reader}")).await;
    assert_eq!(refused.status, 403);
    assert_eq!(server.upgrade("/sync/team/plan").await.status, 401, "a key is a decision");
    program.terminate();
    let errors = program.ended().errors;
    assert!(errors.contains("login refused"), "{errors}");
    assert!(!errors.contains(&reader), "no token stands in the log");
}

#[actix::test]
async fn a_secret_that_cannot_be_used_is_named() {
    let home = Home::new();
    let (missing, short) = (home.file("missing"), home.file("short"));
    std::fs::write(&short, "x").expect("a file");
    for (secret, why) in [(missing, "missing"), (short, "under 16")] {
        let secret = secret.to_str().expect("a path of UTF-8");
        let listen = ["serve", "--listen", "0.0.0.0:0", "--auth-secret-file", secret];
        let ended = Program::run(&listen).ended();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.errors.contains(why), "{}", ended.errors);
    }
}

#[actix::test]
async fn whom_a_trusted_proxy_has_signed_in_has_the_proxys_level() {
    let office = Office::new();
    for (address, status) in [("127.0.0.0/8", None), ("10.0.0.0/8", Some(401))] {
        let server = office.server(|config| {
            config.proxy.addresses = vec![address.into()];
            config.proxy.user_header = "x-remote-user".into();
            config.proxy.level = Level::Read;
        });
        let headers = [("x-remote-user", "ann")];
        for path in ["/sync/plan", "/d/plan/ws/plan"] {
            let opened = crate::support::Socket::try_open(&server, path, &headers).await;
            assert_eq!(opened.err().map(|status| status.as_u16()), status, "{address} at {path}");
        }
        let made = server.request("POST", "/doc/new", &headers).await;
        assert_eq!(made.status.as_u16(), status.unwrap_or(403), "readers make no documents");
    }
}
