//! One reply to many sessions: encoded once per dialect, the same bytes in every outbox.
//!
//! Knows sessions only by their [`Port`]: an outbox and a dialect, or a request that waits. Never waits: a session whose
//! outbox is full is told to the caller, who stops publishing to it until [`Drained`] arrives.

mod outbox;
mod reflections;

use std::sync::Arc;

use actix::Recipient;
use tokio::sync::mpsc::UnboundedSender;

use crate::id::SessionId;
use crate::wire::{Dialect, Frame, Reply};

pub use outbox::{Close, Drained, Next, Outbox};
pub use reflections::Reflections;

/// Where the replies of one session go.
#[derive(Debug)]
pub struct Port {
    /// The session.
    pub session: SessionId,
    /// Where to.
    pub outlet: Outlet,
}

/// The two kinds of listeners.
#[derive(Debug)]
pub enum Outlet {
    /// A client on a socket, which hears everything.
    Socket {
        /// The queue of its connection.
        outbox: Arc<Outbox>,
        /// How its replies are put into bytes.
        dialect: Dialect,
        /// Its queue was full; it gets nothing published until it has drained.
        stalled: bool,
    },
    /// A request that waits for the answers to what it asked, and for nothing else.
    Request(UnboundedSender<Reply>),
}

impl Port {
    /// Queues a reply to this session alone.
    pub fn send(&self, reply: &Reply) {
        match &self.outlet {
            Outlet::Socket { outbox, dialect, .. } => {
                if let Some(frame) = dialect.encode(reply) {
                    outbox.push(frame);
                }
            }
            Outlet::Request(answers) => {
                // A request that was given up needs no answer.
                let _ = answers.send(reply.clone());
            }
        }
    }

    /// Says that the session may not take part: the word for it to clients that know such words, the
    /// sentence to all others.
    pub fn deny(&self, word: &str, sentence: &str) {
        let reply = match &self.outlet {
            Outlet::Socket { dialect: Dialect::Hocuspocus { .. }, .. } => {
                Reply::Denied { reason: word.into() }
            }
            Outlet::Socket { .. } => Reply::Denied { reason: sentence.into() },
            Outlet::Request(_) => Reply::NotSaved { reason: sentence.into(), lasting: true },
        };
        self.send(&reply);
    }

    /// Publishes to this session again.
    pub fn resume(&mut self) {
        if let Outlet::Socket { stalled, .. } = &mut self.outlet {
            *stalled = false;
        }
    }

    /// Asks for one [`Drained`] as soon as the queue is empty.
    pub fn notify_when_drained(&self, recipient: Recipient<Drained>) {
        if let Outlet::Socket { outbox, .. } = &self.outlet {
            outbox.notify_when_drained(self.session, recipient);
        }
    }

    /// The session has left.
    pub fn forget(&self) {
        if let Outlet::Socket { outbox, .. } = &self.outlet {
            outbox.forget(self.session);
        }
    }

    /// Tells the client that its part is over, in its own protocol: where the socket is the
    /// document it is closed, with `code`.
    pub fn end(&self, code: u16, reason: &str) {
        self.forget();
        match &self.outlet {
            Outlet::Socket { outbox, dialect: Dialect::YWebsocket | Dialect::YSweet, .. } => {
                outbox.close(Close { code, reason: reason.to_owned() });
            }
            Outlet::Socket { dialect: Dialect::Hocuspocus { .. }, .. } | Outlet::Request(_) => {
                self.send(&Reply::Closed { reason: reason.into() });
            }
        }
    }
}

/// Queues a reply in every port that has room, and returns the sessions that had none just now.
pub fn publish<'a>(ports: impl Iterator<Item = &'a mut Port>, reply: &Reply) -> Vec<SessionId> {
    let mut encoded = Encoded { reply, frames: Vec::new() };
    let mut full = Vec::new();
    for Port { session, outlet } in ports {
        let Outlet::Socket { outbox, dialect, stalled: stalled @ false } = outlet else { continue };
        let Some(frame) = encoded.frame(dialect) else { continue };
        if !outbox.offer(frame) {
            *stalled = true;
            full.push(*session);
        }
    }
    full
}

