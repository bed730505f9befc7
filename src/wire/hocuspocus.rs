//! The Hocuspocus dialect: frame = address (var-string), type (var-uint), body.
//!
//! The address is the document's name, with NUL and a session id behind it where the provider is
//! session-aware; replies carry the same address. One message a frame; what follows is ignored.
//! Source: `docs/protocol.md`, Hocuspocus.

use bytes::{Bytes, BytesMut};

use super::lib0::{Reader, Text, put_var_bytes, put_var_uint};
use super::{Frame, Message, Reply, Scope, WireError, awareness, y_websocket};

/// Message types.
const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SYNC_REPLY: u64 = 4;
const STATELESS: u64 = 5;
const BROADCAST_STATELESS: u64 = 6;
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;

/// Sub-types of an auth message.
const AUTH_TOKEN: u64 = 0;
const AUTH_DENIED: u64 = 1;
const AUTH_ACCEPTED: u64 = 2;

/// The longest address, in bytes: a document's name, NUL, and a session id. Providers make session ids
/// of about ten characters.
const ADDRESS_BYTES_MAX: usize = 1024 + 1 + 255;

/// Separates name and session id in an address.
const SESSION_SEPARATOR: char = '\0';

/// A frame whose address and type could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    /// Name, or name, NUL and session id, as the client wrote it.
    pub address: Text,
    /// The message, or why its body is none. [`WireError::UnknownType`] is to be ignored.
    pub message: Result<Message, WireError>,
}

/// The document's name in an address.
pub fn name_of(address: &Text) -> &str {
    let address = address.as_str();
    address.split_once(SESSION_SEPARATOR).map_or(address, |(name, _)| name)
}

/// Reads the first message of a frame.
///
/// # Errors
/// Address or type cannot be read: the peer does not speak this dialect.
pub fn decode(frame: Bytes) -> Result<Addressed, WireError> {
    let mut reader = Reader::new(frame);
    let address = reader.var_string()?;
    if address.as_str().len() > ADDRESS_BYTES_MAX {
        return Err(WireError::NumberTooLarge);
    }
    let kind = reader.var_uint()?;
    Ok(Addressed { address, message: decode_body(kind, &mut reader) })
}

/// Writes a reply under the address that the client uses, or `None` where this dialect has no word
/// for it.
pub fn encode(address: &Text, reply: &Reply) -> Option<Frame> {
    let mut head = BytesMut::with_capacity(address.as_str().len() + 16);
    put_var_bytes(&mut head, address.as_str().as_bytes());
    match reply {
        Reply::SyncStep1 { .. } | Reply::SyncStep2 { .. } | Reply::Update { .. } => {
            put_var_uint(&mut head, SYNC);
            return Some(y_websocket::encode_sync(head, reply));
        }
        Reply::Awareness { body } => {
            put_var_uint(&mut head, AWARENESS);
            return Some(awareness::frame(head, body));
        }
        // y-sweet's; nobody asks for it here.
        Reply::Checkpoint { .. } => return None,
        Reply::Saved => {
            put_var_uint(&mut head, SYNC_STATUS);
            put_var_uint(&mut head, 1);
        }
        Reply::NotSaved { reason, .. } => {
            put_var_uint(&mut head, SYNC_STATUS);
            put_var_uint(&mut head, 0);
            // Stock providers read the number only.
            put_var_bytes(&mut head, reason.as_str().as_bytes());
        }
        Reply::Authenticated { scope } => {
            put_var_uint(&mut head, AUTH);
            put_var_uint(&mut head, AUTH_ACCEPTED);
            put_var_bytes(&mut head, scope_word(*scope).as_bytes());
        }
        Reply::Denied { reason } => {
            put_var_uint(&mut head, AUTH);
            put_var_uint(&mut head, AUTH_DENIED);
            put_var_bytes(&mut head, reason.as_str().as_bytes());
        }
        Reply::QueryAwareness => put_var_uint(&mut head, QUERY_AWARENESS),
        Reply::TokenWanted => {
            put_var_uint(&mut head, AUTH);
            put_var_uint(&mut head, AUTH_TOKEN);
        }
        Reply::Stateless { payload } => {
            put_var_uint(&mut head, STATELESS);
            put_var_bytes(&mut head, payload.as_str().as_bytes());
        }
        Reply::Closed { reason } => {
            put_var_uint(&mut head, CLOSE);
            put_var_bytes(&mut head, reason.as_str().as_bytes());
        }
    }
    Some(Frame::new(head, &Bytes::new()))
}

