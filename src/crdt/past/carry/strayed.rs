//! Letters that stand where their line was before it moved.
//!
//! Editors move a line, or the part of it behind a caret, by writing its letters elsewhere, sometimes into
//! an element that stays. What somebody wrote beside one of these letters without having seen that is
//! alive, but in the wrong line; so is what somebody wrote whom the one who moved the line had not seen.

use std::collections::HashSet;

use super::ground::Ground;
use super::orphans::{Run, runs_of};
use super::place::Spot;
use super::{Hint, Seen};
use crate::crdt::past::items::{Content, Id, Item};

/// Edits whose authors' view is looked at: each costs a walk over all items.
const HINTS_MAX: usize = 32;
/// Rows that are looked at for lines that became other lines.
const ROWS_MAX: usize = 1_024;

/// A row, and what its author had not seen.
struct Blind<'a> {
    ground: &'a Ground<'a>,
    row: u32,
    hint: &'a Hint,
    /// The row until which all was seen.
    until: u32,
    /// The client ids under which the row writes.
    own: HashSet<u32>,
    /// The rows that were not seen, in order.
    rows: Vec<u32>,
}

/// What was written into lines that had moved meanwhile, and what was left behind by those who moved them.
pub(super) fn find(ground: &Ground<'_>, since: u32, hints: &[Hint]) -> Vec<Run> {
    let blinds: Vec<Blind<'_>> =
        hints.iter().take(HINTS_MAX).filter_map(|hint| Blind::new(ground, since, hint)).collect();
    let theirs: Vec<u32> =
        blinds.iter().flat_map(|it| written_into_old_lines(ground, it.row)).collect();
    let mut found = Vec::new();
    for mut run in runs_of(ground, &theirs, false) {
        // Letters that were typed one after the other belong together, and came in as many rows.
        let row = run.items.iter().map(|it| ground.item(*it).inserted).min();
        let blind = blinds.iter().find(|it| Some(it.row) == row);
        run.spot = blind.and_then(|blind| blind.spot_of(&run, &blind.rows));
        found.extend(run.spot.is_some().then_some(run));
    }
    // What the author moved away from under letters that they had not seen.
    for blind in &blinds {
        for mut run in runs_of(ground, &blind.letters(), false) {
            run.spot = blind.spot_of(&run, &[blind.row]);
            let is_new = !found.iter().any(|it: &Run| it.items.contains(&run.items[0]));
            found.extend((is_new && run.spot.is_some()).then_some(run));
        }
    }
    found
}

impl<'a> Blind<'a> {
    /// `None` where there is nothing that the author had not seen.
    fn new(ground: &'a Ground<'a>, since: u32, hint: &'a Hint) -> Option<Self> {
        let row = ground.past.rows.partition_point(|row| row.seq < hint.seq) as u32;
        if row < since || ground.past.rows.get(row as usize).is_none_or(|it| it.seq != hint.seq) {
            return None;
        }
        let until = match hint.seen {
            Seen::All(_) => row,
            Seen::Until(seq) => ground.past.rows.partition_point(|row| row.seq <= seq) as u32,
        };
        let items = || (0..ground.past.items.count()).map(|it| ground.item(it));
        let own = items().filter(|it| it.inserted == row).map(|it| it.id.client).collect();
        let mut blind = Self { ground, row, hint, until, own, rows: Vec::new() };
        let rows: HashSet<u32> =
            items().filter(|it| blind.is_unseen(it)).map(|it| it.inserted).collect();
        blind.rows = rows.into_iter().collect();
        blind.rows.sort_unstable();
        (!blind.rows.is_empty()).then_some(blind)
    }

    /// Somebody else's, before the row, and not seen.
    fn is_unseen(&self, item: &Item) -> bool {
        item.inserted < self.row
            && match &self.hint.seen {
                Seen::All(seen) => {
                    let place = self.ground.past.items.place(item.id);
                    !seen.has(place.client, place.clock)
                }
                Seen::Until(_) => {
                    item.inserted >= self.until && !self.own.contains(&item.id.client)
                }
            }
    }

