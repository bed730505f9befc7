//! The shell around the core: messages become inputs, effects become work, what comes back is the
//! next input. Decides nothing.
//!
//! One actor per live document, on an arbiter that the hub chose. It alone touches its replica. It
//! never waits for a session. A panic in the core ends this document's sessions with a word that
//! says that nothing saved is lost; the hub reads the document from the log when somebody comes.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tracing::{debug, error, info, warn};

use super::core::{Core, CoreLimits};
use super::input::{About, Aside, Effect, Ending, Input, Loaded, Record};
use super::load::{self, NotLoaded};
use super::tap::{self, Listener, Taps};
use crate::access;
use crate::clock::{self, Clock};
use crate::crdt::{Author, Carry, Fingerprint, Hint, Kept};
use crate::fanout::{self, Drained, Port, Reflections};
use crate::history::{Archive, Packing};
use crate::id::{ConnectionId, DocumentId, Seq, SessionId};
use crate::metrics::Metrics;
use crate::store::{self, AppendError, Commit, LogRecord, Rescued, Store, Version, VersionKind};
use crate::wire::Reply;

/// Close code of a session that sent what cannot be taken; permanent, so clients do not hurry back.
const REFUSED: u16 = 4400;

/// Close code of a document that has been deleted.
const DELETED: u16 = 4404;

/// Close code of a copy of an earlier life of the document, and the word for it.
const RETIRED: u16 = 4409;
const LINEAGE_RETIRED: &str = "lineage-retired";

/// RFC 6455: try again later.
const TRY_AGAIN_LATER: u16 = 1013;

/// Bytes of refused updates on their way to the quarantine; what comes beyond is not kept.
const QUARANTINE_BYTES_MAX: usize = 1 << 20;

/// Fewer sessions reflect so little that it is not remembered what they are about to reflect.
const REFLECTED_BY_MIN: usize = 8;

/// A document that cannot be served stays for this long, to say so to those who come: reading it
/// again and again would help nobody.
const FAILED_STAYS: Duration = Duration::from_secs(2);

/// How long a batch waits until it is known what text it costs.
const PLAN_PATIENCE: Duration = Duration::from_secs(2);

/// A hub that cannot take a report is told again after this time.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What every document of a server shares.
#[derive(Clone)]
pub struct Shared {
    /// The log.
    pub store: Store,
    /// Measured by.
    pub limits: CoreLimits,
    /// Messages that may wait for one document.
    pub mailbox_len: usize,
    /// A document without anybody in it is offered for retirement after this time.
    pub idle_timeout: Duration,
    /// Versions of one document.
    pub versions_max: u32,
    /// The past of documents.
    pub archive: Archive,
    /// Hears of documents whose older rows may be packed.
    pub packing: Packing,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// "I want to take part."
#[derive(Debug, Message)]
#[rtype(result = "Result<Joined, Denied>")]
pub struct Join {
    /// What the core has to know.
    pub about: About,
    /// Where replies go.
    pub port: Port,
    /// Set when the document has ended the session.
    pub ended: Arc<AtomicBool>,
}

/// What a session gets when it has joined.
#[derive(Debug)]
pub struct Joined {
    /// True while so many updates wait for the log that writers should not be read.
    pub crowded: watch::Receiver<bool>,
    /// The awareness that is likely to come back from everybody.
    pub reflections: Arc<Reflections>,
}

/// The session cannot take part. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub Ending);

/// What a session says.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Tell(pub Input);

/// "Get everything that was accepted into the log"; answered when that is so.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// "Tell me everything that happens from now on", beginning with who is here; false if there is no
/// room. A listener that falls behind is let go; as long as there is one, the document stays loaded.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub struct Listen(pub Listener);

/// From the hub: end if nobody is here.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// To the hub, about the life of a document.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Report {
    /// Which document.
    pub document: DocumentId,
    /// Which of its actors.
    pub generation: u64,
    /// What is the matter.
    pub news: News,
}

/// What a document tells the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nobody has been here for a while.
    Idle,
    /// Asked to retire, but somebody came.
    Kept,
    /// It has ended; everything is in the log.
    Ended,
}

