//! The plain text of a moment, cut by who wrote it.

use super::walk::{Mask, Sink, Source, seal};
use super::{Author, Past, Seq};

/// A stretch of plain text by one author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text. A line end belongs to the author of the line that follows.
    pub text: String,
    /// Who wrote it first, whoever moved it or brought it back.
    pub author: Author,
    /// The earliest and the latest of the rows that wrote it first.
    pub first: Seq,
    /// See `first`.
    pub last: Seq,
}

/// Gathers spans.
pub(super) struct Spans<'a> {
    past: &'a Past,
    open: Option<Open>,
    done: Vec<Span>,
}

/// A span that may go on.
struct Open {
    author: u32,
    first: u32,
    last: u32,
    units: Vec<u16>,
}

impl<'a> Spans<'a> {
    pub(super) fn new(past: &'a Past) -> Self {
        Self { past, open: None, done: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Vec<Span> {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.done.push(Span {
                text: String::from_utf16_lossy(&open.units),
                author: self.past.authors[open.author as usize].clone(),
                first: self.past.rows[open.first as usize].seq,
                last: self.past.rows[open.last as usize].seq,
            });
        }
    }
}

impl Sink for Spans<'_> {
    fn text(&mut self, _: Mask, units: &[u16], source: Source) {
        let row = source.written;
        let author = self.past.rows[row as usize].author;
        match &mut self.open {
            Some(open) if open.author == author => {
                (open.first, open.last) = (open.first.min(row), open.last.max(row));
                open.units.extend_from_slice(units);
            }
            _ => {
                self.close();
                self.open = Some(Open { author, first: row, last: row, units: units.to_vec() });
            }
        }
    }

    fn gap(&mut self, _: Mask) {
        if let Some(open) = &mut self.open {
            seal(&mut open.units);
        }
    }
}
