//! Tells the few batches that may have cost somebody text from all others.
//!
//! A look through the past of a document costs a walk over all that was ever in it. Here it is told from
//! what a batch inserts and deletes whether that is needed. Nothing is looked at where nothing is, or
//! was, deleted.

use yrs::{ClientID, ID, IdSet, TransactionMut};

use super::id_set;
use crate::crdt::lint::{Place, Span, Summary};

/// Stretches of deleted clocks that are remembered; with more of them, all are forgotten.
const RANGES_MAX: usize = 4_096;

/// What was deleted since the replica is there. What came back to life is still among it.
#[derive(Debug, Default)]
pub(super) struct Gone {
    clocks: IdSet,
    /// Stretches that were added.
    ranges: usize,
}

impl Gone {
    /// Whether a batch may have cost text, given what it deleted and its updates. It may where
    ///
    /// - something is gone that no update deletes: it was written into what others have deleted;
    /// - an update deletes what is gone already: two people have changed one thing;
    /// - an update writes anew and deletes its own items together with those of others: an undo;
    /// - something is written right in front of what was deleted, as an undo does that brings it back.
    pub(super) fn costs_text<'a>(
        &mut self,
        txn: &TransactionMut<'_>,
        updates: impl Iterator<Item = &'a Summary> + Clone,
    ) -> bool {
        let now = txn.delete_set();
        if now.is_empty() && updates.clone().all(|update| update.deletes.is_empty()) {
            return !self.clocks.is_empty()
                && updates.clone().any(|update| self.comes_back(update));
        }
        let meant = updates.clone().flat_map(|update| update.deletes.iter().chain(&update.fills));
        let mut unmeant = now.clone();
        unmeant.diff_with(&id_set(meant));
        self.add(now);
        !unmeant.is_empty()
            || updates.clone().any(|update| writes_anew(update) || deletes_again(update, now))
            || updates.clone().any(|update| self.comes_back(update))
    }

    fn add(&mut self, now: &IdSet) {
        self.ranges += now.iter().map(|(_, ranges)| ranges.len()).sum::<usize>();
        if self.ranges > RANGES_MAX {
            *self = Self::default();
        } else {
            self.clocks.merge_with(now.clone());
        }
    }

    /// Whether an update writes something right in front of what is gone.
    fn comes_back(&self, update: &Summary) -> bool {
        let holds = |place: &Place| {
            self.clocks.contains(&ID::new(ClientID::new(place.client), place.clock))
        };
        update.first_before.iter().chain(&update.types_before).any(holds)
    }
}

/// Whether an update inserts, and deletes its own client's items together with those of others.
fn writes_anew(update: &Summary) -> bool {
    if update.inserts.is_empty() || update.deletes.is_empty() {
        return false;
    }
    let is_own = |span: &Span| update.inserts.iter().any(|insert| insert.client == span.client);
    let own = update.deletes.iter().filter(|span| is_own(span)).count();
    0 < own && own < update.deletes.len()
}

/// Whether an update deletes what was gone before it.
fn deletes_again(update: &Summary, now: &IdSet) -> bool {
    let mut before = id_set(&update.deletes);
    before.diff_with(now);
    !before.is_empty()
}
