//! One connection of a recording, played again: a replica of its own that holds what it typed and
//! what it heard, and a socket.
//!
//! An edit is acknowledged when the server has shown it to its author, which every dialect does, and
//! at the end also in the dialect's own words. What is on its way is bounded, so that a replay
//! measures the server and not a queue.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::frames::{Heard, Say, decode, encode};
use super::random::Random;
use super::replay::Run;
use super::socket::Socket;
use super::{Dialect, Event, Fault, Speed, What};
use crate::crdt::{LintLimits, Linted, Replica, Summary, Verdict};
use crate::wire::awareness::{self, Entry};

/// Edits of one connection that the server has not acknowledged; at it, the connection waits until
/// half of them are.
const IN_FLIGHT_MAX: usize = 1_000;

/// The most edits that are sent in one go.
const BURST_MAX: u64 = 64;

/// A server that says nothing about the document for so long is not going to.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(super) struct Client<'a> {
    run: &'a Run<'a>,
    name: String,
    dialect: Dialect,
    replica: Replica,
    socket: Option<Socket>,
    in_flight: VecDeque<Sent>,
    /// For each client id the clock up to which the server has shown it.
    shown: HashMap<u64, u32>,
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

/// An edit on its way: something by which it is known when it comes back.
struct Sent {
    mark: Mark,
    at: Duration,
}

/// One clock of a client id.
enum Mark {
    Inserted { client: u64, clock: u32 },
    Deleted { client: u64, clock: u32 },
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
            in_flight: VecDeque::new(),
            shown: HashMap::new(),
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
    pub async fn play(&mut self, events: &[&Event]) -> Result<(), String> {
        for event in events {
            self.wait_for_time(event.t).await?;
            self.do_again(&event.what).await?;
        }
        if self.socket.is_none() {
            self.join().await?;
        }
        self.until("what the others typed", |client| {
            client.run.script.end.is_reached(&client.replica)
        })
        .await?;
        self.acknowledged().await
    }

    /// Joins, sends one update, and leaves when it is saved.
    ///
    /// # Errors
    /// Says in words what went wrong.
    pub async fn put(&mut self, update: &Bytes) -> Result<(), String> {
        self.join().await?;
        self.edit(update).await?;
        self.leave().await
    }

    /// What is here instead of the recorded end, in words.
    pub fn difference(&self) -> Option<String> {
        let difference = self.run.script.end.difference(&self.replica)?;
        Some(format!("{} has {difference}", self.name))
    }

    async fn do_again(&mut self, what: &What) -> Result<(), String> {
        match what {
            What::Join { .. } => self.join().await,
            What::Leave { .. } => self.leave().await,
            What::Update { update, .. } => {
                self.edit(update).await?;
                self.breathe().await
            }
            What::Awareness { client, clock, state, .. } => {
                let entry =
                    Entry { client: *client, clock: *clock, state: state.to_string().into() };
                self.say(&Say::Awareness(&awareness::encode([&entry].into_iter()))).await
            }
            What::Fault { fault: Fault::Drop, .. } => {
                self.socket = None;
                // Whether the server has them is seen at the end.
                self.run.acknowledge(self.in_flight.len());
                self.in_flight.clear();
                Ok(())
            }
            What::End { .. } => Ok(()),
        }
    }