/// One live document.
pub struct DocumentActor {
    id: DocumentId,
    generation: u64,
    shared: Shared,
    hub: Recipient<Report>,
    clock: Clock,
    core: Core,
    parts: BTreeMap<SessionId, Part>,
    joining: HashMap<SessionId, (Part, oneshot::Sender<Result<Joined, Denied>>)>,
    flushing: Vec<oneshot::Sender<()>>,
    /// The Yjs client id of edits that the server makes itself.
    own_client: Option<u64>,
    taps: Taps,
    /// The last update that got into the log since the document was loaded.
    written: Option<Seq>,
    /// Bytes of refused updates on their way to the quarantine.
    quarantine_bytes: usize,
    crowded: watch::Sender<bool>,
    reflections: Arc<Reflections>,
    /// It cannot be served; about to stop.
    failed: Option<Denied>,
    idle_since: Option<Duration>,
    wake: Option<(Duration, SpawnHandle)>,
}

#[derive(Debug)]
struct Part {
    port: Port,
    ended: Arc<AtomicBool>,
    connection: ConnectionId,
    /// Of its login.
    name: Option<Arc<str>>,
}

impl DocumentActor {
    /// A document that starts to read its log as soon as it is started.
    pub fn new(id: DocumentId, generation: u64, shared: Shared, hub: Recipient<Report>) -> Self {
        Self {
            id,
            generation,
            core: Core::new(shared.limits.clone()),
            shared,
            hub,
            clock: Clock::new(),
            parts: BTreeMap::new(),
            joining: HashMap::new(),
            flushing: Vec::new(),
            own_client: None,
            taps: Taps::default(),
            written: None,
            quarantine_bytes: 0,
            crowded: watch::Sender::new(false),
            reflections: Arc::default(),
            failed: None,
            idle_since: None,
            wake: None,
        }
    }

    fn input(&mut self, input: Input, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let handled = catch_unwind(AssertUnwindSafe(|| self.core.handle(input, now)));
        let Ok(effects) = handled else {
            return self.panicked(ctx);
        };
        for effect in effects {
            self.run(effect, ctx);
        }
        let crowded = self.core.is_crowded();
        self.crowded.send_if_modified(|was| std::mem::replace(was, crowded) != crowded);
        self.set_wake(ctx);
    }

