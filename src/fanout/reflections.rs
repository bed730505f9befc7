//! Awareness that comes back.
//!
//! Stock clients answer awareness with the same awareness: what was published to a thousand people
//! comes back a thousand times. What was published lately is remembered here as bytes, shared by all
//! sessions of a document, so that they drop a reflection without reading its entries and without
//! troubling the document. Missing one costs time only: the document drops entries that are not new.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::wire::awareness::Entries;

/// Bodies that are remembered: a client answers at once, so these are several round trips.
const BODIES_MAX: usize = 16;

/// Their bytes. The newest is remembered in any case.
const BYTES_MAX: usize = 1 << 20;

/// What one document has published lately.
#[derive(Debug, Default)]
pub struct Reflections(Mutex<VecDeque<Published>>);

#[derive(Debug)]
struct Published {
    body: Bytes,
    /// Where each entry begins, and the end of the last.
    bounds: Vec<usize>,
}

impl Reflections {
    /// Remembers an awareness body that is being published.
    pub fn remember(&self, body: &Bytes) {
        let Ok(entries) = Entries::new(body.clone()) else { return };
        let Ok(bounds) = entries.bounds() else { return };
        let mut published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.push_front(Published { body: body.clone(), bounds });
        let mut bytes = 0;
        published.retain(|one| {
            bytes += one.body.len();
            bytes == one.body.len() || bytes <= BYTES_MAX
        });
        published.truncate(BODIES_MAX);
    }

    /// The crowd has gone.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether an awareness body says nothing but what was published: the same entries, or all but
    /// one, since a client does not repeat what it said of itself.
    pub fn contain(&self, body: &Bytes) -> bool {
        let published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.iter().any(|one| one.is_reflected_by(body))
    }
}

impl Published {
    fn is_reflected_by(&self, body: &Bytes) -> bool {
        if body.len() >= self.body.len() {
            return body == &self.body;
        }
        let Ok(entries) = Entries::new(body.clone()) else { return false };
        if entries.len() + 2 != self.bounds.len() {
            return false;
        }
        let (said, heard) = (&self.body[self.bounds[0]..], &body[body.len() - entries.bytes()..]);
        let differs_at = common_prefix(said, heard) + self.bounds[0];
        // The entry that is missing is the one in which the two differ first: each begins with its
        // client id, and no two ids are the same.
        let missing = self.bounds.partition_point(|bound| *bound <= differs_at) - 1;
        let Some(&[start, end]) = self.bounds.get(missing..missing + 2) else { return false };
        let (before, after) = (&self.body[self.bounds[0]..start], &self.body[end..]);
        heard.len() == before.len() + after.len()
            && heard.starts_with(before)
            && heard.ends_with(after)
    }
}

/// How many bytes two slices have in common at their beginning.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    const STEP: usize = 64;
    let steps = one.chunks_exact(STEP).zip(other.chunks_exact(STEP));
    let same = steps.take_while(|(one, other)| one == other).count() * STEP;
    let rest = one[same..].iter().zip(&other[same..]);
    same + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::awareness::{Entry, encode};

    fn entries() -> Vec<Entry> {
        // Ids of one to eight bytes, and states that are alike.
        let ids = [1, 2, 127, 128, 129, 16_384, 16_385, (1 << 53) - 1];
        let state = r#"{"user":{"name":"Ann"},"cursor":{"anchor":7,"head":9}}"#;
        ids.map(|client| Entry { client, clock: 3, state: state.into() }).to_vec()
    }

    fn reflections() -> Reflections {
        let reflections = Reflections::default();
        reflections.remember(&encode(entries().iter()));
        reflections
    }

    #[test]
    fn what_was_published_and_comes_back_is_known_also_without_its_sender() {
        let reflections = reflections();
        assert!(reflections.contain(&encode(entries().iter())));
        for missing in 0..entries().len() {
            let mut entries = entries();
            entries.remove(missing);
            assert!(reflections.contain(&encode(entries.iter())), "without entry {missing}");
        }
    }

    #[test]
    fn what_is_news_is_not_a_reflection() {
        let reflections = reflections();
        for changed in 0..entries().len() {
            let mut newer = entries();
            newer[changed].clock += 1;
            assert!(!reflections.contain(&encode(newer.iter())), "entry {changed} is newer");
            newer.remove((changed + 1) % newer.len());
            assert!(!reflections.contain(&encode(newer.iter())), "entry {changed}, one missing");
            assert!(!reflections.contain(&encode([newer[0].clone()].iter())));
        }
        let mut longer = entries();
        longer.push(Entry { client: 5, clock: 0, state: "{}".into() });
        assert!(!reflections.contain(&encode(longer.iter())));
        assert!(!reflections.contain(&Bytes::new()));
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let reflections = reflections();
        let other = |n| encode([Entry { client: n, clock: 1, state: "{}".into() }].iter());
        (0..BODIES_MAX as u64 - 1).for_each(|n| reflections.remember(&other(n)));
        assert!(reflections.contain(&encode(entries().iter())));
        reflections.remember(&other(99));
        assert!(!reflections.contain(&encode(entries().iter())));
        let large = encode(
            [Entry { client: 1, clock: 1, state: "x".repeat(BYTES_MAX).as_str().into() }].iter(),
        );
        reflections.remember(&large);
        assert!(reflections.contain(&large) && !reflections.contain(&other(99)));
    }
}
