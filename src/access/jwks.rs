//! A set of public keys that somebody else keeps (JSON Web Key Set), read again and again.
//!
//! When reading fails, the keys that are there stay for a day. Takes public keys only: a secret in a
//! set (`oct`) would be known to everybody who can read the set.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use awc::http::Uri;
use awc::{Client, Connector};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};

use crate::access::Keys;
use crate::access::keys::Key;
use crate::clock::Clock;
use crate::config::Auth;
use crate::tls;

/// Keys in a set. Over it: the set is not taken.
const KEYS_MAX: usize = 100;

/// Bytes of a set. Over it: it is not taken.
const SET_BYTES_MAX: usize = 256 << 10;

/// The answer must be complete by then.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// A token with an unknown key has the set read again at most this often.
const WANTED_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// Keys that could not be read again for this long are no longer accepted.
const STALE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Who brings a token with a new key waits this long for the set.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// Why a set cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The setting is neither address nor file name.
    #[error("{0:?} must be an https address, an http address of this machine, or a file")]
    Source(String),
    /// The address holds a user and a password, which would end up in logs.
    #[error("the address must not hold a login")]
    Login,
    /// The file is not there, or may not be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// No answer, or not in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// An answer that is not 200. A redirection is not followed: it could lead anywhere.
    #[error("the answer has status {0}")]
    Status(u16),
    /// Longer than 256 KiB.
    #[error("the set is over the limit of {max} bytes", max = SET_BYTES_MAX)]
    TooLong,
    /// Not `{"keys": [...]}`.
    #[error("it is no JSON Web Key Set")]
    NotASet,
    /// More than a hundred keys.
    #[error("the set has {got} keys, and the limit is {max}", max = KEYS_MAX)]
    TooMany {
        /// Keys in the set.
        got: usize,
    },
}

/// A set and where it comes from.
pub(super) struct Jwks {
    source: Source,
    refresh: Duration,
    /// Sent anew after each attempt to read the set, also after one that failed.
    keys: watch::Sender<Arc<[Key]>>,
    wanted: Notify,
}

enum Source {
    Url { uri: Uri, tls: Arc<rustls::ClientConfig> },
    File(PathBuf),
}

/// Learns about the next attempt to read the set.
pub(super) struct Changes(watch::Receiver<Arc<[Key]>>);

impl Changes {
    /// Waits for the next attempt, at most [`WAIT_MAX`].
    pub(super) async fn next(mut self) {
        // Either way the caller looks at the set as it is now.
        let _ = timeout(WAIT_MAX, self.0.changed()).await;
    }
}

