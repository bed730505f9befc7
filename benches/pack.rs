//! What packed rows take up, and what packing costs: public editing traces, one row for each edit.
//!
//! `EDITING_TRACES=DIRECTORY cargo bench --bench pack`, where the directory has the traces as
//! `.json.gz`; without it, nothing is measured and the last line says so. Times are wall-clock times of
//! one thread. That the rows come back is checked as well.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coscribe::crdt::pack::{pack, unpack};
use coscribe::id::{ConnectionId, LogRow, Seq};
use coscribe::recording::{Recording, What};

/// Rows of a segment.
const SEGMENTS: [usize; 3] = [4_096, 8_192, 16_384];

fn main() {
    let Some(folder) = std::env::var_os("EDITING_TRACES").map(PathBuf::from) else {
        println!("skipped: EDITING_TRACES names no directory with editing traces");
        return;
    };
    for name in ["automerge-paper", "friendsforever", "seph-blog1", "sveltecomponent"] {
        let rows = rows(&folder.join(format!("{name}.json.gz")));
        let bytes: usize = rows.iter().map(|row| row.bytes.len()).sum();
        println!("{name}: {} rows, {bytes} bytes of updates", rows.len());
        SEGMENTS.into_iter().for_each(|size| report(&rows, size));
    }
}

fn report(rows: &[LogRow], size: usize) {
    let (packing, packed) = timed(|| rows.chunks(size).map(pack).collect::<Vec<_>>());
    let (unpacking, unpacked) =
        timed(|| packed.iter().map(|each| unpack(each)).collect::<Vec<_>>());
    for (unpacked, rows) in unpacked.iter().zip(rows.chunks(size)) {
        assert!(unpacked.as_ref().is_ok_and(|unpacked| unpacked == rows), "not the same rows");
    }
    let bytes: usize = packed.iter().map(Vec::len).sum();
    let each = |time: Duration| time.as_nanos() / rows.len() as u128;
    println!(
        "  segments of {size}: {bytes} bytes, packed in {} ns a row, unpacked in {} ns",
        each(packing),
        each(unpacking)
    );
}

/// The log that a trace makes.
fn rows(trace: &Path) -> Vec<LogRow> {
    let recording = Recording::load(trace).expect("a trace");
    let updates = recording.events.iter().filter_map(|event| match &event.what {
        What::Update { connection, update } => Some((event.t, *connection, update.clone())),
        _ => None,
    });
    let row = |(seq, (t, connection, bytes)): (u64, (u64, u32, _))| LogRow {
        seq: Seq(seq),
        at_ms: t as i64,
        author: Some(format!("author {connection}").into()),
        connection: ConnectionId(connection.into()),
        bytes,
    };
    (1..).zip(updates).map(row).collect()
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    (start.elapsed(), result)
}
