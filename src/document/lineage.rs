//! Copies of an earlier life of the document: recognised, set aside, kept as a branch, told.
//!
//! A document that was purged and made again under its name has nothing in common with what was
//! there before. A copy of that which comes back must not be merged into it: the text of both
//! would be glued together. It is known by the client ids that it names, which no honest copy of
//! the present document can have. The rules that must hold:
//!
//! - what names a retired client id never gets into the replica or the log;
//! - a session is shown no content before it has said what it has, and none once it is recognised;
//! - whoever is set aside hears that nothing of it was saved, after what it had is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::core::Core;
use super::input::{About, Effect, Ending, Greeting, Record};
use crate::crdt::lint::Span;
use crate::crdt::{Linted, StateVector, Summary};
use crate::id::SessionId;
use crate::wire::Reply;

/// How long a copy of an earlier life has to bring what it holds before it is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Branches whose extent is remembered, to know a copy that comes again with more, and the client ids
/// and deletions of each; one that has more of them is a new branch when it comes again.
const KEPT_MAX: usize = 100;
const EXTENT_SPANS_MAX: usize = 4096;

/// The client ids that the earlier lives of a document have used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retired(BTreeSet<u64>);

impl Retired {
    /// From the state vectors that those lives have left behind. Bytes that are none say nothing.
    pub fn new(clocks: impl IntoIterator<Item = Bytes>) -> Self {
        let mut clients = BTreeSet::new();
        for encoded in clocks {
            // What was read before the bytes end counts.
            let _ = StateVector::each(&encoded, |client, clock| {
                if clock > 0 {
                    clients.insert(client);
                }
            });
        }
        Self(clients)
    }

    /// Whether the document has no earlier life.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody with this encoded state vector has a copy of an earlier life.
    fn is_in_vector(&self, encoded: &[u8]) -> bool {
        let mut found = false;
        if !self.is_empty() {
            // As above.
            let _ = StateVector::each(encoded, |client, clock| {
                found |= clock > 0 && self.0.contains(&client);
            });
        }
        found
    }

    /// Whether an update was made on a copy of an earlier life: it brings something of it, builds on
    /// it, or deletes it.
    fn is_in_update(&self, summary: &Summary) -> bool {
        if self.is_empty() {
            return false;
        }
        let spans = summary.inserts.iter().chain(&summary.deletes).map(|span| span.client);
        let needs = summary.needs.iter().map(|need| need.client);
        spans.chain(needs).any(|client| self.0.contains(&client))
    }
}

/// What the core knows of earlier lives and of those who hold copies of them.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    pub(super) retired: Retired,
    /// Sessions that are set aside: they take no part any more and have not been told yet.
    aside: BTreeMap<SessionId, Aside>,
    /// Branches that came while the document was live, oldest first.
    kept: Vec<Kept>,
}

/// A session with a copy of an earlier life.
#[derive(Debug)]
struct Aside {
    about: About,
    /// Answers to older questions that are on their way before the one that counts.
    answers_before: usize,
    /// When it is told even if it brings nothing; `None` while what it brought is being kept.
    until: Option<Duration>,
    /// What it brought, and its length.
    extent: Option<Extent>,
    bytes: usize,
}

/// What there is in a branch.
#[derive(Debug)]
struct Kept {
    id: String,
    extent: Extent,
}

#[derive(Debug)]
struct Extent {
    author: Option<Arc<str>>,
    /// Per client id the clock behind its last item.
    ends: HashMap<u64, u32>,
    /// Sorted.
    deletes: Vec<Span>,
}

impl Extent {
    fn new(author: Option<Arc<str>>, summary: &Summary) -> Self {
        let mut ends = HashMap::new();
        for insert in &summary.inserts {
            let end = ends.entry(insert.client).or_insert(0);
            *end = insert.end.max(*end);
        }
        let mut deletes = summary.deletes.clone();
        deletes.sort_unstable_by_key(|span| (span.client, span.start));
        Self { author, ends, deletes }
    }

