//! From an HTTP request to a socket: origin, name, level, place; then the upgrade.
//!
//! What can be refused is refused here, with a status: stock clients back off from a refused
//! upgrade, and hurry back to a socket that was accepted and closed.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use percent_encoding::percent_decode_str;
use tracing::debug;

use super::Site;
use super::limits::{NoPlace, Place};
use crate::access::Level;
use crate::fanout::Outbox;
use crate::id::{ConnectionId, DocumentId, NameError};
use crate::session::{
    self, Connection, Guard, HocuspocusSocket, OpenError, Socket, YWebsocketSocket,
};

/// In front of the document's name in a y-websocket path.
const SYNC_PREFIX: &str = "/sync/";

/// Seconds after which a client that was refused for lack of room may try again.
const RETRY_AFTER_S: u32 = 5;

/// Why there is no socket. The texts are for people.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this is a WebSocket address; connect to it with a Yjs provider")]
    NotAnUpgrade,
    #[error("pages of {0} may not connect here; the operator can allow them (allowed_origins)")]
    Origin(String),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("a login is needed")]
    Forbidden,
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
            Self::Origin(_) | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Name(_) | Self::Handshake(_) => StatusCode::BAD_REQUEST,
            Self::NoPlace(NoPlace::AddressFull { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoPlace(NoPlace::Full { .. }) | Self::Stopping | Self::Open(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_S));
        }
        response.body(format!("{self}\n"))
    }
}

/// `GET /sync/{document}`: one document, y-websocket.
pub(super) async fn y_websocket(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
) -> HttpResponse {
    answer(&site, open_y_websocket(request, payload, &site).await)
}

/// `GET /collab`: many documents, Hocuspocus.
pub(super) async fn hocuspocus(
    request: HttpRequest,
    payload: web::Payload,
    site: web::Data<Site>,
) -> HttpResponse {
    answer(&site, open_hocuspocus(request, payload, &site).await)
}

async fn open_y_websocket(
    request: HttpRequest,
    payload: web::Payload,
    site: &Site,
) -> Result<HttpResponse, Refusal> {
    let place = enter(&request, site)?;
    let document = document_in(request.uri().path())?;
    let services = &site.services;
    let level = services.access.anonymous_level(&document);
    if level == Level::None {
        return Err(Refusal::Forbidden);
    }
    let connection = services.next_connection();
    let outbox = Arc::new(Outbox::new(services.config.limits.outbox_bytes_max));
    let socket = YWebsocketSocket::open(services, connection, &document, level, &outbox).await?;
    upgrade(&request, payload, site, Opened { place, connection, outbox, socket }).await
}

async fn open_hocuspocus(
    request: HttpRequest,
    payload: web::Payload,
    site: &Site,
) -> Result<HttpResponse, Refusal> {
    let place = enter(&request, site)?;
    let services = &site.services;
    let connection = services.next_connection();
    let outbox = Arc::new(Outbox::new(services.config.limits.outbox_bytes_max));
    let socket = HocuspocusSocket::new(services.clone(), connection, outbox.clone());
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
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if !request.headers().contains_key("sec-websocket-key") {
        return Err(Refusal::NotAnUpgrade);
    }
    if let Some(origin) = header(ORIGIN)
        && !site.origins.allows(origin, header(HOST).unwrap_or_default())
    {
        return Err(Refusal::Origin(origin.escape_debug().to_string()));
    }
    if *site.services.stopping.borrow() {
        return Err(Refusal::Stopping);
    }
    Ok(site.doors.enter(request.peer_addr().map(|address| address.ip()))?)
}

async fn upgrade<S: Socket + 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    site: &Site,
    opened: Opened<S>,
) -> Result<HttpResponse, Refusal> {
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Browsers fail a connection whose offered subprotocols are all ignored.
    let first: Vec<&str> = offered.split(',').map(str::trim).take(1).collect();
    let bytes_max = site.services.config.limits.frame_bytes_max;
    let budget = site.services.frames.clone();
    let (guard, passage) = Guard::new(payload.into_inner(), bytes_max, budget);
    let mut guarded: dev::Payload = dev::Payload::Stream { payload: Box::pin(guard) };
    let payload = web::Payload::from_request(request, &mut guarded).await;
    let payload = payload.map_err(Refusal::Handshake)?;
    let (response, socket, stream) =
        actix_ws::handle_with_protocols(request, payload, &first).map_err(Refusal::Handshake)?;
    let stream =
        stream.max_frame_size(bytes_max).aggregate_continuations().max_continuation_size(bytes_max);
    let Opened { place, connection: id, outbox, socket: dialect } = opened;
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
    let name = percent_decode_str(name).decode_utf8().map_err(|_| NameError::NotUtf8)?;
    DocumentId::parse(&name)
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
