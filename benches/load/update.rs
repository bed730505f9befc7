//! The little of the Yjs update format (v1) that load needs: which clocks an update brings, and one
//! person's insert. The documents here hold one text of ASCII and nothing else.

/// Kinds of structs in an update.
const COLLECTED: u8 = 0;
const DELETED: u8 = 1;
const TEXT: u8 = 4;
const SKIP: u8 = 10;

/// Flags beside the kind.
const HAS_LEFT: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// The name of the one text in every document.
pub const TEXT_NAME: &str = "content";

/// Reads bytes from front to back; `None` where they end too early.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Seven bits a byte, lowest first.
    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A length and so many bytes.
    #[inline]
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// Appends a number.
pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Calls `each` with client id, first clock and the clock behind the last one of everything that an
/// update brings, in its order. `None` where the bytes are no update of a text.
pub fn clocks(update: &[u8], mut each: impl FnMut(u64, u32, u32)) -> Option<()> {
    let mut rest = Reader(update);
    for _ in 0..rest.number()? {
        let structs = rest.number()?;
        let client = rest.number()?;
        let mut clock = rest.number()? as u32;
        for _ in 0..structs {
            let info = rest.byte()?;
            let len = struct_len(&mut rest, info)?;
            if info & 0x1f != SKIP {
                each(client, clock, clock + len);
            }
            clock += len;
        }
    }
    Some(())
}

#[inline]
fn struct_len(rest: &mut Reader, info: u8) -> Option<u32> {
    let kind = info & 0x1f;
    if kind == COLLECTED || kind == SKIP {
        return Some(rest.number()? as u32);
    }
    for neighbour in [HAS_LEFT, HAS_RIGHT] {
        if info & neighbour != 0 {
            rest.number()?;
            rest.number()?;
        }
    }
    if info & (HAS_LEFT | HAS_RIGHT) == 0 {
        let in_root = rest.number()? == 1;
        if in_root {
            rest.bytes()?;
        } else {
            rest.number()?;
            rest.number()?;
        }
        if info & HAS_KEY != 0 {
            rest.bytes()?;
        }
    }
    match kind {
        DELETED => Some(rest.number()? as u32),
        TEXT => Some(rest.bytes()?.len() as u32),
        _ => None,
    }
}

/// Appends the update of a person who goes on typing: `text` behind that client's last character,
/// or at the start of the document where it has none.
pub fn put_insert(out: &mut Vec<u8>, client: u64, clock: u32, text: &[u8]) {
    put_insert_between(out, client, clock, (clock.checked_sub(1), None), text);
}

/// Appends the update that puts `text` between two characters of the same client, given by their
/// clocks; where there is none of them, at the start or the end of the document.
pub fn put_insert_between(
    out: &mut Vec<u8>,
    client: u64,
    clock: u32,
    (left, right): (Option<u32>, Option<u32>),
    text: &[u8],
) {
    out.extend_from_slice(&[1, 1]);
    put_number(out, client);
    put_number(out, u64::from(clock));
    let flag = |neighbour: Option<u32>, flag| if neighbour.is_some() { flag } else { 0 };
    out.push(TEXT | flag(left, HAS_LEFT) | flag(right, HAS_RIGHT));
    for neighbour in [left, right].into_iter().flatten() {
        put_number(out, client);
        put_number(out, u64::from(neighbour));
    }
    if left.is_none() && right.is_none() {
        // In a root of the document, whose name follows.
        out.push(1);
        put_bytes(out, TEXT_NAME.as_bytes());
    }
    put_bytes(out, text);
    // Nothing is deleted.
    out.push(0);
}

/// Appends the update that takes away what a client wrote from `clock` on.
pub fn put_delete(out: &mut Vec<u8>, client: u64, clock: u32, len: u32) {
    // Nothing is inserted; one client, one range.
    out.extend_from_slice(&[0, 1]);
    put_number(out, client);
    out.push(1);
    put_number(out, u64::from(clock));
    put_number(out, u64::from(len));
}

/// What can be wrong without showing: the clocks of merged, split, deleted and collected text, and
/// that the CRDT library takes what is written here.
pub fn check() {
    use yrs::updates::decoder::Decode;
    use yrs::{Doc, GetString, ReadTxn, StateVector, Transact, Update};

    let doc = Doc::new();
    let text = doc.get_or_insert_text(TEXT_NAME);
    let apply = |update: &[u8]| {
        let update = Update::decode_v1(update).expect("an update");
        doc.transact_mut().apply_update(update).expect("an update that fits");
    };
    let people = [1 << 30, (1 << 30) + 1];
    for clock in (0..40).step_by(4) {
        for client in people {
            let mut update = Vec::new();
            put_insert(&mut update, client, clock, b"abcd");
            let mut seen = Vec::new();
            clocks(&update, |client, from, to| seen.push((client, from, to))).expect("readable");
            assert_eq!(seen, [(client, clock, clock + 4)]);
            apply(&update);
        }
    }
    let mut update = Vec::new();
    put_delete(&mut update, people[0], 6, 3);
    assert_eq!(clocks(&update, |_, _, _| panic!("a delete brings no clocks")), Some(()));
    apply(&update);
    assert_eq!(text.get_string(&doc.transact()).len(), 80 - 3);
    let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
    for client in people {
        let mut next = 0;
        let walk = |of, from, to| {
            if of == client {
                assert_eq!(from, next, "clocks are brought in order");
                next = to;
            }
        };
        clocks(&state, walk).expect("readable");
        assert_eq!(next, 40, "the whole state brings all clocks");
    }
    for cut in 0..state.len() - 1 {
        // What is cut off in the delete set does not matter: it brings no clocks.
        let _ = clocks(&state[..cut], |_, _, _| {});
    }
    assert_eq!(clocks(&state[..state.len() / 4], |_, _, _| {}), None, "a torn update");
    // A gap of five, then collected text of three.
    let mut seen = Vec::new();
    clocks(&[1, 2, 9, 0, SKIP, 5, COLLECTED, 3, 0], |client, from, to| {
        seen.push((client, from, to))
    });
    assert_eq!(seen, [(9, 5, 8)]);
}
