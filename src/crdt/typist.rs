//! One author, alone with a plain text: edits by position in, updates out, byte for byte those that
//! a [`Desk`](super::Desk) makes.
//!
//! A desk walks along the whole text for each edit, which takes 13 s for a session of 260,000; here
//! it takes 0.2 s. Nothing can be heard, because nothing is integrated: which clock lies where is
//! all that is kept. Source of the format: Yjs 13.6, `src/structs/Item.js` and `ContentString.js`.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::desk::BeyondTheEnd;

/// Runs of a chunk at which it is cut in two: finding a place costs a walk along the chunks and one
/// along the runs of one chunk.
const CHUNK_RUNS_MAX: usize = 256;

/// What an item says in its first byte.
const CONTENT_STRING: u8 = 4;
const HAS_LEFT: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;

/// A text with one author.
pub struct Typist {
    client: u64,
    root: String,
    /// The next clock, which is also how much was ever inserted.
    clock: u32,
    /// UTF-16 units of the text.
    len: u32,
    /// In the order of the text, what is deleted included.
    chunks: Vec<Chunk>,
}

#[derive(Default)]
struct Chunk {
    runs: Vec<Run>,
    /// UTF-16 units that are not deleted.
    visible: u32,
}

/// Clocks that follow each other in the text.
#[derive(Clone, Copy)]
struct Run {
    clock: u32,
    len: u32,
    is_deleted: bool,
}

/// Between two runs.
#[derive(Clone, Copy)]
struct Gap {
    chunk: usize,
    /// Of the run behind it; the number of runs at the end of the chunk.
    run: usize,
}

impl Typist {
    /// An empty text `root`, edited under a client id.
    pub fn new(client: u64, root: &str) -> Self {
        Self { client, root: root.into(), clock: 0, len: 0, chunks: vec![Chunk::default()] }
    }

    /// Replaces a range, counted in UTF-16 units, and returns the update that says so.
    ///
    /// # Errors
    /// The range is not in the text.
    pub fn replace(&mut self, at: Range<u32>, by: &str) -> Result<Bytes, BeyondTheEnd> {
        if at.end > self.len || at.start > at.end {
            return Err(BeyondTheEnd { at, len: self.len });
        }
        let deleted = self.delete(&at);
        let mut update = BytesMut::new();
        if by.is_empty() {
            update.put_u8(0);
        } else {
            self.insert(at.start, by, &mut update);
        }
        self.put_deleted(deleted, &mut update);
        Ok(update.freeze())
    }

    fn insert(&mut self, at: u32, text: &str, update: &mut BytesMut) {
        let gap = self.cut(at);
        let gap = self.behind_deleted(gap);
        let before = gap.run.checked_sub(1).map(|run| self.chunks[gap.chunk].runs[run]);
        let left = before.map(|run| run.clock + run.len - 1);
        let right = self.run_behind(gap).map(|run| run.clock);
        self.put_item(left, right, text, update);
        let len = text.encode_utf16().count() as u32;
        let run = Run { clock: self.clock, len, is_deleted: false };
        let chunk = &mut self.chunks[gap.chunk];
        chunk.visible += len;
        let is_next = |run: Run| !run.is_deleted && run.clock + run.len == self.clock;
        if before.is_some_and(is_next) {
            chunk.runs[gap.run - 1].len += len;
        } else {
            chunk.runs.insert(gap.run, run);
        }
        self.clock += len;
        self.len += len;
        self.keep_short(gap.chunk);
    }

    /// Marks a range, and returns its clocks and how many follow each.
    fn delete(&mut self, at: &Range<u32>) -> Vec<(u32, u32)> {
        let mut spans = Vec::new();
        let mut left = at.end - at.start;
        let mut gap = self.cut(at.start);
        let first = gap.chunk;
        while left > 0 {
            let chunk = &mut self.chunks[gap.chunk];
            let Some(run) = chunk.runs.get_mut(gap.run) else {
                gap = Gap { chunk: gap.chunk + 1, run: 0 };
                continue;
            };
            gap.run += 1;
            if run.is_deleted {
                continue;
            }
            let rest = Run {
                clock: run.clock + left.min(run.len),
                len: run.len.saturating_sub(left),
                ..*run
            };
            run.len -= rest.len;
            run.is_deleted = true;
            spans.push((run.clock, run.len));
            chunk.visible -= run.len;
            left -= run.len;
            if rest.len > 0 {
                chunk.runs.insert(gap.run, rest);
            }
        }
        self.len -= at.end - at.start;
        // From behind, because cutting one moves those behind it.
        (first..=gap.chunk).rev().for_each(|chunk| self.keep_short(chunk));
        spans
    }

