//! What one update costs, piece by piece: lint, integration, one flush of the core, fan-out.
//!
//! `make bench`. Compare before and after a change on the same machine; the figures of the whole
//! server are in `docs/performance.md`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coscribe::config::Config;
use coscribe::crdt::{LintLimits, Linted, Replica};
use coscribe::document::core::{Core, CoreLimits};
use coscribe::document::input::{About, Greeting, Input, Loaded};
use coscribe::document::lineage::Retired;
use coscribe::fanout::{self, Outbox, Outlet, Port, Reflections};
use coscribe::id::{ConnectionId, Seq, SessionId};
use coscribe::wire::awareness::{Entry, decode, encode};
use coscribe::wire::{Dialect, Reply};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use yrs::{Doc, Text, Transact};

/// One keystroke each: what `count` insertions of one person look like on the wire.
fn keystrokes(count: u32) -> Vec<Bytes> {
    let doc = Doc::with_client_id(7);
    let text = doc.get_or_insert_text("text");
    (0..count)
        .map(|at| {
            let mut txn = doc.transact_mut();
            text.insert(&mut txn, at, "a");
            Bytes::from(txn.encode_update_v1())
        })
        .collect()
}

fn lint(c: &mut Criterion) {
    let limits = LintLimits::default();
    let update = keystrokes(100).remove(99);
    c.bench_function("lint a keystroke", |b| {
        b.iter(|| Linted::new(black_box(update.clone()), &limits));
    });
}

fn integrate(c: &mut Criterion) {
    let limits = LintLimits::default();
    let updates: Vec<Linted> =
        keystrokes(1_000).into_iter().filter_map(|u| Linted::new(u, &limits).ok()).collect();
    let batch: Vec<&Linted> = updates.iter().collect();
    for size in [1, 10, 100] {
        c.bench_function(&format!("integrate 1,000 keystrokes, {size} a batch"), |b| {
            b.iter_batched(
                Replica::new,
                |mut replica| {
                    for batch in batch.chunks(size) {
                        black_box(replica.integrate(batch)).expect("honest updates");
                    }
                    replica
                },
                BatchSize::LargeInput,
            );
        });
    }
}

/// A document with `sessions` in it and a log that answers at once.
fn live_core(sessions: u64) -> Core {
    let mut core = Core::new(CoreLimits::new(&Config::default()));
    let replica = Replica::new();
    let loaded = Loaded {
        examine_from: None,
        replica,
        last: Seq(0),
        rows: 0,
        bytes: 0,
        snapshot_bytes: 0,
        retired: Retired::default(),
    };
    core.handle(Input::Loaded(Box::new(loaded)), Duration::ZERO);
    for session in 1..=sessions {
        let about = About {
            connection: ConnectionId(session),
            user: None,
            may_write: true,
            greeting: Greeting::AtJoin,
            strict: false,
        };
        core.handle(Input::Joined { session: SessionId(session), about }, Duration::ZERO);
    }
    core
}

fn flush(c: &mut Criterion) {
    let updates = keystrokes(1_000);
    for sessions in [2, 1_000] {
        let name = format!("1,000 keystrokes through the core, a flush each, {sessions} people");
        c.bench_function(&name, |b| {
            b.iter_batched(
                || live_core(sessions),
                |mut core| {
                    for (seq, bytes) in (1..).zip(updates.iter().cloned()) {
                        // Far enough apart that none waits.
                        let now = Duration::from_secs(seq);
                        let (session, whole, may_write) = (SessionId(1), false, true);
                        let update = Input::Update { session, bytes, whole, may_write };
                        black_box(core.handle(update, now));
                        let committed = Input::Committed { last: Seq(seq), durable: true };
                        black_box(core.handle(committed, now));
                    }
                    core
                },
                BatchSize::LargeInput,
            );
        });
    }
}

fn publish(c: &mut Criterion) {
    let outboxes: Vec<_> = (0..1_000).map(|_| Arc::new(Outbox::new(usize::MAX))).collect();
    let mut ports: Vec<Port> = (1..)
        .zip(&outboxes)
        .map(|(session, outbox)| {
            let dialect = if session % 2 == 0 {
                Dialect::YWebsocket
            } else {
                Dialect::Hocuspocus { address: "a document".into() }
            };
            let outlet = Outlet::Socket { outbox: outbox.clone(), dialect, stalled: false };
            Port { session: SessionId(session), outlet }
        })
        .collect();
    let update = keystrokes(100).remove(99);
    c.bench_function("publish an update to 1,000 sessions of two dialects", |b| {
        b.iter(|| {
            black_box(fanout::publish(ports.iter_mut(), &Reply::Update { update: update.clone() }));
            outboxes.iter().for_each(|outbox| drop(outbox.try_next()));
        });
    });
}

fn reflections(c: &mut Criterion) {
    let state = r#"{"user":{"name":"Ann","color":"30bced"},"cursor":{"anchor":7,"head":9}}"#;
    let entries: Vec<Entry> =
        (0..300).map(|id| Entry { client: id << 20, clock: 9, state: state.into() }).collect();
    let reflections = Reflections::default();
    reflections.remember(&encode(entries.iter()));
    let without_one =
        encode(entries.iter().filter(|e| e.client != 150 << 20).collect::<Vec<_>>().into_iter());
    c.bench_function("know 300 states that come back as a reflection", |b| {
        b.iter(|| assert!(reflections.contain(black_box(&without_one))));
    });
    c.bench_function("read 300 states that come back", |b| {
        b.iter(|| decode(black_box(without_one.clone())));
    });
}

criterion_group!(benches, lint, integrate, flush, publish, reflections);
criterion_main!(benches);