    fn run(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Load => self.load(ctx),
            Effect::Append { records, aside } => self.append(records, aside, ctx),
            Effect::Carry { from, records, hints } => self.carry(from, records, hints, ctx),
            Effect::CannotCarry { reason } => {
                error!(document.id = %self.id, reason, "text that lost its place was not carried over");
            }
            Effect::WriteSnapshot { seq, bytes, fingerprint } => {
                self.write_snapshot(seq, bytes, fingerprint, ctx);
            }
            Effect::Quarantine { record, reason } => self.quarantine(record, reason, ctx),
            Effect::KeepBranch { session, record, replaces } => {
                self.keep_branch(session, record, replaces, ctx);
            }
            Effect::Welcome { session } => self.welcome(session),
            Effect::Deny { session, why } => self.deny(session, Denied(why)),
            Effect::Send { session, reply } => {
                if let Some(part) = self.parts.get(&session) {
                    part.port.send(&reply);
                }
            }
            Effect::Publish { reply, except } => self.publish(&reply, &except, ctx),
            Effect::Resume { session } => {
                if let Some(part) = self.parts.get_mut(&session) {
                    part.port.resume();
                }
            }
            Effect::End { session, why } => self.end(session, why),
            Effect::Flushed => self.flushing.drain(..).for_each(|waiter| {
                // Whoever asked may have gone; then nobody needs the answer.
                let _ = waiter.send(());
            }),
            Effect::Retired => {
                self.keep_session();
                self.stop(ctx);
            }
            Effect::Kept => self.report(News::Kept, ctx),
            Effect::Fail { why } => {
                if why != Ending::Deleted {
                    warn!(document.id = %self.id, reason = %why, "document cannot be served");
                }
                self.taps = Taps::default();
                self.failed = Some(Denied(why));
                ctx.run_later(FAILED_STAYS, |actor, ctx| actor.stop(ctx));
            }
        }
    }

    fn load(&self, ctx: &mut Context<Self>) {
        let reading = load::read(self.shared.store.clone(), self.id.clone());
        let started = self.clock.now();
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| match read {
            Ok((found, log)) => {
                if let Some(found) = found {
                    actor.input(Input::Found(Box::new(found)), ctx);
                }
                let restoring = log.restore().into_actor(actor);
                ctx.spawn(restoring.map(move |loaded, actor, ctx| {
                    actor.loaded(loaded, started, ctx);
                }));
            }
            Err(e) => actor.loaded(Err(e), started, ctx),
        }));
    }

    fn loaded(
        &mut self,
        loaded: Result<Loaded, NotLoaded>,
        started: Duration,
        ctx: &mut Context<Self>,
    ) {
        let elapsed = self.clock.now() - started;
        self.shared.metrics.load_seconds.observe(elapsed.as_secs_f64());
        let input = match loaded {
            Ok(loaded) => {
                debug!(
                    document.id = %self.id, log.last = loaded.last.0, log.tail = loaded.rows,
                    elapsed_ms = elapsed.as_secs_f64() * 1e3, "document loaded"
                );
                Input::Loaded(Box::new(loaded))
            }
            Err(NotLoaded::Deleted) => Input::Deleted,
            Err(NotLoaded::Because { reason, lasting }) => {
                error!(document.id = %self.id, reason, "document could not be loaded");
                Input::LoadFailed { reason, lasting }
            }
        };
        self.input(input, ctx);
    }

    fn append(&mut self, records: Vec<Record>, aside: Option<Aside>, ctx: &mut Context<Self>) {
        self.taps.appending(&records);
        let at_ms = clock::unix_ms();
        let records = records.into_iter().map(|record| stamped(record, at_ms)).collect();
        let (store, id) = (self.shared.store.clone(), self.id.clone());
        let append = async move {
            let Some(aside) = aside else { return store.append(id, records).await };
            let aside = stored(aside).map_err(|why| AppendError::Failed { why })?;
            store.append_with_aside(id, records, aside).await
        };
        ctx.spawn(append.into_actor(self).map(|committed, actor, ctx| match committed {
            Ok(commit) => actor.committed(commit, ctx),
            Err(e) => actor.commit_failed(&e, ctx),
        }));
    }

    fn committed(&mut self, commit: Commit, ctx: &mut Context<Self>) {
        let Commit { last, durable } = commit;
        self.taps.committed(last);
        self.written = Some(last);
        self.input(Input::Committed { last, durable: durable.is_none() }, ctx);
        let Some(durable) = durable else { return };
        ctx.spawn(durable.into_actor(self).map(|durable, actor, ctx| {
            let reason = "the disk did not keep what was written to it".to_owned();
            let input = match durable {
                Ok(()) => Input::Durable,
                Err(_) => Input::LoadFailed { reason, lasting: true },
            };
            actor.input(input, ctx);
        }));
    }

    fn commit_failed(&mut self, e: &AppendError, ctx: &mut Context<Self>) {
        if matches!(e, AppendError::Deleted) {
            return self.input(Input::Deleted, ctx);
        }
        warn!(document.id = %self.id, reason = %e, "updates could not be stored; trying again");
        self.input(Input::CommitFailed { reason: e.to_string() }, ctx);
    }

    fn carry(
        &mut self,
        from: Seq,
        records: Vec<Record>,
        hints: Vec<Hint>,
        ctx: &mut Context<Self>,
    ) {
        let (archive, id) = (self.shared.archive.clone(), self.id.clone());
        // As Yjs draws them.
        let own = self.own_client.map_or_else(|| getrandom::u32().map(u64::from), Ok);
        self.own_client = own.as_ref().ok().copied();
        let at_ms = clock::unix_ms();
        let rows = records.iter().map(|record| stamped(record.clone(), at_ms)).collect();
        let fresh = records.len();
        let planning = async move {
            let own = own.map_err(|e| e.to_string())?;
            let plan = archive.ahead(&id, rows, move |past| past.carry(from, fresh, &hints, own));
            let plan = tokio::time::timeout(PLAN_PATIENCE, plan).await;
            plan.map_err(|_| "it takes too long".to_owned())?.map_err(|e| e.to_string())
        };
        ctx.spawn(planning.into_actor(self).map(move |planned, actor, ctx| {
            actor.planned(&planned, from);
            let plan = planned.ok().map(Box::new);
            actor.input(Input::Planned { from, records, plan }, ctx);
        }));
    }

    fn planned(&self, planned: &Result<Carry, String>, from: Seq) {
        match planned {
            Ok(plan) => {
                self.shared.metrics.carried.inc_by(plan.carried.len() as u64);
                self.shared.metrics.rescued.inc_by(plan.kept.len() as u64);
                debug!(
                    document.id = %self.id, from = from.0, carried = plan.carried.len(),
                    rescued = plan.kept.len(), "looked for text that lost its place"
                );
            }
            Err(reason) => warn!(
                document.id = %self.id, from = from.0, reason,
                "text that lost its place could not be looked for; that is tried again when the \
                 document is opened the next time"
            ),
        }
    }

    fn write_snapshot(
        &self,
        seq: Seq,
        bytes: Bytes,
        fingerprint: Fingerprint,
        ctx: &mut Context<Self>,
    ) {
        let (store, id) = (self.shared.store.clone(), self.id.clone());
        let len = bytes.len();
        let write = async move {
            let verified = bytes.clone();
            let matches = tokio::task::spawn_blocking(move || fingerprint.matches(&verified));
            if !matches.await.unwrap_or(false) {
                return Err("it does not restore to the document".to_owned());
            }
            let written = store.write_snapshot(id, seq, bytes, clock::unix_ms()).await;
            written.map_err(|e| e.to_string())
        };
        ctx.spawn(write.into_actor(self).map(move |written, actor, ctx| {
            match &written {
                Ok(()) => {
                    actor.shared.packing.suggest(&actor.id);
                    actor.shared.metrics.snapshots.inc();
                    debug!(document.id = %actor.id, seq = seq.0, bytes = len, "snapshot written");
                }
                Err(reason) => {
                    warn!(document.id = %actor.id, seq = seq.0, reason, "snapshot not written");
                }
            }
            actor.input(Input::SnapshotEnded { written: written.is_ok() }, ctx);
        }));
    }

    fn quarantine(&mut self, record: Record, reason: String, ctx: &mut Context<Self>) {
        self.shared.metrics.quarantined.inc();
        let connection = record.connection;
        let bytes = record.bytes.len();
        warn!(
            document.id = %self.id, connection.id = connection.0, update.bytes = bytes, reason,
            "update refused and put into quarantine"
        );
        if self.quarantine_bytes > 0 && self.quarantine_bytes + bytes > QUARANTINE_BYTES_MAX {
            warn!(document.id = %self.id, "refused updates come too fast; this one is not kept");
            return;
        }
        self.quarantine_bytes += bytes;
        let (store, id) = (self.shared.store.clone(), self.id.clone());
        let record = stamped(record, clock::unix_ms());
        let keep = async move { store.quarantine(id, record, reason).await };
        ctx.spawn(keep.into_actor(self).map(move |kept, actor, _| {
            actor.quarantine_bytes -= bytes;
            if let Err(e) = kept {
                warn!(document.id = %actor.id, reason = %e, "refused update could not be kept");
            }
        }));
    }

    fn keep_branch(
        &self,
        session: SessionId,
        record: Record,
        replaces: Option<String>,
        ctx: &mut Context<Self>,
    ) {
        let (store, document) = (self.shared.store.clone(), self.id.clone());
        let (connection, bytes) = (record.connection, record.bytes.len());
        let record = stamped(record, clock::unix_ms());
        let keep = async move {
            let id = replaces.map_or_else(access::new_id, Ok).map_err(|e| e.to_string())?;
            store.keep_branch(document, id, record).await.map_err(|e| e.to_string())
        };
        ctx.spawn(keep.into_actor(self).map(move |kept, actor, ctx| {
            let id = &actor.id;
            match &kept {
                Ok(branch) => info!(
                    document.id = %id, connection.id = connection.0, branch.id = branch,
                    branch.bytes = bytes, "a copy of an earlier document came and was kept"
                ),
                Err(reason) => warn!(
                    document.id = %id, connection.id = connection.0, reason,
                    "a copy of an earlier document came and could not be kept"
                ),
            }
            actor.input(Input::BranchKept { session, branch: kept.ok() }, ctx);
        }));
    }

    fn welcome(&mut self, session: SessionId) {
        let Some((part, answer)) = self.joining.remove(&session) else { return };
        self.taps.note(part.connection, tap::What::Joined(part.name.clone()));
        self.parts.insert(session, part);
        // A caller that has gone is told apart by its `Left`.
        let (crowded, reflections) = (self.crowded.subscribe(), self.reflections.clone());
        let _ = answer.send(Ok(Joined { crowded, reflections }));
    }

    fn deny(&mut self, session: SessionId, denied: Denied) {
        if let Some((_, answer)) = self.joining.remove(&session) {
            // As above.
            let _ = answer.send(Err(denied));
        }
    }

    fn publish(&mut self, reply: &Reply, except: &[SessionId], ctx: &mut Context<Self>) {
        if let Reply::Awareness { body } = reply {
            if self.parts.len() >= REFLECTED_BY_MIN {
                self.reflections.remember(body);
            } else {
                self.reflections.forget();
            }
        }
        let hearing = self.parts.iter_mut().filter(|(id, _)| !except.contains(id));
        let stalled = fanout::publish(hearing.map(|(_, part)| &mut part.port), reply);
        self.shared.metrics.published.inc();
        for session in stalled {
            self.shared.metrics.stalls.inc();
            self.input(Input::Stalled { session }, ctx);
            if let Some(part) = self.parts.get(&session) {
                part.port.notify_when_drained(ctx.address().recipient());
            }
        }
    }

    fn end(&mut self, session: SessionId, why: Ending) {
        let code = match why {
            Ending::Refused(_) => REFUSED,
            Ending::Unavailable(_) => TRY_AGAIN_LATER,
            Ending::Deleted => DELETED,
            Ending::Retired { .. } => RETIRED,
        };
        if let Some(part) = self.parts.remove(&session) {
            self.taps.note(part.connection, tap::What::Left);
            match why {
                Ending::Deleted => {
                    part.port.send(&Reply::Denied { reason: why.to_string().into() });
                }
                Ending::Retired { .. } => part.port.deny(LINEAGE_RETIRED, &why.to_string()),
                Ending::Refused(_) | Ending::Unavailable(_) => {}
            }
            part.end(code, &why.to_string());
        }
    }

    fn panicked(&mut self, ctx: &mut Context<Self>) {
        error!(document.id = %self.id, "document failed; it will be read again from the log");
        self.shared.metrics.panics.inc();
        let reason = "the document had to be reopened; what was saved is safe";
        for (_, part) in std::mem::take(&mut self.parts) {
            part.end(TRY_AGAIN_LATER, reason);
        }
        for (_, (_, answer)) in self.joining.drain() {
            // As above.
            let _ = answer.send(Err(Denied(Ending::Unavailable(reason.to_owned()))));
        }
        self.stop(ctx);
    }

    /// Everybody has gone: what they have made of the document becomes a version.
    fn keep_session(&self) {
        let (Some(seq), Ok(id)) = (self.written, access::new_id()) else { return };
        let (store, document) = (self.shared.store.clone(), self.id.clone());
        let (at_ms, kind) = (clock::unix_ms(), VersionKind::Session);
        let version = Version { id, seq, at_ms, name: String::new(), kind, created_by: None };
        let max = self.shared.versions_max;
        actix::spawn(async move {
            if let Err(e) = store.insert_version(document.clone(), version, max).await {
                debug!(document.id = %document, reason = %e, "no version of this session");
            }
        });
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.report(News::Ended, ctx);
        ctx.stop();
    }

    fn report(&mut self, news: News, ctx: &mut Context<Self>) {
        let report = Report { document: self.id.clone(), generation: self.generation, news };
        match (self.hub.try_send(report), news) {
            (Ok(()), _) | (Err(SendError::Closed(_)), _) => {}
            // The hub notices by itself that an actor has ended.
            (Err(SendError::Full(_)), News::Ended) => {}
            (Err(SendError::Full(_)), News::Idle) => self.idle_since = Some(self.clock.now()),
            (Err(SendError::Full(report)), News::Kept) => {
                ctx.run_later(REPORT_AGAIN_AFTER, move |actor, ctx| actor.report(report.news, ctx));
            }
        }
    }

    /// Arms the timer for the next thing that time alone brings.
    fn set_wake(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if self.core.is_idle() && self.joining.is_empty() && self.taps.is_empty() {
            self.idle_since.get_or_insert(now);
        } else {
            self.idle_since = None;
        }
        let retire_at = self.idle_since.map(|since| since + self.shared.idle_timeout);
        let Some(at) = [self.core.next_wake(), retire_at].into_iter().flatten().min() else {
            return;
        };
        match self.wake {
            Some((armed, _)) if armed <= at => return,
            Some((_, handle)) => ctx.cancel_future(handle),
            None => false,
        };
        let handle = ctx.run_later(at.saturating_sub(now), |actor, ctx| {
            actor.wake = None;
            actor.woken(ctx);
        });
        self.wake = Some((at, handle));
    }

    fn woken(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if self.idle_since.is_some_and(|since| since + self.shared.idle_timeout <= now) {
            // Asked once; if somebody comes, the clock starts anew.
            self.idle_since = Some(now);
            self.report(News::Idle, ctx);
        }
        self.input(Input::Tick, ctx);
    }
}

