//! What people put into a document: random edits of every kind, and a view to compare replicas by.
//!
//! The only module that edits through yrs. Everything random comes from the seed, and nothing
//! depends on the order of a hash map.

use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use yrs::types::text::YChange;
use yrs::types::{Attrs, ToJson};
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, Out,
    ReadTxn, Snapshot, Text, TextPrelim, Transact, TransactionMut, Update, Xml, XmlElementPrelim,
    XmlFragment, XmlOut, XmlTextPrelim,
};

/// Text of one byte, of two and three, and longer runs. No surrogate pairs: a random index may split
/// one, which yrs shows on the spot even where the split is part of no change.
const WORDS: [&str; 6] = ["a", "bc", "é", "世", "one ", "lorem ipsum"];

const KEYS: [&str; 3] = ["k", "l", "m"];

/// A document as a stock client keeps it.
pub fn new_doc(client: u64) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        skip_gc: false,
        // Cleaning up after remote changes would be an edit that nobody sends.
        cleanup_formatting: false,
        ..Options::with_client_id(ClientID::new(client))
    })
}

/// Makes one random change and returns it as an update; `None` where it changed nothing.
pub fn edit(doc: &Doc, rng: &mut Rng) -> Option<Bytes> {
    let (text, xml) = (doc.get_or_insert_text("text"), doc.get_or_insert_xml_fragment("xml"));
    let map = doc.get_or_insert_map("map");
    let mut txn = doc.transact_mut();
    match rng.u8(..10) {
        0..5 => edit_text(&text, &mut txn, rng),
        5..8 => edit_xml(&xml, &mut txn, rng),
        _ => edit_map(&map, &mut txn, rng),
    }
    let update: Bytes = txn.encode_update_v1().into();
    (update.as_ref() != [0, 0]).then_some(update)
}

/// Appends `word` to the text and returns the change.
pub fn append(doc: &Doc, word: &str) -> Bytes {
    let text = doc.get_or_insert_text("text");
    let mut txn = doc.transact_mut();
    text.push(&mut txn, word);
    txn.encode_update_v1().into()
}

/// Integrates an update that fits; panics where something would stay pending.
pub fn apply(doc: &Doc, update: &[u8]) {
    let update = Update::decode_v1(update).expect("an update that can be read");
    let mut txn = doc.transact_mut();
    txn.apply_update(update).expect("an update that can be applied");
    assert!(!txn.has_missing_updates(), "something stays pending in a client's document");
}

fn edit_text<T: Text>(text: &T, txn: &mut TransactionMut<'_>, rng: &mut Rng) {
    let len = text.len(txn);
    match rng.u8(..8) {
        0 | 1 if len > 0 => {
            let at = rng.u32(..len);
            text.remove_range(txn, at, rng.u32(1..=(len - at).min(6)));
        }
        2 if len > 0 => {
            let at = rng.u32(..len);
            let value = if rng.bool() { Any::Bool(true) } else { Any::Null };
            let attributes = Attrs::from([("b".into(), value)]);
            text.format(txn, at, rng.u32(1..=(len - at).min(6)), attributes);
        }
        _ => text.insert(txn, rng.u32(..=len), WORDS[rng.usize(..WORDS.len())]),
    }
}

fn edit_xml<X: XmlFragment>(parent: &X, txn: &mut TransactionMut<'_>, rng: &mut Rng) {
    let len = parent.len(txn);
    let choice = rng.u8(..8);
    if len == 0 || choice == 0 {
        let at = rng.u32(..=len);
        if rng.bool() {
            parent.insert(txn, at, XmlElementPrelim::empty("p"));
        } else {
            parent.insert(txn, at, XmlTextPrelim::new("t"));
        }
        return;
    }
    let at = rng.u32(..len);
    if choice == 1 {
        return parent.remove_range(txn, at, 1);
    }
    match parent.get(txn, at) {
        Some(XmlOut::Element(element)) if choice == 2 => {
            element.insert_attribute(txn, "level", KEYS[rng.usize(..KEYS.len())]);
        }
        Some(XmlOut::Element(element)) => edit_xml(&element, txn, rng),
        Some(XmlOut::Text(text)) => edit_text(&text, txn, rng),
        Some(XmlOut::Fragment(_)) | None => {}
    }
}

fn edit_map(map: &impl Map, txn: &mut TransactionMut<'_>, rng: &mut Rng) {
    let key = KEYS[rng.usize(..KEYS.len())];
    match (rng.u8(..8), map.get(txn, key)) {
        (0..4, Some(Out::YMap(inner))) => edit_map(&inner, txn, rng),
        (0..4, Some(Out::YText(inner))) => edit_text(&inner, txn, rng),
        (0..4, Some(Out::YArray(inner))) => {
            let at = rng.u32(..=inner.len(txn));
            inner.insert(txn, at, rng.i32(..));
        }
        (4, _) => {
            map.insert(txn, key, MapPrelim::from([("k", Any::from(1))]));
        }
        (5, _) => {
            map.insert(txn, key, TextPrelim::new("inner"));
        }
        (6, _) => {
            map.insert(txn, key, ArrayPrelim::from([1, 2]));
        }
        (7, Some(_)) => {
            map.remove(txn, key);
        }
        _ => {
            map.insert(txn, key, rng.i32(..));
        }
    }
}

/// Everything that two replicas of one document must agree on.
#[derive(Debug, PartialEq)]
pub struct View {
    text: Vec<(String, BTreeMap<String, String>)>,
    xml: String,
    map: Any,
    /// What is there and what of it is deleted.
    snapshot: Snapshot,
}

impl View {
    /// Looks at a document.
    pub fn of(doc: &Doc) -> Self {
        let (text, xml) = (doc.get_or_insert_text("text"), doc.get_or_insert_xml_fragment("xml"));
        let map = doc.get_or_insert_map("map");
        let txn = doc.transact();
        let pieces = text.diff(&txn, YChange::identity).into_iter().map(|piece| {
            let attributes = piece.attributes.into_iter().flat_map(|all| *all);
            let attributes = attributes.map(|(key, value)| (key.to_string(), value.to_string()));
            (piece.insert.to_string(&txn), attributes.collect())
        });
        Self {
            text: pieces.collect(),
            xml: xml.get_string(&txn),
            map: map.to_json(&txn),
            snapshot: txn.snapshot(),
        }
    }

    /// What is different in `other`, if anything.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.text != other.text {
            return Some(format!("text: {:?} / {:?}", self.text, other.text));
        }
        if self.xml != other.xml {
            return Some(format!("xml: {} / {}", self.xml, other.xml));
        }
        if self.map != other.map {
            return Some(format!("map: {} / {}", self.map, other.map));
        }
        let (ours, theirs) = (&self.snapshot, &other.snapshot);
        (ours != theirs).then(|| format!("extent: {ours:?} / {theirs:?}"))
    }

    /// The view of a document that nothing but these updates went into.
    pub fn replay<'a>(updates: impl Iterator<Item = &'a Bytes>) -> Self {
        let doc = new_doc(0);
        for update in updates {
            apply(&doc, update);
        }
        Self::of(&doc)
    }
}
