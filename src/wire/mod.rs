//! Bytes to messages and back, for every dialect that Yjs clients speak.
//!
//! Pure: no sockets, no clock, no CRDT. Updates and state vectors pass through as bytes; what is in
//! them is `crdt`'s business. Every dialect decodes to the same [`Message`] and encodes the same
//! [`Reply`]. The bytes are drawn in `docs/protocol.md`; recorded frames lie in `tests/fixtures`.

pub mod awareness;
pub mod hocuspocus;
pub mod lib0;
mod message;
pub mod y_sweet;
pub mod y_websocket;

use bytes::{Bytes, BytesMut};

pub use lib0::Text;
pub use message::{Message, Reply, Scope};

/// Payloads up to this size are copied behind their head, so that a frame is one piece of memory;
/// larger ones are shared between all frames that carry them.
const INLINE_BYTES_MAX: usize = 4096;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The frame ends before the message does.
    #[error("the frame ends before the message does")]
    Truncated,
    /// A number is larger than its field allows.
    #[error("a number in the frame is too large")]
    NumberTooLarge,
    /// A string is not UTF-8.
    #[error("a string in the frame is not UTF-8")]
    NotUtf8,
    /// A message type that this dialect does not have.
    #[error("message type {kind} is unknown")]
    UnknownType {
        /// The type that was read.
        kind: u64,
    },
    /// A sync or auth message of an unknown sub-type.
    #[error("sub-type {kind} of message type {of} is unknown")]
    UnknownSubType {
        /// The type it stands in.
        of: u64,
        /// The sub-type that was read.
        kind: u64,
    },
    /// A message that only servers send each other.
    #[error("message type {kind} is for servers only")]
    ServersOnly {
        /// The type that was read.
        kind: u64,
    },
}

/// One WebSocket message on its way out: a head of its own and a payload that may be shared with
/// the frames of other connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What is this frame's own; the whole frame where the payload is small.
    pub head: Bytes,
    /// What is shared; may be empty.
    pub payload: Bytes,
}

impl Frame {
    /// Joins a head and a payload, copying small payloads and sharing large ones.
    fn new(mut head: BytesMut, payload: &Bytes) -> Self {
        if payload.len() <= INLINE_BYTES_MAX {
            head.extend_from_slice(payload);
            return Self { head: head.freeze(), payload: Bytes::new() };
        }
        Self { head: head.freeze(), payload: payload.clone() }
    }

    /// Bytes of the whole message.
    pub fn len(&self) -> usize {
        self.head.len() + self.payload.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How one session's replies are put into bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// y-websocket: the socket is the document.
    YWebsocket,
    /// y-sweet: as y-websocket, and the client may ask whether what it sent is saved.
    YSweet,
    /// Hocuspocus: every frame starts with the address that the client uses for the document.
    Hocuspocus {
        /// The document name as the client wrote it, with NUL and session id where it sends one.
        address: Text,
    },
}

impl Dialect {
    /// The frame for a reply, or `None` where the dialect has no word for it.
    pub fn encode(&self, reply: &Reply) -> Option<Frame> {
        match self {
            Self::YWebsocket => y_websocket::encode(reply),
            Self::YSweet => y_sweet::encode(reply),
            Self::Hocuspocus { address } => hocuspocus::encode(address, reply),
        }
    }
}
