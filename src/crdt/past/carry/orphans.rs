//! Finds text that nobody deleted and that is gone with what was around it.

use std::collections::HashSet;

use super::super::items::{Content, Item, NONE};
use super::ground::Ground;
use super::place::Spot;

/// Items that stand beside each other and go together.
#[derive(Debug)]
pub(super) struct Run {
    /// In the order of the document, all in one list.
    pub(super) items: Vec<u32>,
    /// Who wrote it, by number.
    pub(super) author: u32,
    /// Where it belongs, if that is known already.
    pub(super) spot: Option<Spot>,
    /// It is kept where there is no place for it.
    pub(super) is_kept: bool,
}

/// The orphans of the rows from `since` on.
pub(super) fn find(ground: &Ground<'_>, since: u32) -> Vec<Run> {
    let all = 0..ground.past.items.count();
    let mut found: Vec<u32> = all.filter(|it| is_orphan(ground, *it, since)).collect();
    found.extend(undone(ground, since));
    found.extend(left_behind(ground, since));
    runs_of(ground, &found, true)
}

/// All letters that nobody deleted and that are not there, each item by itself; but for those that were
/// written elsewhere as well, where somebody may have deleted them.
pub(super) fn all(ground: &Ground<'_>) -> Vec<Run> {
    let is_letters = |number: &u32| {
        let item = ground.item(*number);
        let is_gone = item.text_len() > 0 && ground.died(item.parent) != NONE;
        is_gone && item.deleted == NONE && ground.family(item.id).len() == 1
    };
    let alone = |number| {
        let author = ground.author_of(ground.item(number).written);
        Run { items: vec![number], author, spot: None, is_kept: true }
    };
    (0..ground.past.items.count()).filter(is_letters).map(alone).collect()
}

/// Puts items together that stand beside each other, by author, in the order of their lists.
pub(super) fn runs_of(ground: &Ground<'_>, found: &[u32], is_kept: bool) -> Vec<Run> {
    let all: HashSet<u32> = found.iter().copied().collect();
    let mut runs = Vec::new();
    for &number in found {
        let left = ground.item(number).left;
        if left == NONE || !all.contains(&left) {
            runs.extend(runs_from(ground, number, &all, is_kept));
        }
    }
    runs
}

fn runs_from(ground: &Ground<'_>, first: u32, all: &HashSet<u32>, is_kept: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = first;
    while at != NONE && all.contains(&at) {
        let author = ground.author_of(ground.item(at).written);
        match runs.last_mut().filter(|run| run.author == author) {
            Some(run) => run.items.push(at),
            None => runs.push(Run { items: vec![at], author, spot: None, is_kept }),
        }
        at = ground.item(at).right;
    }
    runs.retain(|run| run.items.iter().any(|it| !is_format(ground.item(*it))));
    runs
}

fn is_format(item: &Item) -> bool {
    matches!(item.content, Content::Format(_))
}

/// Nobody deleted it, somebody deleted what it is in, and one of the two is news.
fn is_orphan(ground: &Ground<'_>, number: u32, since: u32) -> bool {
    let item = ground.item(number);
    if !item.is_listed() || item.deleted != NONE {
        return false;
    }
    let died = ground.died(item.parent);
    if died == NONE || item.inserted.max(died) < since {
        return false;
    }
    for owner in ground.outwards(number).skip(1) {
        let around = ground.item(owner);
        // What stands under a key is put nowhere by itself.
        if around.deleted != NONE || !around.is_listed() {
            return true;
        }
        // What is in an orphan goes with it, unless that has been looked at before.
        if around.inserted.max(ground.died(around.parent)) >= since {
            return false;
        }
    }
    false
}

/// The run that begins with an orphan, whenever it became one.
pub(super) fn run_from(ground: &Ground<'_>, number: u32) -> Option<Run> {
    let mut all = HashSet::new();
    let mut at = number;
    while at != NONE && is_orphan(ground, at, 0) {
        all.insert(at);
        at = ground.item(at).right;
    }
    runs_from(ground, number, &all, true).into_iter().next()
}

