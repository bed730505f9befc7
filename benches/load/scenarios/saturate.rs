//! How many people can type in one document?

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::act::Habit;
use crate::bench::{Bench, Cost, Watch, new_clients, new_name, round};
use crate::server::Server;

/// The crowd has joined by then, or the server does not carry it.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// What was typed last has this long to reach everybody.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
const WARMUP: Duration = Duration::from_secs(1);
/// How often it is looked whether a trial is hopeless.
const SLICE: Duration = Duration::from_millis(250);
/// A server this many seconds of typing behind will not catch up.
const BEHIND_S_MAX: f64 = 1.5;

/// People type in one document, more and more of them, until it is too slow for them or something gets
/// lost; then the largest crowd that is served is looked for. The machine may hiccup: a crowd has two tries.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Letters a second, of each
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Measured for so long, of each crowd
    #[arg(long, default_value_t = 3.0)]
    secs: f64,
    /// The first crowd; doubled as long as it is served
    #[arg(long, default_value_t = 125)]
    start: usize,
    /// The largest crowd that is tried
    #[arg(long, default_value_t = 2500)]
    max: usize,
    /// The slowest p99 that counts as served, in ms
    #[arg(long, default_value_t = 100.0)]
    p99: f64,
    /// How near the largest crowd that is served shall be to the smallest that is not, in percent
    #[arg(long, default_value_t = 4.0)]
    near: f64,
}

struct Trial {
    people: usize,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    cost: Cost,
    /// Why it does not count as served.
    fault: Option<String>,
}

/// Looks for the largest crowd that is served.
///
/// # Errors
/// The server does not start, or does not serve one person.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let mut server = bench.server()?;
    let mut trials: Vec<Trial> = Vec::new();
    let (mut served, mut too_many) = (0, None);
    let mut people = arguments.start.min(arguments.max);
    loop {
        let mut good = false;
        for _ in 0..2 {
            let trial = trial(bench, &server, arguments, people);
            good = trial.as_ref().is_ok_and(|trial| trial.fault.is_none());
            match trial {
                Ok(trial) => {
                    eprintln!("{}", trial.line());
                    trials.push(trial);
                }
                Err(e) => eprintln!("{people} people: {e:#}"),
            }
            if good {
                break;
            }
            // What it has queued is nobody's business any more.
            drop(server);
            server = bench.server()?;
        }
        if good {
            served = people;
        } else {
            too_many = Some(people);
        }
        people = match too_many {
            None if people >= arguments.max => break,
            None => (people * 2).min(arguments.max),
            Some(many)
                if (many - served) as f64 <= many as f64 * arguments.near / 100.0 || many == 1 =>
            {
                break;
            }
            Some(many) => served.midpoint(many),
        };
    }
    let best = trials.iter().rev().find(|trial| trial.people == served && trial.fault.is_none());
    ensure!(served > 0, "not even one person is served");
    let full = trials.iter().any(|trial| trial.people >= served && trial.cost.generator_full());
    Ok(json!({
        "rate": arguments.rate, "max": arguments.max, "people": served,
        "p50_ms": best.and_then(|trial| trial.p50_ms), "p99_ms": best.and_then(|trial| trial.p99_ms),
        "deliveries_per_s": best.map(|trial| (trial.cost.deliveries as f64 / trial.cost.seconds).round()),
        "server_us_per_update": best.map(|trial| round(trial.cost.us_per_update())),
        "server_cpu": best.map(|trial| round(trial.cost.server_cpu)),
        "generator_cpu": best.map(|trial| round(trial.cost.generator_cpu)), "generator_full": full,
        "trials": trials.iter().map(Trial::line).collect::<Vec<_>>(),
    }))
}

fn trial(bench: &Bench, server: &Server, arguments: &Arguments, people: usize) -> Result<Trial> {
    let mut crowd = bench.crowd()?;
    let document = crowd.document(&new_name("saturate"), new_clients(), people)?;
    let who: Vec<_> = (0..people as u32).map(|slot| (document, Some(slot))).collect();
    crowd.join_all(&who, JOIN_TIMEOUT)?;
    crowd.act(0..people, Habit::Type, arguments.rate);
    crowd.run(WARMUP)?;
    crowd.measure(Duration::from_secs_f64(arguments.secs));
    let until = crowd.measured.end;
    let others = people as u64 - 1;
    let behind_max = (arguments.rate * people as f64 * others as f64 * BEHIND_S_MAX) as u64;
    let watch = Watch::start(&crowd, server);
    let mut fault = None;
    while crowd.now() < until && fault.is_none() {
        crowd.run(SLICE)?;
        if crowd.tally.sent * others > crowd.tally.deliveries + behind_max {
            fault = Some(format!("more than {BEHIND_S_MAX} s behind"));
        }
    }
    let cost = watch.end(&crowd, server);
    let tally = &crowd.tally;
    if tally.closed + tally.gaps + tally.unreadable > 0 {
        fault = Some(format!(
            "{} closed, {} gaps, {} unreadable",
            tally.closed, tally.gaps, tally.unreadable
        ));
    }
    if fault.is_none() {
        let missing = crowd.drain(DRAIN_TIMEOUT)?;
        fault = (missing > 0).then(|| format!("{missing} missing"));
    }
    let typed = &crowd.tally.typed;
    let (p50_ms, p99_ms) = (typed.quantile_ms(0.5), typed.quantile_ms(0.99));
    if fault.is_none() && p99_ms.is_none_or(|p99| p99 > arguments.p99) {
        fault = Some("too slow".to_owned());
    }
    Ok(Trial { people, p50_ms, p99_ms, cost, fault })
}

impl Trial {
    fn line(&self) -> String {
        let Self { people, p50_ms, p99_ms, cost, fault } = self;
        format!(
            "{people} people: p50 {:.1} ms, p99 {:.1} ms, server {:.2}, generator {:.2}{}: {}",
            p50_ms.unwrap_or_default(),
            p99_ms.unwrap_or_default(),
            cost.server_cpu,
            cost.generator_cpu,
            if cost.generator_full() { " (full)" } else { "" },
            fault.as_deref().unwrap_or("served")
        )
    }
}
