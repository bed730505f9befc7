//! Lines put at the end of a document, by an edit.

use bytes::Bytes;
use yrs::{GetString, Text, WriteTxn, XmlElementPrelim, XmlFragment, XmlTextPrelim};

use super::lint::{LintLimits, lint};
use super::replica::Replica;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A text: behind its last character, on lines of their own.
    Text,
    /// An XML fragment: each line a `paragraph` behind the last element, as ProseMirror editors write
    /// them.
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
                for line in lines {
                    let words = XmlTextPrelim::new(line).into();
                    fragment.push_back(txn, XmlElementPrelim::new("paragraph", [words]));
                }
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
}
