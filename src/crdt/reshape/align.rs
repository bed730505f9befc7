//! Which parts of two sequences are the same: what can be left alone when one is to become the
//! other.
//!
//! Bounded: what is not found within the work allowed is taken for different, so the answer is
//! always right and only sometimes longer than need be. Source: E. Myers, "An O(ND) Difference
//! Algorithm and Its Variations", 1986.

use std::ops::Range;

/// Differences looked for between two sequences. Memory grows with the square (4 MB), time with the
/// product of this and the length.
const DIFFERENCES_MAX: usize = 1_000;

/// `len` units that are the same, at `live` in one and at `past` in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) live: usize,
    pub(super) past: usize,
    pub(super) len: usize,
}

impl Match {
    pub(super) fn live_end(&self) -> usize {
        self.live + self.len
    }

    pub(super) fn past_end(&self) -> usize {
        self.past + self.len
    }
}

/// Units that carry an identity: clocks of a client id, and where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) client: u64,
    pub(super) clock: u32,
    pub(super) len: u32,
    pub(super) at: usize,
}

/// A part of a sequence between two matches, in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) live: Range<usize>,
    pub(super) past: Range<usize>,
}

/// What lies between matches that are in order, in sequences of these lengths; the empty left out.
pub(super) fn gaps(matches: &[Match], live_len: usize, past_len: usize) -> Vec<Gap> {
    let (mut live, mut past) = (0, 0);
    let end = Match { live: live_len, past: past_len, len: 0 };
    let mut gaps = Vec::new();
    for next in matches.iter().chain([&end]) {
        if live < next.live || past < next.past {
            gaps.push(Gap { live: live..next.live, past: past..next.past });
        }
        (live, past) = (next.live_end(), next.past_end());
    }
    gaps
}

/// Puts matches in order and drops those that cross one before them.
pub(super) fn in_order(mut matches: Vec<Match>) -> Vec<Match> {
    matches.sort_unstable_by_key(|found| (found.past, found.live));
    let (mut live, mut past) = (0, 0);
    matches.retain(|found| {
        let fits = found.live >= live && found.past >= past;
        if fits {
            (live, past) = (found.live_end(), found.past_end());
        }
        fits
    });
    matches
}

/// Matches of what has the same identity in both, in order.
pub(super) fn by_identity(mut live: Vec<Identity>, past: &[Identity]) -> Vec<Match> {
    live.sort_unstable();
    let mut matches = Vec::new();
    for wanted in past {
        let wanted_end = wanted.clock + wanted.len;
        let before = live.partition_point(|found| {
            (found.client, found.clock + found.len) <= (wanted.client, wanted.clock)
        });
        let rest = live[before..].iter();
        for found in
            rest.take_while(|found| found.client == wanted.client && found.clock < wanted_end)
        {
            let start = found.clock.max(wanted.clock);
            let end = wanted_end.min(found.clock + found.len);
            matches.push(Match {
                live: found.at + (start - found.clock) as usize,
                past: wanted.at + (start - wanted.clock) as usize,
                len: (end - start) as usize,
            });
        }
    }
    in_order(matches)
}

/// Matches of equal values, in order.
pub(super) fn by_value(live: &[u64], past: &[u64]) -> Vec<Match> {
    let prefix = common(live.iter(), past.iter());
    let (live_rest, past_rest) = (&live[prefix..], &past[prefix..]);
    let suffix = common(live_rest.iter().rev(), past_rest.iter().rev());
    let live_middle = &live_rest[..live_rest.len() - suffix];
    let past_middle = &past_rest[..past_rest.len() - suffix];
    let mut matches = vec![Match { live: 0, past: 0, len: prefix }];
    matches.extend(middle(live_middle, past_middle).into_iter().map(|found| Match {
        live: prefix + found.live,
        past: prefix + found.past,
        ..found
    }));
    let (live_start, past_start) = (live.len() - suffix, past.len() - suffix);
    matches.push(Match { live: live_start, past: past_start, len: suffix });
    matches.retain(|found| found.len > 0);
    matches
}

