//! The y-sweet dialect: y-websocket, and one message of its own, with which a client learns whether
//! what it sent is saved. Source: `docs/protocol.md`, y-sweet.

use bytes::{Bytes, BytesMut};

use super::lib0::{Reader, put_var_bytes, put_var_uint};
use super::{Frame, Message, Reply, WireError, y_websocket};

/// "I have counted so many changes; say so when they are saved", and the answer.
const SYNC_STATUS: u64 = 102;

/// Bytes of the payload of a sync status; stock clients send a var-uint.
const STATUS_BYTES_MAX: usize = 64;

/// Reads the first message of a frame.
///
/// # Errors
/// The bytes are not a message of this dialect.
pub fn decode(frame: Bytes) -> Result<Message, WireError> {
    let mut reader = Reader::new(frame.clone());
    if reader.var_uint()? != SYNC_STATUS {
        return y_websocket::decode(frame);
    }
    let payload = reader.var_bytes()?;
    if payload.len() > STATUS_BYTES_MAX {
        return Err(WireError::NumberTooLarge);
    }
    // A copy: what was read is a view into a whole message.
    Ok(Message::Checkpoint { payload: Bytes::copy_from_slice(&payload) })
}

/// Writes a reply, or `None` where this dialect has no word for it.
pub fn encode(reply: &Reply) -> Option<Frame> {
    let Reply::Checkpoint { payload } = reply else { return y_websocket::encode(reply) };
    let mut head = BytesMut::with_capacity(payload.len() + 2);
    put_var_uint(&mut head, SYNC_STATUS);
    put_var_bytes(&mut head, payload);
    Some(Frame::new(head, &Bytes::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_status_comes_back_byte_for_byte() {
        let frame = Bytes::from_static(&[102, 2, 0x80, 1]);
        let Ok(Message::Checkpoint { payload }) = decode(frame.clone()) else {
            panic!("a checkpoint was expected")
        };
        assert_eq!(encode(&Reply::Checkpoint { payload }).map(|f| f.head), Some(frame));
    }

    #[test]
    fn the_rest_is_y_websocket() {
        let asked = decode(Bytes::from_static(&[3, 1, 0]));
        assert_eq!(asked, Ok(Message::QueryAwareness));
        let mut long = vec![102, 65];
        long.resize(67, 0);
        assert_eq!(decode(long.into()), Err(WireError::NumberTooLarge));
        assert_eq!(decode(Bytes::from_static(&[102, 9, 1])), Err(WireError::Truncated));
    }
}
