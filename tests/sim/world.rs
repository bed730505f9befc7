//! One run: clients, connections, the document and its log, all driven by one seed.
//!
//! Nothing here depends on real time, threads or the order of a hash map; the same seed is the
//! same run. Simulated time moves a little with every step and otherwise only to the next thing
//! that is due.

use std::collections::BTreeMap;
use std::time::Duration;

use coscribe::document::input::{About, Input};
use coscribe::id::{ConnectionId, SessionId};
use coscribe::wire::{Dialect, Message};
use fastrand::Rng;

use crate::client::{Client, Kind};
use crate::hostile::Hostile;
use crate::ledger::{Ledger, linted};
use crate::link::{ClientEnd, Link, Who};
use crate::plan::{Family, Plan};
use crate::server::Server;
use crate::trace::Trace;

/// The client id of the first stock client.
const FIRST_CLIENT: u64 = 11;

/// One run.
pub struct Sim {
    /// Everything random.
    pub rng: Rng,
    /// The character of the run.
    pub plan: Plan,
    /// What happened, for people.
    pub trace: Trace,
    /// Simulated time.
    pub now: Duration,
    /// Stock clients.
    pub clients: Vec<Client>,
    /// The one who means harm.
    pub hostile: Hostile,
    /// Connections that the server does not know to be gone.
    pub links: BTreeMap<SessionId, Link>,
    /// Every connection that is or was.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// The document, while it is live.
    pub server: Option<Server>,
    /// The log.
    pub ledger: Ledger,
    /// How often the document was started.
    pub starts: u64,
    /// The store fails always.
    pub is_outage: bool,
    /// The document is deleted, and this was its last start before that.
    pub deleted_at: Option<u64>,
    /// A power cut has taken rows that others may have seen.
    pub has_lost_rows: bool,
    /// Something forged is in the log. That is the price of carrying honest offline edits; what
    /// replicas make of two texts under the same ids depends on the order in which they hear of
    /// them, so there is nothing more to be learned from this run.
    pub is_disordered: bool,
    /// The replica has changed since it was last compared in full.
    pub is_unchecked: bool,
    /// Client ids that were given to clients that started anew.
    pub renamed: u64,
    sessions: u64,
}

/// What the log may know of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Whose it is or was.
    pub who: Who,
    /// What the server was told last about its rights.
    pub may_write: bool,
}

