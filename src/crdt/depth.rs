//! Bounds how deep elements of a document are nested, before an update is applied.
//!
//! The CRDT library walks nested types by recursion when it deletes or prints them, and a stack that overflows
//! ends the process. Stack used per level, measured with yrs 0.28.1 (release / debug build): deleting
//! 290 / 1,262 bytes, printing XML 452 / 1,431, `to_json` 728 / 1,828; so 2 MiB carry 2,880 / 1,147 levels and
//! 64 MiB carry 92,000 / 36,000. Applying, encoding and dropping do not recurse. An update may build and delete a
//! chain in one go, so the check has to come first. Honest documents stay below 60 levels.
//!
//! No index of the document is kept: only an upper bound of its depth. An update can deepen it by no more than
//! the longest chain the update brings, so nearly all updates are admitted by an addition. When the bound has
//! crept up to the limit, the depth is measured exactly, from the encoded state and the update together.
//!
//! The rule that must hold: every update that enters a replica, whoever made it, passes [`DepthBound::admit`].

use std::collections::HashMap;

use thiserror::Error;

use super::lint::{
    Block, Kind, LintError, LintLimits, Parent, Place, Reader, Summary, read_blocks,
};

/// Upper bound of the nesting depth of one replica.
#[derive(Debug, Clone)]
pub struct DepthBound {
    /// No type of the document is deeper; a child of a named root type has depth 1.
    deepest: u32,
    depth_max: u32,
}

/// The document would become too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("elements nested {got} deep are over the limit of {max}")]
pub struct TooDeep {
    /// Depth of the deepest type.
    pub got: u32,
    /// The limit.
    pub max: u32,
}

impl DepthBound {
    /// The bound of an empty document. A stored one is loaded by admitting all its parts in turn.
    pub fn new(depth_max: u32) -> Self {
        DepthBound { deepest: 0, depth_max }
    }

    /// Decides whether a linted update may be applied, and counts it as applied if so.
    ///
    /// `known` gives the next clock that the replica expects of a client id: what an update says about items
    /// that the replica has is not believed. `state` encodes the whole replica (v1); it is asked for rarely,
    /// about once in 200 new paragraphs, and each time when the document really is close to the limit.
    ///
    /// # Errors
    /// When the document would become deeper than the limit.
    pub fn admit(
        &mut self,
        update: &[u8],
        summary: &Summary,
        known: impl Fn(u64) -> u32,
        state: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), TooDeep> {
        if summary.types == 0 {
            return Ok(());
        }
        let mut levels = Levels::default();
        levels.read(update, &known);
        let deepest = levels.deepest(self.deepest);
        if deepest <= self.depth_max {
            self.deepest = deepest;
            return Ok(());
        }
        let mut levels = Levels::default();
        levels.read(&state(), |_| 0);
        self.deepest = levels.deepest(0);
        levels.read(update, known);
        let deepest = levels.deepest(self.deepest);
        if deepest > self.depth_max {
            return Err(TooDeep { got: deepest, max: self.depth_max });
        }
        self.deepest = deepest;
        Ok(())
    }
}

/// Depth of an item as far as the bytes at hand tell, as an upper bound.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Counted from a named root type; 0 when no way leads there.
    rooted: u32,
    /// Counted from some unknown type of the document; 0 when no way leads there.
    hanging: u32,
}

impl Level {
    const ROOT: Level = Level { rooted: 1, hanging: 0 };
    const OUTSIDE: Level = Level { rooted: 0, hanging: 1 };

    /// An item lies where one of its neighbours lies, and which one is open while some may be gone.
    fn or(self, other: Level) -> Level {
        Level { rooted: self.rooted.max(other.rooted), hanging: self.hanging.max(other.hanging) }
    }

    /// Level of the children. What hangs on nothing has no level: it can only be discarded.
    fn below(self) -> Level {
        let one_more = |depth: u32| {
            if depth == 0 { 0 } else { depth.saturating_add(1) }
        };
        Level { rooted: one_more(self.rooted), hanging: one_more(self.hanging) }
    }
}

/// Items that share their level: a run of text counts as one.
struct Node {
    attached: Attached,
    has_type: bool,
    level: Option<Level>,
    /// Its neighbours have been looked up. Those without a level by then wait for it in a circle, which never
    /// becomes part of a document.
    visited: bool,
}

/// What decides the level of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attached {
    ToRoot,
    Below(Place),
    Beside(Option<Place>, Option<Place>),
    /// A gap: whatever may come here.
    Outside,
}

/// The items of one client id that the bytes at hand describe.
#[derive(Default)]
struct Section {
    /// First clock and index of each node, ascending.
    nodes: Vec<(u32, usize)>,
    end: u32,
}

/// The levels of all items in an update, or in a state and an update that follows it.
#[derive(Default)]
struct Levels {
    nodes: Vec<Node>,
    sections: HashMap<u64, Section>,
}

