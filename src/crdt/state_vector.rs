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
    /// Whether bytes are a state vector as clients send them: its count fits its length, its client
    /// ids are below 2^53. Nothing is allocated.
    pub fn is_one(bytes: &[u8]) -> bool {
        Self::each(bytes, |_, _| {}).is_some()
    }

    /// Calls `take` with each client id and clock of an encoded state vector; clocks over 2^32 - 1
    /// are taken as that. `None` where the bytes are no state vector.
    pub fn each(bytes: &[u8], mut take: impl FnMut(u64, u32)) -> Option<()> {
        let mut rest = bytes;
        let count = var_uint(&mut rest)?;
        if count > (rest.len() / 2) as u64 {
            return None;
        }
        for _ in 0..count {
            let client = var_uint(&mut rest)?;
            let clock = var_uint(&mut rest)?;
            if client >= 1 << 53 {
                return None;
            }
            take(client, u32::try_from(clock).unwrap_or(u32::MAX));
        }
        Some(())
    }

    /// What of an encoded state vector is about client ids that are in this one. Clients may declare
    /// any number of others.
    pub fn known_part(&self, encoded: &[u8]) -> Self {
        let mut known = Self::default();
        // Bytes that end early have said all they say.
        let _ = Self::each(encoded, |client, clock| {
            if self.0.get(&ClientID::new(client)) > 0 {
                known.raise(client, clock);
            }
        });
        known
    }

    /// Bytes as clients read them.
    pub fn encode(&self) -> Bytes {
        self.0.encode_v1().into()
    }

    /// Whether it covers a clock.
    pub fn has(&self, client: u64, clock: u32) -> bool {
        clock < self.0.get(&ClientID::new(client))
    }

    /// Raises the clock of one client id to at least `clock`.
    pub fn raise(&mut self, client: u64, clock: u32) {
        self.0.set_max(ClientID::new(client), clock);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_state_vectors_are_state_vectors() {
        for bytes in [&[0][..], &[1, 7, 3], &[2, 7, 3, 8, 0xff, 0xff, 0xff, 0xff, 0x1f]] {
            assert!(StateVector::is_one(bytes), "{bytes:?}");
        }
        let count = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1];
        let id = [1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1];
        for bytes in [&[][..], &[1], &[1, 7], &count, &id] {
            assert!(!StateVector::is_one(bytes), "{bytes:?}");
        }
    }
}
