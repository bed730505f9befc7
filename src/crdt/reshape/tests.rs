use fastrand::Rng;
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, ClientID, Doc, GetString, In, Map, MapPrelim, MapRef,
    OffsetKind, Options, Out, ReadTxn, StateVector, Text, TextPrelim, TextRef, Transact,
    TransactionMut, Update, WriteTxn, XmlElementPrelim, XmlFragment, XmlOut, XmlTextPrelim,
};

use super::*;
use crate::crdt::replica::DEPTH_MAX;

/// The client id of the restoring edit.
const RESTORER: u64 = 77;
const WORDS: [&str; 8] = ["a", "be ", "sea\n", "dé", "😀", "漢字", "the end. ", "no, no "];

fn doc(client: u64) -> Doc {
    let options = Options {
        offset_kind: OffsetKind::Utf16,
        cleanup_formatting: false,
        ..Options::with_client_id(ClientID::new(client))
    };
    Doc::with_options(options)
}

fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_diff_v1(&StateVector::default())
}

fn apply(doc: &Doc, update: &[u8]) {
    let update = Update::decode_v1(update).expect("an update");
    doc.transact_mut().apply_update(update).expect("an update that fits");
}

fn copy(client: u64, state: &[u8]) -> Doc {
    let copy = doc(client);
    apply(&copy, state);
    copy
}

/// Everything that can be seen of a document whose named types are declared.
fn content(doc: &Doc) -> String {
    let mut txn = doc.transact_mut();
    let roots = roots(&mut txn);
    roots.iter().map(|root| show(&txn, root) + "\n").collect()
}

fn roots(txn: &mut TransactionMut<'_>) -> [Out; 5] {
    [
        Out::YText(txn.get_or_insert_text("text")),
        Out::YMap(txn.get_or_insert_map("map")),
        Out::YArray(txn.get_or_insert_array("array")),
        Out::YXmlFragment(txn.get_or_insert_xml_fragment("prosemirror")),
        Out::YText(txn.get_or_insert_text("lexical")),
    ]
}

fn show(txn: &TransactionMut<'_>, value: &Out) -> String {
    match value {
        Out::Any(plain) => show_plain(plain),
        Out::YText(text) => format!("text{}", show_text(txn, text)),
        Out::YXmlText(text) => {
            format!("{}xmltext{}", show_entries(txn, value), show_text(txn, text.as_ref()))
        }
        Out::YMap(_) => show_entries(txn, value),
        Out::YArray(array) => {
            let values: Vec<_> = array.iter(txn).map(|value| show(txn, &value)).collect();
            format!("{values:?}")
        }
        Out::YXmlElement(element) => {
            let children: Vec<_> =
                element.children(txn).map(|child| show(txn, &child.into())).collect();
            format!("<{} {} {children:?}>", element.tag(), show_entries(txn, value))
        }
        Out::YXmlFragment(fragment) => {
            let children: Vec<_> =
                fragment.children(txn).map(|child| show(txn, &child.into())).collect();
            format!("{children:?}")
        }
        Out::YDoc(doc) => format!("doc {}", doc.guid()),
        Out::UndefinedRef(_) => "?".to_owned(),
    }
}

fn show_plain(plain: &Any) -> String {
    match plain {
        Any::Map(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(k, v)| (k, show_plain(v))).collect();
            format!("{sorted:?}")
        }
        Any::Number(number) => format!("{:?}", number.as_f64()),
        other => format!("{other:?}"),
    }
}

fn show_entries(txn: &TransactionMut<'_>, value: &Out) -> String {
    let map = MapRef::from(tree::branch_of(value).expect("a shared type"));
    let sorted: BTreeMap<_, _> =
        map.iter(txn).map(|(k, v)| (k.to_owned(), show(txn, &v))).collect();
    format!("{sorted:?}")
}

fn show_text(txn: &TransactionMut<'_>, text: &TextRef) -> String {
    let mut runs: Vec<(String, String)> = Vec::new();
    for piece in text.diff(txn, YChange::identity) {
        let format: BTreeMap<_, _> = piece
            .attributes
            .iter()
            .flat_map(|format| format.iter())
            .map(|(k, v)| (k.clone(), show_plain(v)))
            .collect();
        let format = format!("{format:?}");
        let shown = match &piece.insert {
            Out::Any(Any::String(run)) => run.to_string(),
            other => format!("[{}]", show(txn, other)),
        };
        match runs.last_mut() {
            Some((run, before)) if *before == format => run.push_str(&shown),
            _ => runs.push((shown, format)),
        }
    }
    format!("{runs:?}")
}

