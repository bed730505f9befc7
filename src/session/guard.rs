//! Looks at the header of every incoming WebSocket frame before the frame is gathered.
//!
//! The WebSocket library notices that a frame is over the limit only when all of it is in memory,
//! and takes a length of gigabytes as a reason to wait; so lengths are checked here, as the bytes
//! pass by. What is wrong is noted, and the stream ends.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::dev;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

/// The longest frame header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Pieces up to this size are copied out of the read buffer.
const COPIED_BYTES_MAX: usize = 4096;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The message is over the limit, in one frame or in all its fragments.
    TooBig,
    /// A bit that only extensions use, and none was agreed on.
    ReservedBits,
}

/// Where a [`Guard`] notes what is wrong; stays with the reader.
#[derive(Debug, Clone, Default)]
pub struct Faults(Rc<Cell<Option<Fault>>>);

impl Faults {
    /// What was wrong, if anything.
    pub fn noted(&self) -> Option<Fault> {
        self.0.get()
    }
}

/// Bytes of a socket that passed the check.
pub struct Guard {
    payload: dev::Payload,
    scan: Scan,
    faults: Faults,
}

impl Guard {
    /// Lets messages of up to `bytes_max` bytes pass.
    pub fn new(payload: dev::Payload, bytes_max: usize) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { payload, scan: Scan::new(bytes_max as u64), faults: faults.clone() }, faults)
    }
}

impl Stream for Guard {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.payload).poll_next(cx);
        let Poll::Ready(Some(Ok(bytes))) = polled else { return polled };
        match this.scan.pass(&bytes) {
            Ok(()) => Poll::Ready(Some(Ok(unshared(bytes)))),
            Err(fault) => {
                this.faults.0.set(Some(fault));
                Poll::Ready(Some(Err(PayloadError::Overflow)))
            }
        }
    }
}

/// A few bytes are a view into the connection's read buffer; whoever keeps them, or what is left of
/// them, would keep all of it.
fn unshared(bytes: Bytes) -> Bytes {
    if bytes.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&bytes) } else { bytes }
}

/// Where in the stream of frames the next byte stands.
#[derive(Debug)]
struct Scan {
    bytes_max: u64,
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    /// Bytes of the current frame that are still to come.
    left: u64,
    /// Bytes of the current message in the frames before.
    message: u64,
}

impl Scan {
    fn new(bytes_max: u64) -> Self {
        Self { bytes_max, header: [0; HEADER_BYTES_MAX], header_len: 0, left: 0, message: 0 }
    }

    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len() as u64);
                self.left -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len == self.header_size() {
                self.frame()?;
            }
        }
        Ok(())
    }

    /// Bytes of the header, as far as it is known; grows while it is read.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return HEADER_BYTES_MAX;
        }
        let length = match self.header[1] & LENGTH {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        2 + length + if self.header[1] & MASKED == 0 { 0 } else { 4 }
    }

    /// A header is complete.
    fn frame(&mut self) -> Result<(), Fault> {
        let [first, second, ..] = self.header;
        if first & RESERVED != 0 {
            return Err(Fault::ReservedBits);
        }
        let field = |size: usize| self.header[2..2 + size].iter();
        let length = match second & LENGTH {
            LENGTH_16 => field(2).fold(0, |length, byte| length << 8 | u64::from(*byte)),
            LENGTH_64 => field(8).fold(0, |length, byte| length << 8 | u64::from(*byte)),
            length => u64::from(length),
        };
        if first & CONTROL == 0 {
            self.message = self.message.saturating_add(length);
            if self.message > self.bytes_max {
                return Err(Fault::TooBig);
            }
            if first & FINAL != 0 {
                self.message = 0;
            }
        } else if length > self.bytes_max {
            return Err(Fault::TooBig);
        }
        self.header_len = 0;
        self.left = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: u8 = 2;
    const MORE: u8 = 0;
    const PING: u8 = 9;

    /// A masked frame; the mask is zero.
    fn frame(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(MASKED | length as u8),
            126..65_536 => {
                bytes.push(MASKED | LENGTH_16);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | LENGTH_64);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes
    }

    fn with_payload(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = frame(first, length);
        bytes.resize(bytes.len() + length as usize, 0xff);
        bytes
    }

    #[test]
    fn frames_within_the_limit_pass_however_they_are_cut() {
        let mut bytes = Vec::new();
        for length in [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000] {
            bytes.extend(with_payload(FINAL | BINARY, length));
        }
        for cut in [1, 2, 7, 1000, bytes.len()] {
            let mut scan = Scan::new(70_000);
            for piece in bytes.chunks(cut) {
                assert_eq!(scan.pass(piece), Ok(()), "cut into pieces of {cut}");
            }
        }
    }

    #[test]
    fn a_length_over_the_limit_is_noticed_before_the_payload_comes() {
        for length in [1001, 1 << 30, 1 << 62, u64::MAX] {
            assert_eq!(Scan::new(1000).pass(&frame(FINAL | BINARY, length)), Err(Fault::TooBig));
        }
    }

    #[test]
    fn fragments_count_together_and_pings_between_them_do_not() {
        let mut scan = Scan::new(1000);
        assert_eq!(scan.pass(&with_payload(BINARY, 600)), Ok(()));
        assert_eq!(scan.pass(&with_payload(FINAL | PING, 100)), Ok(()));
        assert_eq!(scan.pass(&with_payload(FINAL | MORE, 400)), Ok(()));
        assert_eq!(scan.pass(&with_payload(BINARY, 600)), Ok(()));
        assert_eq!(scan.pass(&frame(FINAL | MORE, 401)), Err(Fault::TooBig));
    }

    #[test]
    fn reserved_bits_are_a_fault() {
        let compressed = 0x40;
        let bytes = frame(FINAL | compressed | BINARY, 1);
        assert_eq!(Scan::new(1000).pass(&bytes), Err(Fault::ReservedBits));
    }
}