impl Jwks {
    /// Takes the settings; reads the set at once where it is a file.
    pub(super) fn open(auth: &Auth) -> Result<Self, JwksError> {
        let source = Source::parse(&auth.jwks)?;
        let keys = match &source {
            Source::Url { .. } => Set::default(),
            Source::File(path) => Set::parse(&read_file(path)?)?,
        };
        Ok(Self {
            source,
            refresh: Duration::from_secs(auth.jwks_refresh_s),
            keys: watch::Sender::new(keys.keys.into()),
            wanted: Notify::new(),
        })
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Arc<[Key]> {
        self.keys.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> Changes {
        Changes(self.keys.subscribe())
    }

    pub(super) fn want_refresh(&self) {
        self.wanted.notify_one();
    }
}

/// Keeps the key set fresh as long as it is polled; without one it has nothing to do and ends.
/// Runs on an actix system; whoever spawns it stops it.
pub async fn keep_fresh(keys: Arc<Keys>) {
    let Some(jwks) = &keys.jwks else { return };
    let clock = Clock::new();
    let mut read_at = Duration::ZERO;
    let mut skipped = 0;
    loop {
        let started_at = clock.now();
        match jwks.source.read().await {
            Ok(set) => {
                read_at = clock.now();
                // Said once, and again only when the set changes.
                if set.skipped > 0 && set.skipped != skipped {
                    info!(
                        keys.taken = set.keys.len(),
                        keys.skipped = set.skipped,
                        "the key set holds keys that are not for tokens here"
                    );
                }
                skipped = set.skipped;
                jwks.keys.send_replace(set.keys.into());
            }
            Err(e) if clock.now() - read_at > STALE_AFTER => {
                error!(error = %e, "the key set could not be read for a day; its keys are dropped");
                jwks.keys.send_replace(Arc::default());
            }
            Err(e) => {
                warn!(error = %e, "the key set could not be read; the keys that are there stay");
                jwks.keys.send_modify(|_| {});
            }
        }
        tokio::select! {
            () = sleep_until(clock.instant(started_at + jwks.refresh)) => {}
            () = jwks.wanted.notified() => {
                sleep_until(clock.instant(started_at + WANTED_INTERVAL_MIN)).await;
            }
        }
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, JwksError> {
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let wrong = || JwksError::Source(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(JwksError::Login);
        }
        let host = uri.host().unwrap_or_default();
        let may_be_read = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(host),
            _ => false,
        };
        if host.is_empty() || !may_be_read {
            return Err(wrong());
        }
        Ok(Self::Url { uri, tls: tls::client() })
    }

    async fn read(&self) -> Result<Set, JwksError> {
        match self {
            Self::Url { uri, tls } => {
                let fetched = timeout(FETCH_TIMEOUT, fetch(uri, tls.clone())).await;
                let late = || JwksError::Unreachable("it took over 5 seconds".to_owned());
                Set::parse(&fetched.map_err(|_| late())??)
            }
            Self::File(path) => Set::parse(&read_file(path)?),
        }
    }
}

async fn fetch(uri: &Uri, tls: Arc<rustls::ClientConfig>) -> Result<Vec<u8>, JwksError> {
    let client = Client::builder()
        .connector(Connector::new().rustls_0_23(tls))
        .disable_redirects()
        .timeout(FETCH_TIMEOUT)
        .finish();
    let mut response = client
        .get(uri.clone())
        .insert_header(("accept", "application/json"))
        .send()
        .await
        .map_err(|e| JwksError::Unreachable(e.to_string()))?;
    if response.status() != awc::http::StatusCode::OK {
        return Err(JwksError::Status(response.status().as_u16()));
    }
    match response.body().limit(SET_BYTES_MAX).await {
        Ok(body) => Ok(body.to_vec()),
        Err(awc::error::PayloadError::Overflow) => Err(JwksError::TooLong),
        Err(e) => Err(JwksError::Unreachable(e.to_string())),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, JwksError> {
    let mut set = Vec::new();
    let one_too_many = SET_BYTES_MAX as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(one_too_many).read_to_end(&mut set))
        .map_err(|error| JwksError::File { path: path.to_owned(), error })?;
    if set.len() > SET_BYTES_MAX { Err(JwksError::TooLong) } else { Ok(set) }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The usable keys of a set.
#[derive(Default)]
struct Set {
    keys: Vec<Key>,
    skipped: usize,
}

/// One key as it stands in a set (RFC 7517, RFC 7518 section 6, RFC 8037).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Set {
    /// Takes the keys that can check tokens; the others are counted.
    fn parse(json: &[u8]) -> Result<Self, JwksError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| JwksError::NotASet)?;
        let got = document.keys.len();
        if got > KEYS_MAX {
            return Err(JwksError::TooMany { got });
        }
        let usable = |key| serde_json::from_value::<Jwk>(key).ok()?.key();
        let keys: Vec<Key> = document.keys.into_iter().filter_map(usable).collect();
        let skipped = got - keys.len();
        Ok(Self { keys, skipped })
    }
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                let x = coordinate(&self.x)?;
                Key::ed25519(&ed25519_dalek::VerifyingKey::from_bytes(&x).ok()?)?
            }
            ("EC", Some("P-256")) => {
                // The first byte says that both coordinates follow (SEC 1, 2.3.3).
                let point = [&[4][..], &coordinate(&self.x)?, &coordinate(&self.y)?].concat();
                Key::p256(&p256::PublicKey::from_sec1_bytes(&point).ok()?)
            }
            ("RSA", _) => {
                let number = |part| Some(rsa::BigUint::from_bytes_be(&bytes(part)?));
                Key::rsa(&rsa::RsaPublicKey::new(number(&self.n)?, number(&self.e)?).ok()?)?
            }
            _ => return None,
        };
        let alg_fits = self.alg.as_deref().is_none_or(|alg| key.is_for(alg));
        alg_fits.then(|| key.with_id(self.kid.as_deref()))
    }
}

fn coordinate(part: &Option<String>) -> Option<[u8; 32]> {
    bytes(part)?.try_into().ok()
}

fn bytes(part: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part.as_deref()?).ok()
}

#[cfg(test)]
mod tests;
