//! How many sockets may be open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::network_of;
use crate::config::Limits;

/// Counts open sockets.
#[derive(Debug)]
pub struct Doors {
    max: usize,
    address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place for one socket; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    doors: Arc<Doors>,
    address: Option<IpAddr>,
}

/// Why there is no place. The texts are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The server is full.
    #[error("the server has its limit of {max} connections; please try again later")]
    Full {
        /// The limit.
        max: usize,
    },
    /// The address has its share.
    #[error("your address has its limit of {max} connections; please close some")]
    AddressFull {
        /// The limit.
        max: usize,
    },
}

impl Doors {
    /// Nobody is here yet.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max: limits.connections_max,
            address_max: limits.address_connections_max,
            open: Mutex::default(),
        })
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`NoPlace`] says which limit is met.
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, NoPlace> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.max {
            return Err(NoPlace::Full { max: self.max });
        }
        let address = address.map(network_of);
        if let Some(address) = address {
            let count = open.by_address.entry(address).or_insert(0);
            if *count >= self.address_max {
                return Err(NoPlace::AddressFull { max: self.address_max });
            }
            *count += 1;
        }
        open.total += 1;
        Ok(Place { doors: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.doors.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = open.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let limits = Limits { connections_max: 2, address_connections_max: 1, ..Limits::default() };
        let doors = Doors::new(&limits);
        let (ann, bo) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = doors.enter(Some(ann)).expect("a place");
        assert_eq!(doors.enter(Some(ann)).err(), Some(NoPlace::AddressFull { max: 1 }));
        let _second = doors.enter(Some(bo)).expect("a place");
        assert_eq!(doors.enter(None).err(), Some(NoPlace::Full { max: 2 }));
        drop(first);
        assert!(doors.enter(Some(ann)).is_ok());
    }
}
