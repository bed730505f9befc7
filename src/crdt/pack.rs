//! Rows of a log in one piece of bytes: plainly, one after the other. A stand-in for the codec.

use std::sync::Arc;

use bytes::Bytes;

use crate::id::{ConnectionId, LogRow, Seq};

/// Why bytes cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("packed rows are cut or damaged")]
pub struct PackError;

/// Packs rows.
pub fn pack(rows: &[LogRow]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        let author = row.author.as_deref();
        out.extend(row.seq.0.to_be_bytes());
        out.extend(row.at_ms.to_be_bytes());
        out.extend(row.connection.0.to_be_bytes());
        out.push(u8::from(author.is_some()));
        for part in [author.unwrap_or("").as_bytes(), &row.bytes] {
            out.extend((part.len() as u64).to_be_bytes());
            out.extend(part);
        }
    }
    out
}

/// The rows that were packed.
///
/// # Errors
/// [`PackError`] for anything that [`pack`] has not written.
pub fn unpack(mut bytes: &[u8]) -> Result<Vec<LogRow>, PackError> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let seq = Seq(number(&mut bytes)?);
        let at_ms = number(&mut bytes)?.cast_signed();
        let connection = ConnectionId(number(&mut bytes)?);
        let has_author = take(&mut bytes, 1)? == [1];
        let author = part(&mut bytes)?;
        let author = std::str::from_utf8(author).map_err(|_| PackError)?;
        let author = has_author.then(|| Arc::from(author));
        let bytes = Bytes::copy_from_slice(part(&mut bytes)?);
        rows.push(LogRow { seq, at_ms, author, connection, bytes });
    }
    Ok(rows)
}

fn part<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], PackError> {
    let len = usize::try_from(number(bytes)?).map_err(|_| PackError)?;
    take(bytes, len)
}

fn number(bytes: &mut &[u8]) -> Result<u64, PackError> {
    let number = take(bytes, 8)?.try_into().map_err(|_| PackError)?;
    Ok(u64::from_be_bytes(number))
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], PackError> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(PackError)?;
    *bytes = rest;
    Ok(taken)
}
