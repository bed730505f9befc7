//! Letters in the shape in which Lexical keeps them.
//!
//! Lexical keeps a paragraph as a text in which each run of letters follows a map that holds its format; a
//! line break is a map of its own, which takes no letters. Letters that do not follow the map of a text
//! are dropped by its binding, and take others with them. Source: `@lexical/yjs`, `CollabElementNode`.

use std::collections::BTreeSet;

use super::super::decode::TypeKind;
use super::super::items::{Content, NONE};
use super::ground::Ground;
use super::orphans::{Run, runs_of};
use super::pieces::Piece;
use super::place::Spot;

/// Maps that are looked at on the way to the left.
const ITEMS_MAX: usize = 4_096;

/// Letters of lines that are there, without the map of a text: somebody deleted all that they saw of the line.
pub(super) fn bare(ground: &Ground<'_>, since: u32) -> Vec<Run> {
    let is_news = |number: &u32| {
        let item = ground.item(*number);
        let is_new = item.inserted >= since && item.text_len() > 0;
        is_new || (item.deleted >= since && item.deleted != NONE && ground.is_map(*number))
    };
    let news = (0..ground.past.items.count()).filter(is_news);
    let lines: BTreeSet<u32> =
        news.filter(|it| ground.is_lexical(*it)).map(|it| ground.item(it).parent).collect();
    let mut bare = Vec::new();
    for line in lines {
        let mut has_map = false;
        for number in ground.children(line).filter(|it| ground.is_live(ground.item(*it))) {
            if ground.is_map(number) {
                has_map = ground.tag(number) == Some("text");
            } else if ground.item(number).text_len() > 0 && !has_map {
                bare.push(number);
            }
        }
    }
    let mut runs = runs_of(ground, &bare, false);
    for run in &mut runs {
        run.spot = run.items.first().map(|first| ground.before(*first));
    }
    runs
}

impl Ground<'_> {
    /// Gives every letter of a run, and those that follow it, the map of a text. Other editors' texts stay
    /// as they are.
    pub(super) fn with_maps(
        &self,
        run: &Run,
        spot: Spot,
        mut pieces: Vec<Piece>,
    ) -> (Spot, Vec<Piece>) {
        let near = |place| self.past.items.at(place).map(|id| self.past.items.find(id));
        let (left, right) = (spot.left.and_then(near), spot.right.and_then(near));
        let Some(beside) = left.or(right).filter(|it| self.is_lexical(*it)) else {
            return (spot, pieces);
        };
        let map = left.and_then(|it| self.map_before(it));
        let is_text = |it: &u32| self.tag(*it) == Some("text");
        let next_is_text = right.is_some_and(|it| {
            let item = self.item(it);
            matches!(item.content, Content::Text(_)) && self.is_live(item)
        });
        if matches!(pieces.first(), Some(Piece::Text(_))) && !map.as_ref().is_some_and(is_text) {
            let own = run.items.first().and_then(|it| self.text_map_near(*it));
            let copy = own.or_else(|| self.text_map_near(beside)).and_then(|it| self.piece(it));
            copy.into_iter().for_each(|copy| pieces.insert(0, copy));
        }
        let is_map = |piece: &Piece| matches!(piece, Piece::Type { kind: TypeKind::Map, .. });
        match map.filter(is_text).filter(|_| next_is_text && pieces.iter().any(is_map)) {
            // Before the map, and its letters stay together with it.
            Some(map) if left == Some(map) => (self.before(map), pieces),
            Some(map) => {
                pieces.extend(self.piece(map));
                (spot, pieces)
            }
            None => (spot, pieces),
        }
    }

    /// What stands first in a line that is written again, with the map that its letters need.
    pub(super) fn with_first_map(&self, first: u32, mut pieces: Vec<Piece>) -> Vec<Piece> {
        let is_bare = matches!(pieces.first(), Some(Piece::Text(_))) && self.is_lexical(first);
        let map = is_bare.then(|| self.text_map_near(first)).flatten();
        let copy = map.and_then(|it| self.piece(it));
        copy.into_iter().for_each(|copy| pieces.insert(0, copy));
        pieces
    }

    /// It stands in a text that is an element.
    pub(super) fn is_lexical(&self, number: u32) -> bool {
        self.past.items.text_under(self.item(number).parent, "__type").is_some()
    }

    /// The nearest map to the left of a place that is there, the item itself included.
    fn map_before(&self, number: u32) -> Option<u32> {
        let left = |it: &u32| Some(self.item(*it).left).filter(|it| *it != NONE);
        let mut near = std::iter::successors(Some(number), left).take(ITEMS_MAX);
        near.find(|it| self.is_map(*it) && self.is_live(self.item(*it)))
    }

    /// The nearest map of a text in the list of an item, there or not.
    fn text_map_near(&self, number: u32) -> Option<u32> {
        let left = |it: &u32| Some(self.item(*it).left).filter(|it| *it != NONE);
        let right = |it: &u32| Some(self.item(*it).right).filter(|it| *it != NONE);
        let before = std::iter::successors(Some(number), left).take(ITEMS_MAX);
        let behind = std::iter::successors(Some(number), right).take(ITEMS_MAX);
        let mut near = before.chain(behind);
        near.find(|it| self.is_map(*it) && self.tag(*it) == Some("text"))
    }

    fn is_map(&self, number: u32) -> bool {
        let Content::Type(branch) = self.item(number).content else { return false };
        self.past.items.branch(branch).kind == TypeKind::Map
    }
}
