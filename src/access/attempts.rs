//! How often one network may knock, and how many sessions one user may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::Limits;

/// Networks that are remembered before those that have been quiet are forgotten.
const NETWORKS_REMEMBERED: usize = 10_000;

/// Counts attempts to get in, for each network.
pub struct Attempts(DefaultKeyedRateLimiter<IpAddr>);

impl Attempts {
    /// Nobody has knocked.
    pub fn new(limits: &Limits) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let per_s = at_least_one(limits.address_logins_per_s_max);
        let burst = at_least_one(limits.address_logins_burst_max);
        Self(RateLimiter::keyed(Quota::per_second(per_s).allow_burst(burst)))
    }

    /// Whether an address may knock now.
    pub fn allow(&self, address: IpAddr) -> bool {
        if self.0.len() > NETWORKS_REMEMBERED {
            self.0.retain_recent();
        }
        self.0.check_key(&network_of(address)).is_ok()
    }
}

/// What one person can easily have: one address of version 4, 2^64 of version 6.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(bits).into()
        }
    }
}

/// Counts the sessions of each user.
#[derive(Debug)]
pub struct Seats {
    max: usize,
    taken: Mutex<HashMap<Arc<str>, usize>>,
}

/// A user's place; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    subject: Arc<str>,
}

impl Seats {
    /// All are free; a user may take `max`.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// Takes one, or `None` where the user has all of them.
    pub fn take(self: &Arc<Self>, subject: &Arc<str>) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(subject.clone()).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Seat { seats: self.clone(), subject: subject.clone() })
    }

    /// How many one user may have.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.subject) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_may_knock_so_often_and_others_do_not_notice() {
        let limits = Limits {
            address_logins_per_s_max: 1,
            address_logins_burst_max: 3,
            ..Limits::default()
        };
        let attempts = Attempts::new(&limits);
        let ann: IpAddr = "2001:db8::1".parse().expect("an address");
        let neighbour: IpAddr = "2001:db8::2".parse().expect("an address");
        let bo: IpAddr = "192.0.2.1".parse().expect("an address");
        assert!(attempts.allow(ann) && attempts.allow(neighbour) && attempts.allow(ann));
        assert!(!attempts.allow(neighbour));
        assert!(attempts.allow(bo));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(network_of(mapped), bo);
    }

    #[test]
    fn seats_are_given_back() {
        let seats = Seats::new(1);
        let (ann, bo) = (Arc::from("ann"), Arc::from("bo"));
        let seat = seats.take(&ann);
        assert!(seat.is_some());
        assert!(seats.take(&ann).is_none());
        assert!(seats.take(&bo).is_some());
        drop(seat);
        assert!(seats.take(&ann).is_some());
    }
}
