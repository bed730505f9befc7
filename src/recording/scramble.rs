//! A recording without its words, to be shown to others.
//!
//! What is kept: who typed how much, where and when, client ids, lengths in UTF-16 units, kinds of
//! characters, names of roots, elements, keys and formats, numbers, and yes and no. What goes: every
//! letter and digit of a text, a value, a name of a person; binary content becomes zeros.
//!
//! An item may be in more than one update, whole or in part, so what a character becomes depends on
//! the seed and its clock alone.

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::any::Any;
use super::parts::{Block, Content, Parts, Place};
use super::random::Random;
use super::script::{End, hex};
use super::{Expected, Recording, ReplayError, What};

/// Keys of awareness states whose text names a root, which is kept.
const ROOT_KEYS: [&str; 1] = ["tname"];

/// Why a recording cannot be scrambled.
#[derive(Debug, thiserror::Error)]
pub enum ScrambleError {
    /// It cannot be played, so nobody could say whether it still can.
    #[error("it cannot be played: {0}")]
    Replay(#[from] ReplayError),
    /// It fails by its own words, and without them it would not.
    #[error("it does not make the text that it must end with, and scrambled it would: {0}")]
    End(String),
    /// An update has something that cannot be scrambled.
    #[error("event {event} holds {what}, which cannot be scrambled")]
    Unsupported {
        /// Counted from 1; 0 is what is there before the first.
        event: usize,
        /// For people.
        what: String,
    },
}

impl Recording {
    /// The same session with other words: letters become letters, digits digits, emoji emoji; white
    /// space, punctuation, lengths in UTF-16 units, positions, times and client ids are kept. So are
    /// names of roots, elements, keys and formats, and numbers. The same seed makes the same words.
    ///
    /// # Errors
    /// [`ScrambleError`]: it cannot be played, or holds a subdocument.
    pub fn scrambled(&self, seed: u64) -> Result<Self, ScrambleError> {
        let (end, replica) = End::of(self)?;
        if let Some(difference) = end.difference(&replica) {
            return Err(ScrambleError::End(difference));
        }
        let mut scrambled = self.clone();
        scrambled.header.document = "scrambled".into();
        scrambled.header.source = "scrambled".into();
        if let Some(start) = &mut scrambled.header.start {
            *start = update(seed, 0, start)?;
        }
        for (number, event) in (1..).zip(&mut scrambled.events) {
            match &mut event.what {
                What::Join { connection, name } => {
                    *name = Words::new(seed, u64::from(*connection), 0).text(name);
                }
                What::Update { update: bytes, .. } => *bytes = update(seed, number, bytes)?,
                What::Awareness { client, state, .. } => {
                    Words::new(seed, *client, 0).json(state);
                }
                What::Leave { .. } | What::Fault { .. } | What::End { .. } => {}
            }
        }
        let (_, replica) = End::of(&scrambled)?;
        for event in &mut scrambled.events {
            if let What::End { root, expected } = &mut event.what {
                let text = replica.text(root);
                *expected = match expected {
                    Expected::Text(_) => Expected::Text(text),
                    Expected::Sha256(_) => Expected::Sha256(hex(&Sha256::digest(text))),
                };
            }
        }
        Ok(scrambled)
    }
}

fn update(seed: u64, event: usize, update: &Bytes) -> Result<Bytes, ScrambleError> {
    let unsupported = |what| ScrambleError::Unsupported { event, what };
    let mut parts = Parts::of(update).map_err(unsupported)?;
    for section in &mut parts.sections {
        let (client, mut clock) = (section.client, section.start);
        for block in &mut section.blocks {
            let len = block.len();
            if let Block::Item(item) = block {
                content(seed, Place { client, clock }, &mut item.content).map_err(unsupported)?;
            }
            clock += len;
        }
    }
    Ok(parts.encode())
}

fn content(seed: u64, place: Place, content: &mut Content) -> Result<(), String> {
    let words = |clock: u32| Words::new(seed, place.client, u64::from(clock));
    match content {
        Content::Text(text) => {
            let mut clock = place.clock;
            *text = text
                .chars()
                .map(|c| {
                    let other = words(clock).letter(c);
                    clock += c.len_utf16() as u32;
                    other
                })
                .collect();
        }
        Content::Embed(json) | Content::Format(_, json) => {
            // The library has read it as JSON already; what is none is not kept.
            let mut value: Value = serde_json::from_str(json).unwrap_or_default();
            words(place.clock).json(&mut value);
            *json = value.to_string();
        }
        Content::Values(values) => {
            (place.clock..).zip(values).for_each(|(clock, value)| words(clock).any(value));
        }
        Content::Binary(bytes) => *bytes = Bytes::from(vec![0; bytes.len()]),
        Content::Subdocument(..) => return Err("a subdocument".into()),
        Content::Deleted(_) | Content::Type(..) => {}
    }
    Ok(())
}

/// Other words for the same place, from the seed.
struct Words(Random);

impl Words {
    fn new(seed: u64, client: u64, clock: u64) -> Self {
        Self(Random::of(seed, client, clock))
    }

