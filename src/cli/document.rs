//! `coscribe document`: what a document was, and what is done with that, asked of a running server.

use std::path::PathBuf;

use anyhow::Context as _;
use awc::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::remote::{Remote, document_path};

/// Read what a document was, name moments, restore them, and put documents away
///
/// Asks a running server over its HTTP API (docs/api.md) and prints what it answers: text as text,
/// everything else as JSON. A MOMENT is the number of an update or a time as 2026-11-23T10:00:00Z.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe document text minutes                              as it is now
  coscribe document text minutes --at 2026-11-23T10:00:00Z    as it was
  coscribe document history minutes                           who was at it when
  coscribe document changes minutes --from 100                what is different since then
  coscribe document name minutes 'as sent to Bo'              keep this moment
  coscribe document restore minutes --seq 100                 an edit, while others type
  coscribe document revert minutes --author bo --dry-run      what would be taken back?
  coscribe document rescued minutes                           text that lost its place in it
  coscribe document text minutes --server https://notes.example --token-file token")]
pub(super) struct Document {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

/// A moment of a document; now if nothing is said.
#[derive(Debug, Args)]
struct When {
    /// The number of an update
    #[arg(long)]
    seq: Option<u64>,
    /// A time, as 2026-11-23T10:00:00Z or in unix milliseconds
    #[arg(long, value_name = "TIME", conflicts_with = "seq")]
    at: Option<String>,
    /// The id of a version
    #[arg(long, value_name = "ID", conflicts_with_all = ["seq", "at"])]
    version: Option<String>,
}

/// A part of the log, both ends included.
#[derive(Debug, Args)]
struct Span {
    /// From here on [default: the beginning]
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Up to here [default: now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

/// Where a long list goes on.
#[derive(Debug, Args)]
struct Page {
    /// What the answer before says as `next`
    #[arg(long)]
    cursor: Option<String>,
    /// So many at most [default: 1000]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Update,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print its text, or all of it as JSON or as a Yjs update
    Text {
        name: String,
        #[command(flatten)]
        when: When,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// One root [default: all]
        #[arg(long)]
        root: Option<String>,
        /// Write into a file instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Who was at it when, newest first
    History {
        name: String,
        #[command(flatten)]
        page: Page,
        /// Seconds of rest that end a burst of work [default: 300]
        #[arg(long, value_name = "SECONDS")]
        gap: Option<u64>,
    },
    /// What is different between two moments
    Changes {
        name: String,
        #[command(flatten)]
        span: Span,
    },
    /// Who wrote which part of the text
    Authors {
        name: String,
        #[command(flatten)]
        when: When,
    },
    /// Moments that are kept
    Versions {
        name: String,
        #[command(flatten)]
        page: Page,
    },
    /// Give a moment a name
    Name {
        name: String,
        /// What it is called
        label: String,
        #[command(flatten)]
        when: When,
    },
    /// Give a version another name
    Rename { name: String, version: String, label: String },
    /// Forget a version; its moment stays in the log
    Forget { name: String, version: String },
    /// Make it what it was, by an edit; what it is now becomes a version
    Restore {
        name: String,
        #[command(flatten)]
        when: When,
    },
    /// Begin a new document with a moment of this one
    Copy {
        name: String,
        /// The new document
        to: String,
        #[command(flatten)]
        when: When,
    },
    /// Take back what one author did, as far as that is possible
    Revert {
        name: String,
        /// Whose login
        #[arg(long, required_unless_present = "connection")]
        author: Option<String>,
        /// Which connection, where there was no login
        #[arg(long, conflicts_with = "author")]
        connection: Option<u64>,
        #[command(flatten)]
        span: Span,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
    /// What copies of an earlier document of this name brought
    Branches { name: String },
    /// Print what is in a branch
    Branch { name: String, branch: String },
    /// Put the lines of a branch that are missing at the end of the document
    Merge { name: String, branch: String },
    /// Text that lost its place because somebody replaced or removed what it was written into
    ///
    /// Lists what is kept beside the document, newest first, each with the `id` by which it is put back or
    /// dismissed. Nothing of it is in the document now.
    #[command(after_help = "Examples:
  coscribe document rescued minutes                      what is there, whose, and why?
  coscribe document rescued minutes --restore kUpuQ2rV   put it back, as an edit of yours
  coscribe document rescued minutes --dismiss kUpuQ2rV   it is not wanted; the history still has it")]
    Rescued {
        name: String,
        /// Put this one back into the document
        #[arg(long, value_name = "ID")]
        restore: Option<String>,
        /// Do not keep this one any longer
        #[arg(long, value_name = "ID", conflicts_with = "restore")]
        dismiss: Option<String>,
    },
    /// Delete it; everybody in it is told, and it can be brought back
    Delete { name: String },
    /// Bring a deleted one back
    Undelete { name: String },
    /// Remove a deleted one from the disk, for good
    Purge {
        name: String,
        /// Remove its branches as well
        #[arg(long)]
        branches: bool,
    },
}

/// Asks, and prints the answer.
pub(super) fn run(document: Document) -> anyhow::Result<()> {
    let Document { remote, action } = document;
    let (out, is_text) = match &action {
        Action::Text { out, format, .. } => (out.clone(), !matches!(format, Format::Json)),
        Action::Branch { .. } => (None, true),
        _ => (None, false),
    };
    let Request { method, path, body } = action.request();
    let asking = async { remote.ask(method, &path, body.as_ref()).await };
    let answer = actix_web::rt::System::new().block_on(asking)?;
    if let Some(file) = out {
        return std::fs::write(&file, &answer).with_context(|| format!("{}", file.display()));
    }
    if is_text || answer.is_empty() {
        return super::say_bytes(&answer);
    }
    let value: Value = serde_json::from_slice(&answer)?;
    super::say(&format!("{}\n", serde_json::to_string_pretty(&value)?))
}

struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Action {
    fn request(self) -> Request {
        let get = |name: &str, rest: String| Request {
            method: Method::GET,
            path: document_path(name) + &rest,
            body: None,
        };
        let post = |name: &str, rest: &str, body: Value| Request {
            method: Method::POST,
            path: document_path(name) + rest,
            body: Some(body),
        };
        match self {
            Self::Text { name, when, format, root, .. } => {
                let format = match format {
                    Format::Text => "text",
                    Format::Json => "json",
                    Format::Update => "update",
                };
                let mut parts = when.parts();
                parts.push(("format", Some(format.into())));
                parts.push(("root", root));
                get(&name, format!("/content{}", query(parts)))
            }
            Self::History { name, page, gap } => {
                let mut parts = page.parts();
                parts.push(("gap_s", gap.map(|gap| gap.to_string())));
                get(&name, format!("/history{}", query(parts)))
            }
            Self::Changes { name, span } => get(&name, format!("/changes{}", query(span.parts()))),
            Self::Authors { name, when } => get(&name, format!("/authors{}", query(when.parts()))),
            Self::Versions { name, page } => {
                get(&name, format!("/versions{}", query(page.parts())))
            }
            Self::Name { name, label, when } => {
                let mut body = when.body();
                body["name"] = label.into();
                post(&name, "/versions", body)
            }
            Self::Rename { name, version, label } => Request {
                method: Method::PATCH,
                ..post(&name, &format!("/versions/{}", escaped(&version)), json!({ "name": label }))
            },
            Self::Forget { name, version } => Request {
                method: Method::DELETE,
                ..get(&name, format!("/versions/{}", escaped(&version)))
            },
            Self::Restore { name, when } => post(&name, "/restore", when.body()),
            Self::Copy { name, to, when } => {
                let mut body = when.body();
                body["to"] = to.into();
                post(&name, "/copy", body)
            }
            Self::Revert { name, author, connection, span, dry_run } => {
                let Span { from, to } = span;
                let body = json!({
                    "author": author, "connection": connection, "from": from, "to": to,
                    "dry_run": dry_run,
                });
                post(&name, "/revert", body)
            }
            Self::Branches { name } => get(&name, "/branches".into()),
            Self::Branch { name, branch } => {
                get(&name, format!("/branches/{}/content", escaped(&branch)))
            }
            Self::Merge { name, branch } => {
                post(&name, &format!("/branches/{}/merge", escaped(&branch)), json!({}))
            }
            Self::Rescued { name, restore: Some(id), .. } => {
                post(&name, &format!("/rescued/{}/restore", escaped(&id)), json!({}))
            }
            Self::Rescued { name, dismiss: Some(id), .. } => Request {
                method: Method::DELETE,
                ..get(&name, format!("/rescued/{}", escaped(&id)))
            },
            Self::Rescued { name, .. } => get(&name, "/rescued".into()),
            Self::Delete { name } => {
                Request { method: Method::DELETE, ..get(&name, String::new()) }
            }
            Self::Undelete { name } => post(&name, "/undelete", json!({})),
            Self::Purge { name, branches } => {
                post(&name, &format!("/purge?branches={branches}"), json!({}))
            }
        }
    }
}

impl When {
    fn parts(self) -> Vec<(&'static str, Option<String>)> {
        let seq = self.seq.map(|seq| seq.to_string());
        vec![("seq", seq), ("at", self.at), ("version", self.version)]
    }

    fn body(self) -> Value {
        let mut body = json!({});
        if let Some(seq) = self.seq {
            body["seq"] = seq.into();
        }
        for (key, value) in [("at", self.at), ("version", self.version)] {
            if let Some(value) = value {
                body[key] = value.into();
            }
        }
        body
    }
}

impl Page {
    fn parts(self) -> Vec<(&'static str, Option<String>)> {
        vec![("cursor", self.cursor), ("limit", self.limit.map(|limit| limit.to_string()))]
    }
}

impl Span {
    fn parts(self) -> Vec<(&'static str, Option<String>)> {
        vec![("from", self.from), ("to", self.to)]
    }
}

fn query(parts: Vec<(&'static str, Option<String>)>) -> String {
    let parts = parts.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let parts: Vec<String> =
        parts.map(|(key, value)| format!("{key}={}", escaped(&value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
