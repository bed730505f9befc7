//! Text that was written into a block while somebody else changed the block's form.

use std::sync::{Arc, Mutex};

use yrs::UndoManager;
use yrs::types::Attrs;

use super::*;
use crate::crdt::past::carry::{Hint, Kept, Seen};
use crate::crdt::state_vector::StateVector as Vector;

/// The client id of the edits that carry text over.
const OWN: u64 = 1 << 40;

/// A document, its log, and people who may be away from it.
pub(super) struct Table {
    server: Doc,
    rows: Vec<LogRow>,
    examined: u64,
    kept: Vec<Kept>,
}

/// Somebody with an editor.
pub(super) struct Person {
    name: &'static str,
    doc: Doc,
}

fn new_doc(client: u64) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(client))
    })
}

fn hear(doc: &Doc, update: &[u8]) {
    let update = Update::decode_v1(update).expect("an update");
    doc.transact_mut_with("others").apply_update(update).expect("an update that fits");
}

fn lack(doc: &Doc, other: &Doc) -> Vec<u8> {
    doc.transact().encode_diff_v1(&other.transact().state_vector())
}

impl Table {
    /// A page with lines, which everybody has.
    pub(super) fn with(lines: &[&str]) -> (Self, [Person; 3]) {
        let mut table =
            Self { server: new_doc(9), rows: Vec::new(), examined: 0, kept: Vec::new() };
        let people = [("ann", 1), ("bo", 2), ("cy", 3)];
        let people = people.map(|(name, client)| Person { name, doc: new_doc(client) });
        people[1].edit(|page, txn| {
            for line in lines {
                let at = page.len(txn);
                insert(page, txn, at, "paragraph", line);
            }
        });
        [1, 0, 2].into_iter().for_each(|who| table.sync(&people[who]));
        (table, people)
    }

    /// Somebody is back: is asked for what they have, and then hears what they lack.
    pub(super) fn sync(&mut self, who: &Person) {
        let seen = Seen::All(Vector(who.doc.transact().state_vector()));
        let brought = lack(&who.doc, &self.server);
        let before = self.server.transact().snapshot();
        hear(&self.server, &brought);
        if self.server.transact().snapshot() != before {
            self.note(who.name, brought);
            self.carry(&[Hint { seq: Seq(self.rows.len() as u64), seen }]);
        }
        hear(&who.doc, &lack(&self.server, &who.doc));
    }

    fn note(&mut self, author: &str, update: Vec<u8>) {
        self.rows.push(row(self.rows.len() as u64 + 1, author, update));
    }

    /// What the server does when a row may have cost text.
    fn carry(&mut self, hints: &[Hint]) {
        let past = past(&self.rows);
        let carry = past.carry(
            Seq(self.examined + 1),
            self.rows.len() - self.examined as usize,
            hints,
            OWN,
        );
        for carried in carry.carried {
            hear(&self.server, &carried.update);
            let Author::User(author) = &carried.author else { panic!("a person") };
            self.note(author, carried.update.to_vec());
        }
        self.examined = self.rows.len() as u64;
        self.kept.extend(carry.kept);
    }

    /// An edit of somebody who is there reaches the server by itself.
    pub(super) fn takes(&mut self, author: &str, update: Vec<u8>, hints: &[Hint]) {
        hear(&self.server, &update);
        self.note(author, update);
        self.carry(hints);
    }

    /// The last row of the log.
    pub(super) fn last(&self) -> Seq {
        Seq(self.rows.len() as u64)
    }

    /// Everybody is back, twice, so that all have everything.
    pub(super) fn sync_all(&mut self, people: &[Person; 3]) {
        people.iter().chain(people).for_each(|who| self.sync(who));
        for who in people {
            assert_eq!(who.lines(), self.lines(), "what {} sees", who.name);
        }
        let past = past(&self.rows);
        let text =
            self.lines().into_iter().map(|line| line.split_once(' ').expect("a tag").1.to_owned());
        let text: Vec<String> = text.collect();
        assert_eq!(past.text(past.last(), Some("page")), text.join("\n"), "the past");
    }

    /// The lines, each behind the name of its block.
    pub(super) fn lines(&self) -> Vec<String> {
        lines(&self.server)
    }

    pub(super) fn kept(&self) -> Vec<&str> {
        self.kept.iter().map(|kept| kept.text.as_str()).collect()
    }
}

