//! What was revoked, in memory: asked at every login and at every change.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::caller::{Caller, Proof};
use crate::store::{Revocation, RevocationKind};

/// All revocations.
#[derive(Debug, Default)]
pub struct Revocations(RwLock<Revoked>);

#[derive(Debug, Default)]
struct Revoked {
    /// By subject: logins up to this unix millisecond.
    subjects: HashMap<String, i64>,
    /// By token id (`jti`).
    tokens: HashMap<String, i64>,
}

impl Revocations {
    /// Takes the place of everything that was known before.
    pub fn replace(&self, stored: &[Revocation]) {
        let mut revoked = Revoked::default();
        for Revocation { kind, value, at_ms, .. } in stored {
            let map = match kind {
                RevocationKind::Subject => &mut revoked.subjects,
                RevocationKind::Token => &mut revoked.tokens,
            };
            map.insert(value.clone(), *at_ms);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = revoked;
    }

    /// Whether a caller's login was revoked.
    ///
    /// A token counts from the second in which it was issued, so one that was issued in the second
    /// of the revocation is revoked as well; one that does not say when it was issued always is.
    pub fn concern(&self, caller: &Caller) -> bool {
        let revoked = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let issued_at_ms = match &caller.proof {
            Proof::Token(claims) => {
                let token_id = claims.token_id.as_deref();
                if token_id.is_some_and(|id| revoked.tokens.contains_key(id)) {
                    return true;
                }
                let issued_at_s = i64::try_from(claims.issued_at_s.unwrap_or(0));
                // Whoever signs may have a clock that is ahead.
                issued_at_s.unwrap_or(i64::MAX).saturating_mul(1000).min(caller.shown_at_ms)
            }
            Proof::Proxy => caller.shown_at_ms,
            Proof::Nothing | Proof::Link(_) => return false,
        };
        let at_ms = caller.subject().and_then(|subject| revoked.subjects.get(&**subject));
        at_ms.is_some_and(|at_ms| issued_at_ms <= *at_ms)
    }
}
