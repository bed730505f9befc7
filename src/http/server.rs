//! Listens: requests go to the routes, and requests that want to be sockets leave HTTP.
//!
//! A socket is not a response without an end: the connection is taken out of HTTP with its buffers
//! given back, so that thousands of idle sockets cost what they need themselves.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_codec::{Framed, FramedParts};
use actix_http::body::{BoxBody, MessageBody, to_bytes};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, HttpMessage, HttpService, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, map_config};
use actix_web::body::BodySize;
use actix_web::dev::{AppConfig, Server, ServiceResponse, fn_factory, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use bytes::Bytes;
use tracing::debug;

use super::upgrade::{self, Upgrade};
use super::{Site, routes, sockets};
use crate::session;

/// How long a connection that is over may take to end.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a site on a listener, on as many threads as there are cores. The head of a request must
/// come within `request_timeout`.
///
/// # Errors
/// The listener cannot be used.
pub fn serve(
    listener: TcpListener,
    site: Site,
    request_timeout: Duration,
) -> std::io::Result<Server> {
    let server = Server::build().listen("http", listener, move || {
        let (site, upgrading) = (site.clone(), site.clone());
        let app = App::new().app_data(web::Data::new(site.clone()));
        let app = app.configure(|config| routes(&site, config));
        let upgrades = fn_factory(move || {
            let app = App::new().app_data(web::Data::new(upgrading.clone()));
            let app = app.configure(sockets).default_service(web::to(upgrade::nowhere));
            let app = app.into_factory().new_service(AppConfig::default());
            async move {
                let app = Rc::new(app.await?);
                Ok::<_, ()>(fn_service(move |(request, framed)| {
                    upgrade(app.clone(), request, framed)
                }))
            }
        });
        HttpService::build()
            .client_request_timeout(request_timeout)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .upgrade(upgrades)
            .finish(map_config(app, |()| AppConfig::default()))
            .tcp()
    })?;
    Ok(server.disable_signals().shutdown_timeout(1).run())
}

/// Asks the routes whether a request may become a socket, and hands it over or says why not.
async fn upgrade<S>(
    app: Rc<S>,
    request: Request,
    mut framed: Framed<TcpStream, Codec>,
) -> Result<(), Infallible>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    let upgrade = Upgrade::default();
    request.extensions_mut().insert(upgrade.clone());
    let response = match app.call(request).await {
        Ok(response) => response.into_parts().1,
        Err(e) => e.error_response(),
    };
    let (head, body) = response.into_parts();
    let mut head = Response::from(head);
    let take_over = upgrade.take();
    let size = if take_over.is_some() { BodySize::None } else { body.size() };
    if take_over.is_none() {
        head.head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Err(e) = Pin::new(&mut framed).write(Message::Item((head, size))) {
        debug!(reason = %e, "upgrade could not be answered");
        return Ok(());
    }
    // What is in the buffers is copied: they are large.
    let FramedParts { io, read_buf, write_buf, .. } = framed.into_parts();
    if let Some(take_over) = take_over {
        take_over(io, Bytes::copy_from_slice(&write_buf), Bytes::copy_from_slice(&read_buf));
    } else {
        let body = to_bytes(body).await.unwrap_or_default();
        session::refuse(io, &[write_buf.as_ref(), body.as_ref()].concat()).await;
    }
    Ok(())
}