    /// The gap directly behind so many visible units.
    fn cut(&mut self, at: u32) -> Gap {
        let mut left = at;
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            if left > chunk.visible {
                left -= chunk.visible;
                continue;
            }
            if left == 0 {
                break;
            }
            let run = chunk.cut(left);
            return Gap { chunk: index, run };
        }
        Gap { chunk: 0, run: 0 }
    }

    /// Behind what is deleted behind a gap: there editors insert.
    fn behind_deleted(&self, mut gap: Gap) -> Gap {
        while self.run_behind(gap).is_some_and(|run| run.is_deleted) {
            if gap.run == self.chunks[gap.chunk].runs.len() {
                gap = Gap { chunk: gap.chunk + 1, run: 0 };
            }
            gap.run += 1;
        }
        gap
    }

    fn run_behind(&self, gap: Gap) -> Option<&Run> {
        let rest = self.chunks[gap.chunk].runs.get(gap.run);
        rest.or_else(|| self.chunks[gap.chunk + 1..].iter().find_map(|chunk| chunk.runs.first()))
    }

    /// Cuts a chunk in two when it is long.
    fn keep_short(&mut self, index: usize) {
        let chunk = &mut self.chunks[index];
        if chunk.runs.len() <= CHUNK_RUNS_MAX {
            return;
        }
        let runs = chunk.runs.split_off(CHUNK_RUNS_MAX / 2);
        let visible = runs.iter().filter(|run| !run.is_deleted).map(|run| run.len).sum();
        chunk.visible -= visible;
        self.chunks.insert(index + 1, Chunk { runs, visible });
    }

    /// One struct of one client: item, what is left and right of it, or else where it lies, text.
    fn put_item(&self, left: Option<u32>, right: Option<u32>, text: &str, update: &mut BytesMut) {
        put(update, &[1, 1, self.client, self.clock.into()]);
        let flag = |neighbour: Option<u32>, flag| if neighbour.is_some() { flag } else { 0 };
        update.put_u8(CONTENT_STRING | flag(left, HAS_LEFT) | flag(right, HAS_RIGHT));
        for neighbour in left.into_iter().chain(right) {
            put(update, &[self.client, neighbour.into()]);
        }
        if left.is_none() && right.is_none() {
            put(update, &[1]);
            put_text(update, &self.root);
        }
        put_text(update, text);
    }

    /// The delete set: of one client, sorted, what follows each other in one.
    fn put_deleted(&self, mut spans: Vec<(u32, u32)>, update: &mut BytesMut) {
        spans.sort_unstable();
        spans.dedup_by(|(clock, len), before| {
            let follows = before.0 + before.1 == *clock;
            before.1 += if follows { *len } else { 0 };
            follows
        });
        if spans.is_empty() {
            return put(update, &[0]);
        }
        put(update, &[1, self.client, spans.len() as u64]);
        spans.iter().for_each(|(clock, len)| put(update, &[(*clock).into(), (*len).into()]));
    }
}

impl Chunk {
    /// Cuts the run in which so many visible units end, if they do not end with it, and returns the
    /// run behind them.
    fn cut(&mut self, at: u32) -> usize {
        let mut left = at;
        for index in 0..self.runs.len() {
            let run = &mut self.runs[index];
            if run.is_deleted {
                continue;
            }
            if left <= run.len {
                let rest = Run { clock: run.clock + left, len: run.len - left, ..*run };
                run.len = left;
                if rest.len > 0 {
                    self.runs.insert(index + 1, rest);
                }
                return index + 1;
            }
            left -= run.len;
        }
        self.runs.len()
    }
}

/// Var-uints: seven bits a byte, lowest first.
pub(super) fn put(update: &mut BytesMut, numbers: &[u64]) {
    for number in numbers {
        let mut rest = *number;
        while rest >= 0x80 {
            update.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        update.put_u8(rest as u8);
    }
}

pub(super) fn put_text(update: &mut BytesMut, text: &str) {
    put(update, &[text.len() as u64]);
    update.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;

    #[test]
    fn a_typist_makes_the_updates_of_a_desk() {
        let mut random = fastrand::Rng::with_seed(20);
        let mut typist = Typist::new(7, "body");
        let mut desk = Desk::new(7, "body");
        let mut len = 0;
        for step in 0..6_000 {
            let start = random.u32(0..=len);
            let gone = if random.u8(0..3) == 0 { random.u32(0..=(len - start).min(9)) } else { 0 };
            let text = ["", "a", "bc", "dé\u{20ac}"][random.usize(0..4)];
            let typed = typist.replace(start..start + gone, text).expect("a place in the text");
            let wanted = desk.replace(start..start + gone, text).expect("a place in the text");
            assert_eq!(typed, wanted, "step {step}");
            len = len - gone + text.encode_utf16().count() as u32;
        }
        assert!(typist.chunks.len() > 3);
        assert_eq!(typist.len, len);
    }

    #[test]
    fn an_edit_beyond_the_end_is_refused() {
        let mut typist = Typist::new(1, "body");
        typist.replace(0..0, "ab").expect("a place in the text");
        assert!(typist.replace(1..3, "").is_err());
        assert!(typist.replace(3..3, "x").is_err());
    }
}
