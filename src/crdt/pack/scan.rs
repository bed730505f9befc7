//! Packing: takes updates apart, and what the walk did not foresee into the columns.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::{Column, Columns, Cursor, put_number};
use super::walk::{Habits, Place, Side, walk};
use super::{LARGE, PackError};
use crate::crdt::lint::{LintLimits, Reader};
use crate::id::LogRow;

/// What is known of the rows taken so far.
#[derive(Default)]
pub(super) struct Scan {
    authors: Table<Arc<str>>,
    clients: Table<u64>,
    writers: Table<Writer>,
    shapes: Table<Vec<u8>>,
    /// The writer that an author's connection was last.
    latest: HashMap<(u64, u64), Writer>,
    habits: Habits,
}

/// Who sent a row, as indexes; an author counts from 1, 0 is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Writer {
    author: u64,
    connection: u64,
    client: u32,
}

/// Things in the order in which they came up first.
struct Table<T> {
    index: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { index: HashMap::new(), things: Vec::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn index(&mut self, thing: &T) -> u32 {
        if let Some(index) = self.index.get(thing) {
            return *index;
        }
        let index = self.things.len() as u32;
        self.index.insert(thing.clone(), index);
        self.things.push(thing.clone());
        index
    }
}

impl Scan {
    /// Puts who wrote a row, and its update, into the columns.
    pub(super) fn take(&mut self, row: &LogRow, columns: &mut Columns) {
        let writer = self.writer(row);
        columns.put(Column::Writers, self.writers.index(&writer).into());
        let start = columns.mark();
        let mut tokens = Tokens {
            update: Cursor::new(&row.bytes),
            block: 0,
            shape: Vec::new(),
            columns,
            clients: &mut self.clients,
        };
        let done = walk(&mut tokens, &mut self.habits, writer.client);
        let is_walked = done.is_ok() && tokens.update.is_at_end();
        let mut shape = tokens.shape;
        if !is_walked {
            columns.go_back(start);
            columns.put(Column::Lengths, row.bytes.len() as u64);
            columns.put_bytes(Column::Rest, &row.bytes);
            self.habits.forget();
            shape.clear();
        }
        columns.put(Column::Shapes, self.shapes.index(&shape).into());
    }

    /// Puts what the columns refer to.
    pub(super) fn put_tables(self, rows: usize, columns: &mut Columns) {
        let tables = Column::Tables;
        columns.put(tables, rows as u64);
        columns.put(tables, self.authors.things.len() as u64);
        for author in &self.authors.things {
            columns.put(tables, author.len() as u64);
            columns.put_bytes(tables, author.as_bytes());
        }
        columns.put(tables, self.clients.things.len() as u64);
        self.clients.things.iter().for_each(|client| columns.put(tables, *client));
        columns.put(tables, self.writers.things.len() as u64);
        for writer in &self.writers.things {
            columns.put(tables, writer.author);
            columns.put(tables, writer.connection);
            columns.put(tables, writer.client.into());
        }
        columns.put(tables, self.shapes.things.len() as u64);
        for shape in &self.shapes.things {
            columns.put(tables, shape.len() as u64);
            columns.put_bytes(tables, shape);
        }
    }

    /// Whoever sent a row, with the client id that it inserts under; one that only deletes is taken for
    /// whom the connection was before.
    fn writer(&mut self, row: &LogRow) -> Writer {
        let author = row.author.as_ref().map_or(0, |author| self.authors.index(author) + 1).into();
        let connection = row.connection.0;
        let latest = self.latest.get(&(author, connection));
        let client = match first_client(&row.bytes) {
            Ok((_, false)) if latest.is_some() => None,
            Ok((client, _)) => Some(self.clients.index(&client)),
            Err(_) => None,
        };
        let client = client.or(latest.map(|latest| latest.client)).unwrap_or(0);
        let writer = Writer { author, connection, client };
        self.latest.insert((author, connection), writer);
        writer
    }
}

/// The client id of an update's first section, and whether that is one of inserts.
fn first_client(update: &[u8]) -> Result<(u64, bool), PackError> {
    let mut cursor = Cursor::new(update);
    let inserts = cursor.number()? > 0;
    cursor.number()?;
    Ok((cursor.number()?, inserts))
}

/// One update, and where its tokens go.
struct Tokens<'a> {
    update: Cursor<'a>,
    /// Where the last block starts.
    block: usize,
    shape: Vec<u8>,
    columns: &'a mut Columns,
    clients: &'a mut Table<u64>,
}