fn decode_body(kind: u64, reader: &mut Reader) -> Result<Message, WireError> {
    match kind {
        // A sync reply is meant for servers; the reference server reads it as a sync.
        SYNC | SYNC_REPLY => y_websocket::decode_sync(reader),
        AWARENESS => y_websocket::decode_awareness(reader),
        AUTH => decode_auth(reader),
        QUERY_AWARENESS => Ok(Message::QueryAwareness),
        STATELESS => Ok(Message::Stateless { payload: reader.var_string()? }),
        BROADCAST_STATELESS => Err(WireError::ServersOnly { kind }),
        CLOSE => Ok(Message::Close),
        _ => Err(WireError::UnknownType { kind }),
    }
}

fn decode_auth(reader: &mut Reader) -> Result<Message, WireError> {
    let kind = reader.var_uint()?;
    if kind != AUTH_TOKEN {
        return Err(WireError::UnknownSubType { of: AUTH, kind });
    }
    let token = reader.var_string()?;
    // Providers before 4.0 end here.
    let version = if reader.is_empty() { None } else { Some(reader.var_string()?) };
    Ok(Message::Token { token, version })
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::ReadWrite => "read-write",
        Scope::ReadOnly => "readonly",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> Result<Addressed, WireError> {
        decode(Bytes::from_static(bytes))
    }

    #[test]
    fn a_token_is_read_with_and_without_a_version() {
        let token = |version: Option<&str>| {
            Ok(Message::Token { token: "t".into(), version: version.map(Text::from) })
        };
        assert_eq!(read(b"\x01d\x02\x00\x01t").map(|a| a.message), Ok(token(None)));
        let with_version = read(b"\x01d\x02\x00\x01t\x054.8.0").map(|a| a.message);
        assert_eq!(with_version, Ok(token(Some("4.8.0"))));
    }

    #[test]
    fn an_address_keeps_its_session_id_and_names_the_document() {
        let frame = read(b"\x05d/e\x00s\x07").expect("a readable frame");
        assert_eq!(frame.address.as_str(), "d/e\0s");
        assert_eq!(name_of(&frame.address), "d/e");
        assert_eq!(frame.message, Ok(Message::Close));
    }

    #[test]
    fn without_address_or_type_it_is_no_frame() {
        for bytes in [&b""[..], b"\x09", b"\x0a", b"\x05ab", b"\x01d", b"\x02\xc3\x28\x00"] {
            assert!(decode(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_still_tells_its_address() {
        for (bytes, why) in [
            (&b"\x01d\x00\x07"[..], WireError::UnknownSubType { of: 0, kind: 7 }),
            (b"\x01d\x00\x02\x09a", WireError::Truncated),
            (b"\x01d\x06\x01x", WireError::ServersOnly { kind: 6 }),
            (b"\x01d\x63", WireError::UnknownType { kind: 0x63 }),
            (b"\x01d\x02\x01", WireError::UnknownSubType { of: 2, kind: 1 }),
        ] {
            let frame = decode(Bytes::copy_from_slice(bytes)).expect("address and type are there");
            assert_eq!((frame.address.as_str(), frame.message), ("d", Err(why)));
        }
    }

    #[test]
    fn replies_are_written_as_the_provider_reads_them() {
        let address = Text::from("d\0s");
        let bytes = |reply| encode(&address, &reply).expect("a word for it").head;
        assert_eq!(&bytes(Reply::Saved)[..], b"\x03d\0s\x08\x01");
        assert_eq!(
            &bytes(Reply::NotSaved { reason: "full".into(), lasting: true })[..],
            b"\x03d\0s\x08\x00\x04full"
        );
        let accepted = bytes(Reply::Authenticated { scope: Scope::ReadWrite });
        assert_eq!(&accepted[..], b"\x03d\0s\x02\x02\x0aread-write");
        assert_eq!(&bytes(Reply::Closed { reason: "x".into() })[..], b"\x03d\0s\x07\x01x");
    }
}
