//! The WebSocket frames of a client, put together to messages (RFC 6455, section 5).
//!
//! Pure: bytes go in as they come, whole messages come out. A header is looked at before anything is
//! gathered: what is over the limit is noticed before it comes, and a large frame is announced, so
//! that room can be found for it first. What comes out never shares memory with what went in.

use bytes::Bytes;

use super::socket::Kind;

/// Frames over this size are announced by [`Step::Large`].
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// The longest frame header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// The most that a control frame may carry.
const CONTROL_BYTES_MAX: u64 = 125;

pub(super) const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
pub(super) const LENGTH_16: u8 = 126;
pub(super) const LENGTH_64: u8 = 127;

pub(super) const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// What is wrong with what a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The message is over the limit, in one frame or in all its fragments.
    TooBig,
    /// The message is over the limit for whoever has not been let in.
    Stranger,
    /// A large frame did not come to its end in time.
    TooSlow,
    /// A text message is not UTF-8.
    NotUtf8,
    /// The rules of the protocol are broken; the text is for people.
    Malformed(&'static str),
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A whole message.
    Message(Kind, Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// A sign of life.
    Pong,
    /// The client closes, with its code if it gave one.
    Close(Option<u16>),
}

/// How far the bytes went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All of them were taken.
    Starved,
    /// A frame of so many bytes begins. Nothing of it is gathered before the next call.
    Large(u64),
    /// Something is complete.
    Event(Event),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Data(Kind),
    Close,
    Ping,
    Pong,
}

/// A frame whose header is there.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    mask: [u8; 4],
    length: usize,
    /// Bytes that have come.
    taken: usize,
}

/// Where in the stream of frames the next byte stands.
#[derive(Debug)]
pub(super) struct Frames {
    bytes_max: u64,
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    frame: Option<Frame>,
    /// Of the message whose first fragment has come.
    kind: Option<Kind>,
    message: Vec<u8>,
    /// Control frames may come between the fragments of a message.
    control: Vec<u8>,
}