impl Tokens<'_> {
    /// Small numbers belong to the shape.
    fn put_count(&mut self, count: u64) {
        self.shape.push(count.min(LARGE.into()) as u8);
        if count >= LARGE.into() {
            self.columns.put(Column::Lengths, count);
        }
    }

    fn read_clock(&mut self) -> Result<u32, PackError> {
        let clock = self.update.number()?;
        u32::try_from(clock).map_err(|_| PackError::Damaged("clock out of range"))
    }

    fn put_guess(&mut self, guess: Option<usize>, otherwise: usize) {
        self.shape.push(guess.unwrap_or(otherwise) as u8);
    }

    /// How much further than expected, either way.
    fn put_distance(&mut self, column: Column, from: u32, to: u32) {
        self.columns.put_signed(column, i64::from(to.wrapping_sub(from) as i32));
    }
}

impl Side for Tokens<'_> {
    fn count(&mut self) -> Result<u64, PackError> {
        let count = self.update.number()?;
        self.put_count(count);
        Ok(count)
    }

    fn kind(&mut self) -> Result<u8, PackError> {
        self.block = self.update.at();
        let kind = self.update.byte()?;
        self.shape.push(kind);
        Ok(kind)
    }

    fn client(&mut self, usual: u32) -> Result<u32, PackError> {
        let client = self.clients.index(&self.update.number()?);
        put_number(&mut self.shape, if client == usual { 0 } else { u64::from(client) + 1 });
        Ok(client)
    }

    fn clock(&mut self, column: Column, guesses: &[u32]) -> Result<u32, PackError> {
        let clock = self.read_clock()?;
        let guess = guesses.iter().position(|guess| *guess == clock);
        self.put_guess(guess, guesses.len());
        if guess.is_none() {
            self.put_distance(column, guesses[0], clock);
        }
        Ok(clock)
    }

    fn place(
        &mut self,
        column: Column,
        guesses: &[Place],
        usual: u32,
        habits: &mut Habits,
    ) -> Result<Place, PackError> {
        let client = self.clients.index(&self.update.number()?);
        let place = Place { client, clock: self.read_clock()? };
        let guess = guesses.iter().position(|guess| *guess == place);
        let is_usual = client == usual;
        self.put_guess(guess, guesses.len() + usize::from(!is_usual));
        if guess.is_none() {
            if !is_usual {
                self.columns.put(Column::Others, client.into());
            }
            let near = std::mem::replace(habits.near(client), place.clock);
            self.put_distance(column, near, place.clock);
        }
        Ok(place)
    }

    fn text(&mut self) -> Result<u64, PackError> {
        let len = self.update.number()?;
        self.put_count(len);
        let text = self.update.take(len)?;
        self.columns.put_bytes(Column::Text, text);
        Ok(super::utf16_len(text))
    }

    fn name(&mut self) -> Result<(), PackError> {
        let len = self.update.number()?;
        self.put_count(len);
        let name = self.update.take(len)?;
        self.columns.put_bytes(Column::Rest, name);
        Ok(())
    }

    fn content(&mut self, place: Place) -> Result<(), PackError> {
        let client = self.clients.things[place.client as usize];
        let start = self.block;
        let behind = self.update.at() - start;
        self.update = self.update.back_to(start);
        let mut reader = Reader::new(self.update.rest());
        let odd = |_| PackError::Damaged("not the usual encoding");
        reader.block(client, place.clock, &LintLimits::NONE).map_err(odd)?;
        let block = self.update.take(reader.at() as u64)?;
        let content = block.get(behind..).unwrap_or_default();
        self.put_count(content.len() as u64);
        self.columns.put_bytes(Column::Rest, content);
        Ok(())
    }
}
