//! What the log costs: appends, opening a document cold, reading packed history.
//!
//! `make bench`. On the disk of the target folder, fsync included: compare on the same machine. What
//! the disk takes differs from run to run; the sizes of a commit beside each other say what a row costs.

use std::hint::black_box;

use bytes::Bytes;
use coscribe::config::Config;
use coscribe::crdt::Replica;
use coscribe::crdt::pack::{pack, unpack};
use coscribe::id::{ConnectionId, DocumentId, LogRow, Seq};
use coscribe::store::{LogRecord, Store, StoreOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use yrs::{Doc, Text, Transact};

/// Rows of the documents that are read.
const ROWS: usize = 10_000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn store(folder: &tempfile::TempDir, runtime: &Runtime) -> Store {
    let config = Config { database: folder.path().join("bench.db"), ..Config::default() };
    runtime.block_on(Store::open(StoreOptions::new(&config))).expect("a database")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn document(name: &str) -> DocumentId {
    DocumentId::parse(name).expect("a name")
}

/// One keystroke each, at moving places.
fn keystrokes(count: usize) -> Vec<Bytes> {
    let doc = Doc::with_client_id(7);
    let text = doc.get_or_insert_text("text");
    let mut rng = fastrand::Rng::with_seed(1);
    let mut at = 0;
    (0..count)
        .map(|length| {
            if rng.u8(..20) == 0 {
                at = rng.usize(..=length);
            }
            let mut txn = doc.transact_mut();
            text.insert(&mut txn, at as u32, "a");
            at += 1;
            Bytes::from(txn.encode_update_v1())
        })
        .collect()
}

fn records(updates: &[Bytes]) -> Vec<LogRecord> {
    let record = |bytes: &Bytes| LogRecord {
        at_ms: 1_700_000_000_000,
        author: None,
        connection: ConnectionId(1),
        bytes: bytes.clone(),
    };
    updates.iter().map(record).collect()
}

fn append(c: &mut Criterion) {
    let (folder, runtime) = (folder(), runtime());
    let store = store(&folder, &runtime);
    let updates = keystrokes(512);
    let mut group = c.benchmark_group("append and commit");
    for rows in [1, 16, 64, 512] {
        let (id, records) = (document(&format!("of {rows}")), records(&updates[..rows]));
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(format!("{rows} rows"), |b| {
            b.iter(|| runtime.block_on(store.append(id.clone(), records.clone())).expect("room"));
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

fn cold_open(c: &mut Criterion) {
    let (folder, runtime) = (folder(), runtime());
    let store = store(&folder, &runtime);
    let updates = keystrokes(ROWS);
    let snapshot = Replica::restore(None, &updates).expect("honest updates").encode_full();
    let snapshot_at = Seq(ROWS as u64);
    let at_ms = 1_700_000_000_000;
    for (name, has_snapshot) in [("log", false), ("snapshot", true)] {
        let id = document(name);
        runtime.block_on(async {
            for chunk in records(&updates).chunks(512) {
                store.append(id.clone(), chunk.to_vec()).await.expect("room");
            }
            if has_snapshot {
                let written =
                    store.write_snapshot(id.clone(), snapshot_at, snapshot.clone(), at_ms);
                written.await.expect("room");
            }
        });
        c.bench_function(&format!("open {ROWS} keystrokes from the {name}"), |b| {
            b.iter(|| {
                let stored = runtime.block_on(store.load(&id, None)).expect("what was written");
                let snapshot = stored.snapshot.as_ref().map(|(_, bytes)| bytes.as_ref());
                black_box(Replica::restore(snapshot, &stored.tail)).expect("honest updates")
            });
        });
    }
    runtime.block_on(store.close());
}

fn segment(c: &mut Criterion) {
    let rows: Vec<LogRow> = (1..)
        .zip(keystrokes(ROWS))
        .map(|(seq, bytes)| LogRow {
            seq: Seq(seq),
            at_ms: 1_700_000_000_000 + 120 * seq as i64,
            author: None,
            connection: ConnectionId(1),
            bytes,
        })
        .collect();
    let packed = pack(&rows);
    let mut group = c.benchmark_group("segment");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(format!("pack {ROWS} rows"), |b| b.iter(|| pack(black_box(&rows))));
    group.bench_function(format!("read {ROWS} rows"), |b| b.iter(|| unpack(black_box(&packed))));
    group.finish();
}

criterion_group!(benches, append, cold_open, segment);
criterion_main!(benches);
