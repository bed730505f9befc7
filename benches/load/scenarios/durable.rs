//! Is what others have seen still there when the server was killed?

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::act::Habit;
use crate::bench::{Bench, new_clients, new_name};
use crate::crowd::Crowd;

/// What was on its way to people when the server was killed still arrives.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Whoever joins after the restart has what is left by then.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// People type until the server is killed (kill -9) at a random moment and started again; counts what others
/// had already seen and is gone.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// People who type, in one document
    #[arg(long, default_value_t = 20)]
    people: usize,
    /// Letters a second, of each
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// How often
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Kills the server again and again, and counts what is gone.
///
/// # Errors
/// The server does not start (again), or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let (mut seen, mut lost, mut rounds) = (0, 0, Vec::new());
    for round in 1..=arguments.rounds {
        let (round_seen, round_lost) =
            once(bench, arguments).with_context(|| format!("round {round}"))?;
        eprintln!("round {round}: {round_lost} lost of {round_seen} that others had seen");
        rounds.push(json!({ "seen": round_seen, "lost": round_lost }));
        seen += round_seen;
        lost += round_lost;
    }
    Ok(json!({
        "people": arguments.people, "rate": arguments.rate, "seen": seen, "lost": lost, "rounds": rounds,
    }))
}

/// How many updates others had seen, and how many of these are gone.
fn once(bench: &Bench, arguments: &Arguments) -> Result<(u64, u64)> {
    let (name, clients) = (new_name("durable"), new_clients());
    let mut server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let document = crowd.document(&name, clients, arguments.people)?;
    let who: Vec<_> = (0..arguments.people as u32).map(|slot| (document, Some(slot))).collect();
    crowd.join_all(&who, JOIN_TIMEOUT)?;
    crowd.act(0..arguments.people, Habit::Type, arguments.rate);
    crowd.run(Duration::from_millis(fastrand::u64(2000..4000)))?;
    server.kill();
    crowd.rest();
    crowd.run_until(LAST_WORDS, |crowd| crowd.synced == 0)?;
    let seen = seen_by_others(&crowd);
    drop(crowd);

    server.start_again()?;
    let mut crowd = bench.crowd()?;
    let document = crowd.document(&name, clients, arguments.people)?;
    crowd.join_all(&[(document, None)], JOIN_TIMEOUT)?;
    // Some servers answer at once with nothing, and send the document when they have read it.
    crowd.run_until(OPEN_TIMEOUT, |crowd| lost(&seen, crowd) == 0)?;
    Ok((seen.iter().copied().map(u64::from).sum(), lost(&seen, &crowd)))
}

/// For each who types, how much of it anybody else has seen.
fn seen_by_others(crowd: &Crowd) -> Vec<u32> {
    let of = |slot: u32| {
        let others = crowd.people.iter().filter(|person| person.slot != Some(slot));
        others.map(|person| person.seen[slot as usize]).max().unwrap_or_default()
    };
    (0..crowd.writers.len() as u32).map(of).collect()
}

fn lost(seen: &[u32], crowd: &Crowd) -> u64 {
    let left = &crowd.people[0].seen;
    seen.iter().zip(left).map(|(seen, left)| u64::from(seen.saturating_sub(*left))).sum()
}
