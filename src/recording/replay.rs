//! Plays a recording onto a server, or onto a bare document.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::Recording;
use super::client::Client;
use super::faults::{Happened, Plan, Trouble};
use super::holdings::Holdings;
use super::outcome::{EndState, Latency, Outcome};
use super::script::{End, Part, Script};
use super::server::Server;
use crate::clock::Clock;
use crate::crdt::Replica;

/// A server that says nothing about the document for so long is not going to.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often somebody who lets others pass looks whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(1);

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
    /// [`Replay::dialects`] was given none.
    #[error("no dialect is given")]
    NoDialect,
    /// [`Trouble::Kill`] without a server of our own.
    #[error("only a server that the replay has started itself can be killed")]
    NotOurs,
    /// The server of our own does not start.
    #[error("{0}")]
    Server(String),
}

/// Told how many edits have been acknowledged.
pub type Progress<'a> = &'a dyn Fn(usize);

/// A recording about to be played: onto a bare document, unless a server is named.
///
/// ```no_run
/// use coscribe::recording::{Dialect, Recording, Replay, Speed, Trouble};
///
/// let recording = Recording::load("session.jsonl")?;
/// let outcome = Replay::new(&recording)
///     .onto_server("coscribe")
///     .dialects(&Dialect::ALL)
///     .faults(&[Trouble::Drop, Trouble::Kill])
///     .seed(7)
///     .run()?;
/// outcome.assert_converged();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Replay<'a> {
    recording: &'a Recording,
    target: Target,
    clients: usize,
    options: Options,
    progress: Progress<'a>,
}

#[derive(Clone)]
enum Target {
    Bare,
    Url(String),
    Program(PathBuf),
}

/// How a recording is played.
#[derive(Clone)]
pub(super) struct Options {
    pub dialects: Vec<Dialect>,
    pub speed: Speed,
    pub seed: u64,
    pub document: String,
    pub token: Option<String>,
    pub faults: Vec<Trouble>,
    pub patience: Duration,
}

impl<'a> Replay<'a> {
    /// As fast as it goes, onto a bare document.
    pub fn new(recording: &'a Recording) -> Self {
        let options = Options {
            dialects: vec![Dialect::YWebsocket],
            speed: Speed::Max,
            seed: 0,
            document: "replay".into(),
            token: None,
            faults: Vec::new(),
            patience: PATIENCE,
        };
        Self { recording, target: Target::Bare, clients: 1, options, progress: &|_| {} }
    }

    /// Onto a document in memory: no server, no sockets, nothing to go wrong on the way.
    pub fn bare(mut self) -> Self {
        self.target = Target::Bare;
        self
    }

    /// Onto the server at `ws://…` or `wss://…`, without a path. The document must be empty.
    pub fn onto(mut self, url: &str) -> Self {
        self.target = Target::Url(url.trim_end_matches('/').into());
        self
    }

    /// Onto a server of our own: `program serve`, coscribe itself, on a free port and a database
    /// that goes with it.
    pub fn onto_server(mut self, program: impl Into<PathBuf>) -> Self {
        self.target = Target::Program(program.into());
        self
    }

    /// What the connections speak, in turn (y-websocket unless said). Each is spoken: where there are fewer
    /// connections than dialects, further ones look on.
    pub fn dialects(mut self, dialects: &[Dialect]) -> Self {
        self.options.dialects = dialects.to_vec();
        self
    }

    /// How fast (max unless said).
    pub fn speed(mut self, speed: Speed) -> Self {
        self.options.speed = speed;
        self
    }

    /// Decides how many edits a connection sends in one go, which dialect is first, and what goes
    /// wrong when (0 unless said). What the network makes of that is not decided.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// What goes wrong on purpose (nothing unless said). Each kind at least once; with a bare document
    /// nothing does.
    pub fn faults(mut self, faults: &[Trouble]) -> Self {
        self.options.faults = faults.to_vec();
        self
    }

    /// By so many times the people, in one document (1 unless said); see [`Recording::multiplied`].
    pub fn clients(mut self, times: usize) -> Self {
        self.clients = times;
        self
    }

    /// The document that is written to (replay unless said); for y-sweet of letters, digits, `-` and `_`.
    pub fn document(mut self, name: &str) -> Self {
        self.options.document = name.into();
        self
    }

