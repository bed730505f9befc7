//! Who is at the other end, and how that was shown.

use std::sync::Arc;

use super::share::LiveLink;
use super::token::Claims;
use crate::id::User;

/// What a request or a login frame brings along to say who it is from.
#[derive(Default)]
pub struct Credentials {
    /// A token or the secret of a share link. Never logged.
    pub token: Option<String>,
    /// Whom a trusted proxy has signed in.
    pub proxied: Option<User>,
}

/// Who is at the other end, as far as it was shown.
#[derive(Debug)]
pub struct Caller {
    pub(super) proof: Proof,
    user: Option<Arc<User>>,
    /// When the proof was given, in unix milliseconds.
    pub(super) shown_at_ms: i64,
}

/// How it was shown.
#[derive(Debug)]
pub(super) enum Proof {
    /// Not at all.
    Nothing,
    /// By a token that was signed for this server.
    Token(Claims),
    /// By knowing the secret of a share link.
    Link(Arc<LiveLink>),
    /// By a trusted proxy.
    Proxy,
}

/// Why a caller that was somebody no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lapsed {
    /// The token or the link has expired.
    #[error("token-expired")]
    Expired,
    /// The token, its user or the link has been revoked.
    #[error("token-revoked")]
    Revoked,
}

impl Caller {
    pub(super) fn new(proof: Proof, proxied: Option<User>, shown_at_ms: i64) -> Self {
        let user = match &proof {
            Proof::Token(claims) => Some(User {
                subject: claims.subject.clone(),
                name: claims.name.clone(),
                color: claims.color.clone(),
            }),
            Proof::Proxy => proxied,
            Proof::Nothing | Proof::Link(_) => None,
        };
        Self { proof, user: user.map(Arc::new), shown_at_ms }
    }

    /// Who it is; `None` for an anonymous caller and for the holder of a share link.
    pub fn user(&self) -> Option<&Arc<User>> {
        self.user.as_ref()
    }

    /// The user's name in the words of whoever issued the login.
    pub fn subject(&self) -> Option<&Arc<str>> {
        self.user.as_ref()?.subject.as_ref()
    }

    /// Nothing was shown.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.proof, Proof::Nothing)
    }

    /// Whether a client can be asked for a fresh token before this one expires.
    pub fn can_be_renewed(&self) -> bool {
        matches!(self.proof, Proof::Token(_))
    }

    /// When it ends by itself, in unix milliseconds.
    pub fn expires_at_ms(&self) -> Option<i64> {
        match &self.proof {
            Proof::Token(claims) => {
                Some(i64::try_from(claims.expires_at_s).unwrap_or(i64::MAX).saturating_mul(1000))
            }
            Proof::Link(link) => link.terms().expires_at_ms,
            Proof::Nothing | Proof::Proxy => None,
        }
    }

    /// When it was shown, in unix milliseconds.
    pub fn shown_at_ms(&self) -> i64 {
        self.shown_at_ms
    }
}
