//! Random editing for tests: people who do all that can be done to a document, at the same time.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use fastrand::Rng;
use yrs::branch::BranchPtr;
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, ClientID, Doc, In, Map, MapPrelim, MapRef, OffsetKind,
    Options, Out, ReadTxn, StateVector, Text, TextPrelim, TextRef, Transact, TransactionMut,
    Update, WriteTxn, XmlElementPrelim, XmlFragment, XmlTextPrelim,
};

const WORDS: [&str; 8] = ["a", "be ", "sea\n", "dé", "😀", "漢字", "the end. ", "no, no "];

pub(super) fn doc(client: u64) -> Doc {
    let options = Options {
        offset_kind: OffsetKind::Utf16,
        cleanup_formatting: false,
        ..Options::with_client_id(ClientID::new(client))
    };
    Doc::with_options(options)
}

pub(super) fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_diff_v1(&StateVector::default())
}

pub(super) fn apply(doc: &Doc, update: &[u8]) {
    let update = Update::decode_v1(update).expect("an update");
    doc.transact_mut().apply_update(update).expect("an update that fits");
}

pub(super) fn copy(client: u64, state: &[u8]) -> Doc {
    let copy = doc(client);
    apply(&copy, state);
    copy
}

/// Everything that can be seen of a document whose named types are declared.
pub(super) fn content(doc: &Doc) -> String {
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

fn branch(value: &Out) -> BranchPtr {
    BranchPtr::from(value.try_branch().expect("a shared type"))
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
    let map = MapRef::from(branch(value));
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
    let pieces = text.diff(txn, YChange::identity).into_iter();
    let units: Vec<u16> = pieces
        .flat_map(|piece| match piece.insert {
            Out::Any(Any::String(run)) => run.encode_utf16().collect(),
            _ => vec![0],
        })
        .collect();
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
            let image = Any::from(HashMap::from([("image".to_owned(), plain(rng))]));
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
    let map = MapRef::from(branch(value));
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

/// Some edits of one person at once, as an update.
pub(super) fn work(rng: &mut Rng, doc: &Doc) -> Bytes {
    let mut txn = doc.transact_mut();
    let roots = roots(&mut txn);
    for _ in 0..rng.u8(1..5) {
        let root = rng.usize(0..5);
        edit(rng, &mut txn, &roots[root]);
    }
    txn.encode_update_v1().into()
}

/// What three people (clients 1 to 3) do to a document, hearing of each other now and then.
pub(super) struct History {
    /// What each of them did, in order, with their client ids.
    pub(super) updates: Vec<(u64, Bytes)>,
    /// The states that the first of them has seen.
    pub(super) states: Vec<Vec<u8>>,
}

impl History {
    pub(super) fn new(rng: &mut Rng, steps: usize) -> Self {
        let people: Vec<Doc> = (1..4).map(doc).collect();
        let (mut updates, mut states) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let who = rng.usize(0..3);
            updates.push((who as u64 + 1, work(rng, &people[who])));
            let (from, to) = (rng.usize(0..3), rng.usize(0..3));
            if from != to {
                let known = people[to].transact().state_vector();
                let update = people[from].transact().encode_diff_v1(&known);
                apply(&people[to], &update);
            }
            states.push(state(&people[0]));
        }
        History { updates, states }
    }
}
