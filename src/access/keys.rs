//! Which keys are trusted, and whether one of them made a token.
//!
//! The key decides the algorithm, never the token: an HMAC secret checks HS256 only, and what was
//! read as a public key is never a secret. Does not fetch anything; `jwks` does.

use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use tracing::warn;

use crate::access::jwks::{Jwks, JwksError};
use crate::access::token::{Claims, Expected, Parts, TokenError, to_json};
use crate::config::Auth;

/// A shorter secret can be guessed from one token.
const SECRET_BYTES_MIN: usize = 16;

/// HS256 is as strong as its secret up to this length.
const SECRET_BYTES_GOOD: usize = 32;

/// Shorter RSA keys are not taken.
const RSA_BITS_MIN: usize = 2048;

/// What keys of a fetched set are for; secrets are not fetched.
const FETCHED_ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::RS256, Algorithm::ES256];

/// Keys that are tried on one token.
const TRIES_MAX: usize = 16;

/// The keys whose tokens are accepted.
///
/// Share it by `Arc`. Everything but a key set from elsewhere ([`crate::access::jwks`]) stays as it
/// was loaded.
pub struct Keys {
    /// From files, in the order of the configuration; secrets before public keys.
    fixed: Vec<Key>,
    signing: Option<EncodingKey>,
    expected: Expected,
    pub(super) jwks: Option<Jwks>,
}

/// Shows no key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// One key with the one algorithm that it is for.
pub(super) struct Key {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    decoding: DecodingKey,
}

/// Why the keys cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there, or may not be read.
    #[error("cannot read the key file {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A secret that could be guessed.
    #[error(
        "the secret in {path} has {got} bytes, and one under {min} can be guessed; make one with: \
         openssl rand -hex 32 > {path}",
        min = SECRET_BYTES_MIN
    )]
    SecretTooShort {
        /// The file.
        path: PathBuf,
        /// Bytes of the secret.
        got: usize,
    },
    /// Not a public key of a known kind.
    #[error("{path} {fault}")]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// More files than keys that are tried on a token.
    #[error("auth.secret_files and auth.public_key_files may name {max} files each", max = TRIES_MAX)]
    TooMany,
    /// The key set's address or file.
    #[error("auth.jwks: {0}")]
    Jwks(JwksError),
}

/// Why a token cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No secret is configured, and public keys cannot sign.
    #[error("there is no secret to sign with")]
    NoSecret,
    /// The token would not be accepted.
    #[error("the token would not be accepted: {0}")]
    Claims(TokenError),
}

impl Keys {
    /// Reads all key files, and the key set where that is a file.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should.
    pub fn load(auth: &Auth) -> Result<Self, KeyError> {
        if auth.secret_files.len().max(auth.public_key_files.len()) > TRIES_MAX {
            return Err(KeyError::TooMany);
        }
        let secrets = auth
            .secret_files
            .iter()
            .map(|path| read_secret(path))
            .collect::<Result<Vec<_>, KeyError>>()?;
        let mut fixed: Vec<Key> = secrets.iter().map(|secret| Key::secret(secret)).collect();
        for path in &auth.public_key_files {
            fixed.push(read_public_key(path)?);
        }
        let set = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(Self {
            fixed,
            signing: secrets.first().map(|secret| EncodingKey::from_secret(secret)),
            expected: Expected { audience: set(&auth.audience), issuer: set(&auth.issuer) },
            jwks: if auth.jwks.is_empty() {
                None
            } else {
                Some(Jwks::open(auth).map_err(KeyError::Jwks)?)
            },
        })
    }

    /// Whether nothing is configured that could make a token acceptable: then everybody is
    /// anonymous. A key set that is only not there yet counts as configured.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.jwks.is_none()
    }

    /// Whether [`Keys::sign`] can make tokens.
    pub fn can_sign(&self) -> bool {
        self.signing.is_some()
    }

    /// Checks a token: signature, claims, audience, issuer and, at the moment `now_s`, times.
    ///
    /// A token whose header names an unknown key has the key set read again soon; see
    /// [`Keys::verify_or_refresh`].
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong, for the log.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Claims, TokenError> {
        let parts = Parts::split(token)?;
        let checked = self.check_signature(&parts);
        if checked == Err(TokenError::UnknownKey)
            && let Some(jwks) = &self.jwks
        {
            jwks.want_refresh();
        }
        checked?;
        parts.claims()?.check(&self.expected, now_s)
    }

    /// Like [`Keys::verify`], but where the key set was changed a moment ago it waits until the set
    /// has been read again, at most for some seconds.
    ///
    /// # Errors
    /// As [`Keys::verify`].
    pub async fn verify_or_refresh(&self, token: &str, now_s: u64) -> Result<Claims, TokenError> {
        // Subscribed before the set is looked at, so that a refresh between the two is not missed.
        let changes = self.jwks.as_ref().map(Jwks::subscribe);
        match (self.verify(token, now_s), changes) {
            (Err(TokenError::UnknownKey), Some(changes)) => {
                changes.next().await;
                self.verify(token, now_s)
            }
            (verified, _) => verified,
        }
    }

    /// Makes a token with the first secret (HS256), with the configured audience and issuer in it.
    ///
    /// # Errors
    /// There is no secret, or [`Keys::verify`] would not accept the token at any time.
    pub fn sign(&self, claims: &Claims) -> Result<String, SignError> {
        let key = self.signing.as_ref().ok_or(SignError::NoSecret)?;
        let json = to_json(claims, &self.expected);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &json, key)
            .expect("an HMAC key signs any bytes");
        let now_s = claims.issued_at_s.unwrap_or(0);
        let read = |token| Parts::split(token)?.claims()?.check(&self.expected, now_s);
        match read(&token) {
            Ok(_) | Err(TokenError::Expired) => Ok(token),
            Err(e) => Err(SignError::Claims(e)),
        }
    }

    fn check_signature(&self, parts: &Parts<'_>) -> Result<(), TokenError> {
        let algorithm: Algorithm = parts.header.alg.parse().map_err(|_| TokenError::Algorithm)?;
        let kid = parts.header.kid.as_deref();
        let fetched = self.jwks.as_ref().map(Jwks::keys).unwrap_or_default();
        let kid_is_known = kid.is_none_or(|kid| fetched.iter().any(|key| key.has_id(kid)));
        let mut tried = 0;
        let fits = |key: &&Key| key.algorithm == algorithm && key.may_be_meant_by(kid);
        for key in self.fixed.iter().chain(&*fetched).filter(fits).take(TRIES_MAX) {
            if key.made(parts) {
                return Ok(());
            }
            tried += 1;
        }
        let may_come = self.jwks.is_some() && FETCHED_ALGORITHMS.contains(&algorithm);
        if may_come && (!kid_is_known || (tried == 0 && kid.is_none())) {
            return Err(TokenError::UnknownKey);
        }
        Err(if tried == 0 { TokenError::Algorithm } else { TokenError::Signature })
    }
}

