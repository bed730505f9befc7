//! Does it disturb those who type when others keep coming for the whole document?

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::act::Habit;
use crate::bench::{Bench, Cost, Watch, new_clients, new_name, round};
use crate::crowd::{Crowd, Stage};
use crate::histogram::Histogram;
use crate::server::Server;
use crate::story::{AUTHOR, Plot, Story};

/// Characters that the document's author put in at once.
const PIECE: usize = 70;
/// What an edit adds to the encoded document, about, in bytes.
const EDIT_BYTES: f64 = 48.0;
/// A document has come when this share of its first size has.
const WHOLE: f64 = 0.95;
/// The document is there by then.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
const WARMUP: Duration = Duration::from_secs(1);
/// People who wait for the document at once; when there are more, no more are let in.
const WAITING_MAX: usize = 1000;
/// What was typed last has this long to reach everybody.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// People type in a large document while others keep joining, take the whole document and leave.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// People who join, a second
    #[arg(long, default_value_t = 200.0)]
    joiners: f64,
    /// Size of the document, encoded, in MB
    #[arg(long, default_value_t = 4.0)]
    megabytes: f64,
    /// People who type
    #[arg(long, default_value_t = 50)]
    typing: usize,
    /// Letters a second, of each of them
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Measured for so long with joiners, and half as long without
    #[arg(long, default_value_t = 6.0)]
    secs: f64,
}

/// Lets people type, first alone and then beside others who come and go.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let edits = (arguments.megabytes * 1e6 / EDIT_BYTES) as usize;
    let story = Story::make(Plot { edits, piece: PIECE })?;
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let name = new_name("joiners");
    let typed_in = crowd.document(&name, new_clients(), arguments.typing)?;
    // The same document for those who only want to have it: what they get is not taken apart.
    let taken = crowd.document(&name, AUTHOR, 0)?;
    bring(&mut crowd, &story, taken)?;
    let who: Vec<_> = (0..arguments.typing as u32).map(|slot| (typed_in, Some(slot))).collect();
    crowd.join_all(&who, JOIN_TIMEOUT)?;
    // Those who type have taken the document, too; a slow server is still busy with that.
    crowd.run_until(LOAD_TIMEOUT, |crowd| {
        crowd.people[2..].iter().all(|person| person.longest >= whole(&story))
    })?;

    let quiet = Duration::from_secs_f64(arguments.secs / 2.0);
    crowd.act(crowd.writers_of(typed_in), Habit::Type, arguments.rate);
    crowd.run(WARMUP)?;
    crowd.measure(quiet);
    crowd.run(quiet)?;
    crowd.drain(DRAIN_TIMEOUT)?;
    let (quiet_p50, quiet_p99) = quantiles(&crowd);

    eprintln!(
        "{} people join a document of {} kB every second",
        arguments.joiners,
        story.state.len() / 1000
    );
    let time = Duration::from_secs_f64(arguments.secs);
    crowd.act(crowd.writers_of(typed_in), Habit::Type, arguments.rate);
    crowd.measure(time);
    server.forget_peak();
    let storm = storm(&mut crowd, &server, taken, &story, arguments)?;
    let peak_kib = server.memory_peak_kib();
    let missing = crowd.drain(DRAIN_TIMEOUT)?;
    let (p50, p99) = quantiles(&crowd);
    let cost = storm.cost;
    Ok(json!({
        "joiners_per_s": arguments.joiners, "document_kb": story.state.len() / 1000,
        "typing": arguments.typing, "rate": arguments.rate,
        "typing_p50_ms": p50, "typing_p99_ms": p99,
        "quiet_p50_ms": quiet_p50, "quiet_p99_ms": quiet_p99,
        "served_per_s": round(storm.times.count() as f64 / cost.seconds),
        "join_p50_ms": storm.times.quantile_ms(0.5), "join_p99_ms": storm.times.quantile_ms(0.99),
        "joined": storm.joined, "waiting_at_end": storm.waiting, "not_let_in": storm.not_let_in,
        "server_cpu": round(cost.server_cpu), "peak_mib": peak_kib / 1024,
        "missing": missing, "closed": crowd.tally.closed,
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    }))
}

/// Somebody brings the document as one update, and somebody else has it before they leave.
fn bring(crowd: &mut Crowd, story: &Story, document: usize) -> Result<()> {
    crowd.join_all(&[(document, None), (document, None)], JOIN_TIMEOUT)?;
    crowd.say_update(0, &story.state);
    let whole = whole(story);
    let came = crowd.run_until(LOAD_TIMEOUT, |crowd| crowd.people[1].longest >= whole)?;
    ensure!(
        came,
        "the document of {} kB did not arrive in {LOAD_TIMEOUT:?}",
        story.state.len() / 1000
    );
    crowd.leave(0);
    Ok(())
}

fn whole(story: &Story) -> usize {
    (story.state.len() as f64 * WHOLE) as usize
}

fn quantiles(crowd: &Crowd) -> (Option<f64>, Option<f64>) {
    let typed = &crowd.tally.typed;
    (typed.quantile_ms(0.5), typed.quantile_ms(0.99))
}

struct Storm {
    cost: Cost,
    /// From joining to having the whole document.
    times: Histogram,
    joined: usize,
    waiting: usize,
    not_let_in: usize,
}

fn storm(
    crowd: &mut Crowd,
    server: &Server,
    document: usize,
    story: &Story,
    arguments: &Arguments,
) -> Result<Storm> {
    let interval = (1e9 / arguments.joiners) as u64;
    let whole = whole(story);
    let mut times = Histogram::default();
    let (mut joined, mut not_let_in) = (0, 0);
    let mut waiting: Vec<(u64, usize)> = Vec::new();
    let watch = Watch::start(crowd, server);
    let until = crowd.now() + Duration::from_secs_f64(arguments.secs).as_nanos() as u64;
    let mut next = crowd.now();
    while crowd.now() < until {
        while next <= crowd.now() {
            if waiting.len() < WAITING_MAX {
                waiting.push((next, crowd.join(document, None)?));
                joined += 1;
            } else {
                not_let_in += 1;
            }
            next += interval;
        }
        crowd.turn(next.min(until))?;
        waiting.retain(|&(due, id)| {
            let person = &crowd.people[id];
            if person.longest >= whole {
                times.add(person.longest_at - due);
                crowd.leave(id);
                return false;
            }
            person.stage != Stage::Closed
        });
    }
    let cost = watch.end(crowd, server);
    waiting.iter().for_each(|&(_, id)| crowd.leave(id));
    Ok(Storm { cost, times, joined, waiting: waiting.len(), not_let_in })
}
