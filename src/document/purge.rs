//! Purging a deleted document: what has to be remembered of it, and then its end.

use std::collections::HashMap;

use crate::crdt::pack::unpack;
use crate::crdt::{LintLimits, StateVector, lint};
use crate::id::DocumentId;
use crate::store::{AppendError, LoadError, Purge, Remains, Store};

/// Why a document could not be purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// What has to be remembered could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It could not be removed.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Removes a deleted document for good, with its branches where that is said, and keeps which client
/// ids it has used. False if no document is deleted by that name. Nobody may have it live.
///
/// The client ids are read from the bytes of every update, without integrating anything: that works
/// for a damaged log as far as there is anything to read.
///
/// # Errors
/// See [`PurgeError`]; nothing was removed, unless the failure struck between the write and the
/// answer.
pub async fn purge(
    store: &Store,
    document: DocumentId,
    at_ms: i64,
    branches: bool,
) -> Result<bool, PurgeError> {
    let mut ends: HashMap<u64, u32> = HashMap::new();
    let deleted_at_ms = store
        .read_deleted(&document, |remains| match remains {
            Remains::Update(update) => raise(&mut ends, update),
            Remains::Segment(packed) => {
                for row in unpack(packed).unwrap_or_default() {
                    raise(&mut ends, &row.bytes);
                }
            }
        })
        .await?;
    let Some(deleted_at_ms) = deleted_at_ms else { return Ok(false) };
    let mut clocks = StateVector::default();
    ends.iter().for_each(|(client, end)| clocks.raise(*client, *end));
    let purge = Purge { at_ms, deleted_at_ms, clocks: clocks.encode(), branches };
    Ok(store.purge(document, purge).await?)
}

/// What an update brings has been there, and so has what it builds on, even where that is lost.
fn raise(ends: &mut HashMap<u64, u32>, update: &[u8]) {
    let Ok(summary) = lint::lint(update, &LintLimits::NONE) else { return };
    let inserts = summary.inserts.iter().map(|span| (span.client, span.end));
    let needs = summary.needs.iter().map(|need| (need.client, need.end));
    for (client, end) in inserts.chain(needs) {
        let known = ends.entry(client).or_insert(0);
        *known = end.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::config::Durability;
    use crate::crdt::{Desk, Replica, pack};
    use crate::document::lineage::Retired;
    use crate::id::{ConnectionId, LogRow, Seq};
    use crate::store::{LogRecord, Segment, StoreOptions};

    /// The clocks come from rows, snapshots and segments, and from what they build on.
    #[tokio::test]
    async fn every_client_id_that_was_used_is_remembered() {
        let place = tempfile::tempdir().expect("a directory");
        let options = StoreOptions {
            path: place.path().join("notes.db"),
            durability: Durability::Disk,
            queue_len: 100,
            batch_bytes_max: 1 << 20,
            readers: 1,
        };
        let store = Store::open(options).await.expect("a store");
        let document = DocumentId::parse("a").expect("a name");
        let typed = |client| Desk::new(client, "body").replace(0..0, "xyz").expect("a place");
        let mut builder = Desk::new(5, "body");
        builder.hear(&typed(4)).expect("an update");
        let builds = builder.replace(3..3, "!").expect("a place");
        let record =
            |bytes: Bytes| LogRecord { at_ms: 1, author: None, connection: ConnectionId(1), bytes };
        let records = [typed(1), typed(2), builds].map(record).to_vec();
        let row = LogRow {
            seq: Seq(1),
            at_ms: 1,
            author: None,
            connection: ConnectionId(1),
            bytes: typed(1),
        };
        store.append(document.clone(), records).await.expect("an append");
        let packed = Bytes::from(pack::pack(std::slice::from_ref(&row)));
        let segment = Segment::over(Seq(1), &[row], packed).expect("a row");
        store.write_segment(document.clone(), segment).await.expect("a segment");
        let state = Replica::restore(None, &[typed(3)]).expect("a log").encode_full();
        store.write_snapshot(document.clone(), Seq(3), state, 1).await.expect("a snapshot");

        let live = purge(&store, document.clone(), 9, false).await;
        assert!(matches!(live, Ok(false)), "{live:?}");
        store.delete(document.clone(), 5).await.expect("a deletion");
        let purged = purge(&store, document.clone(), 9, false).await;
        assert!(matches!(purged, Ok(true)), "{purged:?}");
        let retired = store.load(&document, None).await.expect("an absent document").retired;
        let expected = Bytes::from_static(&[5, 1, 3, 2, 3, 3, 3, 4, 3, 5, 1]);
        assert_eq!(Retired::new(retired), Retired::new([expected]));
    }
}
