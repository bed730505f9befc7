//! What does a connection cost on which nothing happens?

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::bench::{Bench, Watch, new_name, round};
use crate::clock::Stopwatch;

/// People connect and do nothing: memory for each, connections a second, CPU afterwards.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Connections
    #[arg(long, default_value_t = 5000)]
    people: usize,
    /// Documents that they are spread over
    #[arg(long, default_value_t = 100)]
    docs: usize,
    /// Memory is looked at so many seconds after the last one has synced
    #[arg(long, default_value_t = 3.0)]
    hold: f64,
}

/// Opens connections, and weighs them.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let &Arguments { people, docs, .. } = arguments;
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    for _ in 0..docs {
        crowd.document(&new_name("idle"), 0, 0)?;
    }
    // One in each document first: what is measured is the cost of a connection, not of a document.
    let firsts: Vec<_> = (0..docs).map(|document| (document, None)).collect();
    crowd.join_all(&firsts, JOIN_TIMEOUT)?;
    crowd.run(Duration::from_secs(1))?;
    let before_kib = server.memory_kib();
    eprintln!("{people} connections in {docs} documents");
    let everybody: Vec<_> = (0..people).map(|person| (person % docs, None)).collect();
    let (watch, connecting) = (Watch::start(&crowd, &server), Stopwatch::start());
    crowd.join_all(&everybody, JOIN_TIMEOUT)?;
    let connect_s = connecting.s();
    let cost = watch.end(&crowd, &server);
    let watch = Watch::start(&crowd, &server);
    crowd.run(Duration::from_secs_f64(arguments.hold))?;
    let after_kib = server.memory_kib();
    let idle = watch.end(&crowd, &server);
    Ok(json!({
        "people": people, "docs": docs,
        "kib_per_connection": round((after_kib as f64 - before_kib as f64) / people as f64),
        "connects_per_s": (people as f64 / connect_s).round(),
        "connect_us_cpu": round(cost.server_cpu * cost.seconds * 1e6 / people as f64),
        "memory_before_mib": before_kib / 1024, "memory_after_mib": after_kib / 1024,
        "idle_cpu": round(idle.server_cpu), "closed": crowd.tally.closed,
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    }))
}
