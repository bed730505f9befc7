//! A document as if nothing had ever been deleted.

use serde_json::Value;

use super::past::{Past, PastError};
use super::revert::without_deletes;
use crate::id::LogRow;

/// All that was ever in a document, as JSON in the shape of [`to_json`](super::to_json), from its
/// whole log. So its roots are told apart also when they are empty now.
///
/// # Errors
/// A row cannot be integrated.
pub fn everything_to_json(mut rows: Vec<LogRow>) -> Result<Value, PastError> {
    let mut past = Past::new();
    for row in &mut rows {
        row.bytes = without_deletes(&row.bytes).into();
    }
    past.extend(&rows)?;
    Ok(past.json(past.last()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;
    use crate::id::{ConnectionId, Seq};

    #[test]
    fn what_was_deleted_is_there() {
        let mut desk = Desk::new(1, "body");
        let edits = [desk.replace(0..0, "was here"), desk.replace(0..8, "")];
        let row = |(seq, edit): (u64, Result<bytes::Bytes, _>)| LogRow {
            seq: Seq(seq),
            at_ms: 0,
            author: None,
            connection: ConnectionId(1),
            bytes: edit.expect("a place in the text"),
        };
        let rows: Vec<LogRow> = (1..).zip(edits).map(row).collect();
        let mut past = Past::new();
        past.extend(&rows).expect("rows that fit");
        assert_eq!(past.json(Seq(2))["body"], "");
        let everything = everything_to_json(rows).expect("rows that fit");
        assert_eq!(everything["body"], "was here");
    }
}
