//! Who is here and where: the awareness states of one document. Never stored.
//!
//! A state belongs to the session that introduced its client id and goes with it. Stock clients
//! reflect everything they hear, so most entries that arrive are old: those whose clock does not
//! advance are dropped before anything is looked at. What changed is gathered and published
//! together, only the newest state of each client id. Where more people move than may be told, some
//! are told later, each in turn; who comes and who goes is told in any case. Source:
//! `docs/protocol.md`, Awareness.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::truth::truthful;
use crate::id::{SessionId, User};
use crate::wire::awareness::{Entry, encode};
use bytes::Bytes;

/// A state that was not renewed for this long is dropped; stock clients renew after 15 s and drop
/// after 30 s themselves.
const EXPIRES_AFTER: Duration = Duration::from_secs(40);

/// The clock of a client that left is remembered for this long, so that a late reflection does not
/// bring its cursor back.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// The highest clock that is taken. A client that is told a clock near the end of its numbers could
/// not say anything new of itself any more.
const CLOCK_MAX: u64 = (1 << 31) - 1;

/// Clients that left and are remembered. Beyond this many all of them are forgotten: a cursor may
/// come back for a moment then.
const REMEMBERED_MAX: usize = 10_000;

/// Bounds on what one session may put here.
#[derive(Debug, Clone, Copy)]
pub struct PresenceLimits {
    /// Bytes of one state.
    pub state_bytes_max: usize,
    /// Client ids that one session may introduce, those that left and are remembered included.
    pub session_clients_max: usize,
}

/// The states of one document.
#[derive(Debug)]
pub struct Presence {
    limits: PresenceLimits,
    clients: BTreeMap<u64, Client>,
    /// How many of `clients` each session introduced.
    introduced: BTreeMap<SessionId, usize>,
    /// How many of `clients` have left.
    remembered: usize,
    /// Client ids of those who came, or came back, and have not been published since.
    came: BTreeSet<u64>,
    /// Of those whose newest state has not been published otherwise.
    moved: BTreeSet<u64>,
    /// Of those who left and have not been published since.
    left: BTreeSet<u64>,
    /// After whom it is the others' turn to be published.
    turn: u64,
    /// Nothing expires earlier.
    expires_at: Option<Duration>,
    /// The body of [`Presence::everybody`], kept until the next change.
    everybody: Option<Bytes>,
}

#[derive(Debug)]
struct Client {
    entry: Entry,
    /// `None` once the client has left.
    owner: Option<Owner>,
    /// Who introduced it last.
    introducer: SessionId,
    /// Whose it was last, as far as a login said so: it comes back for that user only.
    subject: Option<Arc<str>>,
    heard_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    session: SessionId,
    /// It is the session's own id, not one that it merely carries for a neighbour.
    own: bool,
    /// The session may write. A reader does not keep a writer from its own id.
    may_write: bool,
}

/// Who says something.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The session.
    pub session: SessionId,
    /// Its own client id, as far as that is known.
    pub own: Option<u64>,
    /// Whether it may change the document.
    pub may_write: bool,
    /// Who it is, as far as a login says so.
    pub user: Option<&'a User>,
}

impl Presence {
    /// Nobody is here.
    pub fn new(limits: PresenceLimits) -> Self {
        Self {
            limits,
            clients: BTreeMap::new(),
            introduced: BTreeMap::new(),
            remembered: 0,
            came: BTreeSet::new(),
            moved: BTreeSet::new(),
            left: BTreeSet::new(),
            turn: 0,
            expires_at: None,
            everybody: None,
        }
    }

    /// Takes what a session said.
    ///
    /// Returns what the session has to be told: who of those whom it believes here has left. A
    /// client that is here after all then says so with a newer clock; one that reflects drops the
    /// ghost.
    pub fn hear(&mut self, speaker: Speaker<'_>, entries: Vec<Entry>, now: Duration) -> Vec<Entry> {
        let Speaker { session, own, may_write, user } = speaker;
        let subject = user.and_then(|user| user.subject.as_ref());
        let mut left = Vec::new();
        for entry in entries {
            let gone = self.clients.get(&entry.client).filter(|known| known.owner.is_none());
            match gone {
                // Somebody else's, who is away for a moment.
                Some(gone) if gone.subject.is_some() && gone.subject.as_ref() != subject => {}
                Some(gone) if !entry.is_gone() && entry.clock <= gone.entry.clock => {
                    left.push(gone.entry.clone());
                }
                _ => {
                    let own = own == Some(entry.client);
                    self.hear_one(Owner { session, own, may_write }, user, entry, now);
                }
            }
        }
        left
    }

