//! The y-websocket dialect: frame = type (var-uint), body. One message a frame; what follows the
//! first message is ignored, as the reference server does. Source: `docs/protocol.md`, y-websocket.

use bytes::{Bytes, BytesMut};

use super::lib0::{Reader, put_var_bytes, put_var_uint};
use super::{Frame, Message, Reply, WireError, awareness};

/// Message types.
const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

/// Sub-types of a sync message; the same in every dialect.
const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;

/// Sub-type of an auth message.
const AUTH_DENIED: u64 = 0;

/// Reads the first message of a frame.
///
/// # Errors
/// The bytes are not a message of this dialect.
pub fn decode(frame: Bytes) -> Result<Message, WireError> {
    let mut reader = Reader::new(frame);
    match reader.var_uint()? {
        SYNC => decode_sync(&mut reader),
        AWARENESS => decode_awareness(&mut reader),
        QUERY_AWARENESS => Ok(Message::QueryAwareness),
        kind => Err(WireError::UnknownType { kind }),
    }
}

/// Writes a reply, or `None` where this dialect has no word for it.
pub fn encode(reply: &Reply) -> Option<Frame> {
    let mut head = BytesMut::with_capacity(16);
    let frame = match reply {
        Reply::SyncStep1 { .. } | Reply::SyncStep2 { .. } | Reply::Update { .. } => {
            put_var_uint(&mut head, SYNC);
            encode_sync(head, reply)
        }
        Reply::Awareness { body } => {
            put_var_uint(&mut head, AWARENESS);
            awareness::frame(head, body)
        }
        // Stock clients print the reason on their console.
        Reply::Denied { reason } | Reply::NotSaved { reason, .. } => {
            put_var_uint(&mut head, AUTH);
            put_var_uint(&mut head, AUTH_DENIED);
            put_var_bytes(&mut head, reason.as_str().as_bytes());
            Frame::new(head, &Bytes::new())
        }
        // An acknowledgement is the echo of the update itself; a close is the socket's.
        Reply::Saved
        | Reply::Checkpoint { .. }
        | Reply::QueryAwareness
        | Reply::TokenWanted
        | Reply::Authenticated { .. }
        | Reply::Stateless { .. }
        | Reply::Closed { .. } => return None,
    };
    Some(frame)
}

pub(super) fn decode_sync(reader: &mut Reader) -> Result<Message, WireError> {
    let kind = reader.var_uint()?;
    match kind {
        STEP_1 => Ok(Message::SyncStep1 { state_vector: reader.var_bytes()? }),
        STEP_2 => Ok(Message::SyncStep2 { update: reader.var_bytes()? }),
        UPDATE => Ok(Message::Update { update: reader.var_bytes()? }),
        _ => Err(WireError::UnknownSubType { of: SYNC, kind }),
    }
}

pub(super) fn decode_awareness(reader: &mut Reader) -> Result<Message, WireError> {
    Ok(Message::Awareness { body: reader.var_bytes()? })
}

/// Puts sub-type and buffer of a sync reply behind `head`.
pub(super) fn encode_sync(mut head: BytesMut, reply: &Reply) -> Frame {
    let (kind, payload) = match reply {
        Reply::SyncStep1 { state_vector } => (STEP_1, state_vector),
        Reply::SyncStep2 { update } => (STEP_2, update),
        Reply::Update { update } => (UPDATE, update),
        _ => unreachable!("only sync replies come here"),
    };
    put_var_uint(&mut head, kind);
    put_var_uint(&mut head, payload.len() as u64);
    Frame::new(head, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reply: &Reply) -> Option<Bytes> {
        encode(reply).map(|frame| frame.head)
    }

    #[test]
    fn sync_messages_are_read() {
        let read = |bytes: &'static [u8]| decode(Bytes::from_static(bytes));
        let payload = Bytes::from_static(&[0]);
        assert_eq!(read(&[0, 0, 1, 0]), Ok(Message::SyncStep1 { state_vector: payload }));
        let payload = Bytes::from_static(&[0, 0]);
        let step_2 = Message::SyncStep2 { update: payload.clone() };
        assert_eq!(read(&[0, 1, 2, 0, 0]), Ok(step_2));
        assert_eq!(read(&[0, 2, 2, 0, 0]), Ok(Message::Update { update: payload }));
        assert_eq!(read(&[3, 9, 9]), Ok(Message::QueryAwareness));
    }

    #[test]
    fn what_is_not_a_message_says_why() {
        let read = |bytes: &'static [u8]| decode(Bytes::from_static(bytes));
        assert_eq!(read(&[]), Err(WireError::Truncated));
        assert_eq!(read(&[0, 3, 0]), Err(WireError::UnknownSubType { of: 0, kind: 3 }));
        assert_eq!(read(&[102, 1, 0]), Err(WireError::UnknownType { kind: 102 }));
        assert_eq!(read(&[0, 2, 200, 1, 0]), Err(WireError::Truncated));
    }

    #[test]
    fn replies_are_written_as_stock_clients_read_them() {
        let update = Bytes::from_static(&[0, 0]);
        let wrote = bytes(&Reply::SyncStep2 { update: update.clone() });
        assert_eq!(wrote.as_deref(), Some(&[0, 1, 2, 0, 0][..]));
        let wrote = bytes(&Reply::Update { update });
        assert_eq!(wrote.as_deref(), Some(&[0, 2, 2, 0, 0][..]));
        let wrote = bytes(&Reply::Denied { reason: "no".into() });
        assert_eq!(wrote.as_deref(), Some(&[2, 0, 2, b'n', b'o'][..]));
        assert_eq!(bytes(&Reply::Saved), None);
    }

    #[test]
    fn a_large_payload_is_shared_and_a_small_one_copied() {
        let update = Bytes::from(vec![7; 100_000]);
        let frame = encode(&Reply::Update { update: update.clone() }).expect("updates have a word");
        assert_eq!(frame.payload.as_ptr(), update.as_ptr());
        assert_eq!(frame.len(), 100_000 + 1 + 1 + 3);
    }
}
