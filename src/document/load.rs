//! From the log to a replica, and to what can be told before there is one.

use bytes::Bytes;
use tracing::warn;

use super::input::{Found, Loaded};
use super::lineage::Retired;
use crate::crdt::{Preview, Replica, RestoreError, Whole, pack};
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

/// Snapshots from this size on are worth a [`Found`]; others restore in a moment.
const FOUND_BYTES_MIN: usize = 64 << 10;

/// Reads snapshot and log; a snapshot that does not decode is left out, a log record never.
///
/// # Errors
/// See [`NotLoaded`].
pub async fn load(store: Store, id: DocumentId) -> Result<Loaded, NotLoaded> {
    let log = Log::read(store, id, None).await?;
    log.restore().await
}

/// As [`load`], in two steps: what is found in a large document can be told before the second, which
/// is [`Log::restore`].
///
/// # Errors
/// See [`NotLoaded`].
pub async fn read(store: Store, id: DocumentId) -> Result<(Option<Found>, Log), NotLoaded> {
    let mut log = Log::read(store, id, None).await?;
    let worth = log.snapshot.as_ref().filter(|(_, bytes)| bytes.len() >= FOUND_BYTES_MIN);
    let Some((_, snapshot)) = worth.cloned() else { return Ok((None, log)) };
    let (preview, log) = off_thread(move || {
        let (preview, whole) = Preview::new(snapshot, &log.updates).unzip();
        log.whole = whole;
        (preview, log)
    })
    .await?;
    let found = preview.map(|preview| Found { preview, retired: log.retired.clone() });
    Ok((found, log))
}

/// What is stored of a document, on its way to a replica.
pub struct Log {
    store: Store,
    id: DocumentId,
    snapshot: Option<(Seq, Bytes)>,
    /// After the snapshot.
    updates: Vec<Bytes>,
    last: Seq,
    retired: Retired,
    examine_from: Option<Seq>,
    /// Of the same.
    whole: Option<Whole>,
}

impl Log {
    async fn read(store: Store, id: DocumentId, below: Option<Seq>) -> Result<Self, NotLoaded> {
        let stored = store.load(&id, below).await.map_err(|e| match e {
            LoadError::Deleted => NotLoaded::Deleted,
            e => {
                let lasting = matches!(e, LoadError::Corrupt { .. });
                NotLoaded::Because { reason: e.to_string(), lasting }
            }
        })?;
        let Stored { snapshot, segments, tail, last, retired, examine_from, .. } = stored;
        let base = snapshot.as_ref().map_or(Seq(0), |(seq, _)| *seq);
        let updates = match segments.is_empty() {
            true => tail,
            false => off_thread(move || unpack_all(&segments, base, tail))
                .await?
                .map_err(|reason| NotLoaded::Because { reason, lasting: true })?,
        };
        let retired = Retired::new(retired);
        Ok(Self { store, id, snapshot, updates, last, retired, examine_from, whole: None })
    }

    /// Builds the replica.
    ///
    /// # Errors
    /// See [`NotLoaded`].
    pub async fn restore(self) -> Result<Loaded, NotLoaded> {
        let mut log = self;
        loop {
            let (store, id) = (log.store.clone(), log.id.clone());
            let snapshot_seq = log.snapshot.as_ref().map(|(seq, _)| *seq);
            match off_thread(move || log.build()).await? {
                Ok(loaded) => return Ok(loaded),
                Err(NotRestored::Snapshot(reason)) if snapshot_seq.is_some() => {
                    warn!(document.id = %id, reason, "snapshot is left out; reading more of the log");
                    log = Self::read(store, id, snapshot_seq).await?;
                }
                Err(NotRestored::Snapshot(reason) | NotRestored::Log(reason)) => {
                    return Err(NotLoaded::Because { reason, lasting: true });
                }
            }
        }
    }

    fn build(self) -> Result<Loaded, NotRestored> {
        let Self { snapshot, updates, last, retired, examine_from, whole, .. } = self;
        let snapshot = snapshot.as_ref().map(|(_, bytes)| bytes.as_ref());
        let mut replica = Replica::restore(snapshot, &updates).map_err(|e| match e {
            RestoreError::Snapshot(reason) => NotRestored::Snapshot(reason),
            e => NotRestored::Log(e.to_string()),
        })?;
        if let Some(whole) = whole {
            replica.keep_full(whole);
        }
        Ok(Loaded {
            replica,
            last,
            rows: updates.len() as u64,
            bytes: updates.iter().map(Bytes::len).sum(),
            snapshot_bytes: snapshot.map_or(0, <[u8]>::len),
            retired,
            examine_from,
        })
    }
}

/// Does something long where nobody waits.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotLoaded> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NotLoaded::Because {
        reason: format!("reading the log was interrupted: {e}"),
        lasting: false,
    })
}

