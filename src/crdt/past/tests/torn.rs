//! What editors do in answer to what they are shown, and what people do who are there: each edit reaches
//! the server by itself, before its author has seen what the others did.

use super::carry::{LINES, MORE, Person, Table, WHOLE, text_of};
use super::*;
use crate::crdt::past::carry::{Hint, Seen};

/// A note in which each line stands in a block that may hold one form of it.
fn with_blocks() -> (Table, [Person; 3]) {
    let (mut table, people) = Table::with(&[]);
    people[1].edit(|page, txn| {
        let group = page.insert(txn, 0, XmlElementPrelim::empty("blockGroup"));
        for (at, line) in LINES.iter().enumerate() {
            let block = group.insert(txn, at as u32, XmlElementPrelim::empty("blockContainer"));
            put(&block, txn, "paragraph", line);
        }
    });
    table.sync_all(&people);
    (table, people)
}

fn put(block: &XmlElementRef, txn: &mut TransactionMut<'_>, tag: &str, text: &str) {
    let form = block.insert(txn, 0, XmlElementPrelim::empty(tag));
    form.push_back(txn, XmlTextPrelim::new(text));
}

fn group(page: &XmlFragmentRef, txn: &TransactionMut<'_>) -> XmlElementRef {
    let Some(XmlOut::Element(group)) = page.get(txn, 0) else { panic!("a group") };
    group
}

/// Gives the line in a block another form.
fn form(who: &Person, block: u32, tag: &str) {
    who.edit(|page, txn| {
        let Some(XmlOut::Element(block)) = group(page, txn).get(txn, block) else {
            panic!("a block")
        };
        let len = block.len(txn);
        block.remove_range(txn, 0, len);
        put(&block, txn, tag, LINES[1]);
    });
}

/// What a binding does with a block that holds two forms, and with a group without blocks.
fn repair(who: &Person) -> bool {
    who.edit(|page, txn| {
        let group = group(page, txn);
        let blocks: Vec<XmlOut> = group.children(txn).collect();
        let is_overfull = |block: &XmlOut| match block {
            XmlOut::Element(block) => block.len(txn) > 1,
            _ => false,
        };
        let Some(at) = blocks.iter().position(is_overfull) else { return false };
        group.remove_range(txn, at as u32, 1);
        true
    })
}

#[test]
fn a_block_that_a_binding_deletes_because_it_holds_two_forms_comes_back_with_one() {
    for typed in ["", " by Ann"] {
        let (mut table, people) = with_blocks();
        let [ann, bo, _] = &people;
        let bos = bo.update(|| form(bo, 1, "heading"));
        let anns = ann.update(|| {
            form(ann, 1, "quote");
            ann.edit(|page, txn| {
                let block = group(page, txn).get(txn, 1).expect("a block");
                let XmlOut::Element(block) = block else { panic!("a block") };
                let Some(XmlOut::Element(quote)) = block.get(txn, 0) else { panic!("a quote") };
                let Some(XmlOut::Text(text)) = quote.get(txn, 0) else { panic!("a text") };
                let end = text.len(txn);
                text.insert(txn, end, typed);
            });
        });
        ann.hears(&bos);
        let repair = ann.update(|| assert!(repair(ann), "the block holds two forms"));
        for (author, update) in [("bo", bos), ("ann", anns), ("ann", repair)] {
            table.takes(author, update, &[]);
        }
        table.sync_all(&people);
        let line = format!("blockGroup>blockContainer>heading {}{typed}", LINES[1]);
        assert_eq!(table.lines()[1..], [line]);
        assert!(table.kept().is_empty());
    }
}

#[test]
fn a_block_that_a_person_deletes_stays_away() {
    let (mut table, people) = with_blocks();
    form(&people[1], 1, "heading");
    table.sync_all(&people);
    people[0].edit(|page, txn| group(page, txn).remove_range(txn, 1, 1));
    table.sync_all(&people);
    assert_eq!(table.lines(), ["blockGroup>blockContainer>paragraph First line"]);
    assert!(table.kept().is_empty());
}

#[test]
fn letters_of_somebody_who_is_there_go_with_a_line_whose_element_is_used_for_another() {
    let (mut table, people) = Table::with(&LINES);
    let [ann, bo, _] = &people;
    // As an editor does that keeps an empty line at the end.
    let bos = bo.update(|| {
        bo.edit(|page, txn| {
            let words = text_of(page, txn, 1);
            let (text, len) = (words.get_string(txn), words.len(txn));
            words.remove_range(txn, 0, len);
            let heading = page.insert(txn, 1, XmlElementPrelim::empty("heading"));
            heading.push_back(txn, XmlTextPrelim::new(text));
        });
    });
    let anns: Vec<_> = [", three", " hundred words by Ann"]
        .into_iter()
        .map(|words| ann.update(|| ann.write(1, words)))
        .collect();
    let before = table.last();
    table.takes("bo", bos, &[]);
    for update in anns {
        let hint = Hint { seq: Seq(table.last().0 + 1), seen: Seen::Until(before) };
        table.takes("ann", update, &[hint]);
    }
    table.sync_all(&people);
    assert_eq!(table.lines()[1..], [format!("heading {WHOLE}"), "paragraph ".to_owned()]);
}

#[test]
fn a_redo_takes_carried_words_along() {
    let (mut table, people) = Table::with(&LINES);
    let bo = &people[1];
    let mut undo = bo.undo();
    bo.form(1, "heading");
    undo.reset();
    table.sync_all(&people);
    people[0].write(1, MORE);
    table.sync_all(&people);
    assert!(undo.undo_blocking());
    table.sync_all(&people);
    assert!(undo.redo_blocking());
    table.sync_all(&people);
    let words = table.lines().concat();
    assert_eq!(words.matches(MORE).count(), 1, "{words}");
    assert_eq!(words.matches(LINES[1]).count(), 1, "{words}");
}

#[test]
fn who_takes_back_words_that_were_carried_takes_back_what_became_of_them() {
    let (mut table, people) = Table::with(&LINES);
    let [ann, bo, _] = &people;
    let bos = bo.update(|| bo.form(1, "heading"));
    let words = ann.update(|| ann.write(1, MORE));
    // Before she has heard of the heading.
    let back = ann.update(|| {
        ann.edit(|page, txn| {
            let text = text_of(page, txn, 1);
            let (start, len) = (LINES[1].len() as u32, MORE.len() as u32);
            text.remove_range(txn, start, len);
        });
    });
    for (author, update) in [("bo", bos), ("ann", words), ("ann", back)] {
        table.takes(author, update, &[]);
    }
    table.sync_all(&people);
    assert_eq!(table.lines()[1..], [format!("heading {}", LINES[1])]);
}

#[test]
fn a_line_that_somebody_writes_away_stays_though_its_words_have_moved_elsewhere_meanwhile() {
    let (mut table, people) = Table::with(&["First line", "test", "Last line"]);
    let [ann, bo, cy] = &people;
    // Known to her before she goes away.
    bo.form(1, "heading");
    table.sync(bo);
    table.sync(ann);
    bo.form(1, "paragraph");
    table.sync(bo);
    ann.edit(|page, txn| {
        let line = page.insert(txn, 0, XmlElementPrelim::empty("paragraph"));
        line.push_back(txn, XmlTextPrelim::new("test"));
    });
    table.sync(ann);
    table.sync(cy);
    table.sync_all(&people);
    assert_eq!(
        table.lines(),
        ["paragraph test", "paragraph First line", "paragraph test", "paragraph Last line"]
    );
}
