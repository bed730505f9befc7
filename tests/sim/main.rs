//! Many documents, clients and stores in one process, driven by one seed each.
//!
//! Real cores and real Yjs documents; the network, the disk and the time are models that lose,
//! delay, fail and crash. What must hold is checked after each step (`server`, `ledger`, `link`,
//! `client`) and when everything has settled (`checks`). The same seed is the same run.
//!
//! `COSCRIBE_SIM_SEEDS=100000` runs that many seeds, `COSCRIBE_SIM_SEED=17` prints one step by step:
//! `COSCRIBE_SIM_SEED=17 cargo nextest run --test sim one_seed --no-capture`.

mod checks;
mod client;
mod content;
mod events;
mod hostile;
mod ledger;
mod link;
mod plan;
mod server;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use trace::Trace;
use world::Sim;

/// Seeds of the normal run.
const SEEDS: u64 = 1_200;

/// Tests that the seeds are shared out to, so that they run on several cores.
const SHARDS: u64 = 4;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}

fn run(seed: u64) {
    let mut sim = Sim::new(seed, Trace::Off);
    let ended = catch_unwind(AssertUnwindSafe(|| sim.run_to_end()));
    if let Err(panic) = ended {
        eprintln!(
            "seed {seed} failed; to see it step by step:\n\
             COSCRIBE_SIM_SEED={seed} cargo nextest run --test sim one_seed --no-capture"
        );
        resume_unwind(panic);
    }
}

fn run_shard(shard: u64) {
    let seeds = variable("COSCRIBE_SIM_SEEDS").unwrap_or(SEEDS);
    (shard..seeds).step_by(SHARDS as usize).for_each(run);
}

#[test]
fn what_was_promised_holds_in_any_weather_1_of_4() {
    run_shard(0);
}

#[test]
fn what_was_promised_holds_in_any_weather_2_of_4() {
    run_shard(1);
}

#[test]
fn what_was_promised_holds_in_any_weather_3_of_4() {
    run_shard(2);
}

#[test]
fn what_was_promised_holds_in_any_weather_4_of_4() {
    run_shard(3);
}

#[test]
fn one_seed() {
    if let Some(seed) = variable("COSCRIBE_SIM_SEED") {
        Sim::new(seed, Trace::Print).run_to_end();
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        let [one, two] = [(); 2].map(|()| {
            let mut sim = Sim::new(seed, Trace::Keep(vec![]));
            sim.run_to_end();
            sim.trace
        });
        let (Trace::Keep(one), Trace::Keep(two)) = (one, two) else { unreachable!() };
        assert!(one == two, "two runs of seed {seed} differ");
    }
}
