//! Sets of clocks.

use std::collections::{BTreeMap, HashMap};

use super::parts::Span;

/// For each client id, ranges that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Spans(HashMap<u64, BTreeMap<u32, u32>>);

impl Spans {
    pub fn insert(&mut self, span: Span) {
        let ranges = self.0.entry(span.client).or_default();
        let Span { mut start, mut end, .. } = span;
        // What it touches becomes part of it.
        while let Some((&before, &until)) = ranges.range(..=end).next_back()
            && until >= start
        {
            ranges.remove(&before);
            (start, end) = (start.min(before), end.max(until));
        }
        ranges.insert(start, end);
    }

    /// Whether all of a span is here.
    pub fn contains(&self, span: Span) -> bool {
        let range = self.ranges(span.client).and_then(|all| all.range(..=span.start).next_back());
        range.is_some_and(|(_, end)| span.end <= *end)
    }

    /// The parts of a span that are here.
    pub fn within(&self, span: Span) -> impl Iterator<Item = Span> {
        let all = self.ranges(span.client);
        let first = all.and_then(|all| all.range(..=span.start).next_back());
        let first = first.map_or(span.start, |(start, _)| *start);
        let ranges = all.into_iter().flat_map(move |all| all.range(first..span.end));
        ranges
            .map(move |(start, end)| Span {
                start: span.start.max(*start),
                end: span.end.min(*end),
                ..span
            })
            .filter(|part| part.start < part.end)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Span> {
        self.0.iter().flat_map(|(client, ranges)| {
            ranges.iter().map(|(start, end)| Span { client: *client, start: *start, end: *end })
        })
    }

    fn ranges(&self, client: u64) -> Option<&BTreeMap<u32, u32>> {
        self.0.get(&client)
    }
}

/// How many clocks of a set lie below a clock, quick to ask.
pub(super) struct Ranks(HashMap<u64, Vec<(u32, u32, u32)>>);

impl Ranks {
    pub fn of(spans: &Spans) -> Self {
        let counted = |ranges: &BTreeMap<u32, u32>| {
            let counted = ranges.iter().scan(0, |below, (start, end)| {
                let range = (*start, *end, *below);
                *below += end - start;
                Some(range)
            });
            counted.collect()
        };
        Self(spans.0.iter().map(|(client, ranges)| (*client, counted(ranges))).collect())
    }

    /// How many clocks of a client id below `clock` are in the set.
    pub fn rank(&self, client: u64, clock: u32) -> u32 {
        let Some(ranges) = self.0.get(&client) else { return 0 };
        let after = ranges.partition_point(|(start, _, _)| *start < clock);
        let last = after.checked_sub(1).map(|last| ranges[last]);
        last.map_or(0, |(start, end, below)| below + clock.min(end) - start)
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<T: IntoIterator<Item = Span>>(spans: T) -> Self {
        let mut all = Self::default();
        spans.into_iter().for_each(|span| all.insert(span));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u32, end: u32) -> Span {
        Span { client: 1, start, end }
    }

    /// Against a row of bits.
    #[test]
    fn a_set_of_spans_is_a_set_of_clocks() {
        let mut random = super::super::random::Random::of(1, 0, 0);
        for _ in 0..200 {
            let mut spans = Spans::default();
            let mut bits = [false; 40];
            for _ in 0..8 {
                let start = random.below(38) as u32;
                let end = (start + 1 + random.below(6) as u32).min(40);
                spans.insert(span(start, end));
                bits[start as usize..end as usize].fill(true);
            }
            let count = |range: std::ops::Range<usize>| bits[range].iter().filter(|b| **b).count();
            let ranks = Ranks::of(&spans);
            for start in 0..39_u32 {
                for end in start + 1..40 {
                    let range = start as usize..end as usize;
                    assert_eq!(
                        spans.contains(span(start, end)),
                        bits[range.clone()].iter().all(|b| *b)
                    );
                    let within: u32 = spans.within(span(start, end)).map(|s| s.end - s.start).sum();
                    assert_eq!(within as usize, count(range));
                }
                assert_eq!(ranks.rank(1, start) as usize, count(0..start as usize));
            }
            assert!(spans.iter().all(|one| !spans.contains(span(one.start, one.end + 1))));
        }
        assert!(!Spans::default().contains(Span { client: 2, start: 0, end: 1 }));
    }
}
