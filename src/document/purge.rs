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
