//! Who may do what: one place decides.
//!
//! Today everybody is anonymous and has the level that the operator gave to anonymous callers.
//! `session` asks before it lets a message through; nothing else decides about rights.

pub mod jwks;
mod keys;
mod level;
mod origin;
mod pattern;
mod token;

use crate::config::{Anonymous, Config};
use crate::id::DocumentId;

pub use keys::{KeyError, Keys, SignError};
pub use level::{Level, UnknownLevel};
pub use origin::OriginRule;
pub use pattern::{PATTERN_BYTES_MAX, Pattern, PatternError};
pub(crate) use token::peek;
pub use token::{Claims, TOKEN_BYTES_MAX, TOKEN_TEXT_BYTES_MAX, TokenError};

/// Decides about levels.
#[derive(Debug, Clone)]
pub struct Access {
    anonymous: Level,
}

/// The server would be open to strangers without anybody having said so.
#[derive(Debug, thiserror::Error)]
#[error(
    "{listen} can be reached from other machines, and nobody has said what people without a login \
     may do there; say --anonymous write, read or none, or listen on 127.0.0.1"
)]
pub struct Undecided {
    /// The address that was asked for.
    pub listen: std::net::SocketAddr,
}

impl Access {
    /// Takes the operator's decision.
    ///
    /// # Errors
    /// The address can be reached from outside and no decision about anonymous callers was made.
    pub fn new(config: &Config) -> Result<Self, Undecided> {
        let anonymous = match config.anonymous {
            Anonymous::Auto if config.listen.ip().is_loopback() => Level::Write,
            Anonymous::Auto => return Err(Undecided { listen: config.listen }),
            Anonymous::None => Level::None,
            Anonymous::Read => Level::Read,
            Anonymous::Write => Level::Write,
        };
        Ok(Self { anonymous })
    }

    /// What a caller without a login may do in a document.
    pub fn anonymous_level(&self, _document: &DocumentId) -> Level {
        self.anonymous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_may_write_on_loopback_only_unless_somebody_said_so() {
        let document = DocumentId::parse("d").expect("a valid name");
        let level = |listen: &str, anonymous| {
            let listen = listen.parse().expect("an address");
            let config = Config { listen, anonymous, ..Config::default() };
            Access::new(&config).map(|access| access.anonymous_level(&document)).ok()
        };
        assert_eq!(level("127.0.0.1:0", Anonymous::Auto), Some(Level::Write));
        assert_eq!(level("[::1]:0", Anonymous::Auto), Some(Level::Write));
        assert_eq!(level("0.0.0.0:0", Anonymous::Auto), None);
        assert_eq!(level("0.0.0.0:0", Anonymous::Read), Some(Level::Read));
        assert_eq!(level("127.0.0.1:0", Anonymous::None), Some(Level::None));
    }
}
