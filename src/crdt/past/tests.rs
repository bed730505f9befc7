//! What the past shows is compared with a document that has integrated the same rows.

use bytes::Bytes;
use yrs::types::text::YChange;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, ClientID, Doc, GetString, Map, MapPrelim, MapRef,
    OffsetKind, Options, Out, ReadTxn, StateVector, Text, TextPrelim, TextRef, Transact,
    TransactionMut, Update, WriteTxn, Xml, XmlElementPrelim, XmlElementRef, XmlFragment,
    XmlFragmentRef, XmlOut, XmlTextPrelim, XmlTextRef,
};

use super::*;

mod authorship;
mod carry;
mod session;
mod shape;
mod torn;

use session::{Editor, rows_of};

fn row(seq: u64, author: &str, bytes: impl Into<Bytes>) -> LogRow {
    LogRow {
        seq: Seq(seq),
        at_ms: 1_000 * seq as i64,
        author: Some(author.into()),
        connection: ConnectionId(1),
        bytes: bytes.into(),
    }
}

fn past(rows: &[LogRow]) -> Past {
    let mut past = Past::new();
    past.extend(rows).expect("honest rows");
    past
}

#[test]
fn every_moment_of_random_sessions_shows_what_a_replay_shows() {
    for seed in 0..150 {
        let rows = rows_of(seed);
        let past = past(&rows);
        let replay = Editor::new(99);
        assert_eq!(past.text(Seq(0), None), "", "seed {seed}");
        for row in &rows {
            replay.hear(&row.bytes);
            let at = format!("seed {seed}, row {}", row.seq);
            assert_eq!(past.text(row.seq, Some("text")), replay.text(), "{at}");
            assert_eq!(past.text(row.seq, Some("xml")), replay.lines(), "{at}");
            assert_eq!(past.text(row.seq, Some("map")), replay.texts_of_map(), "{at}");
            assert_eq!(past.text(row.seq, Some("array")), replay.texts_of_array(), "{at}");
        }
    }
}

#[test]
fn a_past_can_be_extended_row_by_row() {
    for seed in 0..20 {
        let rows = rows_of(seed);
        let whole = past(&rows);
        let mut grown = Past::new();
        for row in &rows {
            grown.extend(std::slice::from_ref(row)).expect("an honest row");
            assert_eq!(grown.last(), row.seq);
            assert_eq!(grown.text(row.seq, None), whole.text(row.seq, None), "seed {seed}");
        }
        assert!(grown.weight() > 0);
    }
}

#[test]
fn a_row_that_builds_on_nothing_is_named() {
    let rows = rows_of(3);
    let mut past = Past::new();
    past.extend(&rows[..1]).expect("an honest row");
    let error = rows[2..].iter().find_map(|row| past.extend(std::slice::from_ref(row)).err());
    let error = error.expect("a row that lacks the second");
    assert!(error.to_string().starts_with(&format!("row {} of the log", error.seq)), "{error}");
    let mut past = Past::new();
    let bad = row(7, "ann", &b"\x01\x01\x01"[..]);
    assert_eq!(past.extend(&[bad]).expect_err("no update").seq, Seq(7));
}

#[test]
fn of_a_block_that_is_known_in_part_only_the_rest_is_new() {
    let doc = Doc::with_client_id(1);
    let text = doc.get_or_insert_text("text");
    let typed = |at, letters| {
        let mut txn = doc.transact_mut();
        text.insert(&mut txn, at, letters);
        txn.encode_update_v1()
    };
    let first = row(1, "ann", typed(0, "ab"));
    typed(2, "cd");
    let whole = doc.transact().encode_state_as_update_v1(&StateVector::default());
    let past = past(&[first, row(2, "bo", whole)]);
    assert_eq!(past.text(Seq(2), None), "abcd");
    let spans = past.spans(Seq(2), None);
    assert_eq!(spans.iter().map(|span| &*span.text).collect::<Vec<_>>(), ["ab", "cd"]);
    let edits: Vec<_> = past.edits().map(|edit| (edit.inserted, edit.deleted)).collect();
    assert_eq!(edits, [(2, 0), (2, 0)]);
}

#[test]
fn rows_out_of_order_are_refused() {
    let rows = rows_of(1);
    let mut past = past(&rows);
    let error = past.extend(&rows[..1]).expect_err("a row that was there");
    assert_eq!(error.seq, rows[0].seq);
}

#[test]
fn spans_put_together_are_the_text() {
    for seed in 0..60 {
        let rows = rows_of(seed);
        let past = past(&rows);
        for row in &rows {
            let spans = past.spans(row.seq, None);
            let text: String = spans.iter().map(|span| span.text.as_str()).collect();
            assert_eq!(text, past.text(row.seq, None), "seed {seed}, row {}", row.seq);
            assert!(spans.windows(2).all(|pair| pair[0].author != pair[1].author));
            assert!(spans.iter().all(|span| span.first <= span.last && span.last <= row.seq));
        }
    }
}

#[test]
fn changes_put_together_are_the_two_texts() {
    // Halves of a pair that is torn apart between the moments are in neither text.
    let plain = |text: &str| text.replace(['😀', '\u{fffd}'], "");
    for seed in 0..60 {
        let rows = rows_of(seed);
        let past = past(&rows);
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..40 {
            let to = Seq(rng.u64(0..=past.last().0));
            let from = Seq(rng.u64(0..=to.0));
            let changes = past.changes(from, to, None);
            let without = |kind| {
                let rest = changes.iter().filter(|change| change.kind != kind);
                plain(&rest.map(|change| change.text.as_str()).collect::<String>())
            };
            let at = format!("seed {seed}, from {from} to {to}");
            assert_eq!(without(ChangeKind::Inserted), plain(&past.text(from, None)), "{at}");
            assert_eq!(without(ChangeKind::Deleted), plain(&past.text(to, None)), "{at}");
            let has_author = |change: &Change| change.author.is_some();
            assert!(changes.iter().all(|change| match change.kind {
                ChangeKind::Kept => !has_author(change),
                ChangeKind::Inserted => has_author(change),
                ChangeKind::Deleted => has_author(change) || change.text == "\n",
            }));
        }
    }
}

#[test]
fn damaged_rows_are_errors_and_never_a_panic() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut past = Past::new();
        for mut row in rows_of(seed % 40) {
            if rng.u8(0..4) == 0 {
                let mut bytes = row.bytes.to_vec();
                let at = rng.usize(0..bytes.len());
                bytes[at] = rng.u8(..);
                row.bytes = bytes.into();
            }
            if past.extend(&[row]).is_err() {
                break;
            }
            past.text(past.last(), None);
            past.json(past.last());
        }
    }
}
