//! A long document: typed live, opened warm and cold, by one and by a hundred at once.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::JOIN_TIMEOUT;
use crate::bench::{Bench, Watch, median, new_name, round};
use crate::clock::Stopwatch;
use crate::crowd::Crowd;
use crate::server::Server;
use crate::story::{AUTHOR, Plot, Story, text_of};

/// Bytes that the author's client may have on their way.
const BACKLOG_BYTES_MAX: usize = 256 << 10;
/// Whoever joins has the whole document by then, or it counts as gone.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Whether the author's updates have arrived is looked at this often.
const SLICE: Duration = Duration::from_millis(5);

/// A document of many edits is typed live as fast as the server takes it, then opened: by somebody while
/// others have it open, by somebody after a restart, by a hundred at once. Peak memory is the server's.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Edits, a fifth of them deleting
    #[arg(long, default_value_t = 260_000)]
    edits: usize,
    /// How often it is opened warm, and cold
    #[arg(long, default_value_t = 3)]
    opens: usize,
    /// People who open it at once
    #[arg(long, default_value_t = 100)]
    storm: usize,
    /// A server that has not taken all edits by then, in s, gets the document as one update instead
    #[arg(long, default_value_t = 60.0)]
    load_timeout: f64,
    /// So many seconds without anybody before a restart, for servers that store later
    #[arg(long, default_value_t = 4.0)]
    settle: f64,
}

/// Types a long document, and opens it in every way.
///
/// # Errors
/// The server does not start, or does not let people in.
pub fn run(bench: &Bench, arguments: &Arguments) -> Result<Value> {
    let story = Story::make(Plot { edits: arguments.edits, piece: 1 })?;
    let name = new_name("bigdoc");
    let mut server = bench.server()?;
    let (mut crowd, load) = match type_live(bench, &server, &story, &name, arguments)? {
        Some(loaded) => loaded,
        None => {
            eprintln!("not typed within {} s; sent as one update instead", arguments.load_timeout);
            drop(server);
            server = bench.server()?;
            (
                send_whole(bench, &story, &name)?,
                json!({ "load_timed_out_s": arguments.load_timeout }),
            )
        }
    };
    let live_kib = server.memory_kib();
    eprintln!("opening it warm");
    let mut warm = Vec::new();
    for _ in 0..arguments.opens {
        warm.push(open(&mut crowd, &story, 1)?);
    }
    let same = opened_text(&mut crowd)? == story.text;
    server.forget_peak();
    let warm_storm = open(&mut crowd, &story, arguments.storm)?;
    let warm_peak_kib = server.memory_peak_kib();
    (0..crowd.people.len()).for_each(|person| crowd.leave(person));
    crowd.run(Duration::from_secs_f64(arguments.settle))?;
    let kept = cold(bench, &mut server, &story, &name, arguments);
    let mut figures = json!({
        "edits": story.updates.len(), "state_kib": story.state.len() / 1024, "text_same": same,
        "memory_live_mib": live_kib / 1024,
        "warm_ms": round(median(&mut warm)), "warm_storm_ms": round(warm_storm),
        "warm_storm_peak_mib": warm_peak_kib / 1024, "storm": arguments.storm,
    });
    let cold = kept.unwrap_or_else(|e| json!({ "cold_failed": format!("{e:#}") }));
    for part in [load, cold] {
        if let (Value::Object(figures), Value::Object(mut part)) = (&mut figures, part) {
            figures.append(&mut part);
        }
    }
    Ok(figures)
}

