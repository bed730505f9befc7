//! `/api/v1/documents/{name}/branches`: text that copies of an earlier document of the name brought along. It is
//! beside the document, never in it, until somebody takes over what is missing.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use super::caller::admitted;
use super::documents::document_in;
use super::history::{Format, past_of, private};
use super::problem::Problem;
use super::versions::{new_client, seat, writer};
use super::{Site, query};
use crate::crdt::{Page, append_lines, to_json};
use crate::id::{DocumentId, Seq};
use crate::level::Level;
use crate::session::{apply_update, read_state};
use crate::store::Branch;

/// A branch as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    bytes: usize,
}

impl<'a> From<&'a Branch> for Shown<'a> {
    fn from(branch: &'a Branch) -> Self {
        let Branch { id, at_ms, author, bytes, .. } = branch;
        Self { id, at_ms: *at_ms, author: author.as_deref(), bytes: *bytes }
    }
}

/// How to show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    format: Option<Format>,
}

/// `GET …/branches`: newest first.
pub(super) async fn list(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = named(&request, &site, Level::Write).await?;
    let branches = site.store.branches(&document).await?;
    let shown: Vec<Shown<'_>> = branches.iter().map(Shown::from).collect();
    Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "branches": shown })))
}

/// `GET …/branches/{id}/content`.
pub(super) async fn content(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let document = named(&request, &site, Level::Write).await?;
    let Content { format } = query(&request)?;
    let (_, bytes) = find(&site, &document, &path.1).await?;
    let mut answer = private(HttpResponse::Ok());
    Ok(match format.unwrap_or_default() {
        Format::Text => {
            let text = read(move || text_of(bytes)).await?;
            answer.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(text)
        }
        Format::Json => answer.json(read(move || json_of(&bytes)).await?),
        Format::Update => {
            answer.insert_header((CONTENT_TYPE, "application/octet-stream")).body(bytes)
        }
    })
}

/// `DELETE …/branches/{id}`: for good.
pub(super) async fn delete(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let document = named(&request, &site, Level::Admin).await?;
    let (branch, _) = find(&site, &document, &path.1).await?;
    if !site.store.delete_branch(branch.id).await? {
        return Err(Problem::absent("branch"));
    }
    info!(document.id = %document, branch.id = path.1, "branch deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// `POST …/branches/{id}/merge`: lines of the branch that the document does not have are put at its end, as new text.
pub(super) async fn merge(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let (_, bytes) = find(&site, &document.id, &path.1).await?;
    let _turn = site.turns.of(&document.id).await;
    let live = read_state(&site.services, seat(&site, &caller, &document.id)?).await?;
    let client = new_client()?;
    let merging = read(move || {
        let Some((root, page)) = roots(&json_of(&bytes)?).next() else { return Ok(None) };
        let (there, brought) = (text_of(live.clone())?, text_of(bytes)?);
        let lines = missing(&there, &brought);
        if lines.is_empty() {
            return Ok(None);
        }
        append_lines(&live, &root, page, &lines, client).map(|update| Some((update, lines.len())))
    });
    let (update, lines) = merging.await?.unzip();
    if let Some(update) = update {
        apply_update(&site.services, seat(&site, &caller, &document.id)?, update).await?;
        info!(document.id = %document.id, branch.id = path.1, lines, "branch merged as text");
    }
    let body = serde_json::json!({ "lines": lines.unwrap_or(0) });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// The document that is named, whether it is there or not: branches outlive it.
async fn named(request: &HttpRequest, site: &Site, level: Level) -> Result<DocumentId, Problem> {
    let document = document_in(request)?;
    admitted(request, site, &document, level).await?;
    Ok(document)
}

async fn find(site: &Site, document: &DocumentId, id: &str) -> Result<(Branch, Bytes), Problem> {
    let found = site.store.branch(id).await?;
    let found = found.filter(|(branch, _)| branch.document == *document);
    found.ok_or_else(|| Problem::absent("branch"))
}

/// Reads what a stranger brought, away from those who type.
async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let unreadable = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    web::block(work).await.map_err(|e| Problem::internal(&e))?.map_err(unreadable)
}

fn json_of(bytes: &[u8]) -> Result<Value, String> {
    to_json(bytes).map_err(|e| e.to_string())
}

fn text_of(bytes: Bytes) -> Result<String, String> {
    let past = past_of(bytes).map_err(|e| e.to_string())?;
    Ok(past.text(Seq(1), None))
}

/// The roots that people write in, texts and pages, in the order of their names.
pub(super) fn roots(json: &Value) -> impl Iterator<Item = (String, Page)> {
    json.as_object().into_iter().flatten().filter_map(|(name, root)| match root {
        Value::String(_) => Some((name.clone(), Page::Text)),
        Value::Object(page) if page.get("type")? == "doc" => Some((name.clone(), Page::Fragment)),
        _ => None,
    })
}

/// The lines of `brought` that `there` does not have, each as often as it is missing.
fn missing(there: &str, brought: &str) -> Vec<String> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in there.lines() {
        *left.entry(line).or_default() += 1;
    }
    let mut lines = Vec::new();
    for line in brought.lines().filter(|line| !line.trim().is_empty()) {
        match left.get_mut(line) {
            Some(count @ 1..) => *count -= 1,
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_are_missing_are_taken_over() {
        assert_eq!(missing("a\nb\nc", "b\nx\n\nb\nc"), ["x", "b"]);
        assert!(missing("a", "a").is_empty());
    }
}
