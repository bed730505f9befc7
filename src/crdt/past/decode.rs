//! The blocks of one row, with their contents.
//!
//! For rows that have passed the lint: what is read here is there. Still nothing panics where a
//! row is not what it should be; it is an error.

use yrs::Any;
use yrs::encoding::read::Cursor;

use super::super::lint::{LintError, Place, Reader, Span};

/// Bits of an item's info byte, as the lint's reader has them.
const HAS_ORIGIN: u8 = 0b1000_0000;
const HAS_RIGHT_ORIGIN: u8 = 0b0100_0000;
const HAS_PARENT_KEY: u8 = 0b0010_0000;
const KIND: u8 = 0b0001_1111;
const GC: u8 = 0;

/// The blocks of one client id.
pub(super) struct Section<'a> {
    pub(super) client: u64,
    pub(super) blocks: Vec<Found<'a>>,
}

/// One block.
pub(super) struct Found<'a> {
    pub(super) span: Span,
    pub(super) origin: Option<Place>,
    pub(super) right_origin: Option<Place>,
    pub(super) parent: Hang<'a>,
    pub(super) content: Load<'a>,
}

/// Where an item hangs.
pub(super) enum Hang<'a> {
    /// Where its neighbours do.
    Beside,
    /// Below a named root, perhaps under a key.
    Root(&'a str, Option<&'a str>),
    /// Below an item, perhaps under a key.
    Item(Place, Option<&'a str>),
}

/// What a block brings.
pub(super) enum Load<'a> {
    /// Nothing, and no place in a list either.
    Gc,
    /// Nothing any more.
    Deleted,
    Text(&'a str),
    Embed(Any),
    Format(&'a str, Any),
    Values(Vec<Any>),
    Type(TypeKind, &'a str),
    /// Bytes and subdocuments: there, but nothing that is shown.
    Opaque,
}

/// Kinds of type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeKind {
    Array,
    Map,
    Text,
    Element,
    Fragment,
    XmlText,
}

/// Why a row that passed the lint cannot be read.
pub(super) fn sections<'a>(row: &'a [u8]) -> Result<Vec<Section<'a>>, String> {
    let mut reader = Reader::new(row);
    let text = |e: LintError| e.to_string();
    let count = reader.count(1).map_err(text)?;
    let mut sections = Vec::with_capacity(count);
    for _ in 0..count {
        let blocks = reader.count(1).map_err(text)?;
        let client = reader.client().map_err(text)?;
        let mut clock = reader.clock().map_err(text)?;
        let mut section = Section { client, blocks: Vec::with_capacity(blocks) };
        for _ in 0..blocks {
            let found = block(row, &mut reader, client, clock)?;
            clock = found.span.end;
            section.blocks.push(found);
        }
        sections.push(section);
    }
    Ok(sections)
}

fn block<'a>(
    row: &'a [u8],
    reader: &mut Reader<'a>,
    client: u64,
    clock: u32,
) -> Result<Found<'a>, String> {
    let text = |e: LintError| e.to_string();
    let info = reader.byte().map_err(text)?;
    if info == GC {
        let len = reader.clock().map_err(text)?;
        let span = reader.span(client, clock, u64::from(len)).map_err(text)?;
        let (parent, content) = (Hang::Beside, Load::Gc);
        return Ok(Found { span, origin: None, right_origin: None, parent, content });
    }
    let mut place = |bit| {
        if info & bit == 0 {
            return Ok(None);
        }
        reader.place().map(Some).map_err(text)
    };
    let (origin, right_origin) = (place(HAS_ORIGIN)?, place(HAS_RIGHT_ORIGIN)?);
    let parent = if origin.is_none() && right_origin.is_none() {
        parent(reader, info & HAS_PARENT_KEY != 0).map_err(text)?
    } else {
        Hang::Beside
    };
    let (content, len) = content(row, reader, info & KIND)?;
    let span = reader.span(client, clock, len).map_err(text)?;
    Ok(Found { span, origin, right_origin, parent, content })
}

fn parent<'a>(reader: &mut Reader<'a>, has_key: bool) -> Result<Hang<'a>, LintError> {
    let key = |reader: &mut Reader<'a>| has_key.then(|| reader.string()).transpose();
    if reader.clock()? == 0 {
        let place = reader.place()?;
        return Ok(Hang::Item(place, key(reader)?));
    }
    let name = reader.string()?;
    Ok(Hang::Root(name, key(reader)?))
}

/// A content and how many clocks it takes.
fn content<'a>(
    row: &'a [u8],
    reader: &mut Reader<'a>,
    kind: u8,
) -> Result<(Load<'a>, u64), String> {
    let text = |e: LintError| e.to_string();
    Ok(match kind {
        1 => (Load::Deleted, u64::from(reader.clock().map_err(text)?)),
        3 => (reader.buffer().map(|_| Load::Opaque).map_err(text)?, 1),
        4 => {
            let text = reader.string().map_err(text)?;
            (Load::Text(text), text.encode_utf16().count() as u64)
        }
        5 => (Load::Embed(json(reader.string().map_err(text)?)?), 1),
        6 => {
            let key = reader.string().map_err(text)?;
            (Load::Format(key, json(reader.string().map_err(text)?)?), 1)
        }
        7 => {
            let (kind, tag) = type_content(reader).map_err(text)?;
            (Load::Type(kind, tag), 1)
        }
        8 => {
            let count = reader.count(1).map_err(text)?;
            let values: Result<Vec<Any>, String> = (0..count).map(|_| value(row, reader)).collect();
            (Load::Values(values?), count as u64)
        }
        9 => {
            reader.string().map_err(text)?;
            value(row, reader)?;
            (Load::Opaque, 1)
        }
        _ => return Err(format!("content of unknown kind {kind}")),
    })
}

fn type_content<'a>(reader: &mut Reader<'a>) -> Result<(TypeKind, &'a str), LintError> {
    let kind = match reader.byte()? {
        0 => TypeKind::Array,
        1 => TypeKind::Map,
        2 => TypeKind::Text,
        3 => return Ok((TypeKind::Element, reader.string()?)),
        4 => TypeKind::Fragment,
        _ => TypeKind::XmlText,
    };
    Ok((kind, ""))
}

fn value(row: &[u8], reader: &mut Reader) -> Result<Any, String> {
    let mut cursor = Cursor::new(row.get(reader.at()..).unwrap_or_default());
    let value = Any::decode(&mut cursor).map_err(|e| e.to_string())?;
    reader.take(cursor.next).map_err(|e| e.to_string())?;
    Ok(value)
}

fn json(text: &str) -> Result<Any, String> {
    Any::from_json(text).map_err(|e| e.to_string())
}