impl Levels {
    fn deepest(&self, outside: u32) -> u32 {
        let types = self.nodes.iter().filter(|node| node.has_type);
        let levels = types.filter_map(|node| node.level);
        let depths = levels.map(|level| match level.hanging {
            0 => level.rooted,
            hanging => level.rooted.max(outside.saturating_add(hanging)),
        });
        depths.max().unwrap_or(0).max(outside)
    }

    /// Takes in the blocks that are not known yet and finds their levels. The bytes have been linted or come
    /// from our own replica; were they cut all the same, what follows could not be applied either.
    fn read(&mut self, update: &[u8], known: impl Fn(u64) -> u32) {
        let first = self.nodes.len();
        let mut reader = Reader::new(update);
        let read: Result<(), LintError> =
            read_blocks(&mut reader, &LintLimits::NONE, |block, _| {
                self.add(block, known(block.span.client));
                Ok(())
            });
        debug_assert!(read.is_ok(), "{read:?}");
        for index in first..self.nodes.len() {
            self.resolve(index);
        }
    }

    fn add(&mut self, block: &Block, known: u32) {
        let span = block.span;
        let section = self.sections.entry(span.client).or_default();
        let known = known.max(section.end);
        if span.end <= known {
            return;
        }
        let start = span.start.max(known);
        let before = start.checked_sub(1).map(|clock| Place { client: span.client, clock });
        let origin = if span.start < known { before } else { block.origin };
        let attached = match (block.kind, block.parent) {
            (Kind::Skip, _) => Attached::Outside,
            (Kind::Gc, _) => Attached::Beside(None, None),
            (_, Parent::Root) => Attached::ToRoot,
            (_, Parent::Item(place)) => Attached::Below(place),
            (_, Parent::OfNeighbours) => Attached::Beside(origin, block.right_origin),
        };
        let has_type = block.kind == Kind::Type;
        if let Some(&(_, index)) = section.nodes.last()
            && section.end == start
            && continues(self.nodes[index].attached, attached, before)
        {
            self.nodes[index].has_type |= has_type;
        } else {
            section.nodes.push((start, self.nodes.len()));
            self.nodes.push(Node { attached, has_type, level: None, visited: false });
        }
        section.end = span.end;
    }

    /// Gives a node its level, and first those that it depends on. A chain may be as long as the update.
    fn resolve(&mut self, index: usize) {
        let mut path = vec![index];
        while let Some(&index) = path.last() {
            let node = &mut self.nodes[index];
            if node.level.is_some() {
                path.pop();
                continue;
            }
            let first_visit = !std::mem::replace(&mut node.visited, true);
            let attached = node.attached;
            if first_visit {
                path.extend(places(attached).filter_map(|place| self.open_node(place)));
                continue;
            }
            let level = match attached {
                Attached::ToRoot => Level::ROOT,
                Attached::Outside => Level::OUTSIDE,
                Attached::Below(parent) => match self.find(parent) {
                    Some(index) => self.level(index).below(),
                    None => Level::OUTSIDE,
                },
                Attached::Beside(..) => places(attached)
                    .map(|place| self.find(place).map_or(Level::OUTSIDE, |index| self.level(index)))
                    .fold(Level::default(), Level::or),
            };
            self.nodes[index].level = Some(level);
            path.pop();
        }
    }

    fn level(&self, index: usize) -> Level {
        self.nodes[index].level.unwrap_or_default()
    }

    /// The node of a place, if its level is not known yet.
    fn open_node(&self, place: Place) -> Option<usize> {
        self.find(place).filter(|index| self.nodes[*index].level.is_none())
    }

    fn find(&self, place: Place) -> Option<usize> {
        let section = self.sections.get(&place.client)?;
        if place.clock >= section.end {
            return None;
        }
        let after = section.nodes.partition_point(|(start, _)| *start <= place.clock);
        section.nodes[..after].last().map(|(_, index)| *index)
    }
}

/// Whether a block certainly lies where the node before it lies: it is attached to that node's last clock, and
/// to nothing on its right that the node is not attached to as well.
fn continues(node: Attached, block: Attached, before: Option<Place>) -> bool {
    let Attached::Beside(origin, right_origin) = block else {
        return false;
    };
    let same_right = match node {
        Attached::Beside(None, None) | Attached::Outside => false,
        Attached::Beside(_, right) => right_origin.is_none() || right == right_origin,
        Attached::ToRoot | Attached::Below(_) => right_origin.is_none(),
    };
    same_right && origin.is_some() && origin == before
}

fn places(attached: Attached) -> impl Iterator<Item = Place> {
    let pair = match attached {
        Attached::ToRoot | Attached::Outside => [None, None],
        Attached::Below(place) => [Some(place), None],
        Attached::Beside(origin, right_origin) => [origin, right_origin],
    };
    pair.into_iter().flatten()
}

#[cfg(test)]
mod tests;
