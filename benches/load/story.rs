//! Documents that somebody has typed, made from a seed.

use anyhow::{Context, Result};
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Transact, Update};

use crate::update::{TEXT_NAME, clocks, put_delete, put_insert_between};

/// Who typed it.
pub const AUTHOR: u64 = 1_234_567_890;

/// What is typed into a document.
#[derive(Debug, Clone, Copy)]
pub struct Plot {
    /// How often something is typed or deleted.
    pub edits: usize,
    /// Characters that are inserted at once.
    pub piece: usize,
}

/// A document, and how it came to be.
pub struct Story {
    /// One for each edit.
    pub updates: Vec<Vec<u8>>,
    /// The text in the end.
    pub text: String,
    /// The whole document as one update.
    pub state: Vec<u8>,
    /// The clock behind the last character.
    pub clock: u32,
}

impl Story {
    /// Makes the document. The same plot gives the same document.
    ///
    /// # Errors
    /// The CRDT library does not take it.
    pub fn make(plot: Plot) -> Result<Self> {
        let updates = type_it(plot);
        let (text, state) = read(&updates)?;
        let mut clock = 0;
        clocks(&state, |_, _, to| clock = clock.max(to)).context("a state that cannot be read")?;
        Ok(Self { updates, text, state, clock })
    }
}

/// What a document says to which these updates came, in this order.
///
/// # Errors
/// One of them is none.
pub fn text_of(updates: &[Vec<u8>]) -> Result<String> {
    Ok(read(updates)?.0)
}

fn read(updates: &[Vec<u8>]) -> Result<(String, Vec<u8>)> {
    let doc = Doc::new();
    let text = doc.get_or_insert_text(TEXT_NAME);
    // Many at a time; an update each would take the library much longer.
    for some in updates.chunks(1000) {
        let mut transaction = doc.transact_mut();
        for update in some {
            transaction.apply_update(Update::decode_v1(update)?)?;
        }
    }
    let transaction = doc.transact();
    let state = transaction.encode_state_as_update_v1(&StateVector::default());
    Ok((text.get_string(&transaction), state))
}

/// Somebody types in runs, mostly near where they were, sometimes anywhere; a fifth of it is deleting.
fn type_it(plot: Plot) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut page = Page::default();
    let mut run = 0;
    let edit = |edit: usize| {
        if run == 0 {
            run = random.usize(4..80);
            let near = (page.at + random.usize(0..400)).saturating_sub(200).min(page.len);
            page.go_to(if random.u8(0..5) == 0 { random.usize(0..=page.len) } else { near });
        }
        run -= 1;
        // The last edit inserts, so that whoever has seen its clock has seen everything.
        let deletes = edit + 1 < plot.edits && page.at > 0 && random.u8(0..5) == 0;
        if deletes {
            page.delete(plot.piece)
        } else {
            let piece: Vec<u8> = (0..plot.piece).map(|_| letter(&mut random)).collect();
            page.insert(&piece)
        }
    };
    (0..plot.edits).map(edit).collect()
}

fn letter(random: &mut fastrand::Rng) -> u8 {
    if random.u8(0..6) == 0 { b' ' } else { random.u8(b'a'..=b'z') }
}

/// A text with a cursor, as a Yjs client sees it: every character has a clock, and stays when it is
/// deleted. (The CRDT library walks along the text to a place in it, which takes minutes here.)
#[derive(Default)]
struct Page {
    /// Characters before the cursor, the last one in view unless there is none in view.
    before: Vec<Letter>,
    /// Those behind it, the nearest one last.
    behind: Vec<Letter>,
    /// Characters in view before the cursor, and in all.
    at: usize,
    len: usize,
    clock: u32,
}

#[derive(Clone, Copy)]
struct Letter {
    clock: u32,
    deleted: bool,
}

impl Page {
    fn go_to(&mut self, place: usize) {
        while self.at < place
            && let Some(letter) = self.behind.pop()
        {
            self.at += usize::from(!letter.deleted);
            self.before.push(letter);
        }
        while self.at > place
            && let Some(letter) = self.before.pop()
        {
            self.at -= usize::from(!letter.deleted);
            self.behind.push(letter);
        }
        self.step_over_deleted();
    }

    /// An insert goes right behind the character in view that it follows.
    fn step_over_deleted(&mut self) {
        while let Some(letter) = self.before.pop_if(|letter| letter.deleted) {
            self.behind.push(letter);
        }
    }

    fn insert(&mut self, piece: &[u8]) -> Vec<u8> {
        let clock_of = |letter: &Letter| letter.clock;
        let neighbours = (self.before.last().map(clock_of), self.behind.last().map(clock_of));
        let mut update = Vec::new();
        put_insert_between(&mut update, AUTHOR, self.clock, neighbours, piece);
        for _ in piece {
            self.before.push(Letter { clock: self.clock, deleted: false });
            self.clock += 1;
        }
        self.at += piece.len();
        self.len += piece.len();
        update
    }

    /// Deletes what is before the cursor, as far as it was typed in one go.
    fn delete(&mut self, most: usize) -> Vec<u8> {
        let (mut first, mut len) = (None, 0);
        while len < most
            && let Some(mut letter) = self.before.pop_if(|letter| {
                !letter.deleted && first.is_none_or(|first| letter.clock + 1 == first)
            })
        {
            first = Some(letter.clock);
            len += 1;
            letter.deleted = true;
            self.behind.push(letter);
        }
        self.at -= len;
        self.len -= len;
        self.step_over_deleted();
        let mut update = Vec::new();
        put_delete(&mut update, AUTHOR, first.unwrap_or_default(), len as u32);
        update
    }
}

/// What can be wrong without showing: that the CRDT library reads the page as it was written.
pub fn check() {
    let mut page = Page::default();
    let mut updates = vec![page.insert(b"hello"), page.insert(b" world")];
    page.go_to(5);
    updates.push(page.delete(2));
    updates.push(page.insert(b"p me, dear"));
    page.go_to(3);
    updates.push(page.delete(1));
    page.go_to(0);
    updates.push(page.insert(b"> "));
    let text = text_of(&updates).expect("updates");
    assert_eq!(text, "> hep me, dear world");
    assert_eq!((page.at, page.len), (2, text.len()));
    let plot = Plot { edits: 3000, piece: 3 };
    let story = Story::make(plot).expect("a document");
    let bytes: u32 = story.updates.iter().map(|update| inserted(update)).sum();
    assert_eq!(story.clock, bytes, "the last clock is behind everything that was inserted");
    assert_eq!(text_of(&[story.state]).expect("a state"), story.text);
}

fn inserted(update: &[u8]) -> u32 {
    let mut len = 0;
    clocks(update, |_, from, to| len += to - from).expect("an update");
    len
}
