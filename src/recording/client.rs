//! One connection of a recording, played again: a replica of its own that holds what it typed and
//! what it heard, and a socket.
//!
//! An edit is acknowledged when the server has shown it to its author, which every dialect does, and
//! at the end also in the dialect's own words. What is on its way is bounded, so that a replay
//! measures the server and not a queue.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::faults::Trouble;
use super::flight::{Flight, Mark, Sent};
use super::frames::{Heard, Say, decode, encode};
use super::holdings::Holdings;
use super::random::Random;
use super::replay::Run;
use super::script::Step;
use super::socket::Socket;
use super::{Dialect, Fault, Speed, What};
use crate::crdt::{LintLimits, Linted, Replica, Verdict};
use crate::wire::awareness::{self, Entry};

/// Edits of one connection that the server has not acknowledged; at it, the connection waits until
/// half of them are.
const IN_FLIGHT_MAX: usize = 1_000;

/// The most edits that are sent in one go.
const BURST_MAX: u64 = 64;

/// Between two attempts to come back.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Breaking off so often without anything being acknowledged is not going to end.
const BREAKS_MAX: usize = 100;

/// The longest that trouble holds anything back.
const HELD_MS_MAX: u64 = 50;

/// How many frames of others go before one that is put behind them.
const OVERTAKEN_BY_MAX: u64 = 16;

/// Why something could not be done.
pub(super) enum Stop {
    /// The connection is over; another one may help.
    Broke(String),
    /// Nothing helps.
    Failed(String),
}

impl Stop {
    fn reason(self) -> String {
        match self {
            Self::Broke(reason) | Self::Failed(reason) => reason,
        }
    }
}

/// One connection.
pub(super) struct Client<'a> {
    run: &'a Run<'a>,
    name: String,
    dialect: Dialect,
    replica: Replica,
    socket: Option<Socket>,
    in_flight: Flight,
    /// What it said that it has, when it was asked last.
    said: Option<Bytes>,
    /// How often the connection broke off since anything was acknowledged.
    breaks: usize,
    /// Syncs and updates that have no SyncStatus yet (Hocuspocus).
    unanswered: usize,
    is_synced: bool,
    /// What others typed between the server's noticing us and its answer to our step 1; it can build
    /// on what that answer brings.
    early: Vec<Bytes>,
    has_checkpoint: bool,
    random: Random,
    /// Edits that may still be sent before the next look at what has come.
    burst: u64,
}

impl<'a> Client<'a> {
    /// Not connected yet.
    pub fn new(run: &'a Run<'a>, name: String, dialect: Dialect, number: u64) -> Self {
        Self {
            run,
            name,
            dialect,
            replica: Replica::new(),
            socket: None,
            in_flight: Flight::default(),
            said: None,
            breaks: 0,
            unanswered: 0,
            is_synced: false,
            early: Vec::new(),
            has_checkpoint: false,
            random: Random::of(run.options.seed, number, 0),
            burst: 1,
        }
    }

