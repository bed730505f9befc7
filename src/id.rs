//! The words that name things: documents, connections, sessions, places in the log.
//!
//! Ids are newtypes made once, at the door, by `parse` or by the one who counts them. A document's
//! name is taken byte for byte and is never a path; it is escaped wherever it is shown or logged.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The longest document name, in bytes of UTF-8.
pub const DOCUMENT_NAME_BYTES_MAX: usize = 1024;

/// The name of a document: any UTF-8 that is not blank and has no NUL, at most
/// [`DOCUMENT_NAME_BYTES_MAX`] bytes, compared byte for byte (no normalisation, no trimming).
///
/// `Display` and `Debug` escape control characters and quotes, so that a name can stand in a log
/// line. Cloning is cheap (shared). Source: `docs/protocol.md`, Names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

/// Why a string cannot name a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or nothing but white space.
    #[error("a document name must not be blank")]
    Blank,
    /// Longer than [`DOCUMENT_NAME_BYTES_MAX`].
    #[error(
        "a document name of {got} bytes is over the limit of {max}",
        max = DOCUMENT_NAME_BYTES_MAX
    )]
    TooLong {
        /// Bytes of the name that was given.
        got: usize,
    },
    /// NUL separates name and session id in the Hocuspocus dialect.
    #[error("a document name must not contain a NUL character")]
    Nul,
    /// The bytes are not UTF-8.
    #[error("a document name must be UTF-8")]
    NotUtf8,
}

impl DocumentId {
    /// Takes a name as it came from the wire.
    ///
    /// # Errors
    /// [`NameError`] says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.len() > DOCUMENT_NAME_BYTES_MAX {
            return Err(NameError::TooLong { got: name.len() });
        }
        if name.contains('\0') {
            return Err(NameError::Nul);
        }
        if name.trim().is_empty() {
            return Err(NameError::Blank);
        }
        Ok(Self(name.into()))
    }

    /// The name, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A person as a login names it; everything may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Whom the login is for, in the words of whoever issued it; goes into the log as the author.
    pub subject: Option<Arc<str>>,
    /// What others see.
    pub name: Option<Arc<str>>,
    /// `#rrggbb`.
    pub color: Option<Arc<str>>,
}

/// One socket, counted from 1 since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// One connection's part in one document, counted from 1 since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Place of an update in its document's log. The first update is 1; 0 is "before all of them".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One row of a document's log.
///
/// Of a log that was thinned, a row stands for everything after the row before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Its place; where rows were put together, that of the last.
    pub seq: Seq,
    /// When the server took it, in unix milliseconds.
    pub at_ms: i64,
    /// The user who wrote it, if there was a login.
    pub author: Option<Arc<str>>,
    /// The connection that brought it.
    pub connection: ConnectionId,
    /// A Yjs v1 update.
    pub bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_byte_for_byte() {
        for name in ["a", "a/b", "..", "%2F", " padded ", "é", "e\u{301}", "*?\\", "\n."] {
            assert_eq!(
                DocumentId::parse(name).map(|id| id.as_str().to_owned()),
                Ok(name.to_owned())
            );
        }
    }

    #[test]
    fn names_that_cannot_be_names_are_refused() {
        let too_long = "x".repeat(DOCUMENT_NAME_BYTES_MAX + 1);
        let cases = [
            ("", NameError::Blank),
            (" \t\u{3000}", NameError::Blank),
            ("a\0b", NameError::Nul),
            (too_long.as_str(), NameError::TooLong { got: 1025 }),
        ];
        for (name, why) in cases {
            assert_eq!(DocumentId::parse(name), Err(why));
        }
        assert!(DocumentId::parse(&"x".repeat(DOCUMENT_NAME_BYTES_MAX)).is_ok());
    }

    #[test]
    fn a_name_is_escaped_where_it_is_shown() {
        let id = DocumentId::parse("a\n\u{1b}[31m\"").expect("a valid name");
        assert_eq!(id.to_string(), "a\\n\\u{1b}[31m\\\"");
    }
}
