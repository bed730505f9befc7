//! What came of a replay.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::faults::Happened;
use super::holdings::Holdings;
use super::replay::Options;
use super::script::{End, hex};
use crate::crdt::Replica;

/// What came of a replay, as `--report` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Everybody has the recorded end, everything was acknowledged, and nothing of that was lost.
    pub converged: bool,
    /// Why not, in words; the first line is the first difference.
    pub differences: Vec<String>,
    /// Edits of the recording.
    pub edits: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    /// The numbers of the events that were acknowledged and then missing, counted from 1.
    pub lost: Vec<usize>,
    /// Connections that took part; the fresh ones that look at the end are not counted.
    pub clients: usize,
    /// The dialects that they spoke; empty for a bare document.
    pub dialects: Vec<String>,
    /// From the first connection until everybody had the end.
    pub seconds: f64,
    /// Acknowledged edits a second.
    pub edits_per_s: f64,
    /// From sending an edit until the server has shown it to its author; `None` for a bare document.
    pub latency: Option<Latency>,
    /// What decided the order in which things were sent, and what went wrong when.
    pub seed: u64,
    /// How often what went wrong on purpose.
    pub faults: BTreeMap<String, usize>,
    /// What everybody has in the end; empty where not everybody has the same.
    pub end: EndState,
}

/// What is there in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndState {
    /// For each client id the next clock.
    pub state_vector: BTreeMap<u64, u32>,
    /// Clocks that are deleted.
    pub deleted: u64,
    /// The SHA-256 of the text that the recording's end names, in lower-case hex.
    pub text_sha256: Option<String>,
    /// The whole document, as a Yjs v1 update.
    #[serde(skip)]
    pub update: Bytes,
}

impl Outcome {
    /// Of nothing that has happened yet.
    pub(super) fn new(options: &Options, end: EndState) -> Self {
        Self {
            converged: false,
            differences: Vec::new(),
            edits: 0,
            acknowledged: 0,
            lost: Vec::new(),
            clients: 0,
            dialects: Vec::new(),
            seconds: 0.0,
            edits_per_s: 0.0,
            latency: None,
            seed: options.seed,
            faults: Happened::new(),
            end,
        }
    }

    /// With what follows from the rest.
    pub(super) fn rated(mut self) -> Self {
        self.converged = self.differences.is_empty() && self.lost.is_empty();
        self.edits_per_s = self.acknowledged as f64 / self.seconds;
        self
    }

    /// A text of the document that everybody has in the end; empty where there is none.
    pub fn text(&self, root: &str) -> String {
        let update = std::slice::from_ref(&self.end.update);
        let replica = Replica::restore(None, if update[0].is_empty() { &[] } else { update });
        replica.map(|replica| replica.text(root)).unwrap_or_default()
    }

    /// For tests: everybody has the recorded end, and nothing was lost.
    ///
    /// # Panics
    /// That is not so; the message says what is different and repeats the seed.
    pub fn assert_converged(&self) {
        assert!(
            self.converged,
            "seed {}, {} of {} edits acknowledged, events lost: {:?}\n{}",
            self.seed,
            self.acknowledged,
            self.edits,
            self.lost,
            self.differences.join("\n")
        );
    }

    /// For tests: [`Outcome::assert_converged`], and a text is this.
    ///
    /// # Panics
    /// That is not so.
    pub fn assert_text(&self, root: &str, expected: &str) {
        self.assert_converged();
        if let Some(difference) = difference(&self.text(root), expected) {
            panic!("seed {}, {root:?}: {difference}", self.seed);
        }
    }
}

impl EndState {
    /// What a replica has.
    pub(super) fn of(replica: &mut Replica, end: &End) -> Self {
        let holdings = Holdings::of(replica);
        let hash = |root: &str| hex(&Sha256::digest(replica.text(root)));
        Self {
            text_sha256: end.expected.as_ref().map(|(root, _)| hash(root)),
            deleted: holdings.deletes.iter().map(|span| u64::from(span.end - span.start)).sum(),
            state_vector: holdings.clocks.into_iter().collect(),
            update: replica.encode_full(),
        }
    }
}

/// Quantiles, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half were quicker.
    pub p50_ms: f64,
    /// One in a hundred was slower.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Latency {
    /// Of any number of measurements; `None` of none.
    pub(super) fn of(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        let last = all.len().checked_sub(1)?;
        let ms = |percent: usize| all[last * percent / 100].as_secs_f64() * 1_000.0;
        Some(Self { p50_ms: ms(50), p99_ms: ms(99), max_ms: ms(100) })
    }
}

/// Where two texts differ first, in words; `None` where they do not.
pub(super) fn difference(shown: &str, expected: &str) -> Option<String> {
    if shown == expected {
        return None;
    }
    let same = shown.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    Some(format!(
        "{} characters instead of {}; they differ from character {same} on: {} instead of {}",
        shown.chars().count(),
        expected.chars().count(),
        excerpt(shown, same),
        excerpt(expected, same),
    ))
}

/// A few characters of a text.
fn excerpt(text: &str, from: usize) -> String {
    const CHARACTERS: usize = 24;
    match text.chars().skip(from).take(CHARACTERS).collect::<String>() {
        rest if rest.is_empty() => "the end".into(),
        rest => format!("{rest:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_said_in_words() {
        assert_eq!(difference("same", "same"), None);
        assert_eq!(
            difference("naïve tex", "naïve text").as_deref(),
            Some(
                "9 characters instead of 10; they differ from character 9 on: the end instead of \"t\""
            )
        );
        let said = difference("abX", "abYZ").expect("a difference");
        assert!(said.ends_with("from character 2 on: \"X\" instead of \"YZ\""), "{said}");
    }

    #[test]
    fn quantiles_are_of_what_was_measured() {
        assert_eq!(Latency::of(vec![]), None);
        let all = (1..=101).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(all).expect("measurements");
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.max_ms), (51.0, 100.0, 101.0));
    }
}
