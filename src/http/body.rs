//! Bodies of requests: read only when it is known who sends them, bounded in bytes and in time.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Site;
use super::problem::Problem;

/// The longest JSON body, in bytes.
const JSON_BYTES_MAX: usize = 64 << 10;

/// A body that may be large, and its share of the memory for such.
pub(super) struct Large {
    /// All of it.
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// A JSON body; none is read as `{}`.
///
/// # Errors
/// It is too long, too slow, or not what is expected.
pub(super) async fn json<T: DeserializeOwned>(
    payload: web::Payload,
    site: &Site,
) -> Result<T, Problem> {
    let within = Duration::from_millis(site.services.config.timing.request_timeout_ms);
    let bytes = gather(payload, JSON_BYTES_MAX, within).await?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(bytes).map_err(|e| Problem::bad(format!("the body cannot be read: {e}")))
}

/// Any body, up to `request_bytes_max`. It waits for room as large frames do.
///
/// # Errors
/// It is too long or too slow.
pub(super) async fn large(
    request: &HttpRequest,
    payload: web::Payload,
    site: &Site,
) -> Result<Large, Problem> {
    let config = &site.services.config;
    let within = Duration::from_millis(config.timing.frame_timeout_ms);
    let max = config.limits.request_bytes_max;
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    // Who does not say may send as much as is allowed.
    let declared = declared.and_then(|text| text.parse().ok()).unwrap_or(max);
    if declared > max {
        return Err(too_long(max));
    }
    let room = match declared > JSON_BYTES_MAX {
        true => {
            let room = timeout(within, site.services.frames.clone().take(declared as u64)).await;
            room.map_err(|_| too_slow())?
        }
        false => None,
    };
    Ok(Large { bytes: gather(payload, max, within).await?, _room: room })
}

async fn gather(mut payload: web::Payload, max: usize, within: Duration) -> Result<Bytes, Problem> {
    let gathering = async {
        let mut body = BytesMut::new();
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|e| Problem::bad(format!("the body is cut: {e}")))?;
            if body.len() + piece.len() > max {
                return Err(too_long(max));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    };
    timeout(within, gathering).await.map_err(|_| too_slow())?
}

fn too_long(max: usize) -> Problem {
    let why = format!("the body is over the limit of {max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
}
