//! Unpacking: puts updates together again, from the columns and what the walk foresees.

use super::columns::{Column, Cursor, ReadColumns, put_number};
use super::walk::{Habits, Place, Side, UNKNOWN_CLIENT};
use super::{LARGE, PackError};

/// Writes updates, one behind the other.
pub(super) struct Pen<'a> {
    pub(super) columns: ReadColumns<'a>,
    clients: &'a [u64],
    /// Of the update that is being written.
    shape: Cursor<'a>,
    updates: Vec<u8>,
    bytes_max: usize,
}

impl<'a> Pen<'a> {
    /// All updates together may have `bytes_max` bytes.
    pub(super) fn new(columns: ReadColumns<'a>, clients: &'a [u64], bytes_max: usize) -> Self {
        Self { columns, clients, shape: Cursor::new(&[]), updates: Vec::new(), bytes_max }
    }

    /// Begins an update, and returns where.
    pub(super) fn begin(&mut self, shape: &'a [u8]) -> usize {
        self.shape = Cursor::new(shape);
        self.updates.len()
    }

    /// Ends an update, and returns where.
    pub(super) fn end(&self) -> Result<usize, PackError> {
        if !self.shape.is_at_end() {
            return Err(PackError::Damaged("a shape that is too long"));
        }
        Ok(self.updates.len())
    }

    /// Writes an update that was kept as it is.
    pub(super) fn whole(&mut self) -> Result<(), PackError> {
        let len = self.columns.number(Column::Lengths)?;
        self.bytes(Column::Rest, len)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.updates
    }

    /// A count as the shape or its column has it.
    fn read_count(&mut self) -> Result<u64, PackError> {
        match self.shape.byte()? {
            LARGE => self.columns.number(Column::Lengths),
            count => Ok(count.into()),
        }
    }

    fn client_id(&self, client: u32) -> Result<u64, PackError> {
        self.clients.get(client as usize).copied().ok_or(UNKNOWN_CLIENT)
    }

    fn distance(&mut self, column: Column, from: u32) -> Result<u32, PackError> {
        Ok(from.wrapping_add(self.columns.signed(column)? as u32))
    }

    fn number(&mut self, number: u64) -> Result<(), PackError> {
        put_number(&mut self.updates, number);
        self.check()
    }

    fn bytes(&mut self, column: Column, len: u64) -> Result<(), PackError> {
        self.updates.extend_from_slice(self.columns.take(column, len)?);
        self.check()
    }

    /// Each piece is small or lies in a column, so looking afterwards is early enough.
    fn check(&self) -> Result<(), PackError> {
        if self.updates.len() > self.bytes_max { Err(PackError::TooLarge) } else { Ok(()) }
    }
}

impl Side for Pen<'_> {
    fn count(&mut self) -> Result<u64, PackError> {
        let count = self.read_count()?;
        self.number(count)?;
        Ok(count)
    }

    fn kind(&mut self) -> Result<u8, PackError> {
        let kind = self.shape.byte()?;
        self.updates.push(kind);
        self.check()?;
        Ok(kind)
    }

    fn client(&mut self, usual: u32) -> Result<u32, PackError> {
        let client = match self.shape.number()? {
            0 => usual,
            number => u32::try_from(number - 1).map_err(|_| UNKNOWN_CLIENT)?,
        };
        self.number(self.client_id(client)?)?;
        Ok(client)
    }

    fn clock(&mut self, column: Column, guesses: &[u32]) -> Result<u32, PackError> {
        let clock = match guesses.get(usize::from(self.shape.byte()?)) {
            Some(guess) => *guess,
            None => self.distance(column, guesses[0])?,
        };
        self.number(clock.into())?;
        Ok(clock)
    }

    fn place(
        &mut self,
        column: Column,
        guesses: &[Place],
        usual: u32,
        habits: &mut Habits,
    ) -> Result<Place, PackError> {
        let guess = usize::from(self.shape.byte()?);
        let place = match guesses.get(guess) {
            Some(place) => *place,
            None => {
                let client = if guess == guesses.len() {
                    usual
                } else {
                    u32::try_from(self.columns.number(Column::Others)?)
                        .map_err(|_| UNKNOWN_CLIENT)?
                };
                // Before the habits are asked: they hold as many client ids as there are.
                self.client_id(client)?;
                let clock = self.distance(column, *habits.near(client))?;
                *habits.near(client) = clock;
                Place { client, clock }
            }
        };
        self.number(self.client_id(place.client)?)?;
        self.number(place.clock.into())?;
        Ok(place)
    }

    fn text(&mut self) -> Result<u64, PackError> {
        let len = self.read_count()?;
        self.number(len)?;
        let start = self.updates.len();
        self.bytes(Column::Text, len)?;
        Ok(super::utf16_len(&self.updates[start..]))
    }

    fn name(&mut self) -> Result<(), PackError> {
        let len = self.read_count()?;
        self.number(len)?;
        self.bytes(Column::Rest, len)
    }

    fn content(&mut self, _place: Place) -> Result<(), PackError> {
        let len = self.read_count()?;
        self.bytes(Column::Rest, len)
    }
}
