//! What can happen next, how likely it is, and what it does.

use std::time::Duration;

use bytes::Bytes;
use coscribe::crdt::Past;
use coscribe::document::input::Input;
use coscribe::id::SessionId;
use coscribe::wire::{Message, awareness};

use crate::counter::Counter;
use crate::ledger::linted;
use crate::link::{ClientEnd, Down, Part, Who};
use crate::plan::pick;
use crate::server::OWN_CLIENTS;
use crate::world::Sim;

/// A client that is turned away comes again after so long, as y-websocket does; what is due meanwhile
/// happens.
const BACKS_OFF_FOR: Duration = Duration::from_millis(2_500);

/// Something that can happen now.
#[derive(Debug, Clone, Copy)]
enum Event {
    Edit(usize),
    Burst(usize),
    Cursor(usize),
    Connect(usize),
    Lose(SessionId),
    Leave(SessionId),
    Notice(SessionId),
    Up(SessionId),
    Down(SessionId),
    Drained(SessionId),
    Append,
    Sync,
    Load,
    Snapshot,
    Plan,
    Outage,
    Time,
    Crash,
    Flush,
    Retire,
    Hostile,
    Rights(usize),
    HostileRights(SessionId),
    Revoke(usize),
    Delete,
    HearOfDeletion,
    Undelete,
    Checkpoint(usize),
    Purge,
    LateCopy(usize),
    Branch,
}

impl Sim {
    /// The wild part: everything may happen.
    pub fn storm(&mut self) {
        for _ in 0..self.plan.steps {
            if self.is_disordered {
                return;
            }
            self.now += Duration::from_micros(self.rng.u64(..2_000));
            let events = self.events();
            let all: u32 = events.iter().map(|(weight, _)| weight).sum();
            let mut at = self.rng.u32(..all.max(1));
            let chosen = events.iter().find(|(weight, _)| {
                let found = at < *weight;
                at = at.saturating_sub(*weight);
                found
            });
            if let Some((_, event)) = chosen {
                self.happen(*event);
            }
        }
    }

    /// One step of a healthy world in which only what is due happens; false where nothing is.
    pub fn calm_step(&mut self) -> bool {
        let events = self.due();
        if !events.is_empty() {
            let (_, event) = *pick(&mut self.rng, &events);
            self.happen(event);
            return true;
        }
        let away = self.clients.iter().position(|c| !c.is_gone && c.session.is_none());
        if away.is_some() && self.is_full() && self.wake_within(BACKS_OFF_FOR) {
            return true;
        }
        away.is_some_and(|index| {
            self.happen(Event::Connect(index));
            true
        })
    }

    /// Whoever comes is turned away. The place may be that of a connection which is gone and not read
    /// to its end, because the document is crowded until it flushes.
    fn is_full(&self) -> bool {
        let here = self.here().filter(|part| *part == Part::Here);
        here.count() >= self.plan.limits.sessions_max
    }

    /// Everything that may happen, and how likely.
    fn events(&self) -> Vec<(u32, Event)> {
        let weights = &self.plan.weights;
        let mut events = self.due();
        for (index, client) in self.clients.iter().enumerate().filter(|(_, c)| !c.is_gone) {
            if client.device_copy.is_some() {
                events.push((weights.late_copy, Event::LateCopy(index)));
            }
            if client.kind.may_write {
                events.push((weights.edit, Event::Edit(index)));
                events.push((weights.burst, Event::Burst(index)));
            }
            match client.session {
                None if client.is_shut_out => {}
                None => events.push((weights.connect, Event::Connect(index))),
                Some(session) => {
                    if client.counter.is_some() {
                        events.push((weights.checkpoint, Event::Checkpoint(index)));
                    }
                    events.push((weights.cursor, Event::Cursor(index)));
                    events.push((weights.lose, Event::Lose(session)));
                    events.push((weights.leave, Event::Leave(session)));
                }
            }
        }
        events.push((weights.outage, Event::Outage));
        events.push((weights.hostile, Event::Hostile));
        self.add_changes(&mut events);
        if let Some(server) = &self.server {
            events.push((weights.crash, Event::Crash));
            events.push((weights.flush, Event::Flush));
            let joining = self.links.values().any(|link| link.part == Part::Joining);
            if server.core.is_idle() && !server.is_retiring && !joining {
                events.push((weights.retire, Event::Retire));
            }
        }
        let (at, _) = self.next_timer();
        let is_soon = at < self.now + Duration::from_secs(10);
        events.push((if is_soon { weights.time } else { 1 }, Event::Time));
        events
    }

