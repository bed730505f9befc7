//! Share links: who knows the secret may do in one document what the link says.
//!
//! A secret is 128 random bits; only its SHA-256 is stored, which is enough for a secret that
//! nobody can guess, and lets the database look it up without comparing secrets. A link that
//! somebody uses is held in memory, so that a change reaches open sockets at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Level;
use crate::id::DocumentId;
use crate::store::ShareLink;

/// In front of every secret, so that it is told from a token.
pub const SECRET_PREFIX: &str = "share-";

/// Random bytes of a secret.
const SECRET_BYTES: usize = 16;

/// Random bytes of a link's public id.
const ID_BYTES: usize = 12;

/// What a link allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// In its document.
    pub level: Level,
    /// In unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// It will never be good again.
    pub revoked: bool,
}

/// A link that somebody uses.
#[derive(Debug)]
pub struct LiveLink {
    document: DocumentId,
    terms: Mutex<Terms>,
}

impl LiveLink {
    /// The only document that it opens.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// What it allows now.
    pub fn terms(&self) -> Terms {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The links that somebody uses.
#[derive(Debug, Default)]
pub struct LiveLinks(Mutex<Live>);

#[derive(Debug, Default)]
struct Live {
    links: HashMap<String, Weak<LiveLink>>,
    /// Counts the changes: what was read from the store before one may be older than that.
    changes: u64,
}

impl LiveLinks {
    /// To be asked before the store is.
    pub fn changes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// The live form of a link that was read from the store when so many changes had been; the same
    /// for everybody who uses it. `Err` where it has to be read again.
    pub fn hold(&self, stored: &ShareLink, changes: u64) -> Result<Arc<LiveLink>, Stale> {
        let mut live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if live.changes != changes {
            return Err(Stale);
        }
        if let Some(link) = live.links.get(&stored.id).and_then(Weak::upgrade) {
            return Ok(link);
        }
        live.links.retain(|_, link| link.strong_count() > 0);
        let (document, terms) = (stored.document.clone(), Mutex::new(terms_of(stored)));
        let link = Arc::new(LiveLink { document, terms });
        live.links.insert(stored.id.clone(), Arc::downgrade(&link));
        Ok(link)
    }

    /// Takes over what has changed in the store. Changes come here in the order in which they were
    /// stored.
    pub fn update(&self, stored: &ShareLink) {
        let mut live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        live.changes += 1;
        if let Some(link) = live.links.get(&stored.id).and_then(Weak::upgrade) {
            *link.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms_of(stored);
        }
    }
}

/// Something has changed since the store was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

fn terms_of(stored: &ShareLink) -> Terms {
    // A level that this program does not know allows nothing.
    let level = stored.level.parse().unwrap_or(Level::None);
    let revoked = stored.revoked_at_ms.is_some();
    Terms { level, expires_at_ms: stored.expires_at_ms, revoked }
}

/// What is stored of a secret.
pub fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A fresh secret.
///
/// # Errors
/// The machine has no random numbers.
pub fn new_secret() -> Result<String, getrandom::Error> {
    Ok(format!("{SECRET_PREFIX}{}", random::<SECRET_BYTES>()?))
}

/// A fresh public id, for links and revocations.
///
/// # Errors
/// The machine has no random numbers.
pub fn new_id() -> Result<String, getrandom::Error> {
    random::<ID_BYTES>()
}

fn random<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(level: &str) -> ShareLink {
        ShareLink {
            id: "id".into(),
            document: DocumentId::parse("notes").expect("a valid name"),
            level: level.into(),
            label: String::new(),
            created_at_ms: 0,
            created_by: None,
            expires_at_ms: None,
            revoked_at_ms: None,
        }
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (new_secret().expect("random"), new_secret().expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.len(), SECRET_PREFIX.len() + 22);
        assert_ne!(hash_of(&one), hash_of(&other));
        assert_eq!(hash_of(&one), hash_of(&one));
        assert_eq!(new_id().expect("random").len(), 16);
    }

    #[test]
    fn a_change_reaches_those_who_use_the_link() {
        let links = LiveLinks::default();
        let live = links.hold(&stored("write"), 0).expect("a link");
        assert_eq!(live.terms().level, Level::Write);
        links.update(&stored("read"));
        assert_eq!(live.terms().level, Level::Read);
        links.update(&ShareLink { revoked_at_ms: Some(1), ..stored("read") });
        assert!(live.terms().revoked);
        assert!(links.hold(&stored("read"), 0).is_err(), "it was read before it was revoked");
        let revoked = ShareLink { revoked_at_ms: Some(1), ..stored("read") };
        assert!(Arc::ptr_eq(&live, &links.hold(&revoked, 2).expect("the same link")));
    }

    #[test]
    fn links_that_nobody_uses_are_not_remembered() {
        let links = LiveLinks::default();
        drop(links.hold(&stored("read"), 0));
        let other = ShareLink { id: "other".into(), ..stored("read") };
        let _live = links.hold(&other, 0);
        assert_eq!(links.0.lock().expect("no panic").links.len(), 1);
    }
}
