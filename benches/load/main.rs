//! A load generator for Yjs servers: a crowd of people on one thread, who connect, type, move
//! cursors, join in storms, stop reading, and look at what is left when the server was killed.
//!
//! It starts, watches, kills and restarts the server itself, and prints one line of JSON a run. It
//! knows the servers only by what their clients send and hear. `--help` tells how it is used;
//! `benches/peers/run.mjs` runs it over several servers.

mod act;
mod bench;
mod clock;
mod crowd;
mod dialect;
mod frame;
mod hear;
mod histogram;
mod memo;
mod scenarios;
mod server;
mod story;
mod update;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::scenarios::{bigdoc, durable, fanout, idle, joiners, presence, probe, saturate, slow};
use crate::server::Recipe;

/// Loads a Yjs WebSocket server the way many people do, and prints one line of JSON with what came of it.
///
/// One thread plays all people. They type by the clock, not when the server is ready: a latency is the
/// time from the moment an update was due until one other person has it, found by client id and clock,
/// so that servers which merge updates and servers which do not are counted alike. "Typing" inserts a
/// letter behind the person's own last one. Clients are played as far as documents and cursors go: they do not
/// reconnect, and those of y-sweet do not ask after each letter whether it is saved.
#[derive(Debug, Parser)]
#[command(
    name = "load",
    after_help = "Examples (cargo bench --no-run --bench load builds it and says where it is):
  taskset -c 1 load fanout --clients 50 --rate 5 --path /sync/ \\
    --server 'taskset -c 0 coscribe serve --listen 127.0.0.1:{port} --database {data}/c.db'
  load idle --people 5000 --dialect hocuspocus --server 'node server.mjs {port} {data}/db.sqlite'
  load durable --people 1000 --rounds 5 --path /sync/ --server 'coscribe serve …'

In the line: \"_ms\" are milliseconds, \"_cpu\" are shares of one core while it was measured, \"_us_per_update\"
is the server's CPU time for one update seen by one other person. \"generator_full\": true means that the
generator itself had no time left (95 % of its core, or typing 25 ms late): the server may be better than the figure."
)]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
    /// Command line that starts the server; {port} and {data} (an empty folder) are filled in
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    server: String,
    /// What the server speaks
    #[arg(long, global = true, value_enum, default_value_t = Dialect::YWebsocket)]
    dialect: Dialect,
    /// What stands in front of a document's name in the path (y-websocket), or the whole path (Hocuspocus)
    #[arg(long, global = true, default_value = "/")]
    path: String,
    /// Port for the server, on 127.0.0.1
    #[arg(long, global = true, default_value_t = 9700)]
    port: u16,
    /// Comes back in the line
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    label: String,
    /// Where the server's folder is made, and removed again
    #[arg(long, global = true, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    Fanout(fanout::Arguments),
    Saturate(saturate::Arguments),
    Idle(idle::Arguments),
    Bigdoc(bigdoc::Arguments),
    Presence(presence::Arguments),
    Joiners(joiners::Arguments),
    Durable(durable::Arguments),
    Slow(slow::Arguments),
    Probe(probe::Arguments),
    /// Tests the generator's own parts that could be wrong without showing
    SelfCheck,
}

fn main() -> ExitCode {
    // `cargo bench` runs all benchmarks with this word, and this is none of the small ones.
    if std::env::args().nth(1).is_some_and(|word| word == "--bench") {
        println!("the load generator is run by make figures and make bench-peers");
        return ExitCode::SUCCESS;
    }
    let cli = Cli::parse();
    if matches!(cli.scenario, Scenario::SelfCheck) {
        self_check();
        return ExitCode::SUCCESS;
    }
    if cli.server.is_empty() {
        eprintln!("--server must say how the server is started; see --help");
        return ExitCode::from(2);
    }
    let data = cli.folder.join(format!("server-{}", std::process::id()));
    let bench = Bench {
        recipe: Recipe { command: cli.server, port: cli.port, data },
        dialect: cli.dialect,
        path: cli.path,
    };
    let (name, result) = match &cli.scenario {
        Scenario::Fanout(arguments) => ("fanout", fanout::run(&bench, arguments)),
        Scenario::Saturate(arguments) => ("saturate", saturate::run(&bench, arguments)),
        Scenario::Idle(arguments) => ("idle", idle::run(&bench, arguments)),
        Scenario::Bigdoc(arguments) => ("bigdoc", bigdoc::run(&bench, arguments)),
        Scenario::Presence(arguments) => ("presence", presence::run(&bench, arguments)),
        Scenario::Joiners(arguments) => ("joiners", joiners::run(&bench, arguments)),
        Scenario::Durable(arguments) => ("durable", durable::run(&bench, arguments)),
        Scenario::Slow(arguments) => ("slow", slow::run(&bench, arguments)),
        Scenario::Probe(arguments) => ("probe", probe::run(&bench, arguments)),
        Scenario::SelfCheck => unreachable!("answered above"),
    };
    let mut line = json!({ "scenario": name, "label": cli.label });
    let (figures, status) = match result {
        Ok(figures) => (figures, ExitCode::SUCCESS),
        Err(e) => (json!({ "failed": format!("{e:#}") }), ExitCode::FAILURE),
    };
    if let (Value::Object(line), Value::Object(mut figures)) = (&mut line, figures) {
        line.append(&mut figures);
    }
    println!("{line}");
    status
}

fn self_check() {
    frame::check();
    histogram::check();
    memo::check();
    story::check();
    update::check();
    println!("the generator reads frames, clocks and times right");
}
