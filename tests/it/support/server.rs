//! The real server in the test's own process, on a free port, with its own database.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::rt::System;
use bytes::Bytes;
use coscribe::app::App;
use coscribe::config::Config;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::patiently;

/// The directory with the database; outlives the servers that use it one after the other.
pub struct Home(TempDir);

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory for the database"))
    }

    /// A file beside the database.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The SQLite file.
    pub fn database(&self) -> PathBuf {
        self.0.path().join("coscribe.db")
    }
}

/// A running server; ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    home: Home,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// An HTTP answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of ASCII"))
    }

    /// The body as text, as far as it is one.
    pub fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of UTF-8")
    }
}

impl Server {
    /// Starts with the default settings, as changed, and an empty database.
    pub fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(Home::new(), change)
    }

    /// Starts on the database of an earlier server.
    pub fn start_at(home: Home, change: impl FnOnce(&mut Config)) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config { listen, database: home.database(), ..Config::default() };
        change(&mut config);
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        // A thread of its own, so that dropping can wait for the end from inside any test.
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let app = App::start(config).await?;
                tell.send(app.address()).expect("the test waits for the address");
                // A test that is gone wants the end as well.
                app.run(async { drop(stopped.await) }).await
            })
        });
        match told.recv() {
            Ok(address) => Self { address, running: Some(Running { home, stop, thread }) },
            Err(_) => panic!("the server did not start: {:?}", thread.join()),
        }
    }

    /// A server that somebody else started and will end.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, running: None }
    }

    /// The database that it serves.
    pub fn home(&self) -> &Home {
        &self.running.as_ref().expect("a server of this process").home
    }

    /// Ends in order and hands back the database.
    pub fn stop(mut self) -> Home {
        let running = self.running.take().expect("a server is stopped once");
        let (home, ended) = running.end();
        ended.expect("the server ends without an error");
        home
    }

    /// `ws://…` or `http://…`, and a path.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// A `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[]).await
    }

    /// Any request without a body.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers, Vec::new()).await
    }

    /// A request with a token, if it is not empty, and a body.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let headers: &[_] = if token.is_empty() { &[] } else { &headers };
        self.send(method, path, headers, body.into()).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let method = method.parse().expect("a method");
        let mut request =
            awc::Client::new().request(method, self.url("http", path)).no_decompress();
        for header in headers {
            request = request.insert_header(*header);
        }
        let mut response = patiently(path, request.send_body(body)).await.expect("an answer");
        let body = response.body().limit(64 << 20).await.expect("a whole body");
        Answer { status: response.status(), headers: response.headers().clone(), body }
    }

    /// What a refused upgrade is answered with.
    pub async fn upgrade(&self, path: &str) -> Answer {
        let headers = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        self.request("GET", path, &headers).await
    }

    /// A number of `/metrics`, named without the prefix.
    pub async fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics").await;
        let line = answer
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("coscribe_")?.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// Asks for a number until it is as wanted.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let asking = async {
            while !wanted(self.metric(name).await) {
                tokio::task::yield_now().await;
            }
        };
        patiently(name, asking).await;
    }
}

impl Running {
    fn end(self) -> (Home, anyhow::Result<()>) {
        // Its run may have ended by itself.
        let _ = self.stop.send(());
        (self.home, self.thread.join().expect("the server does not panic"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && !thread::panicking()
        {
            running.end().1.expect("the server ends without an error");
        }
    }
}
