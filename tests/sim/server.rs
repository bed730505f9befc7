//! The shell around the core, as `document/actor` has it: effects become work for a model store
//! and frames in model outboxes. Every promise that an effect could break is checked here.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use coscribe::crdt::Hint;
use coscribe::document::core::Core;
use coscribe::document::input::{Aside, Effect, Ending, Input, Record};
use coscribe::id::{Seq, SessionId};
use coscribe::wire::{Dialect, Reply};

use crate::ledger::linted;
use crate::link::{Down, Part, Who};
use crate::world::Sim;

/// Longer than the longest wait of a core.
const PATIENCE: Duration = Duration::from_secs(120);

/// From here on client ids are those of the server's own edits, one for each start.
pub const OWN_CLIENTS: u64 = 1 << 40;

/// One start of the document.
pub struct Server {
    /// The machine under test.
    pub core: Core,
    /// Counts the starts.
    pub start: u64,
    /// The log is being read.
    pub is_loading: bool,
    /// It has been told what was found in it.
    pub was_found: bool,
    /// A snapshot is being written.
    pub snapshot: Option<(usize, Bytes)>,
    /// Text that may have lost its place is looked for.
    pub planning: Option<(Seq, Vec<Record>, Vec<Hint>)>,
    /// What copies of earlier lives brought and is being kept.
    pub keeping: VecDeque<(SessionId, Option<String>)>,
    /// Appends that were answered and are not on disk.
    pub undurable: VecDeque<Seq>,
    /// The store has failed since it last did something.
    pub is_failing: bool,
    /// Somebody waits for everything to be in the log.
    pub is_flushing: bool,
    /// The hub waits for an answer.
    pub is_retiring: bool,
    /// What honest clients were refused.
    blamed: Vec<String>,
    /// It has said its last word.
    is_over: bool,
    /// That was that it cannot be served.
    has_failed: bool,
    /// It has heard that it is deleted.
    pub is_deleted: bool,
    /// Effects that lead to further inputs.
    depth: u32,
}

impl Server {
    fn new(core: Core, start: u64) -> Self {
        Self {
            core,
            start,
            is_loading: false,
            was_found: false,
            snapshot: None,
            planning: None,
            keeping: VecDeque::new(),
            undurable: VecDeque::new(),
            is_failing: false,
            is_flushing: false,
            is_retiring: false,
            blamed: vec![],
            is_over: false,
            has_failed: false,
            is_deleted: false,
            depth: 0,
        }
    }
}

impl Sim {
    /// Starts the document if it is not live.
    pub fn start_server(&mut self) -> u64 {
        if self.server.is_none() {
            self.starts += 1;
            let core = Core::new(self.plan.limits.clone());
            self.server = Some(Server::new(core, self.starts));
            self.input(Input::Tick);
        }
        self.starts
    }

    /// Hands an input of a session to the document that it joined.
    pub fn input_from(&mut self, session: SessionId, input: Input) {
        let Some(link) = self.links.get(&session) else { return };
        if self.server.as_ref().is_some_and(|server| server.start == link.start) {
            self.input(input);
        }
    }

    /// Hands an input to the core, does what it asks for and checks what it has become.
    pub fn input(&mut self, input: Input) {
        let Some(server) = &mut self.server else { return };
        self.trace.note(|| format!("  > {input:?}"));
        server.depth += 1;
        let effects = server.core.handle(input, self.now);
        for effect in effects {
            self.trace.note(|| format!("    {effect:?}"));
            self.run(effect);
        }
        let Some(server) = &mut self.server else { return };
        server.depth -= 1;
        if server.depth > 0 {
            return;
        }
        assert!(server.blamed.is_empty() || self.is_disordered, "{:?}", server.blamed);
        if server.is_over {
            self.check_over();
            self.drop_server();
        } else {
            self.check_replica();
        }
    }

    /// The shell of a document that failed stays for a while: whatever still comes, the core does
    /// nothing.
    fn check_over(&mut self) {
        let Some(server) = self.server.as_mut().filter(|server| server.has_failed) else { return };
        let loaded = self.ledger.load(0).expect("a log that can be read");
        let last = self.ledger.last();
        let late = [
            Input::Loaded(Box::new(loaded)),
            Input::Committed { last, durable: false },
            Input::CommitFailed { reason: "the disk is full".into() },
            Input::Durable,
            Input::SnapshotEnded { written: true },
            Input::BranchKept { session: SessionId(1), branch: None },
            Input::Planned { from: last, records: Vec::new(), plan: None },
            Input::Retire,
            Input::Tick,
        ];
        for input in late {
            let done = server.core.handle(input, self.now + PATIENCE);
            assert!(done.is_empty(), "it is over and does {done:?}");
        }
        let flushed = server.core.handle(Input::Flush, self.now);
        assert!(matches!(flushed[..], [Effect::Flushed]), "it is over and a flush waits for ever");
        assert_eq!(server.core.next_wake(), None, "it is over and wants to be woken");
        assert!(!server.core.is_idle() && !server.core.is_crowded());
    }

