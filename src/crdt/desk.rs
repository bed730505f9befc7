//! One person's editor as far as the CRDT is concerned: a text that is edited by position, and the
//! updates that come of it.
//!
//! For what is to be typed again, with given client ids, so that the same edits make the same bytes.
//! The server itself makes no edits; nothing here checks what it hears.

use std::ops::Range;

use bytes::Bytes;
use yrs::updates::decoder::Decode;
use yrs::{ClientID, Doc, GetString, OffsetKind, Options, Text, TextRef, Transact, Update};

/// A document of one person, with one text that they edit.
pub struct Desk {
    doc: Doc,
    text: TextRef,
    /// UTF-16 units of the text.
    len: u32,
}

/// The edit does not fit the text.
#[derive(Debug, thiserror::Error)]
#[error("the edit at {at:?} is beyond the text's end at {len}")]
pub struct BeyondTheEnd {
    /// What should be replaced, in UTF-16 units.
    pub at: Range<u32>,
    /// UTF-16 units of the text.
    pub len: u32,
}

impl Desk {
    /// An empty text `root`, edited under a client id.
    pub fn new(client: u64, root: &str) -> Self {
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(ClientID::new(client))
        };
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text(root);
        Self { doc, text, len: 0 }
    }

    /// Replaces a range, counted in UTF-16 units, and returns the update that says so. Costs a walk
    /// along the text.
    ///
    /// # Errors
    /// The range is not in the text.
    pub fn replace(&mut self, at: Range<u32>, by: &str) -> Result<Bytes, BeyondTheEnd> {
        if at.end > self.len || at.start > at.end {
            return Err(BeyondTheEnd { at, len: self.len });
        }
        let mut txn = self.doc.transact_mut();
        if !at.is_empty() {
            self.text.remove_range(&mut txn, at.start, at.end - at.start);
        }
        if !by.is_empty() {
            self.text.insert(&mut txn, at.start, by);
        }
        self.len = self.text.len(&txn);
        Ok(txn.encode_update_v1().into())
    }

    /// Takes in what another desk made.
    ///
    /// # Errors
    /// In the CRDT library's words, where it is no update.
    pub fn hear(&mut self, update: &[u8]) -> Result<(), String> {
        let update = Update::decode_v1(update).map_err(|e| e.to_string())?;
        let mut txn = self.doc.transact_mut();
        txn.apply_update(update).map_err(|e| e.to_string())?;
        self.len = self.text.len(&txn);
        Ok(())
    }

    /// The text.
    pub fn text(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::{LintLimits, Linted, Replica};

    #[test]
    fn what_is_typed_at_desks_makes_the_same_text_elsewhere() {
        let (mut ann, mut bo) = (Desk::new(1, "body"), Desk::new(2, "body"));
        let hello = ann.replace(0..0, "helo 😀").expect("a place in the text");
        bo.hear(&hello).expect("an update");
        let face = bo.replace(5..7, "!").expect("a place in the text");
        let letter = ann.replace(3..3, "l").expect("a place in the text");
        let mut replica = Replica::new();
        for update in [hello, face, letter] {
            let linted = Linted::new(update, &LintLimits::default()).expect("an honest update");
            replica.integrate(&[&linted]).expect("a sound replica");
        }
        assert_eq!(replica.text("body"), "hello !");
    }

    #[test]
    fn an_edit_beyond_the_end_is_refused() {
        let mut desk = Desk::new(1, "body");
        desk.replace(0..0, "ab").expect("a place in the text");
        assert!(desk.replace(1..3, "").is_err());
        assert!(desk.replace(3..3, "x").is_err());
        assert_eq!(desk.text(), "ab");
    }
}