impl Key {
    /// A secret for HS256.
    fn secret(secret: &[u8]) -> Self {
        Self::new(Algorithm::HS256, DecodingKey::from_secret(secret))
    }

    /// An Ed25519 key for EdDSA; nothing for the few keys under which anybody can sign.
    pub(super) fn ed25519(key: &ed25519_dalek::VerifyingKey) -> Option<Self> {
        let decoding = DecodingKey::from_ed_der(key.as_bytes());
        (!key.is_weak()).then(|| Self::new(Algorithm::EdDSA, decoding))
    }

    /// An RSA key for RS256; nothing when it is too short.
    pub(super) fn rsa(key: &rsa::RsaPublicKey) -> Option<Self> {
        let (modulus, exponent) = (key.n().to_bytes_be(), key.e().to_bytes_be());
        let decoding = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
        (key.n().bits() >= RSA_BITS_MIN).then(|| Self::new(Algorithm::RS256, decoding))
    }

    /// A P-256 key for ES256.
    pub(super) fn p256(key: &p256::PublicKey) -> Self {
        let point = key.to_encoded_point(false);
        Self::new(Algorithm::ES256, DecodingKey::from_ec_der(point.as_bytes()))
    }

    fn new(algorithm: Algorithm, decoding: DecodingKey) -> Self {
        Self { algorithm, id: None, decoding }
    }

    /// The same key under the name that its set gives it.
    pub(super) fn with_id(self, id: Option<&str>) -> Self {
        Self { id: id.map(Into::into), ..self }
    }

    /// Whether the key is for the algorithm of this name.
    pub(super) fn is_for(&self, algorithm: &str) -> bool {
        algorithm.parse() == Ok(self.algorithm)
    }

    fn has_id(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    /// A header that names a key means that one; a key without a name can always be meant.
    fn may_be_meant_by(&self, kid: Option<&str>) -> bool {
        self.id.is_none() || kid.is_none_or(|kid| self.has_id(kid))
    }

    fn made(&self, parts: &Parts<'_>) -> bool {
        let message = parts.message.as_bytes();
        // An error here is a signature that cannot be one of this algorithm.
        jsonwebtoken::crypto::verify(parts.signature, message, &self.decoding, self.algorithm)
            .unwrap_or(false)
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, KeyError> {
    let mut secret = read(path)?;
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    if secret.len() < SECRET_BYTES_MIN {
        return Err(KeyError::SecretTooShort { path: path.to_owned(), got: secret.len() });
    }
    if secret.len() < SECRET_BYTES_GOOD {
        warn!(
            path = %path.display(),
            secret.bytes = secret.len(),
            "the secret for tokens is shorter than 32 bytes"
        );
    }
    if is_readable_by_all(path) {
        warn!(path = %path.display(), "everybody on this machine can read the secret for tokens");
    }
    Ok(secret)
}

fn read_public_key(path: &Path) -> Result<Key, KeyError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    public_key(&text).map_err(|fault| KeyError::PublicKey { path: path.to_owned(), fault })
}

fn public_key(pem: &str) -> Result<Key, &'static str> {
    if pem.contains("PRIVATE KEY-----") {
        return Err("holds a private key; give the public one, and keep the private one elsewhere");
    }
    if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
        return Key::ed25519(&key).ok_or("holds a key under which anybody can sign");
    }
    if let Ok(key) = p256::PublicKey::from_public_key_pem(pem) {
        return Ok(Key::p256(&key));
    }
    let rsa = rsa::RsaPublicKey::from_public_key_pem(pem);
    if let Ok(key) = rsa.or_else(|_| rsa::RsaPublicKey::from_pkcs1_pem(pem)) {
        return Key::rsa(&key).ok_or("holds an RSA key under 2048 bits");
    }
    Err("is no PEM file with an Ed25519, P-256 or RSA public key (RSA: 2048 to 4096 bits)")
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    std::fs::read(path).map_err(|error| KeyError::Unreadable { path: path.to_owned(), error })
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_path: &Path) -> bool {
    false
}

#[cfg(test)]
pub(super) mod tests;
