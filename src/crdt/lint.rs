//! Reads an update from end to end before anything decodes it, and says what it carries.
//!
//! An update is the one thing a stranger can put into a document, and the CRDT library trusts it: lengths are
//! reserved as declared, nested values are decoded recursively, numbers wrap. The lint walks the bytes once,
//! without recursion and without allocating more than it reports, and refuses what no Yjs client ever writes.
//! It knows nothing of the document: whether the update fits is answered by its caller from the [`Summary`].
//!
//! The rule that must hold: what the lint accepts, `Update::decode_v1` decodes without a panic, an abort or more
//! memory than a fixed multiple of the bytes; the one exception is JSON inside embeds and formats, which the
//! decoder checks itself and answers with an error. What it cannot see is where items really lie in a document:
//! well-formed items may still contradict each other, and the replica has to be ready for that.
//! Source of the format: Yjs 13.6, `src/utils/encoding.js`, `src/structs`, and lib0's `decoding.js`.

use thiserror::Error;

mod blocks;
mod reader;

pub use blocks::Place;
pub(super) use blocks::{Block, Kind, Parent, read_blocks, read_deletes};
pub(super) use reader::Reader;

/// How much one update may carry. Over a limit the update is refused as a whole.
#[derive(Debug, Clone)]
pub struct LintLimits {
    /// Bytes of the update.
    pub update_bytes_max: usize,
    /// How deep arrays and objects may be nested in a plain value. The decoder recurses once per level and
    /// overflows a stack of 2 MiB between 5,000 and 10,000.
    pub any_depth_max: usize,
    /// Subdocuments in one update. Each 8 bytes become a whole document object in memory.
    pub subdocuments_max: usize,
    /// Clocks in one update whose content is gone (GC blocks and deleted content), over all client ids.
    ///
    /// Two bytes can claim any number of such clocks, and what is claimed can never be used again. An honest
    /// clock was a character or an element once, so the limit is far above what has been typed into any
    /// document, and far below the 2^31 that would use up a client id in one update.
    pub fill_clocks_max: u64,
}

impl LintLimits {
    /// For bytes that were within the limits when they came.
    pub const NONE: LintLimits = LintLimits {
        update_bytes_max: usize::MAX,
        any_depth_max: usize::MAX,
        subdocuments_max: usize::MAX,
        fill_clocks_max: u64::MAX,
    };
}

impl Default for LintLimits {
    fn default() -> Self {
        LintLimits {
            update_bytes_max: 16 << 20,
            any_depth_max: 32,
            subdocuments_max: 1_000,
            fill_clocks_max: 1 << 26,
        }
    }
}

/// The clocks `start..end` of one client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Client id, below 2^53.
    pub client: u64,
    /// First clock.
    pub start: u32,
    /// Clock after the last, above `start` and below 2^31.
    pub end: u32,
}

/// A state that must exist before the update can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Client id, below 2^53.
    pub client: u64,
    /// The clocks below this one must exist.
    pub end: u32,
}

/// Places that are noted in front of which types were written.
const TYPES_BEFORE_MAX: usize = 256;

/// What an update carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Inserted clocks, in the order of the update. One span for each client id, more only around skips.
    pub inserts: Vec<Span>,
    /// What the update builds on and does not bring itself: places that items are attached to, deleted clocks.
    /// One entry for each client id, sorted by it. Not repeated here is that the clocks below the start of a
    /// span must exist.
    pub needs: Vec<Need>,
    /// Deleted clocks, in the order of the update; ascending for each client id.
    pub deletes: Vec<Span>,
    /// Those of the inserted clocks that have no content any more (GC blocks and deleted content).
    pub fills: Vec<Span>,
    /// There are gaps in the clocks: the update was made by somebody who waits for the missing part.
    pub has_skip: bool,
    /// References to subdocuments.
    pub subdocuments: usize,
    /// Items that can have items below them (texts, elements, maps, arrays).
    pub types: usize,
    /// Right behind what the first item was written.
    pub first_after: Option<Place>,
    /// Right in front of what the first item was written.
    pub first_before: Option<Place>,
    /// Right in front of what types were written; of many only the first.
    pub types_before: Vec<Place>,
}

/// Why an update is refused. All are the sender's mistake and none goes away by sending it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LintError {
    /// Over `update_bytes_max`.
    #[error("update of {got} bytes is over the limit of {max}")]
    TooLarge {
        /// Bytes of the update.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes end, or cannot hold what they declare.
    #[error("update ends at byte {at} before it is complete")]
    Truncated {
        /// Where it ends.
        at: usize,
    },
    /// Something no Yjs client writes.
    #[error("update is malformed at byte {at}: {what}")]
    Malformed {
        /// Where it was noticed.
        at: usize,
        /// What it is.
        what: &'static str,
    },
    /// Valid for Yjs, but our library would read it as something else.
    #[error("update holds {what} at byte {at}, which is not supported")]
    Unsupported {
        /// Where it was noticed.
        at: usize,
        /// What it is.
        what: &'static str,
    },
    /// Over one of the other limits.
    #[error("update has {what} of {got} at byte {at}, over the limit of {max}")]
    OverLimit {
        /// Where it was noticed.
        at: usize,
        /// What is limited.
        what: &'static str,
        /// As far as it was counted.
        got: u64,
        /// The limit.
        max: u64,
    },
}

