use fastrand::Rng;
use yrs::{
    Any, Array, Doc, GetString, Map, Text, Transact, WriteTxn, XmlElementPrelim, XmlFragment,
    XmlOut, XmlTextPrelim,
};

use super::*;
use crate::crdt::people::{History, apply, content, copy, doc, state, work};
use crate::id::ConnectionId;

/// The client id of the undoing edit.
const UNDOER: u64 = 77;
const ANN: &str = "ann";
const BO: &str = "bo";

/// Two people who hear each other at once, and the log of what they do.
struct Log {
    ann: Doc,
    bo: Doc,
    rows: Vec<LogRow>,
}

impl Log {
    fn new() -> Self {
        Log { ann: doc(1), bo: doc(2), rows: Vec::new() }
    }

    fn edit(&mut self, who: &str, step: impl FnOnce(&mut TransactionMut<'_>)) {
        let (doc, other) = if who == ANN { (&self.ann, &self.bo) } else { (&self.bo, &self.ann) };
        let mut txn = doc.transact_mut();
        step(&mut txn);
        let bytes: Bytes = txn.encode_update_v1().into();
        drop(txn);
        apply(other, &bytes);
        let seq = Seq(self.rows.len() as u64 + 1);
        let author = Some(who.into());
        self.rows.push(LogRow { seq, at_ms: 0, author, connection: ConnectionId(1), bytes });
    }

    fn undo(&self, who: &str) -> Reverted {
        let is_theirs = |row: &LogRow| row.author.as_deref() == Some(who);
        revert(&state(&self.ann), &self.rows, is_theirs, UNDOER).expect("rows that can be undone")
    }
}

/// A character of the model: who brought it, who took it away.
struct Cell {
    text: &'static str,
    by: &'static str,
    gone: Option<&'static str>,
}

#[test]
fn of_a_text_exactly_what_one_wrote_goes_and_what_they_deleted_is_back() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let mut log = Log::new();
        let mut cells: Vec<Cell> = Vec::new();
        for _ in 0..rng.usize(1..60) {
            let who = if rng.bool() { ANN } else { BO };
            let is_there: Vec<usize> =
                (0..cells.len()).filter(|at| cells[*at].gone.is_none()).collect();
            let start = rng.usize(0..=is_there.len());
            let units = |part: &[usize]| -> u32 {
                part.iter().map(|at| cells[*at].text.encode_utf16().count() as u32).sum()
            };
            let at = units(&is_there[..start]);
            if rng.u8(0..3) == 0 {
                let end = (start + rng.usize(0..5)).min(is_there.len());
                let len = units(&is_there[start..end]);
                for cell in &is_there[start..end] {
                    cells[*cell].gone = Some(who);
                }
                log.edit(who, |txn| txn.get_or_insert_text("text").remove_range(txn, at, len));
            } else {
                let word: Vec<&str> =
                    (0..rng.usize(1..4)).map(|_| ["a", "b", "é", "😀"][rng.usize(0..4)]).collect();
                // Behind what is deleted, as editors do.
                let place = is_there.get(start).copied().unwrap_or(cells.len());
                let new = word.iter().map(|text| Cell { text, by: who, gone: None });
                cells.splice(place..place, new);
                log.edit(who, |txn| txn.get_or_insert_text("text").insert(txn, at, &word.concat()));
            }
        }
        let undone = log.undo(ANN);
        let goes = |cell: &&Cell| cell.by == ANN && cell.gone.is_none();
        let comes = |cell: &&Cell| cell.by == BO && cell.gone == Some(ANN);
        let len = |cells: &mut dyn Iterator<Item = &Cell>| -> usize {
            cells.map(|cell| cell.text.encode_utf16().count()).sum()
        };
        assert_eq!(undone.inserted_removed, len(&mut cells.iter().filter(goes)), "seed {seed}");
        assert_eq!(undone.deleted_restored, len(&mut cells.iter().filter(comes)), "seed {seed}");
        assert!(undone.cannot.is_empty(), "seed {seed}: {:?}", undone.cannot);
        if let Some(update) = undone.update {
            apply(&log.ann, &update);
        }
        let wanted = cells.iter().filter(|cell| cell.by == BO && cell.gone != Some(BO));
        let wanted: String = wanted.map(|cell| cell.text).collect();
        let text = log.ann.get_or_insert_text("text");
        assert_eq!(text.get_string(&log.ann.transact()), wanted, "seed {seed}");
    }
}

#[test]
fn what_is_typed_meanwhile_stays() {
    let mut log = Log::new();
    log.edit(BO, |txn| txn.get_or_insert_text("text").insert(txn, 0, "see you soon"));
    log.edit(ANN, |txn| txn.get_or_insert_text("text").remove_range(txn, 3, 4));
    log.edit(ANN, |txn| txn.get_or_insert_text("text").insert(txn, 8, " maybe"));
    let update = log.undo(ANN).update.expect("an edit");
    log.edit(BO, |txn| txn.get_or_insert_text("text").insert(txn, 0, "So: "));
    apply(&log.ann, &update);
    apply(&log.bo, &update);
    for doc in [&log.ann, &log.bo] {
        let text = doc.get_or_insert_text("text");
        assert_eq!(text.get_string(&doc.transact()), "So: see you soon");
    }
}

fn paragraph(txn: &mut TransactionMut<'_>, at: u32, words: &str) {
    let page = txn.get_or_insert_xml_fragment("page");
    let paragraph = page.insert(txn, at, XmlElementPrelim::empty("p"));
    paragraph.insert(txn, 0, XmlTextPrelim::new(words));
}

