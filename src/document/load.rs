//! From the log to a replica.

use tracing::warn;

use super::input::Loaded;
use super::lineage::Retired;
use crate::crdt::{Replica, RestoreError};
use crate::id::DocumentId;
use crate::store::{LoadError, Store};

/// Why a document could not be read.
pub(super) enum NotLoaded {
    /// It has been deleted.
    Deleted,
    /// For people; `lasting` where trying again cannot help.
    Because { reason: String, lasting: bool },
}

/// Reads snapshot and log; a snapshot that does not decode is left out, a log record never.
pub(super) async fn load(store: Store, id: DocumentId) -> Result<Loaded, NotLoaded> {
    let mut below = None;
    loop {
        let stored = store.load(&id, below).await.map_err(|e| match e {
            LoadError::Deleted => NotLoaded::Deleted,
            e => {
                let lasting = matches!(e, LoadError::Corrupt { .. });
                NotLoaded::Because { reason: e.to_string(), lasting }
            }
        })?;
        let (rows, bytes, last) = (stored.tail.len() as u64, stored.tail_bytes, stored.last);
        let retired = Retired::new(stored.retired.iter().cloned());
        let snapshot_bytes = stored.snapshot.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let snapshot_seq = stored.snapshot.as_ref().map(|(seq, _)| *seq);
        let restoring = tokio::task::spawn_blocking(move || {
            let snapshot = stored.snapshot.as_ref().map(|(_, bytes)| bytes.as_ref());
            Replica::restore(snapshot, &stored.tail)
        });
        let restored = restoring.await.map_err(|e| NotLoaded::Because {
            reason: format!("reading the log was interrupted: {e}"),
            lasting: false,
        })?;
        match restored {
            Ok(replica) => {
                return Ok(Loaded { replica, last, rows, bytes, snapshot_bytes, retired });
            }
            Err(RestoreError::Snapshot(reason)) if snapshot_seq.is_some() => {
                warn!(document.id = %id, reason, "snapshot is left out; reading more of the log");
                below = snapshot_seq;
            }
            Err(e) => {
                return Err(NotLoaded::Because { reason: e.to_string(), lasting: true });
            }
        }
    }
}
