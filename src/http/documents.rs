//! `/api/v1/documents/{name}`: what is done to a document as a whole.
//!
//! `{name}` is one segment of the path, percent-encoded, slashes as well (`team%2Fplan`).

use actix_web::{HttpRequest, HttpResponse, web};
use tracing::info;

use super::address::decoded;
use super::caller::admitted;
use super::problem::Problem;
use super::{Site, whole};
use crate::clock;
use crate::hub::EndDeleted;
use crate::id::{DocumentId, NameError};
use crate::level::Level;

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
