//! Who may do what: one place decides.
//!
//! A request or a login frame shows [`Credentials`]; [`Access::identify`] makes a [`Caller`] of
//! them or refuses; [`Access::level`] says what a caller may do in a document at this moment, and is
//! asked again whenever [`Access::changes`] says so or the caller expires. `session` (for sockets)
//! and `http` (for requests) ask; nothing else decides about rights. `docs/security.md` has the
//! threats and where each is tested.

mod attempts;
mod caller;
pub mod jwks;
mod keys;
mod origin;
mod pattern;
mod revocations;
mod share;
mod token;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::clock;
use crate::config::{Anonymous, Config};
use crate::id::DocumentId;
use crate::store::{AppendError, LoadError, Revocation, ShareLink, Store};
use attempts::{Attempts, Seats};
use caller::Proof;
use revocations::Revocations;
use share::LiveLinks;

pub use crate::level::{Level, UnknownLevel};
pub use attempts::{Seat, network_of};
pub use caller::{Caller, Credentials, Lapsed};
pub use keys::{KeyError, Keys, SignError};
pub use origin::OriginRule;
pub use pattern::{PATTERN_BYTES_MAX, Pattern, PatternError};
pub use share::{SECRET_PREFIX, hash_of, new_id, new_secret};
pub(crate) use token::peek;
pub use token::{Claims, TOKEN_BYTES_MAX, TOKEN_TEXT_BYTES_MAX, TokenError};

/// As the Hocuspocus reference server says it; applications compare with it.
pub const PERMISSION_DENIED: &str = "permission-denied";

/// Decides about levels.
pub struct Access {
    anonymous: Level,
    proxied: Level,
    keys: Arc<Keys>,
    store: Store,
    links: LiveLinks,
    revocations: Revocations,
    revocations_max: u32,
    attempts: Attempts,
    seats: Arc<Seats>,
    changes: watch::Sender<()>,
    /// Held from a change in the store to the same change in memory, so that both have one order.
    changing: Mutex<()>,
}

/// The server would be open to strangers without anybody having said so.
#[derive(Debug, thiserror::Error)]
#[error(
    "{listen} can be reached from other machines, and nobody has said what people without a login \
     may do there; say --anonymous write, read or none, give a key (--auth-secret-file), or listen \
     on 127.0.0.1"
)]
pub struct Undecided {
    /// The address that was asked for.
    pub listen: std::net::SocketAddr,
}

/// Why a caller is not let in. The texts are for people, and say nothing about the token.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no token, and without one nothing is allowed.
    #[error("a login is needed")]
    Needed,
    /// The token is not accepted.
    #[error("the token is not accepted")]
    Token(#[source] TokenError),
    /// The token was accepted once.
    #[error("the login is over: {0}")]
    Lapsed(#[from] Lapsed),
    /// No such link, or not any more: the same answer for both.
    #[error("the token is not accepted")]
    Link,
    /// It is known who it is, and nothing is allowed here.
    #[error("you may not open this document")]
    Forbidden,
    /// The network knocks too often.
    #[error("too many logins from your address; please try again in a moment")]
    TooOften,
    /// The user has too many sessions.
    #[error("you have your limit of {max} open documents; please close some")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The database does not answer.
    #[error("logins cannot be checked right now; please try again")]
    Unavailable(#[source] LoadError),
}

impl LoginError {
    /// What a client is told: a word that applications compare with, or a sentence.
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Lapsed(lapsed) => lapsed.to_string().into(),
            Self::Needed | Self::Token(_) | Self::Link | Self::Forbidden => {
                PERMISSION_DENIED.into()
            }
            Self::TooOften | Self::TooMany { .. } | Self::Unavailable(_) => self.to_string().into(),
        }
    }

    /// The reason for the log, without anything of the token.
    pub fn for_log(&self) -> String {
        match self {
            Self::Token(e) => e.to_string(),
            Self::Link => "there is no such share link, or it is over".to_owned(),
            Self::Unavailable(e) => e.to_string(),
            other => other.to_string(),
        }
    }
}

impl Access {
    /// Takes the operator's decisions, the keys of tokens, and what was revoked.
    ///
    /// # Errors
    /// Says in words for people what is in the way.
    pub async fn new(config: &Config, keys: Arc<Keys>, store: Store) -> anyhow::Result<Self> {
        let anonymous = anonymous_level(config)?;
        let limits = &config.limits;
        let access = Self {
            anonymous,
            proxied: config.proxy.level,
            keys,
            store,
            links: LiveLinks::default(),
            revocations: Revocations::default(),
            revocations_max: limits.revocations_max,
            attempts: Attempts::new(limits),
            seats: Seats::new(limits.user_sessions_max),
            changes: watch::Sender::new(()),
            changing: Mutex::new(()),
        };
        access.revocations.replace(&access.store.revocations().await?);
        Ok(access)
    }

