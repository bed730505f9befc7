//! The one place that asks whether a message may pass.

use crate::access::Level;
use crate::document::input::Input;
use crate::id::SessionId;
use crate::wire::{Message, Scope, WireError, awareness};

/// What a level lets through, as an input for the document; `None` where the message is not for
/// the document at all.
///
/// # Errors
/// It cannot be read.
pub(super) fn admit(
    level: Level,
    session: SessionId,
    message: Message,
) -> Result<Option<Input>, WireError> {
    let may_write = may_write(level);
    let input = match message {
        Message::SyncStep1 { state_vector } => Input::SyncStep1 { session, state_vector },
        Message::SyncStep2 { update } => {
            Input::Update { session, bytes: update, whole: true, may_write }
        }
        Message::Update { update } => {
            Input::Update { session, bytes: update, whole: false, may_write }
        }
        Message::Awareness { body } => {
            Input::Awareness { session, entries: awareness::decode(body)? }
        }
        Message::QueryAwareness => Input::QueryAwareness { session },
        Message::Checkpoint { payload } => Input::Checkpoint { session, payload },
        // Readers do not talk to everybody's application.
        Message::Stateless { .. } if level < Level::Comment => return Ok(None),
        Message::Stateless { payload } => Input::Stateless { session, payload },
        Message::Token { .. } | Message::Close => return Ok(None),
    };
    Ok(Some(input))
}

/// Whether a level lets somebody change a document.
pub(super) fn may_write(level: Level) -> bool {
    level >= Level::Write
}

/// The level in the words of the wire.
pub(super) fn scope(level: Level) -> Scope {
    if may_write(level) { Scope::ReadWrite } else { Scope::ReadOnly }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_reader_is_marked_as_one_wherever_an_update_could_come_in() {
        let update = Bytes::from_static(&[0, 0]);
        for message in [Message::SyncStep2 { update: update.clone() }, Message::Update { update }] {
            let levels = [
                (Level::None, false),
                (Level::Read, false),
                (Level::Comment, false),
                (Level::Write, true),
                (Level::Admin, true),
            ];
            for (level, expected) in levels {
                match admit(level, SessionId(1), message.clone()) {
                    Ok(Some(Input::Update { may_write, .. })) => assert_eq!(may_write, expected),
                    other => panic!("an update was expected, not {other:?}"),
                }
            }
        }
        assert_eq!(scope(Level::Read), Scope::ReadOnly);
    }
}