impl Part {
    /// Tells the client that its part is over.
    fn end(self, code: u16, reason: &str) {
        self.ended.store(true, Ordering::Release);
        self.port.end(code, reason);
    }
}

impl Actor for DocumentActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.shared.mailbox_len);
        self.shared.metrics.documents_loaded.inc();
        self.input(Input::Tick, ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // Nothing is written here: after a panic the state cannot be trusted.
        self.shared.metrics.documents_loaded.dec();
        debug!(document.id = %self.id, "document unloaded");
    }
}

impl Handler<Join> for DocumentActor {
    type Result = ResponseFuture<Result<Joined, Denied>>;

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) -> Self::Result {
        if let Some(denied) = &self.failed {
            return Box::pin(std::future::ready(Err(denied.clone())));
        }
        let Join { about, port, ended } = join;
        let session = port.session;
        let (answer, answered) = oneshot::channel();
        let name = about.user.as_ref().and_then(|user| user.name.clone());
        let part = Part { port, ended, connection: about.connection, name };
        self.joining.insert(session, (part, answer));
        self.input(Input::Joined { session, about }, ctx);
        Box::pin(async move {
            let reason = "the document could not be opened; please try again".to_owned();
            let gone = |_| Err(Denied(Ending::Unavailable(reason)));
            answered.await.unwrap_or_else(gone)
        })
    }
}

