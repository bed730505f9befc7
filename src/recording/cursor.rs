//! Reads the numbers and texts of an update, and writes them.

use bytes::BytesMut;

use crate::wire::lib0::{put_var_bytes, put_var_uint};

/// A place in bytes. What is read past the end is `None`.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// Seven bits a byte, lowest first.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn clock(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub fn buffer(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.take(len)
    }

    pub fn string(&mut self) -> Option<String> {
        std::str::from_utf8(self.buffer()?).ok().map(str::to_owned)
    }

    /// What has been read since the cursor was at `before`.
    pub fn since(&self, before: &Cursor<'a>) -> &'a [u8] {
        &before.rest[..before.rest.len() - self.rest.len()]
    }

    /// The same place again.
    pub fn mark(&self) -> Self {
        Self { rest: self.rest }
    }
}

/// Writes what [`Cursor::number`] reads; lengths of anything in memory fit.
pub(super) fn put_number(out: &mut BytesMut, number: impl TryInto<u64>) {
    put_var_uint(out, number.try_into().unwrap_or(u64::MAX));
}

/// Writes what [`Cursor::string`] reads.
pub(super) fn put_string(out: &mut BytesMut, text: &str) {
    put_var_bytes(out, text.as_bytes());
}
