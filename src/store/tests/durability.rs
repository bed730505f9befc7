//! What an answer is worth: fsyncs that fail or take their time, and `kill -9`.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use super::*;
use crate::store::fsck::Fsck;

/// The fsyncs of a store: each tells that it began, and ends as it is told.
struct HeldSync {
    began: mpsc::UnboundedReceiver<()>,
    finish: std::sync::mpsc::Sender<io::Result<()>>,
}

impl HeldSync {
    async fn open(place: &Place) -> (Store, Self) {
        let (begin, began) = mpsc::unbounded_channel();
        let (finish, results) = std::sync::mpsc::channel();
        let results = std::sync::Mutex::new(results);
        let tuning = Tuning {
            sync_file: Arc::new(move |_| {
                begin.send(()).unwrap();
                results.lock().unwrap().recv().unwrap()
            }),
            ..Tuning::default()
        };
        let mut held = Self { began, finish };
        // The one of `open` itself.
        held.finish.send(Ok(())).unwrap();
        let store = place.open_tuned(Durability::Process, tuning).await;
        held.began.recv().await.unwrap();
        (store, held)
    }
}

async fn append_undurable(store: &Store, number: u64) -> oneshot::Receiver<()> {
    let commit = store.append(document("a"), records(number..=number)).await.unwrap();
    commit.durable.expect("an answer before the fsync")
}

#[tokio::test]
async fn with_process_durability_durable_comes_after_an_fsync_that_began_after_the_commit() {
    let place = Place::new();
    let (store, mut held) = HeldSync::open(&place).await;
    let mut first = append_undurable(&store, 1).await;
    held.began.recv().await.unwrap();
    // Committed and visible while the disk is busy, and the next commits do not wait for it.
    let mut second = append_undurable(&store, 2).await;
    let mut third = append_undurable(&store, 3).await;
    assert_eq!(load(&store, "a").await.last, Seq(3));
    assert!(first.try_recv().is_err());

    held.finish.send(Ok(())).unwrap();
    first.await.unwrap();
    held.began.recv().await.unwrap();
    assert!(second.try_recv().is_err() && third.try_recv().is_err());

    // One fsync for both.
    held.finish.send(Ok(())).unwrap();
    second.await.unwrap();
    third.await.unwrap();
    store.close().await;
    assert!(held.began.recv().await.is_none(), "an fsync for nobody");
}

#[tokio::test]
async fn after_a_failed_fsync_nothing_is_durable_and_nothing_is_written() {
    let place = Place::new();
    let (store, mut held) = HeldSync::open(&place).await;
    let first = append_undurable(&store, 1).await;
    held.began.recv().await.unwrap();
    let second = append_undurable(&store, 2).await;
    held.finish.send(Err(io::Error::other("the disk is on fire"))).unwrap();
    first.await.unwrap_err();
    second.await.unwrap_err();

    let refused = store.append(document("a"), records(3..=3)).await;
    assert!(matches!(refused, Err(AppendError::Broken { .. })), "{refused:?}");
    let why = store.check().await.unwrap_err().to_string();
    assert!(why.contains("the disk is on fire"), "{why}");
    assert_eq!(load(&store, "a").await.last, Seq(2));
    store.close().await;
    let wal = place.0.path().join("notes.db-wal");
    assert!(wal.exists(), "folded in a WAL that the disk may not have");
    let store = place.open().await;
    assert_eq!(append(&store, "a", 3..=3).await, Seq(3));
}

#[tokio::test]
async fn a_deletion_is_answered_after_an_fsync_with_process_durability_too() {
    let place = Place::new();
    let (store, mut held) = HeldSync::open(&place).await;
    let created = store.create(document("a"), 1);
    held.finish.send(Ok(())).unwrap();
    assert_eq!(created.await, Ok(true));
    held.began.recv().await.unwrap();

    let mut deleted = Box::pin(store.delete(document("a"), 1));
    // Polled once: it is in the queue.
    assert!(futures_util::FutureExt::now_or_never(&mut deleted).is_none());
    held.began.recv().await.unwrap();
    assert!(futures_util::FutureExt::now_or_never(&mut deleted).is_none());
    held.finish.send(Ok(())).unwrap();
    assert_eq!(deleted.await, Ok(true));

    held.finish.send(Err(io::Error::other("the disk is on fire"))).unwrap();
    let refused = store.undelete(document("a")).await;
    assert!(matches!(refused, Err(AppendError::Broken { .. })), "{refused:?}");
}

