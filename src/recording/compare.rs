//! A recording on a document of somebody else's, beside our own.

use std::fmt;

use bytes::Bytes;

use super::outcome::difference;
use super::{Recording, ReplayError, What};
use crate::crdt::{LintLimits, Linted, Replica, Verdict};

/// The first event after which two documents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its number, counted from 1; 0 is what is there before the first.
    pub event: usize,
    /// What is shown instead of what, in words.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from event {} on: {}", self.event, self.what)
    }
}

impl Recording {
    /// Plays the recording onto a document of your own, and says after which event its text `root`
    /// is another than ours; `None` where it never is. `shown` takes a Yjs v1 update and returns the
    /// text after it.
    ///
    /// Costs two texts an event.
    ///
    /// # Errors
    /// An update cannot be applied, whoever applies it.
    pub fn first_difference(
        &self,
        root: &str,
        mut shown: impl FnMut(&Bytes) -> String,
    ) -> Result<Option<Difference>, ReplayError> {
        let mut replica = Replica::new();
        let events = (1..).zip(&self.events).filter_map(|(event, of)| match &of.what {
            What::Update { update, .. } => Some((event, update)),
            _ => None,
        });
        let start = self.header.start.iter().map(|update| (0, update));
        for (event, update) in start.chain(events) {
            take(&mut replica, update).map_err(|reason| ReplayError::Event { event, reason })?;
            if let Some(what) = difference(&shown(update), &replica.text(root)) {
                return Ok(Some(Difference { event, what }));
            }
        }
        Ok(None)
    }
}

fn take(replica: &mut Replica, update: &Bytes) -> Result<(), String> {
    let linted = Linted::new(update.clone(), &LintLimits::default()).map_err(|e| e.to_string())?;
    let done = replica.integrate(&[&linted]).map_err(|broken| broken.reason)?;
    match done.verdicts.into_iter().next() {
        Some(Verdict::Hole) => Err("it builds on something that is not in the recording".into()),
        Some(Verdict::Refused(reason)) => Err(reason),
        Some(Verdict::Applied | Verdict::Known) | None => Ok(()),
    }
}