    /// Listens until an event is due.
    async fn wait_for_time(&mut self, t: u64) -> Result<(), String> {
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

    async fn join(&mut self) -> Result<(), String> {
        let document = &self.run.options.document;
        let name = utf8_percent_encode(document, NON_ALPHANUMERIC);
        let path = match self.dialect {
            Dialect::YWebsocket => format!("/sync/{name}"),
            Dialect::Hocuspocus => "/collab".into(),
            Dialect::YSweet => format!("/d/{document}/ws/{document}"),
        };
        let opened = Socket::open(&format!("{}{path}", self.run.url)).await;
        self.socket = Some(opened.map_err(|e| self.failure(&e))?);
        self.is_synced = false;
        self.early.clear();
        // The sync itself.
        self.unanswered = usize::from(self.dialect == Dialect::Hocuspocus);
        if self.dialect == Dialect::Hocuspocus {
            self.say(&Say::Login).await?;
        }
        let vector = self.replica.state_vector().encode();
        self.say(&Say::Step1(&vector)).await?;
        self.until("the first sync", |client| client.is_synced).await
    }

    async fn leave(&mut self) -> Result<(), String> {
        self.acknowledged().await?;
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        Ok(())
    }

    /// Waits until everything that was typed here is known to be saved.
    async fn acknowledged(&mut self) -> Result<(), String> {
        let is_answered = |client: &Self| client.in_flight.is_empty() && client.unanswered == 0;
        self.until("acknowledgements", is_answered).await?;
        if self.dialect == Dialect::YSweet {
            self.has_checkpoint = false;
            self.say(&Say::Checkpoint).await?;
            self.until("the checkpoint", |client| client.has_checkpoint).await?;
        }
        Ok(())
    }

    /// Sends one edit, when what it builds on is here and not too much is on its way.
    async fn edit(&mut self, update: &Bytes) -> Result<(), String> {
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
        let mark = mark(&linted.summary);
        match (self.integrate(&linted)?, mark) {
            (Verdict::Applied, Some(mark)) => {
                let at = self.run.clock.now();
                self.in_flight.push_back(Sent { mark, at });
                self.unanswered += usize::from(self.dialect == Dialect::Hocuspocus);
                self.say(&Say::Update(update)).await
            }
            // It has come from the server already; an editor would not send it.
            _ => {
                self.run.acknowledge(1);
                Ok(())
            }
        }
    }

    /// After some edits, sends them and takes in what has come meanwhile.
    async fn breathe(&mut self) -> Result<(), String> {
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

    async fn say(&mut self, say: &Say<'_>) -> Result<(), String> {
        let frame = encode(self.dialect, &self.run.options.document, say);
        let said = match &mut self.socket {
            Some(socket) => socket.feed(frame).await,
            None => Ok(()),
        };
        said.map_err(|e| self.failure(&e))
    }

    async fn flush(&mut self) -> Result<(), String> {
        let flushed = match &mut self.socket {
            Some(socket) => socket.flush().await,
            None => Ok(()),
        };
        flushed.map_err(|e| self.failure(&e))
    }

    /// Listens until something is so. While the server goes on about the document, it waits.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), String> {
        self.flush().await?;
        let clock = self.run.clock;
        let mut deadline = clock.instant(clock.now() + PATIENCE);
        while !is_so(self) {
            match self.hear_until(deadline).await? {
                Some(Heard::Other) => {}
                Some(_) => deadline = clock.instant(clock.now() + PATIENCE),
                None => {
                    let waited = format!("waited {PATIENCE:?} for {what}");
                    let instead = self.run.script.end.difference(&self.replica);
                    let instead = instead.map(|said| format!("; it has {said}"));
                    return Err(self.failure(&(waited + &instead.unwrap_or_default())));
                }
            }
        }
        Ok(())
    }

    /// Takes in one message, or nothing by the deadline.
    async fn hear_until(&mut self, deadline: Instant) -> Result<Option<Heard>, String> {
        let Some(socket) = &mut self.socket else {
            sleep_until(deadline).await;
            return Ok(None);
        };
        let Ok(came) = timeout_at(deadline, socket.next()).await else { return Ok(None) };
        let heard = came.and_then(|frame| decode(self.dialect, frame).map_err(|e| e.to_string()));
        let heard = heard.map_err(|e| self.failure(&e))?;
        self.act_on(&heard).await?;
        Ok(Some(heard))
    }

    async fn act_on(&mut self, heard: &Heard) -> Result<(), String> {
        match heard {
            Heard::Step1(vector) => {
                let missing = self.replica.encode_diff(&self.replica.known_part(vector));
                self.say(&Say::Step2(&missing)).await?;
                self.flush().await
            }
            Heard::Step2(update) => {
                self.is_synced = true;
                self.take(update)?;
                if self.run.script.end.is_exceeded(&self.replica) {
                    return Err(self.failure("the document holds what is not in the recording"));
                }
                std::mem::take(&mut self.early).iter().try_for_each(|early| self.take(early))
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
    fn take(&mut self, update: &Bytes) -> Result<(), String> {
        let linted = Linted::new(update.clone(), &LintLimits::default());
        let linted = linted.map_err(|e| self.failure(&format!("the server's update: {e}")))?;
        let is_hole = self.integrate(&linted)? == Verdict::Hole;
        if is_hole && !self.is_synced {
            self.early.push(update.clone());
            return Ok(());
        }
        if is_hole {
            return Err(self.failure("the server's update builds on what it never sent"));
        }
        for insert in &linted.summary.inserts {
            let clock = self.shown.entry(insert.client).or_default();
            *clock = insert.end.max(*clock);
        }
        // Servers keep the order, so everything before the last that is shown is done as well.
        let is_shown = |sent: &Sent| self.is_shown(&sent.mark, &linted.summary);
        let shown = self.in_flight.iter().rposition(is_shown).map_or(0, |last| last + 1);
        let now = self.run.clock.now();
        let took = self.in_flight.drain(..shown).map(|sent| now - sent.at);
        self.run.latencies.borrow_mut().extend(took);
        self.run.acknowledge(shown);
        Ok(())
    }

    fn is_shown(&self, mark: &Mark, summary: &Summary) -> bool {
        match mark {
            Mark::Inserted { client, clock } => {
                self.shown.get(client).is_some_and(|shown| clock < shown)
            }
            Mark::Deleted { client, clock } => summary
                .deletes
                .iter()
                .any(|span| span.client == *client && (span.start..span.end).contains(clock)),
        }
    }

    fn integrate(&mut self, update: &Linted) -> Result<Verdict, String> {
        let done =
            self.replica.integrate(&[update]).map_err(|broken| self.failure(&broken.reason))?;
        match done.verdicts.into_iter().next() {
            Some(Verdict::Refused(reason)) => Err(self.failure(&reason)),
            Some(verdict) => Ok(verdict),
            None => Ok(Verdict::Known),
        }
    }

    fn failure(&self, what: &str) -> String {
        format!("{}: {what}", self.name)
    }
}

/// By what an edit is known when it comes back; nothing where it changes nothing.
fn mark(summary: &Summary) -> Option<Mark> {
    let inserted = summary.inserts.last();
    let inserted = inserted.map(|span| Mark::Inserted { client: span.client, clock: span.end - 1 });
    let deleted = summary.deletes.last();
    inserted.or(deleted.map(|span| Mark::Deleted { client: span.client, clock: span.end - 1 }))
}
