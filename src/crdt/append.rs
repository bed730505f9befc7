//! Lines put at the end of a document, by an edit.

use bytes::Bytes;
use yrs::{GetString, Text, WriteTxn};

use super::lint::{LintLimits, lint};
use super::replica::Replica;

mod paragraphs;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A text: behind its last character, on lines of their own.
    Text,
    /// An XML fragment: each line a paragraph behind the last element, as the editor of the page
    /// (ProseMirror, Tiptap, BlockNote, Lexical) writes them.
    Fragment,
}

/// The edit, made under the client id `client`, that appends lines to a root of a document, which is
/// given by its full state as a Yjs v1 update.
///
/// # Errors
/// In words, where the state cannot be read.
pub fn append_lines(
    live: &[u8],
    root: &str,
    page: Page,
    lines: &[String],
    client: u64,
) -> Result<Bytes, String> {
    Replica::scratch(live, client)?.use_up(|txn| {
        match page {
            Page::Text => {
                let text = txn.get_or_insert_text(root);
                let there = text.get_string(txn);
                let gap = if there.is_empty() || there.ends_with('\n') { "" } else { "\n" };
                let at = text.len(txn);
                text.insert(txn, at, &format!("{gap}{}", lines.join("\n")));
            }
            Page::Fragment => {
                let fragment = txn.get_or_insert_xml_fragment(root);
                paragraphs::append(txn, &fragment, lines);
            }
        }
        Ok(txn.encode_update_v1().into())
    })
}

/// Whether an edit was ever made under a client id in a document, which is given by its full state as a
/// Yjs v1 update.
///
/// # Errors
/// In words, where the state cannot be read.
pub fn has_edit_of(live: &[u8], client: u64) -> Result<bool, String> {
    let summary = lint(live, &LintLimits::NONE).map_err(|e| e.to_string())?;
    Ok(summary.inserts.iter().any(|span| span.client == client))
}

#[cfg(test)]
mod tests {
    use yrs::{Xml, XmlElementPrelim, XmlFragment, XmlTextPrelim};

    use super::*;
    use crate::crdt::{Desk, to_json};

    fn after(live: &[u8], update: Bytes) -> serde_json::Value {
        let both = [Bytes::copy_from_slice(live), update];
        let mut replica = Replica::restore(None, &both).expect("updates that fit");
        to_json(&replica.encode_full()).expect("a state")
    }

    #[test]
    fn lines_come_behind_what_is_there() {
        let live = Desk::new(1, "body").replace(0..0, "now").expect("a place");
        let lines = ["then".to_owned(), "😀".to_owned()];
        let update = append_lines(&live, "body", Page::Text, &lines, 7).expect("an edit");
        assert_eq!(after(&live, update)["body"], "now\nthen\n😀");
    }

    #[test]
    fn an_edit_is_known_by_its_client_id_also_when_nothing_is_left_of_it() {
        let mut desk = Desk::new(1 << 52, "body");
        let written = desk.replace(0..0, "now").expect("a place");
        let gone = desk.replace(0..3, "").expect("a place");
        let mut replica = Replica::restore(None, &[written.clone(), gone]).expect("a document");
        for state in [written, replica.encode_full()] {
            assert_eq!(has_edit_of(&state, 1 << 52), Ok(true));
            assert_eq!(has_edit_of(&state, 1), Ok(false));
        }
        assert_eq!(has_edit_of(&[0, 0], 1 << 52), Ok(false));
        assert!(has_edit_of(&[7], 1).is_err());
    }

    #[test]
    fn lines_are_paragraphs_in_a_fragment() {
        let empty = [0, 0];
        let update = append_lines(&empty, "page", Page::Fragment, &["one".into()], 7);
        let written = after(&empty, update.expect("an edit"));
        assert_eq!(written["page"]["content"][0]["type"], "paragraph");
        assert_eq!(written["page"]["content"][0]["content"][0]["text"], "one");
    }

    /// A page with one line, as its editor has made it; then with another.
    fn page_with_another_line(
        write: impl FnOnce(&mut yrs::TransactionMut<'_>),
    ) -> serde_json::Value {
        let doc = yrs::Doc::with_client_id(1);
        let mut txn = yrs::Transact::transact_mut(&doc);
        write(&mut txn);
        let live = txn.encode_update_v1();
        let update = append_lines(&live, "page", Page::Fragment, &["two".into()], 1 << 52);
        after(&live, update.expect("an edit"))["page"].take()
    }

    #[test]
    fn a_line_is_a_block_with_an_id_in_blocknote() {
        let page = page_with_another_line(|txn| {
            let container = XmlElementPrelim::new(
                "blockContainer",
                [XmlElementPrelim::empty("heading").into()],
            );
            let group = XmlElementPrelim::new("blockGroup", [container.into()]);
            txn.get_or_insert_xml_fragment("page").push_back(txn, group);
        });
        let group = &page["content"][0];
        assert_eq!(
            (group["type"].as_str(), group["content"].as_array().map(Vec::len)),
            (Some("blockGroup"), Some(2))
        );
        let container = &group["content"][1];
        assert_eq!(
            (&container["type"], &container["attrs"]["id"]),
            (&"blockContainer".into(), &"4503599627370496-0".into())
        );
        assert_eq!(container["content"][0]["content"][0]["text"], "two");
    }

    #[test]
    fn a_line_is_a_text_with_a_type_in_lexical() {
        let page = page_with_another_line(|txn| {
            let root = txn.get_or_insert_text("page");
            let block = root.insert_embed(txn, 0, XmlTextPrelim::new("one"));
            block.insert_attribute(txn, "__type", "heading");
        });
        let types: Vec<_> =
            page["content"].as_array().expect("lines").iter().map(|line| &line["type"]).collect();
        assert_eq!(types, ["heading", "paragraph"]);
        assert_eq!(page["content"][1]["content"][1]["text"], "two", "{page}");
    }
}
