//! `/api/v1/documents/{name}/…`: moments with a name, and what is done with a moment: restoring it, copying it,
//! taking back what one author did.
//!
//! Nothing here takes anything out of the log: a restored document is an edit more, made while others type.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::caller::admitted;
use super::documents::document_in;
use super::history::{When, moment, newest, present, private, span, summary};
use super::problem::Problem;
use super::{Site, body, query};
use crate::access::{self, Caller};
use crate::clock;
use crate::crdt::{Author, reshape, revert as revert_rows};
use crate::id::{ConnectionId, DocumentId, LogRow, Seq};
use crate::level::Level;
use crate::session::{Login, apply_update, read_state};
use crate::store::{DocumentSummary, Version, VersionKind};

/// The longest name of a version, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The state of an empty document.
const NOTHING: [u8; 2] = [0, 0];

/// Versions in one answer, unless fewer are asked for.
const VERSIONS_MAX: u32 = 1_000;

/// A version as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    seq: u64,
    at_ms: i64,
    name: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
}

impl<'a> From<&'a Version> for Shown<'a> {
    fn from(version: &'a Version) -> Self {
        Self {
            id: &version.id,
            seq: version.seq.0,
            at_ms: version.at_ms,
            name: &version.name,
            kind: version.kind.as_str(),
            created_by: version.created_by.as_deref(),
        }
    }
}

/// Which versions to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Behind this version: `next` of the answer before.
    cursor: Option<String>,
    limit: Option<u32>,
}

/// What a new version should be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVersion {
    name: String,
    seq: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<String>,
    version: Option<String>,
}

/// What a version should be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Renamed {
    name: String,
}

/// Where a copy should go, and of which moment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Copy {
    to: String,
    seq: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<String>,
    version: Option<String>,
}

/// Whose doings to take back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revert {
    /// The subject of a login.
    author: Option<String>,
    /// Where there was no login: a connection.
    connection: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    from: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    to: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// `GET …/versions`: newest moment first.