impl Handler<Tell> for DocumentActor {
    type Result = ();

    fn handle(&mut self, Tell(input): Tell, ctx: &mut Self::Context) {
        if self.failed.is_some() {
            // Told again that it was deleted, or that it was undeleted: the next one asks the log.
            if matches!(input, Input::Deleted) {
                self.stop(ctx);
            }
            return;
        }
        match &input {
            Input::Left { session } => {
                self.joining.remove(session);
                if let Some(part) = self.parts.remove(session) {
                    self.taps.note(part.connection, tap::What::Left);
                    part.port.forget();
                }
            }
            Input::Awareness { session, entries } if !self.taps.is_empty() => {
                if let Some(part) = self.parts.get(session) {
                    self.taps.note(part.connection, tap::What::Awareness(entries.clone()));
                }
            }
            _ => {}
        }
        self.input(input, ctx);
    }
}

impl Handler<Listen> for DocumentActor {
    type Result = bool;

    fn handle(&mut self, Listen(listener): Listen, _: &mut Self::Context) -> Self::Result {
        let here = self.parts.values().map(|part| (part.connection, part.name.clone()));
        self.taps.add(listener, here)
    }
}

impl Handler<Drained> for DocumentActor {
    type Result = ();

    fn handle(&mut self, Drained { session }: Drained, ctx: &mut Self::Context) {
        self.input(Input::Drained { session }, ctx);
    }
}