    /// Whether this client is here, and the session's own.
    pub fn is_own(&self, client: u64, session: SessionId) -> bool {
        let owner = self.clients.get(&client).and_then(|client| client.owner);
        owner.is_some_and(|owner| owner.session == session && owner.own)
    }

    /// Makes a client id another session's own: it was that of a socket that died unnoticed.
    pub fn hand_over(&mut self, client: u64, to: SessionId) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.owner = client.owner.map(|_| Owner { session: to, own: true, may_write: true });
        }
    }

    /// Drops what a session introduced.
    pub fn leave(&mut self, session: SessionId, now: Duration) {
        let gone = |client: &Client| client.owner.is_some_and(|owner| owner.session == session);
        let ids: Vec<u64> =
            self.clients.iter().filter(|(_, client)| gone(client)).map(|(id, _)| *id).collect();
        for id in ids {
            self.remove(id, now);
        }
    }

    /// Drops states that were not renewed, and forgets clients that left long ago.
    pub fn expire(&mut self, now: Duration) {
        if self.expires_at.is_none_or(|at| now < at) {
            return;
        }
        let old: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| client.owner.is_some() && client.heard_at + EXPIRES_AFTER <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            self.remove(id, now);
        }
        self.forget(|client| client.heard_at + FORGOTTEN_AFTER <= now);
        let heard = self.clients.values().map(|client| match client.owner {
            Some(_) => client.heard_at + EXPIRES_AFTER,
            None => client.heard_at + FORGOTTEN_AFTER,
        });
        self.expires_at = heard.min();
    }

    /// Forgets clients that left.
    fn forget(&mut self, which: impl Fn(&Client) -> bool) {
        let introduced = &mut self.introduced;
        let before = self.clients.len();
        self.clients.retain(|_, client| {
            let stays = client.owner.is_some() || !which(client);
            if !stays {
                release(introduced, client.introducer);
            }
            stays
        });
        self.remembered -= before - self.clients.len();
    }

    /// When [`Presence::expire`] may have something to do next; not before.
    pub fn expires_at(&self) -> Option<Duration> {
        self.expires_at
    }

    /// Whether something waits to be published.
    pub fn has_changes(&self) -> bool {
        !(self.came.is_empty() && self.moved.is_empty() && self.left.is_empty())
    }

    /// Who came, who left, and at most `moves_max` (at least one) of those who moved since they were
    /// published last, as an awareness body. In the order in which stock clients reflect it.
    pub fn take_changes(&mut self, moves_max: usize) -> Bytes {
        let turn = self.turn.saturating_add(1);
        let in_turn = self.moved.range(turn..).chain(self.moved.range(..turn));
        let moved: Vec<u64> = in_turn.copied().take(moves_max.max(1)).collect();
        self.turn = moved.last().copied().unwrap_or(self.turn);
        moved.iter().for_each(|id| {
            self.moved.remove(id);
        });
        let (came, left) = (std::mem::take(&mut self.came), std::mem::take(&mut self.left));
        let changed = came.into_iter().chain(moved).chain(left);
        let entries: Vec<&Entry> =
            changed.filter_map(|id| self.clients.get(&id)).map(|client| &client.entry).collect();
        let body = encode(entries.into_iter());
        if self.remembered > REMEMBERED_MAX {
            self.forget(|_| true);
        }
        body
    }

    /// Everybody who is here, as an awareness body; `None` where nobody is. Encoded once and shared
    /// until something changes.
    pub fn everybody(&mut self) -> Option<Bytes> {
        if self.everybody.is_none() {
            let here: Vec<&Entry> = self
                .clients
                .values()
                .filter(|client| client.owner.is_some())
                .map(|client| &client.entry)
                .collect();
            self.everybody = (!here.is_empty()).then(|| encode(here.into_iter()));
        }
        self.everybody.clone()
    }

    /// Everybody who is here and everybody who left lately, for a session that missed something;
    /// `None` where that is nobody.
    pub fn everything(&self) -> Option<Bytes> {
        let entries: Vec<&Entry> = self.clients.values().map(|client| &client.entry).collect();
        (!entries.is_empty()).then(|| encode(entries.into_iter()))
    }

    fn hear_one(&mut self, from: Owner, user: Option<&User>, entry: Entry, now: Duration) {
        if entry.clock > CLOCK_MAX {
            return;
        }
        let known = self.clients.get(&entry.client);
        if entry.is_gone() {
            // Only whoever introduced a client may say that it left.
            if known.and_then(|k| k.owner).is_some_and(|owner| owner.session == from.session) {
                self.remove_at(entry.client, entry.clock, now);
            }
            return;
        }
        let owner = match known {
            None => from,
            Some(Client { owner: None, .. }) => from,
            Some(Client { owner: Some(owner), entry: last, .. }) if entry.clock > last.clock => {
                match owner {
                    owner if owner.session == from.session => *owner,
                    owner if owner.own && (owner.may_write || !from.may_write) => return,
                    _ if from.own => from,
                    owner => *owner,
                }
            }
            Some(_) => return,
        };
        let subject = match owner.session == from.session {
            true => user.and_then(|user| user.subject.clone()),
            false => known.and_then(|client| client.subject.clone()),
        };
        let introducer = known.map(|client| client.introducer);
        let introduces = introducer != Some(owner.session);
        let introduced = self.introduced.get(&owner.session).copied().unwrap_or(0);
        if entry.state.as_str().len() > self.limits.state_bytes_max
            || (introduces && introduced >= self.limits.session_clients_max)
        {
            return;
        }
        let Ok(state) = truthful(entry.state.as_str(), user) else { return };
        let entry = Entry { state: state.as_ref().into(), ..entry };
        if known.is_some_and(|client| client.owner.is_some()) {
            if !self.came.contains(&entry.client) {
                self.moved.insert(entry.client);
            }
        } else {
            self.left.remove(&entry.client);
            self.came.insert(entry.client);
        }
        self.everybody = None;
        if introduces {
            introducer.into_iter().for_each(|before| release(&mut self.introduced, before));
            *self.introduced.entry(owner.session).or_default() += 1;
        }
        self.remembered -= usize::from(self.is_remembered(entry.client));
        let introducer = owner.session;
        let client = Client { entry, owner: Some(owner), introducer, subject, heard_at: now };
        self.clients.insert(client.entry.client, client);
        self.expires_by(now + EXPIRES_AFTER);
    }

    fn expires_by(&mut self, at: Duration) {
        self.expires_at = Some(self.expires_at.map_or(at, |known| known.min(at)));
    }

    fn is_remembered(&self, client: u64) -> bool {
        self.clients.get(&client).is_some_and(|client| client.owner.is_none())
    }

    fn remove(&mut self, id: u64, now: Duration) {
        if let Some(clock) = self.clients.get(&id).map(|client| client.entry.clock) {
            self.remove_at(id, clock, now);
        }
    }

    /// Receivers take a `null` of the same clock as news while they hold a state.
    fn remove_at(&mut self, id: u64, clock: u64, now: Duration) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.entry.clock = client.entry.clock.max(clock);
        client.entry.state = "null".into();
        self.remembered += usize::from(client.owner.take().is_some());
        client.heard_at = now;
        self.came.remove(&id);
        self.moved.remove(&id);
        self.left.insert(id);
        self.everybody = None;
        self.expires_by(now + FORGOTTEN_AFTER);
    }
}