/// Somebody took the WAL for rubbish. A restart would not find what is written to it now.
#[tokio::test]
async fn a_removed_wal_ends_writing_and_loses_nothing_that_was_answered() {
    for durability in [Durability::Disk, Durability::Process] {
        let place = Place::new();
        let store = place.open_tuned(durability, Tuning::default()).await;
        append(&store, "a", 1..=5).await;
        std::fs::remove_file(place.0.path().join("notes.db-wal")).unwrap();
        let copy = place.0.path().join("as-a-restart-would-find-it.db");

        let refused = store.append(document("a"), records(6..=6)).await;
        assert!(matches!(refused, Err(AppendError::Broken { .. })), "{refused:?}");
        assert!(store.check().await.is_err());
        std::fs::copy(place.database(), &copy).unwrap();
        let options = StoreOptions { path: copy, ..place.options(durability) };
        let restarted = Store::open(options).await.unwrap();
        assert!(load(&restarted, "a").await.last >= Seq(5));
    }
}

const KILL_TEST: &str = "COSCRIBE_STORE_KILL_TEST";

/// The child: appends to three documents for ever and prints each answer.
async fn append_until_killed(place: &str, durability: Durability) {
    let options = StoreOptions {
        path: place.into(),
        durability,
        queue_len: 10,
        batch_bytes_max: 1 << 20,
        readers: 1,
    };
    let store = Store::open(options).await.unwrap();
    let writers = ["a", "b", "c"].map(|name| {
        let store = store.clone();
        async move {
            for number in 1.. {
                let last = append(&store, name, number..=number).await;
                // Ends the child with a panic when nobody reads any more.
                writeln!(io::stdout(), "answered {name} {last}").unwrap();
                if number % 40 == 0 {
                    let state = Bytes::from(vec![7; 20_000]);
                    store.write_snapshot(document(name), last, state, 0).await.unwrap();
                    pack(&store, name).await;
                }
            }
        }
    });
    futures_util::future::join_all(writers).await;
}

/// Packs what can be packed, and puts segments together when there are some.
async fn pack(store: &Store, name: &str) {
    let document = document(name);
    let at_ms = record("").at_ms;
    let segment = |first, last| {
        let bytes = Bytes::from(vec![7; 10_000]);
        Segment { first, last, first_at_ms: at_ms, last_at_ms: at_ms, bytes }
    };
    if let Some(packable) = store.packable(&document, true).await.unwrap() {
        let segment = segment(packable.first, packable.last);
        store.write_segment(document.clone(), segment).await.unwrap();
    }
    let log = store.read_log(&document, Seq(0), Seq(u64::MAX)).await.unwrap();
    let old: Vec<_> = log.segments.iter().map(|segment| (segment.first, segment.last)).collect();
    if let [(first, _), .., (_, last)] = old[..]
        && old.len() > 2
    {
        store.replace_segments(document, old, vec![segment(first, last)]).await.unwrap();
    }
}

/// Runs the child, kills it after some answers, and gives the last answer for each document.
fn kill_after(answers: usize, database: &Path, durability: &str) -> HashMap<String, u64> {
    let test = "kill_9_loses_nothing_that_was_answered";
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args([&format!("{module}::{test}"), "--exact", "--nocapture"])
        .env(KILL_TEST, format!("{durability} {}", database.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut last = HashMap::new();
    let mut seen = 0;
    for line in lines {
        let Some((_, answer)) = line.split_once("answered ") else {
            continue;
        };
        // A pipe takes a short line as a whole or not at all.
        let (name, seq) = answer.split_once(' ').unwrap();
        last.insert(name.to_owned(), seq.parse().unwrap());
        seen += 1;
        if seen == answers {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= answers, "the child ended by itself after {seen} answers");
    last
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_answered() {
    if let Ok(child) = std::env::var(KILL_TEST) {
        let (durability, place) = child.split_once(' ').unwrap();
        let durability = if durability == "disk" { Durability::Disk } else { Durability::Process };
        return append_until_killed(place, durability).await;
    }
    let place = Place::new();
    let mut before: HashMap<String, u64> = HashMap::new();
    for (round, durability) in ["disk", "process", "disk", "process"].into_iter().enumerate() {
        let answered = kill_after(50 + 97 * round, &place.database(), durability);
        let store = place.open().await;
        for (name, seq) in &answered {
            let stored = load(&store, name).await;
            assert!(
                stored.last >= Seq(*seq),
                "{name}: {seq} was answered, {} is there",
                stored.last
            );
            assert!(stored.last >= Seq(before.get(name).copied().unwrap_or(0)));
            before.insert(name.clone(), stored.last.0);
            // The whole log, through its segments; what is missing in it would be an error.
            let log = store.read_log(&document(name), Seq(0), Seq(u64::MAX)).await.unwrap();
            assert_eq!(log.last, stored.last);
            let packed = log.segments.last().map_or(0, |segment| segment.last.0);
            assert_eq!(packed + log.rows.len() as u64, log.last.0);
        }
        store.close().await;
        let mut fsck = Fsck::open(&place.database()).await.unwrap();
        assert_eq!(fsck.check().await, []);
    }
    assert!(place.number("SELECT count(*) FROM segments").await > 0, "nothing was packed");
}
