//! An update taken apart, to be changed and put together again.
//!
//! Only what has passed the lint is taken apart, so whatever does not fit its format is a mistake of
//! ours; it is an error all the same, never a panic. Put together unchanged, an update means what it
//! meant, in the shortest encoding of its numbers. Source of the format: Yjs 13.6,
//! `src/utils/encoding.js` and `src/structs`.

use bytes::{BufMut, Bytes, BytesMut};

use super::any::Any;
use super::cursor::{Cursor, put_number, put_string};
use crate::crdt::{LintLimits, Linted};

/// Bits of an item's info byte.
const HAS_ORIGIN: u8 = 0b1000_0000;
const HAS_RIGHT_ORIGIN: u8 = 0b0100_0000;
const HAS_PARENT_KEY: u8 = 0b0010_0000;
const KIND: u8 = 0b0001_1111;

/// Kinds of type content that a name follows.
const XML_ELEMENT: u8 = 3;

/// One clock of a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub client: u64,
    pub clock: u32,
}

/// The clocks `start..end` of a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub client: u64,
    pub start: u32,
    pub end: u32,
}

/// A whole update.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts {
    pub sections: Vec<Section>,
    /// In order for each client id, and each client id in one piece.
    pub deletes: Vec<Span>,
}

/// Blocks of one client id, without gaps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub client: u64,
    pub start: u32,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// So many clocks of which nothing is left.
    Gc(u32),
    /// So many clocks that whoever wrote this waits for.
    Skip(u32),
    Item(Item),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub origin: Option<Place>,
    pub right_origin: Option<Place>,
    /// Only without neighbours; with one it is below what that is below.
    pub parent: Option<Parent>,
    /// Only with a parent.
    pub key: Option<String>,
    /// What the bytes say of a key where it is not written.
    pub is_keyed: bool,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parent {
    Root(String),
    Item(Place),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Deleted(u32),
    Binary(Bytes),
    Text(String),
    /// JSON.
    Embed(String),
    /// A key, and JSON.
    Format(String, String),
    /// A kind, and the name of an element.
    Type(u8, Option<String>),
    Values(Vec<Any>),
    Subdocument(String, Any),
}

impl Parts {
    /// Takes apart what has passed the lint.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of(update: &Bytes) -> Result<Self, String> {
        let linted = Linted::new(update.clone(), &LintLimits::default());
        linted.map_err(|e| e.to_string())?;
        Self::read(&mut Cursor::new(update)).ok_or_else(|| "it cannot be taken apart".to_owned())
    }

    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        let mut parts = Self::default();
        for _ in 0..from.number()? {
            let blocks = from.number()?;
            let (client, start) = (from.number()?, from.clock()?);
            let blocks = (0..blocks).map(|_| read_block(from)).collect::<Option<_>>()?;
            parts.sections.push(Section { client, start, blocks });
        }
        for _ in 0..from.number()? {
            let client = from.number()?;
            for _ in 0..from.number()? {
                let (start, len) = (from.clock()?, from.clock()?);
                parts.deletes.push(Span { client, start, end: start.checked_add(len)? });
            }
        }
        Some(parts)
    }

    /// As an update.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        put_number(&mut out, self.sections.len());
        for section in &self.sections {
            put_number(&mut out, section.blocks.len());
            put_number(&mut out, section.client);
            put_number(&mut out, section.start);
            section.blocks.iter().for_each(|block| put_block(&mut out, block));
        }
        let clients: Vec<&[Span]> =
            self.deletes.chunk_by(|one, next| one.client == next.client).collect();
        put_number(&mut out, clients.len());
        for spans in clients {
            put_number(&mut out, spans[0].client);
            put_number(&mut out, spans.len());
            for span in spans {
                put_number(&mut out, span.start);
                put_number(&mut out, span.end - span.start);
            }
        }
        out.freeze()
    }

    /// There is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && self.deletes.is_empty()
    }

    /// Every item, with the place of its first clock.
    pub fn items(&self) -> impl Iterator<Item = (Place, &Item)> {
        self.sections.iter().flat_map(Section::places).filter_map(|(place, block)| match block {
            Block::Item(item) => Some((place, item)),
            Block::Gc(_) | Block::Skip(_) => None,
        })
    }
}