fn lines(doc: &Doc) -> Vec<String> {
    let page = doc.get_or_insert_xml_fragment("page");
    let txn = doc.transact();
    let mut lines = Vec::new();
    for child in page.children(&txn) {
        add_lines(&txn, &child, "", &mut lines);
    }
    lines
}

fn add_lines(txn: &impl ReadTxn, node: &XmlOut, around: &str, lines: &mut Vec<String>) {
    let XmlOut::Element(element) = node else { return };
    let tag = format!("{around}{}", element.tag());
    let children: Vec<XmlOut> = element.children(txn).collect();
    let is_block = |child: &XmlOut| matches!(child, XmlOut::Element(_));
    if children.iter().any(is_block) {
        children.iter().for_each(|child| add_lines(txn, child, &format!("{tag}>"), lines));
        return;
    }
    let text = children.iter().map(|child| match child {
        XmlOut::Text(text) => {
            let runs = text.diff(txn, YChange::identity).into_iter();
            runs.map(|run| run.insert.to_string(txn)).collect::<String>()
        }
        _ => String::new(),
    });
    lines.push(format!("{tag} {}", text.collect::<String>()));
}

type Txn<'a> = TransactionMut<'a>;

impl Person {
    pub(super) fn edit<T>(&self, edit: impl FnOnce(&XmlFragmentRef, &mut Txn<'_>) -> T) -> T {
        let page = self.doc.get_or_insert_xml_fragment("page");
        edit(&page, &mut self.doc.transact_mut())
    }

    fn lines(&self) -> Vec<String> {
        lines(&self.doc)
    }

    /// The update that an edit makes, and nothing else.
    pub(super) fn update(&self, edit: impl FnOnce()) -> Vec<u8> {
        let updates = Arc::new(Mutex::new(Vec::new()));
        let sink = updates.clone();
        let note = move |_: &TransactionMut<'_>, event: &yrs::UpdateEvent| {
            sink.lock().expect("no test has failed").push(event.update.clone());
        };
        self.doc.observe_update_v1("test", note).expect("the document is free");
        edit();
        self.doc.unobserve_update_v1("test").expect("the document is free");
        let updates = std::mem::take(&mut *updates.lock().expect("no test has failed"));
        yrs::merge_updates_v1(updates).expect("updates")
    }

    /// Takes back what this person does from now on.
    pub(super) fn undo(&self) -> UndoManager {
        let page = self.doc.get_or_insert_xml_fragment("page");
        let mut undo = UndoManager::new();
        undo.expand_scope(&self.doc, &page);
        undo
    }

    pub(super) fn hears(&self, update: &[u8]) {
        hear(&self.doc, update);
    }

    /// Types into a line, at its end.
    pub(super) fn write(&self, line: u32, text: &str) {
        self.edit(|page, txn| {
            let words = text_of(page, txn, line);
            let end = words.len(txn);
            words.insert(txn, end, text);
        });
    }

    /// Types into a line, behind so many letters.
    fn write_at(&self, line: u32, at: u32, text: &str) {
        self.edit(|page, txn| text_of(page, txn, line).insert(txn, at, text));
    }

    /// Makes another block of a line, as editors do: the old one goes, with a copy of its text.
    pub(super) fn form(&self, line: u32, tags: &str) {
        self.edit(|page, txn| {
            let text = text_of(page, txn, line).get_string(txn);
            page.remove_range(txn, line, 1);
            insert(page, txn, line, tags, &text);
        });
    }

    /// Backspace at the beginning of a line.
    fn join(&self, line: u32) {
        self.edit(|page, txn| {
            let text = text_of(page, txn, line).get_string(txn);
            page.remove_range(txn, line, 1);
            let before = text_of(page, txn, line - 1);
            let end = before.len(txn);
            before.insert(txn, end, &text);
        });
    }

    /// Enter in a line, behind so many letters.
    fn split(&self, line: u32, at: u32) {
        self.edit(|page, txn| {
            let words = text_of(page, txn, line);
            let (text, len) = (words.get_string(txn), words.len(txn));
            words.remove_range(txn, at, len - at);
            insert(page, txn, line + 1, "paragraph", &text[at as usize..]);
        });
    }

    fn delete(&self, line: u32) {
        self.edit(|page, txn| page.remove_range(txn, line, 1));
    }
}

