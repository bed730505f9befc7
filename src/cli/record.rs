//! `coscribe record`: a session of a running server, as a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep_until};

use super::remote::{Remote, document_path};

/// Record what people do in a document of a running server, to play it again
///
/// Listens to everything that happens in the document (who comes and goes, every edit, every cursor)
/// until Ctrl-C, and writes it as JSON Lines that `coscribe replay` plays. With --stored it takes
/// what is in the log already, and ends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe record minutes --out minutes.jsonl.gz           until Ctrl-C
  coscribe record minutes --for 10m --out minutes.jsonl
  coscribe record minutes --stored --out all.jsonl         everything that the log has
  coscribe record minutes --stored --from 100 --to 250     these updates, from what was there before
  coscribe replay minutes.jsonl.gz                         and play it")]
pub(super) struct Record {
    /// The document's name
    document: String,
    #[command(flatten)]
    remote: Remote,
    /// Where to; packed where the name ends with .gz or .zst [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// End after this time, as 30s or 10m
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Take what is in the log
    #[arg(long, conflicts_with = "duration")]
    stored: bool,
    /// With --stored: the first update, by its number or a time as 2026-11-23T10:00:00Z
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// With --stored: the last update
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

/// Records until it is over.
pub(super) fn run(record: Record) -> anyhow::Result<()> {
    let mut out = Packed::create(record.out.as_deref())?;
    let ended = actix_web::rt::System::new().block_on(record.copy(&mut out));
    // What has come is whole lines, and worth keeping in any case.
    let finished = out.finish().context("cannot write the recording");
    ended.and(finished)
}

impl Record {
    async fn copy(&self, out: &mut Packed) -> anyhow::Result<()> {
        if !self.stored && (self.from.is_some() || self.to.is_some()) {
            bail!("--from and --to need --stored: a live recording begins now");
        }
        let path = document_path(&self.document);
        let path = match self.stored {
            true => format!("{path}/recording{}", self.span()),
            false => format!("{path}/recording/live"),
        };
        let mut lines = self.remote.follow(&path).await?;
        let mut end = None;
        if !self.stored && self.out.is_some() {
            eprintln!("recording what happens in {:?}; Ctrl-C ends it", self.document);
        }
        let mut cut = Vec::new();
        loop {
            let piece = tokio::select! {
                piece = lines.next() => piece,
                _ = tokio::signal::ctrl_c(), if !self.stored => return Ok(()),
                () = until(end) => return Ok(()),
            };
            let piece = match piece {
                Some(Ok(piece)) => piece,
                None if self.stored => return Ok(()),
                Some(Err(e)) if self.stored => return Err(e.context("the recording is incomplete")),
                Some(Err(_)) | None => bail!(
                    "the server has ended the recording (it is stopping, the document had to be \
                     reopened, or the token is not good any more); what came before is whole"
                ),
            };
            // Counted from the first line: before it there is nothing to record.
            end = end.or(self.duration.map(|duration| Instant::now() + duration));
            cut.extend_from_slice(&piece);
            // Only whole lines are written, so that whatever ends it leaves a recording.
            if let Some(end) = cut.iter().rposition(|byte| *byte == b'\n') {
                let rest = cut.split_off(end + 1);
                out.write_lines(&cut).context("cannot write the recording")?;
                cut = rest;
            }
        }
    }

    fn span(&self) -> String {
        let part = |name: &str, moment: &Option<String>| {
            moment
                .as_ref()
                .map(|moment| format!("{name}={}", utf8_percent_encode(moment, NON_ALPHANUMERIC)))
        };
        let parts: Vec<_> =
            [part("from", &self.from), part("to", &self.to)].into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// A file that is packed as its name says.
enum Packed {
    Plain(Box<dyn Write>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Packed {
    fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Plain(Box::new(std::io::stdout()))) };
        let file = File::create(path).with_context(|| format!("{}", path.display()))?;
        let file = BufWriter::new(file);
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip(GzEncoder::new(file, Compression::default())),
            Some("zst") => Self::Zstd(zstd::Encoder::new(file, 0)?),
            _ => Self::Plain(Box::new(file)),
        })
    }

    /// Empty lines are the server's sign of life.
    fn write_lines(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let to: &mut dyn Write = match self {
            Self::Plain(to) => to,
            Self::Gzip(to) => to,
            Self::Zstd(to) => to,
        };
        for line in lines.split_inclusive(|byte| *byte == b'\n').filter(|line| line.len() > 1) {
            to.write_all(line)?;
        }
        to.flush()
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Plain(mut to) => to.flush(),
            Self::Gzip(to) => to.finish()?.flush(),
            Self::Zstd(to) => to.finish()?.flush(),
        }
    }
}
