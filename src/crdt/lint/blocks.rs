//! What an update consists of: sections of blocks, one for each client id, and the delete set.
//!
//! The bytes of a single block are the reader's business; here is what must hold between them.

use super::reader::{CLOCK_END, Reader};
use super::{LintError, LintLimits, Span};

/// Smallest possible sizes in bytes, to compare declared counts with what is left.
const SECTION_BYTES_MIN: usize = 5;
const BLOCK_BYTES_MIN: usize = 2;
const DELETE_SECTION_BYTES_MIN: usize = 2;
const DELETE_BYTES_MIN: usize = 2;

/// One clock of one client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Client id, below 2^53.
    pub client: u64,
    /// Below 2^31.
    pub clock: u32,
}

/// Where an item hangs, as far as its bytes say.
#[derive(Debug, Clone, Copy)]
pub(in crate::crdt) enum Parent {
    /// Below a type that has a name and no item.
    Root,
    /// Below the type that this item is.
    Item(Place),
    /// Below whatever its neighbours are below.
    OfNeighbours,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crdt) enum Kind {
    Gc,
    Skip,
    Deleted,
    Subdocument,
    Type,
    Value,
}

impl Kind {
    pub(super) fn is_fill(self) -> bool {
        matches!(self, Kind::Gc | Kind::Deleted)
    }
}

/// One block of the update.
#[derive(Debug)]
pub(in crate::crdt) struct Block {
    pub(in crate::crdt) span: Span,
    pub(in crate::crdt) kind: Kind,
    pub(in crate::crdt) parent: Parent,
    pub(in crate::crdt) origin: Option<Place>,
    pub(in crate::crdt) right_origin: Option<Place>,
    /// It names its key. An item with a neighbour has the key of that, whatever its bytes say: the bit that
    /// tells of a key gets lost when Yjs or the library merge updates without a document.
    pub(in crate::crdt) has_key: bool,
}

impl Block {
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let parent = match self.parent {
            Parent::Item(place) => Some(place),
            Parent::Root | Parent::OfNeighbours => None,
        };
        [self.origin, self.right_origin, parent].into_iter().flatten()
    }
}

/// Walks the blocks of an update, up to its delete set, and hands out each together with where it ends.
pub(in crate::crdt) fn read_blocks(
    reader: &mut Reader,
    limits: &LintLimits,
    mut take: impl FnMut(&Block, usize) -> Result<(), LintError>,
) -> Result<(), LintError> {
    let sections = reader.count(SECTION_BYTES_MIN)?;
    let mut clients = Clients::default();
    for _ in 0..sections {
        let blocks = reader.count(BLOCK_BYTES_MIN)?;
        let client = reader.client()?;
        clients.add(client);
        let start = reader.clock()?;
        let mut clock = start;
        for _ in 0..blocks {
            let block = reader.block(client, clock, limits)?;
            take(&block, reader.at())?;
            clock = block.span.end;
        }
        // The library's search for the next section recurses over empty ones.
        if clock == start {
            return Err(reader.malformed("section without content"));
        }
    }
    // The library would append the second section to the first, Yjs would forget the first.
    clients.check_unique(reader)
}

/// Reads the delete set, which ends the update.
pub(in crate::crdt) fn read_deletes(reader: &mut Reader) -> Result<Vec<Span>, LintError> {
    let sections = reader.count(DELETE_SECTION_BYTES_MIN)?;
    let mut clients = Clients::default();
    let mut deletes = Vec::new();
    for _ in 0..sections {
        let client = reader.client()?;
        clients.add(client);
        let ranges = reader.count(DELETE_BYTES_MIN)?;
        let mut last_end = 0;
        for _ in 0..ranges {
            let start = reader.clock()?;
            let len = reader.number(CLOCK_END)?;
            if len == 0 {
                return Err(reader.malformed("empty delete"));
            }
            let span = reader.span(client, start, len)?;
            // Backwards, each delete would move all blocks that the ones before it have split.
            if start < last_end {
                return Err(reader.malformed("deletes out of order"));
            }
            last_end = span.end;
            deletes.push(span);
        }
    }
    // The library would keep the second section only, Yjs both.
    clients.check_unique(reader)?;
    Ok(deletes)
}

/// Client ids of the sections read so far. Stock encoders write the highest first; some old ones did not.
#[derive(Default)]
struct Clients {
    last: Option<u64>,
    /// Filled from the second section on: nearly all updates have one.
    all: Vec<u64>,
    unordered: bool,
}

impl Clients {
    fn add(&mut self, client: u64) {
        if let Some(last) = self.last.replace(client) {
            if self.all.is_empty() {
                self.all.push(last);
            }
            self.all.push(client);
            self.unordered |= client >= last;
        }
    }

    fn check_unique(mut self, reader: &Reader) -> Result<(), LintError> {
        if self.unordered {
            self.all.sort_unstable();
            if self.all.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(reader.malformed("two sections of one client id"));
            }
        }
        Ok(())
    }
}
