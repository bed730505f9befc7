//! What do people cost who never read?

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::bench::{Bench, new_clients, new_name, round};
use crate::clock::Stopwatch;
use crate::crowd::Crowd;
use crate::story::text_of;
use crate::update::{put_delete, put_insert};

/// Characters that are inserted, and deleted again, at once.
const PIECE: u32 = 16 << 10;
/// Pieces that may be on their way to the one who reads.
const WINDOW: u32 = 16;
/// Whether they have arrived is looked at this often.
const SLICE: Duration = Duration::from_millis(5);
/// Those who read again have everything by then, or they never will.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Some people never read while much is typed (and deleted again, so that the document stays small): how much
/// memory does the server give them? Then they read again, and must have what the others have.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// People who do not read
    #[arg(long, default_value_t = 16)]
    readers: usize,
    /// What they are offered, all together, in MB
    #[arg(long, default_value_t = 2000)]
    megabytes: u64,
    /// What has not been offered by then, in s, is not
    #[arg(long, default_value_t = 60.0)]
    timeout: f64,
}

struct Outcome {
    peak_kib: u64,
    typed_bytes: u64,
    seconds: f64,
    caught_up: usize,
    same: usize,
    closed: u64,
}

/// Weighs people who do not read.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let pieces =
        arguments.megabytes * 1_000_000 / arguments.readers.max(1) as u64 / u64::from(PIECE);
    // What the document itself takes up is taken off.
    let alone = once(bench, 0, pieces, arguments.timeout)?;
    let slow = once(bench, arguments.readers, pieces, arguments.timeout)?;
    let growth = slow.peak_kib as f64 - alone.peak_kib as f64;
    Ok(json!({
        "readers": arguments.readers, "offered_mb": slow.typed_bytes * arguments.readers as u64 / 1_000_000,
        "growth_mib_per_reader": round(growth / 1024.0 / arguments.readers.max(1) as f64),
        "growth_mib": round(growth / 1024.0),
        "peak_alone_mib": alone.peak_kib / 1024, "peak_mib": slow.peak_kib / 1024,
        "alone_s": round(alone.seconds), "slow_s": round(slow.seconds),
        "caught_up": slow.caught_up, "same": slow.same, "closed": slow.closed,
    }))
}

fn once(bench: &Bench, readers: usize, pieces: u64, timeout: f64) -> Result<Outcome> {
    eprintln!("{pieces} pieces of {PIECE} letters, {readers} people who do not read");
    let server = bench.server()?;
    let mut crowd = bench.crowd()?;
    let client = new_clients();
    let document = crowd.document(&new_name("slow"), client, 1)?;
    let who: Vec<_> =
        (0..2 + readers).map(|person| (document, (person == 0).then_some(0))).collect();
    crowd.join_all(&who, JOIN_TIMEOUT)?;
    let (author, witness, slow) = (0, 1, 2..2 + readers);
    for person in witness..2 + readers {
        crowd.people[person].kept = Some(Vec::new());
        crowd.people[person].deaf = person != witness;
    }
    server.forget_peak();
    let since = Stopwatch::start();
    let mut typed_bytes = 0;
    let text = vec![b'a'; PIECE as usize];
    let mut clock = 0;
    for piece in 0..=pieces {
        let mut update = Vec::new();
        put_insert(&mut update, client, clock, &text);
        crowd.say_update(author, &update);
        typed_bytes += update.len() as u64;
        let enough = piece == pieces || since.s() > timeout;
        // The last piece stays: whoever has it has everything.
        if !enough {
            update.clear();
            put_delete(&mut update, client, clock, PIECE);
            crowd.say_update(author, &update);
        }
        clock += PIECE;
        let behind = |crowd: &Crowd| clock - crowd.people[witness].seen[0];
        while behind(&crowd) >= WINDOW * PIECE || (enough && behind(&crowd) > 0) {
            crowd.turn(crowd.now() + SLICE.as_nanos() as u64)?;
            ensure!(since.s() < 2.0 * timeout, "what was typed did not arrive");
            ensure!(
                crowd.people[witness].stage != crate::crowd::Stage::Closed,
                "the one who reads was closed"
            );
        }
        if enough {
            break;
        }
    }
    let (seconds, peak_kib) = (since.s(), server.memory_peak_kib());
    slow.clone().for_each(|person| crowd.listen_again(person));
    let has_all = |crowd: &Crowd, person: usize| crowd.people[person].seen[0] == clock;
    crowd.run_until(CATCH_UP_TIMEOUT, |crowd| slow.clone().all(|person| has_all(crowd, person)))?;
    let caught_up = slow.clone().filter(|&person| has_all(&crowd, person)).count();
    let mut text = |person: usize| text_of(&crowd.people[person].kept.take().unwrap_or_default());
    let right = text(witness)?;
    let same = slow.filter(|&person| text(person).is_ok_and(|text| text == right)).count();
    Ok(Outcome { peak_kib, typed_bytes, seconds, caught_up, same, closed: crowd.tally.closed })
}
