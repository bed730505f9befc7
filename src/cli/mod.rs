//! Arguments to commands.

mod compact;
mod document;
mod fsck;
mod record;
mod recording;
mod remote;
mod replay;
mod serve;
mod token;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Anonymous, Config, ConfigError, Durability, LogFormat};

/// Write together in a browser, or behind your own Yjs editor. Every edit is kept.
///
/// Without a command, coscribe serves: it opens (or makes) the database, prints its address and
/// waits for people. Open the address in a browser and share the link of a note, or point a
/// y-websocket client at ws://ADDRESS/sync and a Hocuspocus provider at ws://ADDRESS/collab.
#[derive(Debug, Parser)]
#[command(name = "coscribe", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  coscribe                                   serve on http://127.0.0.1:4110, database coscribe.db
  coscribe --listen 0.0.0.0:80 --anonymous write   let everybody in the network write
  coscribe serve --database /var/lib/notes.db --log-format json
  coscribe record minutes --out m.jsonl      record what people do in a document
  coscribe replay session.jsonl              play a recorded session again, as a test
  coscribe document text minutes --at 2026-11-23T10:00:00Z     read what it was
  coscribe fsck --database coscribe.db       is everything as it was written?
  coscribe config > coscribe.toml            all settings with their values, to edit
  coscribe serve --auth-secret-file secret   let in who has a token (coscribe token --help)

Every setting can be given three ways; the later wins:
  limits.outbox_bytes_max = 1048576          in the file given by --config
  COSCRIBE_LIMITS_OUTBOX_BYTES_MAX=1048576   in the environment
  --set limits.outbox_bytes_max=1048576      on the command line")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve documents and the web app (what happens without a command)
    Serve(Settings),
    /// Print all settings as they would be used
    Config(Settings),
    Token(token::Token),
    Document(document::Document),
    Fsck(fsck::Check),
    Compact(compact::Compact),
    Record(record::Record),
    Replay(replay::Replay),
    Recording(recording::Command),
}

#[derive(Debug, Args)]
struct Settings {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:4110]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The SQLite file, made when it is not there [default: coscribe.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// What people without a login may do; "auto" is write on this machine only, and nothing where
    /// there is a key for tokens [default: auto]
    #[arg(long, value_enum)]
    anonymous: Option<Anonymous>,
    /// When others see an edit: when it is on "disk", or already when it is in the log of this
    /// "process" (quicker; a power cut can take back what was seen, never what was called saved)
    /// [default: disk]
    #[arg(long, value_enum, hide_possible_values = true)]
    durability: Option<Durability>,
    /// A secret whose tokens are accepted (HS256; `coscribe token` makes them); may be given again,
    /// to change it
    #[arg(long = "auth-secret-file", value_name = "FILE")]
    auth_secret_files: Vec<PathBuf>,
    /// A web origin whose pages may connect, beside this server's own; may be given again
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// Settings in TOML
    #[arg(long, value_name = "FILE", env = "COSCRIBE_CONFIG")]
    config: Option<PathBuf>,
    /// What is logged on standard error: error, warn, info, debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log lines for people or for programs [default: text]
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Any other setting; `coscribe config` lists them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

impl Settings {
    fn load(self) -> Result<Config, ConfigError> {
        let mut set = self.set;
        let mut add = |key: &str, value: Option<String>| {
            set.extend(value.map(|value| (key.to_owned(), value)));
        };
        add("listen", self.listen);
        add("database", self.database.map(|path| path.to_string_lossy().into_owned()));
        add("anonymous", self.anonymous.map(word));
        add("durability", self.durability.map(word));
        add("log.filter", self.log);
        add("log.format", self.log_format.map(word));
        let secrets: Vec<_> =
            self.auth_secret_files.iter().map(|path| path.to_string_lossy()).collect();
        add("auth.secret_files", Some(secrets.join(",")).filter(|secrets| !secrets.is_empty()));
        let origins = self.allowed_origins.join(",");
        add("allowed_origins", Some(origins).filter(|origins| !origins.is_empty()));
        let env = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Config::load(self.config.as_deref(), env, &set)
    }
}

/// Runs the command that was given.
///
/// # Errors
/// In words for people.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve(cli.settings)) {
        Command::Serve(settings) => serve::run(settings.load()?),
        Command::Config(settings) => say(&settings.load()?.to_toml()),
        Command::Token(token) => token::run(token),
        Command::Document(document) => document::run(document),
        Command::Compact(compact) => compact::run(&compact),
        Command::Fsck(check) => fsck::run(&check),
        Command::Record(record) => record::run(record),
        Command::Replay(replay) => replay::run(replay),
        Command::Recording(command) => recording::run(command),
    }
}

/// A line on standard error that the next one takes the place of, where somebody looks.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// Prints to standard output. Whoever stopped reading has seen enough.
fn say(text: &str) -> anyhow::Result<()> {
    say_bytes(text.as_bytes())
}

fn say_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    match std::io::stdout().write_all(bytes) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}

fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_win_over_everything() {
        let cli = Cli::parse_from([
            "coscribe",
            "--listen",
            "127.0.0.1:0",
            "--anonymous",
            "read",
            "--auth-secret-file",
            "new",
            "--auth-secret-file",
            "old",
            "--set",
            "limits.mailbox_len=7",
        ]);
        let config = cli.settings.load().expect("valid settings");
        assert_eq!(config.listen.port(), 0);
        assert_eq!(config.anonymous, Anonymous::Read);
        assert_eq!(config.limits.mailbox_len, 7);
        assert_eq!(config.auth.secret_files, [PathBuf::from("new"), PathBuf::from("old")]);
    }
}