    /// Does what the recording says, comes back if it has left, and waits for the end.
    ///
    /// # Errors
    /// Says in words what went wrong.
    pub async fn play(&mut self, steps: &[Step<'_>]) -> Result<(), String> {
        for step in steps {
            self.however(async |client| {
                client.wait_for_time(step.event.t).await?;
                client.do_again(step).await
            })
            .await?;
            for trouble in self.run.plan.after(step.number) {
                self.however(async |client| client.suffer(*trouble).await).await?;
                self.run.count(*trouble);
            }
        }
        self.however(async |client| {
            if client.socket.is_none() {
                client.join().await?;
            }
            let is_there = |client: &Self| client.run.script.end.is_reached(&client.replica);
            client.until("what the others typed", is_there).await?;
            client.acknowledged().await
        })
        .await
    }

    /// Joins, sends one update, and leaves when it is saved.
    ///
    /// # Errors
    /// Says in words what went wrong.
    pub async fn put(&mut self, update: &Bytes) -> Result<(), String> {
        let put = async |client: &mut Self| {
            client.join().await?;
            client.edit(0, update).await?;
            client.leave().await
        };
        put(self).await.map_err(Stop::reason)
    }

    /// Does something, and where connections are made to break off, comes back and does it again.
    async fn however(
        &mut self,
        step: impl AsyncFn(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), String> {
        loop {
            match step(self).await {
                Ok(()) => return Ok(()),
                Err(Stop::Broke(_)) if self.run.plan.has_any() && self.breaks < BREAKS_MAX => {
                    self.come_back().await?;
                }
                Err(stop) => return Err(stop.reason()),
            }
        }
    }

    /// Joins, as often as it takes.
    async fn come_back(&mut self) -> Result<(), String> {
        self.breaks += 1;
        let deadline = self.run.clock.now() + self.run.options.patience;
        loop {
            match self.join().await {
                Err(Stop::Broke(_)) if self.run.clock.now() < deadline => sleep(RETRY_AFTER).await,
                joined => return joined.map_err(Stop::reason),
            }
        }
    }

    /// Something goes wrong.
    async fn suffer(&mut self, trouble: Trouble) -> Result<(), Stop> {
        let held = Duration::from_millis(self.random.below(HELD_MS_MAX));
        match trouble {
            Trouble::Drop => self.socket = None,
            Trouble::Disconnect => {
                if let Some(socket) = self.socket.take() {
                    socket.close().await;
                }
            }
            Trouble::Delay => sleep(held).await,
            Trouble::Reorder => {
                let others = 1 + self.random.below(OVERTAKEN_BY_MAX);
                self.run.let_pass(others, Duration::from_millis(HELD_MS_MAX)).await;
            }
            Trouble::Kill => self.run.server.kill().await.map_err(Stop::Failed)?,
        }
        match self.socket {
            Some(_) => Ok(()),
            None => self.come_back().await.map_err(Stop::Failed),
        }
    }

    /// What is here instead of the recorded end, in words.
    pub fn difference(&mut self) -> Option<String> {
        let difference = self.run.script.end.difference(&self.replica)?;
        let first = self.run.script.first_missing(&Holdings::of(&mut self.replica));
        let first = first.map(|event| format!("; the first that is missing is {event}"));
        Some(format!("{} has {difference}{}", self.name, first.unwrap_or_default()))
    }

    /// What it has.
    pub fn into_replica(self) -> Replica {
        self.replica
    }

    /// Does what the recording says; what has been done already, when the connection broke off in
    /// the middle, is not done twice.
    async fn do_again(&mut self, step: &Step<'_>) -> Result<(), Stop> {
        match &step.event.what {
            What::Join { .. } if self.socket.is_some() => Ok(()),
            What::Join { .. } => self.join().await,
            What::Leave { .. } => self.leave().await,
            What::Update { update, .. } => {
                if !self.in_flight.has(step.number) {
                    self.edit(step.number, update).await?;
                }
                self.breathe().await
            }
            What::Awareness { client, clock, state, .. } => {
                let entry =
                    Entry { client: *client, clock: *clock, state: state.to_string().into() };
                self.say(&Say::Awareness(&awareness::encode([&entry].into_iter()))).await
            }
            What::Fault { fault: Fault::Drop, .. } => {
                // Whether the server has what was on its way is seen when it is back.
                self.socket = None;
                Ok(())
            }
            What::End { .. } => Ok(()),
        }
    }

    /// Listens until an event is due.
    async fn wait_for_time(&mut self, t: u64) -> Result<(), Stop> {
        let Speed::Times(times) = self.run.options.speed else { return Ok(()) };
        let due = Duration::from_millis(t).div_f64(times);
        let clock = self.run.clock;
        if due <= clock.now() {
            return Ok(());
        }
        self.flush().await?;
        let due = clock.instant(due);
        while self.hear_until(due).await?.is_some() {}
        Ok(())
    }

    async fn join(&mut self) -> Result<(), Stop> {
        // A socket that is left behind is not read any more.
        self.socket = None;
        let url = self.run.server.url().await + &self.path();
        let opened = Socket::open(&url).await;
        self.socket = Some(opened.map_err(|e| self.break_off(&e))?);
        self.is_synced = false;
        self.said = None;
        self.early.clear();
        // The sync itself.
        self.unanswered = usize::from(self.dialect == Dialect::Hocuspocus);
        if self.dialect == Dialect::Hocuspocus {
            let token = self.run.options.token.as_deref().unwrap_or_default();
            self.say(&Say::Login(token)).await?;
        }
        let vector = self.replica.state_vector().encode();
        self.say(&Say::Step1(&vector)).await?;
        self.until("the first sync", |client| client.is_synced).await
    }

    /// Where its dialect is spoken, with the token for whoever asks for it there.
    fn path(&self) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let document = &self.run.options.document;
        let path = match self.dialect {
            Dialect::YWebsocket => format!("/sync/{}", encoded(document)),
            Dialect::Hocuspocus => return "/collab".into(),
            Dialect::YSweet => format!("/d/{document}/ws/{document}"),
        };
        match &self.run.options.token {
            Some(token) => format!("{path}?token={}", encoded(token)),
            None => path,
        }
    }

    async fn leave(&mut self) -> Result<(), Stop> {
        self.acknowledged().await?;
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        Ok(())
    }

    /// Waits until everything that was typed here is known to be saved.
    async fn acknowledged(&mut self) -> Result<(), Stop> {
        let is_answered = |client: &Self| client.in_flight.len() == 0 && client.unanswered == 0;
        self.until("acknowledgements", is_answered).await?;
        if self.dialect == Dialect::YSweet {
            self.has_checkpoint = false;
            self.say(&Say::Checkpoint).await?;
            self.until("the checkpoint", |client| client.has_checkpoint).await?;
        }
        Ok(())
    }

    /// Sends one edit, when what it builds on is here and not too much is on its way.
    async fn edit(&mut self, event: usize, update: &Bytes) -> Result<(), Stop> {
        let linted = Linted::new(update.clone(), &LintLimits::default());
        let linted = linted.map_err(|e| self.failure(&e.to_string()))?;
        let fits = |client: &Self| linted.summary.fits(|id| client.replica.clock(id));
        if !fits(self) {
            self.until("what the next edit builds on", fits).await?;
        }
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            let is_better = |client: &Self| client.in_flight.len() <= IN_FLIGHT_MAX / 2;
            self.until("acknowledgements", is_better).await?;
        }
        let mark = Mark::of(&linted.summary);
        match (self.integrate(&linted)?, mark) {
            (Verdict::Applied, Some(mark)) => {
                let at = self.run.clock.now();
                self.in_flight.push(Sent { event, mark, at });
                self.unanswered += usize::from(self.dialect == Dialect::Hocuspocus);
                self.say(&Say::Update(update)).await
            }
            // It has come from the server already; an editor would not send it.
            _ => {
                self.run.acknowledge(event);
                Ok(())
            }
        }
    }