impl Frames {
    /// For messages of up to `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: bytes_max as u64,
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            frame: None,
            kind: None,
            message: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Takes bytes up to the end of a message, or to the start of a large frame.
    ///
    /// # Errors
    /// The client breaks the rules; nothing that comes after can be read.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Result<Step, Fault> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    if !self.take_header(input) {
                        return Ok(Step::Starved);
                    }
                    let frame = self.read_header()?;
                    let length = frame.length as u64;
                    if length > SMALL_BYTES_MAX {
                        self.frame = Some(frame);
                        return Ok(Step::Large(length));
                    }
                    frame
                }
            };
            self.gather(&mut frame, input);
            if frame.taken < frame.length {
                self.frame = Some(frame);
                return Ok(Step::Starved);
            }
            if let Some(event) = self.finish(&frame)? {
                return Ok(Step::Event(event));
            }
        }
    }

    /// Whether a message has begun whose last fragment has not come.
    pub(super) fn is_inside_message(&self) -> bool {
        self.kind.is_some()
    }

    /// Whether a large frame has begun and not come to its end.
    pub(super) fn is_inside_large(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| frame.length as u64 > SMALL_BYTES_MAX)
    }

    /// Says whether the header is complete.
    fn take_header(&mut self, input: &mut &[u8]) -> bool {
        while self.header_len < self.header_size() {
            let Some((&first, rest)) = input.split_first() else { return false };
            self.header[self.header_len] = first;
            self.header_len += 1;
            *input = rest;
        }
        true
    }

    /// Bytes of the header, as far as it is known; grows while it is read.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let length = match self.header[1] & LENGTH {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        2 + length + if self.header[1] & MASKED == 0 { 0 } else { 4 }
    }

    fn read_header(&mut self) -> Result<Frame, Fault> {
        let [first, second, ..] = self.header;
        if first & RESERVED != 0 {
            return Err(Fault::Malformed("reserved bits are set"));
        }
        if second & MASKED == 0 {
            return Err(Fault::Malformed("a frame has no mask"));
        }
        let opcode = match first & OPCODE {
            CONTINUATION => Opcode::Continuation,
            TEXT => Opcode::Data(Kind::Text),
            BINARY => Opcode::Data(Kind::Binary),
            CLOSE => Opcode::Close,
            PING => Opcode::Ping,
            PONG => Opcode::Pong,
            _ => return Err(Fault::Malformed("the opcode of a frame is unknown")),
        };
        let size = self.header_size();
        let length = match second & LENGTH {
            LENGTH_16 | LENGTH_64 => {
                let field = &self.header[2..size - 4];
                field.iter().fold(0, |length, byte| length << 8 | u64::from(*byte))
            }
            length => u64::from(length),
        };
        let is_final = first & FINAL != 0;
        self.check(opcode, is_final, length)?;
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.header[size - 4..size]);
        self.header_len = 0;
        // It is within a limit that is a `usize`.
        Ok(Frame { opcode, is_final, mask, length: length as usize, taken: 0 })
    }

    /// Whether such a frame may come now.
    fn check(&self, opcode: Opcode, is_final: bool, length: u64) -> Result<(), Fault> {
        match (opcode, self.kind) {
            (Opcode::Data(_), Some(_)) => {
                return Err(Fault::Malformed("a message begins inside another"));
            }
            (Opcode::Continuation, None) => {
                return Err(Fault::Malformed("there is no message to continue"));
            }
            (Opcode::Data(_) | Opcode::Continuation, _) => {}
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                if !is_final || length > CONTROL_BYTES_MAX {
                    return Err(Fault::Malformed("a control frame is fragmented or too long"));
                }
                return Ok(());
            }
        }
        let message = length.saturating_add(self.message.len() as u64);
        if message > self.bytes_max { Err(Fault::TooBig) } else { Ok(()) }
    }

    fn gather(&mut self, frame: &mut Frame, input: &mut &[u8]) {
        let left = frame.length - frame.taken;
        let (taken, rest) = input.split_at(left.min(input.len()));
        *input = rest;
        let gathered = match frame.opcode {
            Opcode::Data(_) | Opcode::Continuation => &mut self.message,
            Opcode::Close | Opcode::Ping | Opcode::Pong => &mut self.control,
        };
        if gathered.is_empty() {
            gathered.reserve_exact(left);
        }
        let start = gathered.len();
        gathered.extend_from_slice(taken);
        let mut mask = frame.mask;
        mask.rotate_left(frame.taken % 4);
        unmask(&mut gathered[start..], mask);
        frame.taken += taken.len();
    }

    /// A frame is complete; with it a message may be.
    fn finish(&mut self, frame: &Frame) -> Result<Option<Event>, Fault> {
        let event = match frame.opcode {
            Opcode::Ping => Event::Ping(std::mem::take(&mut self.control).into()),
            Opcode::Pong => {
                self.control = Vec::new();
                Event::Pong
            }
            Opcode::Close => Event::Close(close_code(&std::mem::take(&mut self.control))?),
            Opcode::Data(kind) if !frame.is_final => {
                self.kind = Some(kind);
                return Ok(None);
            }
            Opcode::Continuation if !frame.is_final => return Ok(None),
            Opcode::Data(kind) => self.message(kind)?,
            Opcode::Continuation => {
                let kind = self.kind.take().unwrap_or(Kind::Binary);
                self.message(kind)?
            }
        };
        Ok(Some(event))
    }

    fn message(&mut self, kind: Kind) -> Result<Event, Fault> {
        let message = std::mem::take(&mut self.message);
        if kind == Kind::Text && std::str::from_utf8(&message).is_err() {
            return Err(Fault::NotUtf8);
        }
        Ok(Event::Message(kind, message.into()))
    }
}

/// What stands in a close frame: nothing, or a code and a text.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let (code, text) = match payload {
        [] => return Ok(None),
        [_] => return Err(Fault::Malformed("a close frame has half a code")),
        [high, low, text @ ..] => (u16::from_be_bytes([*high, *low]), text),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::Malformed("a close frame has a code that is never sent"));
    }
    if std::str::from_utf8(text).is_err() {
        return Err(Fault::Malformed("the text of a close frame is not UTF-8"));
    }
    Ok(Some(code))
}

