//! Packs older rows of the log into segments, in the background: what is there can still be read, row
//! by row, and takes a fraction of the room.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::{debug, warn};

use crate::crdt::pack::{pack, unpack};
use crate::id::{DocumentId, LogRow, Seq};
use crate::store::{AppendError, LoadError, Segment, Store};

/// Rows of one segment, at most: what is unpacked to read one of them.
pub const SEGMENT_ROWS_MAX: u64 = 16_384;

/// Bytes of updates in one segment, about, at most.
const SEGMENT_BYTES_MAX: usize = 8 << 20;

/// Fewer rows wait for more before they are packed in the background, unless they are many bytes.
const ROWS_MIN: u64 = 4_096;

/// Bytes of rows that are packed although they are few.
const BYTES_MIN: u64 = 1 << 20;

/// Documents that may wait to be packed; one that does not fit is packed after its next snapshot.
const QUEUE_LEN: usize = 1_024;

/// Why rows were not packed. They are as they were.
#[derive(Debug, thiserror::Error)]
pub enum PackerError {
    /// They cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The segment was not taken.
    #[error(transparent)]
    Write(#[from] AppendError),
    /// What was packed does not unpack to what it was made of.
    #[error("what was packed is not what it was made of")]
    Differs,
}

/// Tells the packer about documents.
#[derive(Debug, Clone)]
pub struct Packing(mpsc::Sender<DocumentId>);

impl Packing {
    /// There may be something to pack in this document.
    pub fn suggest(&self, document: &DocumentId) {
        // See `QUEUE_LEN`.
        let _ = self.0.try_send(document.clone());
    }
}

/// Packs what is suggested, one document after the other, as long as anybody can suggest anything.
pub fn start(store: Store) -> Packing {
    let (suggest, mut suggested) = mpsc::channel::<DocumentId>(QUEUE_LEN);
    tokio::spawn(async move {
        while let Some(document) = suggested.recv().await {
            match pack_document(&store, &document, false).await {
                Ok(0) => {}
                Ok(rows) => debug!(document.id = %document, rows, "older rows packed"),
                Err(PackerError::Write(AppendError::Deleted | AppendError::Closed)) => {}
                Err(e) => warn!(document.id = %document, reason = %e, "rows not packed"),
            }
        }
    });
    Packing(suggest)
}

/// Packs what can be packed of a document, and says how many rows that were. Unless `all` are wanted
/// it waits where there are few, and spares those that a load needs whose newest snapshot is damaged.
///
/// # Errors
/// [`PackerError`]; segments that were written before stay.
pub async fn pack_document(
    store: &Store,
    document: &DocumentId,
    all: bool,
) -> Result<u64, PackerError> {
    let mut packed = 0;
    while let Some(packable) = store.packable(document, !all).await? {
        let rows = packable.last.0 - packable.first.0 + 1;
        if !all && rows < ROWS_MIN && packable.bytes < BYTES_MIN {
            break;
        }
        let before = Seq(packable.first.0 - 1);
        let until = packable.last.min(Seq(before.0 + SEGMENT_ROWS_MAX));
        let log = store.read_log(document, before, until).await?;
        let mut rows = log.rows;
        rows.truncate(fitting(&rows));
        let segment = spawn_blocking(move || packed_segment(rows)).await;
        let Some(segment) = segment.map_err(|_| PackerError::Differs)?? else { break };
        packed += segment.last.0 - segment.first.0 + 1;
        store.write_segment(document.clone(), segment).await?;
    }
    Ok(packed)
}

/// How many of these rows a segment should have.
fn fitting(rows: &[LogRow]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(SEGMENT_ROWS_MAX as usize).take_while(|row| {
        bytes += row.bytes.len();
        bytes <= SEGMENT_BYTES_MAX
    });
    fits.count().max(1).min(rows.len())
}

/// A segment of rows that follow each other without a gap, verified; None of none.
fn packed_segment(rows: Vec<LogRow>) -> Result<Option<Segment>, PackerError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let bytes = pack(&rows);
    if unpack(&bytes).ok().as_ref() != Some(&rows) {
        return Err(PackerError::Differs);
    }
    Ok(Segment::over(first.seq, &rows, Bytes::from(bytes)))
}

/// Segments of the rows of a thinned log, the first of which stands for everything from `first` on.
///
/// # Errors
/// [`PackerError::Differs`].
pub(super) fn segments_of(first: Seq, rows: Vec<LogRow>) -> Result<Vec<Segment>, PackerError> {
    let mut segments = Vec::new();
    let (mut first, mut rest) = (first, rows);
    while !rest.is_empty() {
        let next = rest.split_off(fitting(&rest));
        let Some(segment) = packed_segment(rest)? else { break };
        let segment = Segment { first, ..segment };
        first = Seq(segment.last.0 + 1);
        segments.push(segment);
        rest = next;
    }
    Ok(segments)
}
