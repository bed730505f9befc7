//! The people's ears: bytes from a socket to frames, to messages, to what was seen and when.

use std::io::{ErrorKind, Read};
use std::mem;

use crate::crowd::{CURSOR_CLOCK_FIRST, Crowd, Stage};
use crate::dialect::{Message, STEP_1, STEP_2_EMPTY, put_awareness};
use crate::frame;
use crate::memo::{Kind, Range};
use crate::update::{Reader, put_number};

/// Room for torn frames and messages that a connection keeps.
const BYTES_KEPT: usize = 64 << 10;
/// A client whose server takes nothing sends nothing on. Stock clients would go on till they are out
/// of memory.
const REFLECTED_BYTES_MAX: usize = 1 << 20;

impl Crowd {
    /// Reads what has come for somebody.
    pub fn hear(&mut self, id: usize) {
        loop {
            let Some(stream) = self.people[id].stream.as_mut() else { return };
            match stream.read(&mut self.buffer) {
                Ok(0) => return self.closed(id),
                Ok(read) => {
                    self.heard_at = self.now();
                    self.take(id, read);
                    // A short read has emptied the socket; what comes later is told anew.
                    if read < self.buffer.len() {
                        return;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.closed(id),
            }
        }
    }

    fn take(&mut self, id: usize, read: usize) {
        let buffer = mem::take(&mut self.buffer);
        let mut rest = mem::take(&mut self.people[id].rest);
        if rest.is_empty() {
            let used = self.take_frames(id, &buffer[..read]);
            rest.extend_from_slice(&buffer[used..read]);
        } else {
            rest.extend_from_slice(&buffer[..read]);
            let used = self.take_frames(id, &rest);
            rest.drain(..used);
            if rest.is_empty() {
                rest.shrink_to(BYTES_KEPT);
            }
        }
        self.buffer = buffer;
        if self.people[id].stage != Stage::Closed {
            self.people[id].rest = rest;
        }
    }

    /// Handles the frames that have come whole; says how many bytes they were.
    fn take_frames(&mut self, id: usize, bytes: &[u8]) -> usize {
        let mut used = 0;
        if self.people[id].stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|at| at == b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.closed(id);
                return bytes.len();
            }
            used = end + 4;
            self.opened(id);
        }
        while let Some(head) = frame::parse(&bytes[used..]) {
            let payload = &bytes[used + head.start..used + head.end];
            used += head.end;
            self.tally.frames_in += 1;
            match head.kind {
                frame::BINARY if head.last => self.message(id, payload),
                frame::BINARY | frame::CONTINUATION => {
                    let mut message = mem::take(&mut self.people[id].message);
                    message.extend_from_slice(payload);
                    if head.last {
                        self.message(id, &message);
                        message.clear();
                        message.shrink_to(BYTES_KEPT);
                    }
                    self.people[id].message = message;
                }
                frame::PING => {
                    let mut pong = Vec::new();
                    frame::put(&mut pong, frame::PONG, &[payload]);
                    self.push(id, &pong);
                }
                frame::CLOSE => self.closed(id),
                _ => {}
            }
            if self.people[id].stage == Stage::Closed {
                return bytes.len();
            }
        }
        used
    }

    fn opened(&mut self, id: usize) {
        match self.dialect.login() {
            Some(login) => {
                self.people[id].stage = Stage::LoggingIn;
                self.say(id, &login);
            }
            None => self.begin(id),
        }
    }

    fn begin(&mut self, id: usize) {
        self.people[id].stage = Stage::Syncing;
        self.say(id, STEP_1);
    }

