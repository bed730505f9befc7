//! `/api/v1/documents/{name}/rescued`: text that lost its place in the document because somebody else replaced or
//! removed what it was written into. It is beside the document until somebody puts it back or dismisses it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::info;

use super::branches::roots;
use super::caller::admitted;
use super::documents::document_in;
use super::history::private;
use super::problem::Problem;
use super::versions::{seat, writer};
use super::{Site, whole};
use crate::access::Caller;
use crate::crdt::{Page, Past, append_lines, everything_to_json, has_edit_of, to_json};
use crate::id::{DocumentId, Seq};
use crate::level::Level;
use crate::session::{apply_update, read_state};
use crate::store::{DocumentSummary, Rescued};

/// A rescued text as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    /// Where there was no login.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    text: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a Rescued> for Shown<'a> {
    fn from(rescued: &'a Rescued) -> Self {
        let Rescued { id, at_ms, author, connection, text, reason, .. } = rescued;
        let author = author.as_deref();
        let connection = author.is_none().then_some(connection.0);
        Self { id, at_ms: *at_ms, author, connection, text, reason }
    }
}

/// `GET …/rescued`: newest first. Of a document that nobody has written yet there are none.
pub(super) async fn list(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    admitted(&request, &site, &document, Level::Write).await?;
    if site.store.summary(&document).await?.is_some_and(|it| it.deleted_at_ms.is_some()) {
        return Err(Problem::deleted());
    }
    let rescued = site.store.rescued(&document).await?;
    let shown: Vec<Shown<'_>> = rescued.iter().map(Shown::from).collect();
    Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "rescued": shown })))
}

/// `POST …/rescued/{id}/restore`: an edit of the caller's puts the text back, and it is not kept any longer.
pub(super) async fn restore(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let id = path.into_inner().1;
    whole(async move { put_back(&site, &caller, document, &id).await }).await??;
    Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "restored": true })))
}

/// `DELETE …/rescued/{id}`: it is not wanted.
pub(super) async fn dismiss(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (_, document) = writer(&request, &site).await?;
    let id = path.into_inner().1;
    // Not while somebody puts it back.
    let _turn = site.turns.of(&document.id).await;
    if !site.store.delete_rescued(document.id.clone(), id.clone()).await? {
        return Err(Problem::absent("rescued text"));
    }
    info!(document.id = %document.id, rescued.id = id, "rescued text dismissed");
    Ok(HttpResponse::NoContent().finish())
}

/// Puts a text back, once: whoever comes second finds it gone, and where the server ended between the edit
/// and the end of the entry, the edit is known by its client id.
async fn put_back(
    site: &Site,
    caller: &Arc<Caller>,
    summary: DocumentSummary,
    id: &str,
) -> Result<(), Problem> {
    let document = &summary.id;
    let _turn = site.turns.of(document).await;
    let rescued = site.store.rescued_text(document, id).await?;
    let rescued = rescued.ok_or_else(|| Problem::absent("rescued text"))?;
    let live = read_state(&site.services, seat(site, caller, document)?).await?;
    if let Some(update) = edit(site, &summary, live, rescued).await? {
        apply_update(&site.services, seat(site, caller, document)?, update).await?;
    }
    site.store.delete_rescued(document.clone(), id.to_owned()).await?;
    info!(document.id = %document, rescued.id = id, "rescued text put back");
    Ok(())
}

/// The edit that puts a text back; `None` where that has been done, or where there is nothing in it.
async fn edit(
    site: &Site,
    document: &DocumentSummary,
    live: Bytes,
    rescued: Rescued,
) -> Result<Option<Bytes>, Problem> {
    let client = client_of(&rescued.id);
    let Rescued { client: author, clock, .. } = rescued;
    let looking = live.clone();
    let (is_done, root) = blocking(move || {
        let is_done = has_edit_of(&looking, client)?;
        Ok((is_done, page_of(&to_json(&looking).map_err(|e| e.to_string())?)))
    })
    .await?;
    if is_done {
        return Ok(None);
    }
    // Where its line was, if the log still tells.
    let in_place = move |past: &Past| past.put_back(author, clock, client);
    if let Ok(Some(update)) = site.archive.read(document, in_place).await {
        return Ok(Some(update));
    }
    let root = match root {
        Some(name) => Some((name, Page::Fragment)),
        None => root_ever(site, &document.id).await?,
    };
    let Some((root, page)) = root else {
        let why = "the document has no text that it could be put into; copy it from here instead";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    };
    blocking(move || at_the_end(&live, &root, page, &rescued.text, client)).await
}

fn at_the_end(
    live: &[u8],
    root: &str,
    page: Page,
    text: &str,
    client: u64,
) -> Result<Option<Bytes>, String> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if text.trim().is_empty() {
        return Ok(None);
    }
    append_lines(live, root, page, &lines, client).map(Some)
}

/// The page, where there is something in it. Beside a page a text is its title or the like.
fn page_of(json: &Value) -> Option<String> {
    roots(json).find(|(_, page)| *page == Page::Fragment).map(|(name, _)| name)
}

/// The root that people wrote in, also where nothing is left in it.
async fn root_ever(site: &Site, document: &DocumentId) -> Result<Option<(String, Page)>, Problem> {
    let rows = site.archive.rows(document, Seq(0), Seq(u64::MAX)).await?;
    blocking(move || {
        let ever = everything_to_json(rows).map_err(|e| e.to_string())?;
        let page = page_of(&ever).map(|name| (name, Page::Fragment));
        Ok(page.or_else(|| roots(&ever).next()))
    })
    .await
}

/// The client id of the edit that puts a text back, always the same and none that Yjs draws: those have 32
/// bits.
fn client_of(id: &str) -> u64 {
    let hash = Sha256::digest(id);
    let number = hash.iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte));
    1 << 52 | number
}

/// Reads what may be large, away from those who type.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let impossible = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    web::block(work).await.map_err(|e| Problem::internal(&e))?.map_err(impossible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_of_a_text_has_a_client_id_of_its_own() {
        let ids = ["kUpuQ2", "kUpuQ3", ""].map(client_of);
        assert!(ids.iter().all(|id| (1 << 52..1 << 53).contains(id)), "{ids:?}");
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        assert_eq!(ids[0], client_of("kUpuQ2"));
    }
}
