//! A name that has more than one life: purging, and clients that come back with old copies.

use std::collections::BTreeSet;

use coscribe::crdt::StateVector;
use coscribe::document::input::{Input, Record};
use coscribe::id::SessionId;
use coscribe::wire::{Message, Reply};

use crate::content::View;
use crate::ledger::linted;
use crate::link::Who;
use crate::world::Sim;

/// Numbers from here on are those of clients that started anew.
const FIRST_RENAMED: u64 = 1_000;

impl Sim {
    /// The deleted document is removed for good. Whoever had it live has been told before that, and
    /// nothing of it reaches the store any more.
    pub fn purge(&mut self) {
        if self.server.is_some() {
            self.hear_of_deletion();
        }
        for session in self.links.keys().copied().collect::<Vec<_>>() {
            self.lose(session);
        }
        self.ledger.purge();
        self.deleted_at = None;
    }

    /// A client throws away what it has, since it is of an earlier life.
    pub fn start_anew(&mut self, who: Who) {
        self.renamed += 1;
        let id = FIRST_RENAMED + self.renamed;
        match who {
            Who::Client(index) => {
                let keeps_copy = self.rng.u8(..4) == 0;
                self.clients[index].start_anew(id, keeps_copy);
            }
            Who::Hostile => self.hostile.start_anew(id),
        }
    }

    /// What the document learns of a client with this message.
    pub fn note_what_is_said(&mut self, session: SessionId, message: &Message) {
        let retired = self.ledger.retired();
        let (is_old, clears) = match message {
            Message::SyncStep1 { state_vector } => (names(state_vector, retired), true),
            Message::SyncStep2 { update } => (self.is_old(update), true),
            Message::Update { update } => (self.is_old(update), false),
            _ => return,
        };
        let Some(link) = self.links.get_mut(&session) else { return };
        link.is_of_earlier_life |= is_old;
        link.is_cleared |= clears && !is_old;
    }

    fn is_old(&self, update: &bytes::Bytes) -> bool {
        let limits = &self.plan.limits.lint;
        let summary = coscribe::crdt::lint::lint(update, limits);
        summary.is_ok_and(|summary| self.ledger.is_retired(&summary))
    }

    /// Content is for those who have said what they have, and for nobody with a copy of an earlier
    /// life.
    pub fn check_life(&self, session: SessionId, reply: &Reply) {
        let is_content = matches!(reply, Reply::Update { .. } | Reply::SyncStep2 { .. });
        let retired = self.ledger.retired();
        if !is_content || retired.is_empty() {
            return;
        }
        let link = &self.links[&session];
        assert!(link.is_cleared, "{session:?} is shown something and has not said what it has");
        assert!(!link.is_of_earlier_life, "{session:?} has an old copy and is shown the new text");
    }

    /// What a copy of an earlier life brought is to be kept: it stands alone, and nothing that its
    /// client has is missing.
    pub fn keep_branch(&mut self, session: SessionId, record: &Record, replaces: Option<String>) {
        let link = &self.links[&session];
        assert!(link.is_of_earlier_life, "a branch of {session:?}, which has no old copy");
        // Who lies about what it has may bring anything.
        if link.who != Who::Hostile {
            let summary = linted(&record.bytes).summary;
            assert!(self.ledger.is_retired(&summary), "a branch of this life");
            View::replay(std::iter::once(&record.bytes));
        }
        let server = self.server.as_mut().expect("a document that has effects");
        server.keeping.push_back((session, replaces));
    }

    /// A branch is on disk, or could not be kept.
    pub fn branch_ends(&mut self) {
        let fails = self.is_outage || self.rng.u8(..100) < self.plan.weights.append_failures;
        let kept = self.server.as_mut().and_then(|server| server.keeping.pop_front());
        let Some((session, replaces)) = kept else { return };
        let branch = (!fails).then(|| replaces.unwrap_or_else(|| format!("b{}", session.0)));
        self.input(Input::BranchKept { session, branch });
    }
}

fn names(state_vector: &[u8], clients: &BTreeSet<u64>) -> bool {
    let mut found = false;
    // Bytes that end early have said all they say.
    let _ = StateVector::each(state_vector, |client, clock| {
        found |= clock > 0 && clients.contains(&client);
    });
    found
}