    /// The keys that tokens are signed with.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Whether an address may try to get in now.
    ///
    /// # Errors
    /// It has tried too often.
    pub fn knock(&self, from: Option<IpAddr>) -> Result<(), LoginError> {
        match from {
            Some(from) if !self.attempts.allow(from) => Err(LoginError::TooOften),
            _ => Ok(()),
        }
    }

    /// Says who shows these credentials. A token that is shown and not accepted is refused, never
    /// treated as nobody's; a server without keys does not look at tokens.
    ///
    /// # Errors
    /// Why the caller is not let in.
    pub async fn identify(&self, credentials: Credentials) -> Result<Caller, LoginError> {
        let Credentials { token, proxied } = credentials;
        let now_ms = clock::unix_ms();
        let token = token.filter(|token| !token.is_empty());
        let proof = match token {
            Some(secret) if secret.starts_with(SECRET_PREFIX) => self.link(&secret).await?,
            Some(token) if !self.keys.is_empty() => {
                let now_s = clock::unix_s();
                let claims = self.keys.verify_or_refresh(&token, now_s).await;
                Proof::Token(claims.map_err(|e| match e.is_expired() {
                    true => LoginError::Lapsed(Lapsed::Expired),
                    false => LoginError::Token(e),
                })?)
            }
            _ if proxied.is_some() => Proof::Proxy,
            _ => Proof::Nothing,
        };
        let caller = Caller::new(proof, proxied, now_ms);
        self.check(&caller)?;
        Ok(caller)
    }

    /// What a caller may do in a document now.
    ///
    /// # Errors
    /// The caller's login is over.
    pub fn level(&self, caller: &Caller, document: &DocumentId) -> Result<Level, Lapsed> {
        self.check(caller)?;
        Ok(match &caller.proof {
            Proof::Nothing => self.anonymous,
            Proof::Token(claims) => claims.level_in(document),
            Proof::Link(link) if link.document() == document => link.terms().level,
            Proof::Link(_) => Level::None,
            Proof::Proxy => self.proxied,
        })
    }

    /// As [`Access::level`], for somebody who wants to be let in.
    ///
    /// # Errors
    /// Nothing is allowed.
    pub fn admit(&self, caller: &Caller, document: &DocumentId) -> Result<Level, LoginError> {
        match self.level(caller, document)? {
            Level::None if caller.is_anonymous() => Err(LoginError::Needed),
            Level::None => Err(LoginError::Forbidden),
            level => Ok(level),
        }
    }

    /// Whether a caller administers every document, and so the server.
    ///
    /// # Errors
    /// The caller's login is over.
    pub fn is_admin_of_all(&self, caller: &Caller) -> Result<bool, Lapsed> {
        self.check(caller)?;
        Ok(match &caller.proof {
            Proof::Token(claims) => {
                claims.level >= Level::Admin && claims.documents.iter().any(Pattern::is_everything)
            }
            Proof::Proxy => self.proxied >= Level::Admin,
            Proof::Nothing | Proof::Link(_) => false,
        })
    }

    /// Whether people without a login may do anything.
    pub fn lets_anybody_in(&self) -> bool {
        self.anonymous > Level::None
    }

    /// A place for one more session of a user; `None` for callers that are no user.
    ///
    /// # Errors
    /// The user has too many.
    pub fn seat(&self, caller: &Caller) -> Result<Option<Seat>, LoginError> {
        let Some(subject) = caller.subject() else { return Ok(None) };
        let seat = self.seats.take(subject);
        seat.map(Some).ok_or(LoginError::TooMany { max: self.seats.max() })
    }

    /// Says when levels may have changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Changes a link, in the store and for those who use it; `None` where there is none, or not any
    /// more. What is not given stays.
    ///
    /// # Errors
    /// It could not be stored; nothing has changed.
    pub async fn change_link(
        &self,
        id: &str,
        level: Option<Level>,
        expires_at_ms: Option<i64>,
    ) -> Result<Option<ShareLink>, AppendError> {
        let _in_order = self.changing.lock().await;
        let Some(link) = self.stored_link(id).await? else { return Ok(None) };
        let level = level.map_or(link.level.clone(), |level| level.as_str().to_owned());
        let expires_at_ms = expires_at_ms.or(link.expires_at_ms);
        if !self.store.update_link(id.to_owned(), level.clone(), expires_at_ms).await? {
            return Ok(None);
        }
        let link = ShareLink { level, expires_at_ms, ..link };
        self.links.update(&link);
        self.changes.send_replace(());
        Ok(Some(link))
    }