pub(super) async fn list(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    let document = present(&request, &site, Level::Write).await?;
    let Page { cursor, limit } = query(&request)?;
    let limit = limit.unwrap_or(VERSIONS_MAX).clamp(1, VERSIONS_MAX);
    let behind = match &cursor {
        Some(id) => {
            let version = site.store.version(&document.id, id).await?;
            Some(version.ok_or_else(|| Problem::bad("there is no version at this cursor"))?)
        }
        None => None,
    };
    let behind = behind.as_ref().map(|version| (version.seq, version.id.as_str()));
    // One more tells whether there are more.
    let mut versions = site.store.versions(&document.id, behind, limit + 1).await?;
    let has_more = versions.len() > limit as usize;
    versions.truncate(limit as usize);
    let next = versions.last().filter(|_| has_more).map(|version| version.id.as_str());
    let shown: Vec<Shown<'_>> = versions.iter().map(Shown::from).collect();
    let body = serde_json::json!({ "versions": shown, "next": next });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// `POST …/versions`: gives a moment a name, now unless another is said.
pub(super) async fn create(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let NewVersion { name, seq, at, version } = body::json(payload, &site).await?;
    let name = checked(name)?;
    let seq = When::new(seq, at, version).find(&site, &document).await?;
    let version = keep(&site, &document.id, &caller, seq, name, VersionKind::Named).await?;
    Ok(private(HttpResponse::Created()).json(Shown::from(&version)))
}

/// `PATCH …/versions/{id}`.
pub(super) async fn rename(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (_, document) = writer(&request, &site).await?;
    let Renamed { name } = body::json(payload, &site).await?;
    let (name, id) = (checked(name)?, path.into_inner().1);
    site.store.rename_version(document.id.clone(), id.clone(), name).await?;
    let version = site.store.version(&document.id, &id).await?;
    let version = version.ok_or_else(|| Problem::absent("version"))?;
    Ok(private(HttpResponse::Ok()).json(Shown::from(&version)))
}

/// `DELETE …/versions/{id}`: only the name goes; the moment stays in the log.
pub(super) async fn delete(
    request: HttpRequest,
    site: web::Data<Site>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (_, document) = writer(&request, &site).await?;
    if !site.store.delete_version(document.id, path.into_inner().1).await? {
        return Err(Problem::absent("version"));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `POST …/restore`: an edit that makes the document what it was; what it is now becomes a version first.
pub(super) async fn restore(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let when: When = body::json(payload, &site).await?;
    let _turn = site.turns.of(&document.id).await;
    // Others may have had their turn meanwhile.
    let document = summary(&site, &document.id).await?;
    let seq = when.find(&site, &document).await?;
    let past = state_at(&site, &document, seq).await?;
    let live = read_state(&site.services, seat(&site, &caller, &document.id)?).await?;
    let client = new_client()?;
    let reshaping = web::block(move || reshape(&live, &past, client)).await;
    let reshaped = reshaping.map_err(|e| Problem::internal(&e))?;
    let reshaped = reshaped.map_err(|e| impossible(&e))?;
    let Some(update) = reshaped.update else {
        return Ok(private(HttpResponse::Ok()).json(serde_json::json!({ "changed": false })));
    };
    let (name, kind) = (String::new(), VersionKind::Restore);
    let before = keep(&site, &document.id, &caller, document.last, name, kind).await?;
    apply_update(&site.services, seat(&site, &caller, &document.id)?, update).await?;
    info!(document.id = %document.id, seq = seq.0, "document restored");
    let body = serde_json::json!({
        "changed": true, "restored": seq.0, "before": Shown::from(&before),
    });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// `POST …/copy`: a new document that begins with a moment of this one.
pub(super) async fn copy(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let Copy { to, seq, at, version } = body::json(payload, &site).await?;
    let to = DocumentId::parse(&to)?;
    let target = seat(&site, &caller, &to)?;
    if target.level() < Level::Write {
        return Err(Problem::level(Level::Write));
    }
    let seq = When::new(seq, at, version).find(&site, &document).await?;
    let state = state_at(&site, &document, seq).await?;
    // Made anew under an id of its own: the copy is nobody's earlier life, and nobody's later one.
    let client = new_client()?;
    let making = web::block(move || reshape(&NOTHING, &state, client)).await;
    let made = making.map_err(|e| Problem::internal(&e))?.map_err(|e| impossible(&e))?;
    if !site.store.create(to.clone(), clock::unix_ms()).await? {
        let why = "there is a document of this name already";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    if let Some(update) = made.update {
        apply_update(&site.services, target, update).await?;
    }
    info!(document.id = %document.id, seq = seq.0, copy.id = %to, "document copied");
    let body = serde_json::json!({ "document": to.as_str(), "seq": seq.0 });
    Ok(private(HttpResponse::Created()).json(body))
}

/// `POST …/revert`: takes back what one author did between two moments, as far as that is possible.
pub(super) async fn revert(
    request: HttpRequest,
    site: web::Data<Site>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, document) = writer(&request, &site).await?;
    let Revert { author, connection, from, to, dry_run } = body::json(payload, &site).await?;
    let author = match (author, connection) {
        (Some(subject), None) => Author::User(subject.into()),
        (None, Some(connection)) => Author::Connection(ConnectionId(connection)),
        _ => return Err(Problem::bad("say either author or connection")),
    };
    let _turn = site.turns.of(&document.id).await;
    // Others may have had their turn meanwhile.
    let document = summary(&site, &document.id).await?;
    let (from, to) = span(&site, &document, from.as_deref(), to.as_deref()).await?;
    let rows = site.archive.rows(&document.id, Seq(0), document.last).await?;
    let live = read_state(&site.services, seat(&site, &caller, &document.id)?).await?;
    let client = new_client()?;
    let reverting = web::block(move || {
        let chosen = |row: &LogRow| from <= row.seq && row.seq <= to && Author::of(row) == author;
        let edits = rows.iter().filter(|row| chosen(row)).count();
        revert_rows(&live, &rows, chosen, client).map(|reverted| (edits, reverted))
    });
    let reverted = reverting.await.map_err(|e| Problem::internal(&e))?;
    let (edits, reverted) = reverted.map_err(|e| impossible(&e))?;
    let mut before = None;
    if let Some(update) = reverted.update.filter(|_| !dry_run) {
        let (name, kind) = (String::new(), VersionKind::Restore);
        before = Some(keep(&site, &document.id, &caller, document.last, name, kind).await?);
        apply_update(&site.services, seat(&site, &caller, &document.id)?, update).await?;
        info!(document.id = %document.id, from = from.0, to = to.0, "edits of one author reverted");
    }
    let body = serde_json::json!({
        "dry_run": dry_run,
        "edits": edits,
        "removed_characters": reverted.inserted_removed,
        "restored_characters": reverted.deleted_restored,
        "cannot": reverted.cannot,
        "before": before.as_ref().map(Shown::from),
    });
    Ok(private(HttpResponse::Ok()).json(body))
}

/// The state at a place of the log; at its end without the history before it.
async fn state_at(site: &Site, document: &DocumentSummary, seq: Seq) -> Result<Bytes, Problem> {
    if seq == document.last {
        let (last, state) = newest(site, &document.id).await?;
        // Somebody may have typed meanwhile.
        if last == seq {
            return Ok(state);
        }
    }
    Ok(site.archive.state(&document.id, seq).await?)
}

/// The caller and the document of a request that will change something.
pub(super) async fn writer(
    request: &HttpRequest,
    site: &Site,
) -> Result<(std::sync::Arc<Caller>, DocumentSummary), Problem> {
    let document = document_in(request)?;
    let (caller, _) = admitted(request, site, &document, Level::Write).await?;
    Ok((caller, summary(site, &document).await?))
}

/// A part for the caller in a document; each exchange takes one.
pub(super) fn seat(
    site: &Site,
    caller: &std::sync::Arc<Caller>,
    document: &DocumentId,
) -> Result<Login, Problem> {
    Ok(Login::new(&site.services.access, caller.clone(), document.clone())?)
}

async fn keep(
    site: &Site,
    document: &DocumentId,
    caller: &Caller,
    seq: Seq,
    name: String,
    kind: VersionKind,
) -> Result<Version, Problem> {
    let version = Version {
        id: access::new_id().map_err(|e| Problem::internal(&e))?,
        seq,
        at_ms: clock::unix_ms(),
        name,
        kind,
        created_by: caller.subject().map(|subject| subject.to_string()),
    };
    let max = site.services.config.limits.document_versions_max;
    site.store.insert_version(document.clone(), version.clone(), max).await?;
    Ok(version)
}

fn checked(name: String) -> Result<String, Problem> {
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Problem::bad(format!("a version's name has 1 to {NAME_BYTES_MAX} bytes")));
    }
    Ok(name)
}

/// A client id for an edit of the server's own making, as Yjs draws them.
pub(super) fn new_client() -> Result<u64, Problem> {
    getrandom::u32().map(u64::from).map_err(|e| Problem::internal(&e))
}

fn impossible(e: &impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, e.to_string())
}