/// `heading`, or `bulletList>listItem>paragraph`.
fn insert(page: &XmlFragmentRef, txn: &mut Txn<'_>, at: u32, tags: &str, text: &str) {
    let mut tags = tags.split('>');
    let first = tags.next().expect("a tag");
    let mut block = page.insert(txn, at, XmlElementPrelim::empty(first));
    for tag in tags {
        block = block.push_back(txn, XmlElementPrelim::empty(tag));
    }
    if !text.is_empty() {
        block.push_back(txn, XmlTextPrelim::new(text));
    }
}

/// The text of a line, which gets one if it has none yet.
pub(super) fn text_of(page: &XmlFragmentRef, txn: &mut Txn<'_>, line: u32) -> XmlTextRef {
    let Some(XmlOut::Element(mut block)) = page.get(txn, line) else { panic!("a line") };
    while let Some(XmlOut::Element(inner)) = block.get(txn, 0) {
        block = inner;
    }
    match block.get(txn, 0) {
        Some(XmlOut::Text(text)) => text,
        _ => block.push_back(txn, XmlTextPrelim::new("")),
    }
}

pub(super) const LINES: [&str; 2] = ["First line", "Start of the sentence"];
pub(super) const MORE: &str = ", three hundred words by Ann";
pub(super) const WHOLE: &str = "Start of the sentence, three hundred words by Ann";

#[test]
fn a_sentence_is_in_the_line_that_somebody_made_something_else_of() {
    for tags in ["heading", "blockquote>paragraph", "bulletList>listItem>paragraph", "codeBlock"] {
        // Whoever comes back first, and whoever was away.
        for turns in [[1, 0], [0, 1]] {
            let (mut table, people) = Table::with(&LINES);
            people[0].write(1, MORE);
            people[1].form(1, tags);
            turns.into_iter().for_each(|who| table.sync(&people[who]));
            table.sync_all(&people);
            assert_eq!(table.lines()[1..], [format!("{tags} {WHOLE}")], "{tags}, {turns:?}");
            assert!(table.kept.is_empty());
        }
    }
}

#[test]
fn a_sentence_is_at_its_place_in_a_line_that_was_joined() {
    for turns in [[1, 0], [0, 1]] {
        let (mut table, people) = Table::with(&["One. ", "Two, four.", "Last"]);
        people[0].write_at(1, 5, "three, ");
        people[1].join(1);
        turns.into_iter().for_each(|who| table.sync(&people[who]));
        table.sync_all(&people);
        assert_eq!(table.lines(), ["paragraph One. Two, three, four.", "paragraph Last"]);
    }
}

#[test]
fn a_line_that_was_replaced_again_and_again_is_followed() {
    let (mut table, people) = Table::with(&LINES);
    people[0].write(1, MORE);
    for tags in ["heading", "bulletList>listItem>paragraph", "blockquote>paragraph"] {
        people[1].form(1, tags);
        table.sync(&people[1]);
    }
    table.sync_all(&people);
    assert_eq!(table.lines()[1..], [format!("blockquote>paragraph {WHOLE}")]);
}

#[test]
fn letters_that_come_one_by_one_stay_in_order() {
    let (mut table, people) = Table::with(&LINES);
    people[1].form(1, "heading");
    table.sync(&people[1]);
    for letter in [", ", "a", "b", "c", "a"] {
        // Typed before the heading has been heard of.
        let before = people[0].doc.transact().state_vector();
        people[0].write(1, letter);
        let update = people[0].doc.transact().encode_diff_v1(&before);
        hear(&table.server, &update);
        table.note("ann", update);
        table.carry(&[]);
    }
    table.sync_all(&people);
    assert_eq!(table.lines()[1..], ["heading Start of the sentence, abca"]);
}