impl Section {
    /// Every block, with the place of its first clock.
    pub fn places(&self) -> impl Iterator<Item = (Place, &Block)> {
        self.blocks.iter().scan(self.start, |clock, block| {
            let place = Place { client: self.client, clock: *clock };
            *clock += block.len();
            Some((place, block))
        })
    }

    /// All its clocks.
    pub fn span(&self) -> Span {
        let len: u32 = self.blocks.iter().map(Block::len).sum();
        Span { client: self.client, start: self.start, end: self.start + len }
    }
}

impl Block {
    /// How many clocks it takes.
    pub fn len(&self) -> u32 {
        match self {
            Self::Gc(len) | Self::Skip(len) => *len,
            Self::Item(item) => item.content.len(),
        }
    }

    /// Every place that it is attached to.
    pub fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let item = match self {
            Self::Item(item) => Some(item),
            Self::Gc(_) | Self::Skip(_) => None,
        };
        item.into_iter().flat_map(|item| {
            let parent = match &mut item.parent {
                Some(Parent::Item(place)) => Some(place),
                Some(Parent::Root(_)) | None => None,
            };
            [item.origin.as_mut(), item.right_origin.as_mut(), parent].into_iter().flatten()
        })
    }
}

impl Content {
    fn len(&self) -> u32 {
        match self {
            Self::Deleted(len) => *len,
            Self::Text(text) => text.encode_utf16().count() as u32,
            Self::Values(values) => values.len() as u32,
            _ => 1,
        }
    }
}

fn read_block(from: &mut Cursor<'_>) -> Option<Block> {
    let info = from.byte()?;
    match info {
        0 => return from.clock().map(Block::Gc),
        10 => return from.clock().map(Block::Skip),
        _ => {}
    }
    let origin = if info & HAS_ORIGIN != 0 { Some(read_place(from)?) } else { None };
    let right_origin = if info & HAS_RIGHT_ORIGIN != 0 { Some(read_place(from)?) } else { None };
    let is_beside = origin.is_some() || right_origin.is_some();
    let is_keyed = info & HAS_PARENT_KEY != 0;
    let parent = if is_beside { None } else { Some(read_parent(from)?) };
    let key = if !is_beside && is_keyed { Some(from.string()?) } else { None };
    let content = read_content(from, info & KIND)?;
    Some(Block::Item(Item { origin, right_origin, parent, key, is_keyed, content }))
}

fn read_place(from: &mut Cursor<'_>) -> Option<Place> {
    Some(Place { client: from.number()?, clock: from.clock()? })
}

fn read_parent(from: &mut Cursor<'_>) -> Option<Parent> {
    match from.number()? {
        1 => from.string().map(Parent::Root),
        _ => read_place(from).map(Parent::Item),
    }
}

fn read_content(from: &mut Cursor<'_>, kind: u8) -> Option<Content> {
    Some(match kind {
        1 => Content::Deleted(from.clock()?),
        3 => Content::Binary(Bytes::copy_from_slice(from.buffer()?)),
        4 => Content::Text(from.string()?),
        5 => Content::Embed(from.string()?),
        6 => Content::Format(from.string()?, from.string()?),
        7 => {
            let kind = from.byte()?;
            let name = if kind == XML_ELEMENT { Some(from.string()?) } else { None };
            Content::Type(kind, name)
        }
        8 => {
            let values = from.number()?;
            Content::Values((0..values).map(|_| Any::read(from)).collect::<Option<_>>()?)
        }
        9 => Content::Subdocument(from.string()?, Any::read(from)?),
        _ => return None,
    })
}