fn write_into(txn: &mut TransactionMut<'_>, at: u32, place: u32, words: &str) {
    let page = txn.get_or_insert_xml_fragment("page");
    let element = page.get(txn, at).and_then(XmlOut::into_xml_element).expect("a paragraph");
    let text = element.get(txn, 0).and_then(XmlOut::into_xml_text).expect("its text");
    text.insert(txn, place, words);
}

#[test]
fn paragraphs_of_theirs_go_unless_others_wrote_in_them() {
    let mut log = Log::new();
    log.edit(BO, |txn| paragraph(txn, 0, "first"));
    log.edit(ANN, |txn| paragraph(txn, 1, "second"));
    log.edit(ANN, |txn| paragraph(txn, 2, "third"));
    log.edit(ANN, |txn| write_into(txn, 0, 0, "the "));
    log.edit(BO, |txn| write_into(txn, 2, 5, "!"));
    let undone = log.undo(ANN);
    assert_eq!(undone.inserted_removed, "the secondthird".len());
    let kept = "2 elements of theirs stay because others have written in them";
    assert_eq!(undone.cannot, [kept]);
    apply(&log.bo, &undone.update.expect("an edit"));
    let page = log.bo.get_or_insert_xml_fragment("page");
    assert_eq!(page.get_string(&log.bo.transact()), "<p>first</p><p>!</p>");
}

fn set_value(txn: &mut TransactionMut<'_>, value: i32) {
    txn.get_or_insert_map("map").insert(txn, "key", value);
}

#[test]
fn what_cannot_be_undone_is_said() {
    let mut log = Log::new();
    log.edit(BO, |txn| paragraph(txn, 0, "first"));
    log.edit(BO, |txn| set_value(txn, 1));
    log.edit(BO, |txn| txn.get_or_insert_text("text").insert(txn, 0, "plain"));
    log.edit(ANN, |txn| txn.get_or_insert_xml_fragment("page").remove_range(txn, 0, 1));
    log.edit(ANN, |txn| set_value(txn, 2));
    let bold = [("bold".into(), Any::Bool(true))].into();
    log.edit(ANN, |txn| txn.get_or_insert_text("text").format(txn, 0, 5, bold));
    let undone = log.undo(ANN);
    assert_eq!(undone.update, None);
    assert_eq!((undone.inserted_removed, undone.deleted_restored), (0, 0));
    let wanted = [
        "2 deleted elements do not come back",
        "5 deleted characters do not come back: what they were in is gone",
        "3 formats, attributes or values that they set stay",
        "1 formats, attributes or values that they deleted do not come back",
    ];
    assert_eq!(undone.cannot, wanted);
}

#[test]
fn values_of_a_list_go() {
    let mut log = Log::new();
    log.edit(BO, |txn| txn.get_or_insert_array("list").insert_range(txn, 0, [1, 2]));
    log.edit(ANN, |txn| txn.get_or_insert_array("list").insert_range(txn, 1, [7, 8]));
    let undone = log.undo(ANN);
    assert_eq!(undone.inserted_removed, 2);
    apply(&log.bo, &undone.update.expect("an edit"));
    let list = log.bo.get_or_insert_array("list");
    let txn = log.bo.transact();
    let values: Vec<_> = list.iter(&txn).map(|value| value.to_string(&txn)).collect();
    assert_eq!(values, ["1", "2"]);
}

#[test]
fn rows_that_cannot_be_used_are_named() {
    let mut log = Log::new();
    log.edit(ANN, |txn| txn.get_or_insert_text("text").insert(txn, 0, "word"));
    log.edit(ANN, |txn| txn.get_or_insert_text("text").insert(txn, 4, "s"));
    let live = state(&log.ann);
    let all = |_: &LogRow| true;
    let taken = revert(&live, &log.rows, all, 1);
    assert!(matches!(taken, Err(RevertError::Client(1))));
    let unread = revert(&live[1..], &log.rows, all, UNDOER);
    assert!(matches!(unread, Err(RevertError::Live(_))));
    let hole = revert(&live, &log.rows[1..], all, UNDOER);
    assert!(matches!(hole, Err(RevertError::Row { seq: Seq(2), .. })), "{hole:?}");
    log.rows[1].bytes = Bytes::from_static(b"nonsense");
    let damaged = revert(&live, &log.rows, all, UNDOER);
    assert!(matches!(damaged, Err(RevertError::Row { seq: Seq(2), .. })), "{damaged:?}");
}

#[test]
fn whatever_was_done_can_be_undone_while_it_goes_on() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let updates = History::new(&mut rng, 20).updates;
        let server = doc(1_000);
        let mut rows = Vec::new();
        for (seq, (who, bytes)) in (1..).map(Seq).zip(updates) {
            apply(&server, &bytes);
            let (author, connection) = (Some(who.to_string().into()), ConnectionId(who));
            rows.push(LogRow { seq, at_ms: 0, author, connection, bytes });
        }
        let live = state(&server);
        let nobody = revert(&live, &rows, |_| false, UNDOER).expect("nothing to undo");
        assert_eq!((nobody.update, nobody.cannot), (None, vec![]), "seed {seed}");

        let by_ann = |row: &LogRow| row.connection == ConnectionId(1);
        let undone =
            revert(&live, &rows, by_ann, UNDOER).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let Some(update) = undone.update else {
            continue;
        };
        let writer = copy(1_001, &live);
        let meanwhile = work(&mut rng, &writer);
        apply(&writer, &update);
        apply(&server, &update);
        let left = revert(&state(&server), &rows, by_ann, UNDOER + 1).expect("once more");
        assert_eq!(left.inserted_removed, 0, "seed {seed}");
        apply(&server, &meanwhile);
        assert_eq!(content(&writer), content(&server), "seed {seed}");
    }
}
