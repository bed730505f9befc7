//! `/api/v1/documents/{name}/recording`: a document's session as a file, from the log or live.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::{info, warn};

use super::caller::login;
use super::documents::document_in;
use super::history::{present, span};
use super::problem::Problem;
use super::{Site, query};
use crate::id::Seq;
use crate::level::Level;
use crate::recording::Recording;
use crate::session::{RecordError, Recorder};

/// JSON Lines.
const LINES: &str = "application/jsonl";

/// Recordings of the log that are handed out at the same time; each is in memory until it has been
/// read.
pub(super) const EXPORTS_MAX: usize = 4;

/// Bytes that are handed out at once.
const PIECE_BYTES: usize = 64 << 10;

/// An empty line after so long without an event: whoever has gone is noticed, and nobody in between
/// takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Which part of the log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// The first update, by its place or a time.
    from: Option<String>,
    /// The last one.
    to: Option<String>,
}

/// `GET …/recording`: what is in the log, as a recording that begins with what was there before.
pub(super) async fn stored(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = present(&request, &site, Level::Write).await?;
    let Part { from, to } = query(&request)?;
    let (from, to) = span(&site, &document, from.as_deref(), to.as_deref()).await?;
    let place = site.exports.clone().try_acquire_owned();
    let place =
        place.map_err(|_| Problem::unavailable(&"other recordings are being handed out"))?;
    let before = Seq(from.0.saturating_sub(1));
    let start = match before {
        Seq(0) => None,
        before => Some(site.archive.state(&document.id, before).await?),
    };
    let rows = site.archive.rows(&document.id, before, to).await?;
    let writing = web::block(move || {
        let mut body = Vec::new();
        let recording = Recording::of_log(document.id.as_str(), start, &rows);
        recording.write(&mut body).map(|()| body)
    });
    let body = writing.await.map_err(|e| Problem::internal(&e))?;
    let body = Bytes::from(body.map_err(|e| Problem::internal(&e))?);
    let pieces = stream::unfold((body, place), |(mut rest, place)| async move {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then(|| (Ok::<_, Problem>(piece), (rest, place)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, LINES))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(pieces)))
}

/// `GET …/recording/live`: a header with what is there, then everything that happens, one line each,
/// until the client goes. The body breaks off when something was missed.
pub(super) async fn live(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    let login = login(&request, &site, document.clone(), Level::Write).await?;
    let (header, recorder) = Recorder::open(&site.services, &site.store, login).await?;
    info!(document.id = %document, "recording begins");
    let first = line(&header)?;
    let lines = stream::try_unfold((recorder, Some(first)), move |(mut recorder, first)| {
        let (site, document) = (site.clone(), document.clone());
        async move {
            if let Some(first) = first {
                return Ok(Some((first, (recorder, None))));
            }
            let next = match timeout(KEEP_ALIVE, recorder.next(&site.services)).await {
                Err(_) => Ok(Bytes::from_static(b"\n")),
                Ok(Ok(event)) => line(&event),
                Ok(Err(e)) => Err(Problem::from(e)),
            };
            let next = next.inspect_err(|e| {
                warn!(document.id = %document, reason = %e, "recording broke off");
            })?;
            Ok::<_, Problem>(Some((next, (recorder, None))))
        }
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, LINES))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(lines)))
}

fn line(value: &impl Serialize) -> Result<Bytes, Problem> {
    let mut line = serde_json::to_vec(value).map_err(|e| Problem::internal(&e))?;
    line.push(b'\n');
    Ok(line.into())
}

impl From<RecordError> for Problem {
    fn from(e: RecordError) -> Self {
        match e {
            RecordError::Open(e) => e.into(),
            RecordError::Over(e) => e.into(),
            RecordError::Deleted => Self::deleted(),
            e @ (RecordError::Unavailable(_) | RecordError::Behind) => Self::unavailable(&e),
        }
    }
}
