//! What changes while people are connected: rights, and whether there is a document at all.

use coscribe::document::input::Input;
use coscribe::id::{ConnectionId, SessionId};
use coscribe::wire::Reply;

use crate::link::{Down, Part, Who};
use crate::world::Sim;

impl Sim {
    /// Lets a client write that might not, takes it from one that might, and lets one come back
    /// that was shut out.
    pub fn change_rights(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if std::mem::take(&mut client.is_shut_out) && self.rng.bool() {
            return;
        }
        let may_write = !client.may_write;
        self.set_rights_of(index, may_write);
    }

    /// Takes all rights from a client: the shell withdraws the right to write and hangs up.
    pub fn revoke(&mut self, index: usize) {
        self.set_rights_of(index, false);
        self.clients[index].is_shut_out = true;
        self.clients[index].session.into_iter().for_each(|session| self.lose(session));
    }

    /// Everybody may again do what they may do by nature, and the document is there.
    pub fn give_back(&mut self) {
        self.undelete();
        for index in 0..self.clients.len() {
            self.clients[index].is_shut_out = false;
            let may_write = self.clients[index].kind.may_write;
            self.set_rights_of(index, may_write);
        }
    }

    /// Whether a session may write.
    pub fn may_write(&self, session: SessionId) -> bool {
        self.connections[&ConnectionId(session.0)].may_write
    }

    fn set_rights_of(&mut self, index: usize, may_write: bool) {
        self.clients[index].may_write = may_write;
        let who = Who::Client(index);
        let own = self.links.iter().filter(|(_, link)| link.who == who);
        for session in own.map(|(session, _)| *session).collect::<Vec<_>>() {
            self.set_rights(session, may_write);
        }
    }

    /// The shell tells the document of a change, where the session has joined.
    pub fn set_rights(&mut self, session: SessionId, may_write: bool) {
        // What came by a part that is over was allowed when it came.
        if self.may_write(session) == may_write || self.links[&session].part == Part::Over {
            return;
        }
        // What is due goes out now, by the rights that there were and not between the two answers.
        self.input(Input::Tick);
        let connection = self.connections.get_mut(&ConnectionId(session.0));
        connection.expect("a session of a connection").may_write = may_write;
        if !self.links[&session].is_here(self.starts) {
            return;
        }
        let here = self.who_is_here(session);
        self.input(Input::Rights { session, may_write, user: None });
        let link = &self.links[&session];
        if link.who != Who::Hostile {
            assert_eq!(link.part, Part::Here, "{session:?} loses its place with a right");
            assert_eq!(here, self.who_is_here(session), "with a right somebody's cursor goes");
        }
    }

    /// The server's answer to that question, where somebody is there to read it.
    fn who_is_here(&mut self, session: SessionId) -> Option<Reply> {
        let before = self.links[&session].down.len();
        self.input(Input::QueryAwareness { session });
        self.links[&session].down.iter().skip(before).find_map(|down| match down {
            Down::Reply(reply @ Reply::Awareness { .. }) => Some(reply.clone()),
            _ => None,
        })
    }

    /// The store forgets the document, with an fsync that covers its log; whoever has it live is told
    /// a little later.
    pub fn delete(&mut self) {
        let last = self.ledger.last();
        self.ledger.sync(last);
        self.deleted_at = Some(self.starts);
    }

    /// It is still live and has not been told.
    pub fn must_hear_of_its_deletion(&self) -> bool {
        self.server.as_ref().is_some_and(|server| self.deleted_at == Some(server.start))
    }

    /// The document hears that it has been deleted.
    pub fn hear_of_deletion(&mut self) {
        let Some(server) = &mut self.server else { return };
        server.is_deleted = true;
        server.is_failing = true;
        let start = server.start;
        self.input(Input::Deleted);
        assert!(self.server.is_none(), "a document that was deleted goes on");
        // What was written at all was written before the deletion.
        let last = self.ledger.last();
        self.ledger.sync(last);
        for link in self.links.values().filter(|link| link.start == start) {
            assert_eq!(link.part, Part::Over, "{:?} is in a document that was deleted", link.who);
        }
    }

    /// The document is there again as it was; not before everybody has heard that it was gone.
    pub fn undelete(&mut self) {
        if self.must_hear_of_its_deletion() {
            self.hear_of_deletion();
        }
        self.deleted_at = None;
    }
}
