//! A document's whole past, to be read at any place of its log.
//!
//! Built once from the rows of the log and extended as rows come. Nothing is ever taken out of it
//! ([`items`]), so reading a moment is one walk over the document ([`walk`]) and needs no replay.
//!
//! **Plain text** is what a person would copy:
//! - A text is what it is. Formats and embedded values are not text.
//! - Of XML, each innermost block is a line: an element without blocks in it. Blocks around it (lists,
//!   quotes) add nothing, so a list item is one line. Cells of one row of a table are set apart by a tab.
//!   Hard breaks are line ends. An element beside text is inline, and so is one whose name says so
//!   (mentions, images); its own text counts.
//! - Lexical keeps elements as texts with a `__type`; they are read in the same way.
//! - Maps and arrays are not text, but the texts in them are, each on a line of its own: those of a
//!   map in the order of the keys.
//! - Roots come in the order of their names, each on a line of its own unless it has no text.
//!
//! **Kinds of roots** are in no update. They are told from what was ever in the list of the root:
//! characters, formats or embeds make it a text, else elements or XML texts a fragment, else values
//! or other types an array; a root that has only keys is a map.
//!
//! **Halves of a surrogate pair** that were torn apart at a moment are shown as U+FFFD, as by Yjs.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::id::{ConnectionId, LogRow, Seq};

use super::lint::{LintLimits, lint};

mod authorship;
mod carry;
mod changes;
mod decode;
mod items;
mod json;
mod moves;
mod spans;
mod walk;

pub use carry::{Carried, Carry, Hint, Kept, Seen, Why};
pub use changes::{Change, ChangeKind};
pub use spans::Span;

use changes::Changes;
use items::{Id, Item, Items};
use json::Json;
use moves::Moves;
use spans::Spans;
use walk::{Views, Walk};

/// Items that others have deleted meanwhile and that a row may be seen to write anew.
const AGAIN_MAX: usize = 4_096;

/// Rows that somebody who is there may not have seen yet, while their own are on the way.
const UNSEEN_ROWS_MAX: u32 = 256;

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Author {
    /// The subject of a login.
    User(Arc<str>),
    /// There was no login: the connection that brought it.
    Connection(ConnectionId),
}

impl Author {
    /// Who brought a row of the log.
    pub fn of(row: &LogRow) -> Self {
        match &row.author {
            Some(user) => Author::User(user.clone()),
            None => Author::Connection(row.connection),
        }
    }
}

/// A row cannot be integrated. The past must not be used any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {seq} of the log cannot be integrated: {reason}")]
pub struct PastError {
    /// Which row it is.
    pub seq: Seq,
    /// What is wrong with it.
    pub reason: String,
}

/// Everything that was ever in a document. See the module.
#[derive(Debug, Clone, Default)]
pub struct Past {
    items: Items,
    moves: Moves,
    /// For rows that deleted what others had deleted already: those rows, and the items.
    again: Vec<(u32, Id)>,
    rows: Vec<Row>,
    authors: Vec<Author>,
    numbers: HashMap<Author, u32>,
}

#[derive(Debug, Clone)]
struct Row {
    seq: Seq,
    at_ms: i64,
    author: u32,
    inserted: u32,
    deleted: u32,
}

/// What a row did to the texts of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which row it is.
    pub seq: Seq,
    /// When the server took it, in unix milliseconds.
    pub at_ms: i64,
    /// Who brought it.
    pub author: Author,
    /// UTF-16 units of text that it inserted, also where it moved them.
    pub inserted: u32,
    /// UTF-16 units of text that it deleted.
    pub deleted: u32,
}

/// An update as JSON: all roots by name.
///
/// A text is a string, an array an array, a map an object. XML is nodes as ProseMirror has them
/// (`type`, `attrs`, `content`, and `text` with `marks`), a fragment is one of type `doc`. Bytes and
/// subdocuments are left out.
///
/// # Errors
/// It is no update, or builds on something that it does not bring.
pub fn to_json(update: &[u8]) -> Result<serde_json::Value, PastError> {
    let mut past = Past::new();
    past.extend(&[LogRow {
        seq: Seq(1),
        at_ms: 0,
        author: None,
        connection: ConnectionId(0),
        bytes: Bytes::copy_from_slice(update),
    }])?;
    Ok(past.json(Seq(1)))
}

impl Past {
    /// Of a document without a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in rows that follow those it has, in order. Costs about 1 µs for a keystroke.
    ///
    /// # Errors
    /// A row is malformed, builds on something that no row brought, or is not after the one before
    /// it. The past is to be dropped then: it holds a part of the row.
    pub fn extend(&mut self, rows: &[LogRow]) -> Result<(), PastError> {
        for row in rows {
            self.take(row).map_err(|reason| PastError { seq: row.seq, reason })?;
        }
        Ok(())
    }

    /// The last row it has; 0 if none.
    pub fn last(&self) -> Seq {
        self.rows.last().map_or(Seq(0), |row| row.seq)
    }

