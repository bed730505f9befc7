//! One connection's part in one document: joining, telling, leaving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::SendError;
use actix::{Addr, MailboxError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Services, rights};
use crate::access::{Access, Caller, Level, LoginError, Seat};
use crate::document::actor::{Denied, DocumentActor, Flush, Join, Joined, Tell};
use crate::document::input::{About, Ending, Greeting, Input};
use crate::fanout::{Outlet, Port, Reflections};
use crate::hub::{NoRoom, Open};
use crate::id::{ConnectionId, DocumentId, SessionId};
use crate::wire::{Dialect, Message, WireError};

/// A document may end between being found and being joined; so often it is looked for again.
const TRIES: usize = 5;

/// The longest wait for a crowded document before the socket looks around and comes back.
const CROWD_PATIENCE: Duration = Duration::from_secs(1);

/// Messages up to this size may fill a document's mailbox.
const LIGHT_BYTES_MAX: usize = 16 << 10;

/// Somebody who has been let into a document.
#[derive(Debug)]
pub struct Login {
    document: DocumentId,
    caller: Arc<Caller>,
    level: Level,
    /// Held while the session lasts.
    _seat: Option<Seat>,
}

/// A session that has joined. Dropping it leaves the document.
#[derive(Debug)]
pub struct Part {
    session: SessionId,
    login: Login,
    addr: Addr<DocumentActor>,
    crowded: watch::Receiver<bool>,
    reflections: Arc<Reflections>,
    /// It has said something in awareness.
    has_announced: bool,
    ended: Arc<AtomicBool>,
}

/// Why a document could not be joined. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The document says no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The server has no room.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The server is ending or overwhelmed.
    #[error("the document could not be reached; please try again")]
    Unreachable,
}

impl OpenError {
    /// Whether the document is not there any more.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Denied(Denied(Ending::Deleted)))
    }
}

impl From<MailboxError> for OpenError {
    fn from(_: MailboxError) -> Self {
        Self::Unreachable
    }
}

impl Login {
    /// Lets a caller into a document, as far as `access` does.
    ///
    /// # Errors
    /// Nothing is allowed, or the user has too many sessions.
    pub fn new(
        access: &Access,
        caller: Arc<Caller>,
        document: DocumentId,
    ) -> Result<Self, LoginError> {
        let level = access.admit(&caller, &document)?;
        let seat = access.seat(&caller)?;
        Ok(Self { document, caller, level, _seat: seat })
    }

    /// Into what.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// What the caller may do.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Who it is.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }
}

impl Part {
    /// Finds the document and joins it; the document is loaded where it is not live.
    ///
    /// # Errors
    /// [`OpenError`] is to be told to the client.
    pub async fn open(
        services: &Services,
        connection: ConnectionId,
        login: Login,
        outlet: impl Fn() -> Outlet,
    ) -> Result<Self, OpenError> {
        for _ in 0..TRIES {
            let addr = services.hub.send(Open(login.document.clone())).await??;
            let leaving = Leaving { session: services.next_session(), addr: Some(addr.clone()) };
            let session = leaving.session;
            let ended = Arc::new(AtomicBool::new(false));
            let port = Port { session, outlet: outlet() };
            let about = about(connection, &login, &port.outlet);
            match addr.send(Join { about, port, ended: ended.clone() }).await {
                Ok(joined) => {
                    let Joined { crowded, reflections } = joined?;
                    leaving.stay();
                    let has_announced = false;
                    return Ok(Self {
                        session,
                        login,
                        addr,
                        crowded,
                        reflections,
                        has_announced,
                        ended,
                    });
                }
                // It ended before it read our message: the hub finds or starts its successor.
                Err(MailboxError::Closed) => leaving.stay(),
                Err(MailboxError::Timeout) => return Err(OpenError::Unreachable),
            }
        }
        Err(OpenError::Unreachable)
    }

