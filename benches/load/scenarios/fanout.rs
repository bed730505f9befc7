//! People type; how soon do the others see it, and what does that cost?

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::act::Habit;
use crate::bench::{Bench, Watch, new_clients, new_name, round};

/// What was typed last has this long to reach everybody.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// People type in documents; how soon do the others see it, and at what cost?
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Documents
    #[arg(long, default_value_t = 1)]
    docs: usize,
    /// People in each
    #[arg(long, default_value_t = 50)]
    clients: usize,
    /// How many of them type; all, unless it is given
    #[arg(long)]
    writers: Option<usize>,
    /// Letters a second, of each who types
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Measured for so long
    #[arg(long, default_value_t = 8.0)]
    secs: f64,
    /// They type for so long before it is measured
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// A cursor moves with every letter
    #[arg(long)]
    awareness: bool,
}

/// Lets people type in documents, and times it.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let &Arguments { docs, clients, rate, .. } = arguments;
    let writers = arguments.writers.unwrap_or(clients).min(clients);
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let mut people = Vec::new();
    for _ in 0..docs {
        let document = crowd.document(&new_name("fanout"), new_clients(), writers)?;
        people.extend(
            (0..clients).map(|person| (document, (person < writers).then_some(person as u32))),
        );
    }
    eprintln!("{} people in {docs} documents, {writers} typing in each", people.len());
    crowd.join_all(&people, JOIN_TIMEOUT)?;
    let habit = if arguments.awareness { Habit::TypeAndMove } else { Habit::Type };
    crowd.act(0..docs * writers, habit, rate);
    crowd.run(Duration::from_secs_f64(arguments.warmup))?;
    let time = Duration::from_secs_f64(arguments.secs);
    crowd.measure(time);
    let watch = Watch::start(&crowd, &server);
    crowd.run(time)?;
    let cost = watch.end(&crowd, &server);
    let memory_kib = server.memory_kib();
    let missing = crowd.drain(DRAIN_TIMEOUT)?;
    let (typed, tally) = (&crowd.tally.typed, &crowd.tally);
    Ok(json!({
        "docs": docs, "clients": clients, "writers": writers, "rate": rate,
        "awareness": arguments.awareness,
        "p50_ms": typed.quantile_ms(0.5), "p95_ms": typed.quantile_ms(0.95),
        "p99_ms": typed.quantile_ms(0.99), "max_ms": typed.quantile_ms(1.0),
        "cursor_p99_ms": tally.moved.quantile_ms(0.99),
        "deliveries_per_s": (cost.deliveries as f64 / cost.seconds).round(),
        "server_us_per_update": round(cost.us_per_update()), "server_cpu": round(cost.server_cpu),
        "memory_mib": memory_kib / 1024, "frames_in": tally.frames_in,
        "missing": missing, "gaps": tally.gaps, "closed": tally.closed, "unreadable": tally.unreadable,
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    }))
}
