//! What came of a replay.

use std::time::Duration;

use serde::Serialize;

/// What came of a replay, as `--report` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Everybody has the recorded end, and everything was acknowledged.
    pub converged: bool,
    /// Why not, in words; the first line is the first difference.
    pub differences: Vec<String>,
    /// Edits of the recording.
    pub edits: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
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
    /// What decided the order in which things were sent.
    pub seed: u64,
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
