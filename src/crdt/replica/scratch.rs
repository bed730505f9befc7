//! A replica that is read from stored bytes for one purpose, and dropped after it.

use yrs::{Transact, TransactionMut};

use super::{Failure, Replica, commit};

impl Replica {
    /// Reads a full state, to make edits of it under a client id (below 2^53).
    ///
    /// # Errors
    /// The state cannot be read, with the reason.
    pub(in crate::crdt) fn scratch(state: &[u8], client: u64) -> Result<Self, String> {
        let mut replica = Self::with_client(client);
        replica.replay(std::iter::once(state)).map_err(|(_, reason)| reason)?;
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
