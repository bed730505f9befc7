//! A recording told in words, one event after another.
//!
//! What an edit does is read off the texts before and after it, so it is said as people see it; an
//! edit of something that shows no text is said in numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::import::roots;
use super::parts::{Block, Content, Parts};
use super::{Event, Expected, Fault, Recording, ReplayError, What};
use crate::crdt::{LintLimits, Linted, Replica};

/// Characters of the text that are shown on either side of an edit.
const AROUND: usize = 24;

/// The longest piece of a text that is told word for word.
const TOLD_CHARS_MAX: usize = 40;

/// One event, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// The connection; the end is nobody's.
    pub connection: Option<u32>,
    /// Whose it is; a number where nobody knows.
    pub who: String,
    /// What they do.
    pub what: String,
    /// The text around it, with a mark where it happened; empty where there is none.
    pub around: String,
}

/// Tells a recording.
pub struct Story<'a> {
    recording: &'a Recording,
    /// The next event.
    next: usize,
    replica: Replica,
    names: BTreeMap<u32, String>,
    /// The texts that have been touched, as they are now.
    texts: BTreeMap<String, String>,
}

impl<'a> Story<'a> {
    /// Before the first event.
    ///
    /// # Errors
    /// What was there before cannot be applied.
    pub fn new(recording: &'a Recording) -> Result<Self, ReplayError> {
        let mut story = Self {
            recording,
            next: 0,
            replica: Replica::new(),
            names: BTreeMap::new(),
            texts: BTreeMap::new(),
        };
        if let Some(start) = &recording.header.start {
            let failed = |reason| ReplayError::Event { event: 0, reason };
            story.take(start).map_err(failed)?;
        }
        Ok(story)
    }

    /// Tells the next event; `None` after the last.
    ///
    /// # Errors
    /// It cannot be applied.
    pub fn step(&mut self) -> Result<Option<Told>, ReplayError> {
        let Some(Event { t, what }) = self.recording.events.get(self.next) else { return Ok(None) };
        self.next += 1;
        let event = self.next;
        let failed = |reason| ReplayError::Event { event, reason };
        let (said, around) = match what {
            What::Join { connection, name } => {
                if !name.is_empty() {
                    self.names.insert(*connection, name.clone());
                }
                ("joins".into(), String::new())
            }
            What::Leave { .. } => ("leaves".into(), String::new()),
            What::Fault { fault: Fault::Drop, .. } => ("breaks off".into(), String::new()),
            What::Awareness { state, .. } => {
                (format!("shows {}", short(&state.to_string())), "".into())
            }
            What::Update { update, .. } => self.take(update).map_err(failed)?,
            What::End { root, expected } => (self.end(root, expected), String::new()),
        };
        let connection = what.connection();
        let who = connection.map_or_else(|| "everybody".into(), |number| self.who(number));
        Ok(Some(Told { t: *t, connection, who, what: said, around }))
    }

    fn who(&self, connection: u32) -> String {
        let name = self.names.get(&connection).cloned();
        name.unwrap_or_else(|| format!("connection {connection}"))
    }

    /// Applies an update, and says what it does and where.
    fn take(&mut self, update: &bytes::Bytes) -> Result<(String, String), String> {
        let parts = Parts::of(update)?;
        for root in roots(&parts) {
            self.texts.entry(root.to_owned()).or_default();
        }
        let linted = Linted::new(update.clone(), &LintLimits::default());
        let linted = linted.map_err(|e| e.to_string())?;
        self.replica.integrate(&[&linted]).map_err(|broken| broken.reason)?;
        let is_one = self.texts.len() == 1;
        let mut told = None;
        for (root, before) in &mut self.texts {
            let after = self.replica.text(root);
            if let Some(change) = Change::between(before, &after) {
                let place = if is_one { String::new() } else { format!(" of {root:?}") };
                told = Some((change.words() + &place, change.around(&after)));
            }
            *before = after;
        }
        Ok(told.unwrap_or_else(|| (numbers(&parts), String::new())))
    }

    fn end(&self, root: &str, expected: &Expected) -> String {
        match expected {
            Expected::Text(text) => format!("must have {:?} in {root:?}", short(text)),
            Expected::Sha256(hash) => {
                format!("must have a text with the SHA-256 {hash} in {root:?}")
            }
        }
    }
}

/// What became of a text, in characters.
struct Change {
    at: usize,
    gone: String,
    come: String,
}

impl Change {
    /// `None` where nothing did.
    fn between(before: &str, after: &str) -> Option<Self> {
        if before == after {
            return None;
        }
        let (before, after): (Vec<char>, Vec<char>) =
            (before.chars().collect(), after.chars().collect());
        let at = before.iter().zip(&after).take_while(|(was, is)| was == is).count();
        let rest = before[at..].iter().rev().zip(after[at..].iter().rev());
        let same = rest.take_while(|(was, is)| was == is).count();
        let middle = |text: &[char]| text[at..text.len() - same].iter().collect();
        Some(Self { at, gone: middle(&before), come: middle(&after) })
    }