    /// Whether the document has ended this session.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || !self.addr.connected()
    }

    /// Who takes part.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Hands a message to the document, and waits while the document is crowded.
    ///
    /// Mailboxes are bounded in messages, not in bytes. So a large message, and one whose answer
    /// may be large, is waited for until it has been handled: a socket never has two of them on
    /// the way.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn tell(&mut self, message: Message) -> Result<(), WireError> {
        if let Message::Awareness { body } = &message {
            // The first says who it is: after a broken connection that may be what everybody was told
            // before.
            let is_first = !std::mem::replace(&mut self.has_announced, true);
            if !is_first && self.reflections.contain(body) {
                return Ok(());
            }
        }
        let heavy = is_heavy(&message);
        if let Some(input) = rights::admit(self.login.level, self.session, message)? {
            if heavy {
                // A document that has ended needs no message.
                let _ = self.addr.send(Tell(input)).await;
            } else {
                deliver(&self.addr, input).await;
            }
        }
        // The document's end is noticed by `is_ended`; whoever waits longer may have lost its rights.
        let _ = timeout(CROWD_PATIENCE, self.crowded.wait_for(|crowded| !crowded)).await;
        Ok(())
    }

    /// Asks `access` again; `Some` where what the session may do is not what it was.
    ///
    /// # Errors
    /// The session may not stay; what it sent and is not on its way to the log is turned down.
    pub async fn review(&mut self, access: &Access) -> Result<Option<Level>, LoginError> {
        match access.admit(&self.login.caller, &self.login.document) {
            Ok(level) => Ok(self.set_level(level).await),
            Err(e) => {
                self.withdraw().await;
                Err(e)
            }
        }
    }

    /// Goes on under a fresh login; `Some` where what the session may do is not what it was.
    ///
    /// # Errors
    /// The caller may not be here. The session goes on as it was.
    pub async fn renew(
        &mut self,
        access: &Access,
        caller: Arc<Caller>,
    ) -> Result<Option<Level>, LoginError> {
        let level = access.admit(&caller, &self.login.document)?;
        if caller.subject() != self.login.caller.subject() {
            self.login._seat = access.seat(&caller)?;
        }
        let same_user = caller.user() == self.login.caller.user();
        self.login.caller = caller;
        let changed = self.set_level(level).await;
        if changed.is_none() && !same_user {
            self.tell_rights().await;
        }
        Ok(changed)
    }

    /// Turns down what the session sent and is not on its way to the log.
    pub async fn withdraw(&mut self) {
        self.set_level(Level::None).await;
    }

    async fn set_level(&mut self, level: Level) -> Option<Level> {
        let before = std::mem::replace(&mut self.login.level, level);
        if rights::may_write(before) == rights::may_write(level) {
            return None;
        }
        self.tell_rights().await;
        Some(level)
    }

    async fn tell_rights(&self) {
        let (session, user) = (self.session, self.login.caller.user().cloned());
        let may_write = rights::may_write(self.login.level);
        deliver(&self.addr, Input::Rights { session, may_write, user }).await;
    }

    /// Waits until everything that this session sent is in the log, or will not get there.
    pub async fn flush(&self) {
        // A document that has ended has nothing left to flush.
        let _ = self.addr.send(Flush).await;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(Leaving { session: self.session, addr: Some(self.addr.clone()) });
    }
}

/// Says that a session has left, unless it stays: also when joining was given up half-way.
struct Leaving {
    session: SessionId,
    addr: Option<Addr<DocumentActor>>,
}

impl Leaving {
    fn stay(mut self) {
        self.addr = None;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let Some(addr) = self.addr.take() else { return };
        let left = Input::Left { session: self.session };
        actix_web::rt::spawn(async move { deliver(&addr, left).await });
    }
}

/// Waits only where the mailbox is full.
async fn deliver(addr: &Addr<DocumentActor>, input: Input) {
    if let Err(SendError::Full(tell)) = addr.try_send(Tell(input)) {
        // A document that has ended needs no message.
        let _ = addr.send(tell).await;
    }
}

/// Whether the message or its answer may be large.
fn is_heavy(message: &Message) -> bool {
    let asks = matches!(message, Message::SyncStep1 { .. } | Message::QueryAwareness);
    asks || message.len() > LIGHT_BYTES_MAX
}

fn about(connection: ConnectionId, login: &Login, outlet: &Outlet) -> About {
    let (greeting, strict) = match outlet {
        Outlet::Socket { dialect: Dialect::YWebsocket, .. } => (Greeting::AtJoin, false),
        // The step 2 that answers the greeting is what the first checkpoint waits for.
        Outlet::Socket { dialect: Dialect::YSweet, .. } => (Greeting::AtSync, false),
        Outlet::Socket { dialect: Dialect::Hocuspocus { .. }, .. } => (Greeting::AtSync, true),
        Outlet::Request(_) => (Greeting::Never, true),
    };
    let user = login.caller.user().cloned();
    About { connection, user, may_write: rights::may_write(login.level), greeting, strict }
}
