//! Does one busy document slow the others down?

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::act::{Habit, Unpaced};
use crate::bench::{Bench, Watch, new_clients, new_name, round};
use crate::crowd::Crowd;

/// Updates that a busy writer may have on their way.
const WINDOW: u32 = 2000;
const WARMUP: Duration = Duration::from_secs(1);

/// Pairs of people type in documents of their own, first alone, then beside a document in which a few others
/// type as fast as the server takes it. Meant for a server on all cores, not on one.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Documents with two people who type; several, because some may share a thread with the busy one
    #[arg(long, default_value_t = 8)]
    probes: usize,
    /// Letters a second, of each of the two
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// People in the busy document
    #[arg(long, default_value_t = 4)]
    busy: usize,
    /// Measured for so long, alone and beside
    #[arg(long, default_value_t = 8.0)]
    secs: f64,
}

/// Times pairs of people alone, and beside a busy document.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let mut people = Vec::new();
    for _ in 0..arguments.probes {
        let document = crowd.document(&new_name("probe"), new_clients(), 2)?;
        people.extend([(document, Some(0)), (document, Some(1))]);
    }
    let probes = crowd.writers.len();
    let busy = crowd.document(&new_name("busy"), new_clients(), arguments.busy)?;
    people.extend((0..arguments.busy as u32).map(|slot| (busy, Some(slot))));
    crowd.join_all(&people, JOIN_TIMEOUT)?;
    crowd.act(0..probes, Habit::Type, arguments.rate);
    crowd.run(WARMUP)?;

    let time = Duration::from_secs_f64(arguments.secs);
    eprintln!("{} pairs of people alone", arguments.probes);
    let watch = Watch::start(&crowd, &server);
    crowd.measure(time);
    crowd.run(time)?;
    let alone = quantiles(&crowd);
    let cost_alone = watch.end(&crowd, &server);

    eprintln!("beside a busy document");
    // What is typed there is seen by the next one of those who type there.
    let person = |index: usize| probes + index % arguments.busy;
    let unpaced = (0..arguments.busy).map(|index| Unpaced {
        writer: person(index),
        witness: person(index + 1),
        window: WINDOW,
    });
    crowd.unpaced = unpaced.collect();
    crowd.run(WARMUP)?;
    let sent = crowd.tally.sent;
    let watch = Watch::start(&crowd, &server);
    crowd.measure(time);
    crowd.run(time)?;
    let beside = quantiles(&crowd);
    let cost = watch.end(&crowd, &server);
    let sent = (crowd.tally.sent - sent) as f64 / cost.seconds;
    Ok(json!({
        "probes": arguments.probes, "rate": arguments.rate, "busy": arguments.busy,
        "alone_p50_ms": alone.0, "alone_p99_ms": alone.1,
        "beside_p50_ms": beside.0, "beside_p99_ms": beside.1,
        "times_slower": alone.1.zip(beside.1).map(|(alone, beside)| round(beside / alone)),
        "busy_updates_per_s": sent.round(), "closed": crowd.tally.closed,
        "server_cpu_alone": round(cost_alone.server_cpu), "server_cpu": round(cost.server_cpu),
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    }))
}

fn quantiles(crowd: &Crowd) -> (Option<f64>, Option<f64>) {
    (crowd.tally.typed.quantile_ms(0.5), crowd.tally.typed.quantile_ms(0.99))
}
