//! From an HTTP request to a socket: origin, name, level, place; then the upgrade.
//!
//! What can be refused is refused here, with a status: stock clients back off from a refused
//! upgrade, and hurry back to a socket that was accepted and closed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::rt::net::TcpStream;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev, web};
use bytes::Bytes;
use tracing::debug;

use super::address::decoded;
use super::limits::{NoPlace, Place};
use super::problem::{Problem, RETRY_AFTER_S};
use super::{Site, caller};
use crate::access::LoginError;
use crate::fanout::Outbox;
use crate::id::{ConnectionId, DocumentId, NameError};
use crate::session::{self, Connection, DocumentSocket, HocuspocusSocket, OpenError, Socket};
use crate::wire::Dialect;

/// In front of the document's name in a y-websocket path.
const SYNC_PREFIX: &str = "/sync/";

/// Why there is no socket. The texts are for people.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this is a WebSocket address; connect to it with a Yjs provider")]
    NotAnUpgrade,
    #[error("this is no WebSocket address")]
    Nowhere,
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
            Self::Nowhere => StatusCode::NOT_FOUND,
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

/// Takes over a socket that has left HTTP: with the answer that is still to be written, and what was
/// read together with the request.
type TakeOver = Box<dyn FnOnce(TcpStream, Bytes, Bytes)>;

/// Goes along with a request that can become a socket. Where it was let in, who takes it over is
/// left here.
#[derive(Clone, Default)]
pub(super) struct Upgrade(Rc<RefCell<Option<TakeOver>>>);

impl Upgrade {
    /// Who takes the socket over; nobody where it was not let in.
    pub(super) fn take(&self) -> Option<TakeOver> {
        self.0.take()
    }
}

/// `GET /sync/{document}`: one document, y-websocket.
pub(super) async fn y_websocket(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let document = document_in(request.uri().path()).map_err(Refusal::from);
    let socket = open_document(&request, &site, document, Dialect::YWebsocket).await;
    answer(&site, socket)
}

/// `GET /d/{id}/ws/{id}`: one document, y-sweet.
pub(super) async fn y_sweet(
    request: HttpRequest,
    site: web::Data<Site>,
    ids: web::Path<(String, String)>,
) -> HttpResponse {
    let (id, same_id) = ids.into_inner();
    let document = match id == same_id {
        true => super::y_sweet::parse(&id).map_err(Refusal::from),
        false => Err(Problem::bad("the two document ids in the path are not the same").into()),
    };
    answer(&site, open_document(&request, &site, document, Dialect::YSweet).await)
}

/// `GET /doc/ws/{id}`: as before, at its deprecated address.
pub(super) async fn y_sweet_deprecated(
    request: HttpRequest,
    site: web::Data<Site>,
    id: web::Path<String>,
) -> HttpResponse {
    let document = super::y_sweet::parse(&id).map_err(Refusal::from);
    answer(&site, open_document(&request, &site, document, Dialect::YSweet).await)
}

/// `GET /collab`: many documents, Hocuspocus.
pub(super) async fn hocuspocus(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    answer(&site, open_hocuspocus(&request, &site).await)
}

async fn open_document(
    request: &HttpRequest,
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
    upgrade(request, site, Opened { place, connection, outbox, socket })
}

async fn open_hocuspocus(request: &HttpRequest, site: &Site) -> Result<HttpResponse, Refusal> {
    let place = enter(request, site)?;
    let from = site.proxies.origin_of(request);
    let services = &site.services;
    services.access.knock(from)?;
    let connection = services.next_connection();
    let outbox = Arc::new(Outbox::new(services.config.limits.outbox_bytes_max));
    let shown = caller::credentials(request, site);
    let (services, written) = (services.clone(), outbox.clone());
    let socket = HocuspocusSocket::new(services, connection, written, from, shown.proxied);
    upgrade(request, site, Opened { place, connection, outbox, socket })
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
    let can_upgrade = request.extensions().contains::<Upgrade>();
    if !can_upgrade || !request.headers().contains_key("sec-websocket-key") {
        return Err(Refusal::NotAnUpgrade);
    }
    caller::check_origin(request, site)?;
    if *site.services.stopping.borrow() {
        return Err(Refusal::Stopping);
    }
    Ok(site.doors.enter(site.proxies.origin_of(request))?)
}

fn upgrade<S: Socket + 'static>(
    request: &HttpRequest,
    site: &Site,
    opened: Opened<S>,
) -> Result<HttpResponse, Refusal> {
    // The stream of messages that comes with the answer would keep the socket inside HTTP.
    let nothing = web::Payload::from_request(request, &mut dev::Payload::None).into_inner();
    let protocols = caller::chosen_protocol(request);
    let shaken = nothing.and_then(|nothing| {
        actix_ws::handle_with_protocols(request, nothing, protocols.as_slice())
    });
    let (response, ..) = shaken.map_err(Refusal::Handshake)?;
    let Opened { place, connection: id, outbox, socket: dialect } = opened;
    let services = site.services.clone();
    let take_over: TakeOver = Box::new(move |socket, answer, early| {
        debug!(connection.id = id.0, "socket is open");
        let connection = Connection { id, outbox, socket, answer, early };
        actix_web::rt::spawn(session::serve(services, connection, dialect, place));
    });
    let upgrade = request.extensions().get::<Upgrade>().cloned().ok_or(Refusal::NotAnUpgrade)?;
    upgrade.0.replace(Some(take_over));
    Ok(response.set_body(BoxBody::new(())))
}

/// What is no address of a socket.
pub(super) async fn nowhere(site: web::Data<Site>) -> HttpResponse {
    answer(&site, Err(Refusal::Nowhere))
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
