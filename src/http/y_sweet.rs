//! The HTTP routes of the y-sweet family. Tokens are ours underneath: a "server token" is one that
//! administers, a "client token" is made here for one document.
//! Source: `docs/protocol.md`, y-sweet.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::address::base_url;
use super::caller::{admitted, caller, login};
use super::problem::Problem;
use super::{Site, body};
use crate::access::{self, Caller, Claims, LoginError, Pattern};
use crate::clock;
use crate::id::DocumentId;
use crate::level::Level;
use crate::session::{apply_update, read_state};
use crate::store::DocumentStatus;

/// How long a client token is good if nobody says.
const VALID_FOR_S: u64 = 3600;

/// What a new document should be called.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NewDocument {
    doc_id: Option<String>,
}

/// What a client token should allow.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wish {
    authorization: Option<Authorization>,
    user_id: Option<String>,
    valid_for_seconds: Option<u64>,
}

/// The family's two levels.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Authorization {
    #[default]
    Full,
    ReadOnly,
}

impl Authorization {
    fn level(self) -> Level {
        match self {
            Self::Full => Level::Write,
            Self::ReadOnly => Level::Read,
        }
    }
}

/// Everything that a client needs to open a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientToken<'a> {
    url: String,
    base_url: String,
    doc_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    authorization: Authorization,
}

/// `GET /ready`: the database answers.
pub(super) async fn ready(site: web::Data<Site>) -> Result<HttpResponse, Problem> {
    site.store.check().await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "ok": true })))
}

/// `GET` and `POST /check_store`: the database answers, and so would we to whoever asks: with this an
/// application finds out whether its server token is right.
pub(super) async fn check_store(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, &site).await?;
    if caller.is_anonymous() && !site.services.access.keys().is_empty() {
        return Err(LoginError::Needed.into());
    }
    ready(site).await
}

/// `POST /doc/new`: makes a document, or keeps the one that there is.
pub(super) async fn create(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, &site).await?;
    let access = &site.services.access;
    if caller.is_anonymous() && !access.lets_anybody_in() {
        return Err(LoginError::Needed.into());
    }
    let NewDocument { doc_id } = body::json(payload, &site).await?;
    let name = match doc_id {
        Some(name) => name,
        None => access::new_id().map_err(|e| Problem::internal(&e))?,
    };
    let document = parse(&name)?;
    if access.admit(&caller, &document)? < Level::Write {
        return Err(Problem::level(Level::Write));
    }
    site.store.create(document, clock::unix_ms()).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "docId": name })))
}

/// `POST /doc/{id}/auth`: a token for one document. Whoever administers it may have one made for
/// somebody else; on a server where everybody may do as much as was asked, none is needed.
pub(super) async fn authorize(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let document = parse(&id)?;
    let (caller, level) = admitted(&request, &site, &document, Level::Read).await?;
    let Wish { authorization, user_id, valid_for_seconds } = body::json(payload, &site).await?;
    let authorization = authorization.unwrap_or_default();
    let needed = if caller.is_anonymous() { authorization.level() } else { Level::Admin };
    if level < needed {
        return Err(Problem::level(needed));
    }
    check_present(&site, &document).await?;
    let token = match caller.is_anonymous() {
        true => None,
        false => {
            let valid_for_s = valid_for_seconds.unwrap_or(VALID_FOR_S);
            let expires_at_s = clock::unix_s().saturating_add(valid_for_s);
            let subject = user_id.map(Arc::from);
            let claims = claims(&site, &caller, subject, expires_at_s)?;
            let documents = vec![Pattern::only(&document)];
            let level = authorization.level();
            Some(sign(&site, &Claims { documents, level, ..claims })?)
        }
    };
    let path = format!("/d/{}", document.as_str());
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(ClientToken {
        url: base_url(&request, &site, "ws") + &path + "/ws",
        base_url: base_url(&request, &site, "http") + &path,
        doc_id: document.as_str(),
        token,
        authorization,
    }))
}

/// `GET /d/{id}/as-update`: the whole document as one update.
pub(super) async fn as_update(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let document = parse(&id)?;
    let login = login(&request, &site, document.clone(), Level::Read).await?;
    check_present(&site, &document).await?;
    let update = read_state(&site.services, login).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(update))
}

/// `POST /d/{id}/update`: brings an update in; answered when it is on disk.
pub(super) async fn update(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let document = parse(&id)?;
    let login = login(&request, &site, document, Level::Write).await?;
    let body = body::large(&request, payload, &site).await?;
    apply_update(&site.services, login, body.bytes.clone()).await?;
    Ok(HttpResponse::Ok().finish())
}

/// This family does not make documents by looking at them.
async fn check_present(site: &Site, document: &DocumentId) -> Result<(), Problem> {
    match site.store.status(document).await? {
        DocumentStatus::Live => Ok(()),
        DocumentStatus::Absent => Err(Problem::absent("document")),
        DocumentStatus::Deleted => Err(Problem::deleted()),
    }
}

/// The family's names are narrower than ours.
pub(super) fn parse(name: &str) -> Result<DocumentId, Problem> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(Problem::bad("a document id here is of A-Z, a-z, 0-9, - and _"));
    }
    Ok(DocumentId::parse(name)?)
}

/// Who a client token is for and how long, as far as whoever asks for it may say: an application's
/// server, which administers everything, speaks for its users; others for themselves, and no longer
/// than they have a say.
fn claims(
    site: &Site,
    caller: &Caller,
    subject: Option<Arc<str>>,
    expires_at_s: u64,
) -> Result<Claims, Problem> {
    let speaks_for_others =
        site.services.access.is_admin_of_all(caller).map_err(LoginError::from)?;
    let (subject, expires_at_s) = if speaks_for_others {
        (subject, expires_at_s)
    } else {
        if subject.is_some() && subject.as_ref() != caller.subject() {
            let why = "a token for another user takes the level admin in every document";
            return Err(Problem::new(StatusCode::FORBIDDEN, why));
        }
        let end_s = caller.expires_at_ms().and_then(|ms| u64::try_from(ms / 1000).ok());
        (caller.subject().cloned(), end_s.map_or(expires_at_s, |end_s| end_s.min(expires_at_s)))
    };
    let token_id = access::new_id().map_err(|e| Problem::internal(&e))?;
    Ok(Claims {
        subject,
        name: None,
        color: None,
        documents: Vec::new(),
        level: Level::None,
        expires_at_s,
        issued_at_s: Some(clock::unix_s()),
        token_id: Some(token_id.into()),
    })
}

fn sign(site: &Site, claims: &Claims) -> Result<String, Problem> {
    let keys = site.services.access.keys();
    if !keys.can_sign() {
        let why = "this server has no secret to sign client tokens with (auth.secret_files)";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    keys.sign(claims).map_err(|e| Problem::bad(e.to_string()))
}
