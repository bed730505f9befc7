//! What must be true when the storm is over: everything settles by itself, everybody has the same
//! document, and it is the one that the log gives.

use std::collections::BTreeSet;
use std::time::Duration;

use coscribe::wire::Dialect;

use crate::client::{Client, Kind};
use crate::content::View;
use crate::link::ClientEnd;
use crate::world::Sim;

/// Steps in which everything must have settled; the most that was seen is a tenth of it.
const STEPS_MAX: usize = 20_000;

/// Longer than the longest wait for another try, shorter than what ends awareness states.
const PATIENCE: Duration = Duration::from_secs(10);

impl Sim {
    /// Runs one seed to its end.
    pub fn run_to_end(&mut self) {
        self.storm();
        self.trace.note(|| "the storm is over".into());
        self.heal();
        self.settle();
        self.renew_all();
        self.check_all();
        self.join_fresh();
        self.settle();
        self.renew_all();
        self.check_all();
        self.all_leave();
    }

    fn heal(&mut self) {
        self.is_outage = false;
        self.plan.weights.append_failures = 0;
        self.give_back();
        self.hostile.session.into_iter().for_each(|session| self.lose(session));
    }

    /// Lets everything happen that is due, time included.
    fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.is_disordered || !(self.calm_step() || self.wake_within(PATIENCE)) {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Time passes and every client says again that it is here, as stock clients do; more than once
    /// where the first time may be drowned by what somebody has lied about it.
    fn renew_all(&mut self) {
        let rounds = if self.plan.weights.hostile > 0 { 3 } else { 1 };
        for _ in 0..rounds {
            self.now += Duration::from_secs(15);
            for index in 0..self.clients.len() {
                if self.clients[index].session.is_some() {
                    self.renew(index);
                }
            }
            self.settle();
        }
    }

    /// Somebody who has nothing joins.
    fn join_fresh(&mut self) {
        let kind = Kind {
            id: 50,
            dialect: Dialect::YWebsocket,
            strict: false,
            may_write: true,
            reflects: false,
            is_seen: true,
        };
        self.clients.push(Client::new(kind));
    }

    fn check_all(&self) {
        if self.is_disordered {
            return;
        }
        let server = self.server.as_ref().expect("a document with people in it is live");
        assert!(!server.is_flushing, "a flush was never answered");
        assert!(!server.is_retiring, "a wish to retire was never answered");
        assert!(server.core.replica().is_some(), "the log was never read again");
        assert!(self.ledger.append().is_none() && self.ledger.is_all_durable());
        let expected = View::replay(self.ledger.rows().iter());
        let seen = self.clients.iter().filter(|client| client.kind.is_seen);
        let seen: BTreeSet<u64> = seen.map(|client| client.kind.id).collect();
        for client in &self.clients {
            let id = client.kind.id;
            assert_eq!(client.waits_for(), None, "client {id} waits for ever");
            let difference = View::of(&client.doc).difference(&expected);
            assert_eq!(difference, None, "client {id} is not the log");
            let sees: BTreeSet<u64> = client.sees().into_iter().collect();
            assert_eq!(sees, seen, "client {id} sees others than those who are here");
            for other in &self.clients {
                let (shown, own) = (client.state_of(other.kind.id), other.state_of(other.kind.id));
                assert_eq!(shown, own, "client {id} shows an old state of {}", other.kind.id);
            }
        }
        self.check_nothing_is_lost();
    }

    /// Nobody's text is gone because somebody else deleted what it was in: all of it was carried over, or
    /// is kept, once.
    fn check_nothing_is_lost(&self) {
        if self.ledger.examine_from().is_some() {
            // It could not be found out, and is when the document is opened again.
            return;
        }
        let kept = self.ledger.kept();
        for lost in self.past().orphans() {
            let is_kept = kept.iter().any(|text| text.contains(&lost.text));
            assert!(is_kept, "text is lost: {lost:?}");
        }
    }

    /// Everybody leaves; the document must be able to end, and the log to be read again.
    fn all_leave(&mut self) {
        for client in &mut self.clients {
            client.is_gone = true;
            client.session = None;
        }
        for link in self.links.values_mut() {
            link.client_end = ClientEnd::Gone;
        }
        self.settle();
        if self.is_disordered {
            return;
        }
        let server = self.server.as_ref().expect("nobody has asked it to end");
        assert!(server.core.is_idle(), "nobody is here and it is not idle");
        self.retire();
        self.settle();
        assert!(self.server.is_none(), "it does not end");
        let restored = self.ledger.load(0).expect("a log that can be read").replica;
        assert_eq!(restored.fingerprint(), self.ledger.durable().fingerprint());
    }
}
