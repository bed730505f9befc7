//! From the log to a replica.

use bytes::Bytes;
use tracing::warn;

use super::input::Loaded;
use super::lineage::Retired;
use crate::crdt::{Replica, RestoreError, pack};
use crate::id::{DocumentId, Seq};
use crate::store::{LoadError, Segment, Store, Stored};

/// Why a document could not be read.
pub enum NotLoaded {
    /// It has been deleted.
    Deleted,
    /// Something is wrong.
    Because {
        /// For people.
        reason: String,
        /// Trying again cannot help.
        lasting: bool,
    },
}

/// Why a replica could not be made of what is stored.
enum NotRestored {
    /// The snapshot does not decode; it may be left out.
    Snapshot(String),
    /// The log itself cannot be read.
    Log(String),
}

/// Reads snapshot and log; a snapshot that does not decode is left out, a log record never.
///
/// # Errors
/// See [`NotLoaded`].
pub async fn load(store: Store, id: DocumentId) -> Result<Loaded, NotLoaded> {
    let mut below = None;
    loop {
        let stored = store.load(&id, below).await.map_err(|e| match e {
            LoadError::Deleted => NotLoaded::Deleted,
            e => {
                let lasting = matches!(e, LoadError::Corrupt { .. });
                NotLoaded::Because { reason: e.to_string(), lasting }
            }
        })?;
        let snapshot_seq = stored.snapshot.as_ref().map(|(seq, _)| *seq);
        let restoring = tokio::task::spawn_blocking(move || restore(stored));
        let restored = restoring.await.map_err(|e| NotLoaded::Because {
            reason: format!("reading the log was interrupted: {e}"),
            lasting: false,
        })?;
        match restored {
            Ok(loaded) => return Ok(loaded),
            Err(NotRestored::Snapshot(reason)) if snapshot_seq.is_some() => {
                warn!(document.id = %id, reason, "snapshot is left out; reading more of the log");
                below = snapshot_seq;
            }
            Err(NotRestored::Snapshot(reason) | NotRestored::Log(reason)) => {
                return Err(NotLoaded::Because { reason, lasting: true });
            }
        }
    }
}

fn restore(stored: Stored) -> Result<Loaded, NotRestored> {
    let Stored { snapshot, segments, tail, last, tail_bytes, retired } = stored;
    let base = snapshot.as_ref().map_or(Seq(0), |(seq, _)| *seq);
    let mut updates = Vec::with_capacity(tail.len());
    for segment in &segments {
        updates.extend(unpack(segment, base).map_err(NotRestored::Log)?);
    }
    let unpacked_bytes: usize = updates.iter().map(Bytes::len).sum();
    updates.extend(tail);

    let snapshot = snapshot.as_ref().map(|(_, bytes)| bytes.as_ref());
    let replica = Replica::restore(snapshot, &updates).map_err(|e| match e {
        RestoreError::Snapshot(reason) => NotRestored::Snapshot(reason),
        e => NotRestored::Log(e.to_string()),
    })?;
    Ok(Loaded {
        replica,
        last,
        rows: updates.len() as u64,
        bytes: unpacked_bytes + tail_bytes,
        snapshot_bytes: snapshot.map_or(0, <[u8]>::len),
        retired: Retired::new(retired.into_iter()),
    })
}

/// The updates of a segment after `base`. Where the log was thinned, the first of them may say again
/// what was before `base`, which changes nothing.
fn unpack(segment: &Segment, base: Seq) -> Result<impl Iterator<Item = Bytes>, String> {
    let (first, last) = (segment.first, segment.last);
    let place = format!("the packed updates {first} to {last}");
    let rows = pack::unpack(&segment.bytes).map_err(|e| format!("{place} cannot be read: {e}"))?;
    let in_order = rows.windows(2).all(|pair| pair[0].seq < pair[1].seq);
    let in_place = rows.first().is_some_and(|row| row.seq >= first)
        && rows.last().is_some_and(|row| row.seq == last);
    if !in_order || !in_place {
        return Err(format!("{place} are not those that the segment names"));
    }
    Ok(rows.into_iter().filter(move |row| row.seq > base).map(|row| row.bytes))
}
