//! A plain value inside an update, with the texts that are in it.
//!
//! Its depth is bounded by the lint, so it is read and written by recursion.

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::{Cursor, put_number, put_string};

const BINARY: u8 = 116;
const LIST: u8 = 117;
const MAP: u8 = 118;
const TEXT: u8 = 119;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Any {
    /// Numbers, yes and no, nothing: as they came, with their tag.
    Plain(Bytes),
    Binary(Bytes),
    Text(String),
    List(Vec<Any>),
    Map(Vec<(String, Any)>),
}

impl Any {
    pub fn read(from: &mut Cursor<'_>) -> Option<Self> {
        let before = from.mark();
        match from.byte()? {
            TEXT => return from.string().map(Self::Text),
            BINARY => {
                return from.buffer().map(|bytes| Self::Binary(Bytes::copy_from_slice(bytes)));
            }
            LIST => {
                let values = from.number()?;
                return (0..values)
                    .map(|_| Self::read(from))
                    .collect::<Option<_>>()
                    .map(Self::List);
            }
            MAP => {
                let entry = |from: &mut Cursor<'_>| Some((from.string()?, Self::read(from)?));
                let entries = from.number()?;
                return (0..entries).map(|_| entry(from)).collect::<Option<_>>().map(Self::Map);
            }
            122 | 123 => from.take(8).map(drop)?,
            124 => from.take(4).map(drop)?,
            // A sign and six bits in the first byte; how it goes on is the same.
            125 => from.number().map(drop)?,
            _ => {}
        }
        Some(Self::Plain(Bytes::copy_from_slice(from.since(&before))))
    }

    pub fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Plain(bytes) => out.put_slice(bytes),
            Self::Binary(bytes) => {
                out.put_u8(BINARY);
                put_number(out, bytes.len());
                out.put_slice(bytes);
            }
            Self::Text(text) => {
                out.put_u8(TEXT);
                put_string(out, text);
            }
            Self::List(values) => {
                out.put_u8(LIST);
                put_number(out, values.len());
                values.iter().for_each(|value| value.put(out));
            }
            Self::Map(entries) => {
                out.put_u8(MAP);
                put_number(out, entries.len());
                for (key, value) in entries {
                    put_string(out, key);
                    value.put(out);
                }
            }
        }
    }
}
