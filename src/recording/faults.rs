//! What goes wrong on purpose while a recording is played: decided by the seed, before it begins.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::random::Random;

/// Something that a replay makes go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Trouble {
    /// A connection breaks off, what is on its way may be lost; it comes back.
    Drop,
    /// What a connection says and hears is held back for up to 50 ms.
    Delay,
    /// What a connection says is held back until others have said something. Within a connection
    /// order is never changed: no network does that.
    Reorder,
    /// A connection says goodbye in the middle of its work, and comes back.
    Disconnect,
    /// The server is killed (SIGKILL), and started again with its database. Only a server that the
    /// replay has started itself.
    Kill,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Delay => "delay",
            Self::Reorder => "reorder",
            Self::Disconnect => "disconnect",
            Self::Kill => "kill",
        })
    }
}

impl Trouble {
    /// Once in so many edits.
    fn edits_each(self) -> usize {
        match self {
            Self::Kill => 5_000,
            Self::Drop | Self::Delay | Self::Reorder | Self::Disconnect => 500,
        }
    }

    /// However long the recording is.
    fn times_max(self) -> usize {
        match self {
            Self::Kill => 5,
            Self::Drop | Self::Delay | Self::Reorder | Self::Disconnect => 200,
        }
    }
}

/// After which edits what goes wrong, by the number of their event. Each kind comes at least once.
#[derive(Debug, Default)]
pub(super) struct Plan {
    at: HashMap<usize, Vec<Trouble>>,
}

impl Plan {
    /// `edits`: the numbers of the events that can be followed by trouble.
    pub fn new(kinds: &[Trouble], edits: &[usize], seed: u64) -> Self {
        let mut plan = Self::default();
        if edits.is_empty() {
            return plan;
        }
        for kind in kinds {
            let mut random = Random::of(seed, *kind as u64, 1);
            let times = (edits.len() / kind.edits_each()).clamp(1, kind.times_max());
            for _ in 0..times {
                let edit = edits[random.below(edits.len() as u64) as usize];
                plan.at.entry(edit).or_default().push(*kind);
            }
        }
        plan
    }

    /// What goes wrong after an event.
    pub fn after(&self, event: usize) -> &[Trouble] {
        self.at.get(&event).map_or(&[], Vec::as_slice)
    }

    /// Connections can break off.
    pub fn has_any(&self) -> bool {
        !self.at.is_empty()
    }
}

/// How often what went wrong.
pub(super) type Happened = BTreeMap<String, usize>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_and_every_kind_comes() {
        let kinds = [Trouble::Drop, Trouble::Kill];
        let edits: Vec<usize> = (10..2_010).collect();
        let all = |seed| {
            let plan = Plan::new(&kinds, &edits, seed);
            edits.iter().map(|edit| plan.after(*edit).to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        let count = |kind| all(3).concat().into_iter().filter(|one| *one == kind).count();
        assert_eq!((count(Trouble::Drop), count(Trouble::Kill), count(Trouble::Delay)), (4, 1, 0));
        assert!(!Plan::new(&kinds, &[], 1).has_any());
        assert!(!Plan::new(&[], &edits, 1).has_any());
    }
}