/// `None` where it takes too long.
fn type_live(
    bench: &Bench,
    server: &Server,
    story: &Story,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<(Crowd, Value)>> {
    let (mut crowd, author, watcher) = author_and_watcher(bench, story, name)?;
    eprintln!("typing {} edits live", story.updates.len());
    let (watch, since) = (Watch::start(&crowd, server), Stopwatch::start());
    let mut updates = story.updates.iter();
    while crowd.people[watcher].seen[0] < story.clock {
        while crowd.backlog(author) < BACKLOG_BYTES_MAX
            && let Some(update) = updates.next()
        {
            crowd.say_update(author, update);
        }
        crowd.turn(crowd.now() + SLICE.as_nanos() as u64)?;
        ensure!(
            crowd.tally.closed == 0,
            "the server closed a connection while the document was typed"
        );
        if since.s() > arguments.load_timeout {
            return Ok(None);
        }
    }
    let cost = watch.end(&crowd, server);
    let edits = story.updates.len() as f64;
    let load = json!({
        "load_s": round(cost.seconds), "load_edits_per_s": (edits / cost.seconds).round(),
        "load_server_us_per_edit": round(cost.server_cpu * cost.seconds * 1e6 / edits),
        "generator_cpu": round(cost.generator_cpu), "generator_late_ms": cost.late_ms, "generator_full": cost.generator_full(),
    });
    Ok(Some((crowd, load)))
}

fn send_whole(bench: &Bench, story: &Story, name: &str) -> Result<Crowd> {
    let (mut crowd, author, watcher) = author_and_watcher(bench, story, name)?;
    crowd.say_update(author, &story.state);
    let came =
        crowd.run_until(OPEN_TIMEOUT, |crowd| crowd.people[watcher].seen[0] >= story.clock)?;
    ensure!(came, "the whole document as one update did not arrive in {OPEN_TIMEOUT:?}");
    Ok(crowd)
}

fn author_and_watcher(bench: &Bench, story: &Story, name: &str) -> Result<(Crowd, usize, usize)> {
    let mut crowd = bench.crowd()?;
    let document = crowd.document(name, AUTHOR, 1)?;
    crowd.writers[0].clock = story.clock;
    crowd.join_all(&[(document, Some(0)), (document, None)], JOIN_TIMEOUT)?;
    Ok((crowd, 0, 1))
}

/// So many people open it at once; says after how many ms the last one has it, and lets them leave.
fn open(crowd: &mut Crowd, story: &Story, people: usize) -> Result<f64> {
    let first = crowd.people.len();
    let since = Stopwatch::start();
    for _ in 0..people {
        let person = crowd.join(0, None)?;
        // One of them is looked at closely.
        crowd.people[person].kept = (person == first && people == 1).then(Vec::new);
    }
    let all =
        |crowd: &Crowd| crowd.people[first..].iter().all(|person| person.seen[0] >= story.clock);
    if !crowd.run_until(OPEN_TIMEOUT, all)? {
        let whole =
            crowd.people[first..].iter().filter(|person| person.seen[0] >= story.clock).count();
        bail!("{whole} of {people} people had the document after {OPEN_TIMEOUT:?}");
    }
    let took_ms = since.s() * 1000.0;
    (first..first + people).for_each(|person| crowd.leave(person));
    Ok(took_ms)
}

fn opened_text(crowd: &mut Crowd) -> Result<String> {
    let kept = crowd.people.last_mut().and_then(|person| person.kept.take());
    text_of(&kept.unwrap_or_default())
}

fn cold(
    bench: &Bench,
    server: &mut Server,
    story: &Story,
    name: &str,
    arguments: &Arguments,
) -> Result<Value> {
    eprintln!("opening it cold");
    let mut times = Vec::new();
    for _ in 0..arguments.opens {
        let mut crowd = restart(bench, server, name)?;
        times.push(open(&mut crowd, story, 1)?);
        ensure!(opened_text(&mut crowd)? == story.text, "another text after a restart");
    }
    let mut crowd = restart(bench, server, name)?;
    let started_kib = server.memory_kib();
    let storm = open(&mut crowd, story, arguments.storm)?;
    Ok(json!({
        "cold_ms": round(median(&mut times)), "cold_storm_ms": round(storm),
        "cold_started_mib": started_kib / 1024, "cold_storm_peak_mib": server.memory_peak_kib() / 1024,
    }))
}

fn restart(bench: &Bench, server: &mut Server, name: &str) -> Result<Crowd> {
    server.end();
    server.start_again()?;
    let mut crowd = bench.crowd()?;
    crowd.document(name, AUTHOR, 1)?;
    Ok(crowd)
}