/// Orphans that a row has deleted, or written elsewhere: until then they were kept.
fn is_freed(ground: &Ground<'_>, item: &Item, since: u32) -> bool {
    let died = if item.is_listed() { ground.died(item.parent) } else { NONE };
    let is_text = matches!(item.content, Content::Text(_));
    is_text
        && item.deleted != NONE
        && item.deleted >= since
        && item.inserted.max(died) < item.deleted
}

/// Where kept texts may begin of which a row has deleted something.
pub(super) fn unkept(ground: &Ground<'_>, since: u32) -> Vec<(u64, u32)> {
    let around = around_freed(ground, since);
    let places = around.into_iter().map(|it| ground.past.items.place(ground.item(it).id));
    places.map(|place| (place.client, place.clock)).collect()
}

/// What is left of kept texts of which a row has deleted something, or that go on: it is looked at again.
fn left_behind(ground: &Ground<'_>, since: u32) -> Vec<u32> {
    let around = around_freed(ground, since);
    // Those from `since` on are found anyway.
    around
        .into_iter()
        .filter(|it| is_orphan(ground, *it, 0) && !is_orphan(ground, *it, since))
        .collect()
}

/// Freed and new orphans, and those beside them.
fn around_freed(ground: &Ground<'_>, since: u32) -> Vec<u32> {
    let mut around = Vec::new();
    for number in 0..ground.past.items.count() {
        if !is_freed(ground, ground.item(number), since) && !is_orphan(ground, number, since) {
            continue;
        }
        let is_near = |it: &u32| {
            *it != NONE && (is_orphan(ground, *it, 0) || is_freed(ground, ground.item(*it), since))
        };
        let left = |it: &u32| Some(ground.item(*it).left).filter(is_near);
        let right = |it: &u32| Some(ground.item(*it).right).filter(is_near);
        around.extend(std::iter::successors(Some(number), left));
        around.extend(std::iter::successors(Some(number), right).skip(1));
    }
    around.sort_unstable();
    around.dedup();
    around
}

/// What others wrote into a block that its maker took back: the undo deletes the block with everything
/// in it, and brings back what the block had taken the place of.
fn undone(ground: &Ground<'_>, since: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for number in 0..ground.past.items.count() {
        let item = ground.item(number);
        let is_text = matches!(item.content, Content::Text(_) | Content::Embed(_));
        let is_gone = is_text && item.deleted != NONE && item.deleted >= since;
        if is_gone && is_undone(ground, item) {
            found.push(number);
        }
    }
    found
}

fn is_undone(ground: &Ground<'_>, item: &Item) -> bool {
    let undo = item.deleted;
    let maker = ground.author_of(undo);
    let Some(owner) = ground.owner(item.parent).map(|owner| ground.item(owner)) else {
        return false;
    };
    // One person may be there twice.
    if item.id.client == owner.id.client || !ground.trail.copies(item.id).is_empty() {
        return false;
    }
    let made = owner.inserted;
    owner.deleted == undo
        && made < item.inserted
        && ground.author_of(made) == maker
        && comes_back(ground, item.parent, made, undo)
}

/// Whether everything that a block took over when it was made is written again by the row that deletes
/// it; a person who writes the block anew takes what others wrote along as well.
fn comes_back(ground: &Ground<'_>, branch: u32, made: u32, undo: u32) -> bool {
    let again = ground.past.moves.of(undo);
    let copied = ground.past.moves.of(made);
    let copies = ground.children(branch).map(|it| ground.item(it)).filter(|item| {
        item.deleted == undo && item.text_len() > 0 && copied.iter().any(|it| it.leads_to(item.id))
    });
    let mut copies = copies.peekable();
    let is_again = |item: &Item| {
        let mut family = ground.family(item.id).into_iter();
        family.any(|id| again.iter().any(|it| it.starts_from(id)))
    };
    copies.peek().is_some() && copies.all(is_again)
}
