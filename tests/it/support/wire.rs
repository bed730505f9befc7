//! What clients and server say, written and read without the server's own `wire`.

use bytes::Bytes;

/// How a client talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    YWebsocket,
    YSweet,
    Hocuspocus,
}

impl Dialect {
    /// For tests that hold in both.
    pub const BOTH: [Self; 2] = [Self::YWebsocket, Self::Hocuspocus];

    /// For tests that hold in all of them.
    pub const ALL: [Self; 3] = [Self::YWebsocket, Self::YSweet, Self::Hocuspocus];
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Step1(Bytes),
    Step2(Bytes),
    Update(Bytes),
    /// Client id, clock, state.
    Awareness(Vec<(u64, u64, String)>),
    QueryAwareness,
    /// y-sweet's "everything before this is saved".
    Checkpoint(Bytes),
    /// "Send me a fresh token."
    TokenWanted,
    /// Access denied; on y-websocket also "this was not saved".
    Denied(String),
    /// The scope.
    Authenticated(String),
    Stateless(String),
    /// The document is closed, the socket is not.
    Closed(String),
    /// 1 saved, 0 not saved.
    Status(u64),
}

/// The first sync message: "this is what I have".
pub fn step_1(state_vector: &[u8]) -> Vec<u8> {
    sync(0, state_vector)
}

/// The answer to the server's first sync message.
pub fn step_2(update: &[u8]) -> Vec<u8> {
    sync(1, update)
}

/// A change.
pub fn update(update: &[u8]) -> Vec<u8> {
    sync(2, update)
}

/// Who is here: client id, clock, state.
pub fn awareness(entries: &[(u64, u64, &str)]) -> Vec<u8> {
    let mut body = var_uint(entries.len() as u64);
    for (client, clock, state) in entries {
        body.extend(var_uint(*client));
        body.extend(var_uint(*clock));
        body.extend(buffer(state.as_bytes()));
    }
    [vec![1], buffer(&body)].concat()
}

/// "Who is here?"
pub fn query_awareness() -> Vec<u8> {
    vec![3]
}

/// A login on Hocuspocus, as providers since 4.0 send it.
pub fn token(token: &str) -> Vec<u8> {
    [vec![2, 0], buffer(token.as_bytes()), buffer(b"4.8.0")].concat()
}

/// A message of the application on Hocuspocus.
pub fn stateless(text: &str) -> Vec<u8> {
    [vec![5], buffer(text.as_bytes())].concat()
}

/// y-sweet's "say this back when everything before it is saved".
pub fn checkpoint(payload: &[u8]) -> Vec<u8> {
    [vec![102], buffer(payload)].concat()
}

/// "I am leaving this document" on Hocuspocus.
pub fn close() -> Vec<u8> {
    vec![7]
}

/// A Hocuspocus frame.
pub fn addressed(address: &str, message: Vec<u8>) -> Vec<u8> {
    [buffer(address.as_bytes()), message].concat()
}

/// Reads one frame of the server: its address (empty on y-websocket) and what it says.
///
/// Panics where the frame is not exactly one message.
pub fn read(dialect: Dialect, frame: &Bytes) -> (String, Said) {
    let mut rest = &frame[..];
    let address = match dialect {
        Dialect::YWebsocket | Dialect::YSweet => String::new(),
        Dialect::Hocuspocus => take_text(&mut rest),
    };
    let kind = take_uint(&mut rest);
    let said = match (kind, dialect) {
        (0, _) => {
            let step = take_uint(&mut rest);
            let payload = Bytes::copy_from_slice(take_buffer(&mut rest));
            match step {
                0 => Said::Step1(payload),
                1 => Said::Step2(payload),
                2 => Said::Update(payload),
                step => panic!("unknown sync step {step}"),
            }
        }
        (1, _) => Said::Awareness(take_awareness(take_buffer(&mut rest))),
        (3, Dialect::Hocuspocus) => Said::QueryAwareness,
        (102, Dialect::YSweet) => Said::Checkpoint(Bytes::copy_from_slice(take_buffer(&mut rest))),
        (2, Dialect::YWebsocket | Dialect::YSweet) => {
            assert_eq!(take_uint(&mut rest), 0, "y-websocket knows one auth message");
            Said::Denied(take_text(&mut rest))
        }
        (2, Dialect::Hocuspocus) => match take_uint(&mut rest) {
            0 => Said::TokenWanted,
            1 => Said::Denied(take_text(&mut rest)),
            2 => Said::Authenticated(take_text(&mut rest)),
            other => panic!("unknown auth message {other}"),
        },
        (5, Dialect::Hocuspocus) => Said::Stateless(take_text(&mut rest)),
        (7, Dialect::Hocuspocus) => Said::Closed(take_text(&mut rest)),
        (8, Dialect::Hocuspocus) => {
            let status = take_uint(&mut rest);
            if status == 0 {
                assert!(!take_text(&mut rest).is_empty(), "what is not saved has a reason");
            }
            Said::Status(status)
        }
        (kind, _) => panic!("unknown message {kind}"),
    };
    assert!(rest.is_empty(), "one message a frame: {rest:?} is left");
    (address, said)
}

/// Seven bits a byte, lowest first.
pub fn var_uint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A length and so many bytes.
pub fn buffer(bytes: &[u8]) -> Vec<u8> {
    [var_uint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn sync(step: u8, payload: &[u8]) -> Vec<u8> {
    [vec![0, step], buffer(payload)].concat()
}

fn take_awareness(mut body: &[u8]) -> Vec<(u64, u64, String)> {
    let count = take_uint(&mut body);
    (0..count).map(|_| (take_uint(&mut body), take_uint(&mut body), take_text(&mut body))).collect()
}

fn take_text(rest: &mut &[u8]) -> String {
    String::from_utf8(take_buffer(rest).to_vec()).expect("text is UTF-8")
}

fn take_buffer<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let len = take_uint(rest) as usize;
    rest.split_off(..len).expect("the buffer is as long as it says")
}

fn take_uint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first().expect("the number ends");
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
