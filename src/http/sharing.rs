//! Share links and revocations: `/api/v1/documents/{name}/links`, `/api/v1/links/{id}`,
//! `/api/v1/revocations`.

use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::address::base_url;
use super::caller::{admitted, caller};
use super::documents::document_in;
use super::problem::Problem;
use super::{Site, body, whole};
use crate::access::{self, Caller};
use crate::clock;
use crate::id::DocumentId;
use crate::level::Level;
use crate::store::{Revocation, RevocationKind, ShareLink};

/// The longest label of a link, in bytes.
const LABEL_BYTES_MAX: usize = 200;

/// The longest subject or token id that can be revoked, in bytes.
const REVOKED_BYTES_MAX: usize = 256;

/// What a new link should be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    level: Level,
    expires_in_s: Option<u32>,
    label: Option<String>,
}

/// What of a link should change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkChange {
    level: Option<Level>,
    /// From now on.
    expires_in_s: Option<u32>,
}

/// A link as it is shown. Its secret is only known to whoever made it.
#[derive(Serialize)]
struct Link<'a> {
    id: &'a str,
    document: &'a str,
    level: &'a str,
    label: &'a str,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<i64>,
}

/// A link that has just been made.
#[derive(Serialize)]
struct MadeLink<'a> {
    #[serde(flatten)]
    link: Link<'a>,
    /// Shown once; works as a token.
    secret: &'a str,
    /// The document's page, with the secret behind `#`, where browsers keep it to themselves.
    url: String,
}

impl<'a> From<&'a ShareLink> for Link<'a> {
    fn from(stored: &'a ShareLink) -> Self {
        Self {
            id: &stored.id,
            document: stored.document.as_str(),
            level: &stored.level,
            label: &stored.label,
            created_at_ms: stored.created_at_ms,
            created_by: stored.created_by.as_deref(),
            expires_at_ms: stored.expires_at_ms,
            revoked_at_ms: stored.revoked_at_ms,
        }
    }
}

/// `POST /api/v1/documents/{name}/links`.
pub(super) async fn create_link(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    let (caller, _) = admitted(&request, &site, &document, Level::Admin).await?;
    let NewLink { level, expires_in_s, label } = body::json(payload, &site).await?;
    check_level(level)?;
    let label = label.unwrap_or_default();
    if label.len() > LABEL_BYTES_MAX {
        return Err(Problem::bad(format!("a label has at most {LABEL_BYTES_MAX} bytes")));
    }
    let secret = access::new_secret().map_err(|e| Problem::internal(&e))?;
    let now_ms = clock::unix_ms();
    let link = ShareLink {
        id: access::new_id().map_err(|e| Problem::internal(&e))?,
        document: document.clone(),
        level: level.as_str().to_owned(),
        label,
        created_at_ms: now_ms,
        created_by: caller.subject().map(|subject| subject.to_string()),
        expires_at_ms: expires_in_s.map(|s| now_ms + i64::from(s) * 1000),
        revoked_at_ms: None,
    };
    let max = site.services.config.limits.document_links_max;
    site.store.insert_link(link.clone(), access::hash_of(&secret), max).await?;
    info!(document.id = %document, link.id = link.id, level = %level, "share link made");
    let url = page_url(&request, &site, &document, &secret);
    let made = MadeLink { link: Link::from(&link), secret: &secret, url };
    Ok(private(HttpResponse::Created()).json(made))
}

/// `GET /api/v1/documents/{name}/links`: newest first.
pub(super) async fn list_links(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = document_in(&request)?;
    admitted(&request, &site, &document, Level::Admin).await?;
    let links = site.store.links(&document).await?;
    let links: Vec<Link<'_>> = links.iter().map(Link::from).collect();
    Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "links": links })))
}

/// `PATCH /api/v1/links/{id}`: reaches those who use it within a moment.
pub(super) async fn change_link(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    administered(&request, &site, &id).await?;
    let LinkChange { level, expires_in_s } = body::json(payload, &site).await?;
    level.map_or(Ok(()), check_level)?;
    let expires_at_ms = expires_in_s.map(|s| clock::unix_ms() + i64::from(s) * 1000);
    let services = site.services.clone();
    let change = async move { services.access.change_link(&id, level, expires_at_ms).await };
    let link = whole(change).await??.ok_or_else(|| Problem::absent("link"))?;
    Ok(private(HttpResponse::Ok()).json(Link::from(&link)))
}

