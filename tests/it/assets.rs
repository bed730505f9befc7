//! The web app as a browser gets it. Where it was left out of the build, only that is tested.

use crate::support::{Answer, Server};

const BROWSER: (&str, &str) = ("accept-encoding", "gzip, deflate, br, zstd");

/// A server with the web app, or `None` (said on standard error) where the build has none.
async fn server_with_pages() -> Option<Server> {
    let server = Server::start(|_| {});
    if server.get("/").await.status == 200 {
        return Some(server);
    }
    eprintln!("skipped: the web app is not part of this build");
    None
}

/// The hashed files that the page names.
fn hashed_files(page: &Answer) -> Vec<String> {
    let parts = page.text().split('"').filter(|part| part.starts_with("/assets/"));
    parts.map(str::to_owned).collect()
}

#[actix::test]
async fn without_the_web_app_every_page_says_so() {
    let server = Server::start(|_| {});
    let answer = server.get("/").await;
    if answer.status == 200 {
        return eprintln!("skipped: the web app is part of this build");
    }
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (404, "the web app is not part of this build\n")
    );
}

#[actix::test]
async fn home_and_notes_are_the_page_under_a_strict_policy() {
    let Some(server) = server_with_pages().await else { return };
    let home = server.get("/").await;
    for path in ["/n/any", "/n/a/b%20c"] {
        let note = server.get(path).await;
        assert_eq!((note.status.as_u16(), &note.body), (200, &home.body), "{path}");
    }
    assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(home.header("cache-control"), "no-cache");
    assert_eq!(home.header("x-content-type-options"), "nosniff");
    let policy = home.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(!home.text().contains("<script>"), "a script in the page would be blocked");
}

#[actix::test]
async fn files_come_in_the_smallest_coding_that_the_client_reads() {
    let Some(server) = server_with_pages().await else { return };
    let script = hashed_files(&server.get("/").await)
        .into_iter()
        .find(|path| path.ends_with(".js"))
        .expect("a page with a script");
    let mut lens = Vec::new();
    for (accepted, coding) in
        [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0", "")]
    {
        let answer = server.request("GET", &script, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(answer.header("vary").to_ascii_lowercase(), "accept-encoding");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        lens.push(answer.body.len());
    }
    assert!(lens.is_sorted_by(|a, b| a < b), "{lens:?}");
}

#[actix::test]
async fn what_a_client_has_is_not_sent_again() {
    let Some(server) = server_with_pages().await else { return };
    let first = server.request("GET", "/", &[BROWSER]).await;
    let tag = first.header("etag").to_owned();
    let again = server.request("GET", "/", &[BROWSER, ("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), tag);
    assert_eq!(again.header("vary").to_ascii_lowercase(), "accept-encoding");
    // The same page in another coding is another thing.
    let plain = server.request("GET", "/", &[("if-none-match", &tag)]).await;
    assert_eq!(plain.status, 200);
    assert_ne!(plain.header("etag"), tag);
}

#[actix::test]
async fn an_unknown_path_is_404_with_the_page_and_compressed_copies_have_no_address() {
    let Some(server) = server_with_pages().await else { return };
    let page = server.get("/").await;
    for path in ["/nope", "/n/", "/assets/nope.js", "/index.html.br", "/../Cargo.toml", "/doc/x"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, page.body, "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
    }
    let answer = server.get("/api/v1/x").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[actix::test]
async fn head_has_the_headers_and_no_body_and_other_methods_are_refused() {
    let server = Server::start(|_| {});
    let get = server.get("/").await;
    let head = server.request("HEAD", "/", &[]).await;
    assert_eq!(head.status, get.status);
    assert_eq!(head.header("etag"), get.header("etag"));
    assert!(head.body.is_empty());
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/", &[]).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}
