//! A replica that is read from stored bytes for one purpose, and dropped after it.

use yrs::{Options, ReadTxn, Transact, TransactionMut};

use super::{Failure, OWN_CLIENT, Replica, commit, options};
use crate::crdt::lint::Summary;

impl Replica {
    /// Reads a full state, to make edits of it under a client id (below 2^53).
    ///
    /// # Errors
    /// The state cannot be read, with the reason.
    pub(in crate::crdt) fn scratch(state: &[u8], client: u64) -> Result<Self, String> {
        let mut replica = Self::of(options(client));
        replica.replay(std::iter::once(state)).map_err(|(_, reason)| reason)?;
        Ok(replica)
    }

    /// Integrates updates from which the deletes were taken away, so that everything that ever was
    /// can be seen.
    ///
    /// They have been in a replica, in this order. That values are longer here than they ever were
    /// in one does no harm: nothing is freed.
    ///
    /// # Errors
    /// An update that cannot be integrated, counted from 0, with the reason.
    pub(in crate::crdt) fn of_everything<'a>(
        updates: impl Iterator<Item = (Vec<u8>, &'a Summary)>,
    ) -> Result<Self, (usize, String)> {
        let mut replica = Self::of(Options { skip_gc: true, ..options(OWN_CLIENT) });
        let doc = replica.doc.clone();
        let mut txn = doc.transact_mut();
        for (index, (update, summary)) in updates.enumerate() {
            let applied = replica.guarded(&mut txn, |replica, txn| {
                let failed = |reason: String| Failure { reason, can_commit: false };
                replica.has_subdocuments |= summary.subdocuments > 0;
                let update = replica.decode(&update, summary).map_err(|e| failed(e.to_string()))?;
                txn.apply_update(update).map_err(|e| failed(e.to_string()))?;
                match txn.has_missing_updates() {
                    true => Err(failed("something that it builds on is missing".to_owned())),
                    false => Ok(()),
                }
            });
            if let Err(failure) = applied {
                return Err((index, failure.give_up(txn)));
            }
            replica.advance(summary, &mut Vec::new());
        }
        commit(txn).map_err(|reason| (0, reason))?;
        Ok(replica)
    }

    /// Does something with the replica in one transaction, and drops it. What the step changes is
    /// not known to the replica's own books, hence it cannot be used any longer.
    ///
    /// # Errors
    /// Those of the step; and a panic in the library, as a text.
    pub(in crate::crdt) fn use_up<T>(
        mut self,
        step: impl FnOnce(&mut TransactionMut<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let doc = self.doc.clone();
        let mut txn = doc.transact_mut();
        let done = self.guarded(&mut txn, |_, txn| {
            step(txn).map_err(|reason| Failure { reason, can_commit: true })
        });
        match done {
            Ok(result) => commit(txn).map(|()| result),
            Err(failure) => Err(failure.give_up(txn)),
        }
    }
}
