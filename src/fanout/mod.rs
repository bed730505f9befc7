//! One reply to many sessions: encoded once per dialect, the same bytes in every outbox.
//!
//! Knows sessions only by their [`Port`]: an outbox and a dialect. Never waits: a session whose
//! outbox is full is told to the caller, who stops publishing to it until [`Drained`] arrives.

mod outbox;

use std::sync::Arc;

use crate::id::SessionId;
use crate::wire::{Dialect, Frame, Reply};

pub use outbox::{Close, Drained, Next, Outbox};

/// Where the replies of one session go.
#[derive(Debug)]
pub struct Port {
    /// The session.
    pub session: SessionId,
    /// The queue of its connection.
    pub outbox: Arc<Outbox>,
    /// How its replies are put into bytes.
    pub dialect: Dialect,
    /// Its queue was full; it gets nothing published until it has drained.
    pub stalled: bool,
}

impl Port {
    /// Queues a reply to this session alone.
    pub fn send(&self, reply: &Reply) {
        if let Some(frame) = self.dialect.encode(reply) {
            self.outbox.push(frame);
        }
    }
}

/// Queues a reply in every port that has room, and returns the sessions that had none just now.
pub fn publish<'a>(ports: impl Iterator<Item = &'a mut Port>, reply: &Reply) -> Vec<SessionId> {
    let mut encoded = Encoded { reply, frames: Vec::new() };
    let mut full = Vec::new();
    for port in ports.filter(|port| !port.stalled) {
        let Some(frame) = encoded.frame(&port.dialect) else { continue };
        if !port.outbox.offer(frame) {
            port.stalled = true;
            full.push(port.session);
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
        Port { session: SessionId(session), outbox, dialect, stalled: false }
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
            .map(|port| match port.outbox.try_next() {
                Some(Next::Frame(frame)) => frame.head.as_ptr(),
                other => panic!("a frame was expected, not {other:?}"),
            })
            .collect();
        assert_eq!(heads[0], heads[1]);
        assert_eq!(heads[2], heads[3]);
        assert_ne!(heads[0], heads[2]);
    }

    #[test]
    fn a_full_outbox_is_reported_once_and_then_left_alone() {
        let mut ports = [port(1, 8, Dialect::YWebsocket), port(2, 800, Dialect::YWebsocket)];
        let update = Reply::Update { update: Bytes::from_static(&[0, 0]) };
        assert!(publish(ports.iter_mut(), &update).is_empty());
        assert_eq!(publish(ports.iter_mut(), &update), [SessionId(1)]);
        assert!(publish(ports.iter_mut(), &update).is_empty());
        assert_eq!(ports[0].outbox.bytes(), 5);
        assert_eq!(ports[1].outbox.bytes(), 15);
    }
}
