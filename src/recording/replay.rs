//! Plays a recording onto a server, or onto a bare document.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::Recording;
use super::client::Client;
use super::outcome::{Latency, Outcome};
use super::script::{End, Part, Script};
use crate::clock::Clock;

/// How clients talk to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// At `/sync/{document}`.
    YWebsocket,
    /// At `/collab`.
    Hocuspocus,
    /// At `/d/{document}/ws/{document}`.
    YSweet,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::YWebsocket, Self::Hocuspocus, Self::YSweet];
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YWebsocket => "y-websocket",
            Self::Hocuspocus => "hocuspocus",
            Self::YSweet => "y-sweet",
        })
    }
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was; 1 is real time.
    Times(f64),
    /// As fast as the server takes it. Times are not looked at, and each connection goes on as soon
    /// as it has what its next edit builds on.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    /// `real`, `max`, or a number and an x.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "real" => return Ok(Self::Times(1.0)),
            "max" => return Ok(Self::Max),
            _ => {}
        }
        let times = text.strip_suffix('x').and_then(|times| times.parse::<f64>().ok());
        let times = times.filter(|times| times.is_finite() && *times > 0.0);
        times.map(Self::Times).ok_or_else(|| "expected real, max, or a speed as 10x".into())
    }
}

/// How a recording is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What the connections speak, in turn; at least one. Each is spoken: where there are fewer connections than
    /// dialects, further ones look on.
    pub dialects: Vec<Dialect>,
    /// How fast.
    pub speed: Speed,
    /// Decides how many edits a connection sends in one go, and which dialect is first. What the
    /// network makes of that is not decided.
    pub seed: u64,
    /// The document that is written to; must be empty and, for y-sweet, of letters, digits, `-` and `_`.
    pub document: String,
}

/// Why a recording cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An event cannot be applied, whoever applies it.
    #[error("event {event}: {reason}")]
    Event {
        /// Counted from 1; 0 is what is there before the first.
        event: usize,
        /// For people.
        reason: String,
    },
    /// [`Options::dialects`] is empty.
    #[error("no dialect is given")]
    NoDialect,
}

/// Told how many edits have been acknowledged.
pub type Progress<'a> = &'a dyn Fn(usize);

/// What all connections of a replay share.
pub(super) struct Run<'a> {
    pub url: &'a str,
    pub options: &'a Options,
    pub script: &'a Script<'a>,
    pub clock: Clock,
    pub latencies: RefCell<Vec<Duration>>,
    acknowledged: Cell<usize>,
    progress: Progress<'a>,
}

impl Run<'_> {
    /// Counts edits that the server has taken.
    pub fn acknowledge(&self, edits: usize) {
        self.acknowledged.set(self.acknowledged.get() + edits);
        (self.progress)(self.acknowledged.get());
    }
}

/// Plays a recording onto a bare document: no server, no sockets.
///
/// # Errors
/// The recording cannot be replayed at all; what differs in the end is in the [`Outcome`].
pub fn bare(recording: &Recording) -> Result<Outcome, ReplayError> {
    let clock = Clock::new();
    let (end, replica) = End::of(recording)?;
    let seconds = clock.now().as_secs_f64();
    let edits = recording.edits();
    let differences: Vec<_> = end.difference(&replica).into_iter().collect();
    Ok(Outcome {
        converged: differences.is_empty(),
        differences,
        edits,
        acknowledged: edits,
        clients: 0,
        dialects: Vec::new(),
        seconds,
        edits_per_s: edits as f64 / seconds,
        latency: None,
        seed: 0,
    })
}

/// Plays a recording onto the server at `url` (`ws://…`, without a path), one connection for each
/// of its own. When all have done what they did, everybody comes back, and they and a fresh one of
/// each dialect must show the recorded end.
///
/// Runs on the thread's actix system.
///
/// # Errors
/// The recording cannot be replayed at all; whatever goes wrong with the server, and what differs in
/// the end, is in the [`Outcome`].
pub async fn onto(
    recording: &Recording,
    url: &str,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Outcome, ReplayError> {
    if options.dialects.is_empty() {
        return Err(ReplayError::NoDialect);
    }
    let script = Script::new(recording)?;
    let run = Run {
        url: url.trim_end_matches('/'),
        options,
        script: &script,
        clock: Clock::new(),
        latencies: RefCell::default(),
        acknowledged: Cell::new(0),
        progress,
    };
    let parts = script.parts.iter().map(Some);
    let lookers_on = options.dialects.len().saturating_sub(script.parts.len());
    let parts: Vec<_> = parts.chain(std::iter::repeat_n(None, lookers_on)).collect();
    let mut differences = play(&run, &parts).await.err().unwrap_or_default();
    let seconds = run.clock.now().as_secs_f64();
    if differences.is_empty() {
        differences = look(&run).await;
    }
    let acknowledged = run.acknowledged.get();
    Ok(Outcome {
        converged: differences.is_empty(),
        differences,
        edits: script.edits,
        acknowledged,
        clients: parts.len(),
        dialects: options.dialects.iter().map(Dialect::to_string).collect(),
        seconds,
        edits_per_s: acknowledged as f64 / seconds,
        latency: Latency::of(run.latencies.take()),
        seed: options.seed,
    })
}

/// Everybody at once, until all of them have the end; the error says what they have instead.
async fn play(run: &Run<'_>, parts: &[Option<&Part<'_>>]) -> Result<(), Vec<String>> {
    let options = run.options;
    if let Some(start) = run.script.start {
        let mut first = Client::new(run, "what was there before".into(), options.dialects[0], 0);
        first.put(start).await.map_err(|e| vec![e])?;
        // It is no edit of the recording.
        run.acknowledged.set(0);
        run.latencies.borrow_mut().clear();
    }
    let turn = |index: usize| {
        let dialects = options.dialects.len();
        options.dialects[(index + options.seed as usize % dialects) % dialects]
    };
    let playing = parts.iter().enumerate().map(async |(index, part)| {
        let dialect = turn(index);
        let name = match part {
            Some(part) => format!("connection {} ({dialect})", part.connection),
            None => format!("who looks on ({dialect})"),
        };
        let mut client = Client::new(run, name, dialect, index as u64);
        client.play(part.map_or(&[], |part| &part.events)).await?;
        Ok(client)
    });
    let clients = try_join_all(playing).await.map_err(|e: String| vec![e])?;
    let differences: Vec<_> = clients.iter().filter_map(Client::difference).collect();
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

/// Fresh connections, one of each dialect; returns what they have instead of the end.
async fn look(run: &Run<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    for dialect in &run.options.dialects {
        let mut fresh = Client::new(run, format!("a fresh connection ({dialect})"), *dialect, 0);
        let looked = fresh.play(&[]).await.err();
        differences.extend(looked.or_else(|| fresh.difference()));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read() {
        assert_eq!("real".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5x".parse(), Ok(Speed::Times(2.5)));
        for wrong in ["", "x", "0x", "-1x", "infx", "10", "fast"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