    fn words(&self) -> String {
        let Self { at, gone, come } = self;
        match (gone.chars().count(), come.is_empty()) {
            (0, _) => format!("types {:?} at {at}", short(come)),
            (1, true) => format!("deletes {:?} at {at}", short(gone)),
            (count, true) => format!("deletes {count} characters at {at}: {:?}", short(gone)),
            (_, false) => format!("types {:?} instead of {:?} at {at}", short(come), short(gone)),
        }
    }

    /// The text around it, with what has come in brackets.
    fn around(&self, text: &str) -> String {
        let from = self.at.saturating_sub(AROUND);
        let come = self.come.chars().count();
        let before: String = text.chars().skip(from).take(self.at - from).collect();
        let after: String = text.chars().skip(self.at + come).take(AROUND).collect();
        one_line(&format!("{before}[{}]{after}", short(&self.come)))
    }
}

/// What an update does that shows in no text.
fn numbers(parts: &Parts) -> String {
    let mut kinds = BTreeSet::new();
    let mut count = 0;
    for (_, item) in parts.items() {
        count += 1;
        kinds.insert(match &item.content {
            Content::Type(_, Some(name)) => format!("<{name}>"),
            Content::Type(..) => "a type".into(),
            Content::Format(key, _) => format!("the format {key:?}"),
            Content::Text(text) => format!("{:?}", short(text)),
            Content::Embed(_) => "an embed".into(),
            Content::Subdocument(..) => "a subdocument".into(),
            Content::Values(_) | Content::Binary(_) => {
                item.key.as_ref().map_or("values".into(), |key| format!("the value of {key:?}"))
            }
            Content::Deleted(_) => "what is gone already".into(),
        });
    }
    let gc = parts.sections.iter().flat_map(|section| &section.blocks);
    count += gc.filter(|block| matches!(block, Block::Gc(_))).count();
    let deleted: u32 = parts.deletes.iter().map(|span| span.end - span.start).sum();
    let kinds: Vec<String> = kinds.into_iter().collect();
    match (count, deleted) {
        (0, 0) => "changes nothing".into(),
        (0, _) => format!("deletes {deleted} of what shows no text"),
        (_, 0) => format!("adds {}", kinds.join(", ")),
        _ => format!("adds {} and deletes {deleted}", kinds.join(", ")),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= TOLD_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(TOLD_CHARS_MAX).chain("…".chars()).collect()
}

/// Nothing in a text may move a terminal's cursor.
fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '⏎',
        _ if c.is_control() => '·',
        _ => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> Vec<Told> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/");
        let recording = Recording::load(format!("{folder}{name}")).expect("a recording");
        let mut story = Story::new(&recording).expect("a start");
        std::iter::from_fn(|| story.step().expect("it can be played")).collect()
    }

    #[test]
    fn a_session_is_told_in_words() {
        let told = told("session.jsonl");
        let said: Vec<_> = told.iter().map(|told| format!("{} {}", told.who, told.what)).collect();
        assert_eq!(
            said,
            [
                "Ann joins",
                r#"Ann shows {"user":{"name":"Ann"}}"#,
                r#"Ann types "Hello" at 0"#,
                "Bo joins",
                r#"Bo types " world" at 5"#,
                "Bo breaks off",
                r#"Ann deletes "H" at 0"#,
                r#"Ann types "J" at 0"#,
                "Bo joins",
                r#"Bo types "!" at 11"#,
                "Ann leaves",
                r#"everybody must have "Jello world!" in "body""#,
            ]
        );
        assert_eq!(told[4].around, "Hello[ world]");
        assert_eq!(told[6].around, "[]ello world");
    }

    #[test]
    fn what_was_there_before_is_not_typed_again() {
        let told = told("sequential.json");
        let said: Vec<_> = told.iter().map(|told| told.what.as_str()).collect();
        assert_eq!(said[1], r#"types " milk" at 9"#);
        assert_eq!(told[1].around, "Shopping:[ milk]⏎");
        assert!(said.contains(&r#"types "🍎" instead of "milk" at 10"#), "{said:?}");
    }

    #[test]
    fn what_shows_no_text_is_told_in_numbers() {
        let nested = [1, 1, 1, 1, 4, 0, 1, 0, 2, b'h', b'i', 1, 1, 1, 0, 1];
        let parts = Parts::of(&bytes::Bytes::copy_from_slice(&nested)).expect("an update");
        assert_eq!(numbers(&parts), r#"adds "hi" and deletes 1"#);
        let map = [1, 1, 1, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 119, 2, b'h', b'i', 0];
        let parts = Parts::of(&bytes::Bytes::copy_from_slice(&map)).expect("an update");
        assert_eq!(numbers(&parts), r#"adds the value of "k""#);
    }

    /// Escape sequences of a terminal stay words.
    #[test]
    fn a_text_cannot_reach_the_terminal() {
        let change = Change::between("", "a\u{1b}[2Jb\n").expect("a change");
        assert!(
            !change.words().contains('\u{1b}')
                && !change.around("a\u{1b}[2Jb\n").contains('\u{1b}')
        );
    }
}
