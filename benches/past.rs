//! What it costs to read the past of a long document: a public editing trace of some 260,000 edits.
//!
//! `EDITING_TRACES=DIRECTORY cargo bench --bench past`, where the directory has
//! `automerge-paper.json.gz`; without it, nothing is measured and the last line says so. Times are
//! wall-clock times of one thread.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use coscribe::crdt::Past;
use coscribe::id::{ConnectionId, LogRow, Seq};
use coscribe::recording::{Event, Expected, Recording, What};

/// Moments that are read.
const MOMENTS: usize = 1_000;

fn main() {
    let Some(trace) = trace() else {
        println!("skipped: EDITING_TRACES names no directory with automerge-paper.json.gz");
        return;
    };
    let recording = Recording::load(trace).expect("a trace");
    let rows = rows(&recording);
    let (build, past) = timed(|| {
        let mut past = Past::new();
        past.extend(&rows).expect("honest rows");
        past
    });
    println!("rows {}, past built in {build:?}, takes {} bytes", rows.len(), past.weight());
    let last = past.last();
    let is_end = |event: &Event| match &event.what {
        What::End { root, expected: Expected::Text(text) } => past.text(last, Some(root)) == *text,
        _ => false,
    };
    assert!(recording.events.iter().any(is_end), "the final text is not that of the trace");
    let mut rng = fastrand::Rng::with_seed(1);
    let mut moments = || Seq(rng.u64(1..=last.0));
    report("text", (0..MOMENTS).map(|_| timed(|| past.text(moments(), None)).0));
    report("spans", (0..MOMENTS).map(|_| timed(|| past.spans(moments(), None)).0));
    report("changes", (0..MOMENTS).map(|_| timed(|| past.changes(moments(), moments(), None)).0));
    let (authorship, spans) = timed(|| past.spans(last, None));
    println!("authorship of the final text in {authorship:?}, {} spans", spans.len());
}

fn trace() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("EDITING_TRACES")?).join("automerge-paper.json.gz");
    path.exists().then_some(path)
}

/// The log that the trace makes: one row for each edit.
fn rows(recording: &Recording) -> Vec<LogRow> {
    let updates = recording.events.iter().filter_map(|event| match &event.what {
        What::Update { connection, update } => Some((event.t, connection, update)),
        _ => None,
    });
    let row = |(seq, (t, connection, update)): (u64, (_, &u32, &bytes::Bytes))| LogRow {
        seq: Seq(seq),
        at_ms: t as i64,
        author: Some(format!("author {connection}").into()),
        connection: ConnectionId(u64::from(*connection)),
        bytes: update.clone(),
    };
    (1..).zip(updates).map(row).collect()
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    (start.elapsed(), result)
}

fn report(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let (half, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{what} at {} random moments: p50 {half:?}, p99 {most:?}", times.len());
}