fn put_block(out: &mut BytesMut, block: &Block) {
    let item = match block {
        Block::Gc(len) => return put_gap(out, 0, *len),
        Block::Skip(len) => return put_gap(out, 10, *len),
        Block::Item(item) => item,
    };
    let flag = |is_so, bit| if is_so { bit } else { 0 };
    out.put_u8(
        kind(&item.content)
            | flag(item.origin.is_some(), HAS_ORIGIN)
            | flag(item.right_origin.is_some(), HAS_RIGHT_ORIGIN)
            | flag(item.is_keyed, HAS_PARENT_KEY),
    );
    for place in [item.origin, item.right_origin].into_iter().flatten() {
        put_place(out, place);
    }
    match &item.parent {
        Some(Parent::Root(name)) => {
            put_number(out, 1_u8);
            put_string(out, name);
        }
        Some(Parent::Item(place)) => {
            put_number(out, 0_u8);
            put_place(out, *place);
        }
        None => {}
    }
    if let Some(key) = &item.key {
        put_string(out, key);
    }
    put_content(out, &item.content);
}

fn put_gap(out: &mut BytesMut, info: u8, len: u32) {
    out.put_u8(info);
    put_number(out, len);
}

fn put_place(out: &mut BytesMut, place: Place) {
    put_number(out, place.client);
    put_number(out, place.clock);
}

fn kind(content: &Content) -> u8 {
    match content {
        Content::Deleted(_) => 1,
        Content::Binary(_) => 3,
        Content::Text(_) => 4,
        Content::Embed(_) => 5,
        Content::Format(..) => 6,
        Content::Type(..) => 7,
        Content::Values(_) => 8,
        Content::Subdocument(..) => 9,
    }
}

fn put_content(out: &mut BytesMut, content: &Content) {
    match content {
        Content::Deleted(len) => put_number(out, *len),
        Content::Binary(bytes) => {
            put_number(out, bytes.len());
            out.put_slice(bytes);
        }
        Content::Text(text) | Content::Embed(text) => put_string(out, text),
        Content::Format(key, value) => {
            put_string(out, key);
            put_string(out, value);
        }
        Content::Type(kind, name) => {
            out.put_u8(*kind);
            name.iter().for_each(|name| put_string(out, name));
        }
        Content::Values(values) => {
            put_number(out, values.len());
            values.iter().for_each(|value| value.put(out));
        }
        Content::Subdocument(guid, options) => {
            put_string(out, guid);
            options.put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;

    #[test]
    fn what_is_taken_apart_goes_together_again() {
        let mut desk = Desk::new(7, "body");
        let mut updates = Vec::new();
        for (at, by) in [(0..0, "héllo 😀"), (2..4, ""), (1..1, "xy"), (0..6, "z")] {
            updates.push(desk.replace(at, by).expect("a place in the text"));
        }
        // A map entry, an element with an attribute, a format, an embed, values, a binary, GC, deleted.
        updates.push(Bytes::from_static(&[
            1, 9, 1, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 119, 2, b'h', b'i', 7, 1, 1, b'x', 3, 1,
            b'p', 0x28, 0, 1, 1, 1, b'a', 3, 125, 0xc1, 1, 118, 1, 1, b'k', 117, 1, 126, 127, 0x86,
            1, 1, 4, b'b', b'o', b'l', b'd', 4, b't', b'r', b'u', b'e', 0x85, 1, 5, 2, b'{', b'}',
            0x83, 1, 6, 2, 9, 9, 0, 3, 0x81, 1, 7, 2, 0x84, 1, 12, 2, b'o', b'k', 1, 1, 1, 0, 1,
        ]));
        for update in updates {
            let parts = Parts::of(&update).expect("a sound update");
            assert_eq!(parts.encode(), update, "{parts:?}");
        }
    }

    #[test]
    fn what_is_no_update_is_an_error() {
        for bytes in [&[][..], &[1], &[1, 1, 1, 0, 4, 1, 1, b'r', 9, b'x', 0]] {
            Parts::of(&Bytes::copy_from_slice(bytes)).expect_err("no update");
        }
    }
}
