//! `coscribe recording`: files of recordings, made, looked at, and cleared of words.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::recording::Recording;

/// Look at recordings, make them of other files, and take the words out of them
///
/// Files that end with .gz or .zst are written packed; packed ones are read whatever their name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  coscribe recording info session.jsonl.gz
  coscribe recording import trace.json.gz --out session.jsonl.zst
  coscribe recording import state.bin > session.jsonl
  coscribe recording scramble session.jsonl --out for-others.jsonl")]
pub(super) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say who did how much, when, and what must be there in the end
    Info {
        /// A recording
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a recording of an editing trace (.json) or a Yjs update (what Y.encodeStateAsUpdate
    /// returns)
    Import {
        /// What to make it of
        file: PathBuf,
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take the words out of a recording
    ///
    /// Letters become other letters, digits other digits; lengths, positions, times and who did what
    /// stay, so what went wrong goes wrong again. Names of roots, elements, keys and formats stay as
    /// well, and so do numbers.
    Scramble {
        /// A recording
        file: PathBuf,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Decides what becomes of what
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        seed: u64,
    },
}

/// Does what is asked for.
pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command.action {
        Action::Info { file, json } => {
            let info = load(&file)?.info();
            let text = match json {
                true => serde_json::to_string_pretty(&info)? + "\n",
                false => info.to_string(),
            };
            super::say(&text)
        }
        Action::Import { file, out: Some(out) } => save(&load(&file)?, &out),
        Action::Import { file, out: None } => {
            let mut text = Vec::new();
            load(&file)?.write(&mut text)?;
            super::say(&String::from_utf8(text)?)
        }
        Action::Scramble { file, out, seed } => {
            let scrambled = load(&file)?.scrambled(seed);
            save(&scrambled.with_context(|| format!("{}", file.display()))?, &out)
        }
    }
}

/// Reads a file, and names it where it is none of ours.
pub(super) fn load(file: &Path) -> anyhow::Result<Recording> {
    Recording::load(file).with_context(|| format!("{}", file.display()))
}

fn save(recording: &Recording, out: &Path) -> anyhow::Result<()> {
    recording.save(out).with_context(|| format!("cannot write {}", out.display()))
}