    /// Ends a link for good, in the store and for those who use it, and says whether there was one.
    ///
    /// # Errors
    /// It could not be stored; nothing has changed.
    pub async fn revoke_link(&self, id: &str) -> Result<bool, AppendError> {
        let _in_order = self.changing.lock().await;
        let now_ms = clock::unix_ms();
        let Some(link) = self.stored_link(id).await? else { return Ok(false) };
        if !self.store.revoke_link(id.to_owned(), now_ms).await? {
            return Ok(false);
        }
        self.links.update(&ShareLink { revoked_at_ms: Some(now_ms), ..link });
        self.changes.send_replace(());
        Ok(true)
    }

    async fn stored_link(&self, id: &str) -> Result<Option<ShareLink>, AppendError> {
        let stored = self.store.link(id).await;
        stored.map_err(|e| AppendError::Failed { why: e.to_string() })
    }

    /// Revokes, in the store and on open sockets.
    ///
    /// # Errors
    /// It could not be stored; nothing is revoked.
    pub async fn revoke(&self, revocation: Revocation) -> Result<Revocation, AppendError> {
        let _in_order = self.changing.lock().await;
        let Revocation { kind, value, .. } = revocation.clone();
        self.store.insert_revocation(revocation.clone(), self.revocations_max).await?;
        let mut stored = self.reload_revocations().await?.into_iter();
        // An earlier one of the same kind and value has moved forward and kept its id.
        Ok(stored.find(|known| known.kind == kind && known.value == value).unwrap_or(revocation))
    }

    /// Takes a revocation back, and says whether there was one.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn unrevoke(&self, id: &str) -> Result<bool, AppendError> {
        let _in_order = self.changing.lock().await;
        let removed = self.store.remove_revocation(id.to_owned()).await?;
        self.reload_revocations().await?;
        Ok(removed)
    }

    async fn reload_revocations(&self) -> Result<Vec<Revocation>, AppendError> {
        let stored = self.store.revocations().await;
        let stored = stored.map_err(|e| AppendError::Failed { why: e.to_string() })?;
        self.revocations.replace(&stored);
        self.changes.send_replace(());
        Ok(stored)
    }

    async fn link(&self, secret: &str) -> Result<Proof, LoginError> {
        let hash = share::hash_of(secret);
        let live = loop {
            let changes = self.links.changes();
            let stored = self.store.link_by_hash(&hash).await;
            let stored = stored.map_err(LoginError::Unavailable)?.ok_or(LoginError::Link)?;
            // What has changed while it was read is read again.
            if let Ok(live) = self.links.hold(&stored, changes) {
                break live;
            }
        };
        let terms = live.terms();
        let now_ms = clock::unix_ms();
        // An expired link says no more than one that never was.
        if terms.revoked || terms.expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(LoginError::Link);
        }
        Ok(Proof::Link(live))
    }

    fn check(&self, caller: &Caller) -> Result<(), Lapsed> {
        if caller.expires_at_ms().is_some_and(|at| at <= clock::unix_ms()) {
            return Err(Lapsed::Expired);
        }
        let revoked = matches!(&caller.proof, Proof::Link(link) if link.terms().revoked);
        if revoked || self.revocations.concern(caller) {
            return Err(Lapsed::Revoked);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("anonymous", &self.anonymous).finish_non_exhaustive()
    }
}

/// What the operator lets people without a login do.
///
/// # Errors
/// The server would be open to strangers without anybody having said so.
pub fn anonymous_level(config: &Config) -> Result<Level, Undecided> {
    Ok(match config.anonymous {
        // With keys, somebody has decided who may do what.
        Anonymous::Auto if config.auth.has_keys() => Level::None,
        Anonymous::Auto if !config.listen.ip().is_loopback() => {
            return Err(Undecided { listen: config.listen });
        }
        Anonymous::Auto => Level::Write,
        Anonymous::None => Level::None,
        Anonymous::Read => Level::Read,
        Anonymous::Comment => Level::Comment,
        Anonymous::Write => Level::Write,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_may_write_on_loopback_only_unless_somebody_said_so() {
        let level = |listen: &str, anonymous| {
            let listen = listen.parse().expect("an address");
            anonymous_level(&Config { listen, anonymous, ..Config::default() }).ok()
        };
        assert_eq!(level("127.0.0.1:0", Anonymous::Auto), Some(Level::Write));
        assert_eq!(level("[::1]:0", Anonymous::Auto), Some(Level::Write));
        assert_eq!(level("0.0.0.0:0", Anonymous::Auto), None);
        assert_eq!(level("0.0.0.0:0", Anonymous::Read), Some(Level::Read));
        assert_eq!(level("127.0.0.1:0", Anonymous::None), Some(Level::None));
    }
}
