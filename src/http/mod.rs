//! Routes, statuses and headers: the only place that knows HTTP.

mod assets;
mod health;
mod limits;
mod upgrade;

use std::sync::Arc;

use actix_web::web;

use crate::access::OriginRule;
use crate::session::Services;
use crate::store::Store;

pub use limits::{Doors, NoPlace, Place};

/// What the routes share.
#[derive(Clone)]
pub struct Site {
    /// For sockets.
    pub services: Arc<Services>,
    /// For health and figures.
    pub store: Store,
    /// Which pages may open a socket.
    pub origins: OriginRule,
    /// How many sockets are open, from where.
    pub doors: Arc<Doors>,
}

/// Every route of the server.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", web::get().to(health::alive))
        .route("/readyz", web::get().to(health::ready))
        .route("/metrics", web::get().to(health::metrics))
        .route("/sync/{document:.*}", web::get().to(upgrade::y_websocket))
        .route("/collab", web::get().to(upgrade::hocuspocus))
        .default_service(web::route().to(assets::serve));
}