    /// The document's memory is gone; an append in flight gets written or not.
    pub fn drop_server(&mut self) {
        self.server = None;
        if self.ledger.append().is_none() {
            self.ledger.look_back();
        } else if self.rng.bool() {
            self.commit();
        } else {
            self.ledger.abort();
        }
    }

    /// The append in flight gets into the log.
    pub fn commit(&mut self) -> Seq {
        let last = self.ledger.commit();
        if !self.plan.process_durability {
            self.ledger.sync(last);
        }
        last
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("a document that has effects")
    }

    fn run(&mut self, effect: Effect) {
        assert!(!self.server().has_failed, "it goes on after its last word");
        match effect {
            Effect::Load => {
                assert!(!self.server().is_loading, "the log is read twice at the same time");
                assert!(self.ledger.append().is_none(), "the log is read while it is written");
                self.server().is_loading = true;
            }
            Effect::Append { records, aside } => self.append(records, aside),
            Effect::Carry { from, records, hints } => {
                assert!(self.server().planning.is_none(), "two plans at once");
                assert!(self.ledger.append().is_none(), "a plan while the log is written");
                self.check_writers(&records);
                self.ledger.look_ahead(&records);
                self.server().planning = Some((from, records, hints));
            }
            Effect::CannotCarry { reason } => panic!("{reason}"),
            Effect::WriteSnapshot { seq, bytes, fingerprint } => {
                assert!(self.server().snapshot.is_none(), "two snapshots at once");
                assert!(fingerprint.matches(&bytes), "a snapshot restores to something else");
                assert_eq!(fingerprint, self.ledger.committed().fingerprint());
                let seq = usize::try_from(seq.0).expect("a small number");
                assert_eq!(seq, self.ledger.rows().len(), "a snapshot with a wrong seq");
                self.server().snapshot = Some((seq, bytes));
            }
            Effect::Quarantine { record, reason } => {
                let who = self.connections[&record.connection].who;
                self.blame(who, || format!("an honest update was put aside: {reason}"));
            }
            Effect::KeepBranch { session, record, replaces } => {
                self.keep_branch(session, &record, replaces);
            }
            Effect::Welcome { session } => {
                let link = self.links.get_mut(&session).expect("a known session is welcomed");
                assert_eq!(link.part, Part::Joining, "{session:?} is welcomed twice");
                link.part = Part::Here;
            }
            Effect::Deny { session, why } => {
                assert_eq!(why == Ending::Deleted, self.server().is_deleted, "{why:?}");
                let link = self.links.get_mut(&session).expect("a known session is denied");
                assert_eq!(link.part, Part::Joining, "{session:?} is denied too late");
                link.part = Part::Over;
                link.down.push_back(Down::Close);
            }
            Effect::Send { session, reply } => self.send(session, &reply),
            Effect::Publish { reply, except } => self.publish(&reply, &except),
            Effect::Resume { session } => {
                let link = self.links.get_mut(&session).expect("a known session goes on");
                assert!(link.is_stalled && link.part == Part::Here, "{session:?} was not stalled");
                link.is_stalled = false;
            }
            Effect::End { session, why } => self.end(session, &why),
            Effect::Flushed => self.flushed(),
            Effect::Retired => {
                assert!(self.server().is_retiring, "it ends without being asked");
                let somebody = self.here().any(|part| part != Part::Over);
                assert!(!somebody, "it ends while somebody is here");
                assert!(self.ledger.append().is_none() && self.ledger.is_all_durable());
                self.server().is_over = true;
            }
            Effect::Kept => {
                assert!(self.server().is_retiring, "it stays without being asked to end");
                self.server().is_retiring = false;
            }
            Effect::Fail { .. } => {
                let somebody = self.here().any(|part| part != Part::Over);
                assert!(!somebody, "it fails and has not told everybody");
                self.server().is_over = true;
                self.server().has_failed = true;
            }
        }
    }

    /// What became of those who came to the document that was started last.
    pub fn here(&self) -> impl Iterator<Item = Part> {
        let start = self.starts;
        self.links.values().filter(move |link| link.start == start).map(|link| link.part)
    }

    fn check_writers(&self, records: &[Record]) {
        for record in records {
            let may_write = self.connections[&record.connection].may_write;
            assert!(may_write, "a reader's update goes to the log");
        }
    }

    fn append(&mut self, records: Vec<Record>, aside: Option<Aside>) {
        assert!(!self.server().is_loading, "an append before the log has been read");
        // What was looked through first was a writer's then.
        if aside.is_none() {
            self.check_writers(&records);
        }
        self.ledger.begin(records, aside);
        self.look_for_forgeries();
    }