    /// The row that holds what came as `seq`, and the one before it; 0 is before all of them. Of a log
    /// that was thinned it is the end of a stretch.
    pub fn row_of(&self, seq: Seq) -> (Seq, Seq) {
        let place = self.rows.partition_point(|row| row.seq < seq);
        let at = |place: usize| self.rows.get(place).map_or(Seq(0), |row| row.seq);
        let before = place.checked_sub(1).map_or(Seq(0), at);
        (before, at(place))
    }

    /// Bytes of memory that it takes, about.
    pub fn weight(&self) -> usize {
        self.items.weight()
            + self.moves.weight()
            + self.again.capacity() * size_of::<(u32, Id)>()
            + self.rows.capacity() * size_of::<Row>()
            + self.authors.len() * 128
    }

    /// The plain text as of a row: of one root, or of all.
    pub fn text(&self, seq: Seq, root: Option<&str>) -> String {
        let mut text = walk::PlainText::default();
        Walk::new(&self.items, Views::one(self.seen(seq)), &mut text).document(root);
        text.finish()
    }

    /// The plain text as of a row, cut by who wrote it; put together, it is [`Past::text`].
    ///
    /// An author is whoever brought the row that wrote the text first. Text that a row deletes and
    /// writes again (a split paragraph, a heading typed anew, a run that is moved) and text that an
    /// undo brings back keep theirs.
    pub fn spans(&self, seq: Seq, root: Option<&str>) -> Vec<Span> {
        let mut spans = Spans::new(self);
        Walk::new(&self.items, Views::one(self.seen(seq)), &mut spans).document(root);
        spans.finish()
    }

    /// What is different between two moments, in the order of the document.
    pub fn changes(&self, from: Seq, to: Seq, root: Option<&str>) -> Vec<Change> {
        let mut changes = Changes::new(self);
        let views = Views::two(self.seen(from), self.seen(to));
        Walk::new(&self.items, views, &mut changes).document(root);
        changes.finish()
    }

    /// All roots as of a row, by name, as JSON; see [`to_json`] for its shape.
    pub fn json(&self, seq: Seq) -> serde_json::Value {
        Json::new(&self.items, self.seen(seq)).document()
    }

    /// What each row did, in order.
    pub fn edits(&self) -> impl Iterator<Item = Edit> {
        self.rows.iter().map(|row| Edit {
            seq: row.seq,
            at_ms: row.at_ms,
            author: self.authors[row.author as usize].clone(),
            inserted: row.inserted,
            deleted: row.deleted,
        })
    }

    /// What a row deleted that others had deleted already.
    fn again(&self, row: u32) -> impl Iterator<Item = Id> {
        let start = self.again.partition_point(|it| it.0 < row);
        self.again[start..].iter().take_while(move |it| it.0 == row).map(|it| it.1)
    }

    /// How many rows there are up to a place in the log.
    fn seen(&self, seq: Seq) -> u32 {
        self.rows.partition_point(|row| row.seq <= seq) as u32
    }

    fn take(&mut self, row: &LogRow) -> Result<(), String> {
        if row.seq <= self.last() {
            return Err(format!("it comes after row {}", self.last()));
        }
        let summary = lint(&row.bytes, &LintLimits::NONE).map_err(|e| e.to_string())?;
        if !summary.fits(|client| self.items.known(client)) {
            return Err("something that it builds on is missing".to_owned());
        }
        let number = u32::try_from(self.rows.len()).map_err(|_| "too many rows".to_owned())?;
        let first = self.items.count();
        let seen = self.items.insert(&decode::sections(&row.bytes)?, number)?;
        let recent = number.saturating_sub(UNSEEN_ROWS_MAX);
        let seen = if seen == 0 { recent } else { seen.min(recent) };
        let (mut deleted, mut again) = (Vec::new(), Vec::new());
        for span in &summary.deletes {
            let note = |item, before| again.extend((before > seen).then_some(item));
            self.items.delete(*span, number, |item| deleted.push(item), note);
        }
        // All that was ever deleted comes with whoever was away.
        let went = match again.len() {
            0..=AGAIN_MAX => {
                self.again.extend(again.iter().map(|item| (number, self.items.item(*item).id)));
                [deleted.as_slice(), &again].concat()
            }
            _ => deleted.clone(),
        };
        let inserted = self.items.text_since(first, number);
        let gone = deleted.iter().map(|item| self.items.item(*item).text_len()).sum();
        let (author, seq, at_ms) = (self.number(Author::of(row)), row.seq, row.at_ms);
        let is_author =
            |row: u32| self.rows.get(row as usize).is_some_and(|it| it.author == author);
        let is_own = |item: &Item| {
            let mut again = self.again.iter().rev().take(AGAIN_MAX);
            is_author(item.deleted) || again.any(|(row, id)| *id == item.id && is_author(*row))
        };
        authorship::inherit(&mut self.items, &mut self.moves, number, first, &went, &is_own);
        self.rows.push(Row { seq, at_ms, author, inserted, deleted: gone });
        Ok(())
    }

    fn number(&mut self, author: Author) -> u32 {
        *self.numbers.entry(author).or_insert_with_key(|author| {
            self.authors.push(author.clone());
            self.authors.len() as u32 - 1
        })
    }
}

#[cfg(test)]
mod tests;
