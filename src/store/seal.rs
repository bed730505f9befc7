//! The seal: checksums of a database file that nobody has open, in a file beside it.
//!
//! Written when a store has closed well, removed before the next one writes anything. While it is
//! there, every bit of the database file that has changed since is noticed. Without it nothing is
//! wrong: the server was killed, or the database was copied.
//!
//! Bytes: [`MAGIC`]; length of the database file (8 bytes, big-endian, as all numbers); CRC-32 of
//! each [`BLOCK_BYTES`] of it, the last may be shorter; CRC-32 of everything before.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What each checksum covers: a page of the database, unless another program made it with larger
/// ones.
pub(super) const BLOCK_BYTES: usize = 4096;

/// Begins the file; the number is that of the format.
const MAGIC: &[u8; 16] = b"coscribe seal 1\n";

/// Pages that differ which are named; the others are only counted.
const PAGES_NAMED_MAX: usize = 1000;

/// What a sealed file is compared with.
pub(super) struct Seal {
    len: u64,
    blocks: Vec<u32>,
}

/// What has changed since a database was sealed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// The length that was sealed and the present one, where they are not the same.
    pub(super) len: Option<(u64, u64)>,
    /// Numbers of the pages that differ, from 1; the first [`PAGES_NAMED_MAX`] of them.
    pub(super) pages: Vec<u64>,
    /// How many there are.
    pub(super) count: u64,
}

/// The file beside `database` that has its seal.
pub(super) fn path(database: &Path) -> PathBuf {
    beside(database, ".seal")
}

/// `database` with something behind its name.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    PathBuf::from(name)
}

/// Seals `database`, which nobody has open. Reads the whole file (about a second for a gigabyte);
/// the seal is there in full or not at all.
pub(super) fn write(database: &Path) -> io::Result<()> {
    let seal = Seal::of(database)?;
    let new = beside(database, ".seal.new");
    let mut file = super::open::private_file().create(true).truncate(true).open(&new)?;
    file.write_all(&seal.encode())?;
    file.sync_all()?;
    fs::rename(&new, path(database))?;
    sync_directory(database)
}

/// Breaks the seal of `database`, if there is one; durably, so that no later state of the file can be
/// compared with it.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    match fs::remove_file(path(database)) {
        Ok(()) => sync_directory(database),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn sync_directory(database: &Path) -> io::Result<()> {
    let directory = database.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// The other systems cannot open directories.
#[cfg(not(unix))]
fn sync_directory(_database: &Path) -> io::Result<()> {
    Ok(())
}

impl Seal {
    /// The seal that `database` would have now.
    fn of(database: &Path) -> io::Result<Self> {
        let mut file = File::open(database)?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut seal = Self { len: 0, blocks: Vec::new() };
        loop {
            let filled = fill(&mut file, &mut block)?;
            if filled > 0 {
                seal.len += filled as u64;
                seal.blocks.push(crc32fast::hash(&block[..filled]));
            }
            if filled < BLOCK_BYTES {
                return Ok(seal);
            }
        }
    }

    /// The seal in the file beside `database`; None without one.
    ///
    /// # Errors
    /// `InvalidData` when the seal itself is damaged.
    pub(super) fn read(database: &Path) -> io::Result<Option<Self>> {
        match fs::read(path(database)) {
            Ok(bytes) => Self::decode(&bytes).map(Some).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the seal itself is damaged")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is not any more as it was sealed.
    pub(super) fn compare(&self, database: &Path) -> io::Result<Difference> {
        let now = Self::of(database)?;
        let len = (now.len != self.len).then_some((self.len, now.len));
        let mut difference = Difference { len, ..Difference::default() };
        let pairs = self.blocks.iter().zip(&now.blocks).zip(1..);
        for (_, page) in pairs.filter(|((sealed, now), _)| sealed != now) {
            difference.count += 1;
            if difference.pages.len() < PAGES_NAMED_MAX {
                difference.pages.push(page);
            }
        }
        Ok(difference)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.len.to_be_bytes());
        bytes.extend(self.blocks.iter().flat_map(|sum| sum.to_be_bytes()));
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk()?;
        if crc32fast::hash(content) != u32::from_be_bytes(*sum) {
            return None;
        }
        let (len, blocks) = content.strip_prefix(MAGIC)?.split_first_chunk()?;
        let len = u64::from_be_bytes(*len);
        let (blocks, rest) = blocks.as_chunks();
        let blocks: Vec<u32> = blocks.iter().map(|sum| u32::from_be_bytes(*sum)).collect();
        let is_whole = rest.is_empty() && blocks.len() as u64 == len.div_ceil(BLOCK_BYTES as u64);
        is_whole.then_some(Self { len, blocks })
    }
}

/// Reads until `block` is full or the file ends; how much it was.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
