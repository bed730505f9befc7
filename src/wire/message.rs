//! What is said, whatever the dialect: [`Message`] from a client, [`Reply`] from the server.

use bytes::Bytes;

use super::Text;

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// "This is what I have; send me the rest."
    SyncStep1 {
        /// An encoded state vector, not yet looked into.
        state_vector: Bytes,
    },
    /// "This is what you lacked": the answer to the server's own step 1.
    SyncStep2 {
        /// A Yjs v1 update, not yet looked into.
        update: Bytes,
    },
    /// A change that has just been made.
    Update {
        /// A Yjs v1 update, not yet looked into.
        update: Bytes,
    },
    /// Who is here and where.
    Awareness {
        /// An awareness body, not yet looked into, see [`super::awareness::decode`].
        body: Bytes,
    },
    /// "Who is here?"
    QueryAwareness,
    /// A login, or a fresh token for a running session (Hocuspocus).
    Token {
        /// Empty where the client has none.
        token: Text,
        /// Version of the provider, which only 4.x and newer send.
        version: Option<Text>,
    },
    /// A message of the application, which the server carries without reading it (Hocuspocus).
    Stateless {
        /// Any text.
        payload: Text,
    },
    /// "I am leaving this document" (Hocuspocus); the socket stays.
    Close,
    /// "Say this back when everything that I sent before is saved" (y-sweet).
    Checkpoint {
        /// The client's own count; not read.
        payload: Bytes,
    },
}

impl Message {
    /// Bytes that it carries.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::SyncStep1 { state_vector } => state_vector.len(),
            Self::SyncStep2 { update } | Self::Update { update } => update.len(),
            Self::Awareness { body } => body.len(),
            Self::Stateless { payload } => payload.as_str().len(),
            Self::Checkpoint { payload } => payload.len(),
            Self::Token { token, .. } => token.as_str().len(),
            Self::QueryAwareness | Self::Close => 0,
        }
    }
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// "This is what I have; send me the rest."
    SyncStep1 {
        /// An encoded state vector.
        state_vector: Bytes,
    },
    /// The answer to a client's step 1.
    SyncStep2 {
        /// A Yjs v1 update.
        update: Bytes,
    },
    /// Changes that are in the log.
    Update {
        /// A Yjs v1 update.
        update: Bytes,
    },
    /// Who is here and where.
    Awareness {
        /// An encoded awareness body, see [`super::awareness::encode`].
        body: Bytes,
    },
    /// One update or step 2 of this session is on disk, and so is everything that it sent before.
    Saved,
    /// One update or step 2 of this session is not stored.
    NotSaved {
        /// For people.
        reason: Text,
        /// It will not be tried again.
        lasting: bool,
    },
    /// Everything that the session sent before this checkpoint is on disk.
    Checkpoint {
        /// As the client gave it.
        payload: Bytes,
    },
    /// "Say who you are": the session believes itself here and is not. What clients that reflect what
    /// they hear do by themselves, newer Hocuspocus providers have to be asked for.
    QueryAwareness,
    /// The login is about to expire: "send me a fresh token".
    TokenWanted,
    /// The login was accepted, or what the session may do has changed.
    Authenticated {
        /// What the session may do.
        scope: Scope,
    },
    /// The session may not (or cannot) take part in the document.
    Denied {
        /// For people.
        reason: Text,
    },
    /// A message of another client's application.
    Stateless {
        /// Any text.
        payload: Text,
    },
    /// The session's part in the document is over; the client may come back.
    Closed {
        /// For people.
        reason: Text,
    },
}

/// What an accepted session may do, in the words of the Hocuspocus wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// May change the document.
    ReadWrite,
    /// May only read it.
    ReadOnly,
}