    fn message(&mut self, id: usize, payload: &[u8]) {
        let mut rest = Reader(payload);
        let mut first = true;
        while first || !rest.0.is_empty() {
            let Some(message) = self.dialect.read(&mut rest, first) else {
                self.tally.unreadable += 1;
                return;
            };
            first = false;
            match message {
                Message::Step1 => self.say(id, STEP_2_EMPTY),
                Message::Step2(update) => {
                    if self.people[id].stage == Stage::Syncing {
                        self.people[id].stage = Stage::Synced;
                        self.opening -= 1;
                        self.synced += 1;
                    }
                    self.update(id, update);
                }
                Message::Update(update) => self.update(id, update),
                Message::Awareness(body) => self.awareness(id, body),
                Message::Authenticated if self.people[id].stage == Stage::LoggingIn => {
                    self.begin(id)
                }
                Message::Authenticated | Message::Other => {}
            }
        }
    }

    /// Somebody has seen an update: once for each of its clocks that were not seen before.
    fn update(&mut self, id: usize, update: &[u8]) {
        let now = self.heard_at;
        let Self { people, documents, writers, memo, tally, measured, .. } = self;
        let person = &mut people[id];
        if update.len() > person.longest {
            (person.longest, person.longest_at) = (update.len(), now);
        }
        if let Some(kept) = &mut person.kept {
            kept.push(update.to_vec());
        }
        let document = &documents[person.document];
        if document.clients.count == 0 {
            return;
        }
        let Some(ranges) = memo.ranges(Kind::Update, document.clients, update) else {
            tally.unreadable += 1;
            return;
        };
        let len = document.insert.len() as u32;
        let writers = &writers[document.first_writer..];
        let own = person.slot.unwrap_or(u32::MAX);
        for &Range { slot, from, to, .. } in ranges {
            let seen = &mut person.seen[slot as usize];
            if to <= *seen || slot == own {
                continue;
            }
            if from > *seen && person.stage == Stage::Synced {
                tally.gaps += 1;
            }
            let writer = &writers[slot as usize];
            for update in (*seen).max(from) / len..to / len {
                let Some(&due) = writer.due.get(update as usize) else { break };
                tally.deliveries += 1;
                if measured.contains(&due) {
                    tally.typed.add(now.saturating_sub(due));
                }
            }
            *seen = to;
        }
    }

    /// Somebody has seen cursors move. Stock clients of most dialects tell everybody what they have
    /// heard, also what they have heard from the server.
    fn awareness(&mut self, id: usize, body: &[u8]) {
        let now = self.heard_at;
        let reflects = self.dialect.reflects() && self.backlog(id) < REFLECTED_BYTES_MAX;
        let Self { people, documents, writers, memo, tally, measured, .. } = self;
        let person = &mut people[id];
        let document = &documents[person.document];
        let Some(ranges) = memo.ranges(Kind::Awareness, document.clients, body) else {
            tally.unreadable += 1;
            return;
        };
        let writers = &writers[document.first_writer..];
        let mut news = Vec::new();
        let mut changed = 0;
        for &Range { slot, to, bytes: (start, end), .. } in ranges {
            let seen = &mut person.seen_cursors[slot as usize];
            if to <= *seen || Some(slot) == person.slot {
                continue;
            }
            let places = &writers[slot as usize].cursor_due;
            let index = |clock: u32| (clock - CURSOR_CLOCK_FIRST) as usize;
            for due in places.get(index(*seen)..index(to)).unwrap_or_default() {
                if measured.contains(due) {
                    tally.moved.add(now - due);
                }
            }
            if let Some(due) = places.get(index(to - 1)).filter(|due| measured.contains(due)) {
                tally.shown.add(now - due);
            }
            *seen = to;
            changed += 1;
            if reflects {
                news.extend_from_slice(&body[start as usize..end as usize]);
            }
        }
        if changed > 0 && reflects {
            let mut entries = Vec::with_capacity(news.len() + 4);
            put_number(&mut entries, changed);
            entries.extend_from_slice(&news);
            let mut message = Vec::with_capacity(entries.len() + 8);
            put_awareness(&mut message, &[], &entries);
            self.say(id, &message);
        }
    }
}
