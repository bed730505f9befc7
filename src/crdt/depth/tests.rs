//! Chains of nested elements, honest and hostile.

use yrs::block::ClientID;
use yrs::types::xml::XmlOut;
use yrs::updates::decoder::Decode;
use yrs::{
    Doc, Options, ReadTxn, StateVector, Transact, Update, WriteTxn, Xml, XmlElementPrelim,
    XmlElementRef, XmlFragment, XmlTextPrelim,
};

use super::*;
use crate::crdt::lint::lint;

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