/// Eight bytes at a time, which the compiler makes more of.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: u8 = 0;

    /// A masked frame as clients send it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = header(first, payload.len() as u64);
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn header(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(MASKED | length as u8),
            126..65_536 => {
                bytes.push(MASKED | LENGTH_16);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | LENGTH_64);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes
    }

    /// Everything that comes of bytes that arrive in pieces.
    fn read(bytes_max: usize, bytes: &[u8], piece: usize) -> Result<Vec<Event>, Fault> {
        let (mut frames, mut events) = (Frames::new(bytes_max), Vec::new());
        for mut input in bytes.chunks(piece.max(1)) {
            loop {
                match frames.take(&mut input)? {
                    Step::Starved => break,
                    Step::Large(length) => assert!(length > SMALL_BYTES_MAX),
                    Step::Event(event) => events.push(event),
                }
            }
            assert!(input.is_empty());
        }
        Ok(events)
    }

    fn payload(length: usize) -> Vec<u8> {
        (0..length).map(|index| index as u8).collect()
    }

    #[test]
    fn messages_within_the_limit_pass_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000];
        let sent = lengths.iter().flat_map(|&length| frame(FINAL | BINARY, &payload(length)));
        let sent: Vec<u8> = sent.collect();
        for piece in [1, 2, 7, 1000, sent.len()] {
            let messages = lengths.map(|n| Event::Message(Kind::Binary, payload(n).into()));
            assert_eq!(read(70_000, &sent, piece), Ok(messages.into()), "pieces of {piece}");
        }
    }

    #[test]
    fn fragments_come_out_whole_and_control_frames_pass_between_them() {
        let sent = [
            frame(TEXT, "grü".as_bytes()),
            frame(FINAL | PING, b"?"),
            frame(MORE, &"ß".as_bytes()[..1]),
            frame(FINAL | PONG, b""),
            frame(FINAL | MORE, &"ß".as_bytes()[1..]),
            frame(FINAL | CLOSE, &[3, 232, b'!']),
        ]
        .concat();
        let events = vec![
            Event::Ping(Bytes::from_static(b"?")),
            Event::Pong,
            Event::Message(Kind::Text, "grüß".into()),
            Event::Close(Some(1000)),
        ];
        for piece in [1, 3, sent.len()] {
            assert_eq!(read(1000, &sent, piece), Ok(events.clone()), "pieces of {piece}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_noticed_before_the_payload_comes() {
        for length in [1001, 1 << 30, 1 << 62, u64::MAX] {
            let mut sent = header(FINAL | BINARY, length);
            sent.extend([0; 4]);
            assert_eq!(read(1000, &sent, sent.len()), Err(Fault::TooBig));
        }
    }

    #[test]
    fn fragments_count_together_and_pings_between_them_do_not() {
        let within = [
            frame(BINARY, &payload(600)),
            frame(FINAL | PING, &payload(100)),
            frame(FINAL | MORE, &payload(400)),
        ];
        assert_eq!(read(1000, &within.concat(), 5000).map(|events| events.len()), Ok(2));
        let beyond = [frame(BINARY, &payload(600)), frame(FINAL | MORE, &payload(401))];
        assert_eq!(read(1000, &beyond.concat(), 5000), Err(Fault::TooBig));
    }

    #[test]
    fn a_large_frame_is_announced_before_any_of_it_is_gathered() {
        let sent = frame(FINAL | BINARY, &payload(100_000));
        let (mut frames, mut input) = (Frames::new(1 << 20), &sent[..]);
        assert_eq!(frames.take(&mut input), Ok(Step::Large(100_000)));
        assert_eq!((frames.message.capacity(), input.len()), (0, 100_000));
        assert!(frames.is_inside_large());
        assert!(matches!(frames.take(&mut input), Ok(Step::Event(Event::Message(..)))));
        assert!(!frames.is_inside_large());
    }

    #[test]
    fn what_breaks_the_rules_is_a_fault() {
        let compressed = 0x40;
        let unmasked = vec![FINAL | BINARY, 1, b'x'];
        let broken = [
            frame(compressed | FINAL | BINARY, b"x"),
            unmasked,
            frame(FINAL | 3, b"x"),
            frame(FINAL | 11, b"x"),
            frame(PING, b"x"),
            frame(FINAL | PING, &payload(126)),
            frame(FINAL | MORE, b"x"),
            [frame(BINARY, b"x"), frame(FINAL | BINARY, b"y")].concat(),
            frame(FINAL | CLOSE, &[3]),
            frame(FINAL | CLOSE, &1005_u16.to_be_bytes()),
            frame(FINAL | CLOSE, &[3, 232, 0xff]),
        ];
        for sent in broken {
            let fault = read(1000, &sent, sent.len());
            assert!(matches!(fault, Err(Fault::Malformed(_))), "{sent:?}: {fault:?}");
        }
        let text = [frame(TEXT, &[0xf0, 0x9f]), frame(FINAL | MORE, b"A")].concat();
        assert_eq!(read(1000, &text, text.len()), Err(Fault::NotUtf8));
    }
}
