//! From an HTTP request to a socket: origin, name, level, place; then the upgrade.
//!
//! What can be refused is refused here, with a status: stock clients back off from a refused
//! upgrade, and hurry back to a socket that was accepted and closed.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use tracing::debug;

use super::address::decoded;
use super::limits::{NoPlace, Place};
use super::problem::{Problem, RETRY_AFTER_S};
use super::{Site, caller};
use crate::access::LoginError;
use crate::fanout::Outbox;
use crate::id::{ConnectionId, DocumentId, NameError};
use crate::session::{
    self, Connection, DocumentSocket, Guard, HocuspocusSocket, OpenError, Socket,
};
use crate::wire::Dialect;

/// In front of the document's name in a y-websocket path.
const SYNC_PREFIX: &str = "/sync/";

/// Why there is no socket. The texts are for people.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this is a WebSocket address; connect to it with a Yjs provider")]
    NotAnUpgrade,
    #[error("{0}")]
    Problem(#[from] Problem),
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    #[error("the server is stopping; please try again")]
    Stopping,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the upgrade request is not valid: {0}")]
    Handshake(actix_web::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotAnUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Problem(problem) => problem.status(),
            Self::Handshake(_) => StatusCode::BAD_REQUEST,
            Self::NoPlace(NoPlace::AddressFull { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Open(e) if e.is_deleted() => StatusCode::NOT_FOUND,
            Self::NoPlace(NoPlace::Full { .. }) | Self::Stopping | Self::Open(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
        let status = self.status();
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_S));
        }
        response.body(format!("{self}\n"))
    }
}

impl From<NameError> for Refusal {
    fn from(e: NameError) -> Self {
        Self::Problem(e.into())
    }
}

impl From<LoginError> for Refusal {
    fn from(e: LoginError) -> Self {
        Self::Problem(e.into())
    }
}

/// `GET /sync/{document}`: one document, y-websocket.
pub(super) async fn y_websocket(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
) -> HttpResponse {
    let document = document_in(request.uri().path()).map_err(Refusal::from);
    let socket = open_document(&request, payload, &site, document, Dialect::YWebsocket).await;
    answer(&site, socket)
}

/// `GET /d/{id}/ws/{id}`: one document, y-sweet.
pub(super) async fn y_sweet(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    ids: web::Path<(String, String)>,
) -> HttpResponse {
    let (id, same_id) = ids.into_inner();
    let document = match id == same_id {
        true => super::y_sweet::parse(&id).map_err(Refusal::from),
        false => Err(Problem::bad("the two document ids in the path are not the same").into()),
    };
    answer(&site, open_document(&request, payload, &site, document, Dialect::YSweet).await)
}

/// `GET /doc/ws/{id}`: as before, at its deprecated address.
pub(super) async fn y_sweet_deprecated(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
    id: web::Path<String>,
) -> HttpResponse {
    let document = super::y_sweet::parse(&id).map_err(Refusal::from);
    answer(&site, open_document(&request, payload, &site, document, Dialect::YSweet).await)
}

/// `GET /collab`: many documents, Hocuspocus.
pub(super) async fn hocuspocus(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
) -> HttpResponse {
    answer(&site, open_hocuspocus(request, payload, &site).await)
}

async fn open_document(
    request: &HttpRequest,
    payload: web::Payload,
    site: &Site,
    document: Result<DocumentId, Refusal>,
    dialect: Dialect,
) -> Result<HttpResponse, Refusal> {
    let place = enter(request, site)?;
    let document = document?;
    let services = &site.services;
    let login = caller::let_in(request, site, document).await?;
    let connection = services.next_connection();
    let outbox = Arc::new(Outbox::new(services.config.limits.outbox_bytes_max));
    let (services, written) = (services.clone(), outbox.clone());
    let socket = DocumentSocket::open(services, connection, login, written, dialect).await?;
    upgrade(request, payload, site, Opened { place, connection, outbox, socket }).await
}