    fn any(&mut self, value: &mut Any) {
        match value {
            Any::Plain(_) => {}
            Any::Binary(bytes) => *bytes = Bytes::from(vec![0; bytes.len()]),
            Any::Text(text) => *text = self.text(text),
            Any::List(values) => values.iter_mut().for_each(|value| self.any(value)),
            Any::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.any(value)),
        }
    }

    fn json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.json(value)),
            Value::Object(entries) => {
                let others = entries.iter_mut().filter(|(key, _)| !ROOT_KEYS.contains(&&***key));
                others.for_each(|(_, value)| self.json(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        if is_color(text) {
            return text.to_owned();
        }
        text.chars().map(|c| self.letter(c)).collect()
    }

    /// Another character of the same kind that takes as many UTF-16 units.
    fn letter(&mut self, c: char) -> char {
        match c {
            'a'..='z' => self.among('a', 26),
            'A'..='Z' => self.among('A', 26),
            '0'..='9' => self.among('0', 10),
            _ if c.is_ascii() => c,
            // Joined emoji and accents hold together by these.
            '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}' => c,
            '\u{2600}'..='\u{27bf}' => self.among('\u{2600}', 4),
            '\u{1f000}'..='\u{1faff}' => self.among('\u{1f600}', 64),
            _ if c.is_numeric() && c.len_utf16() == 1 => self.among('0', 10),
            _ if !c.is_alphanumeric() => c,
            _ if c.len_utf16() == 2 => self.among('\u{20000}', 0x4000),
            _ if c.len_utf8() == 3 => self.among('\u{4e00}', 0x5000),
            _ if c.is_uppercase() => self.among('\u{391}', 17),
            _ => self.among('\u{3b1}', 17),
        }
    }

    /// One of so many characters that follow each other without a gap.
    fn among(&mut self, first: char, count: u32) -> char {
        let picked = u32::from(first) + self.0.below(u64::from(count)) as u32;
        char::from_u32(picked).unwrap_or(first)
    }
}

/// A colour says nothing of anybody, and what draws it breaks on anything else.
fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() <= 8 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;
    use crate::recording::{Event, Header};

    fn letters(text: &str) -> String {
        Words::new(1, 2, 3).text(text)
    }

    #[test]
    fn characters_keep_their_kind_and_their_length() {
        let text = "Ann's 42 crêpes,\r\n\tÄ 中文 😀👍🏽 ☀️ 𠀀 ١ #x-_";
        let other = letters(text);
        assert_eq!(text.chars().count(), other.chars().count());
        for (was, is) in text.chars().zip(other.chars()) {
            assert_eq!(was.len_utf16(), is.len_utf16(), "{was} {is}");
            assert_eq!(was.is_whitespace(), is.is_whitespace(), "{was} {is}");
            assert_eq!(was.is_uppercase(), is.is_uppercase(), "{was} {is}");
            assert_eq!(was.is_alphabetic(), is.is_alphabetic(), "{was} {is}");
            assert_eq!(was.is_ascii_digit() || was == '١', is.is_ascii_digit(), "{was} {is}");
        }
        let kept = |text: &str| text.chars().filter(|c| c.is_ascii_punctuation()).collect();
        let (was, is): (String, String) = (kept(text), kept(&other));
        assert_eq!(was, is);
        assert_ne!(text, other);
        assert_eq!(letters("#ffaa00"), "#ffaa00");
    }

    #[test]
    fn a_character_in_two_updates_becomes_the_same() {
        let mut desk = Desk::new(5, "body");
        let one = desk.replace(0..0, "secret").expect("a place in the text");
        let two = desk.replace(6..6, " words").expect("a place in the text");
        // The second half of it once more, as somebody's step 2 brings it.
        let again = Bytes::from_static(&[1, 1, 5, 3, 0x84, 5, 2, 3, b'r', b'e', b't', 0]);
        let scrambled = |bytes| update(9, 1, &bytes).expect("an update");
        let text = |updates: &[Bytes]| {
            let mut desk = Desk::new(6, "body");
            updates.iter().for_each(|update| desk.hear(update).expect("an update"));
            desk.text()
        };
        let all = [scrambled(one), scrambled(two)];
        let whole = text(&all);
        assert_eq!(whole.len(), 12);
        assert!(!whole.contains("secret"), "{whole}");
        let half = Parts::of(&scrambled(again)).expect("an update");
        let half = half.items().next().map(|(_, item)| item.content.clone());
        assert_eq!(half, Some(Content::Text(whole[3..6].to_owned())));
    }

    #[test]
    fn a_subdocument_is_refused() {
        let mut recording = Recording { header: Header::new("d", ""), events: Vec::new() };
        let update = [1, 1, 5, 0, 9, 1, 1, b'r', 1, b'g', 118, 0, 0];
        let connection = 1;
        for what in [
            What::Join { connection, name: String::new() },
            What::Update { connection, update: Bytes::copy_from_slice(&update) },
        ] {
            recording.events.push(Event { t: 0, what });
        }
        let refused = recording.scrambled(1).expect_err("a subdocument").to_string();
        assert_eq!(refused, "event 2 holds a subdocument, which cannot be scrambled");
    }
}
