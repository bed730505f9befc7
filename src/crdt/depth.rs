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
        let limits = LintLimits {
            update_bytes_max: usize::MAX,
            any_depth_max: usize::MAX,
            subdocuments_max: usize::MAX,
            fill_clocks_max: u64::MAX,
        };
        let mut reader = Reader::new(update);
        let read: Result<(), LintError> = read_blocks(&mut reader, &limits, |block, _| {
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
mod tests {
    use yrs::block::ClientID;
    use yrs::types::xml::XmlOut;
    use yrs::updates::decoder::Decode;
    use yrs::{
        Doc, Options, ReadTxn, StateVector, Transact, Update, WriteTxn, Xml, XmlElementPrelim,
        XmlElementRef, XmlFragment, XmlTextPrelim,
    };

    use super::super::lint::lint;
    use super::*;

    /// A replica with its bound, as the document core keeps them.
    struct Guarded {
        doc: Doc,
        bound: DepthBound,
        measured: usize,
    }

    impl Guarded {
        fn new(depth_max: u32) -> Self {
            let doc = Doc::with_options(Options::with_client_id(ClientID::new(99)));
            Guarded { doc, bound: DepthBound::new(depth_max), measured: 0 }
        }

        fn take(&mut self, update: &[u8]) -> Result<(), TooDeep> {
            let summary = lint(update, &LintLimits::default()).unwrap();
            let state = self.doc.transact().state_vector();
            let known = |client| state.get(&ClientID::new(client));
            self.bound.admit(update, &summary, known, || {
                self.measured += 1;
                self.doc.transact().encode_state_as_update_v1(&StateVector::default())
            })?;
            let update = Update::decode_v1(update).unwrap();
            self.doc.transact_mut().apply_update(update).unwrap();
            Ok(())
        }
    }

    /// How each array of a chain tells where it hangs.
    #[derive(Clone, Copy)]
    enum By {
        Parent,
        /// The head of each array is a text, and the next array hangs beside it.
        Neighbour,
    }

    /// An update of client 7 with a chain of nested arrays. Its first one hangs below clock `below`.
    fn chain(first: u32, below: Option<u32>, levels: u32, by: By) -> Vec<u8> {
        let blocks_each = match by {
            By::Parent => 1,
            By::Neighbour => 2,
        };
        let mut update = vec![1];
        push_number(&mut update, levels * blocks_each);
        update.push(7);
        push_number(&mut update, first);
        let mut parent = below;
        for level in 0..levels {
            let clock = first + level * blocks_each;
            match by {
                By::Parent => {
                    update.push(7);
                    push_parent(&mut update, parent);
                    update.push(0);
                    parent = Some(clock);
                }
                By::Neighbour => {
                    update.push(4);
                    push_parent(&mut update, parent);
                    update.extend([1, b'a', 0x87, 7]);
                    push_number(&mut update, clock);
                    update.push(0);
                    parent = Some(clock + 1);
                }
            }
        }
        update.push(0);
        update
    }

    fn push_parent(bytes: &mut Vec<u8>, clock: Option<u32>) {
        match clock {
            Some(clock) => {
                bytes.extend([0, 7]);
                push_number(bytes, clock);
            }
            None => bytes.extend([1, 1, b'r']),
        }
    }

    fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }

    #[test]
    fn a_chain_in_one_update_is_admitted_up_to_the_limit() {
        for by in [By::Parent, By::Neighbour] {
            assert_eq!(Guarded::new(512).take(&chain(0, None, 512, by)), Ok(()));
            let too_deep = Err(TooDeep { got: 513, max: 512 });
            assert_eq!(Guarded::new(512).take(&chain(0, None, 513, by)), too_deep);
            assert!(Guarded::new(512).take(&chain(0, None, 100_000, by)).is_err());
        }
    }

    #[test]
    fn a_chain_grown_by_many_updates_is_stopped_at_the_limit() {
        for (by, each) in [(By::Parent, 1), (By::Neighbour, 2)] {
            let mut guarded = Guarded::new(60);
            guarded.take(&chain(0, None, 7, by)).unwrap();
            let mut depth = 7;
            while depth < 100
                && guarded.take(&chain(depth * each, Some(depth * each - 1), 5, by)).is_ok()
            {
                depth += 5;
            }
            assert_eq!(depth, 57);
            assert_eq!(guarded.take(&chain(57 * each, Some(57 * each - 1), 3, by)), Ok(()));
            // Elsewhere in the same document there is room.
            assert_eq!(guarded.take(&chain(60 * each, None, 60, by)), Ok(()));
        }
    }

    /// What hangs on the right neighbour because the left one is gone. The item after the GC block lies in the
    /// deep array, though its origin says nothing.
    #[test]
    fn the_deeper_of_two_neighbours_counts() {
        let mut guarded = Guarded::new(60);
        guarded.take(&chain(0, None, 59, By::Neighbour)).unwrap();
        // A text below nothing (it becomes a GC block), a text beside both, then three arrays below each other.
        let deep = 2 * 58;
        let head = [1, 6, 8, 0, 0, 1, 4, 0, 8, 0, 1, b'a', 0xc4, 8, 1, 7, deep, 1, b'b'];
        let arrays = [0x87, 8, 2, 0, 7, 0, 8, 3, 0, 7, 0, 8, 4, 0, 0];
        let update = [&head[..], &arrays].concat();
        assert_eq!(guarded.take(&update), Err(TooDeep { got: 61, max: 60 }));
    }

    /// An update may describe items that the replica has in another way than the replica: it is not believed.
    #[test]
    fn known_items_are_not_described_anew() {
        let mut guarded = Guarded::new(60);
        guarded.take(&chain(0, None, 60, By::Parent)).unwrap();
        // Clocks 0..60 as children of the root, then one more below clock 59.
        let mut update = vec![1, 61, 7, 0];
        for _ in 0..60 {
            update.extend([7, 1, 1, b'r', 0]);
        }
        update.extend([7, 0, 7, 59, 0, 0]);
        assert_eq!(guarded.take(&update), Err(TooDeep { got: 61, max: 60 }));
    }

    #[test]
    fn items_that_wait_for_each_other_end_the_search() {
        let update = [2, 1, 8, 0, 7, 0, 7, 0, 0, 1, 7, 0, 7, 0, 8, 0, 0, 0];
        assert_eq!(Guarded::new(60).take(&update), Ok(()));
    }

    #[test]
    fn long_documents_are_not_deep_and_are_measured_rarely() {
        let writer = Doc::with_options(Options::with_client_id(ClientID::new(7)));
        let mut guarded = Guarded::new(512);
        for _ in 0..2_000 {
            let mut txn = writer.transact_mut();
            let page = txn.get_or_insert_xml_fragment("page");
            let place = page.len(&txn) / 2;
            let paragraph = page.insert(&mut txn, place, XmlElementPrelim::empty("paragraph"));
            paragraph.push_back(&mut txn, XmlTextPrelim::new("text"));
            let update = txn.encode_update_v1();
            guarded.take(&update).unwrap();
        }
        assert!(guarded.measured < 10, "measured {} times", guarded.measured);
    }

    /// The bound is never below the true depth, whoever made the elements in whatever order, and it is exact for
    /// a whole state.
    #[test]
    fn the_bound_agrees_with_the_library() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..30 {
            let writers =
                [1, 2, 3].map(|id| Doc::with_options(Options::with_client_id(ClientID::new(id))));
            let mut guarded = Guarded::new(1_000);
            for _ in 0..60 {
                let writer = rng.choice(&writers).unwrap();
                if rng.u8(0..4) == 0 {
                    let state =
                        guarded.doc.transact().encode_state_as_update_v1(&StateVector::default());
                    writer.transact_mut().apply_update(Update::decode_v1(&state).unwrap()).unwrap();
                }
                let update = grow(writer, &mut rng);
                guarded.take(&update).unwrap();
                assert!(guarded.bound.deepest >= depth_of(&guarded.doc));
            }
            let state = guarded.doc.transact().encode_state_as_update_v1(&StateVector::default());
            let mut loaded = Guarded::new(1_000);
            loaded.take(&state).unwrap();
            assert_eq!(loaded.bound.deepest, depth_of(&guarded.doc));
            assert!(loaded.bound.deepest > 5);
        }
    }

    /// Adds a few elements, mostly below the last ones.
    fn grow(doc: &Doc, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut txn = doc.transact_mut();
        let page = txn.get_or_insert_xml_fragment("page");
        for _ in 0..rng.u8(1..4) {
            let elements = elements(&txn);
            let near_end = elements.len().saturating_sub(4)..elements.len().max(1);
            let prelim = XmlElementPrelim::empty("e");
            match elements.get(rng.usize(near_end)) {
                Some(parent) if rng.u8(0..5) > 0 => {
                    let place = rng.u32(0..=parent.len(&txn));
                    parent.insert(&mut txn, place, prelim);
                }
                _ => {
                    let place = rng.u32(0..=page.len(&txn));
                    page.insert(&mut txn, place, prelim);
                }
            }
        }
        txn.encode_update_v1()
    }

    fn elements(txn: &impl ReadTxn) -> Vec<XmlElementRef> {
        let Some(page) = txn.get_xml_fragment("page") else { return Vec::new() };
        let nodes = page.successors(txn);
        nodes.filter_map(|node| node.into_xml_element()).collect()
    }

    fn depth_of(doc: &Doc) -> u32 {
        let txn = doc.transact();
        let depth = |element: &XmlElementRef| {
            let mut depth = 1;
            let mut above = element.parent();
            while let Some(XmlOut::Element(parent)) = above {
                depth += 1;
                above = parent.parent();
            }
            depth
        };
        elements(&txn).iter().map(depth).max().unwrap_or(0)
    }
}
