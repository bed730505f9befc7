//! The awareness body: who is here and where, as Yjs clients tell each other.
//!
//! Bytes: count (var-uint), then per entry client id (var-uint), clock (var-uint), JSON text
//! (var-string; the text `null` says that the client left). The JSON is not parsed here. Most bodies
//! that come from clients are reflections; so a body is read only where somebody looks into it.

use bytes::{Bytes, BytesMut};

use super::lib0::{Reader, Text, put_var_bytes, put_var_uint};
use super::{Frame, WireError};

/// The smallest entry: one byte each for id, clock, length; the text may be empty.
const ENTRY_BYTES_MIN: usize = 3;

/// Entries of one body. Stock clients reflect everybody whom they see, so it is many.
const ENTRIES_MAX: u64 = 1 << 14;

/// The state of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The CRDT's number of the client, below 2^53.
    pub client: u64,
    /// Grows with every change of the state.
    pub clock: u64,
    /// JSON; `null` says that the client left.
    pub state: Text,
}

impl Entry {
    /// Whether this entry says that the client left.
    pub fn is_gone(&self) -> bool {
        self.state.as_str() == "null"
    }
}

/// The entries of a body whose count has been read and can be true.
#[derive(Debug)]
pub struct Entries {
    count: usize,
    /// Bytes of the whole body.
    body_bytes: usize,
    reader: Reader,
}

impl Entries {
    /// Reads the count of a body.
    ///
    /// # Errors
    /// The body is cut, or has fewer bytes than so many entries take up.
    pub fn new(body: Bytes) -> Result<Self, WireError> {
        let body_bytes = body.len();
        let mut reader = Reader::new(body);
        let count = reader.var_uint()?;
        if count > (reader.len() / ENTRY_BYTES_MIN) as u64 {
            return Err(WireError::Truncated);
        }
        if count > ENTRIES_MAX {
            return Err(WireError::NumberTooLarge);
        }
        Ok(Self { count: count as usize, body_bytes, reader })
    }

    /// How many entries there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of all entries, behind the count.
    pub fn bytes(&self) -> usize {
        self.reader.len()
    }

    /// Where in the body each entry begins, and the end of the last.
    ///
    /// # Errors
    /// The body is cut.
    pub fn bounds(mut self) -> Result<Vec<usize>, WireError> {
        let mut bounds = Vec::with_capacity(self.count + 1);
        bounds.push(self.body_bytes - self.reader.len());
        for _ in 0..self.count {
            self.reader.var_uint()?;
            self.reader.var_uint()?;
            self.reader.var_bytes()?;
            bounds.push(self.body_bytes - self.reader.len());
        }
        Ok(bounds)
    }
}

/// Reads an awareness body.
///
/// # Errors
/// The body is cut, a count is not possible, a client id is 2^53 or more, or a text is not UTF-8.
pub fn decode(body: Bytes) -> Result<Vec<Entry>, WireError> {
    let Entries { count, mut reader, .. } = Entries::new(body)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let client = reader.var_uint()?;
        if client >= 1 << 53 {
            return Err(WireError::NumberTooLarge);
        }
        let clock = reader.var_uint()?;
        let state = reader.var_string()?;
        entries.push(Entry { client, clock, state });
    }
    Ok(entries)
}

/// Writes an awareness body. An empty one is a harmless filler that keeps idle clients connected.
pub fn encode<'a>(entries: impl ExactSizeIterator<Item = &'a Entry>) -> Bytes {
    let mut out = BytesMut::new();
    put_var_uint(&mut out, entries.len() as u64);
    for entry in entries {
        put_var_uint(&mut out, entry.client);
        put_var_uint(&mut out, entry.clock);
        put_var_bytes(&mut out, entry.state.as_str().as_bytes());
    }
    out.freeze()
}

/// The frame `head, buffer(body)` that both dialects use for awareness.
pub(super) fn frame(mut head: BytesMut, body: &Bytes) -> Frame {
    put_var_uint(&mut head, body.len() as u64);
    Frame::new(head, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_went() {
        let entries = vec![
            Entry { client: (1 << 53) - 1, clock: 7, state: r#"{"user":{"name":"Ann"}}"#.into() },
            Entry { client: 0, clock: 0, state: "null".into() },
        ];
        assert_eq!(decode(encode(entries.iter())), Ok(entries));
        assert_eq!(encode([].iter()).as_ref(), [0]);
    }

    #[test]
    fn impossible_bodies_are_refused_before_anything_is_allocated() {
        let bomb = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
        assert_eq!(decode(bomb), Err(WireError::Truncated));
        let id = Bytes::from_static(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 0]);
        assert_eq!(decode(id), Err(WireError::NumberTooLarge));
    }
}