    /// Rights that change, and a document that goes and comes back. The first client always writes.
    fn add_changes(&self, events: &mut Vec<(u32, Event)>) {
        let weights = &self.plan.weights;
        for (index, client) in self.clients.iter().enumerate().skip(1) {
            if client.kind.may_write {
                events.push((weights.rights, Event::Rights(index)));
            }
            if !client.is_shut_out {
                events.push((weights.revoke, Event::Revoke(index)));
            }
        }
        if let Some(session) = self.hostile.session {
            events.push((weights.rights, Event::HostileRights(session)));
        }
        if self.deleted_at.is_some() {
            events.push((weights.purge, Event::Purge));
        }
        match self.deleted_at {
            None => events.push((weights.delete, Event::Delete)),
            Some(_) if !self.must_hear_of_its_deletion() => {
                events.push((weights.time, Event::Undelete));
            }
            Some(_) => {}
        }
    }

    /// What a healthy world does by itself, time left out.
    fn due(&self) -> Vec<(u32, Event)> {
        let weights = &self.plan.weights;
        let is_crowded = self.server.as_ref().is_some_and(|server| server.core.is_crowded());
        let mut events = Vec::new();
        for (session, link) in &self.links {
            let ends = match link.client_end {
                ClientEnd::Open => false,
                ClientEnd::Leaving => link.up.is_empty(),
                ClientEnd::Gone => true,
            };
            if ends {
                events.push((weights.notice, Event::Notice(*session)));
            }
            let is_read = link.part != Part::Joining && !(link.is_held_back && is_crowded);
            if !link.up.is_empty() && is_read {
                events.push((weights.up, Event::Up(*session)));
            }
            if !link.down.is_empty() && link.client_end == ClientEnd::Open {
                let weight = if link.is_slow { weights.down / 20 } else { weights.down };
                events.push((weight.max(1), Event::Down(*session)));
            }
            if link.has_drained {
                events.push((weights.store, Event::Drained(*session)));
            }
        }
        let Some(server) = &self.server else { return events };
        if self.must_hear_of_its_deletion() {
            events.push((weights.store, Event::HearOfDeletion));
        }
        if self.ledger.append().is_some() {
            events.push((weights.store, Event::Append));
        }
        if !server.undurable.is_empty() {
            events.push((weights.store, Event::Sync));
        }
        if server.is_loading {
            events.push((weights.store, Event::Load));
        }
        if !server.keeping.is_empty() {
            events.push((weights.store, Event::Branch));
        }
        if server.planning.is_some() {
            events.push((weights.store, Event::Plan));
        }
        if server.snapshot.is_some() {
            events.push((weights.store, Event::Snapshot));
        }
        events
    }