fn plain(rng: &mut Rng) -> Any {
    match rng.u8(0..6) {
        0 => Any::Null,
        1 => Any::Bool(rng.bool()),
        2 => Any::from(rng.i32(0..4)),
        3 => Any::from(f64::from(rng.i32(0..4)) / 2.0),
        4 => Any::from(vec![Any::from(1), Any::from("x")]),
        _ => Any::from(WORDS[rng.usize(0..8)]),
    }
}

fn format(rng: &mut Rng) -> Attrs {
    let value = match rng.u8(0..4) {
        0 => Any::Null,
        1 => Any::from(rng.i32(0..2)),
        _ => Any::Bool(true),
    };
    match rng.u8(0..4) {
        0 => Attrs::new(),
        1 => Attrs::from([("bold".into(), value)]),
        2 => Attrs::from([("link".into(), value)]),
        _ => Attrs::from([("bold".into(), value), ("link".into(), Any::from("u"))]),
    }
}

fn shared(rng: &mut Rng) -> In {
    match rng.u8(0..5) {
        0 => MapPrelim::from([("k", 1), ("l", 2)]).into(),
        1 => ArrayPrelim::from([1, 2]).into(),
        2 => TextPrelim::new("nested").into(),
        3 => XmlTextPrelim::new("xml").into(),
        _ => XmlElementPrelim::empty(["p", "h", "li"][rng.usize(0..3)]).into(),
    }
}

/// One random edit somewhere in a shared type.
fn edit(rng: &mut Rng, txn: &mut TransactionMut<'_>, value: &Out) {
    match value {
        Out::YText(text) => edit_text(rng, txn, text),
        Out::YXmlText(text) if rng.u8(0..5) > 0 => edit_text(rng, txn, text.as_ref()),
        Out::YXmlElement(_) | Out::YXmlText(_) if rng.u8(0..4) == 0 => {
            edit_entries(rng, txn, value)
        }
        Out::YMap(_) => edit_entries(rng, txn, value),
        Out::YArray(array) => edit_array(rng, txn, array),
        Out::YXmlElement(element) => edit_children(rng, txn, element),
        Out::YXmlFragment(fragment) => edit_children(rng, txn, fragment),
        _ => {}
    }
}

fn edit_text(rng: &mut Rng, txn: &mut TransactionMut<'_>, text: &TextRef) {
    let branch = tree::branch_of(&Out::YText(text.clone())).expect("a shared type");
    let read = tree::Text::read(txn, branch, |_| Ok(tree::Value::Subdocument));
    let units = read.expect("a text").units;
    // No editor writes into the middle of a character, and Yjs promises nothing of it.
    let whole = |at: u32| match units.get(at as usize) {
        Some(0xdc00..0xe000) => at + 1,
        _ => at,
    };
    let len = text.len(txn);
    let start = whole(rng.u32(0..=len));
    let span = whole(start + rng.u32(0..=(len - start).min(7))) - start;
    let nested: Vec<Out> = text
        .diff(txn, YChange::identity)
        .into_iter()
        .map(|piece| piece.insert)
        .filter(|value| value.try_branch().is_some())
        .collect();
    match rng.u8(0..12) {
        0..5 => text.insert_with_attributes(txn, start, WORDS[rng.usize(0..8)], format(rng)),
        5..7 => text.remove_range(txn, start, span),
        7..9 => text.format(txn, start, span, format(rng)),
        9 => {
            let image =
                Any::from(std::collections::HashMap::from([("image".to_owned(), plain(rng))]));
            text.insert_embed_with_attributes(txn, start, image, format(rng));
        }
        _ if nested.is_empty() || rng.u8(0..3) == 0 => match rng.u8(0..3) {
            0 => drop(text.insert_embed(txn, start, MapPrelim::from([("__type", "line")]))),
            1 => drop(text.insert_embed(txn, start, XmlTextPrelim::new("block"))),
            _ => drop(text.insert_embed(txn, start, XmlElementPrelim::empty("p"))),
        },
        _ => {
            let inner = rng.usize(0..nested.len());
            edit(rng, txn, &nested[inner]);
        }
    }
}