    /// Whether it is the same copy with more in it: nothing that `older` shows is missing here.
    fn continues(&self, older: &Self) -> bool {
        let end = |client| self.ends.get(client).copied().unwrap_or(0);
        self.author == older.author
            && older.ends.iter().all(|(client, older_end)| *older_end <= end(client))
            && self.deletes.iter().all(|span| older.is_gone(*span))
    }

    fn is_small(&self) -> bool {
        self.ends.len() + self.deletes.len() <= EXTENT_SPANS_MAX
    }

    /// Whether everything in a span is deleted, or was never there.
    fn is_gone(&self, span: Span) -> bool {
        let end = span.end.min(self.ends.get(&span.client).copied().unwrap_or(0));
        let first =
            self.deletes.partition_point(|d| (d.client, d.end) <= (span.client, span.start));
        let mut gone_until = span.start;
        for delete in self.deletes[first..].iter().take_while(|d| d.client == span.client) {
            if delete.start > gone_until {
                break;
            }
            gone_until = gone_until.max(delete.end);
        }
        gone_until >= end
    }
}

impl Lineage {
    /// How many are set aside.
    pub(super) fn len(&self) -> usize {
        self.aside.len()
    }

    /// Something is on its way to the branches.
    pub(super) fn is_keeping(&self) -> bool {
        self.aside.values().any(|aside| aside.until.is_none())
    }

    /// Bytes on their way to the branches.
    pub(super) fn keeping_bytes(&self) -> usize {
        self.aside.values().map(|aside| aside.bytes).sum()
    }

    /// When somebody has to be told.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        self.aside.values().filter_map(|aside| aside.until).min()
    }

    /// The sessions that are set aside.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.aside.keys().copied()
    }
}

impl Core {
    /// Whether a session that joins has to say what it has before it is shown anything. A request
    /// hears only what it asks for.
    pub(super) fn is_stranger(&self, about: &About) -> bool {
        !self.lineage.retired.is_empty() && about.greeting != Greeting::Never
    }

    /// Sets a session aside if its state vector is that of an earlier life; whether it is.
    pub(super) fn is_earlier_copy(
        &mut self,
        session: SessionId,
        state_vector: &[u8],
        now: Duration,
    ) -> bool {
        let is_earlier = self.lineage.retired.is_in_vector(state_vector);
        if is_earlier {
            self.set_aside(session, now);
        } else {
            self.is_no_stranger(session);
        }
        is_earlier
    }

    /// Sets a session aside if an update that it brings is of an earlier life; whether it is.
    pub(super) fn is_of_earlier_life(
        &mut self,
        session: SessionId,
        update: &Linted,
        whole: bool,
        now: Duration,
    ) -> bool {
        let is_earlier = self.lineage.retired.is_in_update(&update.summary);
        if is_earlier {
            let known = self.sessions.get(&session);
            let is_request = known.is_some_and(|known| known.about.greeting == Greeting::Never);
            self.set_aside(session, now);
            if is_request {
                // That is all it has to say.
                self.bring(session, update);
            }
        } else if whole {
            self.is_no_stranger(session);
        }
        is_earlier
    }

    /// An update of a session that is set aside; whether it is one.
    pub(super) fn is_brought_aside(
        &mut self,
        session: SessionId,
        bytes: &Bytes,
        whole: bool,
        may_write: bool,
    ) -> bool {
        let Some(aside) = self.lineage.aside.get_mut(&session) else { return false };
        if !whole || aside.until.is_none() {
            return true;
        }
        if !may_write {
            self.tell_aside(session, None);
            return true;
        }
        if aside.answers_before > 0 {
            aside.answers_before -= 1;
            return true;
        }
        match Linted::new(bytes.clone(), &self.limits.lint) {
            Ok(update) => self.bring(session, &update),
            Err(_) => self.tell_aside(session, None),
        }
        true
    }

    /// It has said what it has, and may be shown what is new.
    fn is_no_stranger(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.is_stranger = false;
        if std::mem::take(&mut known.was_early) {
            self.ask(session);
        }
    }

