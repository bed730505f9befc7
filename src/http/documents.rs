//! `/api/v1/documents/{name}`: what is done to a document as a whole.
//!
//! `{name}` is one segment of the path, percent-encoded, slashes as well (`team%2Fplan`).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tracing::info;

use super::address::decoded;
use super::caller::admitted;
use super::problem::Problem;
use super::{Site, query, whole};
use crate::clock;
use crate::document::purge;
use crate::hub::{EndDeleted, Evict};
use crate::id::{DocumentId, NameError};
use crate::level::Level;
use crate::store::DocumentStatus;

/// `DELETE`: nobody can open it any more, and whoever is in it is told within a moment. Nothing is
/// removed from the disk.
pub(super) async fn delete(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    admitted(&request, &site, &document, Level::Admin).await?;
    let change = async move {
        if !site.store.delete(document.clone(), clock::unix_ms()).await? {
            return Err(Problem::absent("document"));
        }
        info!(document.id = %document, "document deleted");
        let ended = site.services.hub.send(EndDeleted(document)).await;
        ended.map_err(|e| Problem::internal(&e))
    };
    whole(change).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST …/undelete`: it can be opened again, as it was.
pub(super) async fn undelete(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    admitted(&request, &site, &document, Level::Admin).await?;
    let change = async move {
        if !site.store.undelete(document.clone()).await? {
            return Err(Problem::absent("deleted document"));
        }
        info!(document.id = %document, "document undeleted");
        let ended = site.services.hub.send(EndDeleted(document)).await;
        ended.map_err(|e| Problem::internal(&e))
    };
    whole(change).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// What else a purge removes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurgeQuery {
    /// The branches of the name as well.
    #[serde(default)]
    branches: bool,
}

/// `POST …/purge`: a deleted document is removed for good, from the disk as well, and its name is
/// free. 409 for one that is not deleted.
pub(super) async fn purge(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    admitted(&request, &site, &document, Level::Admin).await?;
    let PurgeQuery { branches } = query(&request)?;
    match site.store.status(&document).await? {
        DocumentStatus::Deleted => {}
        DocumentStatus::Absent => return Err(Problem::absent("deleted document")),
        DocumentStatus::Live => {
            let why = "only a deleted document can be purged";
            return Err(Problem::new(StatusCode::CONFLICT, why));
        }
    }
    let change = async move {
        let evicted = site.services.hub.send(Evict(document.clone())).await;
        evicted.map_err(|e| Problem::internal(&e))?;
        if !purge::purge(&site.store, document.clone(), clock::unix_ms(), branches).await? {
            return Err(Problem::absent("deleted document"));
        }
        site.archive.forget(&document);
        info!(document.id = %document, "document purged");
        Ok(())
    };
    whole(change).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// The document that a path names.
///
/// The library has decoded the path as far as that does not change its segments, so what is left to
/// decode are slashes and percent signs; the raw path is read instead.
pub(super) fn document_in(request: &HttpRequest) -> Result<DocumentId, NameError> {
    segment(request.uri().path(), "/api/v1/documents/")
}

fn segment(path: &str, prefix: &str) -> Result<DocumentId, NameError> {
    let rest = path.strip_prefix(prefix).unwrap_or_default();
    let name = rest.split('/').next().unwrap_or_default();
    decoded(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_decoded_once() {
        let name = |path| segment(path, "/d/").map(|id| id.as_str().to_owned());
        assert_eq!(name("/d/a%2Fb/links"), Ok("a/b".to_owned()));
        assert_eq!(name("/d/%252F"), Ok("%2F".to_owned()));
        assert_eq!(name("/d/%ff"), Err(NameError::NotUtf8));
        assert_eq!(name("/d/"), Err(NameError::Blank));
    }
}