#[test]
fn several_people_are_away_and_write_into_one_line() {
    let (mut table, people) = Table::with(&LINES);
    people[0].write_at(1, 5, " (ann)");
    people[2].write_at(1, 5, " [cy]");
    people[2].write(1, ".");
    people[1].form(1, "heading");
    [1, 0, 2].into_iter().for_each(|who| table.sync(&people[who]));
    table.sync_all(&people);
    let line = &table.lines()[1];
    assert_eq!(line.len(), "heading Start (ann) [cy] of the sentence.".len(), "{line}");
    for part in ["heading Start", " (ann)", " [cy]", " of the sentence."] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn an_empty_line_that_becomes_a_heading_takes_what_was_written_into_it() {
    for tags in ["heading", "bulletList>listItem>paragraph"] {
        let (mut table, people) = Table::with(&["First", "", "Last"]);
        people[0].write(1, "by Ann");
        people[1].form(1, tags);
        table.sync(&people[1]);
        table.sync(&people[0]);
        table.sync_all(&people);
        assert_eq!(table.lines()[1], format!("{tags} by Ann"));
    }
}

#[test]
fn what_was_written_into_a_deleted_line_is_kept_once() {
    for turns in [[1, 0], [0, 1]] {
        let (mut table, people) = Table::with(&LINES);
        people[0].write(1, MORE);
        people[1].delete(1);
        turns.into_iter().for_each(|who| table.sync(&people[who]));
        table.sync_all(&people);
        assert_eq!(table.lines(), ["paragraph First line"]);
        assert_eq!(table.kept(), [MORE]);
        // The history shows it, in its author's name.
        let past = past(&table.rows);
        let shown = past.rows.iter().map(|row| past.spans(row.seq, Some("page")));
        let mut spans = shown.flatten();
        let is_anns = |author: &Author| *author == Author::User("ann".into());
        assert!(spans.any(|span| span.text.contains(MORE) && is_anns(&span.author)));
        // And it can be put back.
        let kept = &table.kept[0];
        let update = past.put_back(kept.client, kept.clock, OWN + 1).expect("it is in the log");
        hear(&table.server, &update);
        assert_eq!(table.lines(), ["paragraph First line".to_owned(), format!("paragraph {MORE}")]);
    }
}

#[test]
fn a_new_line_in_a_list_goes_with_the_list() {
    let (mut table, people) = Table::with(&["First", "second"]);
    people[1].form(1, "bulletList>listItem>paragraph");
    table.sync_all(&people);
    people[0].edit(|page, txn| {
        let Some(XmlOut::Element(list)) = page.get(txn, 1) else { panic!("a list") };
        let item = list.push_back(txn, XmlElementPrelim::empty("listItem"));
        let line = item.push_back(txn, XmlElementPrelim::empty("paragraph"));
        line.push_back(txn, XmlTextPrelim::new("third, by Ann"));
    });
    people[1].form(1, "orderedList>listItem>paragraph");
    table.sync(&people[1]);
    table.sync(&people[0]);
    table.sync_all(&people);
    assert_eq!(
        table.lines()[1..],
        ["orderedList>listItem>paragraph second", "orderedList>listItem>paragraph third, by Ann"]
    );
}

#[test]
fn a_new_line_in_a_list_that_is_no_list_any_more_comes_behind_its_lines() {
    let (mut table, people) = Table::with(&["First", "second", "last"]);
    people[1].form(1, "bulletList>listItem>paragraph");
    table.sync_all(&people);
    people[0].edit(|page, txn| {
        let Some(XmlOut::Element(list)) = page.get(txn, 1) else { panic!("a list") };
        let item = list.push_back(txn, XmlElementPrelim::empty("listItem"));
        let line = item.push_back(txn, XmlElementPrelim::empty("paragraph"));
        line.push_back(txn, XmlTextPrelim::new("third, by Ann"));
    });
    people[1].form(1, "paragraph");
    table.sync(&people[1]);
    table.sync(&people[0]);
    table.sync_all(&people);
    let wanted =
        ["paragraph second", "bulletList>listItem>paragraph third, by Ann", "paragraph last"];
    assert_eq!(table.lines()[1..], wanted);
}

#[test]
fn formats_go_along_and_end_where_they_ended() {
    let (mut table, people) = Table::with(&LINES);
    people[0].edit(|page, txn| {
        let words = text_of(page, txn, 1);
        let end = words.len(txn);
        words.insert_with_attributes(
            txn,
            end,
            " bold",
            Attrs::from([("bold".into(), true.into())]),
        );
        let end = words.len(txn);
        let plain = Attrs::from([("bold".into(), Any::Null)]);
        words.insert_with_attributes(txn, end, " not", plain);
    });
    people[1].form(1, "heading");
    table.sync(&people[1]);
    table.sync(&people[0]);
    table.sync_all(&people);
    let past = past(&table.rows);
    let json = past.json(past.last());
    let runs = &json["page"]["content"][1]["content"];
    assert_eq!(runs[1]["text"], " bold", "{json}");
    assert_eq!(runs[1]["marks"][0]["type"], "bold");
    assert_eq!(runs[2]["text"], " not");
    assert!(runs[2].get("marks").is_none());
}

#[test]
fn an_undone_heading_leaves_what_another_wrote_into_it() {
    let (mut table, people) = Table::with(&LINES);
    let bo = &people[1];
    let mut undo = bo.undo();
    bo.form(1, "heading");
    undo.reset();
    table.sync_all(&people);
    people[0].write(1, MORE);
    table.sync_all(&people);
    assert!(undo.undo_blocking());
    table.sync(bo);
    table.sync_all(&people);
    assert_eq!(table.lines(), ["paragraph First line".to_owned(), format!("paragraph {WHOLE}")]);
}

#[test]
fn what_a_person_deletes_who_sees_it_is_gone() {
    let (mut table, people) = Table::with(&["First line", "Start"]);
    people[0].write(1, " by Ann");
    table.sync_all(&people);
    people[1].edit(|page, txn| text_of(page, txn, 1).remove_range(txn, 5, 7));
    people[1].form(1, "heading");
    people[1].form(1, "paragraph");
    table.sync_all(&people);
    people[1].delete(1);
    table.sync_all(&people);
    assert_eq!(table.lines(), ["paragraph First line"]);
    assert!(table.kept.is_empty());
}

#[test]
fn a_sentence_goes_with_the_end_of_a_line_that_was_split() {
    for turns in [[1, 0], [0, 1]] {
        let (mut table, people) = Table::with(&LINES);
        people[0].write(1, MORE);
        people[1].split(1, 8);
        turns.into_iter().for_each(|who| table.sync(&people[who]));
        table.sync_all(&people);
        let end = format!("paragraph  the sentence{MORE}");
        assert_eq!(table.lines()[1..], ["paragraph Start of".to_owned(), end], "{turns:?}");
    }
}

#[test]
fn who_has_seen_a_split_writes_where_they_mean() {
    let (mut table, people) = Table::with(&LINES);
    people[1].split(1, 8);
    table.sync_all(&people);
    people[0].write(1, ", by Ann");
    table.sync_all(&people);
    assert_eq!(table.lines()[1..], ["paragraph Start of, by Ann", "paragraph  the sentence"]);
}

#[test]
fn a_sentence_goes_with_a_line_that_changed_places_with_another() {
    let (mut table, people) = Table::with(&LINES);
    people[0].write(1, MORE);
    // As editors do that rewrite both lines where they are, but for what both have at their ends.
    people[1].edit(|page, txn| {
        let (one, other) = (text_of(page, txn, 0), text_of(page, txn, 1));
        let (one_len, other_len) = (one.len(txn), other.len(txn));
        one.remove_range(txn, 0, one_len - 1);
        one.insert(txn, 0, "Start of the sentenc");
        other.remove_range(txn, 0, other_len - 1);
        other.insert(txn, 0, "First lin");
    });
    table.sync(&people[1]);
    table.sync(&people[0]);
    table.sync_all(&people);
    assert_eq!(table.lines(), [format!("paragraph {WHOLE}"), "paragraph First line".to_owned()]);
}

#[test]
fn two_who_make_the_same_line_a_heading_get_one_line() {
    for (one, other) in [("heading", "heading"), ("heading", "bulletList>listItem>paragraph")] {
        let (mut table, people) = Table::with(&LINES);
        people[1].form(1, one);
        people[2].form(1, other);
        table.sync(&people[1]);
        table.sync(&people[2]);
        // Typed into the copy that is gone.
        people[2].write(0, "!");
        table.sync_all(&people);
        let line = format!("{one} Start of the sentence");
        assert_eq!(table.lines(), ["paragraph First line!".to_owned(), line]);
    }
}

#[test]
fn a_line_that_somebody_wrote_twice_on_purpose_stays() {
    let (mut table, people) = Table::with(&LINES);
    people[1].form(1, "heading");
    table.sync_all(&people);
    people[2].edit(|page, txn| insert(page, txn, 1, "heading", "Start of the sentence"));
    table.sync_all(&people);
    assert_eq!(
        table.lines()[1..],
        ["heading Start of the sentence", "heading Start of the sentence"]
    );
}
