//! Text that lost its place because somebody else changed the form of its block.
//!
//! Editors make a heading of a paragraph by deleting the element and inserting another one with a copy
//! of its text. What a second person, who has not seen that, writes into the old element is deleted
//! with it, and nobody meant that. The rules:
//!
//! - **Orphans** are items that no row deletes, below a type that a row deletes ([`orphans`]). So are
//!   letters that an undo took with the block that it undid, and letters that stand where their line
//!   was before it moved ([`strayed`]).
//! - **Carried** is an orphan whose neighbours were written again elsewhere: it goes beside them
//!   ([`place`]), in the name of who wrote it. The old item is deleted in the same update, so the
//!   log shows a move, and the same orphan is never carried twice.
//! - **Kept** is an orphan whose line nobody wrote again. One update writes it where the line was, for
//!   the history, and another takes it away again; the caller keeps the text.
//! - **Overfull** is a block that an editor deleted because two forms of one line stood in it; it is
//!   written again with the first ([`overfull`]).
//! - **Doubled** is a line that two people have written again, neither seeing the other's: the later
//!   copy goes ([`doubled`]).
//!
//! Nothing here changes the past: the edits go through the log like everybody's.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use super::items::Id;
use super::{Author, Past};
use crate::crdt::lint::Place;
use crate::crdt::state_vector::StateVector;
use crate::id::{ConnectionId, LogRow, Seq};

mod doubled;
mod ground;
mod lexical;
mod orphans;
mod overfull;
mod pieces;
mod place;
mod strayed;
mod write;

use ground::Ground;
use orphans::Run;
use place::{Spot, Spots};
use write::Writer;

/// What somebody had seen who made an edit.
#[derive(Debug, Clone)]
pub struct Hint {
    /// The row that holds the edit.
    pub seq: Seq,
    /// What was seen.
    pub seen: Seen,
}

/// What of the others' edits somebody had seen.
#[derive(Debug, Clone)]
pub enum Seen {
    /// What a client had that came back.
    All(StateVector),
    /// Everything up to a row, and perhaps nothing behind it, of a client that was there.
    Until(Seq),
}

/// What has to be done so that no text is lost.
#[derive(Debug, Clone, Default)]
pub struct Carry {
    /// Edits, in this order, for the log.
    pub carried: Vec<Carried>,
    /// Texts to be kept beside the document.
    pub kept: Vec<Kept>,
    /// Where texts may begin that are kept and need not be any longer: client ids and clocks. Who wrote them
    /// has deleted them, or written them elsewhere.
    pub unkept: Vec<(u64, u32)>,
}

/// An edit that carries text over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Who wrote the text.
    pub author: Author,
    /// A Yjs v1 update.
    pub update: Bytes,
}

/// A text for which there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Client id and clock at which it begins.
    pub client: u64,
    /// See `client`.
    pub clock: u32,
    /// When the server took it, in unix milliseconds.
    pub at_ms: i64,
    /// Who wrote it.
    pub author: Author,
    /// The text. Lines end with `\n`.
    pub text: String,
    /// Why it has no place.
    pub why: Why,
}

/// Why a text has no place. Shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody deleted the line that it was in.
    LineDeleted,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineDeleted => f.write_str("its line was deleted while it was being written"),
        }
    }
}

impl Past {
    /// Looks for text that lost its place in the rows from `from` on, and says what to do. Edits are made
    /// under the client id `own`, whose next clock is known from the rows. Of the last `fresh` rows it is known
    /// which brought all that a client had: those that have a hint. Costs a walk over all items.
    pub fn carry(&self, from: Seq, fresh: usize, hints: &[Hint], own: u64) -> Carry {
        let since = self.rows.partition_point(|row| row.seq < from) as u32;
        let fresh = since.max((self.rows.len() - fresh) as u32);
        let mut writer = Writer::new(own, self.items.known(own));
        let ground = Ground::new(self);
        let whole = self.whole_rows(hints);
        let overfull = overfull::find(&ground, since, &whole, own);
        let mut written = Vec::new();
        for block in &overfull {
            if writer.put(&block.spot, std::slice::from_ref(&block.piece)).is_some() {
                let (author, update) = (ground.author(block.author), writer.finish(&block.gone));
                written.push(Carried { author, update });
            }
        }
        let runs: Vec<Run> = overfull.into_iter().flat_map(|block| block.runs).collect();
        // What is new in other forms of a line has a place when that line is there.
        let after = if written.is_empty() { None } else { self.with(&written) };
        let Some(after) = after else {
            let writer = Writer::new(own, self.items.known(own));
            return self.carry_all((since, fresh, own), hints, writer, Vec::new());
        };
        let mut carry = after.carry_all((since, fresh, own), hints, writer, runs);
        carry.carried.splice(0..0, written);
        carry
    }

    /// The past with edits behind it that are about to be made; `None` if they do not fit.
    fn with(&self, edits: &[Carried]) -> Option<Past> {
        let mut past = self.clone();
        for Carried { author, update } in edits {
            let (author, connection) = match author {
                Author::User(user) => (Some(user.clone()), ConnectionId(0)),
                Author::Connection(connection) => (None, *connection),
            };
            let (seq, at_ms) =
                (Seq(past.last().0 + 1), past.rows.last().map_or(0, |row| row.at_ms));
            past.extend(&[LogRow { seq, at_ms, author, connection, bytes: update.clone() }])
                .ok()?;
        }
        Some(past)
    }

