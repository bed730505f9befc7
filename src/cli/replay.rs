//! `coscribe replay`: a recorded session, played again.

mod bar;
mod step;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use crate::clock;
use crate::recording::{self, Dialect, Outcome, Recording, Speed, Trouble};
use bar::Bar;

/// While a session is shrunk, a server that says nothing for so long has failed: most attempts end so.
const PATIENCE: Duration = Duration::from_secs(3);

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
  coscribe replay session.jsonl --clients 10 --faults drop,delay,kill --seed 7
  coscribe replay session.jsonl --shrink shortest.jsonl
  coscribe replay session.jsonl --bare                without a server
  coscribe replay session.jsonl --step                who types what, one key press at a time

The last line of the output begins with the word replayed.")]
pub(super) struct Replay {
    /// A recording (.jsonl) or an editing trace (.json); may be packed (.gz, .zst)
    file: PathBuf,
    /// A server to play onto: ws://HOST:PORT or wss://HOST
    #[arg(long, value_name = "URL", value_parser = server_url)]
    onto: Option<String>,
    /// With --onto: the document that is written to; it must be empty [default: a new name]
    #[arg(long, value_name = "NAME", requires = "onto")]
    document: Option<String>,
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
    /// Play so many times the people, in the same document: the text is another one then, and what is
    /// looked at is that everybody has the same, and all of it
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// What goes wrong on purpose, as the seed decides: drop, delay, reorder, disconnect, kill (the
    /// server; not with --onto)
    #[arg(long, value_name = "KINDS", value_delimiter = ',', conflicts_with = "bare")]
    faults: Vec<Trouble>,
    /// A file with a token that every connection shows
    #[arg(long, value_name = "FILE", requires = "onto")]
    token_file: Option<PathBuf>,
    /// Write what came of it: as JUnit XML where the name ends with .xml, else as JSON; may be given
    /// again
    #[arg(long = "report", value_name = "FILE")]
    reports: Vec<PathBuf>,
    /// Where it fails, leave out one thing after another as long as it still fails, and write the
    /// shortest session that does
    #[arg(long, value_name = "FILE", conflicts_with = "bare")]
    shrink: Option<PathBuf>,
    /// Tell in words what happens, one event a key press, and play it nowhere; without a terminal,
    /// all of it at once
    #[arg(long, conflicts_with_all = ["onto", "bare", "speed", "clients", "faults", "reports", "shrink"])]
    step: bool,
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
    if replay.step {
        return step::run(&recording);
    }
    let outcome = replay.play(&recording)?;
    for path in &replay.reports {
        write_report(path, &replay.file.to_string_lossy(), &outcome)?;
    }
    for difference in outcome.differences.iter().skip(1) {
        eprintln!("coscribe: {difference}");
    }
    if let Some(out) = replay.shrink.as_ref().filter(|_| !outcome.converged) {
        replay.shrink(&recording, out, outcome.seed)?;
    }
    super::say(&format!("{}\n", last_line(&outcome)))?;
    match outcome.differences.first() {
        Some(first) => bail!("{first}"),
        None => Ok(()),
    }
}

impl Replay {
    fn play(&self, recording: &Recording) -> anyhow::Result<Outcome> {
        let bar = Bar::new(recording.edits() * usize::from(self.clients));
        let progress = |done| bar.draw(done);
        let outcome = self.prepared(recording)?.progress(&progress).run();
        bar.clear();
        Ok(outcome?)
    }

    /// Writes the shortest session that fails as this one has.
    fn shrink(&self, recording: &Recording, out: &Path, seed: u64) -> anyhow::Result<()> {
        let mut attempts = 0;
        let shrunk = recording.shrink(|attempt| {
            attempts += 1;
            let replay = self.prepared(attempt).map(|replay| replay.seed(seed).patience(PATIENCE));
            let Ok(replay) = replay else { return false };
            // Each onto a document of its own.
            let played = replay.document(&format!("shrink-{}-{attempts}", clock::unix_ms())).run();
            let fails = played.is_ok_and(|outcome| !outcome.converged);
            bar::show(&format!(
                "\r{attempts} attempts, {} events in the last\x1b[K",
                attempt.events.len()
            ));
            fails
        });
        let (left, all) = (shrunk.events.len(), recording.events.len());
        shrunk.save(out).with_context(|| format!("cannot write {}", out.display()))?;
        eprintln!("\rcoscribe: fails with {left} of {all} events: {}", out.display());
        Ok(())
    }

    /// As the arguments say.
    fn prepared<'a>(&self, recording: &'a Recording) -> anyhow::Result<recording::Replay<'a>> {
        let now = clock::unix_ms();
        let replay = recording::Replay::new(recording)
            .dialects(&self.dialect.dialects())
            .speed(self.speed)
            .seed(self.seed.unwrap_or(now.unsigned_abs()))
            .clients(self.clients.into())
            .faults(&self.faults)
            .document(self.document.as_deref().unwrap_or(&format!("replay-{now}")));
        let replay = match &self.token_file {
            Some(file) => {
                let token = std::fs::read_to_string(file);
                let token = token.with_context(|| format!("cannot read {}", file.display()))?;
                replay.token(token.trim())
            }
            None => replay,
        };
        Ok(match &self.onto {
            _ if self.bare => replay.bare(),
            Some(url) => replay.onto(url),
            None => replay.onto_server(std::env::current_exe()?),
        })
    }
}

/// JUnit XML where the name says so, else JSON.
fn write_report(path: &Path, name: &str, outcome: &Outcome) -> anyhow::Result<()> {
    let text = match path.extension() {
        Some(ending) if ending == "xml" => outcome.to_junit(name),
        _ => serde_json::to_string_pretty(outcome)? + "\n",
    };
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
    let faults: Vec<_> =
        outcome.faults.iter().map(|(kind, times)| format!("{times} {kind}")).collect();
    let faults = if faults.is_empty() { String::new() } else { format!(", {}", faults.join(", ")) };
    let lost = match outcome.lost.len() {
        0 => String::new(),
        lost => format!(", {lost} LOST"),
    };
    format!(
        "replayed {edits} {by} in {seconds:.2} s, {edits_per_s:.0} edits/s{}{faults}{lost}, seed {}: {end}",
        latency.unwrap_or_default(),
        outcome.seed,
    )
}

fn server_url(text: &str) -> Result<String, String> {
    match text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://")) {
        Some(host) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("expected ws://HOST:PORT or wss://HOST".into()),
    }
}
