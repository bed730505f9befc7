use fastrand::Rng;
use yrs::{
    Array, Doc, GetString, Out, Text, Transact, TransactionMut, XmlElementPrelim, XmlFragment,
    XmlOut, XmlTextPrelim,
};

use super::*;
use crate::crdt::people::{History, apply, content, copy, doc, state, work};
use crate::crdt::replica::DEPTH_MAX;

/// The client id of the restoring edit.
const RESTORER: u64 = 77;

#[test]
fn a_document_becomes_what_it_was() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let steps = rng.usize(2..40);
        let states = History::new(&mut rng, steps).states;
        let (live, past) = (states.last().expect("a state"), rng.choice(&states).expect("a state"));
        let reshaped = reshape(live, past, RESTORER).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let restored = copy(1_000, live);
        let wanted = content(&copy(1_001, past));
        let is_same = content(&restored) == wanted;
        if let Some(update) = &reshaped.update {
            apply(&restored, update);
        }
        assert_eq!(content(&restored), wanted, "seed {seed}");
        assert!(!is_same || reshaped.update.is_none(), "seed {seed}: an edit for nothing");
    }
}

#[test]
fn what_is_done_meanwhile_comes_together() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let states = History::new(&mut rng, 25).states;
        let (live, past) = (states.last().expect("a state"), rng.choice(&states).expect("a state"));
        let reshaped = reshape(live, past, RESTORER).expect("a reshaped document");
        let Some(update) = reshaped.update else {
            continue;
        };
        let writer = copy(1_000, live);
        let before = writer.transact().state_vector();
        work(&mut rng, &writer);
        let meanwhile = writer.transact().encode_diff_v1(&before);
        apply(&writer, &update);
        let server = copy(1_001, live);
        apply(&server, &update);
        apply(&server, &meanwhile);
        assert_eq!(content(&writer), content(&server), "seed {seed}");
    }
}

/// A document with one text, edited by positions: what to delete, and what to put there.
fn text_states(edits: &[(u32, u32, &str)]) -> Vec<Vec<u8>> {
    let doc = doc(1);
    let text = doc.get_or_insert_text("text");
    let make = |(at, len, new): &(u32, u32, &str)| {
        let mut txn = doc.transact_mut();
        text.remove_range(&mut txn, *at, *len);
        text.insert(&mut txn, *at, new);
        drop(txn);
        state(&doc)
    };
    edits.iter().map(make).collect()
}

#[test]
fn text_that_stays_is_not_touched() {
    let states = text_states(&[(0, 0, "Dear all, see you"), (5, 3, "both"), (0, 0, "Hm. ")]);
    let reshaped = reshape(&states[2], &states[0], RESTORER).expect("a reshaped document");
    let update = reshaped.update.expect("an edit");
    let summary = crate::crdt::lint::lint(&update, &Default::default()).expect("an honest update");
    let inserted: u32 = summary.inserts.iter().map(|span| span.end - span.start).sum();
    let deleted: u32 = summary.deletes.iter().map(|span| span.end - span.start).sum();
    assert_eq!((inserted, deleted), (3, 8));
}

#[test]
fn equal_characters_are_told_apart_by_their_ids() {
    let states = text_states(&[(0, 0, "aaa"), (1, 0, "a")]);
    let reshaped = reshape(&states[1], &states[0], RESTORER).expect("a reshaped document");
    let update = reshaped.update.expect("an edit");
    let summary = crate::crdt::lint::lint(&update, &Default::default()).expect("an honest update");
    let newest = crate::crdt::lint::Span { client: 1, start: 3, end: 4 };
    assert_eq!((summary.inserts, summary.deletes), (vec![], vec![newest]));
}

#[test]
fn text_that_was_brought_back_once_is_found_by_its_words() {
    let states = text_states(&[
        (0, 0, "one two three four five"),
        (0, 23, ""),
        (0, 0, "one 2 three 4 five"),
    ]);
    let reshaped = reshape(&states[2], &states[0], RESTORER).expect("a reshaped document");
    let update = reshaped.update.expect("an edit");
    let summary = crate::crdt::lint::lint(&update, &Default::default()).expect("an honest update");
    assert_eq!(summary.inserts[0].end, 7, "only `two` and `four` are new");
}

#[test]
fn a_paragraph_in_which_somebody_types_keeps_it() {
    let ann = doc(1);
    let page = ann.get_or_insert_xml_fragment("prosemirror");
    let paragraph = |txn: &mut TransactionMut<'_>, at, words: &str| {
        let paragraph = page.insert(txn, at, XmlElementPrelim::empty("p"));
        paragraph.insert(txn, 0, XmlTextPrelim::new(words));
    };
    paragraph(&mut ann.transact_mut(), 0, "first");
    paragraph(&mut ann.transact_mut(), 1, "second");
    let past = state(&ann);
    page.remove_range(&mut ann.transact_mut(), 0, 1);
    paragraph(&mut ann.transact_mut(), 0, "third");
    let live = state(&ann);

    let bo = copy(2, &live);
    let page = bo.get_or_insert_xml_fragment("prosemirror");
    {
        let mut txn = bo.transact_mut();
        let second = page.get(&txn, 1).and_then(XmlOut::into_xml_element).expect("a paragraph");
        let text = second.get(&txn, 0).and_then(XmlOut::into_xml_text).expect("its text");
        text.insert(&mut txn, 6, " thoughts");
    }
    let reshaped = reshape(&live, &past, RESTORER).expect("a reshaped document");
    apply(&bo, &reshaped.update.expect("an edit"));
    assert_eq!(page.get_string(&bo.transact()), "<p>first</p><p>second thoughts</p>");
}

