//! Addresses: the server's own, as whoever asks sees it, and the names in its paths.

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

use percent_encoding::percent_decode_str;

use super::Site;
use crate::id::{DocumentId, NameError};

/// `scheme://host`, without a slash at the end; `scheme` is `http` or `ws`, and becomes `https` or
/// `wss` where that is how people reach the server.
pub(super) fn base_url(request: &HttpRequest, site: &Site, scheme: &str) -> String {
    let public = site.services.config.public_url.trim_end_matches('/');
    // `http://x` and `https://x` become `ws://x` and `wss://x`.
    if let Some(rest) = public.strip_prefix("http") {
        return format!("{scheme}{rest}");
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let forwarded = header("x-forwarded-proto").filter(|_| site.proxies.handed_on(request));
    let secure = if forwarded == Some("https") { "s" } else { "" };
    let host = header(HOST.as_str()).unwrap_or("localhost");
    format!("{scheme}{secure}://{host}")
}

/// The document that a piece of a path names, percent-decoded once.
pub(super) fn decoded(name: &str) -> Result<DocumentId, NameError> {
    let name = percent_decode_str(name).decode_utf8().map_err(|_| NameError::NotUtf8)?;
    DocumentId::parse(&name)
}
