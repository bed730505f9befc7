//! Sessions of several editors that hear of each other late, made from a seed.

use super::*;

/// What is typed; with pairs of surrogates, and words that occur more than once.
const WORDS: [&str; 8] = ["a", "to", "the house", "😀", "x😀y", "ß", "the ", "\n"];

/// One person's document.
pub(super) struct Editor {
    doc: Doc,
    text: TextRef,
    xml: XmlFragmentRef,
    map: MapRef,
    array: ArrayRef,
}

impl Editor {
    pub(super) fn new(client: u64) -> Self {
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(ClientID::new(client))
        };
        let doc = Doc::with_options(options);
        let (text, xml) = (doc.get_or_insert_text("text"), doc.get_or_insert_xml_fragment("xml"));
        let (map, array) = (doc.get_or_insert_map("map"), doc.get_or_insert_array("array"));
        Self { doc, text, xml, map, array }
    }

    pub(super) fn hear(&self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("an update");
        self.doc.transact_mut().apply_update(update).expect("an update that fits");
    }

    /// Edits at random; the update that says so.
    fn edit(&self, rng: &mut fastrand::Rng) -> Bytes {
        let mut txn = self.doc.transact_mut();
        for _ in 0..rng.usize(1..4) {
            match rng.u8(0..8) {
                0..3 => edit_text(&self.text, &mut txn, rng),
                3..6 => self.edit_xml(&mut txn, rng),
                6 => self.edit_map(&mut txn, rng),
                _ => self.edit_array(&mut txn, rng),
            }
        }
        txn.encode_update_v1().into()
    }

    fn edit_xml(&self, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
        let len = self.xml.len(txn);
        if len > 0 && rng.u8(0..6) == 0 {
            self.xml.remove_range(txn, rng.u32(0..len), 1);
        } else if len == 0 || rng.u8(0..4) == 0 {
            let block = self.xml.insert(txn, rng.u32(0..=len), XmlElementPrelim::empty("block"));
            fill(&block, txn, rng, 0);
        } else if let Some(XmlOut::Element(block)) = self.xml.get(txn, rng.u32(0..len)) {
            edit_element(&block, txn, rng);
        }
    }

    fn edit_map(&self, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
        let key = ["k1", "k2"][rng.usize(0..2)];
        match rng.u8(0..4) {
            0 => drop(self.map.insert(txn, key, TextPrelim::new(word(rng)))),
            1 => drop(self.map.remove(txn, key)),
            2 => drop(self.map.insert(txn, key, 1)),
            _ => {
                if let Some(Out::YText(text)) = self.map.get(txn, key) {
                    edit_text(&text, txn, rng);
                }
            }
        }
    }

    fn edit_array(&self, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
        let len = self.array.len(txn);
        match rng.u8(0..4) {
            0 => drop(self.array.insert(txn, rng.u32(0..=len), TextPrelim::new(word(rng)))),
            1 => self.array.insert_range(txn, rng.u32(0..=len), [1, 2, 3]),
            2 => {
                let inner = self.array.insert(txn, rng.u32(0..=len), MapPrelim::default());
                inner.insert(txn, "list", ArrayPrelim::from([1, 2]));
                inner.insert(txn, "name", TextPrelim::new(word(rng)));
            }
            _ if len > 0 => self.array.remove_range(txn, rng.u32(0..len), 1),
            _ => {}
        }
    }

    pub(super) fn text(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }

    /// The whole state as an update.
    pub(super) fn state(&self) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    /// Texts of the innermost blocks.
    pub(super) fn lines(&self) -> String {
        let txn = self.doc.transact();
        let mut lines = Vec::new();
        for child in self.xml.children(&txn) {
            if let XmlOut::Element(element) = child {
                add_lines(&element, &txn, &mut lines);
            }
        }
        lines.join("\n")
    }

    pub(super) fn texts_of_map(&self) -> String {
        let txn = self.doc.transact();
        let texts = ["k1", "k2"].map(|key| self.map.get(&txn, key));
        texts.iter().flatten().filter_map(|out| text_of(out, &txn)).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn texts_of_array(&self) -> String {
        let txn = self.doc.transact();
        let texts = self.array.iter(&txn).filter_map(|out| text_of(&out, &txn));
        texts.collect::<Vec<_>>().join("\n")
    }
}

