//! What of a list stays: the same items, then equal content in between, then shared types of one
//! kind, which are reshaped where they are.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ops::Range;

use super::align::{Gap, Identity, Match, by_identity, by_value, gaps, in_order};
use super::tree::{EMBED, Node, Text, Value};

/// How far a shared type is looked for a partner of its kind.
const PARTNER_DISTANCE_MAX: usize = 64;

/// From here on, a character is a word: CJK and whatever is written without spaces.
const IDEOGRAPHS_START: u16 = 0x2e80;

/// What stays of an array.
pub(super) fn match_arrays(live: &[Value], past: &[Value]) -> Vec<Match> {
    let matches = by_identity(identities(nodes_of(live)), &identities(nodes_of(past)));
    let (lens, mut matches) = ((live.len(), past.len()), matches);
    matches.retain(|found| is_one_kind(live[found.live].node(), past[found.past].node()));
    let matches = refine(matches, lens, |gap| {
        let hashes = |values: &[Value]| values.iter().map(Value::hash).collect::<Vec<_>>();
        by_value(&hashes(&live[gap.live.clone()]), &hashes(&past[gap.past.clone()]))
    });
    refine(matches, lens, |gap| {
        let live = nodes_of(&live[gap.live.clone()]);
        partners(live, nodes_of(&past[gap.past.clone()]))
    })
}

/// What stays of a text, given which clocks its characters have (as far as known).
pub(super) fn match_texts(
    live: &Text,
    past: &Text,
    mut live_ids: Vec<Identity>,
    mut past_ids: Vec<Identity>,
) -> Vec<Match> {
    live_ids.extend(identities(live.nodes(0..live.units.len())));
    past_ids.extend(identities(past.nodes(0..past.units.len())));
    let lens = (live.units.len(), past.units.len());
    let mut matches = by_identity(live_ids, &past_ids);
    matches.retain(|found| {
        (0..found.len).all(|at| live.is_like(found.live + at, past, found.past + at))
    });
    let matches = whole_characters(matches, live);
    let keys = RandomState::new();
    let matches = refine(matches, lens, |gap| words_in(gap, live, past, &keys));
    let matches = refine(matches, lens, |gap| ends_of(gap, live, past));
    let matches = whole_characters(matches, live);
    refine(matches, lens, |gap| {
        partners(live.nodes(gap.live.clone()), past.nodes(gap.past.clone()))
    })
}

impl Text {
    /// Shared types in a part of the text, places counted from its start.
    fn nodes(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &Node)> + Clone {
        let first = self.embeds.partition_point(|(at, _)| *at < range.start);
        let last = self.embeds.partition_point(|(at, _)| *at < range.end);
        let embeds = self.embeds[first..last].iter();
        embeds.filter_map(move |(at, value)| Some((at - range.start, value.node()?)))
    }

    /// The same character or value, or a shared type that can become the other.
    fn is_like(&self, at: usize, other: &Text, other_at: usize) -> bool {
        self.is_equal(at, other, other_at)
            || self.units[at] == other.units[other_at]
                && is_one_kind(node_at(self, at), node_at(other, other_at))
    }

    fn is_equal(&self, at: usize, other: &Text, other_at: usize) -> bool {
        let unit = self.units[at];
        unit == other.units[other_at]
            && (unit != EMBED
                || self.embed(at).map(Value::hash) == other.embed(other_at).map(Value::hash))
    }
}

fn node_at(text: &Text, at: usize) -> Option<&Node> {
    text.embed(at).and_then(Value::node)
}

fn is_one_kind(live: Option<&Node>, past: Option<&Node>) -> bool {
    matches!((live, past), (Some(live), Some(past)) if live.kind == past.kind)
}

fn nodes_of(values: &[Value]) -> impl Iterator<Item = (usize, &Node)> + Clone {
    values.iter().enumerate().filter_map(|(at, value)| Some((at, value.node()?)))
}

fn identities<'a>(nodes: impl Iterator<Item = (usize, &'a Node)>) -> Vec<Identity> {
    let identity = |(at, node): (usize, &Node)| {
        let id = node.id()?;
        Some(Identity { client: id.client.get(), clock: id.clock, len: 1, at })
    };
    nodes.filter_map(identity).collect()
}