/// Checks an update in v1 encoding and sums it up. Cost: linear in the bytes, 70 ns for a keystroke,
/// 250 to 350 MB/s for long ones.
///
/// # Errors
/// Whatever makes the update unfit to be decoded; see [`LintError`].
pub fn lint(update: &[u8], limits: &LintLimits) -> Result<Summary, LintError> {
    if update.len() > limits.update_bytes_max {
        let (got, max) = (update.len(), limits.update_bytes_max);
        return Err(LintError::TooLarge { got, max });
    }
    let mut reader = Reader::new(update);
    let mut summary = Summary::default();
    let mut fill_clocks = 0;
    read_blocks(&mut reader, limits, |block, at| {
        summary.add(block);
        if block.kind.is_fill() {
            fill_clocks += u64::from(block.span.end - block.span.start);
        }
        within(at, "deleted content", fill_clocks, limits.fill_clocks_max)?;
        let subdocuments = summary.subdocuments as u64;
        within(at, "subdocuments", subdocuments, limits.subdocuments_max as u64)
    })?;
    let deletes = read_deletes(&mut reader)?;
    summary.needs.extend(deletes.iter().map(|span| Need { client: span.client, end: span.end }));
    summary.deletes = deletes;
    if !reader.is_at_end() {
        return Err(reader.malformed("bytes after the end"));
    }
    summary.settle_needs();
    Ok(summary)
}

impl Summary {
    /// Whether a replica can apply the update and leave no hole and nothing pending, given the next clock that it
    /// expects of each client id. The library must not be left with pending parts: taking them up again later it
    /// was seen to read freed memory.
    pub fn fits(&self, known: impl Fn(u64) -> u32) -> bool {
        !self.has_skip
            && self.inserts.iter().all(|span| span.start <= known(span.client))
            && self.needs.iter().all(|need| need.end <= known(need.client))
    }

    fn add(&mut self, block: &Block) {
        if self.inserts.is_empty() {
            (self.first_after, self.first_before) = (block.origin, block.right_origin);
        }
        match block.kind {
            Kind::Skip => self.has_skip = true,
            _ => append(&mut self.inserts, block.span),
        }
        match block.kind {
            Kind::Type => {
                self.types += 1;
                if self.types_before.len() < TYPES_BEFORE_MAX {
                    self.types_before.extend(block.right_origin);
                }
            }
            Kind::Subdocument => self.subdocuments += 1,
            Kind::Gc | Kind::Deleted => append(&mut self.fills, block.span),
            Kind::Skip | Kind::Value => {}
        }
        for place in block.places() {
            self.need(place, block.span.client);
        }
    }

    /// Notes a place outside the current section; sorted out when the whole update is known.
    fn need(&mut self, place: Place, section: u64) {
        if place.client == section {
            return;
        }
        let need = Need { client: place.client, end: place.clock + 1 };
        match self.needs.last_mut() {
            Some(last) if last.client == need.client => last.end = last.end.max(need.end),
            _ => {
                // Two client ids often take turns: sort out before the list grows beyond what it says.
                if self.needs.len() == self.needs.capacity() && self.needs.len() > 64 {
                    self.merge_needs();
                    self.needs.reserve(self.needs.len());
                }
                self.needs.push(need);
            }
        }
    }

    /// Leaves the highest need of each client id.
    fn merge_needs(&mut self) {
        self.needs.sort_unstable_by_key(|need| (need.client, std::cmp::Reverse(need.end)));
        self.needs.dedup_by_key(|need| need.client);
    }

    /// Drops the needs that the update meets itself.
    fn settle_needs(&mut self) {
        if self.needs.is_empty() {
            return;
        }
        self.merge_needs();
        for span in &self.inserts {
            let found = self.needs.binary_search_by_key(&span.client, |need| need.client);
            if let Ok(index) = found
                && self.needs[index].end <= span.end
            {
                self.needs[index].end = 0;
            }
        }
        self.needs.retain(|need| need.end > 0);
    }
}

/// Adds a span, into the last one where it goes on.
fn append(spans: &mut Vec<Span>, span: Span) {
    if span.start == span.end {
        return;
    }
    match spans.last_mut() {
        Some(last) if last.client == span.client && last.end == span.start => last.end = span.end,
        _ => spans.push(span),
    }
}

fn within(at: usize, what: &'static str, got: u64, max: u64) -> Result<(), LintError> {
    if got > max {
        return Err(LintError::OverLimit { at, what, got, max });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
