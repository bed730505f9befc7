//! WebSocket frames as a client reads and writes them.

/// A frame with a whole message, or the last part of one, is marked so.
const LAST: u8 = 0x80;
/// What a client sends is masked. The key is zero, so that masking changes nothing.
const MASKED: u8 = 0x80;

/// Kinds of frames.
pub const CONTINUATION: u8 = 0;
/// A message of bytes.
pub const BINARY: u8 = 2;
/// The other side says goodbye.
pub const CLOSE: u8 = 8;
/// Wants a pong with the same bytes.
pub const PING: u8 = 9;
/// The answer to a ping.
pub const PONG: u8 = 10;

/// Where in the bytes a frame's payload lies.
#[derive(Debug, PartialEq)]
pub struct Head {
    /// One of the kinds above, or one that nobody needs here.
    pub kind: u8,
    /// Whether the message ends with this frame.
    pub last: bool,
    /// Bytes before the payload.
    pub start: usize,
    /// Bytes before the next frame.
    pub end: usize,
}

/// The frame at the front of `bytes`, or `None` while it has not come whole.
pub fn parse(bytes: &[u8]) -> Option<Head> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (start, len) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
        short => (2, u64::from(short)),
    };
    let end = usize::try_from(len).ok()?.checked_add(start)?;
    let whole = bytes.len() >= end;
    whole.then_some(Head { kind: first & 0x0f, last: first & LAST != 0, start, end })
}

/// Appends a frame whose payload is `parts`, one behind the other.
pub fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    out.push(LAST | kind);
    if len < 126 {
        out.push(MASKED | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(MASKED | 126);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(MASKED | 127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// What can be wrong without showing: frames of every size of head, torn at every byte.
pub fn check() {
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let mut bytes = Vec::new();
        put(&mut bytes, BINARY, &[&vec![7; len]]);
        // As a server would have sent it: without the key, and not marked as masked.
        let head = bytes.len() - len - 4;
        bytes.drain(head..head + 4);
        bytes[1] &= !MASKED;
        let whole = Head { kind: BINARY, last: true, start: head, end: bytes.len() };
        assert_eq!(parse(&bytes), Some(whole), "a frame of {len} bytes");
        for cut in (0..bytes.len()).take(200).chain([bytes.len() - 1]) {
            assert_eq!(parse(&bytes[..cut]), None, "{cut} bytes of a frame of {len}");
        }
    }
    assert_eq!(parse(&[0x82, 0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 0]), None);
}
