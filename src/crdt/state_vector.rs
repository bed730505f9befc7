//! What a replica, ours or a client's, says it has.
//!
//! Read from bytes of strangers, so counts and ids are checked before anything is allocated.

use bytes::Bytes;
use yrs::ClientID;
use yrs::updates::encoder::Encode;

/// Per client id, the next clock that is expected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateVector(pub(super) yrs::StateVector);

impl StateVector {
    /// Reads the encoding that clients send; counts and ids are checked before anything is
    /// allocated. Clocks over 2^32 - 1 are taken as that.
    ///
    /// Returns `None` where the bytes are no state vector.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let count = var_uint(&mut rest)?;
        if count > (rest.len() / 2) as u64 {
            return None;
        }
        let mut vector = yrs::StateVector::default();
        for _ in 0..count {
            let client = var_uint(&mut rest)?;
            let clock = var_uint(&mut rest)?;
            if client >= 1 << 53 {
                return None;
            }
            vector.set_max(ClientID::new(client), u32::try_from(clock).unwrap_or(u32::MAX));
        }
        Some(Self(vector))
    }

    /// Bytes as clients read them.
    pub fn encode(&self) -> Bytes {
        self.0.encode_v1().into()
    }

    /// Lowers the clock of one client id to at most `clock`.
    pub fn lower(&mut self, client: u64, clock: u32) {
        self.0.set_min(ClientID::new(client), clock);
    }
}

fn var_uint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