/// The frames of one reply, one for each dialect and address met so far.
struct Encoded<'a> {
    reply: &'a Reply,
    frames: Vec<(Dialect, Option<Frame>)>,
}

/// Session-aware addresses are unlike each other; beyond this many they are not remembered.
const FRAMES_REMEMBERED_MAX: usize = 4;

impl Encoded<'_> {
    fn frame(&mut self, dialect: &Dialect) -> Option<Frame> {
        if let Some((_, frame)) = self.frames.iter().find(|(known, _)| known == dialect) {
            return frame.clone();
        }
        let frame = dialect.encode(self.reply);
        if self.frames.len() < FRAMES_REMEMBERED_MAX {
            self.frames.push((dialect.clone(), frame.clone()));
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn port(session: u64, bytes_max: usize, dialect: Dialect) -> Port {
        let outbox = Arc::new(Outbox::new(bytes_max));
        let outlet = Outlet::Socket { outbox, dialect, stalled: false };
        Port { session: SessionId(session), outlet }
    }

    fn outbox(port: &Port) -> &Outbox {
        match &port.outlet {
            Outlet::Socket { outbox, .. } => outbox,
            Outlet::Request(_) => panic!("a socket was expected"),
        }
    }

    #[test]
    fn all_sessions_of_a_dialect_share_the_same_bytes() {
        let address = "d".into();
        let dialects = [
            Dialect::YWebsocket,
            Dialect::YWebsocket,
            Dialect::Hocuspocus { address },
            Dialect::Hocuspocus { address: "d".into() },
        ];
        let mut ports: Vec<_> = (1..).zip(dialects).map(|(n, d)| port(n, 1000, d)).collect();
        let update = Bytes::from_static(&[0, 0]);
        assert!(publish(ports.iter_mut(), &Reply::Update { update }).is_empty());
        let heads: Vec<_> = ports
            .iter()
            .map(|port| match outbox(port).try_next() {
                Some(Next::Frame(frame)) => frame.head.as_ptr(),
                other => panic!("a frame was expected, not {other:?}"),
            })
            .collect();
        assert_eq!(heads[0], heads[1]);
        assert_eq!(heads[2], heads[3]);
        assert_ne!(heads[0], heads[2]);
    }

    #[test]
    fn only_the_newest_ping_is_answered_and_ahead_of_what_waits() {
        let outbox = Outbox::new(100);
        let update = Reply::Update { update: Bytes::from_static(&[0, 0]) };
        outbox.push(Dialect::YWebsocket.encode(&update).expect("a frame"));
        (0..=9).for_each(|n| outbox.pong(Bytes::copy_from_slice(&[n])));
        assert!(matches!(outbox.try_next(), Some(Next::Pong(payload)) if *payload == [9]));
        assert!(matches!(outbox.try_next(), Some(Next::Frame(_))));
        assert!(outbox.try_next().is_none() && outbox.take_pong().is_none());
    }

    #[test]
    fn a_full_outbox_is_reported_once_and_then_left_alone() {
        let mut ports = [port(1, 8, Dialect::YWebsocket), port(2, 800, Dialect::YWebsocket)];
        let update = Reply::Update { update: Bytes::from_static(&[0, 0]) };
        assert!(publish(ports.iter_mut(), &update).is_empty());
        assert_eq!(publish(ports.iter_mut(), &update), [SessionId(1)]);
        assert!(publish(ports.iter_mut(), &update).is_empty());
        assert_eq!(outbox(&ports[0]).bytes(), 5);
        assert_eq!(outbox(&ports[1]).bytes(), 15);
    }
}