fn edit_entries(rng: &mut Rng, txn: &mut TransactionMut<'_>, value: &Out) {
    let map = MapRef::from(tree::branch_of(value).expect("a shared type"));
    let key = ["k", "l", "m"][rng.usize(0..3)];
    match (rng.u8(0..5), map.get(txn, key)) {
        (0, _) => drop(map.remove(txn, key)),
        (1, _) => drop(map.insert(txn, key, shared(rng))),
        (2 | 3, Some(inner)) => edit(rng, txn, &inner),
        _ => drop(map.insert(txn, key, plain(rng))),
    }
}

fn edit_array(rng: &mut Rng, txn: &mut TransactionMut<'_>, array: &ArrayRef) {
    let len = array.len(txn);
    let at = rng.u32(0..=len);
    match rng.u8(0..6) {
        0 => array.remove_range(txn, at, rng.u32(0..=(len - at).min(3))),
        1 => drop(array.insert(txn, at, shared(rng))),
        2 => array.insert_range(txn, at, [plain(rng), plain(rng)]),
        3 => drop(array.insert(txn, at, plain(rng))),
        _ => {
            if let Some(inner) = array.get(txn, at) {
                edit(rng, txn, &inner);
            }
        }
    }
}

fn edit_children<F: XmlFragment>(rng: &mut Rng, txn: &mut TransactionMut<'_>, parent: &F) {
    let len = parent.len(txn);
    let at = rng.u32(0..=len);
    match rng.u8(0..8) {
        0 => parent.remove_range(txn, at, rng.u32(0..=(len - at).min(2))),
        1 => {
            parent.insert(txn, at, XmlElementPrelim::empty(["p", "h", "li"][rng.usize(0..3)]));
        }
        2 => {
            parent.insert(txn, at, XmlTextPrelim::new(WORDS[rng.usize(0..8)]));
        }
        _ => {
            if let Some(inner) = parent.get(txn, at) {
                edit(rng, txn, &inner.into());
            }
        }
    }
}

/// Some edits of one person at once.
fn work(rng: &mut Rng, doc: &Doc) {
    let mut txn = doc.transact_mut();
    let roots = roots(&mut txn);
    for _ in 0..rng.u8(1..5) {
        let root = rng.usize(0..5);
        edit(rng, &mut txn, &roots[root]);
    }
}

/// What three people do to a document; the states of it that the first of them has seen.
fn history(rng: &mut Rng, steps: usize) -> Vec<Vec<u8>> {
    let people: Vec<Doc> = (1..4).map(doc).collect();
    let mut states = Vec::new();
    for _ in 0..steps {
        let who = rng.usize(0..3);
        work(rng, &people[who]);
        let (from, to) = (rng.usize(0..3), rng.usize(0..3));
        if from != to {
            let known = people[to].transact().state_vector();
            let update = people[from].transact().encode_diff_v1(&known);
            apply(&people[to], &update);
        }
        states.push(state(&people[0]));
    }
    states
}

#[test]
fn a_document_becomes_what_it_was() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let steps = rng.usize(2..40);
        let states = history(&mut rng, steps);
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
        let states = history(&mut rng, 25);
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
fn text_that_was_brought_back_once_is_found_by_its_words() {
    let states = text_states(&[
        (0, 0, "one two three four five"),
        (0, 23, ""),
        (0, 0, "one 2 three four five"),
    ]);
    let reshaped = reshape(&states[2], &states[0], RESTORER).expect("a reshaped document");
    let update = reshaped.update.expect("an edit");
    let summary = crate::crdt::lint::lint(&update, &Default::default()).expect("an honest update");
    assert_eq!(summary.inserts[0].end, 3, "only `two` is new");
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
fn a_state_without_common_history_is_brought_back_as_well() {
    for seed in 0..50 {
        let mut rng = Rng::with_seed(seed);
        let live = history(&mut rng, 12).pop().expect("a state");
        let past = history(&mut rng, 12).pop().expect("a state");
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
