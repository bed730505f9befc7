//! Cursors of many people, and nothing else.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::act::Habit;
use crate::bench::{Bench, Watch, new_clients, new_name, round};
use crate::crowd::{CURSOR_CLOCK_FIRST, Crowd};

/// The last places have this long to reach everybody.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// People in one document move their cursors, and nobody types. As stock clients of most dialects do, each
/// sends back what it hears. A server may leave out places that are followed by others: see "shown".
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// People
    #[arg(long, default_value_t = 1500)]
    people: usize,
    /// Moves a second, of each
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// Measured for so long
    #[arg(long, default_value_t = 6.0)]
    secs: f64,
    /// They move for so long before it is measured; everybody must have appeared at everybody's
    #[arg(long, default_value_t = 3.0)]
    warmup: f64,
}

/// Lets people move cursors, and times it.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let &Arguments { people, rate, .. } = arguments;
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let document = crowd.document(&new_name("presence"), new_clients(), people)?;
    let who: Vec<_> = (0..people as u32).map(|slot| (document, Some(slot))).collect();
    eprintln!("{people} people moving cursors");
    crowd.join_all(&who, JOIN_TIMEOUT)?;
    crowd.act(0..people, Habit::Move, rate);
    crowd.run(Duration::from_secs_f64(arguments.warmup))?;
    let time = Duration::from_secs_f64(arguments.secs);
    crowd.measure(time);
    let watch = Watch::start(&crowd, &server);
    crowd.run(time)?;
    let cost = watch.end(&crowd, &server);
    let memory_kib = server.memory_kib();
    crowd.rest();
    crowd.run(DRAIN_TIME)?;
    let (unknown, stale) = missing(&mut crowd);
    let tally = &crowd.tally;
    let moves = rate * people as f64 * (people - 1) as f64 * arguments.secs;
    Ok(json!({
        "people": people, "rate": rate,
        "p50_ms": tally.shown.quantile_ms(0.5), "p99_ms": tally.shown.quantile_ms(0.99),
        "shown": round(tally.shown.count() as f64 / moves),
        "until_this_or_later_p50_ms": tally.moved.quantile_ms(0.5),
        "until_this_or_later_p99_ms": tally.moved.quantile_ms(0.99),
        "never_appeared": unknown, "last_place_missing": stale,
        "server_cpu": round(cost.server_cpu), "memory_mib": memory_kib / 1024, "closed": tally.closed,
        "frames_in": tally.frames_in,
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    }))
}

/// Pairs of people of whom one has never seen the other, or not where the other is in the end. Places
/// that are still missing count as if they came now.
fn missing(crowd: &mut Crowd) -> (u64, u64) {
    let (mut unknown, mut stale) = (0, 0);
    let (now, measured) = (crowd.now(), crowd.measured.clone());
    for person in &crowd.people {
        for (writer, &seen) in crowd.writers.iter().zip(&person.seen_cursors) {
            // A server may say with one clock more that somebody is gone.
            let first = (seen - CURSOR_CLOCK_FIRST) as usize;
            let missing = writer.cursor_due.get(first..).unwrap_or_default();
            if Some(writer.slot) == person.slot || missing.is_empty() {
                continue;
            }
            unknown += u64::from(seen == CURSOR_CLOCK_FIRST);
            stale += 1;
            for due in missing.iter().filter(|due| measured.contains(due)) {
                crowd.tally.moved.add(now - due);
            }
        }
    }
    (unknown, stale)
}
