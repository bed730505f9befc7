//! What a client says and hears, in bytes, whatever the dialect.
//!
//! The mirror of `wire`, which reads what clients write. Source: `docs/protocol.md`.

use bytes::{Bytes, BytesMut};

use super::Dialect;
use crate::wire::WireError;
use crate::wire::lib0::{Reader, put_var_bytes, put_var_uint};

/// Message types that all dialects share.
const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
/// Hocuspocus only.
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;
/// y-sweet only.
const CHECKPOINT: u64 = 102;

/// What a client says.
pub(super) enum Say<'a> {
    /// A login; the token may be empty (Hocuspocus).
    Login(&'a str),
    /// "This is what I have."
    Step1(&'a [u8]),
    /// "This is what you lacked."
    Step2(&'a [u8]),
    /// A change.
    Update(&'a [u8]),
    /// An awareness body.
    Awareness(&'a [u8]),
    /// "Say this back when everything before it is saved" (y-sweet).
    Checkpoint,
}

/// What a server says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// "This is what I have; send me the rest."
    Step1(Bytes),
    /// The answer to the client's step 1.
    Step2(Bytes),
    /// What has changed.
    Update(Bytes),
    /// Everything before the checkpoint is saved.
    Checkpoint,
    /// An update is saved, or not (Hocuspocus).
    Status(bool),
    /// The document is denied, or a change was not taken.
    Denied(String),
    /// The document is closed (Hocuspocus).
    Closed(String),
    /// Anything else: logins, who is here.
    Other,
}

/// One frame; `document` stands in front where the dialect has addresses.
pub(super) fn encode(dialect: Dialect, document: &str, say: &Say) -> Bytes {
    let mut out = BytesMut::new();
    if dialect == Dialect::Hocuspocus {
        put_var_bytes(&mut out, document.as_bytes());
    }
    let mut put = |head: &[u64], body: &[u8]| {
        head.iter().for_each(|number| put_var_uint(&mut out, *number));
        put_var_bytes(&mut out, body);
    };
    match say {
        Say::Login(token) => put(&[AUTH, 0], token.as_bytes()),
        Say::Step1(vector) => put(&[SYNC, 0], vector),
        Say::Step2(update) => put(&[SYNC, 1], update),
        Say::Update(update) => put(&[SYNC, 2], update),
        Say::Awareness(body) => put(&[AWARENESS], body),
        Say::Checkpoint => put(&[CHECKPOINT], &[1]),
    }
    out.freeze()
}

/// Reads one frame of a server.
pub(super) fn decode(dialect: Dialect, frame: Bytes) -> Result<Heard, WireError> {
    let mut reader = Reader::new(frame);
    if dialect == Dialect::Hocuspocus {
        reader.var_bytes()?;
    }
    let text = |reader: &mut Reader| reader.var_string().map(|text| text.as_str().to_owned());
    Ok(match (reader.var_uint()?, dialect) {
        (SYNC, _) => match (reader.var_uint()?, reader.var_bytes()?) {
            (0, vector) => Heard::Step1(vector),
            (1, update) => Heard::Step2(update),
            (2, update) => Heard::Update(update),
            (kind, _) => return Err(WireError::UnknownSubType { of: SYNC, kind }),
        },
        (AUTH, Dialect::Hocuspocus) => match reader.var_uint()? {
            1 => Heard::Denied(text(&mut reader)?),
            _ => Heard::Other,
        },
        (AUTH, _) => {
            reader.var_uint()?;
            Heard::Denied(text(&mut reader)?)
        }
        (CLOSE, Dialect::Hocuspocus) => Heard::Closed(text(&mut reader)?),
        (SYNC_STATUS, Dialect::Hocuspocus) => Heard::Status(reader.var_uint()? == 1),
        (CHECKPOINT, Dialect::YSweet) => Heard::Checkpoint,
        _ => Heard::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Dialect as Server, awareness};
    use crate::wire::{Message, Reply, hocuspocus, y_sweet};

    #[test]
    fn the_server_reads_what_a_client_writes() {
        let update = Bytes::from_static(&[0, 0]);
        let body = awareness::encode([].iter());
        let token = Message::Token { token: "secret".into(), version: None };
        for (say, means) in [
            (Say::Login("secret"), token),
            (Say::Step1(&[0]), Message::SyncStep1 { state_vector: Bytes::from_static(&[0]) }),
            (Say::Step2(&update), Message::SyncStep2 { update: update.clone() }),
            (Say::Update(&update), Message::Update { update: update.clone() }),
            (Say::Awareness(&body), Message::Awareness { body: body.clone() }),
        ] {
            let read = hocuspocus::decode(encode(Dialect::Hocuspocus, "d", &say));
            let read = read.expect("an address and a type");
            assert_eq!((read.address.as_str(), read.message), ("d", Ok(means)));
        }
        let read = y_sweet::decode(encode(Dialect::YSweet, "d", &Say::Checkpoint));
        assert_eq!(read, Ok(Message::Checkpoint { payload: Bytes::from_static(&[1]) }));
    }

    #[test]
    fn a_client_reads_what_the_server_writes() {
        let update = Bytes::from_static(&[0, 0]);
        let heard = |dialect, server: &Server, reply: &Reply| {
            server.encode(reply).map(|frame| decode(dialect, frame.head))
        };
        let reply = Reply::Denied { reason: "no".into() };
        let collab = Server::Hocuspocus { address: "d".into() };
        for (dialect, server) in [
            (Dialect::YWebsocket, &Server::YWebsocket),
            (Dialect::YSweet, &Server::YSweet),
            (Dialect::Hocuspocus, &collab),
        ] {
            assert_eq!(heard(dialect, server, &reply), Some(Ok(Heard::Denied("no".into()))));
            let reply = Reply::Update { update: update.clone() };
            assert_eq!(heard(dialect, server, &reply), Some(Ok(Heard::Update(update.clone()))));
        }
        let reply = Reply::NotSaved { reason: "full".into(), lasting: true };
        let said = heard(Dialect::Hocuspocus, &collab, &reply);
        assert_eq!(said, Some(Ok(Heard::Status(false))));
        let reply = Reply::Checkpoint { payload: Bytes::from_static(&[1]) };
        let said = heard(Dialect::YSweet, &Server::YSweet, &reply);
        assert_eq!(said, Some(Ok(Heard::Checkpoint)));
    }
}