impl Sim {
    /// A world with an empty document and nobody in it.
    ///
    /// The document gathers updates for `gather_us` microseconds for each session.
    pub fn new(family: Family, seed: u64, gather_us: u64, trace: Trace) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut plan = Plan::draw(&mut rng, family);
        plan.limits.flush_interval_per_session = Duration::from_micros(gather_us);
        let clients =
            (0..plan.clients).map(|index| Client::new(draw_kind(&mut rng, family, index)));
        let clients: Vec<Client> = clients.collect();
        let hostile = Hostile::new(&mut rng, family);
        let mut sim = Self {
            rng,
            plan,
            trace,
            now: Duration::ZERO,
            clients,
            hostile,
            links: BTreeMap::new(),
            connections: BTreeMap::new(),
            server: None,
            ledger: Ledger::new(),
            starts: 0,
            is_outage: false,
            deleted_at: None,
            has_lost_rows: false,
            is_disordered: false,
            is_unchecked: false,
            renamed: 0,
            sessions: 0,
        };
        sim.trace.note(|| format!("{:#?}", sim.plan));
        for client in &sim.clients {
            sim.trace.note(|| format!("{:?}", client.kind));
        }
        sim
    }

    /// Moves time to the core's next wake-up if that is within `span`.
    pub fn wake_within(&mut self, span: Duration) -> bool {
        let wake = self.server.as_ref().and_then(|server| server.core.next_wake());
        let Some(at) = wake.filter(|at| *at <= self.now + span) else { return false };
        self.now = self.now.max(at);
        self.trace.note(|| format!("{:?} the core wakes up", self.now));
        self.input(Input::Tick);
        true
    }

    /// Connects somebody.
    pub fn connect(&mut self, who: Who, kind: Kind) -> SessionId {
        let start = self.start_server();
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let mut link = Link::new(who, kind, start);
        link.is_slow = self.rng.u8(..100) < self.plan.slow_readers;
        let may_write = match who {
            Who::Client(index) => self.clients[index].may_write,
            Who::Hostile => self.hostile.kind.may_write,
        };
        let about = About {
            connection: ConnectionId(session.0),
            user: None,
            may_write,
            greeting: link.kind.greeting(),
            strict: link.kind.strict,
        };
        self.connections.insert(about.connection, Connection { who, may_write });
        self.links.insert(session, link);
        self.input(Input::Joined { session, about });
        session
    }

    /// Queues messages of a client.
    pub fn say(&mut self, session: SessionId, messages: impl IntoIterator<Item = Message>) {
        if let Some(link) = self.links.get_mut(&session) {
            link.up.extend(messages);
        }
    }

    /// The client's end of a connection is gone, with everything on it.
    pub fn lose(&mut self, session: SessionId) {
        let Some(link) = self.links.get_mut(&session) else { return };
        link.client_end = ClientEnd::Gone;
        link.up.clear();
        match link.who {
            Who::Client(index) if self.clients[index].session == Some(session) => {
                self.clients[index].disconnect();
            }
            Who::Hostile if self.hostile.session == Some(session) => self.hostile.session = None,
            _ => {}
        }
    }

    /// The process dies; in a power cut with what was not on disk.
    pub fn crash(&mut self, is_power_cut: bool) {
        self.drop_server();
        for session in self.links.keys().copied().collect::<Vec<_>>() {
            self.lose(session);
        }
        self.links.clear();
        if is_power_cut && !self.ledger.is_all_durable() {
            let kept = self.rng.usize(..self.ledger.rows().len());
            self.ledger.cut_power(kept);
            self.has_lost_rows = true;
            // What only readers have seen comes from nobody again.
            let readers = self.clients.iter_mut().filter(|client| !client.kind.may_write);
            readers.for_each(Client::forget_document);
        }
        // A store brings what it finds to the disk before it serves it.
        let last = self.ledger.last();
        self.ledger.sync(last);
    }

    /// Notices when what nobody honest wrote is on its way to the log: bytes that no editor makes,
    /// or text under the id of a client that may have written something else there. The id of
    /// somebody who is here and answers must not be taken.
    pub fn look_for_forgeries(&mut self) {
        let rows = self.ledger.append().unwrap_or_default();
        let is_damaged = rows.iter().any(|row| self.hostile.damaged.contains(row));
        let forged = rows.iter().filter(|row| self.hostile.forged.contains(*row));
        let inserts = forged.flat_map(|row| linted(row).summary.inserts);
        let clock = |client| self.ledger.committed().clock(client);
        let taken = inserts.filter(|insert| insert.end > clock(insert.client));
        let victims = taken.filter_map(|insert| {
            self.clients.iter().position(|client| client.kind.id == insert.client)
        });
        let victims: Vec<usize> = victims.collect();
        for victim in &victims {
            let who = Who::Client(*victim);
            let links: Vec<&Link> = self.links.values().filter(|link| link.who == who).collect();
            let client = &self.clients[*victim];
            let is_in_doubt = self.hostile.slandered.contains(&client.kind.id);
            let answers = matches!(links[..], [link] if link.answers(self.starts));
            // Who may not write owns no client id, and has nothing to lose.
            let is_robbed = answers && !is_in_doubt && client.may_write;
            assert!(!is_robbed, "client {victim} is here and somebody else writes as it");
        }
        self.is_disordered |= is_damaged || !victims.is_empty();
    }
}

/// How somebody speaks.
pub fn draw_dialect(rng: &mut Rng, family: Family) -> Dialect {
    if family != Family::Steady && rng.bool() {
        return Dialect::YSweet;
    }
    match rng.bool() {
        true => Dialect::YWebsocket,
        false => Dialect::Hocuspocus { address: "d".into() },
    }
}

fn draw_kind(rng: &mut Rng, family: Family, index: usize) -> Kind {
    let dialect = draw_dialect(rng, family);
    let by_the_book = matches!(dialect, Dialect::Hocuspocus { .. });
    Kind {
        id: FIRST_CLIENT + index as u64,
        dialect,
        strict: if rng.u8(..5) == 0 { rng.bool() } else { by_the_book },
        // The first always writes.
        may_write: index == 0 || rng.u8(..5) > 0,
        reflects: rng.bool(),
        is_seen: rng.u8(..5) > 0,
    }
}
