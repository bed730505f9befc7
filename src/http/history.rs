//! `/api/v1/documents/{name}/…`: what a document was, when, and by whom.
//!
//! Moments are given as `seq=NUMBER`, `at=TIME` (unix milliseconds or RFC 3339) or `version=ID`; without one it is
//! the newest. What is there now takes the level read; the past, in which deleted text can be read, takes write.

use std::time::UNIX_EPOCH;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use super::caller::admitted;
use super::documents::document_in;
use super::problem::Problem;
use super::{Site, query};
use crate::crdt::{Author, Change, ChangeKind, Past};
use crate::document::input::Loaded;
use crate::document::load::{NotLoaded, load};
use crate::history::{Burst, HistoryError, timeline as bursts_of};
use crate::id::{ConnectionId, DocumentId, LogRow, Seq};
use crate::level::Level;
use crate::store::DocumentSummary;

/// Says which update an answer goes up to.
pub(super) const SEQ: HeaderName = HeaderName::from_static("coscribe-seq");

/// Characters of kept text that are shown at each side of a change.
const CONTEXT_CHARACTERS: usize = 40;

/// Bursts in one answer, unless fewer are asked for.
const BURSTS_MAX: usize = 1_000;

/// A pause that ends a burst, unless another is asked for.
const GAP_S: u64 = 300;

/// A moment of a document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    seq: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<String>,
    version: Option<String>,
}

/// What to read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    format: Option<Format>,
    root: Option<String>,
    seq: Option<u64>,
    at: Option<String>,
    version: Option<String>,
}

/// How to write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Plain text.
    #[default]
    Text,
    /// All roots as JSON.
    Json,
    /// A Yjs v1 update.
    Update,
}

impl When {
    pub(super) fn new(seq: Option<u64>, at: Option<String>, version: Option<String>) -> Self {
        Self { seq, at, version }
    }

    /// Whether it is any moment but now.
    fn is_past(&self) -> bool {
        self.seq.is_some() || self.at.is_some() || self.version.is_some()
    }

    /// Finds the place in the log.
    ///
    /// # Errors
    /// There is no such moment, or more than one is given.
    pub(super) async fn find(
        &self,
        site: &Site,
        document: &DocumentSummary,
    ) -> Result<Seq, Problem> {
        let id = &document.id;
        match (self.seq, &self.at, &self.version) {
            (None, None, None) => Ok(document.last),
            (Some(seq), None, None) if Seq(seq) <= document.last => {
                site.archive.check(document, Seq(seq)).await?;
                Ok(Seq(seq))
            }
            (Some(seq), None, None) => {
                Err(HistoryError::Beyond { asked: Seq(seq), last: document.last }.into())
            }
            (None, Some(at), None) => Ok(site.archive.seq_at(id, unix_ms(at)?).await?),
            (None, None, Some(version)) => {
                let version = site.store.version(id, version).await?;
                Ok(version.ok_or_else(|| Problem::absent("version"))?.seq)
            }
            _ => Err(Problem::bad("say one of seq, at and version")),
        }
    }
}