    /// Takes a session out of the document: for the others it has left, and nothing of the document
    /// is sent to it any more. A client is asked for all that it has, whatever it was asked before:
    /// what is kept must stand alone. What a reader has is not kept.
    fn set_aside(&mut self, session: SessionId, now: Duration) {
        let Some(known) = self.sessions.get(&session) else { return };
        let (about, answers_before) = (known.about.clone(), known.questions.len());
        let (may_write, greeting) = (about.may_write, about.greeting);
        self.left(session, now);
        let until = Some(now + PATIENCE);
        let aside = Aside { about, answers_before, until, extent: None, bytes: 0 };
        self.lineage.aside.insert(session, aside);
        if !may_write {
            self.tell_aside(session, None);
        } else if greeting != Greeting::Never {
            let reply = Reply::SyncStep1 { state_vector: StateVector::default().encode() };
            self.effects.push(Effect::Send { session, reply });
        }
    }

    /// What a session that is set aside holds.
    fn bring(&mut self, session: SessionId, update: &Linted) {
        let (len, keeping_bytes) = (update.bytes.len(), self.lineage.keeping_bytes());
        // As with updates that wait: beyond the limit sockets are not read, and what was on its way
        // may be as much again.
        let max = self.limits.waiting_bytes_max.saturating_mul(2);
        let has_room = keeping_bytes == 0 || keeping_bytes + len <= max;
        if update.summary.inserts.is_empty() || !has_room {
            return self.tell_aside(session, None);
        }
        let Some(aside) = self.lineage.aside.get_mut(&session) else { return };
        let author = aside.about.user.as_ref().and_then(|user| user.subject.clone());
        let extent = Extent::new(author.clone(), &update.summary);
        // Taken off until it is on disk: another copy that continues the same one, and comes meanwhile,
        // must not take the place of what this one brings.
        let kept = &mut self.lineage.kept;
        let replaces = kept.iter().rposition(|kept| extent.continues(&kept.extent));
        let replaces = replaces.map(|place| kept.remove(place).id);
        aside.until = None;
        aside.extent = Some(extent).filter(Extent::is_small);
        aside.bytes = len;
        let connection = aside.about.connection;
        let record = Record { connection, author, bytes: update.bytes.clone() };
        self.effects.push(Effect::KeepBranch { session, record, replaces });
    }

    /// What a session brought is on disk under this id, or could not be kept.
    pub(super) fn branch_kept(&mut self, session: SessionId, branch: Option<String>) {
        let aside = self.lineage.aside.get_mut(&session);
        let extent = aside.and_then(|aside| aside.extent.take());
        if let (Some(extent), Some(id)) = (extent, branch.clone()) {
            let kept = &mut self.lineage.kept;
            kept.retain(|kept| kept.id != id);
            if kept.len() == KEPT_MAX {
                kept.remove(0);
            }
            kept.push(Kept { id, extent });
        }
        self.tell_aside(session, branch);
    }

    /// The session is told, and its part is over.
    fn tell_aside(&mut self, session: SessionId, branch: Option<String>) {
        if self.lineage.aside.remove(&session).is_some() {
            self.effects.push(Effect::End { session, why: Ending::Retired { branch } });
        }
    }

    /// Whoever has brought nothing for long is told.
    pub(super) fn tell_silent_aside(&mut self, now: Duration) {
        let is_silent = |aside: &Aside| aside.until.is_some_and(|until| until <= now);
        let silent = self.lineage.aside.iter().filter(|(_, aside)| is_silent(aside));
        let silent: Vec<SessionId> = silent.map(|(session, _)| *session).collect();
        silent.into_iter().for_each(|session| self.tell_aside(session, None));
    }

    /// Nobody hears what becomes of it.
    pub(super) fn forget_aside(&mut self, session: SessionId) {
        self.lineage.aside.remove(&session);
    }

    /// Tells everybody who takes part, but some.
    pub(super) fn publish(&mut self, reply: Reply, mut except: Vec<SessionId>) {
        except.extend(self.lineage.sessions());
        if matches!(reply, Reply::Update { .. }) && !self.lineage.retired.is_empty() {
            let strangers = self.sessions.iter().filter(|(_, known)| known.is_stranger);
            except.extend(strangers.map(|(session, _)| *session));
        }
        self.effects.push(Effect::Publish { reply, except });
    }
}

#[cfg(test)]
mod tests;
