//! Writes edits as Yjs v1 updates: items whose neighbours are given, and deletions.
//!
//! Source of the format: Yjs 13.6, `src/structs/Item.js` and the `Content*.js` beside it.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use yrs::Any;

use super::super::decode::TypeKind;
use super::pieces::Piece;
use super::place::Spot;
use crate::crdt::lint::{Place, Span};
use crate::crdt::typist::{put, put_text};

const STRING: u8 = 4;
const EMBED: u8 = 5;
const FORMAT: u8 = 6;
const TYPE: u8 = 7;
const VALUES: u8 = 8;
const HAS_LEFT: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// Makes one update after the other under one client id.
pub(super) struct Writer {
    client: u64,
    clock: u32,
    /// Where the update that is being made begins.
    start: u32,
    items: u64,
    blocks: BytesMut,
}

/// Where an item goes.
struct Slot<'a> {
    left: Option<Place>,
    right: Option<Place>,
    parent: Option<Place>,
    key: Option<&'a str>,
}

impl Writer {
    pub(super) fn new(client: u64, clock: u32) -> Self {
        Self { client, clock, start: clock, items: 0, blocks: BytesMut::new() }
    }

    pub(super) fn clock(&self) -> u32 {
        self.clock
    }

    /// Everything that was written since a clock.
    pub(super) fn span_since(&self, start: u32) -> Span {
        Span { client: self.client, start, end: self.clock }
    }

    /// Writes pieces beside each other, and says where the last of them ends; `None` if there are none.
    pub(super) fn put(&mut self, spot: &Spot, pieces: &[Piece]) -> Option<Place> {
        let (mut left, mut end) = (spot.left, None);
        for piece in pieces {
            let (right, parent) = (spot.right, spot.parent);
            end = self.item(&Slot { left, right, parent, key: None }, piece).or(end);
            left = end.or(left);
        }
        end
    }

    /// Ends the update; `gone` is deleted with it.
    pub(super) fn finish(&mut self, gone: &[Span]) -> Bytes {
        let mut update = BytesMut::new();
        if self.items == 0 {
            put(&mut update, &[0]);
        } else {
            put(&mut update, &[1, self.items, self.client, self.start.into()]);
            update.extend_from_slice(&self.blocks);
        }
        put_gone(&mut update, gone);
        (self.start, self.items, self.blocks) = (self.clock, 0, BytesMut::new());
        update.freeze()
    }

    /// One item and what is in it; says where it ends, without what is in it.
    fn item(&mut self, slot: &Slot<'_>, piece: &Piece) -> Option<Place> {
        let len = match piece {
            Piece::Text(text) => text.encode_utf16().count() as u32,
            Piece::Values(values) => values.len() as u32,
            Piece::Format(..) | Piece::Embed(_) | Piece::Type { .. } => 1,
        };
        if len == 0 {
            return None;
        }
        self.head(slot, kind_of(piece));
        self.content(piece);
        let own = Place { client: self.client, clock: self.clock };
        self.clock += len;
        self.items += 1;
        if let Piece::Type { entries, inside, .. } = piece {
            let parent = Some(own);
            for (key, value) in entries {
                self.item(&Slot { left: None, right: None, parent, key: Some(key) }, value);
            }
            let spot = Spot { parent, ..Spot::default() };
            self.put(&spot, inside);
        }
        Some(Place { clock: own.clock + len - 1, ..own })
    }

    fn head(&mut self, slot: &Slot<'_>, kind: u8) {
        let flag = |is_there: bool, flag| if is_there { flag } else { 0 };
        let Slot { left, right, parent, key } = slot;
        let is_first = left.is_none() && right.is_none();
        self.blocks.put_u8(
            kind | flag(left.is_some(), HAS_LEFT)
                | flag(right.is_some(), HAS_RIGHT)
                | flag(key.is_some(), HAS_KEY),
        );
        for place in left.iter().chain(right) {
            put(&mut self.blocks, &[place.client, place.clock.into()]);
        }
        if let (true, Some(parent)) = (is_first, parent) {
            put(&mut self.blocks, &[0, parent.client, parent.clock.into()]);
            if let Some(key) = key {
                put_text(&mut self.blocks, key);
            }
        }
    }

    fn content(&mut self, piece: &Piece) {
        let blocks = &mut self.blocks;
        match piece {
            Piece::Text(text) => put_text(blocks, text),
            Piece::Format(key, value) => {
                put_text(blocks, key);
                put_text(blocks, &json(value));
            }
            Piece::Embed(value) => put_text(blocks, &json(value)),
            Piece::Values(values) => {
                put(blocks, &[values.len() as u64]);
                let mut bytes = Vec::new();
                values.iter().for_each(|value| value.encode(&mut bytes));
                blocks.extend_from_slice(&bytes);
            }
            Piece::Type { kind, tag, .. } => {
                put(blocks, &[type_number(*kind)]);
                if *kind == TypeKind::Element {
                    put_text(blocks, tag);
                }
            }
        }
    }
}

fn kind_of(piece: &Piece) -> u8 {
    match piece {
        Piece::Text(_) => STRING,
        Piece::Embed(_) => EMBED,
        Piece::Format(..) => FORMAT,
        Piece::Type { .. } => TYPE,
        Piece::Values(_) => VALUES,
    }
}

fn type_number(kind: TypeKind) -> u64 {
    match kind {
        TypeKind::Array => 0,
        TypeKind::Map => 1,
        TypeKind::Text => 2,
        TypeKind::Element => 3,
        TypeKind::Fragment => 4,
        TypeKind::XmlText => 6,
    }
}

fn json(value: &Any) -> String {
    let mut text = String::new();
    value.to_json(&mut text);
    text
}

fn put_gone(update: &mut BytesMut, gone: &[Span]) {
    let mut by_client: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
    for span in gone {
        by_client.entry(span.client).or_default().push((span.start, span.end));
    }
    put(update, &[by_client.len() as u64]);
    for (client, mut spans) in by_client.into_iter().rev() {
        spans.sort_unstable();
        spans.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            last.1 = if joins { last.1.max(next.1) } else { last.1 };
            joins
        });
        put(update, &[client, spans.len() as u64]);
        for (start, end) in spans {
            put(update, &[start.into(), (end - start).into()]);
        }
    }
}