/// The updates of segments after `base`, and those of the tail.
fn unpack_all(segments: &[Segment], base: Seq, tail: Vec<Bytes>) -> Result<Vec<Bytes>, String> {
    let mut updates = Vec::with_capacity(tail.len());
    for segment in segments {
        updates.extend(unpack(segment, base)?);
    }
    updates.extend(tail);
    Ok(updates)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;
    use crate::id::{ConnectionId, LogRow};
    use crate::store::{Durability, LogRecord, StoreOptions};

    /// A store with the text "0123456789ab" in twelve updates, the first nine of them packed.
    async fn packed(directory: &tempfile::TempDir) -> (Store, DocumentId) {
        let options = StoreOptions {
            path: directory.path().join("notes.db"),
            durability: Durability::Process,
            queue_len: 10,
            batch_bytes_max: 1 << 20,
            readers: 1,
        };
        let store = Store::open(options).await.unwrap();
        let id = DocumentId::parse("d").unwrap();
        let mut desk = Desk::new(5, "body");
        for (at, letter) in (0..).zip("0123456789ab".chars()) {
            let bytes = desk.replace(at..at, &letter.to_string()).unwrap();
            let connection = ConnectionId(1);
            let record = LogRecord { at_ms: 1, author: None, connection, bytes };
            store.append(id.clone(), vec![record]).await.unwrap();
        }
        for (first, last) in [(1, 4), (5, 9)] {
            let log = store.read_log(&id, Seq(first - 1), Seq(last)).await.unwrap();
            write_segment(&store, &id, Seq(first), &log.rows, pack::pack(&log.rows)).await;
        }
        (store, id)
    }

    async fn write_segment(
        store: &Store,
        id: &DocumentId,
        first: Seq,
        rows: &[LogRow],
        bytes: Vec<u8>,
    ) {
        let segment = Segment::over(first, rows, bytes.into()).unwrap();
        store.write_segment(id.clone(), segment).await.unwrap();
    }

    async fn loaded(store: &Store, id: &DocumentId) -> (String, u64, Seq) {
        match load(store.clone(), id.clone()).await {
            Ok(loaded) => (loaded.replica.text("body"), loaded.rows, loaded.last),
            Err(NotLoaded::Because { reason, .. }) => panic!("{reason}"),
            Err(NotLoaded::Deleted) => panic!("deleted"),
        }
    }

    #[tokio::test]
    async fn a_document_is_read_through_its_segments() {
        let directory = tempfile::tempdir().unwrap();
        let (store, id) = packed(&directory).await;
        assert_eq!(loaded(&store, &id).await, ("0123456789ab".into(), 12, Seq(12)));

        // Between two updates of the second segment.
        let log = store.read_log(&id, Seq(0), Seq(6)).await.unwrap();
        let rows = log.segments.iter().flat_map(|segment| pack::unpack(&segment.bytes).unwrap());
        let updates: Vec<_> = rows.take(6).map(|row| row.bytes).collect();
        let state = Replica::restore(None, &updates).unwrap().encode_full();
        store.write_snapshot(id.clone(), Seq(6), state, 1).await.unwrap();
        assert_eq!(loaded(&store, &id).await, ("0123456789ab".into(), 6, Seq(12)));
        // One that does not decode is left out.
        store.write_snapshot(id.clone(), Seq(8), "no update".into(), 1).await.unwrap();
        assert_eq!(loaded(&store, &id).await, ("0123456789ab".into(), 6, Seq(12)));
    }

    #[tokio::test]
    async fn a_large_document_is_found_before_it_is_restored() {
        let directory = tempfile::tempdir().unwrap();
        let (store, id) = packed(&directory).await;
        let found = async || match read(store.clone(), id.clone()).await {
            Ok((found, log)) => (found, log.restore().await.ok().expect("a document").replica),
            Err(_) => panic!("it cannot be read"),
        };
        let (small, replica) = found().await;
        assert!(small.is_none() && !replica.holds_full());

        // The snapshot is before the last update.
        let long = "x".repeat(FOUND_BYTES_MIN);
        let bytes = Desk::new(6, "long").replace(0..0, &long).unwrap();
        let connection = ConnectionId(1);
        let record = LogRecord { at_ms: 1, author: None, connection, bytes };
        store.append(id.clone(), vec![record.clone()]).await.unwrap();
        let state = load(store.clone(), id.clone()).await.ok().unwrap().replica.encode_full();
        store.write_snapshot(id.clone(), Seq(13), state, 1).await.unwrap();
        let bytes = Desk::new(7, "more").replace(0..0, "more").unwrap();
        store.append(id.clone(), vec![LogRecord { bytes, ..record }]).await.unwrap();
        let (large, mut replica) = found().await;
        let full = large.unwrap().preview.answer(&[0]).unwrap();
        let shown = Replica::restore(Some(full.as_ref()), &[]).unwrap();
        assert_eq!(shown.text("body"), "0123456789ab");
        assert_eq!(shown.text("long"), long);
        assert_eq!(shown.text("more"), "more");
        assert_eq!(replica.encode_full(), full, "it is not woven again");

        // One that cannot be read is not shown, and the log is read instead.
        store.write_snapshot(id.clone(), Seq(14), "?".repeat(1 << 17).into(), 1).await.unwrap();
        let (damaged, replica) = found().await;
        assert!(damaged.is_none());
        assert_eq!(replica.text("more"), "more");
    }

    #[tokio::test]
    async fn packed_rows_that_are_not_those_of_the_segment_make_it_unavailable() {
        type Damage = fn(&mut Vec<LogRow>) -> Vec<u8>;
        let damages: [Damage; 4] = [
            |_| b"not packed".to_vec(),
            |_| pack::pack(&[]),
            |rows| pack::pack(&rows[..1]),
            |rows| {
                rows[0].seq = Seq(9);
                pack::pack(rows)
            },
        ];
        for (number, damage) in damages.into_iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            let (store, id) = packed(&directory).await;
            let mut rows = store.read_log(&id, Seq(9), Seq(11)).await.unwrap().rows;
            let sound = rows.clone();
            write_segment(&store, &id, Seq(10), &sound, damage(&mut rows)).await;
            match load(store, id).await {
                Err(NotLoaded::Because { reason, lasting: true }) => {
                    assert!(reason.contains("the packed updates 10 to 11"), "{reason}");
                }
                _ => panic!("damage {number} was served"),
            }
        }
    }
}