fn text_of(out: &Out, txn: &impl ReadTxn) -> Option<String> {
    let text = match out {
        Out::YText(text) => text.get_string(txn),
        Out::YMap(map) => text_of(&map.get(txn, "name")?, txn)?,
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn add_lines(element: &XmlElementRef, txn: &impl ReadTxn, lines: &mut Vec<String>) {
    let texts = |out: &XmlOut| matches!(out, XmlOut::Text(_));
    let blocks = |out: &XmlOut| matches!(out, XmlOut::Element(e) if e.tag().as_ref() == "block");
    let children: Vec<XmlOut> = element.children(txn).collect();
    if !children.iter().any(texts) && children.iter().any(blocks) {
        for child in children {
            if let XmlOut::Element(element) = child {
                add_lines(&element, txn, lines);
            }
        }
        return;
    }
    let mut line = String::new();
    add_inline(element, txn, &mut line);
    lines.push(line);
}

fn add_inline(element: &XmlElementRef, txn: &impl ReadTxn, line: &mut String) {
    for child in element.children(txn) {
        match child {
            XmlOut::Text(text) => {
                line.extend(text.diff(txn, YChange::identity).iter().filter_map(|diff| {
                    match &diff.insert {
                        Out::Any(Any::String(text)) => Some(text.to_string()),
                        _ => None,
                    }
                }))
            }
            XmlOut::Element(inner) if inner.tag().as_ref() == "hardBreak" => line.push('\n'),
            XmlOut::Element(inner) => add_inline(&inner, txn, line),
            XmlOut::Fragment(_) => {}
        }
    }
}

/// Makes a block of blocks, or one with text.
fn fill(block: &XmlElementRef, txn: &mut TransactionMut, rng: &mut fastrand::Rng, depth: u8) {
    block.insert_attribute(txn, "indent", "1");
    if depth < 3 && rng.u8(0..3) == 0 {
        for _ in 0..rng.u8(1..4) {
            let at = block.len(txn);
            let inner = block.insert(txn, at, XmlElementPrelim::empty("block"));
            fill(&inner, txn, rng, depth + 1);
        }
    } else if rng.u8(0..4) > 0 {
        block.push_back(txn, XmlTextPrelim::new(word(rng)));
        if rng.u8(0..4) == 0 {
            block.push_back(txn, XmlElementPrelim::empty("hardBreak"));
            block.push_back(txn, XmlTextPrelim::new(word(rng)));
        }
    }
}

fn edit_element(block: &XmlElementRef, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
    let len = block.len(txn);
    if len == 0 {
        fill(block, txn, rng, 1);
        return;
    }
    let at = rng.u32(0..len);
    match (block.get(txn, at), rng.u8(0..6)) {
        (_, 0) => block.remove_range(txn, at, 1),
        (_, 1) => drop(block.insert_attribute(txn, "indent", word(rng))),
        (Some(XmlOut::Text(text)), 2) => split(block, at, &text, txn, rng),
        (Some(XmlOut::Text(text)), _) => edit_xml_text(&text, txn, rng),
        (Some(XmlOut::Element(inner)), _) if inner.tag().as_ref() == "block" => {
            edit_element(&inner, txn, rng);
        }
        _ => {}
    }
}

/// As editors do it: the second half is deleted and written again in a text of its own.
fn split(
    block: &XmlElementRef,
    at: u32,
    text: &XmlTextRef,
    txn: &mut TransactionMut,
    rng: &mut fastrand::Rng,
) {
    let len = text.len(txn);
    if len > 1 {
        text.remove_range(txn, len / 2, len - len / 2);
        block.insert(txn, at + 1, XmlTextPrelim::new(word(rng)));
    }
}

fn edit_text(text: &TextRef, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
    let len = text.len(txn);
    let (start, end) = range(len, rng);
    match rng.u8(0..6) {
        0 => text.insert_with_attributes(txn, start, word(rng), bold()),
        1 => text.format(txn, start, end - start, bold()),
        2 => drop(text.insert_embed(txn, start, Any::from("picture"))),
        3 => text.remove_range(txn, start, end - start),
        _ => text.insert(txn, start, word(rng)),
    }
}

fn edit_xml_text(text: &XmlTextRef, txn: &mut TransactionMut, rng: &mut fastrand::Rng) {
    let len = text.len(txn);
    let (start, end) = range(len, rng);
    match rng.u8(0..5) {
        0 => text.format(txn, start, end - start, bold()),
        1 => text.remove_range(txn, start, end - start),
        _ => text.insert(txn, start, word(rng)),
    }
}

fn range(len: u32, rng: &mut fastrand::Rng) -> (u32, u32) {
    let start = rng.u32(0..=len);
    (start, rng.u32(start..=len.min(start + 5)))
}

fn bold() -> yrs::types::Attrs {
    yrs::types::Attrs::from([("b".into(), true.into())])
}

fn word(rng: &mut fastrand::Rng) -> &'static str {
    WORDS[rng.usize(0..WORDS.len())]
}

/// The log of a session of three.
pub(super) fn rows_of(seed: u64) -> Vec<LogRow> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let editors = [1, 2, 3].map(Editor::new);
    let mut heard = [0; 3];
    let mut rows: Vec<LogRow> = Vec::new();
    for seq in 1..=rng.u64(10..80) {
        let who = rng.usize(0..3);
        // Only what the others have written: one's own rows are there.
        let until = rng.usize(heard[who]..=rows.len());
        rows[heard[who]..until].iter().for_each(|row| editors[who].hear(&row.bytes));
        heard[who] = until;
        let edit = editors[who].edit(&mut rng);
        let bytes = match rng.u8(0..20) {
            // As after a time without a connection: everything, known or not.
            0 => {
                let txn = editors[who].doc.transact();
                txn.encode_state_as_update_v1(&StateVector::default()).into()
            }
            _ => edit,
        };
        rows.push(row(seq * 2, ["ann", "bo", "cy"][who], bytes));
    }
    rows
}
