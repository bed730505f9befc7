//! What goes wrong, as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use tracing::debug;

use crate::access::LoginError;
use crate::document::purge::PurgeError;
use crate::id::NameError;
use crate::level::Level;
use crate::session::{ExchangeError, OpenError};
use crate::store::{AppendError, LoadError};

/// Seconds after which a caller that was refused for lack of room may try again.
pub(super) const RETRY_AFTER_S: u32 = 5;

/// Why a request has no result. The text is for people.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
}

/// The body.
#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    /// With a status and a sentence.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// The request is not what is expected.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The page's origin is not allowed.
    pub(super) fn origin(origin: &str) -> Self {
        let origin = origin.escape_debug();
        let detail = format!(
            "pages of {origin} may not connect here; the operator can allow them (allowed_origins)"
        );
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// The caller may do something, but not this.
    pub(super) fn level(needed: Level) -> Self {
        let detail = format!("this needs the level {needed:?}").to_lowercase();
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// There is no such thing.
    pub(super) fn absent(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// The document is not there any more.
    pub(super) fn deleted() -> Self {
        Self::new(StatusCode::NOT_FOUND, "the document has been deleted")
    }

    /// The machine does not do what it should.
    pub(super) fn internal(e: &impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
    }

    /// Not right now.
    pub(super) fn unavailable(e: &impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string())
    }

    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        debug!(status = self.status.as_u16(), reason = self.detail, "request refused");
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        response.insert_header((CACHE_CONTROL, "no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_S));
            }
            _ => {}
        }
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = Body { title, status: self.status.as_u16(), detail: &self.detail };
        response.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

impl From<LoginError> for Problem {
    fn from(e: LoginError) -> Self {
        let status = match &e {
            LoginError::Needed
            | LoginError::Token(_)
            | LoginError::Lapsed(_)
            | LoginError::Link => StatusCode::UNAUTHORIZED,
            LoginError::Forbidden => StatusCode::FORBIDDEN,
            LoginError::TooOften | LoginError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            LoginError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, e.to_string())
    }
}

impl From<NameError> for Problem {
    fn from(e: NameError) -> Self {
        Self::bad(e.to_string())
    }
}

impl From<AppendError> for Problem {
    fn from(e: AppendError) -> Self {
        match e {
            AppendError::Deleted => Self::deleted(),
            AppendError::Refused { why } => Self::new(StatusCode::CONFLICT, why),
            e => Self::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string()),
        }
    }
}

impl From<PurgeError> for Problem {
    fn from(e: PurgeError) -> Self {
        match e {
            PurgeError::Load(e) => e.into(),
            PurgeError::Append(e) => e.into(),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(e: LoadError) -> Self {
        match e {
            LoadError::Deleted => Self::deleted(),
            e => Self::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string()),
        }
    }
}

impl From<OpenError> for Problem {
    fn from(e: OpenError) -> Self {
        if e.is_deleted() { Self::deleted() } else { Self::unavailable(&e) }
    }
}

impl From<ExchangeError> for Problem {
    fn from(e: ExchangeError) -> Self {
        let detail = e.to_string();
        let status = match e {
            ExchangeError::Over(e) => return e.into(),
            ExchangeError::Open(e) => return e.into(),
            ExchangeError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ExchangeError::Incomplete => StatusCode::CONFLICT,
            ExchangeError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, detail)
    }
}
