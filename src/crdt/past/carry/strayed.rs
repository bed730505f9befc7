//! Letters that stand where their line was before it moved.
//!
//! Editors move a line, or the part of it behind a caret, by writing its letters elsewhere, sometimes into
//! an element that stays. What somebody wrote behind one of these letters without having seen that is
//! alive, but in the wrong line. Only of clients that were away is it known what they had not seen; for
//! them it is mended.

use std::collections::HashSet;

use super::Hint;
use super::ground::Ground;
use super::orphans::{Run, runs_of};
use super::place::Spot;
use crate::crdt::past::items::{Content, Id, Item};

/// Rows that are looked at for lines that became other lines.
const ROWS_MAX: usize = 1_024;

/// What offline clients wrote into lines that had moved meanwhile.
pub(super) fn find(ground: &Ground<'_>, since: u32, hints: &[Hint]) -> Vec<Run> {
    let mut found = Vec::new();
    for hint in hints {
        let row = ground.past.rows.partition_point(|row| row.seq < hint.seq) as u32;
        if row < since || ground.past.rows.get(row as usize).is_none_or(|it| it.seq != hint.seq) {
            continue;
        }
        let unseen = unseen(ground, row, hint);
        if unseen.is_empty() {
            continue;
        }
        let theirs = (written_into_old_lines(ground, row), unseen.as_slice());
        // What the client moved away from under letters that it had not seen.
        let own = [row];
        let others = (unseen_letters(ground, row, hint), own.as_slice());
        for (letters, rows) in [theirs, others] {
            for mut run in runs_of(ground, &letters, false) {
                run.spot = spot_of(ground, &run, rows);
                found.extend(run.spot.is_some().then_some(run));
            }
        }
    }
    found
}

/// The rows before a client's that it had not seen, in order.
fn unseen(ground: &Ground<'_>, row: u32, hint: &Hint) -> Vec<u32> {
    let mut rows = HashSet::new();
    for number in 0..ground.past.items.count() {
        let item = ground.item(number);
        let place = ground.past.items.place(item.id);
        if item.inserted < row && !hint.seen.has(place.client, place.clock) {
            rows.insert(item.inserted);
        }
    }
    let mut rows: Vec<u32> = rows.into_iter().collect();
    rows.sort_unstable();
    rows
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

/// Text that is there and that came before a row whose author had not seen it.
fn unseen_letters(ground: &Ground<'_>, row: u32, hint: &Hint) -> Vec<u32> {
    let is_meant = |number: &u32| {
        let item = ground.item(*number);
        let is_text = matches!(item.content, Content::Text(_) | Content::Format(_));
        let place = ground.past.items.place(item.id);
        let is_unseen = item.inserted < row && !hint.seen.has(place.client, place.clock);
        is_text && is_unseen && ground.is_live(item)
    };
    (0..ground.past.items.count()).filter(is_meant).collect()
}

fn spot_of(ground: &Ground<'_>, run: &Run, unseen: &[u32]) -> Option<Spot> {
    let first = ground.item(*run.items.first()?);
    let moved = |id: Id| {
        let item = ground.item(ground.past.items.find(id));
        let is_unseen = unseen.binary_search(&item.deleted).is_ok();
        let image = is_unseen.then(|| ground.image(id)).flatten()?;
        let is_elsewhere = ground.item(ground.past.items.find(image)).parent != first.parent;
        is_elsewhere.then_some(image)
    };
    match (first.origin, first.right_origin) {
        (Some(left), right) => {
            if let Some(image) = moved(left) {
                let stays = right.is_some_and(|right| moved(right).is_none());
                return (!stays).then(|| ground.after(image));
            }
            became(ground, first, left, unseen).map(|image| ground.after(image))
        }
        (None, Some(right)) => {
            let image = moved(right).or_else(|| became(ground, first, right, unseen));
            image.map(|image| ground.ahead(image))
        }
        (None, None) => None,
    }
}

/// Where a letter of a line is, all of which became another line: editors that swap two lines keep the
/// letters that both have at their ends.
fn became(ground: &Ground<'_>, item: &Item, letter: Id, unseen: &[u32]) -> Option<Id> {
    let (start, mut branch, mut letter) = (item.parent, item.parent, letter);
    for &row in unseen.iter().take(ROWS_MAX) {
        let before = ground.text_at(branch, row, false);
        let Some(offset) = before.iter().position(|(id, _)| *id == letter) else { continue };
        let is_same = |other: &[(Id, u16)]| {
            other.len() == before.len()
                && other.iter().zip(&before).all(|(one, two)| one.1 == two.1)
        };
        if is_same(&ground.text_at(branch, row, true)) {
            continue;
        }
        let written = (0..ground.past.items.count()).map(|it| ground.item(it));
        let written = written.filter(|it| it.inserted == row && it.text_len() > 0);
        let targets: HashSet<u32> = written.map(|it| it.parent).collect();
        let mut targets: Vec<u32> = targets.into_iter().filter(|it| *it != branch).collect();
        targets.sort_unstable();
        let after = targets.into_iter().map(|it| (it, ground.text_at(it, row, true)));
        if let Some((target, text)) = after.into_iter().find(|(_, text)| is_same(text)) {
            (branch, letter) = (target, text[offset].0);
        }
    }
    (branch != start).then(|| ground.image(letter)).flatten()
}

impl Ground<'_> {
    /// The letters of a text before a row, or after it.
    fn text_at(&self, branch: u32, row: u32, is_after: bool) -> Vec<(Id, u16)> {
        let rows = if is_after { row + 1 } else { row };
        let was_there = |item: &Item| item.inserted < rows && item.deleted >= rows;
        let mut letters = Vec::new();
        self.past.items.letters(branch, &was_there, &mut letters);
        letters
    }
}
