//! Whether the server lives, whether it can serve, and what it has counted.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use super::Site;
use super::caller::check_origin;
use super::problem::Problem;

/// The process answers.
pub(super) async fn alive() -> HttpResponse {
    text("ok\n")
}

/// The database answers and the server is not ending; else 503.
pub(super) async fn ready(site: web::Data<Site>) -> HttpResponse {
    if *site.services.stopping.borrow() {
        return unavailable("the server is stopping\n");
    }
    match site.store.check().await {
        Ok(()) => text("ok\n"),
        Err(e) => unavailable(&format!("{e}\n")),
    }
}

/// Counters, in the text format of Prometheus.
pub(super) async fn metrics(
    request: HttpRequest,
    site: web::Data<Site>,
) -> Result<HttpResponse, Problem> {
    check_origin(&request, &site)?;
    let text = site.services.metrics.render(site.store.stats());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text))
}

fn text(body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}

fn unavailable(why: &str) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(why.to_owned())
}