/// `GET …/content`: the document as it is, or as it was.
pub(super) async fn content(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let Content { format, root, seq, at, version } = query(&request)?;
    let (when, format) = (When { seq, at, version }, format.unwrap_or_default());
    let level = if when.is_past() { Level::Write } else { Level::Read };
    let document = present(&request, &site, level).await?;
    let (seq, now) = match when.is_past() {
        true => (when.find(&site, &document).await?, None),
        // The newest moment needs no history: whoever may only read builds none, and damage in what is
        // packed keeps nobody from it.
        false => {
            let (seq, state) = newest(&site, &document.id).await?;
            (seq, Some(state))
        }
    };
    let tag = tag(&document, seq, &format!("{format:?}"), root.as_deref());
    if is_known(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header((ETAG, tag)).insert_header((SEQ, seq.0));
    answer.insert_header((CACHE_CONTROL, "private, no-cache"));
    answer.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if format == Format::Update {
        let update = match now {
            Some(state) => state,
            None => site.archive.state(&document.id, seq).await?,
        };
        return Ok(answer.insert_header((CONTENT_TYPE, "application/octet-stream")).body(update));
    }
    let read = move |past: &Past, seq| match format {
        Format::Json => Ok(json_of(past.json(seq), root.as_deref())),
        Format::Text | Format::Update => Err(past.text(seq, root.as_deref())),
    };
    let shown = match now {
        Some(state) => {
            let reading = web::block(move || past_of(state).map(|past| read(&past, Seq(1))));
            reading.await.map_err(|e| Problem::internal(&e))??
        }
        None => site.archive.read(&document, move |past| read(past, seq)).await?,
    };
    Ok(match shown {
        Ok(json) => answer.json(json),
        Err(text) => answer.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(text),
    })
}

/// The end of a document's log, and its state there.
///
/// # Errors
/// It cannot be read.
pub(super) async fn newest(site: &Site, document: &DocumentId) -> Result<(Seq, Bytes), Problem> {
    let _desk = site.archive.desk().await;
    let loaded = load(site.store.clone(), document.clone()).await.map_err(|e| match e {
        NotLoaded::Deleted => Problem::deleted(),
        NotLoaded::Because { reason, .. } => Problem::unavailable(&reason),
    })?;
    let Loaded { mut replica, last, .. } = loaded;
    let encoding = web::block(move || replica.encode_full()).await;
    Ok((last, encoding.map_err(|e| Problem::internal(&e))?))
}

/// A state as a past of one moment, at 1.
///
/// # Errors
/// It is no state.
pub(super) fn past_of(state: Bytes) -> Result<Past, HistoryError> {
    let (seq, connection) = (Seq(1), ConnectionId(0));
    let mut past = Past::new();
    past.extend(&[LogRow { seq, at_ms: 0, author: None, connection, bytes: state }])?;
    Ok(past)
}

fn json_of(all: serde_json::Value, root: Option<&str>) -> serde_json::Value {
    match root {
        Some(root) => all.get(root).cloned().unwrap_or_default(),
        None => all,
    }
}

/// Who did something: the subject of a login, or where there was none the socket.
#[derive(Clone, Serialize)]
struct ShownAuthor {
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
}

impl From<&Author> for ShownAuthor {
    fn from(author: &Author) -> Self {
        match author {
            Author::User(subject) => {
                Self { author: Some(subject.as_ref().to_owned()), connection: None }
            }
            Author::Connection(id) => Self { author: None, connection: Some(id.0) },
        }
    }
}
/// What a timeline should show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timeline {
    /// A pause longer than this begins another burst.
    gap_s: Option<u64>,
    /// Older than this burst: `next` of the answer before.
    cursor: Option<u64>,
    limit: Option<usize>,
}

/// A burst as it is shown.
#[derive(Serialize)]
struct ShownBurst {
    #[serde(flatten)]
    author: ShownAuthor,
    first: u64,
    last: u64,
    from_ms: i64,
    to_ms: i64,
    edits: u64,
    inserted: u64,
    deleted: u64,
}

/// `GET …/history`: who was at it when, newest first.
pub(super) async fn timeline(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = present(&request, &site, Level::Write).await?;
    let Timeline { gap_s, cursor, limit } = query(&request)?;
    let gap_ms = i64::try_from(gap_s.unwrap_or(GAP_S).saturating_mul(1_000)).unwrap_or(i64::MAX);
    let limit = limit.unwrap_or(BURSTS_MAX).clamp(1, BURSTS_MAX);
    let read = move |past: &Past| bursts_of(past.edits(), gap_ms);
    let bursts: Vec<Burst> = site.archive.read(&document, read).await?;
    let older = |burst: &&Burst| cursor.is_none_or(|cursor| burst.last.0 < cursor);
    let mut shown = bursts.iter().rev().filter(older);
    let page: Vec<ShownBurst> = shown.by_ref().take(limit).map(ShownBurst::from).collect();
    let next = page.last().map(|burst| burst.first).filter(|_| shown.next().is_some());
    let body = serde_json::json!({ "last": document.last.0, "bursts": page, "next": next });
    Ok(private(HttpResponse::Ok()).json(body))
}

