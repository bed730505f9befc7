//! Snapshots as they are stored: compressed, since of a long document they are the most of it.
//!
//! A snapshot whose checksum is of the older kind was written before they were compressed, and is
//! stored as it is.

use std::io::Read;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{AppendError, LoadError, RECORD_BYTES_MAX};

/// Fast: a snapshot is written often and read seldom.
const LEVEL: i32 = 3;

/// Compresses a snapshot, away from those who wait for this thread.
///
/// # Errors
/// [`AppendError::Failed`] when what was compressed does not come out again.
pub(super) async fn compressed(bytes: Bytes) -> Result<Bytes, AppendError> {
    let compressing = spawn_blocking(move || {
        let compressed = zstd::bulk::compress(&bytes, LEVEL).map_err(|e| e.to_string())?;
        match decompress(&compressed) {
            Some(again) if again == bytes => Ok(Bytes::from(compressed)),
            _ => Err("a compressed snapshot does not come out again".to_owned()),
        }
    });
    let failed = |why| AppendError::Failed { why };
    compressing.await.map_err(|e| failed(e.to_string()))?.map_err(failed)
}

/// The snapshot that was compressed; None where it was not made by [`compressed`].
///
/// # Errors
/// [`LoadError::Unavailable`] when the work was interrupted.
pub(super) async fn decompressed(bytes: Bytes) -> Result<Option<Bytes>, LoadError> {
    let decompressing = spawn_blocking(move || decompress(&bytes));
    decompressing.await.map_err(|e| LoadError::Unavailable { why: e.to_string() })
}

/// As [`decompressed`], on this thread.
pub(super) fn decompress(bytes: &[u8]) -> Option<Bytes> {
    let mut whole = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(bytes).ok()?;
    decoder.take(RECORD_BYTES_MAX as u64 + 1).read_to_end(&mut whole).ok()?;
    (whole.len() <= RECORD_BYTES_MAX).then(|| whole.into())
}
