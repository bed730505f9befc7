//! The lines of a recording: a header and events, one JSON object each.
//!
//! Source: `docs/recording.md`, which has every field, and the JSON Schema beside it; a test holds
//! the two together. Readers ignore fields that they do not know and refuse kinds that they do not
//! know.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the first line of every recording says in `format`.
pub const FORMAT: &str = "coscribe-recording";

/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The document's name where it was recorded.
    pub document: String,
    /// What was in the document before the first event: a Yjs v1 update, base64. Nothing: it was
    /// empty.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_option")]
    pub start: Option<Bytes>,
    /// Where the recording is from, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

impl Header {
    /// The header of a recording that begins with an empty document.
    pub fn new(document: &str, source: &str) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            document: document.into(),
            start: None,
            source: source.into(),
        }
    }
}

/// Every further line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the recording began; never goes back.
    pub t: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. Connections are numbered by the recording; a number may join again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum What {
    /// A connection opened the document.
    Join {
        /// Its number.
        connection: u32,
        /// Whose it was, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
    },
    /// A connection left in order: everything that it had sent was saved.
    Leave {
        /// Its number.
        connection: u32,
    },
    /// A connection changed the document.
    Update {
        /// Its number.
        connection: u32,
        /// A Yjs v1 update, base64.
        #[serde(with = "base64_bytes")]
        update: Bytes,
    },
    /// A connection said who it is or where.
    Awareness {
        /// Its number.
        connection: u32,
        /// The Yjs client id that it speaks for.
        client: u64,
        /// Grows with every change.
        clock: u64,
        /// Any JSON; `null` says that the client has gone.
        state: Value,
    },
    /// Something went wrong.
    Fault {
        /// The number of the connection that it befell.
        connection: u32,
        /// What it was.
        fault: Fault,
    },
    /// The last line, where it is known what the document must hold in the end.
    End {
        /// The name of the text that is meant.
        root: String,
        /// The text.
        #[serde(flatten)]
        expected: Expected,
    },
}

impl What {
    /// The connection that it is about; the end is about all of them.
    pub fn connection(&self) -> Option<u32> {
        match self {
            Self::Join { connection, .. }
            | Self::Leave { connection }
            | Self::Update { connection, .. }
            | Self::Awareness { connection, .. }
            | Self::Fault { connection, .. } => Some(*connection),
            Self::End { .. } => None,
        }
    }
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The connection broke off; what was on its way may be lost.
    Drop,
}

/// What a text must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// This.
    Text(String),
    /// One with this SHA-256 of its UTF-8, in lower-case hex: where it is long, or not to be shown.
    Sha256(String),
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

mod base64_option {
    use bytes::Bytes;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::base64_bytes::serialize(bytes, out),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        super::base64_bytes::deserialize(from).map(Some)
    }
}