async fn open_hocuspocus(
    request: HttpRequest,
    payload: web::Payload,
    site: &Site,
) -> Result<HttpResponse, Refusal> {
    let place = enter(&request, site)?;
    let from = site.proxies.origin_of(&request);
    let services = &site.services;
    services.access.knock(from)?;
    let connection = services.next_connection();
    let outbox = Arc::new(Outbox::new(services.config.limits.outbox_bytes_max));
    let shown = caller::credentials(&request, site);
    let (services, written) = (services.clone(), outbox.clone());
    let socket = HocuspocusSocket::new(services, connection, written, from, shown.proxied);
    upgrade(&request, payload, site, Opened { place, connection, outbox, socket }).await
}

/// What a socket needs before it is one.
struct Opened<S> {
    place: Place,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    socket: S,
}

/// The checks that do not look at the document.
fn enter(request: &HttpRequest, site: &Site) -> Result<Place, Refusal> {
    if !request.headers().contains_key("sec-websocket-key") {
        return Err(Refusal::NotAnUpgrade);
    }
    caller::check_origin(request, site)?;
    if *site.services.stopping.borrow() {
        return Err(Refusal::Stopping);
    }
    Ok(site.doors.enter(site.proxies.origin_of(request))?)
}

async fn upgrade<S: Socket + 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    site: &Site,
    opened: Opened<S>,
) -> Result<HttpResponse, Refusal> {
    let protocols: Vec<&str> = caller::chosen_protocol(request).into_iter().collect();
    let bytes_max = site.services.config.limits.frame_bytes_max;
    let budget = site.services.frames.clone();
    let (guard, passage) = Guard::new(payload.into_inner(), bytes_max, budget);
    let mut guarded: dev::Payload = dev::Payload::Stream { payload: Box::pin(guard) };
    let payload = web::Payload::from_request(request, &mut guarded).await;
    let payload = payload.map_err(Refusal::Handshake)?;
    let (response, socket, stream) = actix_ws::handle_with_protocols(request, payload, &protocols)
        .map_err(Refusal::Handshake)?;
    let stream =
        stream.max_frame_size(bytes_max).aggregate_continuations().max_continuation_size(bytes_max);
    let Opened { place, connection: id, outbox, socket: dialect } = opened;
    // Where everybody is let in, the first frame may be the login and large.
    if dialect.login_deadline().is_some() && !site.services.access.lets_anybody_in() {
        passage.hold_large(site.services.config.limits.unauthenticated_bytes_max);
    }
    let services = site.services.clone();
    debug!(connection.id = id.0, "socket is open");
    let connection = Connection { id, outbox, socket, stream, passage };
    actix_web::rt::spawn(async move {
        session::run(services, connection, dialect).await;
        drop(place);
    });
    Ok(response)
}

fn answer(site: &Site, result: Result<HttpResponse, Refusal>) -> HttpResponse {
    result.unwrap_or_else(|refusal| {
        site.services.metrics.refused.inc();
        debug!(reason = %refusal, "upgrade refused");
        refusal.response()
    })
}

/// Everything behind the prefix, percent-decoded once; slashes are part of the name.
fn document_in(path: &str) -> Result<DocumentId, NameError> {
    let name = path.strip_prefix(SYNC_PREFIX).unwrap_or_default();
    decoded(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_everything_behind_the_prefix_decoded_once() {
        let name = |path| document_in(path).map(|id| id.as_str().to_owned());
        assert_eq!(name("/sync/a/b%20c"), Ok("a/b c".to_owned()));
        assert_eq!(name("/sync/%252F"), Ok("%2F".to_owned()));
        assert_eq!(name("/sync/../x"), Ok("../x".to_owned()));
        assert_eq!(name("/sync/%ff"), Err(NameError::NotUtf8));
        assert_eq!(name("/sync/%00"), Err(NameError::Nul));
        assert_eq!(name("/sync/"), Err(NameError::Blank));
        assert_eq!(name("/sync/%20"), Err(NameError::Blank));
    }
}