impl From<&Burst> for ShownBurst {
    fn from(burst: &Burst) -> Self {
        Self {
            author: (&burst.author).into(),
            first: burst.first.0,
            last: burst.last.0,
            from_ms: burst.from_ms,
            to_ms: burst.to_ms,
            edits: burst.edits,
            inserted: burst.inserted,
            deleted: burst.deleted,
        }
    }
}

/// Between which moments to compare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// A place in the log or a time; the beginning.
    from: Option<String>,
    /// A place in the log or a time; now.
    to: Option<String>,
    root: Option<String>,
}

/// A piece of the text.
#[derive(Serialize)]
struct Piece {
    kind: &'static str,
    text: String,
    #[serde(flatten)]
    author: Option<ShownAuthor>,
}

impl Piece {
    fn of(change: Change, is_after: bool, is_before: bool) -> Self {
        let Change { kind, text, author } = change;
        let author = author.as_ref().map(ShownAuthor::from);
        match kind {
            ChangeKind::Kept => {
                let text = abbreviated(&text, is_after, is_before);
                Self { kind: "kept", text, author: None }
            }
            ChangeKind::Inserted => Self { kind: "inserted", text, author },
            ChangeKind::Deleted => Self { kind: "deleted", text, author },
        }
    }
}

/// `GET …/changes`: what is different between two moments, in the order of the document.
pub(super) async fn changes(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = present(&request, &site, Level::Write).await?;
    let Span { from, to, root } = query(&request)?;
    let (from, to) = span(&site, &document, from.as_deref(), to.as_deref()).await?;
    let read = move |past: &Past| past.changes(from, to, root.as_deref());
    let changes = site.archive.read(&document, read).await?;
    let last = changes.len().saturating_sub(1);
    let pieces = changes.into_iter().enumerate();
    let pieces = pieces.map(|(at, change)| Piece::of(change, at > 0, at < last));
    let pieces: Vec<Piece> = pieces.collect();
    let body = serde_json::json!({ "from": from.0, "to": to.0, "changes": pieces });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// Which text, and as of when.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authors {
    root: Option<String>,
    seq: Option<u64>,
    at: Option<String>,
    version: Option<String>,
}

/// A piece of the text and who wrote it.
#[derive(Serialize)]
struct Written {
    text: String,
    #[serde(flatten)]
    author: ShownAuthor,
    /// The rows that wrote it.
    first: u64,
    last: u64,
}

/// `GET …/authors`: the text, in pieces by who wrote them.
pub(super) async fn authors(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = present(&request, &site, Level::Write).await?;
    let Authors { root, seq, at, version } = query(&request)?;
    let seq = When { seq, at, version }.find(&site, &document).await?;
    let read = move |past: &Past| past.spans(seq, root.as_deref());
    let spans = site.archive.read(&document, read).await?;
    let spans = spans.into_iter().map(|span| Written {
        author: (&span.author).into(),
        first: span.first.0,
        last: span.last.0,
        text: span.text,
    });
    let spans: Vec<Written> = spans.collect();
    let body = serde_json::json!({ "seq": seq.0, "spans": spans });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// The document of a request, if it is there and the caller has the level.
///
/// # Errors
/// Why not.
pub(super) async fn present(
    request: &HttpRequest,
    site: &Site,
    level: Level,
) -> Result<DocumentSummary, Problem> {
    let document = document_in(request)?;
    admitted(request, site, &document, level).await?;
    summary(site, &document).await
}

/// A document that is there.
///
/// # Errors
/// It is not.
pub(super) async fn summary(
    site: &Site,
    document: &DocumentId,
) -> Result<DocumentSummary, Problem> {
    match site.store.summary(document).await? {
        Some(summary) if summary.deleted_at_ms.is_some() => Err(Problem::deleted()),
        Some(summary) => Ok(summary),
        None => Err(Problem::absent("document")),
    }
}

/// Two places in the log, in order.
///
/// # Errors
/// They are no places or times, or the wrong way round.
pub(super) async fn span(
    site: &Site,
    document: &DocumentSummary,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Seq, Seq), Problem> {
    let from = match from {
        Some(moment) => place(site, document, moment).await?,
        None => Seq(0),
    };
    let to = match to {
        Some(moment) => place(site, document, moment).await?,
        None => document.last,
    };
    if from > to {
        return Err(Problem::bad(format!("from ({from}) comes after to ({to})")));
    }
    Ok((from, to))
}

/// A place in the log, given as its number or as a time.
async fn place(site: &Site, document: &DocumentSummary, moment: &str) -> Result<Seq, Problem> {
    let when = match moment.parse() {
        Ok(seq) => When { seq: Some(seq), ..When::default() },
        Err(_) => When { at: Some(moment.to_owned()), ..When::default() },
    };
    when.find(site, document).await
}

/// A moment in a JSON body: as in a query, or as a number.
///
/// # Errors
/// It is neither.
pub(super) fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a moment is a number or a text")]
    enum Said {
        Number(i64),
        Text(String),
    }
    Ok(Option::<Said>::deserialize(from)?.map(|said| match said {
        Said::Number(number) => number.to_string(),
        Said::Text(text) => text,
    }))
}