fn common<'a, T: PartialEq + 'a>(
    a: impl Iterator<Item = &'a T>,
    b: impl Iterator<Item = &'a T>,
) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// Follows for each number of differences the paths that get furthest; a path is named by its
/// diagonal, which is how much more it has passed of `live` than of `past`.
fn middle(live: &[u64], past: &[u64]) -> Vec<Match> {
    if live.is_empty() || past.is_empty() {
        return Vec::new();
    }
    let most = (live.len() + past.len()).min(DIFFERENCES_MAX);
    // How far in `live` each diagonal has come; index `most + 1` is diagonal 0.
    let mut reached = vec![0_usize; 2 * most + 3];
    let zero = most + 1;
    let mut steps: Vec<Vec<u32>> = Vec::new();
    for differences in 0..=most {
        let first = zero - differences;
        for index in (first..=zero + differences).step_by(2) {
            let from_above = index == first
                || (index != zero + differences && reached[index - 1] < reached[index + 1]);
            let mut x = if differences == 0 {
                0
            } else if from_above {
                reached[index + 1]
            } else {
                reached[index - 1] + 1
            };
            // A path that has left the square goes nowhere.
            let y = (x + zero).wrapping_sub(index);
            if x <= live.len() && y <= past.len() {
                x += common(live[x..].iter(), past[y..].iter());
            }
            reached[index] = x;
        }
        steps.push(reached[first..=zero + differences].iter().map(|x| *x as u32).collect());
        if is_at_end(&reached, zero, live, past) {
            break;
        }
    }
    trace_back(&steps, live, past)
}

fn is_at_end(reached: &[usize], zero: usize, live: &[u64], past: &[u64]) -> bool {
    let index = (zero + live.len()).checked_sub(past.len());
    index.and_then(|index| reached.get(index)).is_some_and(|x| *x >= live.len())
}

/// The matches on the path that got furthest.
fn trace_back(steps: &[Vec<u32>], live: &[u64], past: &[u64]) -> Vec<Match> {
    let last = steps.len() - 1;
    let inside = |index: usize| {
        let x = steps[last][index] as usize;
        let y = (x + last).checked_sub(index)?;
        (x <= live.len() && y <= past.len()).then_some((x + y, index))
    };
    // Every second diagonal belongs to this number of differences.
    let furthest = (0..steps[last].len()).step_by(2).filter_map(inside).max();
    let Some((_, mut index)) = furthest else {
        return Vec::new();
    };
    let mut matches = Vec::new();
    for differences in (0..=last).rev() {
        let x = steps[differences][index] as usize;
        let y = x + differences - index;
        if differences == 0 {
            matches.push(Match { live: 0, past: 0, len: x });
            break;
        }
        // In the step before, the same diagonal has an index lower by one.
        let before = &steps[differences - 1];
        let above = before.get(index).copied();
        let below = index.checked_sub(2).map(|index| before[index]);
        let from_above = match (below, above) {
            (None, _) => true,
            (_, None) => false,
            (Some(below), Some(above)) => below < above,
        };
        let start =
            if from_above { above.unwrap_or(0) as usize } else { below.unwrap_or(0) as usize + 1 };
        matches.push(Match { live: start, past: y - (x - start), len: x - start });
        index = if from_above { index } else { index - 2 };
    }
    matches.retain(|found| found.len > 0);
    matches.reverse();
    matches
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// Length of the longest common subsequence, by the table.
    fn longest(a: &[u64], b: &[u64]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn as_much_as_possible_is_found_the_same() {
        for seed in 0..500 {
            let mut rng = Rng::with_seed(seed);
            let mut values = || (0..rng.usize(0..30)).map(|_| rng.u64(0..5)).collect::<Vec<_>>();
            let (live, past) = (values(), values());
            let matches = by_value(&live, &past);
            assert_eq!(in_order(matches.clone()), matches, "seed {seed}");
            for m in &matches {
                assert_eq!(live[m.live..m.live_end()], past[m.past..m.past_end()], "seed {seed}");
            }
            let found: usize = matches.iter().map(|m| m.len).sum();
            // What is common at the ends may cost a little in the middle, never much.
            assert_eq!(found, longest(&live, &past), "seed {seed}");
        }
    }

    #[test]
    fn what_differs_too_much_is_found_in_part() {
        let live: Vec<u64> = (0..4_000).collect();
        let past: Vec<u64> =
            live.iter().map(|v| if v % 2 == 0 { *v } else { v + 10_000 }).collect();
        let found: usize = by_value(&live, &past).iter().map(|m| m.len).sum();
        assert!((400..2_000).contains(&found), "{found}");
    }

    #[test]
    fn the_same_clocks_are_found_however_they_are_cut() {
        let identity = |clock, len, at| Identity { client: 7, clock, len, at };
        let live = vec![identity(0, 3, 0), identity(5, 5, 4)];
        let past = [identity(2, 6, 1)];
        let wanted = [Match { live: 2, past: 1, len: 1 }, Match { live: 4, past: 4, len: 3 }];
        assert_eq!(by_identity(live, &past), wanted);
    }
}
