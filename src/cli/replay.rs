//! `coscribe replay`: a recorded session, played again.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tokio::sync::oneshot;

use crate::app::App;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::recording::{self, Dialect, Options, Outcome, Recording, Speed};
use crate::telemetry;

/// How often the progress is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Characters of the progress bar.
const BAR_WIDTH: usize = 30;

/// Play a recorded session again, and see whether everybody ends up with the recorded text
///
/// Takes a recording (JSON Lines) or an editing trace, plain, gzip or zstd. Starts a server of its
/// own with an empty database unless --onto or --bare is given, opens one connection for each of the
/// recording, and lets each type what it typed. Then everybody, and a fresh connection, must show
/// the recorded text, and everything must have been acknowledged: exit status 0. If not, it says
/// what is different: exit status 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe replay session.jsonl.gz                    onto a server of its own, as fast as it can
  coscribe replay session.jsonl --dialect all --speed 10x --report replay.json
  coscribe replay trace.json.gz --onto ws://127.0.0.1:4110
  coscribe replay session.jsonl --bare                without a server

The last line of the output begins with the word replayed.")]
pub(super) struct Replay {
    /// A recording (.jsonl) or an editing trace (.json); may be packed (.gz, .zst)
    file: PathBuf,
    /// A server to play onto: ws://HOST:PORT
    #[arg(long, value_name = "URL", value_parser = server_url)]
    onto: Option<String>,
    /// Play onto a bare document, without a server
    #[arg(long, conflicts_with_all = ["onto", "dialect", "speed"])]
    bare: bool,
    /// What the connections speak; all: each in turn
    #[arg(long, value_enum, default_value_t = Spoken::YWebsocket)]
    dialect: Spoken,
    /// real, max, or a number of times as fast, as 10x
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// Decides how many edits go out at once and who speaks what; printed, so that a run can be
    /// repeated [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write what came of it as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A dialect, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Spoken {
    YWebsocket,
    Hocuspocus,
    YSweet,
    All,
}

impl Spoken {
    fn dialects(self) -> Vec<Dialect> {
        match self {
            Self::YWebsocket => vec![Dialect::YWebsocket],
            Self::Hocuspocus => vec![Dialect::Hocuspocus],
            Self::YSweet => vec![Dialect::YSweet],
            Self::All => Dialect::ALL.to_vec(),
        }
    }
}

/// Replays; an error where not everybody ended up with the recorded text.
pub(super) fn run(replay: Replay) -> anyhow::Result<()> {
    let recording = super::recording::load(&replay.file)?;
    let outcome = replay.play(&recording)?;
    if let Some(path) = &replay.report {
        write_report(path, &outcome)?;
    }
    for difference in outcome.differences.iter().skip(1) {
        eprintln!("coscribe: {difference}");
    }
    super::say(&format!("{}\n", last_line(&outcome)))?;
    match outcome.differences.first() {
        Some(first) => bail!("{first}"),
        None => Ok(()),
    }
}

impl Replay {
    fn play(&self, recording: &Recording) -> anyhow::Result<Outcome> {
        if self.bare {
            return Ok(recording::bare(recording)?);
        }
        let now = clock::unix_ms();
        let options = Options {
            dialects: self.dialect.dialects(),
            speed: self.speed,
            seed: self.seed.unwrap_or(now.unsigned_abs()),
            document: format!("replay-{now}"),
        };
        let bar = Bar::new(recording.edits());
        let progress = |done| bar.draw(done);
        let outcome = actix_web::rt::System::new().block_on(async {
            match &self.onto {
                Some(url) => Ok(recording::onto(recording, url, &options, &progress).await?),
                None => onto_own_server(recording, &options, &progress).await,
            }
        });
        bar.clear();
        outcome
    }
}

/// Starts a server on a database that goes with it, and plays onto that.
async fn onto_own_server(
    recording: &Recording,
    options: &Options,
    progress: &dyn Fn(usize),
) -> anyhow::Result<Outcome> {
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: directory.path().join("replay.db"),
        ..Config::default()
    };
    // A recording is no stranger: how fast the server is should be seen, not its limit.
    config.limits.connection_messages_per_s_max = u32::MAX;
    config.limits.connection_bytes_per_s_max = u32::MAX;
    config.log.filter = "error".into();
    telemetry::start(&config.log)?;
    let app = App::start(config).await?;
    let url = format!("ws://{}", app.address());
    let (stop, stopped) = oneshot::channel::<()>();
    // Ready as well when nobody is there to stop it any more.
    let running = actix_web::rt::spawn(app.run(async { drop(stopped.await) }));
    let outcome = recording::onto(recording, &url, options, progress).await;
    drop(stop);
    running.await.context("the server failed")??;
    Ok(outcome?)
}

fn write_report(path: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(outcome)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The summary that scripts look for.
fn last_line(outcome: &Outcome) -> String {
    let Outcome { edits, acknowledged, clients, seconds, edits_per_s, .. } = outcome;
    let edits = match (acknowledged == edits, edits) {
        (true, 1) => "1 edit".into(),
        (true, _) => format!("{edits} edits"),
        (false, _) => format!("{acknowledged} of {edits} edits"),
    };
    let by = match (clients, outcome.dialects.join(", ")) {
        (0, _) => "onto a bare document".into(),
        (1, dialects) => format!("by 1 client over {dialects}"),
        (_, dialects) => format!("by {clients} clients over {dialects}"),
    };
    let latency = outcome
        .latency
        .map(|latency| format!(", p50 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p99_ms));
    let end = if outcome.converged { "converged" } else { "NOT converged" };
    format!(
        "replayed {edits} {by} in {seconds:.2} s, {edits_per_s:.0} edits/s{}, seed {}: {end}",
        latency.unwrap_or_default(),
        outcome.seed,
    )
}

fn server_url(text: &str) -> Result<String, String> {
    match text.strip_prefix("ws://") {
        Some(host) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("expected ws://HOST:PORT".into()),
    }
}

/// A line on standard error that shows how far it is, where that is a terminal.
struct Bar {
    clock: Clock,
    all: usize,
    drawn: std::cell::Cell<Option<Duration>>,
}

impl Bar {
    fn new(all: usize) -> Self {
        let drawn = if std::io::stderr().is_terminal() { Some(Duration::ZERO) } else { None };
        Self { clock: Clock::new(), all, drawn: drawn.into() }
    }

    fn draw(&self, done: usize) {
        let now = self.clock.now();
        let Some(drawn) = self.drawn.get() else { return };
        if now < drawn + DRAW_EVERY {
            return;
        }
        self.drawn.set(Some(now));
        let full = BAR_WIDTH * done / self.all.max(1);
        let rate = done as f64 / now.as_secs_f64();
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR_WIDTH.saturating_sub(full)));
        show(&format!("\r[{bar}] {done} of {} edits, {rate:.0}/s\x1b[K", self.all));
    }

    fn clear(&self) {
        if self.drawn.get().is_some() {
            show("\r\x1b[K");
        }
    }
}

fn show(text: &str) {
    let mut err = std::io::stderr();
    // A terminal that has gone away needs no progress.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
