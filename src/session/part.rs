//! One connection's part in one document: joining, telling, leaving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::SendError;
use actix::{Addr, MailboxError};
use tokio::sync::watch;

use super::{Services, rights};
use crate::access::Level;
use crate::document::actor::{Denied, DocumentActor, Flush, Join, Joined, Tell};
use crate::document::input::{About, Greeting, Input};
use crate::fanout::{Outbox, Port};
use crate::hub::{NoRoom, Open};
use crate::id::{ConnectionId, DocumentId, SessionId};
use crate::wire::{Dialect, Message};

/// A document may end between being found and being joined; so often it is looked for again.
const TRIES: usize = 5;

/// Messages up to this size may fill a document's mailbox.
const LIGHT_BYTES_MAX: usize = 16 << 10;

/// A session that has joined. Dropping it leaves the document.
#[derive(Debug)]
pub struct Part {
    session: SessionId,
    level: Level,
    addr: Addr<DocumentActor>,
    crowded: watch::Receiver<bool>,
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

impl From<MailboxError> for OpenError {
    fn from(_: MailboxError) -> Self {
        Self::Unreachable
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
        document: &DocumentId,
        level: Level,
        outbox: &Arc<Outbox>,
        dialect: Dialect,
    ) -> Result<Self, OpenError> {
        for _ in 0..TRIES {
            let addr = services.hub.send(Open(document.clone())).await??;
            let leaving = Leaving { session: services.next_session(), addr: Some(addr.clone()) };
            let session = leaving.session;
            let ended = Arc::new(AtomicBool::new(false));
            let about = about(connection, &dialect);
            let (outbox, dialect) = (outbox.clone(), dialect.clone());
            let port = Port { session, outbox, dialect, stalled: false };
            match addr.send(Join { about, port, ended: ended.clone() }).await {
                Ok(joined) => {
                    let Joined { crowded } = joined?;
                    leaving.stay();
                    return Ok(Self { session, level, addr, crowded, ended });
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

    /// Hands a message to the document, and waits while the document is crowded.
    ///
    /// Mailboxes are bounded in messages, not in bytes. So a large message, and one whose answer
    /// may be large, is waited for until it has been handled: a socket never has two of them on
    /// the way.
    pub async fn tell(&mut self, message: Message) {
        let heavy = is_heavy(&message);
        if let Some(input) = rights::admit(self.level, self.session, message) {
            if heavy {
                // A document that has ended needs no message.
                let _ = self.addr.send(Tell(input)).await;
            } else {
                deliver(&self.addr, input).await;
            }
        }
        // The document's end is noticed by `is_ended`.
        let _ = self.crowded.wait_for(|crowded| !crowded).await;
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
    let bytes = match message {
        Message::SyncStep1 { .. } | Message::QueryAwareness => return true,
        Message::SyncStep2 { update } | Message::Update { update } => update.len(),
        Message::Awareness { entries } => entries.iter().map(|e| e.state.as_str().len()).sum(),
        Message::Stateless { payload } => payload.as_str().len(),
        Message::Token { .. } | Message::Close => 0,
    };
    bytes > LIGHT_BYTES_MAX
}

fn about(connection: ConnectionId, dialect: &Dialect) -> About {
    let (greeting, strict) = match dialect {
        Dialect::YWebsocket => (Greeting::AtJoin, false),
        Dialect::Hocuspocus { .. } => (Greeting::AtSync, true),
    };
    About { connection, author: None, greeting, strict }
}
