//! The one walk along an update that packing and unpacking share, and what it foresees.
//!
//! The walk knows the grammar of updates and asks a [`Side`] for each token in turn: [`Scan`](super::Scan)
//! takes it from an update and puts what is not foreseen into the columns, [`Pen`](super::Pen) does the
//! reverse. Both see the same tokens, so both foresee the same: that is why nothing can be lost.
//! Source of the format: Yjs 13.6, `src/utils/encoding.js`, `src/structs`.

use super::PackError;
use super::columns::Column;

/// Bits of an item's info byte: which of its neighbours and whether its key follow.
const HAS_ORIGIN: u8 = 0b1000_0000;
const HAS_RIGHT_ORIGIN: u8 = 0b0100_0000;
const HAS_PARENT_KEY: u8 = 0b0010_0000;
/// Kinds of content in its low five bits.
const KIND: u8 = 0b0001_1111;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const VALUES: u8 = 8;
/// Blocks that are no items.
const GC: u8 = 0;
const SKIP: u8 = 10;

/// One clock of one client id, which is given by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) client: u32,
    pub(super) clock: u32,
}

impl Place {
    fn left(self) -> Self {
        Self { clock: self.clock.wrapping_sub(1), ..self }
    }

    fn right(self) -> Self {
        Self { clock: self.clock.wrapping_add(1), ..self }
    }
}

/// Moves the tokens of one update, one after the other, from where they are to where they go.
///
/// Each returns the token. Errors: while packing, the update is not in the usual encoding; while
/// unpacking, the columns are damaged.
pub(super) trait Side {
    /// A length or count.
    fn count(&mut self) -> Result<u64, PackError>;
    /// The byte that begins a block and says what follows.
    fn kind(&mut self) -> Result<u8, PackError>;
    /// A client id, by its index; `usual` is the likely one.
    fn client(&mut self, usual: u32) -> Result<u32, PackError>;
    /// A clock, which is likely one of the guesses, or else close to the first.
    fn clock(&mut self, column: Column, guesses: &[u32]) -> Result<u32, PackError>;
    /// A place, which is likely one of the guesses, or else close to where `habits` says for its client.
    fn place(
        &mut self,
        column: Column,
        guesses: &[Place],
        usual: u32,
        habits: &mut Habits,
    ) -> Result<Place, PackError>;
    /// A text with its length, which is returned in UTF-16 units.
    fn text(&mut self) -> Result<u64, PackError>;
    /// A name with its length.
    fn name(&mut self) -> Result<(), PackError>;
    /// What is left of the block of this place: its content.
    fn content(&mut self, place: Place) -> Result<(), PackError>;
}

/// What was seen of each client id so far.
#[derive(Default)]
pub(super) struct Habits {
    habits: Vec<Habit>,
    /// Habits of before the last time that all were forgotten do not count.
    age: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Habit {
    age: u32,
    /// The clock that its next block starts with.
    next: u32,
    /// Its last clock that something referred to unforeseen.
    near: u32,
    /// The neighbours of its last item, and where that starts.
    origin: Place,
    right: Place,
    item: Place,
    /// What it deleted last.
    deleted: Place,
    deleted_end: u32,
}

impl Habits {
    /// After a row that could not be walked along: where that stopped is nobody's business. Costs the same
    /// however many client ids there are.
    pub(super) fn forget(&mut self) {
        self.age += 1;
    }

    /// Where unforeseen places of a client id are likely to be.
    pub(super) fn near(&mut self, client: u32) -> &mut u32 {
        &mut self.of(client).near
    }

    /// Of a client id that the side knows, so there are no more of them than it has in its table.
    fn of(&mut self, client: u32) -> &mut Habit {
        let at = client as usize;
        if self.habits.len() <= at {
            self.habits.resize(at + 1, Habit { age: u32::MAX, ..Habit::default() });
        }
        let habit = &mut self.habits[at];
        if habit.age != self.age {
            let deleted = Place { client, clock: 0 };
            *habit = Habit { age: self.age, deleted, ..Habit::default() };
        }
        habit
    }
}

pub(super) const UNKNOWN_CLIENT: PackError = PackError::Damaged("unknown client id");
const OUT_OF_RANGE: PackError = PackError::Damaged("clock out of range");

/// Walks along one update, from its first byte to its last. `usual` is the client id of whoever sent it.
///
/// # Errors
/// Those of the [`Side`]. What the habits say afterwards is then to be forgotten.
pub(super) fn walk(side: &mut impl Side, habits: &mut Habits, usual: u32) -> Result<(), PackError> {
    for _ in 0..side.count()? {
        let blocks = side.count()?;
        let client = side.client(usual)?;
        let next = habits.of(client).next;
        let mut clock = side.clock(Column::Clocks, &[next])?;
        for _ in 0..blocks {
            let len = block(side, habits, Place { client, clock })?;
            let len = u32::try_from(len).map_err(|_| OUT_OF_RANGE)?;
            clock = clock.checked_add(len).ok_or(OUT_OF_RANGE)?;
        }
        habits.of(client).next = clock;
    }
    for _ in 0..side.count()? {
        let client = side.client(usual)?;
        for _ in 0..side.count()? {
            delete(side, habits.of(client))?;
        }
    }
    Ok(())
}

/// Returns how many clocks the block takes up.
fn block(side: &mut impl Side, habits: &mut Habits, item: Place) -> Result<u64, PackError> {
    let info = side.kind()?;
    if info == GC || info == SKIP {
        return side.count();
    }
    neighbours(side, habits, item, info)?;
    match info & KIND {
        DELETED => side.count(),
        STRING => side.text(),
        VALUES => {
            let values = side.count()?;
            side.content(item)?;
            Ok(values)
        }
        _ => side.content(item).map(|()| 1),
    }
}

fn neighbours(
    side: &mut impl Side,
    habits: &mut Habits,
    item: Place,
    info: u8,
) -> Result<(), PackError> {
    let habit = *habits.of(item.client);
    let mut origin = habit.origin;
    if info & HAS_ORIGIN != 0 {
        // Behind what was typed before, in the gap that a delete left, where the last item went.
        let guesses = [item.left(), habit.deleted.left(), habit.origin, habit.deleted];
        origin = side.place(Column::Origins, &guesses, item.client, habits)?;
    }
    let mut right = habit.right;
    if info & HAS_RIGHT_ORIGIN != 0 {
        // Before the same as the last item, in the gap that a delete left, between two that were typed
        // together, before the last item.
        let guesses = [habit.right, habit.deleted, origin.right(), habit.item];
        right = side.place(Column::RightOrigins, &guesses, item.client, habits)?;
    }
    if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
        match side.count()? {
            0 => {
                let guesses = [item.left(), habit.item];
                side.place(Column::Parents, &guesses, item.client, habits)?;
            }
            1 => side.name()?,
            _ => return Err(PackError::Damaged("unknown kind of parent")),
        }
        if info & HAS_PARENT_KEY != 0 {
            side.name()?;
        }
    }
    let habit = habits.of(item.client);
    (habit.origin, habit.right, habit.item) = (origin, right, item);
    Ok(())
}

fn delete(side: &mut impl Side, habit: &mut Habit) -> Result<(), PackError> {
    let last = habit.deleted.clock;
    // Backwards, forwards, what was typed last.
    let guesses = [last.wrapping_sub(1), habit.deleted_end, habit.next.wrapping_sub(1)];
    let start = side.clock(Column::Deletes, &guesses)?;
    let len = side.count()?;
    habit.deleted.clock = start;
    habit.deleted_end = start.wrapping_add(len as u32);
    Ok(())
}
