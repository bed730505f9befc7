//! The people's hands: what they type and where their cursors go, and the bytes on their way out.

use std::cmp::Reverse;
use std::io::{ErrorKind, Write};
use std::ops::Range;

use crate::crowd::{CURSOR_CLOCK_FIRST, Crowd, Stage, Writer};
use crate::dialect::{put_awareness, put_update};
use crate::frame;
use crate::update::{TEXT_NAME, put_bytes, put_insert, put_number};

/// A poll can wait for whole milliseconds only. Where sends are rarer than this, the rest of the
/// last one is waited for without sleeping, so that nobody types late.
const PRECISE_SENDS_PER_S_MAX: f64 = 2_000.0;
/// Updates that an unpaced writer sends in one go.
const UNPACED_AT_ONCE: u32 = 32;
/// When an update was due that nobody waits for.
const NEVER: u64 = u64::MAX;
/// Room for what is sent that a connection keeps.
const OUT_BYTES_KEPT: usize = 64 << 10;

/// What writers do when it is time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Habit {
    /// Insert something.
    Type,
    /// Insert something, and move the cursor behind it.
    TypeAndMove,
    /// Move the cursor.
    Move,
}

/// Somebody who types whenever less than a window of updates is on its way to somebody else.
pub struct Unpaced {
    /// Who types.
    pub writer: usize,
    /// Who must have seen it.
    pub witness: usize,
    /// The window, in updates.
    pub window: u32,
}

impl Crowd {
    /// Lets `writers` act so many times a second each from now on, evenly spread.
    pub fn act(&mut self, writers: Range<usize>, habit: Habit, per_s: f64) {
        let interval = (1e9 / per_s) as u64;
        let now = self.now();
        let mut random = fastrand::Rng::with_seed(writers.len() as u64);
        self.habit = habit;
        for writer in writers {
            self.due.push(Reverse((now + random.u64(0..interval), writer, interval)));
        }
        self.precise = self.due.len() as f64 * per_s <= PRECISE_SENDS_PER_S_MAX;
    }

    /// Nobody acts any more.
    pub fn rest(&mut self) {
        self.due.clear();
        self.unpaced.clear();
    }

    /// What a writer does when it is due.
    pub fn do_one(&mut self, writer: usize, due: u64) {
        let Some(id) = self.writers[writer].person else { return };
        let mut out = Vec::with_capacity(64);
        if self.habit != Habit::Move {
            self.put_typed(&mut out, writer, due);
        }
        if self.habit != Habit::Type {
            self.put_moved(&mut out, writer, due);
        }
        self.push(id, &out);
    }

    fn put_typed(&mut self, out: &mut Vec<u8>, writer: usize, due: u64) {
        let writer = &mut self.writers[writer];
        let document = &self.documents[writer.document];
        let client = document.clients.first + u64::from(writer.slot);
        let mut update = Vec::with_capacity(document.insert.len() + 32);
        put_insert(&mut update, client, writer.clock, &document.insert);
        writer.clock += document.insert.len() as u32;
        writer.due.push(due);
        self.tally.sent += 1;
        let mut message = Vec::with_capacity(update.len() + 32);
        put_update(&mut message, &document.address, &update);
        frame::put(out, frame::BINARY, &[&message]);
    }

    /// The cursor of a person as editors show it: a name, a colour, and places in the text.
    fn put_moved(&mut self, out: &mut Vec<u8>, writer: usize, due: u64) {
        let writer = &mut self.writers[writer];
        let document = &self.documents[writer.document];
        let client = document.clients.first + u64::from(writer.slot);
        let clock = CURSOR_CLOCK_FIRST + writer.cursor_due.len() as u32;
        writer.cursor_due.push(due);
        let place = format!(
            r#"{{"type":null,"tname":"{TEXT_NAME}","item":{{"client":{client},"clock":{clock}}},"assoc":0}}"#
        );
        let state = format!(
            r##"{{"user":{{"name":"Person {}","color":"#30bced"}},"cursor":{{"anchor":{place},"head":{place}}}}}"##,
            writer.slot
        );
        let mut body = vec![1];
        put_number(&mut body, client);
        put_number(&mut body, u64::from(clock));
        put_bytes(&mut body, state.as_bytes());
        let mut message = Vec::with_capacity(body.len() + 32);
        put_awareness(&mut message, &document.address, &body);
        frame::put(out, frame::BINARY, &[&message]);
    }

    /// Says whether there is more to type at once.
    pub fn type_unpaced(&mut self) -> bool {
        let mut more = false;
        for index in 0..self.unpaced.len() {
            let Unpaced { writer, witness, window } = self.unpaced[index];
            let Writer { person: Some(id), clock, slot, document, .. } = self.writers[writer]
            else {
                continue;
            };
            let on_its_way = clock.saturating_sub(self.people[witness].seen[slot as usize]);
            let updates = on_its_way / self.documents[document].insert.len() as u32;
            if updates + UNPACED_AT_ONCE > window || self.backlog(id) > 0 {
                continue;
            }
            let mut out = Vec::new();
            for _ in 0..UNPACED_AT_ONCE {
                self.put_typed(&mut out, writer, NEVER);
            }
            self.push(id, &out);
            more = true;
        }
        more
    }

    /// Bytes that the server has not taken from a person yet.
    pub fn backlog(&self, id: usize) -> usize {
        self.people[id].out.len() - self.people[id].out_sent
    }

    /// Sends a message about the person's document.
    pub fn say(&mut self, id: usize, message: &[u8]) {
        let mut out = Vec::with_capacity(message.len() + 64);
        let address = &self.documents[self.people[id].document].address;
        frame::put(&mut out, frame::BINARY, &[address, message]);
        self.push(id, &out);
    }

    /// Sends an update that was not made here.
    pub fn say_update(&mut self, id: usize, update: &[u8]) {
        let mut message = Vec::with_capacity(update.len() + 16);
        put_update(&mut message, &[], update);
        self.say(id, &message);
    }

    /// Sends bytes, or puts them behind those that the server has not taken.
    pub fn push(&mut self, id: usize, bytes: &[u8]) {
        let person = &mut self.people[id];
        if person.stage == Stage::Closed {
            return;
        }
        let waits = !person.out.is_empty();
        person.out.extend_from_slice(bytes);
        if !waits {
            self.write(id);
        }
    }

    pub fn write(&mut self, id: usize) {
        let person = &mut self.people[id];
        let Some(stream) = person.stream.as_mut() else { return };
        while person.out_sent < person.out.len() {
            match stream.write(&person.out[person.out_sent..]) {
                Ok(sent) => person.out_sent += sent,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.closed(id),
            }
        }
        person.out.clear();
        person.out_sent = 0;
        person.out.shrink_to(OUT_BYTES_KEPT);
    }
}