    /// The rows that brought all that a client had.
    fn whole_rows(&self, hints: &[Hint]) -> HashSet<u32> {
        let whole = hints.iter().filter(|it| matches!(it.seen, Seen::All(_)));
        whole.map(|it| self.rows.partition_point(|row| row.seq < it.seq) as u32).collect()
    }

    /// Like [`Past::carry`], by numbers of rows; `runs` have lost their place as well.
    fn carry_all(
        &self,
        (since, fresh, own): (u32, u32, u64),
        hints: &[Hint],
        mut writer: Writer,
        mut runs: Vec<Run>,
    ) -> Carry {
        let mut ground = Ground::new(self);
        let mut carry = Carry { unkept: orphans::unkept(&ground, since), ..Carry::default() };
        let doubles = doubled::find(&ground, fresh, hints, own);
        ground.doubled = doubles.letters;
        let mut known: HashSet<u32> = runs.iter().flat_map(|run| run.items.clone()).collect();
        let found = orphans::find(&ground, since).into_iter().chain(doubles.runs);
        let found = found.chain(strayed::find(&ground, since, hints));
        let found = found.chain(lexical::bare(&ground, since));
        for run in found {
            if !run.items.iter().any(|it| known.contains(it)) {
                known.extend(&run.items);
                runs.push(run);
            }
        }
        let mut spots = Spots::default();
        for run in &runs {
            let spot = run.spot.clone().or_else(|| place::find(&ground, &spots, run));
            match spot.and_then(|spot| ground.carried(&mut writer, &mut spots, run, spot)) {
                Some(carried) => carry.carried.push(carried),
                None if run.is_kept => carry.kept.extend(ground.kept(run)),
                None => {}
            }
        }
        for block in overfull::begun_anew(&ground, since) {
            let author = ground.author(ground.author_of(ground.item(block).inserted));
            let update = writer.finish(&ground.spans_below(block));
            carry.carried.push(Carried { author, update });
        }
        for (author, gone) in doubles.gone {
            let (author, update) = (ground.author(author), writer.finish(&gone));
            carry.carried.push(Carried { author, update });
        }
        for run in
            carry.kept.iter().filter_map(|kept| ground.run_at(kept.client, kept.clock, &runs))
        {
            carry.carried.extend(ground.shown(&mut writer, run));
        }
        carry
    }

    /// All letters that nobody deleted and that are not there: all of them have been kept once. For tests
    /// and tools.
    pub fn orphans(&self) -> Vec<Kept> {
        let ground = Ground::new(self);
        let runs = orphans::all(&ground);
        runs.iter().filter_map(|run| ground.kept(run)).collect()
    }

    /// The edit that puts a kept text back where its line was, under the client id `own`, which has not
    /// been used. `None` where the log no longer tells what the text was.
    pub fn put_back(&self, client: u64, clock: u32, own: u64) -> Option<Bytes> {
        let ground = Ground::new(self);
        let id = self.items.at(Place { client, clock })?;
        let run = orphans::run_from(&ground, self.items.find(id))?;
        let mut writer = Writer::new(own, 0);
        let (spot, pieces) = ground.line_of(&run)?;
        writer.put(&spot, &pieces)?;
        Some(writer.finish(&[]))
    }
}

impl Ground<'_> {
    /// Writes a run where it belongs, and takes away what stands where it was.
    fn carried(
        &self,
        writer: &mut Writer,
        spots: &mut Spots,
        run: &Run,
        spot: Spot,
    ) -> Option<Carried> {
        let spot = spots.behind_what_came(spot);
        let first = *run.items.first()?;
        let pieces = match spot.is_wrapped {
            true => self.wrapped(first, self.pieces(run, false))?.1,
            false => self.fitting(&spot, self.pieces(run, spot.is_code)),
        };
        let (spot, pieces) = self.with_maps(run, spot, pieces);
        let end = writer.put(&spot, &pieces)?;
        spots.note(run, &spot, end);
        let gone: Vec<_> = run.items.iter().flat_map(|it| self.spans_below(*it)).collect();
        Some(Carried { author: self.author(run.author), update: writer.finish(&gone) })
    }

    /// Two edits that nobody sees but in the history: the text comes where its line was, and goes.
    fn shown(&self, writer: &mut Writer, run: &Run) -> Vec<Carried> {
        let Some((spot, pieces)) = self.line_of(run) else { return Vec::new() };
        let start = writer.clock();
        if writer.put(&spot, &pieces).is_none() {
            return Vec::new();
        }
        let author = self.author(run.author);
        let comes = Carried { author: author.clone(), update: writer.finish(&[]) };
        let goes = Carried { author, update: writer.finish(&[writer.span_since(start)]) };
        vec![comes, goes]
    }

    fn kept(&self, run: &Run) -> Option<Kept> {
        let first = self.past.items.item(*run.items.first()?);
        let Place { client, clock } = self.past.items.place(first.id);
        let row = &self.past.rows[first.inserted as usize];
        let text = pieces::text_of(&self.pieces(run, true));
        let (at_ms, author) = (row.at_ms, self.author(run.author));
        let is_blank = text.trim().is_empty();
        (!is_blank).then_some(Kept { client, clock, at_ms, author, text, why: Why::LineDeleted })
    }

    fn run_at<'r>(&self, client: u64, clock: u32, runs: &'r [Run]) -> Option<&'r Run> {
        let id: Id = self.past.items.at(Place { client, clock })?;
        let starts = |run: &&Run| run.items.first().is_some_and(|it| self.item(*it).id == id);
        runs.iter().find(starts)
    }

    fn author(&self, number: u32) -> Author {
        self.past.authors[number as usize].clone()
    }
}