/// Adds to matches what is found in the gaps between them, with places counted from the gap's start.
fn refine(
    mut matches: Vec<Match>,
    lens: (usize, usize),
    mut search: impl FnMut(&Gap) -> Vec<Match>,
) -> Vec<Match> {
    for gap in gaps(&matches, lens.0, lens.1) {
        if gap.live.is_empty() || gap.past.is_empty() {
            continue;
        }
        matches.extend(search(&gap).into_iter().map(|found| Match {
            live: gap.live.start + found.live,
            past: gap.past.start + found.past,
            ..found
        }));
    }
    in_order(matches)
}

/// Leaves the halves of surrogate pairs out of matches that have only one of them.
fn whole_characters(mut matches: Vec<Match>, live: &Text) -> Vec<Match> {
    for found in &mut matches {
        if found.len > 0 && (0xdc00..0xe000).contains(&live.units[found.live]) {
            (found.live, found.past, found.len) = (found.live + 1, found.past + 1, found.len - 1);
        }
        if found.len > 0 && (0xd800..0xdc00).contains(&live.units[found.live_end() - 1]) {
            found.len -= 1;
        }
    }
    matches.retain(|found| found.len > 0);
    matches
}

/// Equal words.
fn words_in(gap: &Gap, live: &Text, past: &Text, keys: &RandomState) -> Vec<Match> {
    let (live_starts, live_hashes) = words(live, gap.live.clone(), keys);
    let (past_starts, past_hashes) = words(past, gap.past.clone(), keys);
    let to_units = |found: Match| {
        let (live, past) = (live_starts[found.live], past_starts[found.past]);
        let len = live_starts[found.live_end()] - live;
        Match { live: live - gap.live.start, past: past - gap.past.start, len }
    };
    by_value(&live_hashes, &past_hashes).into_iter().map(to_units).collect()
}

/// Where each word starts, and where the last one ends; and a hash of each. A word is letters and
/// what follows up to the next letter, or one embedded value.
fn words(text: &Text, range: Range<usize>, keys: &RandomState) -> (Vec<usize>, Vec<u64>) {
    let is_letter = |unit: u16| match unit {
        EMBED => false,
        0..0x80 => (unit as u8).is_ascii_alphanumeric(),
        _ => true,
    };
    let is_own_word = |unit: u16| unit >= IDEOGRAPHS_START && !(0xd800..0xe000).contains(&unit);
    let mut starts = vec![range.start];
    for at in range.start + 1..range.end {
        let (before, unit) = (text.units[at - 1], text.units[at]);
        let is_start = is_letter(unit) && !is_letter(before);
        if is_start || is_own_word(unit) || is_own_word(before) {
            starts.push(at);
        }
    }
    starts.push(range.end);
    let hash = |word: &[usize]| {
        let mut hasher = keys.build_hasher();
        text.units[word[0]..word[1]].hash(&mut hasher);
        text.embed(word[0]).map(Value::hash).hash(&mut hasher);
        hasher.finish()
    };
    let hashes = starts.windows(2).map(hash).collect();
    (starts, hashes)
}

/// Equal characters at the start and at the end.
fn ends_of(gap: &Gap, live: &Text, past: &Text) -> Vec<Match> {
    let most = gap.live.len().min(gap.past.len());
    let is_equal = |live_at: usize, past_at: usize| live.is_equal(live_at, past, past_at);
    let prefix =
        (0..most).take_while(|at| is_equal(gap.live.start + at, gap.past.start + at)).count();
    let suffix =
        (1..=most - prefix).take_while(|at| is_equal(gap.live.end - at, gap.past.end - at)).count();
    let end = Match { live: gap.live.len() - suffix, past: gap.past.len() - suffix, len: suffix };
    let mut found = vec![Match { live: 0, past: 0, len: prefix }, end];
    found.retain(|found| found.len > 0);
    found
}

/// Shared types of one kind, in order.
fn partners<'a>(
    live: impl Iterator<Item = (usize, &'a Node)> + Clone,
    past: impl Iterator<Item = (usize, &'a Node)>,
) -> Vec<Match> {
    let mut rest = live;
    let mut matches = Vec::new();
    for (past_at, wanted) in past {
        let mut ahead = rest.clone().take(PARTNER_DISTANCE_MAX);
        let Some(skipped) = ahead.position(|(_, found)| found.kind == wanted.kind) else {
            continue;
        };
        if let Some((live_at, _)) = rest.nth(skipped) {
            matches.push(Match { live: live_at, past: past_at, len: 1 });
        }
    }
    matches
}