    fn happen(&mut self, event: Event) {
        self.trace.note(|| format!("{:?} {event:?}", self.now));
        match event {
            Event::Edit(index) => {
                let said = self.clients[index].edit(&mut self.rng);
                self.say_of(index, said);
            }
            Event::Burst(index) => {
                for _ in 0..80 {
                    let said = self.clients[index].append("x");
                    self.say_of(index, said);
                }
            }
            Event::Cursor(index) => self.renew(index),
            Event::Connect(index) => {
                let session = self.connect(Who::Client(index), self.clients[index].kind.clone());
                let said = self.clients[index].connect(session);
                self.say(session, said);
            }
            Event::Lose(session) => self.lose(session),
            Event::Leave(session) => self.leave(session),
            Event::Notice(session) => {
                // What it brought and is not in the log goes with it.
                if let Some(link) = self.links.get_mut(&session).filter(|l| l.part == Part::Here) {
                    link.part = Part::Over;
                }
                self.input_from(session, Input::Left { session });
                self.links.remove(&session);
            }
            Event::Up(session) => self.up(session),
            Event::Down(session) => self.down(session),
            Event::Drained(session) => {
                if let Some(link) = self.links.get_mut(&session) {
                    link.has_drained = false;
                }
                self.input_from(session, Input::Drained { session });
            }
            Event::Append => self.append_ends(),
            Event::Sync => self.sync_ends(),
            Event::Load => self.load_ends(),
            Event::Snapshot => self.snapshot_ends(),
            Event::Plan => self.plan_ends(),
            Event::Outage => self.is_outage = !self.is_outage,
            Event::Time => self.pass_time(),
            Event::Crash => {
                let is_power_cut = self.rng.bool();
                self.crash(is_power_cut);
            }
            Event::Flush => self.flush(),
            Event::Retire => self.retire(),
            Event::Hostile => self.do_harm(),
            Event::Rights(index) => self.change_rights(index),
            Event::HostileRights(session) => {
                let may_write = !self.may_write(session);
                self.set_rights(session, may_write);
            }
            Event::Revoke(index) => self.revoke(index),
            Event::Delete => self.delete(),
            Event::HearOfDeletion => self.hear_of_deletion(),
            Event::Undelete => self.undelete(),
            Event::Purge => self.purge(),
            Event::LateCopy(index) => {
                let said = self.clients[index].load_device_copy();
                self.say_of(index, said);
            }
            Event::Branch => self.branch_ends(),
            Event::Checkpoint(index) => {
                let said = self.clients[index].counter.as_ref().map(Counter::message);
                self.say_of(index, said);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(server) = &mut self.server {
            server.is_flushing = true;
        }
        self.input(Input::Flush);
    }

    /// The hub asks the document to end.
    pub fn retire(&mut self) {
        if let Some(server) = &mut self.server {
            server.is_retiring = true;
        }
        self.input(Input::Retire);
    }

    /// A client says something, if it has a connection.
    fn say_of(&mut self, index: usize, messages: impl IntoIterator<Item = Message>) {
        if let Some(session) = self.clients[index].session {
            self.say(session, messages);
        }
    }

    /// A client says where its cursor is.
    pub fn renew(&mut self, index: usize) {
        if let Some(message) = self.clients[index].renew(self.now) {
            self.say_of(index, [message]);
        }
    }

    fn leave(&mut self, session: SessionId) {
        let Some(link) = self.links.get_mut(&session) else { return };
        let Who::Client(index) = link.who else { return };
        link.client_end = ClientEnd::Leaving;
        let said = self.clients[index].leave();
        self.say(session, said);
    }

    fn up(&mut self, session: SessionId) {
        let may_write = self.may_write(session);
        let Some(link) = self.links.get_mut(&session) else { return };
        let Some(message) = link.up.pop_front() else { return };
        self.note_what_is_said(session, &message);
        let input = match message {
            Message::SyncStep1 { state_vector } => Input::SyncStep1 { session, state_vector },
            Message::SyncStep2 { update } => self.update(session, update, may_write, true),
            Message::Update { update } => self.update(session, update, may_write, false),
            Message::Awareness { body } => {
                let entries = awareness::decode(body).expect("a client's awareness");
                let Some(link) = self.links.get(&session) else { return };
                let (who, id) = (link.who, link.kind.id);
                let is_alone = self.links.values().filter(|link| link.who == who).count() == 1;
                if let Some(link) = self.links.get_mut(&session) {
                    link.is_known |= is_alone && entries[0].client == id;
                }
                Input::Awareness { session, entries }
            }
            Message::QueryAwareness => Input::QueryAwareness { session },
            Message::Checkpoint { payload } => Input::Checkpoint { session, payload },
            Message::Stateless { payload } => Input::Stateless { session, payload },
            Message::Token { .. } | Message::Close => return,
        };
        self.input_from(session, input);
        let is_crowded = self.server.as_ref().is_some_and(|server| server.core.is_crowded());
        if let Some(link) = self.links.get_mut(&session) {
            link.is_held_back = is_crowded;
        }
    }

    fn update(&mut self, session: SessionId, bytes: Bytes, may_write: bool, whole: bool) -> Input {
        let starts = self.starts;
        let link = self.links.get_mut(&session);
        if let Some(link) = link.filter(|l| l.who != Who::Hostile && l.is_here(starts)) {
            link.gave(linted(&bytes).summary);
            link.questions -= u32::from(whole);
        }
        Input::Update { session, bytes, whole, may_write }
    }

    fn down(&mut self, session: SessionId) {
        let Some(link) = self.links.get_mut(&session) else { return };
        let Some(next) = link.pop() else { return };
        self.trace.note(|| format!("  < {next:?}"));
        match (next, link.who) {
            (Down::Close, _) => self.lose(session),
            (Down::Retired, who) => {
                self.lose(session);
                self.start_anew(who);
            }
            (Down::Reply(reply), Who::Client(index)) => {
                let said = self.clients[index].hear(reply, self.ledger.durable());
                self.say(session, said);
            }
            (Down::Reply(reply), Who::Hostile) => {
                let said = self.hostile.hear(&reply);
                self.say(session, said);
            }
        }
    }

    fn append_ends(&mut self) {
        if self.deleted_at.is_some() {
            self.ledger.abort();
            return self.hear_of_deletion();
        }
        let fails = self.is_outage || self.rng.u8(..100) < self.plan.weights.append_failures;
        let is_written = !fails || self.rng.u8(..4) == 0;
        let last = is_written.then(|| self.commit());
        if fails && let Some(last) = last {
            // What was written and called failed is on the disk before anybody is told.
            self.ledger.sync(last);
        }
        if !is_written {
            self.ledger.abort();
        }
        self.is_unchecked = true;
        let Some(server) = &mut self.server else { return };
        server.is_failing = fails;
        let durable = !self.plan.process_durability;
        let input = match last {
            Some(last) if !fails => {
                if !durable {
                    server.undurable.push_back(last);
                }
                Input::Committed { last, durable }
            }
            _ => Input::CommitFailed { reason: "the disk is full".into() },
        };
        self.input(input);
    }

    fn sync_ends(&mut self) {
        let fails = self.rng.u8(..100) < self.plan.weights.append_failures / 5;
        let Some(server) = &mut self.server else { return };
        let Some(last) = server.undurable.pop_front() else { return };
        server.is_failing |= fails;
        if fails {
            let reason = "the disk did not keep what was written to it".into();
            self.input(Input::LoadFailed { reason, lasting: true });
            assert!(self.server.is_none(), "the document goes on without a disk");
            return self.crash(true);
        }
        self.ledger.sync(last);
        self.input(Input::Durable);
    }

    fn load_ends(&mut self) {
        let fails = self.is_outage && self.rng.bool();
        let without = self.rng.usize(..3);
        if self.deleted_at.is_some() {
            return self.hear_of_deletion();
        }
        let Some(server) = &mut self.server else { return };
        let finds = self.rng.bool() && !std::mem::replace(&mut server.was_found, true);
        if let Some(found) = self.ledger.find(without).filter(|_| finds) {
            return self.input(Input::Found(Box::new(found)));
        }
        let Some(server) = &mut self.server else { return };
        (server.is_loading, server.was_found) = (false, false);
        self.is_unchecked = true;
        let input = if fails {
            server.is_failing = true;
            Input::LoadFailed { reason: "the disk is away".into(), lasting: false }
        } else {
            let loaded = self.ledger.load(without).expect("a log that can be read");
            Input::Loaded(Box::new(loaded))
        };
        self.input(input);
    }

    /// The past has been looked through for text that lost its place.
    fn plan_ends(&mut self) {
        let Some(server) = &mut self.server else { return };
        let Some((from, records, hints)) = server.planning.take() else { return };
        let own = OWN_CLIENTS + server.start;
        let mut past = self.past();
        past.extend(&self.ledger.rows_of(&records)).expect("records that make sense");
        // Sometimes it cannot be found out.
        let is_found = self.rng.u8(..8) > 0;
        let plan = is_found.then(|| Box::new(past.carry(from, records.len(), &hints, own)));
        self.ledger.look_back();
        self.input(Input::Planned { from, records, plan });
    }

    /// All that was ever in the document.
    pub fn past(&self) -> Past {
        let mut past = Past::new();
        past.extend(&self.ledger.log()).expect("a log that makes sense");
        past
    }

    fn snapshot_ends(&mut self) {
        let written = !self.is_outage && self.deleted_at.is_none() && self.rng.u8(..4) > 0;
        let Some((seq, bytes)) = self.server.as_mut().and_then(|s| s.snapshot.take()) else {
            return;
        };
        if written {
            self.ledger.keep_snapshot(seq, bytes);
        }
        self.input(Input::SnapshotEnded { written });
    }

    /// What is due next: the core, or the renewal of a client.
    fn next_timer(&self) -> (Duration, Option<usize>) {
        let wake = self.server.as_ref().and_then(|server| server.core.next_wake());
        let core = (wake.unwrap_or(Duration::MAX), None);
        let clients = self.clients.iter().enumerate().filter(|(_, c)| c.session.is_some());
        let clients = clients.map(|(index, client)| (client.renews_at, Some(index)));
        clients.chain([core]).min().unwrap_or(core)
    }

    fn pass_time(&mut self) {
        match self.next_timer() {
            (Duration::MAX, _) => {}
            (at, Some(index)) => {
                self.now = self.now.max(at);
                self.renew(index);
            }
            (at, None) => {
                self.now = self.now.max(at);
                self.input(Input::Tick);
            }
        }
    }
}
