//! What a token says: reading its header and claims, strictly.
//!
//! Does not know keys; `keys` checks the signature before anything here looks at a claim. No error
//! holds any part of a token: its text goes to the log.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::access::{Level, Pattern};
use crate::id::DocumentId;

/// The longest token, in bytes. Over it: refused before it is decoded.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// The longest subject, name or token id, in bytes.
pub const TOKEN_TEXT_BYTES_MAX: usize = 256;

/// How far `nbf` and `iat` may lie in the future, because clocks differ. `exp` has no such grace.
const CLOCK_SKEW_S: u64 = 30;

/// The last second of the year 9999. Later times mean this one, so that sums of times and waits
/// cannot overflow.
const TIME_S_MAX: u64 = 253_402_300_799;

/// What an accepted token says. Source: `docs/tokens.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who it is, for the application that made the token; what a revocation names.
    pub subject: Option<Arc<str>>,
    /// The name to show beside a cursor.
    pub name: Option<Arc<str>>,
    /// The colour of the cursor, `#rrggbb`.
    pub color: Option<Arc<str>>,
    /// The documents it speaks of; at least one pattern.
    pub documents: Vec<Pattern>,
    /// What may be done there; never [`Level::None`].
    pub level: Level,
    /// From this second on (since 1970, UTC) it is not accepted. At most the end of the year 9999.
    pub expires_at_s: u64,
    /// When it was made, in the same seconds.
    pub issued_at_s: Option<u64>,
    /// The token's own name (`jti`); what a revocation of one token names.
    pub token_id: Option<Arc<str>>,
}

impl Claims {
    /// What the bearer may do in a document.
    pub fn level_in(&self, document: &DocumentId) -> Level {
        let meant = self.documents.iter().any(|pattern| pattern.matches(document));
        if meant { self.level } else { Level::None }
    }
}

/// Why a token is not accepted. Holds no part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is over the limit of {max} bytes", max = TOKEN_BYTES_MAX)]
    TooLong,
    /// Not three parts of base64url, or the first is no JSON object with `alg`.
    #[error("it is not a signed JWT")]
    Malformed,
    /// The header has `crit`: it demands something that this server does not know.
    #[error("the token's header demands extensions (crit)")]
    Critical,
    /// The header names an algorithm that no key of this server is for; `none` is one of those.
    #[error("no key of this server is for the algorithm in the token's header")]
    Algorithm,
    /// The header names a key that this server does not have (yet).
    #[error("the key that the token's header names (kid) is not known")]
    UnknownKey,
    /// No key made this signature.
    #[error("the signature is wrong")]
    Signature,
    /// The claims are no JSON object, or one stands there twice.
    #[error("the claims are not a JSON object with each claim once")]
    Claims,
    /// A claim that must be there is not.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// A claim has the wrong type or breaks its rule.
    #[error("the claim {claim} must be {rule}")]
    Claim {
        /// Its name.
        claim: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// For somebody else, or for somebody while this server has no name of its own.
    #[error("the token is for another audience (aud)")]
    Audience,
    /// Made by somebody else.
    #[error("the token is from another issuer (iss)")]
    Issuer,
    /// Not valid yet.
    #[error("the claim {0} lies in the future")]
    Future(&'static str),
    /// Good, but its time is over.
    #[error("the token has expired")]
    Expired,
}

impl TokenError {
    /// Whether the token was good until it expired: its bearer should fetch a new one.
    pub fn is_expired(self) -> bool {
        self == Self::Expired
    }
}

/// A token cut into its parts.
pub(super) struct Parts<'a> {
    /// What was signed: header and claims as they came.
    pub(super) message: &'a str,
    /// The signature in base64url.
    pub(super) signature: &'a str,
    pub(super) header: Header,
    claims: &'a str,
}

/// What counts in the header; keys that it brings along (`jwk`, `jku`, `x5u`) do not.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

impl<'a> Parts<'a> {
    /// Cuts a token and reads its header.
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header = decode(header).ok_or(TokenError::Malformed)?;
        let header: Header = object(&header).ok_or(TokenError::Malformed)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        Ok(Self { message, signature, header, claims })
    }

    /// Reads the claims. The signature must have been checked before.
    pub(super) fn claims(&self) -> Result<RawClaims, TokenError> {
        let claims = decode(self.claims).ok_or(TokenError::Malformed)?;
        object(&claims).ok_or(TokenError::Claims)
    }
}

/// Header and claims as JSON objects, for people; checks nothing.
pub(crate) fn peek(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let mut parts = token.split('.').map(|part| serde_json::from_slice(&decode(part)?).ok());
    Some((parts.next()??, parts.next()??))
}

/// Claims as they stand in the token, of any type.
#[derive(Default, Deserialize)]
pub(super) struct RawClaims {
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    name: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    color: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    documents: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    level: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
}

/// What a token must say about whom it is for and who made it; nothing where it is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) audience: Option<String>,
    pub(super) issuer: Option<String>,
}