    /// After some edits, sends them and takes in what has come meanwhile.
    async fn breathe(&mut self) -> Result<(), Stop> {
        self.burst -= 1;
        if self.burst > 0 {
            return Ok(());
        }
        self.burst = 1 + self.random.below(BURST_MAX);
        self.flush().await?;
        tokio::task::yield_now().await;
        while self.hear_until(self.run.clock.instant(Duration::ZERO)).await?.is_some() {}
        Ok(())
    }

    async fn say(&mut self, say: &Say<'_>) -> Result<(), Stop> {
        let frame = encode(self.dialect, &self.run.options.document, say);
        self.run.pass();
        let said = match &mut self.socket {
            Some(socket) => socket.feed(frame).await,
            None => Ok(()),
        };
        said.map_err(|e| self.break_off(&e))
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        let flushed = match &mut self.socket {
            Some(socket) => socket.flush().await,
            None => Ok(()),
        };
        flushed.map_err(|e| self.break_off(&e))
    }

    /// Listens until something is so. While the server goes on about the document, it waits.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), Stop> {
        self.flush().await?;
        let clock = self.run.clock;
        let patience = self.run.options.patience;
        let mut deadline = clock.instant(clock.now() + patience);
        while !is_so(self) {
            match self.hear_until(deadline).await? {
                Some(Heard::Other) => {}
                Some(_) => deadline = clock.instant(clock.now() + patience),
                None => {
                    let waited = format!("waited {patience:?} for {what}");
                    let instead = self.run.script.end.difference(&self.replica);
                    let instead = instead.map(|said| format!("; it has {said}"));
                    return Err(self.failure(&(waited + &instead.unwrap_or_default())));
                }
            }
        }
        Ok(())
    }

    /// Takes in one message, or nothing by the deadline.
    async fn hear_until(&mut self, deadline: Instant) -> Result<Option<Heard>, Stop> {
        let Some(socket) = &mut self.socket else {
            sleep_until(deadline).await;
            return Ok(None);
        };
        let Ok(came) = timeout_at(deadline, socket.next()).await else { return Ok(None) };
        let frame = came.map_err(|e| self.break_off(&e))?;
        let heard = decode(self.dialect, frame).map_err(|e| self.failure(&e.to_string()))?;
        self.act_on(&heard).await?;
        Ok(Some(heard))
    }

    async fn act_on(&mut self, heard: &Heard) -> Result<(), Stop> {
        match heard {
            Heard::Step1(vector) => {
                self.said = Some(vector.clone());
                let missing = self.replica.encode_diff(&self.replica.known_part(vector));
                self.say(&Say::Step2(&missing)).await?;
                self.flush().await
            }
            Heard::Step2(update) => {
                self.is_synced = true;
                self.compare(update)?;
                self.take(update)?;
                if self.run.script.end.is_exceeded(&self.replica) {
                    return Err(self.failure("the document holds what is not in the recording"));
                }
                std::mem::take(&mut self.early).iter().try_for_each(|early| self.take(early))
            }
            Heard::Update(update) if !self.is_synced => {
                self.early.push(update.clone());
                Ok(())
            }
            Heard::Update(update) => self.take(update),
            Heard::Checkpoint => {
                self.has_checkpoint = true;
                Ok(())
            }
            Heard::Status(true) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                Ok(())
            }
            Heard::Status(false) => Err(self.failure("the server did not save a change")),
            Heard::Denied(reason) => Err(self.failure(&format!("the server says: {reason}"))),
            Heard::Closed(reason) => Err(self.failure(&format!("the server closed: {reason}"))),
            Heard::Other => Ok(()),
        }
    }

    /// Takes in what the server shows, and looks what of it was on its way.
    fn take(&mut self, update: &Bytes) -> Result<(), Stop> {
        let linted = Linted::new(update.clone(), &LintLimits::default());
        let linted = linted.map_err(|e| self.failure(&format!("the server's update: {e}")))?;
        if self.integrate(&linted)? == Verdict::Hole {
            return Err(self.failure("the server's update builds on what it never sent"));
        }
        let arrived = self.in_flight.show(&linted.summary);
        self.settle(&arrived);
        Ok(())
    }

    /// What the server has when somebody comes (back): nothing that it had shown may be gone, and
    /// what was on its way may have arrived.
    fn compare(&mut self, update: &Bytes) -> Result<(), Stop> {
        let Some(vector) = self.said.take() else { return Ok(()) };
        let linted = Linted::new(update.clone(), &LintLimits::default());
        let linted = linted.map_err(|e| self.failure(&format!("the server's update: {e}")))?;
        let held = Holdings::said(&vector, &linted.summary);
        let Some(arrived) = self.in_flight.land(&held) else {
            let what = self.run.lose(&held);
            return Err(self.failure(&format!("the server has lost what it had shown: {what}")));
        };
        self.settle(&arrived);
        Ok(())
    }

    fn settle(&mut self, arrived: &[Sent]) {
        let now = self.run.clock.now();
        for sent in arrived {
            self.breaks = 0;
            self.run.latencies.borrow_mut().push(now - sent.at);
            self.run.acknowledge(sent.event);
        }
    }

    fn integrate(&mut self, update: &Linted) -> Result<Verdict, Stop> {
        let done =
            self.replica.integrate(&[update]).map_err(|broken| self.failure(&broken.reason))?;
        match done.verdicts.into_iter().next() {
            Some(Verdict::Refused(reason)) => Err(self.failure(&reason)),
            Some(verdict) => Ok(verdict),
            None => Ok(Verdict::Known),
        }
    }

    fn failure(&self, what: &str) -> Stop {
        Stop::Failed(format!("{}: {what}", self.name))
    }

    fn break_off(&self, what: &str) -> Stop {
        Stop::Broke(format!("{}: {what}", self.name))
    }
}