/// A time in unix milliseconds or as RFC 3339.
fn unix_ms(text: &str) -> Result<i64, Problem> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| {
        Problem::bad(format!(
            "{text:?} is no time: say unix milliseconds or 2026-11-23T10:00:00Z (UTC)"
        ))
    })?;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What stays, shortened where it is long: its beginning if something comes before it, its end if
/// something follows.
fn abbreviated(text: &str, is_after: bool, is_before: bool) -> String {
    let sides = usize::from(is_after) + usize::from(is_before);
    let characters = text.chars().count();
    if characters <= sides * CONTEXT_CHARACTERS + 1 {
        return text.to_owned();
    }
    let head: String = text.chars().take(if is_after { CONTEXT_CHARACTERS } else { 0 }).collect();
    let tail = characters - if is_before { CONTEXT_CHARACTERS } else { 0 };
    head + "…" + &text.chars().skip(tail).collect::<String>()
}

fn tag(document: &DocumentSummary, seq: Seq, format: &str, root: Option<&str>) -> String {
    let root = crc32fast::hash(root.unwrap_or("\0").as_bytes());
    format!("\"{:x}-{}-{}-{root:x}\"", document.created_at_ms, seq, format.to_lowercase())
}

fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
    })
}

pub(super) fn private(
    mut response: actix_web::HttpResponseBuilder,
) -> actix_web::HttpResponseBuilder {
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}

impl From<HistoryError> for Problem {
    fn from(e: HistoryError) -> Self {
        match e {
            HistoryError::Log(e) => e.into(),
            HistoryError::Beyond { .. } | HistoryError::Thinned { .. } => {
                Self::new(StatusCode::NOT_FOUND, e.to_string())
            }
            HistoryError::Damaged(_) => Self::unavailable(&e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_ways() {
        assert_eq!(unix_ms("1795428000000").ok(), Some(1_795_428_000_000));
        assert_eq!(unix_ms("2026-11-23T10:00:00Z").ok(), Some(1_795_428_000_000));
        assert_eq!(unix_ms("2026-11-23 10:00:00").ok(), Some(1_795_428_000_000));
        assert!(unix_ms("yesterday").is_err());
    }

    #[test]
    fn what_stays_is_shortened_on_the_far_sides() {
        let long = "a".repeat(200);
        let short = "a".repeat(CONTEXT_CHARACTERS);
        assert_eq!(abbreviated("stays", true, true), "stays");
        assert_eq!(abbreviated(&long, true, true), format!("{short}…{short}"));
        assert_eq!(abbreviated(&long, false, true), format!("…{short}"));
        assert_eq!(abbreviated(&long, true, false), format!("{short}…"));
        assert_eq!(abbreviated(&long, false, false), "…");
    }
}
