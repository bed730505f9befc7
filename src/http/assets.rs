//! The web app, out of the binary.
//!
//! Files are embedded as the web build left them, each text file with a `.br` and a `.gz` beside it
//! that were compressed at build time. Hashed names never change and are cached for ever; pages are
//! asked for anew and answered 304. Everything is under a policy that lets the page talk to this
//! server and to nobody else.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use rust_embed::RustEmbed;

/// The page; it looks at the path itself.
const INDEX: &str = "index.html";

/// Where the build puts files whose names hold a hash of their content.
const HASHED_PREFIX: &str = "assets/";

/// In front of a document's name in the path of its page.
const NOTE_PREFIX: &str = "/n/";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// On every answer.
const SAFETY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
];

#[derive(RustEmbed)]
#[folder = "$WEB_DIST"]
struct Web;

/// Answers what no other route does: a file, the page, or the page as "not found".
pub(super) async fn serve(request: HttpRequest) -> HttpResponse {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, "GET, HEAD"))
            .finish();
    }
    let path = request.path();
    let file = path.trim_start_matches('/');
    if !is_page(path) && !is_twin(file) && Web::get(file).is_some() {
        return respond(&request, file, StatusCode::OK);
    }
    let status = if is_page(path) { StatusCode::OK } else { StatusCode::NOT_FOUND };
    respond(&request, INDEX, status)
}

fn is_page(path: &str) -> bool {
    path == "/" || path.len() > NOTE_PREFIX.len() && path.starts_with(NOTE_PREFIX)
}

/// The compressed copies are not files of their own.
fn is_twin(file: &str) -> bool {
    file.ends_with(".br") || file.ends_with(".gz")
}

fn respond(request: &HttpRequest, file: &str, status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    for header in SAFETY_HEADERS {
        response.insert_header(header);
    }
    let caching = if file.starts_with(HASHED_PREFIX) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response.insert_header((header::CACHE_CONTROL, caching));
    response.insert_header((header::VARY, "Accept-Encoding"));
    let Some((coding, embedded)) = best_copy(request.headers(), file) else {
        response.status(StatusCode::NOT_FOUND);
        return response.body("the web app is not part of this build\n");
    };
    let etag = etag(coding, &embedded.metadata.sha256_hash());
    response.insert_header((header::ETAG, etag.clone()));
    if status == StatusCode::OK && is_cached(request.headers(), &etag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    if let Some(coding) = coding {
        response.insert_header((header::CONTENT_ENCODING, coding));
    }
    response.insert_header((header::CONTENT_TYPE, content_type(file)));
    body(&mut response, embedded.data)
}

fn body(response: &mut HttpResponseBuilder, data: Cow<'static, [u8]>) -> HttpResponse {
    match data {
        Cow::Borrowed(data) => response.body(data),
        Cow::Owned(data) => response.body(data),
    }
}

/// The smallest copy that the client can read.
fn best_copy(
    headers: &HeaderMap,
    file: &str,
) -> Option<(Option<&'static str>, rust_embed::EmbeddedFile)> {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (coding, ending) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(accepted, coding)
            && let Some(copy) = Web::get(&format!("{file}{ending}"))
        {
            return Some((Some(coding), copy));
        }
    }
    Web::get(file).map(|copy| (None, copy))
}

/// Whether an `Accept-Encoding` names a coding without forbidding it.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|part| {
        let (name, quality) = part.split_once(';').unwrap_or((part, ""));
        let zero = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(coding) && !zero
    })
}

fn etag(coding: Option<&str>, hash: &[u8; 32]) -> String {
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}-{}\"", coding.unwrap_or("plain"))
}

fn is_cached(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
    })
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_read_as_browsers_write_them() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("gzip;q=0.5", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("", "gzip"));
        assert!(!accepts("brotli", "br"));
    }

    #[test]
    fn pages_are_the_home_and_the_notes() {
        for (path, page) in [("/", true), ("/n/a/b", true), ("/n/", false), ("/nope", false)] {
            assert_eq!(is_page(path), page, "{path}");
        }
    }
}