    /// Unseen text that is there.
    fn letters(&self) -> Vec<u32> {
        let is_meant = |number: &u32| {
            let item = self.ground.item(*number);
            let is_text = matches!(item.content, Content::Text(_) | Content::Format(_));
            is_text && self.is_unseen(item) && self.ground.is_live(item)
        };
        (0..self.ground.past.items.count()).filter(is_meant).collect()
    }

    fn spot_of(&self, run: &Run, unseen: &[u32]) -> Option<Spot> {
        let ground = self.ground;
        let first = ground.item(*run.items.first()?);
        let moved = |id: Id| {
            let item = ground.item(ground.past.items.find(id));
            let is_unseen = unseen.binary_search(&item.deleted).is_ok();
            let image = is_unseen.then(|| ground.image(id)).flatten()?;
            let is_elsewhere = ground.item(ground.past.items.find(image)).parent != first.parent;
            is_elsewhere.then_some(image)
        };
        let mut right = run.items.iter().rev().filter_map(|it| ground.item(*it).right_origin);
        let is_own = |id: &Id| run.items.contains(&ground.past.items.find(*id));
        let right = right.find(|id| !is_own(id));
        match (first.origin, right) {
            (Some(left), right) => {
                if let Some(image) = moved(left) {
                    let stays = right.is_some_and(|right| moved(right).is_none());
                    return (!stays).then(|| ground.after(image));
                }
                self.became(first, left, unseen).map(|image| ground.after(image))
            }
            (None, Some(right)) => {
                let image = moved(right).or_else(|| self.became(first, right, unseen));
                image.map(|image| ground.ahead(image))
            }
            (None, None) => None,
        }
    }

    /// Where a letter of a line is, all of which became another line: editors that swap two lines keep the
    /// letters that both have at their ends.
    fn became(&self, item: &Item, letter: Id, unseen: &[u32]) -> Option<Id> {
        let ground = self.ground;
        let (start, mut branch, mut letter) = (item.parent, item.parent, letter);
        let line = |id: Id| ground.item(ground.past.items.find(id)).parent;
        for &row in unseen.iter().take(ROWS_MAX) {
            let moves = ground.past.moves.of(row);
            if !moves.iter().any(|it| line(it.from) == branch && line(it.to) != branch) {
                continue;
            }
            let before = self.text_at(branch, row, false);
            let Some(offset) = before.iter().position(|(id, _)| *id == letter) else { continue };
            let is_same = |other: &[(Id, u16)]| {
                other.len() == before.len()
                    && other.iter().zip(&before).all(|(one, two)| one.1 == two.1)
            };
            if is_same(&self.text_at(branch, row, true)) {
                continue;
            }
            let targets: HashSet<u32> = moves.iter().map(|it| line(it.to)).collect();
            let mut targets: Vec<u32> = targets.into_iter().filter(|it| *it != branch).collect();
            targets.sort_unstable();
            let after = targets.into_iter().map(|it| (it, self.text_at(it, row, true)));
            if let Some((target, text)) = after.into_iter().find(|(_, text)| is_same(text)) {
                (branch, letter) = (target, text[offset].0);
            }
        }
        (branch != start).then(|| ground.image(letter)).flatten()
    }

    /// The letters of a text before a row or after it, as its author saw them.
    fn text_at(&self, branch: u32, row: u32, is_after: bool) -> Vec<(Id, u16)> {
        let rows = if is_after { row + 1 } else { row };
        let was_there = |item: &Item| {
            let is_hidden = row == self.row && self.is_unseen(item);
            item.inserted < rows && item.deleted >= rows && !is_hidden
        };
        let mut letters = Vec::new();
        self.ground.past.items.letters(branch, &was_there, &mut letters);
        letters
    }
}

/// Text of a row that is there, in texts that were there before it.
fn written_into_old_lines(ground: &Ground<'_>, row: u32) -> Vec<u32> {
    let is_meant = |number: &u32| {
        let item = ground.item(*number);
        let is_text = matches!(item.content, Content::Text(_) | Content::Format(_));
        let is_old = || ground.owner(item.parent).is_none_or(|it| ground.item(it).inserted < row);
        item.inserted == row && is_text && ground.is_live(item) && is_old()
    };
    (0..ground.past.items.count()).filter(is_meant).collect()
}