#[test]
fn halves_of_characters_are_not_shared() {
    // The two have their first half in common with the first, and their last with the second.
    for other in ["x\u{1f601}y", "x\u{1fa00}y"] {
        let states = text_states(&[(0, 0, "x\u{1f600}y"), (0, 4, other)]);
        let reshaped = reshape(&states[1], &states[0], RESTORER).expect("a reshaped document");
        let restored = copy(2, &states[1]);
        apply(&restored, &reshaped.update.expect("an edit"));
        let text = restored.get_or_insert_text("text");
        assert_eq!(text.get_string(&restored.transact()), "x\u{1f600}y");
    }
}

#[test]
fn elements_are_known_by_their_ids() {
    let ann = doc(1);
    let page = ann.get_or_insert_xml_fragment("prosemirror");
    let insert = |words: &str| {
        let mut txn = ann.transact_mut();
        let paragraph = page.insert(&mut txn, 0, XmlElementPrelim::empty("p"));
        paragraph.insert(&mut txn, 0, XmlTextPrelim::new(words))
    };
    let one = insert("one");
    let past = state(&ann);
    one.insert(&mut ann.transact_mut(), 3, "!");
    insert("zero");
    let live = state(&ann);
    one.insert(&mut ann.transact_mut(), 0, "number ");
    let reshaped = reshape(&live, &past, RESTORER).expect("a reshaped document");
    apply(&ann, &reshaped.update.expect("an edit"));
    assert_eq!(page.get_string(&ann.transact()), "<p>number one</p>");
}

#[test]
fn a_state_without_common_history_is_brought_back_as_well() {
    for seed in 0..50 {
        let mut rng = Rng::with_seed(seed);
        let live = History::new(&mut rng, 12).states.pop().expect("a state");
        let past = History::new(&mut rng, 12).states.pop().expect("a state");
        let reshaped = reshape(&live, &past, RESTORER).expect("a reshaped document");
        let restored = copy(1_000, &live);
        apply(&restored, &reshaped.update.expect("an edit"));
        assert_eq!(content(&restored), content(&copy(1_001, &past)), "seed {seed}");
    }
}

/// Elements nested in each other, with a word in the innermost.
fn nested(levels: u32, word: &str) -> Vec<u8> {
    let doc = doc(1);
    let page = doc.get_or_insert_xml_fragment("prosemirror");
    let mut txn = doc.transact_mut();
    let mut inner = page.insert(&mut txn, 0, XmlElementPrelim::empty("li"));
    for _ in 2..levels {
        inner = inner.insert(&mut txn, 0, XmlElementPrelim::empty("li"));
    }
    inner.insert(&mut txn, 0, XmlTextPrelim::new(word));
    drop(txn);
    state(&doc)
}

#[test]
fn the_deepest_document_fits_the_stack_and_a_deeper_one_is_refused() {
    let (live, past) = (nested(DEPTH_MAX, "new"), nested(DEPTH_MAX, "old"));
    assert!(reshape(&live, &past, RESTORER).expect("a reshaped document").update.is_some());
    let nothing = state(&doc(2));
    assert!(reshape(&nothing, &past, RESTORER).expect("a reshaped document").update.is_some());
    assert!(reshape(&live, &nothing, RESTORER).expect("a reshaped document").update.is_some());
    let too_deep = nested(DEPTH_MAX + 1, "old");
    assert!(matches!(reshape(&nothing, &too_deep, RESTORER), Err(ReshapeError::Impossible(_))));
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let states = text_states(&[(0, 0, "word")]);
    let live = &states[0];
    assert!(matches!(reshape(live, live, 1), Err(ReshapeError::Client(1))));
    assert!(matches!(reshape(live, live, 1 << 53), Err(ReshapeError::Client(_))));
    assert!(matches!(reshape(&live[1..], live, RESTORER), Err(ReshapeError::Live(_))));
    assert!(matches!(reshape(live, b"nonsense", RESTORER), Err(ReshapeError::Past(_))));
    for end in 0..live.len() {
        assert!(reshape(live, &live[..end], RESTORER).is_err(), "cut at {end}");
    }
}

#[test]
fn subdocuments_are_left_as_they_are() {
    let ann = doc(1);
    let list = ann.get_or_insert_array("array");
    list.insert(&mut ann.transact_mut(), 0, 1);
    let past = state(&ann);
    list.insert(&mut ann.transact_mut(), 0, Doc::new());
    list.insert(&mut ann.transact_mut(), 0, 2);
    let live = state(&ann);
    let reshaped = reshape(&live, &past, RESTORER).expect("a reshaped document");
    assert_eq!(reshaped.subdocuments, 1);
    apply(&ann, &reshaped.update.expect("an edit"));
    let txn = ann.transact();
    assert!(matches!(list.get(&txn, 0), Some(Out::YDoc(_))));
    assert_eq!(list.len(&txn), 2);
    drop(txn);
    let back = reshape(&state(&ann), &live, RESTORER + 1).expect("a reshaped document");
    assert_eq!(back.subdocuments, 2);
}
