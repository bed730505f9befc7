//! What is the same and what is different in the three dialects that Yjs servers speak.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::update::{Reader, put_bytes};

/// Types of messages.
const SYNC: u8 = 0;
const AWARENESS: u8 = 1;
const AUTH: u8 = 2;
/// Hocuspocus only: a sync message that wants no step 1 back.
const SYNC_REPLY: u64 = 4;

/// The first sync of a client that has nothing: step 1 with an empty state vector.
pub const STEP_1: &[u8] = &[SYNC, 0, 1, 0];
/// Step 2 of a client that has nothing: an empty update.
pub const STEP_2_EMPTY: &[u8] = &[SYNC, 1, 2, 0, 0];
/// What stands in front of the length of an update.
const UPDATE: &[u8] = &[SYNC, 2];

/// The longest that a y-sweet server may take to answer a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server under test speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// The y-websocket provider: the path names the document
    YWebsocket,
    /// The Hocuspocus provider, 4.x: every message names the document, the first one is a login
    Hocuspocus,
    /// The y-sweet client: the address of the socket is asked for over HTTP
    YSweet,
}

/// A message from the server, as far as it matters here.
pub enum Message<'a> {
    /// The server asks for what it lacks.
    Step1,
    /// What the client lacked.
    Step2(&'a [u8]),
    /// Somebody has typed.
    Update(&'a [u8]),
    /// Somebody's cursor has moved.
    Awareness(&'a [u8]),
    /// The login was accepted.
    Authenticated,
    /// Anything else.
    Other,
}

impl Dialect {
    /// What stands in front of every message about a document.
    pub fn address(self, document: &str) -> Vec<u8> {
        let mut address = Vec::new();
        if self == Self::Hocuspocus {
            put_bytes(&mut address, document.as_bytes());
        }
        address
    }

    /// The path of a document's socket.
    ///
    /// # Errors
    /// A y-sweet server does not say.
    pub fn path(self, prefix: &str, port: u16, document: &str) -> Result<String> {
        match self {
            Self::YWebsocket => Ok(format!("{prefix}{document}")),
            Self::Hocuspocus => Ok(prefix.to_owned()),
            Self::YSweet => y_sweet_path(port, document),
        }
    }

    /// The login, where the dialect has one.
    pub fn login(self) -> Option<Vec<u8>> {
        (self == Self::Hocuspocus).then(|| {
            let mut login = vec![AUTH, 0];
            put_bytes(&mut login, b"");
            put_bytes(&mut login, b"4.7.0");
            login
        })
    }

    /// Whether the stock client sends back every change of awareness that it hears.
    pub fn reflects(self) -> bool {
        self != Self::Hocuspocus
    }

    /// Reads the next message of a frame; `None` where there is none, or none that can be read.
    /// Some servers put several into one frame.
    #[inline]
    pub fn read<'a>(self, rest: &mut Reader<'a>, first: bool) -> Option<Message<'a>> {
        if first && self == Self::Hocuspocus {
            rest.bytes()?;
        }
        let kind = rest.number()?;
        if kind == u64::from(SYNC) || kind == SYNC_REPLY {
            let step = rest.number()?;
            let body = rest.bytes()?;
            return Some(match step {
                0 => Message::Step1,
                1 => Message::Step2(body),
                _ => Message::Update(body),
            });
        }
        if kind == u64::from(AWARENESS) {
            return Some(Message::Awareness(rest.bytes()?));
        }
        let granted = kind == u64::from(AUTH) && rest.number() == Some(2);
        // How long the others are is not known: what comes behind them in the frame is left.
        rest.0 = &[];
        Some(if granted && self == Self::Hocuspocus {
            Message::Authenticated
        } else {
            Message::Other
        })
    }
}

/// Puts an update into the message that carries it, behind the address of its document.
pub fn put_update(out: &mut Vec<u8>, address: &[u8], update: &[u8]) {
    out.extend_from_slice(address);
    out.extend_from_slice(UPDATE);
    put_bytes(out, update);
}

/// The message of a cursor, or of what is told on about cursors: `body` has the entries.
pub fn put_awareness(out: &mut Vec<u8>, address: &[u8], body: &[u8]) {
    out.extend_from_slice(address);
    out.push(AWARENESS);
    put_bytes(out, body);
}

/// As the y-sweet client does it: make the document, then ask where its socket is.
fn y_sweet_path(port: u16, document: &str) -> Result<String> {
    post(port, "/doc/new", &format!(r#"{{"docId":"{document}"}}"#))?;
    let token = post(port, &format!("/doc/{document}/auth"), "{}")?;
    let url = token["url"].as_str().context("the y-sweet server gave no url")?;
    let path = url.splitn(4, '/').nth(3).context("the y-sweet server gave a url without a path")?;
    Ok(match token["token"].as_str() {
        Some(token) => format!("/{path}/{document}?token={token}"),
        None => format!("/{path}/{document}"),
    })
}

fn post(port: u16, path: &str, body: &str) -> Result<serde_json::Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let len = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{path} was answered with {status:?}");
    let json = answer.find('{').zip(answer.rfind('}')).context("no JSON in the answer")?;
    Ok(serde_json::from_str(&answer[json.0..=json.1])?)
}