/// `DELETE /api/v1/links/{id}`: for good, and at once for those who use it.
pub(super) async fn revoke_link(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    administered(&request, &site, &id).await?;
    let (services, id) = (site.services.clone(), id.into_inner());
    let revoked = id.clone();
    let change = async move { services.access.revoke_link(&revoked).await };
    if !whole(change).await?? {
        return Err(Problem::absent("link"));
    }
    info!(link.id = id, "share link revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Whom to revoke: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRevocation {
    /// Every token of this user that was issued up to now.
    subject: Option<String>,
    /// The token with this `jti`.
    token_id: Option<String>,
}

/// A revocation as it is shown.
#[derive(Serialize)]
struct ShownRevocation<'a> {
    id: &'a str,
    kind: &'a str,
    value: &'a str,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
}

impl<'a> From<&'a Revocation> for ShownRevocation<'a> {
    fn from(stored: &'a Revocation) -> Self {
        Self {
            id: &stored.id,
            kind: kind_word(stored.kind),
            value: &stored.value,
            at_ms: stored.at_ms,
            created_by: stored.created_by.as_deref(),
        }
    }
}

/// `POST /api/v1/revocations`.
pub(super) async fn revoke(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = admin_of_all(&request, &site).await?;
    let (kind, value) = match body::json(payload, &site).await? {
        NewRevocation { subject: Some(subject), token_id: None } => {
            (RevocationKind::Subject, subject)
        }
        NewRevocation { subject: None, token_id: Some(id) } => (RevocationKind::Token, id),
        _ => return Err(Problem::bad("say either subject or token_id")),
    };
    if value.is_empty() || value.len() > REVOKED_BYTES_MAX {
        return Err(Problem::bad(format!("what is revoked has 1 to {REVOKED_BYTES_MAX} bytes")));
    }
    let revocation = Revocation {
        id: access::new_id().map_err(|e| Problem::internal(&e))?,
        kind,
        value,
        at_ms: clock::unix_ms(),
        created_by: caller.subject().map(|subject| subject.to_string()),
    };
    let services = site.services.clone();
    let stored = whole(async move { services.access.revoke(revocation).await }).await??;
    info!(revocation.id = stored.id, kind = kind_word(stored.kind), "login revoked");
    Ok(private(HttpResponse::Created()).json(ShownRevocation::from(&stored)))
}

/// `GET /api/v1/revocations`.
pub(super) async fn list_revocations(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    admin_of_all(&request, &site).await?;
    let stored = site.store.revocations().await?;
    let shown: Vec<ShownRevocation<'_>> = stored.iter().map(ShownRevocation::from).collect();
    Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "revocations": shown })))
}

/// `DELETE /api/v1/revocations/{id}`.
pub(super) async fn unrevoke(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    admin_of_all(&request, &site).await?;
    let (services, id) = (site.services.clone(), id.into_inner());
    let taken_back = id.clone();
    if !whole(async move { services.access.unrevoke(&taken_back).await }).await?? {
        return Err(Problem::absent("revocation"));
    }
    info!(revocation.id = id, "revocation taken back");
    Ok(HttpResponse::NoContent().finish())
}

/// Whether the caller administers a link's document. Whoever does not learns nothing about it.
async fn administered(request: &HttpRequest, site: &Site, id: &str) -> Result<(), Problem> {
    let caller = caller(request, site).await?;
    let link = site.store.link(id).await?;
    let access = &site.services.access;
    let level = link.as_ref().map(|link| access.level(&caller, &link.document)).transpose();
    match level.map_err(access::LoginError::from)? {
        Some(Level::Admin) => Ok(()),
        _ if caller.is_anonymous() => Err(access::LoginError::Needed.into()),
        _ => Err(Problem::absent("link")),
    }
}

async fn admin_of_all(
    request: &HttpRequest,
    site: &Site,
) -> Result<std::sync::Arc<Caller>, Problem> {
    let caller = caller(request, site).await?;
    let access = &site.services.access;
    if access.is_admin_of_all(&caller).map_err(access::LoginError::from)? {
        return Ok(caller);
    }
    if caller.is_anonymous() {
        return Err(access::LoginError::Needed.into());
    }
    Err(Problem::level(Level::Admin))
}

fn kind_word(kind: RevocationKind) -> &'static str {
    match kind {
        RevocationKind::Subject => "subject",
        RevocationKind::Token => "token",
    }
}

fn check_level(level: Level) -> Result<(), Problem> {
    match level {
        Level::Read | Level::Comment | Level::Write => Ok(()),
        Level::None | Level::Admin => {
            Err(Problem::bad("the level of a link is read, comment or write"))
        }
    }
}

fn private(mut response: actix_web::HttpResponseBuilder) -> actix_web::HttpResponseBuilder {
    response.insert_header((actix_web::http::header::CACHE_CONTROL, "no-store"));
    response
}

fn page_url(request: &HttpRequest, site: &Site, document: &DocumentId, secret: &str) -> String {
    let name = utf8_percent_encode(document.as_str(), NON_ALPHANUMERIC);
    format!("{}/n/{name}#token={secret}", base_url(request, site, "http"))
}
