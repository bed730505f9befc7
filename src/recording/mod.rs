#![doc = include_str!("../../docs/recording.md")]

mod any;
mod client;
mod compare;
mod cursor;
mod faults;
mod flight;
mod format;
mod frames;
mod holdings;
mod import;
mod info;
mod junit;
mod log;
mod multiply;
mod outcome;
mod parts;
mod random;
mod replay;
mod scramble;
mod script;
mod server;
mod shrink;
mod socket;
mod spans;
mod story;
mod subset;
mod trace;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use serde::Deserialize;

pub use compare::Difference;
pub use faults::Trouble;
pub use format::{Event, Expected, FORMAT, Fault, Header, VERSION, What};
pub use info::{Info, Person};
pub use outcome::{EndState, Latency, Outcome};
pub use replay::{Dialect, Progress, Replay, ReplayError, Speed};
pub use scramble::ScrambleError;
pub use story::{Story, Told};

/// The most that a file may hold when it is unpacked.
const UNPACKED_BYTES_MAX: u64 = 2 << 30;

/// First bytes of what gzip and zstd write.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A session: who did what to one document, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// What it begins with.
    pub header: Header,
    /// In order.
    pub events: Vec<Event>,
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read or unpacked.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large.
    #[error("more than {max} bytes when unpacked")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// It is no recording, no editing trace, and no Yjs update either.
    #[error("neither a recording nor an editing trace, nor a Yjs update: {0}")]
    Unknown(serde_json::Error),
    /// It was written by a newer version.
    #[error("version {got} of the format is newer than {VERSION}")]
    Newer {
        /// What the header says.
        got: u32,
    },
    /// A line of a recording is not as it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// For people.
        reason: String,
    },
    /// A transaction of an editing trace is not as it should be.
    #[error("transaction {index}: {reason}")]
    Transaction {
        /// Counted from 0.
        index: usize,
        /// For people.
        reason: String,
    },
}

impl Recording {
    /// Reads a recording, an editing trace or a Yjs update, packed or not, from a file.
    ///
    /// # Errors
    /// [`LoadError`] says which line is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::read(BufReader::new(File::open(path)?))
    }

    /// Reads a recording, an editing trace or a Yjs update from bytes; gzip and zstd are noticed.
    ///
    /// # Errors
    /// [`LoadError`] says which line is wrong.
    pub fn read(from: impl Read) -> Result<Self, LoadError> {
        let bytes = unpack(from)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        match serde_json::from_str::<Probe>(text.lines().next().unwrap_or_default()) {
            Ok(probe) if probe.format == FORMAT => Self::parse(text, probe.version),
            // What is no trace is one thing more before it is nothing.
            _ => match trace::import(text) {
                Err(LoadError::Unknown(why)) => {
                    import::update(bytes.into()).ok_or(LoadError::Unknown(why))
                }
                traced => traced,
            },
        }
    }

    /// Writes it to a file, packed where the name ends with `.gz` or `.zst`.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        import::save(self, path.as_ref())
    }

    /// Writes it, one line each; whoever wants it packed gives a writer that packs.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut to, &self.header)?;
        for event in &self.events {
            to.write_all(b"\n")?;
            serde_json::to_writer(&mut to, event)?;
        }
        to.write_all(b"\n")?;
        to.flush()
    }

    /// How many edits there are.
    pub fn edits(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.what, What::Update { .. })).count()
    }

    fn parse(text: &str, version: u32) -> Result<Self, LoadError> {
        if version > VERSION {
            return Err(LoadError::Newer { got: version });
        }
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let (_, first) = lines.next().unwrap_or_default();
        let header = read_line(1, first)?;
        let mut order = Order::default();
        let mut events = Vec::new();
        for (line, text) in lines {
            let event = read_line(line, text)?;
            order.check(&event).map_err(|reason| LoadError::Line { line, reason })?;
            events.push(event);
        }
        Ok(Self { header, events })
    }
}

/// Enough of the first line to know what it is.
#[derive(Deserialize)]
struct Probe {
    format: String,
    version: u32,
}

fn read_line<'a, T: Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, LoadError> {
    serde_json::from_str(text).map_err(|e| LoadError::Line { line, reason: e.to_string() })
}

/// What must hold from one event to the next.
#[derive(Default)]
struct Order {
    t: u64,
    here: HashSet<u32>,
    has_ended: bool,
}

impl Order {
    fn check(&mut self, event: &Event) -> Result<(), String> {
        if self.has_ended {
            return Err("something comes after the end".into());
        }
        if event.t < self.t {
            return Err(format!("t goes back from {} to {}", self.t, event.t));
        }
        self.t = event.t;
        match &event.what {
            What::Join { connection, .. } if !self.here.insert(*connection) => {
                Err(format!("connection {connection} joins and is here already"))
            }
            What::Leave { connection } | What::Fault { connection, fault: Fault::Drop }
                if !self.here.remove(connection) =>
            {
                Err(format!("connection {connection} goes and is not here"))
            }
            What::Update { connection, .. } | What::Awareness { connection, .. }
                if !self.here.contains(connection) =>
            {
                Err(format!("connection {connection} has not joined"))
            }
            What::End { .. } => {
                self.has_ended = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What is in a file, packed or not.
fn unpack(mut from: impl Read) -> Result<Vec<u8>, LoadError> {
    let mut first = Vec::new();
    from.by_ref().take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let whole = first.as_slice().chain(from);
    if first.starts_with(&GZIP) {
        read_bytes(flate2::read::MultiGzDecoder::new(whole))
    } else if first == ZSTD {
        read_bytes(zstd::stream::read::Decoder::new(whole)?)
    } else {
        read_bytes(whole)
    }
}

fn read_bytes(from: impl Read) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    from.take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(LoadError::TooLarge { max: UNPACKED_BYTES_MAX });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
