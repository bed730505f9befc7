//! What is no recording yet, made one; and recordings written to files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bytes::Bytes;

use super::parts::{Parent, Parts};
use super::{Event, Expected, Header, Recording, What};
use crate::crdt::Replica;

/// A recording in which somebody brings a whole document at once; `None` where it is no Yjs update
/// that stands for itself.
///
/// It says what must be there in the end where the update holds exactly one text.
pub(super) fn update(update: Bytes) -> Option<Recording> {
    let parts = Parts::of(&update).ok()?;
    let replica = Replica::restore(None, std::slice::from_ref(&update)).ok()?;
    let connection = 1;
    let mut events = vec![
        Event { t: 0, what: What::Join { connection, name: String::new() } },
        Event { t: 0, what: What::Update { connection, update } },
    ];
    let texts = texts(&parts, &replica);
    if let [(root, text)] = texts.as_slice() {
        let what = What::End { root: root.clone(), expected: Expected::Text(text.clone()) };
        events.push(Event { t: 0, what });
    }
    Some(Recording { header: Header::new("update", "a Yjs update"), events })
}

/// The roots that show as a text, with their texts.
fn texts(parts: &Parts, replica: &Replica) -> Vec<(String, String)> {
    roots(parts)
        .into_iter()
        .map(|root| (root.to_owned(), replica.text(root)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// The names of everything that items hang below.
pub(super) fn roots(parts: &Parts) -> BTreeSet<&str> {
    let parents = parts.items().filter_map(|(_, item)| item.parent.as_ref());
    let names = parents.filter_map(|parent| match parent {
        Parent::Root(name) => Some(name.as_str()),
        Parent::Item(_) => None,
    });
    names.collect()
}

/// Writes a recording to a file, packed as its name says.
pub(super) fn save(recording: &Recording, path: &Path) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::best());
            recording.write(&mut packer)?;
            packer.finish()?.flush()
        }
        Some("zst") => {
            let mut packer = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?;
            recording.write(&mut packer)?;
            packer.finish()?.flush()
        }
        _ => recording.write(file),
    }
}

/// Slow to write and quick to read; recordings are written once.
const ZSTD_LEVEL: i32 = 19;
