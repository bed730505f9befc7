//! A request's part in a document: it joins as any session does, asks one thing, and leaves.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Services;
use super::part::{Login, OpenError, Part};
use super::socket::due;
use crate::access::LoginError;
use crate::fanout::Outlet;
use crate::wire::{Message, Reply, Text};

/// An answer that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an exchange did not bring what was asked. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The document could not be joined.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The login ended, or is worth less, while the answer was waited for.
    #[error(transparent)]
    Over(#[from] LoginError),
    /// The update is not taken.
    #[error("{}", .0.as_str())]
    Refused(Text),
    /// The update builds on something that the server does not have.
    #[error("this change was not saved: it builds on changes that the server does not have")]
    Incomplete,
    /// The log does not work right now, or the document ended.
    #[error("{}", .0.as_str())]
    Unavailable(Text),
}

/// A session of a request.
struct Exchange<'a> {
    services: &'a Services,
    part: Part,
    answers: UnboundedReceiver<Reply>,
    changes: watch::Receiver<()>,
}

/// The document's whole state, as one Yjs v1 update. It holds what is in the log, nothing else.
///
/// # Errors
/// See [`ExchangeError`].
pub async fn read_state(services: &Services, login: Login) -> Result<Bytes, ExchangeError> {
    let mut exchange = Exchange::open(services, login).await?;
    let state_vector = Bytes::from_static(&[0]);
    exchange.tell(Message::SyncStep1 { state_vector }).await?;
    loop {
        match exchange.answer().await? {
            Reply::SyncStep2 { update } => return Ok(update),
            Reply::Closed { reason } => return Err(ExchangeError::Unavailable(reason)),
            _ => {}
        }
    }
}

/// Brings an update into the document; when this returns it is on disk.
///
/// # Errors
/// See [`ExchangeError`].
pub async fn apply_update(
    services: &Services,
    login: Login,
    update: Bytes,
) -> Result<(), ExchangeError> {
    let mut exchange = Exchange::open(services, login).await?;
    exchange.tell(Message::Update { update }).await?;
    loop {
        match exchange.answer().await? {
            Reply::Saved => return Ok(()),
            Reply::NotSaved { reason, lasting: true } => {
                return Err(ExchangeError::Refused(reason));
            }
            Reply::NotSaved { reason, lasting: false } | Reply::Closed { reason } => {
                return Err(ExchangeError::Unavailable(reason));
            }
            Reply::SyncStep1 { .. } => return Err(ExchangeError::Incomplete),
            _ => {}
        }
    }
}

impl<'a> Exchange<'a> {
    async fn open(services: &'a Services, login: Login) -> Result<Self, ExchangeError> {
        let mut changes = services.access.changes();
        // What has changed since the login was looked at is not missed.
        changes.mark_changed();
        let (tell, answers) = unbounded_channel();
        let connection = services.next_connection();
        let outlet = || Outlet::Request(tell.clone());
        let part = Part::open(services, connection, login, outlet).await?;
        Ok(Self { services, part, answers, changes })
    }

    async fn tell(&mut self, message: Message) -> Result<(), ExchangeError> {
        let told = self.part.tell(message).await;
        told.map_err(|e| ExchangeError::Refused(e.to_string().into()))
    }

    async fn answer(&mut self) -> Result<Reply, ExchangeError> {
        let unavailable = |why: &str| ExchangeError::Unavailable(why.into());
        let mut patience = pin!(sleep(PATIENCE));
        loop {
            let expires_at_ms = self.part.login().caller().expires_at_ms();
            tokio::select! {
                biased;
                () = due(&mut self.changes, expires_at_ms) => {
                    self.part.review(&self.services.access).await?;
                }
                answer = self.answers.recv() => {
                    let why = "the document had to be reopened; what was saved is safe";
                    return answer.ok_or_else(|| unavailable(why));
                }
                () = &mut patience => {
                    // What is answered "not now" is not written later.
                    self.part.withdraw().await;
                    return Err(unavailable("the document did not answer in time"));
                }
            }
        }
    }
}
