//! Routes, statuses and headers: the only place that knows HTTP.

mod address;
mod assets;
mod body;
mod branches;
mod caller;
mod documents;
mod health;
mod history;
mod limits;
mod problem;
mod recordings;
mod rescued;
mod server;
mod sharing;
mod turns;
mod upgrade;
mod versions;
mod y_sweet;

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH};
use actix_web::{HttpRequest, guard, web};

use tokio::sync::Semaphore;

use crate::access::OriginRule;
use crate::history::Archive;
use crate::session::Services;
use crate::store::Store;

pub use caller::{Proxies, ProxyError};
pub use limits::{Doors, NoPlace, Place};
pub use server::serve;
pub use turns::Turns;

/// Seconds for which a browser remembers what it may ask from another origin.
const PREFLIGHT_AGE_S: usize = 3600;

/// What the routes share.
#[derive(Clone)]
pub struct Site {
    /// For sockets.
    pub services: Arc<Services>,
    /// For health, figures, and what is stored beside documents.
    pub store: Store,
    /// For what documents were.
    pub archive: Archive,
    /// Recordings of logs on their way.
    pub exports: Arc<Semaphore>,
    /// Edits that the server makes of what it has read.
    pub turns: Turns,
    /// Which pages may connect.
    pub origins: OriginRule,
    /// Which proxies are believed.
    pub proxies: Proxies,
    /// How many sockets are open, from where.
    pub doors: Arc<Doors>,
}

/// Recordings of logs that may be on their way.
pub fn exports() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(recordings::EXPORTS_MAX))
}

/// The addresses of sockets.
fn sockets(config: &mut web::ServiceConfig) {
    config
        .route("/sync/{document:.*}", web::get().to(upgrade::y_websocket))
        .route("/collab", web::get().to(upgrade::hocuspocus))
        .route("/collab/", web::get().to(upgrade::hocuspocus))
        .route("/d/{id}/ws/{same_id}", web::get().to(upgrade::y_sweet))
        .route("/doc/ws/{id}", web::get().to(upgrade::y_sweet_deprecated));
}

/// Every route of the server.
fn routes(site: &Site, config: &mut web::ServiceConfig) {
    config
        // Whoever comes without an upgrade is told that one is needed.
        .configure(sockets)
        .route("/healthz", asked().to(health::alive))
        .route("/readyz", asked().to(health::ready))
        .route("/metrics", asked().to(health::metrics))
        .route("/ready", web::get().to(y_sweet::ready))
        .service(
            web::resource("/check_store")
                .wrap(cors(site))
                .route(web::get().to(y_sweet::check_store))
                .route(web::post().to(y_sweet::check_store)),
        )
        .service(
            web::scope("/doc")
                .wrap(cors(site))
                .route("/new", web::post().to(y_sweet::create))
                .route("/{id}/auth", web::post().to(y_sweet::authorize))
                .route("/{id}/as-update", web::get().to(y_sweet::as_update))
                .route("/{id}/update", web::post().to(y_sweet::update)),
        )
        .service(
            web::scope("/d")
                .wrap(cors(site))
                .route("/{id}/as-update", web::get().to(y_sweet::as_update))
                .route("/{id}/update", web::post().to(y_sweet::update)),
        )
        .service(
            web::scope("/api/v1")
                .wrap(cors(site))
                .route("/documents/{name}", web::delete().to(documents::delete))
                .route("/documents/{name}/undelete", web::post().to(documents::undelete))
                .route("/documents/{name}/purge", web::post().to(documents::purge))
                .route("/documents/{name}/links", web::post().to(sharing::create_link))
                .route("/documents/{name}/links", web::get().to(sharing::list_links))
                .route("/documents/{name}/content", asked().to(history::content))
                .route("/documents/{name}/history", web::get().to(history::timeline))
                .route("/documents/{name}/changes", web::get().to(history::changes))
                .route("/documents/{name}/authors", web::get().to(history::authors))
                .route("/documents/{name}/versions", web::get().to(versions::list))
                .route("/documents/{name}/versions", web::post().to(versions::create))
                .route("/documents/{name}/versions/{id}", web::patch().to(versions::rename))
                .route("/documents/{name}/versions/{id}", web::delete().to(versions::delete))
                .route("/documents/{name}/restore", web::post().to(versions::restore))
                .route("/documents/{name}/revert", web::post().to(versions::revert))
                .route("/documents/{name}/branches", web::get().to(branches::list))
                .route("/documents/{name}/branches/{id}", web::delete().to(branches::delete))
                .route("/documents/{name}/branches/{id}/content", web::get().to(branches::content))
                .route("/documents/{name}/branches/{id}/merge", web::post().to(branches::merge))
                .route("/documents/{name}/rescued", web::get().to(rescued::list))
                .route("/documents/{name}/rescued/{id}", web::delete().to(rescued::dismiss))
                .route("/documents/{name}/rescued/{id}/restore", web::post().to(rescued::restore))
                .route("/documents/{name}/copy", web::post().to(versions::copy))
                .route("/documents/{name}/recording", web::get().to(recordings::stored))
                .route("/documents/{name}/recording/live", web::get().to(recordings::live))
                .route("/links/{id}", web::patch().to(sharing::change_link))
                .route("/links/{id}", web::delete().to(sharing::revoke_link))
                .route("/revocations", web::post().to(sharing::revoke))
                .route("/revocations", web::get().to(sharing::list_revocations))
                .route("/revocations/{id}", web::delete().to(sharing::unrevoke))
                .default_service(web::to(absent)),
        )
        .default_service(web::route().to(assets::serve));
}

/// Does something to its end, also when whoever asked for it has gone: what is in the store must not
/// differ from what is in memory.
async fn whole<T: 'static>(work: impl Future<Output = T> + 'static) -> Result<T, problem::Problem> {
    actix_web::rt::spawn(work).await.map_err(|e| problem::Problem::internal(&e))
}

/// What the query of a request says.
fn query<T: serde::de::DeserializeOwned>(request: &HttpRequest) -> Result<T, problem::Problem> {
    let query = web::Query::<T>::from_query(request.query_string());
    Ok(query.map_err(|e| problem::Problem::bad(e.to_string()))?.into_inner())
}

/// `GET`, or `HEAD` as load balancers ask.
fn asked() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn absent() -> Result<actix_web::HttpResponse, problem::Problem> {
    Err(problem::Problem::absent("address in this API"))
}

/// Pages of allowed origins may ask, with a token of theirs; there are no cookies that would go
/// along. What is not allowed is refused by [`caller::check_origin`].
fn cors(site: &Site) -> Cors {
    let origins = site.origins.clone();
    Cors::default()
        .allowed_origin_fn(move |origin, head| {
            let host = head.headers().get(HOST).and_then(|host| host.to_str().ok());
            origin.to_str().is_ok_and(|origin| origins.allows(origin, host.unwrap_or_default()))
        })
        .allowed_methods(["GET", "POST", "PATCH", "DELETE"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH])
        .expose_headers([ETAG, history::SEQ])
        .max_age(PREFLIGHT_AGE_S)
}