    fn send(&mut self, session: SessionId, reply: &Reply) {
        self.check_shown(reply);
        self.check_life(session, reply);
        let link = self.links.get_mut(&session).expect("something is sent to a known session");
        assert_eq!(link.part, Part::Here, "something is sent to {session:?}, which is not here");
        match reply {
            Reply::Checkpoint { payload } => {
                if let Who::Client(index) = link.who {
                    let counter = self.clients[index].counter.as_ref();
                    counter.expect("a count").check(payload, self.ledger.durable());
                }
            }
            Reply::Saved if link.who != Who::Hostile => link.hears_saved(self.ledger.durable()),
            Reply::NotSaved { .. } => link.was_turned_down = true,
            Reply::SyncStep1 { .. } => link.questions += 1,
            _ => {}
        }
        link.push(reply, None);
        self.check_echo(session, reply);
    }

    fn publish(&mut self, reply: &Reply, except: &[SessionId]) {
        self.check_shown(reply);
        let bytes_max = Some(self.plan.outbox_bytes_max);
        let mut stalled = Vec::new();
        let mut heard = Vec::new();
        for (session, link) in &mut self.links {
            let hears = link.part == Part::Here && !link.is_stalled && !except.contains(session);
            if !hears {
                continue;
            }
            if link.push(reply, bytes_max) {
                heard.push(*session);
            } else {
                link.is_stalled = true;
                stalled.push(*session);
            }
        }
        for session in heard {
            self.check_life(session, reply);
            self.check_echo(session, reply);
        }
        for session in stalled {
            self.input(Input::Stalled { session });
            if let Some(link) = self.links.get_mut(&session) {
                link.is_awaited = link.part == Part::Here;
            }
        }
    }

    fn end(&mut self, session: SessionId, why: &Ending) {
        assert_eq!(*why == Ending::Deleted, self.server().is_deleted, "{why:?}");
        let link = self.links.get_mut(&session).expect("a known session is ended");
        assert_eq!(link.part, Part::Here, "{session:?} is ended and was not here");
        let who = link.who;
        link.part = Part::Over;
        link.is_awaited = false;
        link.has_drained = false;
        link.down.push_back(Down::Close);
        if let Ending::Retired { .. } = why {
            assert!(link.is_of_earlier_life, "{session:?} has nothing of an earlier life");
            link.down.pop_back();
            link.down.push_back(Down::Retired);
        }
        if let Ending::Refused(reason) = why {
            self.blame(who, || format!("an honest session was ended: {reason}"));
        }
    }

    /// Somebody was refused, which must not happen to the honest. Looked at when all effects are
    /// known: what was forged in the same batch would explain it.
    fn blame(&mut self, who: Who, what: impl FnOnce() -> String) {
        if who != Who::Hostile {
            self.server().blamed.push(what());
        }
    }

    fn flushed(&mut self) {
        assert!(std::mem::take(&mut self.server().is_flushing), "nobody waits for a flush");
        if self.server().is_failing {
            return;
        }
        assert!(self.ledger.append().is_none(), "flushed while something is on its way");
        let durable = self.ledger.durable();
        for (session, link) in self.links.iter().filter(|(_, link)| link.is_here(self.starts)) {
            let is_behind = link.was_turned_down || link.questions > 0 || link.is_of_earlier_life;
            let counts = self.may_write(*session) && link.who != Who::Hostile && !is_behind;
            let unsettled = link.unsettled(durable).filter(|_| counts);
            assert_eq!(unsettled, None, "flushed without a change of client {}", link.kind.id);
        }
    }

    /// Nobody is shown what the death of the process would take back (P2).
    fn check_shown(&self, reply: &Reply) {
        if let Reply::Update { update } | Reply::SyncStep2 { update } = reply {
            let summary = linted(update).summary;
            assert!(!summary.has_skip, "an update with gaps is shown");
            assert!(
                self.ledger.committed().contains(&summary),
                "something is shown that is not in the log"
            );
        }
    }

    /// Where what a client wrote on this connection comes back to it, it is on disk (P1).
    fn check_echo(&self, session: SessionId, reply: &Reply) {
        let (Reply::Update { update } | Reply::SyncStep2 { update }) = reply else { return };
        let Who::Client(index) = self.links[&session].who else { return };
        let (client, durable) = (&self.clients[index], self.ledger.durable());
        let echoes = client.kind.dialect == Dialect::YWebsocket && !self.is_disordered;
        if client.session == Some(session) && echoes {
            let echoed = client.echoed_by(&linted(update).summary);
            let id = client.kind.id;
            assert!(
                echoed.is_none_or(|end| end <= durable.clock(id)),
                "client {id} sees its own change come back before it is on disk"
            );
        }
    }

    /// The replica holds the log plus the batch in flight, nothing else.
    fn check_replica(&mut self) {
        let Some(replica) = self.server.as_ref().and_then(|server| server.core.replica()) else {
            return;
        };
        let ahead = self.ledger.ahead();
        assert_eq!(replica.state_vector(), ahead.state_vector(), "the replica is not the log");
        if std::mem::take(&mut self.is_unchecked) {
            assert_eq!(replica.fingerprint(), ahead.fingerprint(), "the replica is not the log");
        }
    }
}