impl RawClaims {
    /// Checks everything; the time last, so that "expired" means "otherwise good".
    pub(super) fn check(&self, expected: &Expected, now_s: u64) -> Result<Claims, TokenError> {
        let claims = Claims {
            subject: text("sub", &self.sub)?,
            name: text("name", &self.name)?,
            color: color(&self.color)?,
            documents: documents(&self.documents)?,
            level: level(&self.level)?,
            expires_at_s: time("exp", &self.exp)?.ok_or(TokenError::Missing("exp"))?,
            issued_at_s: time("iat", &self.iat)?,
            token_id: text("jti", &self.jti)?,
        };
        let not_before_s = time("nbf", &self.nbf)?;
        self.check_audience(expected.audience.as_deref())?;
        self.check_issuer(expected.issuer.as_deref())?;
        for (claim, time) in [("nbf", not_before_s), ("iat", claims.issued_at_s)] {
            if time.is_some_and(|time| time > now_s.saturating_add(CLOCK_SKEW_S)) {
                return Err(TokenError::Future(claim));
            }
        }
        if claims.expires_at_s <= now_s {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// A token for somebody else is none for us, also where we have no name (RFC 7519, 4.1.3).
    fn check_audience(&self, ours: Option<&str>) -> Result<(), TokenError> {
        let wrong = TokenError::Claim { claim: "aud", rule: "a text or a list of texts" };
        let theirs = match &self.aud {
            None if ours.is_none() => return Ok(()),
            None => return Err(TokenError::Missing("aud")),
            Some(aud) => texts(aud).ok_or(wrong)?,
        };
        if ours.is_some_and(|ours| theirs.contains(&ours)) {
            Ok(())
        } else {
            Err(TokenError::Audience)
        }
    }

    fn check_issuer(&self, expected: Option<&str>) -> Result<(), TokenError> {
        let issuer = match &self.iss {
            None => None,
            Some(Value::String(issuer)) => Some(issuer.as_str()),
            Some(_) => return Err(TokenError::Claim { claim: "iss", rule: "a text" }),
        };
        match (expected, issuer) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(TokenError::Missing("iss")),
            (Some(expected), Some(issuer)) if expected == issuer => Ok(()),
            (Some(_), Some(_)) => Err(TokenError::Issuer),
        }
    }
}

/// The claims as JSON, as they are signed.
pub(super) fn to_json(claims: &Claims, expected: &Expected) -> Map<String, Value> {
    let documents: Vec<&str> = claims.documents.iter().map(Pattern::as_str).collect();
    let texts = [
        ("sub", claims.subject.as_deref()),
        ("name", claims.name.as_deref()),
        ("color", claims.color.as_deref()),
        ("jti", claims.token_id.as_deref()),
        ("aud", expected.audience.as_deref()),
        ("iss", expected.issuer.as_deref()),
    ];
    let mut json: Map<String, Value> = texts
        .into_iter()
        .filter_map(|(claim, text)| Some((claim.to_owned(), text?.into())))
        .collect();
    json.insert("documents".into(), documents.into());
    json.insert("level".into(), claims.level.as_str().into());
    json.insert("exp".into(), claims.expires_at_s.into());
    if let Some(issued_at_s) = claims.issued_at_s {
        json.insert("iat".into(), issued_at_s.into());
    }
    json
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// Reads an object, and nothing else: left alone, serde also takes a list for a struct.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let begins_as_object = json.trim_ascii_start().first() == Some(&b'{');
    begins_as_object.then(|| serde_json::from_slice(json).ok())?
}

/// `null` is a value of the wrong type, not an absent one.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn text(claim: &'static str, value: &Option<Value>) -> Result<Option<Arc<str>>, TokenError> {
    let rule = "a text of 1 to 256 bytes without control characters";
    match value {
        None => Ok(None),
        Some(Value::String(text))
            if (1..=TOKEN_TEXT_BYTES_MAX).contains(&text.len())
                && !text.chars().any(char::is_control) =>
        {
            Ok(Some(text.as_str().into()))
        }
        Some(_) => Err(TokenError::Claim { claim, rule }),
    }
}

fn color(value: &Option<Value>) -> Result<Option<Arc<str>>, TokenError> {
    let is_color = |text: &str| {
        text.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    match value {
        None => Ok(None),
        Some(Value::String(text)) if is_color(text) => Ok(Some(text.as_str().into())),
        Some(_) => Err(TokenError::Claim { claim: "color", rule: "a colour as #rrggbb" }),
    }
}

fn documents(value: &Option<Value>) -> Result<Vec<Pattern>, TokenError> {
    let rule = "a pattern or a list of patterns";
    let wrong = TokenError::Claim { claim: "documents", rule };
    let documents = value.as_ref().ok_or(TokenError::Missing("documents"))?;
    let patterns: Vec<Pattern> = texts(documents)
        .ok_or(wrong)?
        .into_iter()
        .map(|text| Pattern::parse(text).map_err(|_| wrong))
        .collect::<Result<_, _>>()?;
    if patterns.is_empty() { Err(wrong) } else { Ok(patterns) }
}

fn level(value: &Option<Value>) -> Result<Level, TokenError> {
    let level = value.as_ref().ok_or(TokenError::Missing("level"))?;
    match level.as_str().and_then(|word| word.parse().ok()) {
        Some(level) if level != Level::None => Ok(level),
        _ => Err(TokenError::Claim { claim: "level", rule: "read, comment, write or admin" }),
    }
}

/// Seconds since 1970. RFC 7519 allows fractions; a time before 1970 is long ago in any case.
fn time(claim: &'static str, value: &Option<Value>) -> Result<Option<u64>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_f64().ok_or(TokenError::Claim { claim, rule: "a number of seconds" })?;
    // The cast brings what is out of range to the nearest end; whole seconds up to the maximum are
    // exact in a float.
    Ok(Some((seconds.floor() as u64).min(TIME_S_MAX)))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
