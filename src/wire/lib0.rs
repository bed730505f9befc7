//! The byte code that all Yjs wires share: var-uints, byte strings, UTF-8 strings.
//!
//! Reading never panics and never allocates for a length it has not checked against the bytes that
//! are left. What it returns are slices of the frame, not copies. Source: `docs/protocol.md`, Bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::WireError;

/// Reads one frame from front to back.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    /// Starts at the first byte of `frame`.
    pub fn new(frame: Bytes) -> Self {
        Self { rest: frame }
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that have not been read.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// An unsigned number of at most 64 bits: seven bits a byte, lowest first.
    ///
    /// # Errors
    /// The frame ends inside the number, or the number does not fit.
    pub fn var_uint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().copied().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return Err(WireError::NumberTooLarge);
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.slice(index + 1..);
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::NumberTooLarge })
    }

    /// A var-uint length and so many bytes.
    ///
    /// # Errors
    /// The frame is shorter than the length says.
    pub fn var_bytes(&mut self) -> Result<Bytes, WireError> {
        let len = self.var_uint()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => Ok(self.rest.split_to(len)),
            _ => Err(WireError::Truncated),
        }
    }

    /// A var-uint length in bytes and so many bytes of UTF-8.
    ///
    /// # Errors
    /// The frame is shorter than the length says, or the bytes are not UTF-8.
    pub fn var_string(&mut self) -> Result<Text, WireError> {
        let bytes = self.var_bytes()?;
        Text::from_utf8(bytes)
    }
}

/// UTF-8 that shares the bytes of the frame it came in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Checks that `bytes` are UTF-8.
    ///
    /// # Errors
    /// They are not.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, WireError> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(WireError::NotUtf8),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked in `from_utf8`; the empty string cannot be reached.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Appends an unsigned number: seven bits a byte, lowest first.
pub fn put_var_uint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Appends a var-uint length and the bytes.
pub fn put_var_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_var_uint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went() {
        for value in [0, 1, 127, 128, 16_383, 16_384, (1 << 53) - 1, u64::MAX] {
            let mut out = BytesMut::new();
            put_var_uint(&mut out, value);
            let mut reader = Reader::new(out.freeze());
            assert_eq!(reader.var_uint(), Ok(value));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let read = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes));
        assert_eq!(read(&[]).var_uint(), Err(WireError::Truncated));
        assert_eq!(read(&[0x80, 0x80]).var_uint(), Err(WireError::Truncated));
        assert_eq!(read(&[0xff; 10]).var_uint(), Err(WireError::NumberTooLarge));
        assert_eq!(read(&[0xff; 11]).var_uint(), Err(WireError::NumberTooLarge));
        assert_eq!(read(&[5, 1, 2]).var_bytes(), Err(WireError::Truncated));
        let huge = read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).var_bytes();
        assert_eq!(huge, Err(WireError::Truncated));
        assert_eq!(read(&[2, 0xc3, 0x28]).var_string(), Err(WireError::NotUtf8));
    }
}