impl Handler<Flush> for DocumentActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) -> Self::Result {
        let (done, flushed) = oneshot::channel();
        self.flushing.push(done);
        self.input(Input::Flush, ctx);
        Box::pin(async move {
            // An actor that ended before it could answer has nothing left to flush.
            let _ = flushed.await;
        })
    }
}

impl Handler<Retire> for DocumentActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        if self.joining.is_empty() && self.taps.is_empty() {
            self.input(Input::Retire, ctx);
        } else {
            self.report(News::Kept, ctx);
        }
    }
}

fn stored(aside: Aside) -> Result<store::Aside, String> {
    let Aside { examine_from, rescued, unkept } = aside;
    let rescued: Result<Vec<Rescued>, String> = rescued.into_iter().map(rescued_text).collect();
    Ok(store::Aside { examine_from, rescued: rescued?, unkept })
}

fn rescued_text(kept: Kept) -> Result<Rescued, String> {
    let Kept { client, clock, at_ms, author, text, why } = kept;
    let (author, connection) = match author {
        Author::User(subject) => (Some(subject), ConnectionId(0)),
        Author::Connection(connection) => (None, connection),
    };
    let id = access::new_id().map_err(|e| e.to_string())?;
    let reason = why.to_string();
    Ok(Rescued { id, at_ms, author, connection, client, clock, text, reason })
}

fn stamped(record: Record, at_ms: i64) -> LogRecord {
    let Record { connection, author, bytes } = record;
    LogRecord { at_ms, author, connection, bytes }
}