    /// What every connection shows when it comes (nothing unless said).
    pub fn token(mut self, token: &str) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// How long a server may say nothing about the document before it is given up (30 s unless said).
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Called with how many edits have been acknowledged, each time there are more.
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = progress;
        self
    }

    /// Plays, on an actix system of its own; inside of one, [`Replay::play`].
    ///
    /// # Errors
    /// The recording cannot be replayed at all; whatever goes wrong with the server, and what
    /// differs in the end, is in the [`Outcome`].
    pub fn run(self) -> Result<Outcome, ReplayError> {
        match self.target {
            Target::Bare => self.onto_bare(),
            Target::Url(_) | Target::Program(_) => {
                actix_web::rt::System::new().block_on(self.play())
            }
        }
    }

    /// Plays, one connection for each of the recording. When all have done what they did, everybody
    /// comes back, and they and a fresh one of each dialect must show the recorded end.
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub async fn play(self) -> Result<Outcome, ReplayError> {
        let server = match &self.target {
            Target::Bare => return self.onto_bare(),
            Target::Url(_) if self.options.faults.contains(&Trouble::Kill) => {
                return Err(ReplayError::NotOurs);
            }
            Target::Url(url) => Server::At(url.clone()),
            Target::Program(program) => {
                Server::start(program).await.map_err(ReplayError::Server)?
            }
        };
        self.onto_running(&server).await
    }

    fn onto_bare(self) -> Result<Outcome, ReplayError> {
        let recording = self.recording.multiplied(self.clients)?;
        let clock = Clock::new();
        let (end, mut replica) = End::of(&recording)?;
        let seconds = clock.now().as_secs_f64();
        let edits = recording.edits();
        (self.progress)(edits);
        Ok(Outcome {
            differences: end.difference(&replica).into_iter().collect(),
            edits,
            acknowledged: edits,
            seconds,
            ..Outcome::new(&self.options, EndState::of(&mut replica, &end))
        }
        .rated())
    }

    async fn onto_running(self, server: &Server) -> Result<Outcome, ReplayError> {
        let Self { options, progress, .. } = &self;
        if options.dialects.is_empty() {
            return Err(ReplayError::NoDialect);
        }
        let recording = self.recording.multiplied(self.clients)?;
        let script = Script::new(&recording)?;
        let run = Run {
            server,
            options,
            script: &script,
            plan: Plan::new(&options.faults, &script.edit_numbers(), options.seed),
            clock: Clock::new(),
            latencies: RefCell::default(),
            acknowledged: RefCell::new(vec![false; script.events() + 1]),
            done: Cell::new(0),
            passed: Cell::new(0),
            happened: RefCell::default(),
            lost: RefCell::default(),
            progress: *progress,
        };
        let parts = script.parts.iter().map(Some);
        let lookers_on = options.dialects.len().saturating_sub(script.parts.len());
        let parts: Vec<_> = parts.chain(std::iter::repeat_n(None, lookers_on)).collect();
        let played = play(&run, &parts).await;
        let seconds = run.clock.now().as_secs_f64();
        let (mut differences, mut end) = (Vec::new(), EndState::default());
        match played {
            Ok(mut replica) => {
                end = EndState::of(&mut replica, &script.end);
                differences = look(&run).await;
            }
            Err(said) => differences.extend(said),
        }
        Ok(Outcome {
            differences,
            edits: script.edits,
            acknowledged: run.done.get(),
            lost: run.lost.take().into_iter().collect(),
            clients: parts.len(),
            dialects: options.dialects.iter().map(Dialect::to_string).collect(),
            seconds,
            latency: Latency::of(run.latencies.take()),
            faults: run.happened.take(),
            ..Outcome::new(options, end)
        }
        .rated())
    }
}

/// What all connections of a replay share.
pub(super) struct Run<'a> {
    pub server: &'a Server,
    pub options: &'a Options,
    pub script: &'a Script<'a>,
    pub plan: Plan,
    pub clock: Clock,
    pub latencies: RefCell<Vec<Duration>>,
    /// By the number of the event.
    acknowledged: RefCell<Vec<bool>>,
    done: Cell<usize>,
    /// Frames that anybody has sent.
    passed: Cell<u64>,
    happened: RefCell<Happened>,
    lost: RefCell<BTreeSet<usize>>,
    progress: Progress<'a>,
}

impl Run<'_> {
    /// The server has taken an edit. Event 0, what was there before, is no edit of the recording.
    pub fn acknowledge(&self, event: usize) {
        let is_new = !std::mem::replace(&mut self.acknowledged.borrow_mut()[event], true);
        if is_new && event > 0 {
            self.done.set(self.done.get() + 1);
            (self.progress)(self.done.get());
        }
    }

    /// Something went wrong on purpose.
    pub fn count(&self, trouble: Trouble) {
        *self.happened.borrow_mut().entry(trouble.to_string()).or_default() += 1;
    }

    /// Notes what had been acknowledged and is not there any more; in words.
    pub fn lose(&self, held: &Holdings) -> String {
        let missing = self.script.missing(held);
        let acknowledged = self.acknowledged.borrow();
        let gone: Vec<usize> = missing.into_iter().filter(|event| acknowledged[*event]).collect();
        let words = match gone.first() {
            Some(first) => format!("{} edits, the first is event {first}", gone.len()),
            None => "nothing that was acknowledged".into(),
        };
        self.lost.borrow_mut().extend(gone);
        words
    }

    /// A frame goes out.
    pub fn pass(&self) {
        self.passed.set(self.passed.get() + 1);
    }

    /// Waits until others have sent so many frames, or for so long.
    pub async fn let_pass(&self, others: u64, at_most: Duration) {
        let (until, deadline) = (self.passed.get() + others, self.clock.now() + at_most);
        while self.passed.get() < until && self.clock.now() < deadline {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Everybody at once, until all of them have the end; the error says what they have instead.
async fn play(run: &Run<'_>, parts: &[Option<&Part<'_>>]) -> Result<Replica, Vec<String>> {
    let options = run.options;
    if let Some(start) = run.script.start {
        let mut first = Client::new(run, "what was there before".into(), options.dialects[0], 0);
        first.put(start).await.map_err(|e| vec![e])?;
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
        client.play(part.map_or(&[], |part| &part.steps)).await?;
        Ok(client)
    });
    let mut clients = try_join_all(playing).await.map_err(|e: String| vec![e])?;
    let differences: Vec<_> = clients.iter_mut().filter_map(Client::difference).collect();
    if !differences.is_empty() {
        return Err(differences);
    }
    Ok(clients.pop().map_or_else(Replica::new, Client::into_replica))
}

/// Fresh connections, one of each dialect; returns what they have instead of the end.
async fn look(run: &Run<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    for dialect in &run.options.dialects {
        let mut fresh = Client::new(run, format!("a fresh connection ({dialect})"), *dialect, 0);
        let looked = fresh.play(&[]).await.err();
        let difference = fresh.difference();
        if looked.is_some() || difference.is_some() {
            run.lose(&Holdings::of(&mut fresh.into_replica()));
        }
        differences.extend(looked.or(difference));
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