/// One client less of a session's.
fn release(introduced: &mut BTreeMap<SessionId, usize>, session: SessionId) {
    if let Some(count) = introduced.get_mut(&session) {
        *count -= 1;
        if *count == 0 {
            introduced.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::awareness::decode;

    const ANN: SessionId = SessionId(1);
    const BO: SessionId = SessionId(2);
    const NOW: Duration = Duration::ZERO;

    fn presence() -> Presence {
        Presence::new(PresenceLimits { state_bytes_max: 100, session_clients_max: 2 })
    }

    fn says(session: SessionId, own: Option<u64>) -> Speaker<'static> {
        Speaker { session, own, may_write: true, user: None }
    }

    fn entry(client: u64, clock: u64, state: &str) -> Entry {
        Entry { client, clock, state: state.into() }
    }

    fn changes(presence: &mut Presence) -> Vec<Entry> {
        decode(presence.take_changes(usize::MAX)).expect("our own body")
    }

    #[test]
    fn only_the_newest_state_is_published() {
        let mut presence = presence();
        presence.hear(says(ANN, Some(7)), vec![entry(7, 1, "{}")], NOW);
        presence.hear(says(ANN, None), vec![entry(7, 2, r#"{"x":1}"#)], NOW);
        assert_eq!(changes(&mut presence), [entry(7, 2, r#"{"x":1}"#)]);
        assert!(!presence.has_changes());
    }

    #[test]
    fn where_too_many_move_each_is_told_in_turn_and_who_comes_or_goes_at_once() {
        let mut presence = presence();
        let session = SessionId;
        let hear = |presence: &mut Presence, id: u64, clock| {
            let state = format!("{{\"at\":{clock}}}");
            presence.hear(says(session(id), Some(id)), vec![entry(id, clock, &state)], NOW);
        };
        let told = |presence: &mut Presence| {
            let entries = decode(presence.take_changes(2)).expect("our own body");
            entries.iter().map(|entry| (entry.client, entry.clock)).collect::<Vec<_>>()
        };
        (1..=5).for_each(|id| hear(&mut presence, id, 1));
        assert_eq!(told(&mut presence), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)], "they came");
        (1..=5).for_each(|id| hear(&mut presence, id, 2));
        assert_eq!(told(&mut presence), [(1, 2), (2, 2)]);
        hear(&mut presence, 1, 3);
        hear(&mut presence, 4, 3);
        hear(&mut presence, 6, 1);
        presence.leave(session(5), NOW);
        assert_eq!(told(&mut presence), [(6, 1), (3, 2), (4, 3), (5, 2)]);
        assert_eq!(told(&mut presence), [(1, 3)], "after the others");
        assert!(!presence.has_changes());
    }

    #[test]
    fn a_reflected_state_is_dropped() {
        let mut presence = presence();
        presence.hear(says(ANN, Some(7)), vec![entry(7, 1, "{}")], NOW);
        presence.take_changes(usize::MAX);
        presence.hear(says(BO, None), vec![entry(7, 1, "{}")], NOW);
        assert!(!presence.has_changes());
    }

    #[test]
    fn nobody_speaks_for_a_client_that_another_session_introduced() {
        let mut presence = presence();
        presence.hear(says(ANN, Some(7)), vec![entry(7, 1, "{}")], NOW);
        presence.take_changes(usize::MAX);
        presence.hear(says(BO, Some(7)), vec![entry(7, 9, r#"{"fake":1}"#)], NOW);
        presence.hear(says(BO, None), vec![entry(7, 10, "null")], NOW);
        assert!(!presence.has_changes());
        assert!(presence.is_own(7, ANN));
    }

    #[test]
    fn a_reader_does_not_keep_a_writer_from_its_own_id() {
        let mut presence = presence();
        let reader = Speaker { may_write: false, ..says(BO, Some(7)) };
        presence.hear(reader, vec![entry(7, 1, "{}")], NOW);
        assert!(presence.is_own(7, BO));
        presence.hear(says(ANN, Some(7)), vec![entry(7, 2, "{}")], NOW);
        assert!(presence.is_own(7, ANN));
        presence.hear(reader, vec![entry(7, 3, "{}")], NOW);
        assert!(presence.is_own(7, ANN));
    }

    #[test]
    fn a_client_that_was_only_carried_goes_to_its_own_session() {
        let mut presence = presence();
        // Bo's tab heard of Ann's through the browser before Ann's socket was open.
        presence.hear(says(BO, Some(8)), vec![entry(8, 1, "{}")], NOW);
        presence.hear(says(BO, None), vec![entry(7, 1, "{}")], NOW);
        assert!(!presence.is_own(7, BO));
        presence.hear(says(ANN, Some(7)), vec![entry(7, 2, "{}")], NOW);
        assert!(presence.is_own(7, ANN));
        presence.take_changes(usize::MAX);
        presence.leave(BO, NOW);
        assert_eq!(changes(&mut presence), [entry(8, 1, "null")]);
    }

    #[test]
    fn a_session_takes_its_states_with_it_and_late_reflections_do_not_bring_them_back() {
        let mut presence = presence();
        presence.hear(says(ANN, Some(7)), vec![entry(7, 3, "{}")], NOW);
        presence.take_changes(usize::MAX);
        presence.leave(ANN, NOW);
        assert_eq!(changes(&mut presence), [entry(7, 3, "null")]);
        assert_eq!(presence.everybody(), None);
        presence.hear(says(BO, None), vec![entry(7, 3, "{}")], NOW);
        assert_eq!(presence.everybody(), None);
        // The same client, connected anew, says the clock that it had; told that it has left, it
        // says the next one.
        let told = presence.hear(says(SessionId(3), Some(7)), vec![entry(7, 3, "{}")], NOW);
        assert_eq!(told, [entry(7, 3, "null")]);
        presence.hear(says(SessionId(3), Some(7)), vec![entry(7, 4, "{}")], NOW);
        assert!(presence.everybody().is_some());
    }

    #[test]
    fn states_are_bounded_in_size_and_number_and_must_be_json() {
        let mut presence = presence();
        let large = format!("\"{}\"", "x".repeat(100));
        presence.hear(says(ANN, None), vec![entry(1, 1, &large), entry(2, 1, "{broken")], NOW);
        assert_eq!(presence.everybody(), None);
        let many = (10..20).map(|client| entry(client, 1, "{}")).collect();
        presence.hear(says(ANN, None), many, NOW);
        let here = decode(presence.everybody().expect("two of them")).expect("our own body");
        assert_eq!(here.len(), 2);
    }

    #[test]
    fn an_id_comes_back_for_its_own_user_and_with_a_clock_that_can_grow() {
        let mut presence = presence();
        let user = |subject: &str| User { subject: Some(subject.into()), ..User::default() };
        let (ann, eve) = (user("ann"), user("eve"));
        let as_ann = |session| Speaker { user: Some(&ann), ..says(session, Some(7)) };
        let as_eve = Speaker { user: Some(&eve), ..says(BO, Some(7)) };
        presence.hear(as_ann(ANN), vec![entry(7, 1, "1")], NOW);
        presence.leave(ANN, NOW);
        presence.hear(as_eve, vec![entry(7, 2, "2")], NOW);
        presence.hear(says(BO, None), vec![entry(7, 2, "2")], NOW);
        assert_eq!(presence.everybody(), None);
        presence.hear(as_ann(SessionId(3)), vec![entry(7, CLOCK_MAX + 1, "3")], NOW);
        assert_eq!(presence.everybody(), None);
        presence.hear(as_ann(SessionId(3)), vec![entry(7, 2, "3")], NOW);
        assert!(presence.is_own(7, SessionId(3)));
    }

    #[test]
    fn saying_that_a_client_left_makes_no_place_for_another() {
        let mut presence = presence();
        let pairs = (1..=1_000).flat_map(|id| [entry(id, 1, "{}"), entry(id, 1, "null")]).collect();
        presence.hear(says(ANN, None), pairs, NOW);
        assert_eq!(changes(&mut presence).len(), 2);
        // Others are not concerned, and when they are forgotten there is place again.
        presence.hear(says(BO, Some(7)), vec![entry(7, 1, "{}")], NOW);
        presence.expire(FORGOTTEN_AFTER);
        presence.hear(says(ANN, None), vec![entry(9, 1, "{}")], FORGOTTEN_AFTER);
        assert!(changes(&mut presence).iter().any(|entry| entry.client == 9));
    }

    #[test]
    fn so_many_that_left_are_remembered_and_no_more() {
        let mut presence = presence();
        for session in 0..REMEMBERED_MAX as u64 + 1 {
            let session = SessionId(session);
            presence.hear(says(session, None), vec![entry(session.0, 1, "{}")], NOW);
            presence.leave(session, NOW);
        }
        assert_eq!(changes(&mut presence).len(), REMEMBERED_MAX + 1, "all of them are published");
        assert!(presence.clients.is_empty() && presence.introduced.is_empty());
    }

    #[test]
    fn a_state_that_is_not_renewed_goes() {
        let mut presence = presence();
        presence.hear(says(ANN, Some(7)), vec![entry(7, 1, "{}")], NOW);
        presence.take_changes(usize::MAX);
        assert_eq!(presence.expires_at(), Some(EXPIRES_AFTER));
        presence.expire(EXPIRES_AFTER);
        assert_eq!(changes(&mut presence), [entry(7, 1, "null")]);
        presence.expire(EXPIRES_AFTER + FORGOTTEN_AFTER);
        assert_eq!(presence.expires_at(), None);
    }
}
