//! Who wrote what, after what editors do to a text.

use yrs::UndoManager;

use super::*;

/// A document that several edit in turn, each row in somebody's name.
struct Scene {
    doc: Doc,
    rows: Vec<LogRow>,
}

impl Scene {
    fn new() -> Self {
        let options =
            Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(ClientID::new(1)) };
        Self { doc: Doc::with_options(options), rows: Vec::new() }
    }

    /// One row: what somebody does.
    fn edit<T>(&mut self, author: &str, edit: impl FnOnce(&Doc, &mut TransactionMut) -> T) -> T {
        let mut txn = self.doc.transact_mut();
        let result = edit(&self.doc, &mut txn);
        let update = txn.encode_update_v1();
        drop(txn);
        self.note(author, update);
        result
    }

    fn note(&mut self, author: &str, update: Vec<u8>) {
        self.rows.push(row(self.rows.len() as u64 + 1, author, update));
    }

    /// The text as `author: text`, without line ends.
    fn authors(&self) -> Vec<(String, String)> {
        let past = past(&self.rows);
        let spans = past.spans(past.last(), None).into_iter();
        let spans = spans.map(|span| (format!("{:?}", span.author), span.text.replace('\n', "")));
        let mut all: Vec<(String, String)> = Vec::new();
        for (author, text) in spans.filter(|(_, text)| !text.is_empty()) {
            let author = author.replace("User(\"", "").replace("\")", "");
            match all.last_mut().filter(|last| last.0 == author) {
                Some(last) => last.1.push_str(&text),
                None => all.push((author, text)),
            }
        }
        all
    }

    fn check(&self, expected: &[(&str, &str)]) {
        let authors = self.authors();
        let authors: Vec<(&str, &str)> =
            authors.iter().map(|(author, text)| (author.as_str(), text.as_str())).collect();
        assert_eq!(authors, expected);
    }

    /// A paragraph or another block with a text.
    fn block(&mut self, author: &str, tag: &str, text: &str) -> XmlTextRef {
        let xml = self.doc.get_or_insert_xml_fragment("xml");
        self.edit(author, |_, txn| new_block(&xml, txn, tag, text))
    }

    fn xml(&self) -> XmlFragmentRef {
        self.doc.get_or_insert_xml_fragment("xml")
    }
}

fn new_block(xml: &XmlFragmentRef, txn: &mut TransactionMut, tag: &str, text: &str) -> XmlTextRef {
    let at = xml.len(txn);
    let block = xml.insert(txn, at, XmlElementPrelim::empty(tag));
    block.push_back(txn, XmlTextPrelim::new(text))
}

#[test]
fn a_split_paragraph_keeps_its_author() {
    let mut scene = Scene::new();
    let text = scene.block("bo", "paragraph", "One. Two.");
    let xml = scene.xml();
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 4, 5);
        new_block(&xml, txn, "paragraph", " Two.");
    });
    scene.check(&[("bo", "One. Two.")]);
    // Two letters are enough where they are all there is.
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 2, 2);
        new_block(&xml, txn, "paragraph", "e.");
    });
    scene.check(&[("bo", "On Two.e.")]);
}

#[test]
fn a_heading_made_of_a_paragraph_keeps_its_authors() {
    let mut scene = Scene::new();
    let text = scene.block("bo", "paragraph", "The house");
    scene.edit("cy", |_, txn| text.insert(txn, 4, "red "));
    let xml = scene.xml();
    scene.edit("ann", |_, txn| {
        xml.remove_range(txn, 0, 1);
        new_block(&xml, txn, "heading", "The red house");
    });
    scene.check(&[("bo", "The "), ("cy", "red "), ("bo", "house")]);
}

#[test]
fn items_of_a_list_keep_their_authors_when_the_list_is_made_anew() {
    let mut scene = Scene::new();
    scene.block("bo", "item", "Milk");
    scene.block("cy", "item", "Milk and bread");
    scene.block("ann", "item", "Tea");
    let xml = scene.xml();
    scene.edit("dee", |_, txn| {
        xml.remove_range(txn, 0, 3);
        for text in ["Milk", "Milk and bread", "Tea", "Salt"] {
            new_block(&xml, txn, "task", text);
        }
    });
    scene.check(&[("bo", "Milk"), ("cy", "Milk and bread"), ("ann", "Tea"), ("dee", "Salt")]);
}

#[test]
fn the_longest_common_run_decides() {
    let mut scene = Scene::new();
    scene.block("bo", "paragraph", "The end");
    scene.block("cy", "paragraph", "and The end of the story");
    let xml = scene.xml();
    scene.edit("ann", |_, txn| {
        xml.remove_range(txn, 0, 2);
        new_block(&xml, txn, "paragraph", "The end of the story");
    });
    scene.check(&[("cy", "The end of the story")]);
}

#[test]
fn a_run_that_is_moved_keeps_its_author() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    scene.edit("bo", |_, txn| text.insert(txn, 0, "first second third "));
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 6, 7);
        text.insert(txn, 12, "and second ");
    });
    scene.check(&[("bo", "first third "), ("ann", "and "), ("bo", "second ")]);
}

#[test]
fn a_new_sentence_owes_nothing_to_the_old_one() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    scene.edit("bo", |_, txn| text.insert(txn, 0, "over the hills"));
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 0, 14);
        text.insert(txn, 0, "into the woods");
    });
    scene.check(&[("ann", "into the woods")]);
}

#[test]
fn an_undo_gives_text_back_to_whom_it_belonged() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    for (at, letter) in "Bo was here".chars().enumerate() {
        scene.edit("bo", |_, txn| text.insert(txn, at as u32, &letter.to_string()));
    }
    let mut undo = UndoManager::new();
    undo.expand_scope(&scene.doc, &text);
    scene.edit("ann", |_, txn| text.remove_range(txn, 3, 8));
    scene.check(&[("bo", "Bo ")]);
    let before = scene.doc.transact().state_vector();
    assert!(undo.undo_blocking());
    let update = scene.doc.transact().encode_diff_v1(&before);
    scene.note("ann", update);
    scene.check(&[("bo", "Bo was here")]);
}

#[test]
fn pairs_of_surrogates_are_not_shared_between_authors() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    // The two faces begin with the same half.
    scene.edit("bo", |_, txn| text.insert(txn, 0, "abcd😀"));
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 0, 6);
        text.insert(txn, 0, "abcd😁");
    });
    scene.check(&[("bo", "abcd"), ("ann", "😁")]);
}

#[test]
fn without_a_login_the_connection_is_the_author() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    scene.edit("", |_, txn| text.insert(txn, 0, "a"));
    scene.rows[0].author = None;
    let past = past(&scene.rows);
    assert_eq!(past.spans(Seq(1), None)[0].author, Author::Connection(ConnectionId(1)));
}

#[test]
fn changes_say_who_deleted_and_who_inserted() {
    let mut scene = Scene::new();
    let text = scene.block("bo", "paragraph", "The old house");
    scene.edit("ann", |_, txn| text.remove_range(txn, 4, 4));
    scene.edit("cy", |_, txn| text.insert(txn, 4, "new "));
    let past = past(&scene.rows);
    let changes = past.changes(Seq(1), Seq(3), None);
    let shown: Vec<_> =
        changes.iter().map(|c| (c.kind, c.text.as_str(), c.author.clone())).collect();
    let user = |name: &str| Some(Author::User(name.into()));
    assert_eq!(
        shown,
        [
            (ChangeKind::Kept, "The ", None),
            (ChangeKind::Deleted, "old ", user("ann")),
            (ChangeKind::Inserted, "new ", user("cy")),
            (ChangeKind::Kept, "house", None),
        ]
    );
    assert!(past.changes(Seq(3), Seq(3), None).iter().all(|c| c.kind == ChangeKind::Kept));
}

#[test]
fn a_split_paragraph_is_not_a_change_of_words() {
    let mut scene = Scene::new();
    let text = scene.block("bo", "paragraph", "One. Two.");
    let xml = scene.xml();
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 4, 5);
        new_block(&xml, txn, "paragraph", " Two.");
    });
    let changes = past(&scene.rows).changes(Seq(1), Seq(2), None);
    let shown: Vec<_> = changes.iter().map(|c| (c.kind, c.text.as_str())).collect();
    let expected =
        [(ChangeKind::Kept, "One."), (ChangeKind::Inserted, "\n"), (ChangeKind::Kept, " Two.")];
    assert_eq!(shown, expected);
}

#[test]
fn words_that_are_typed_again_are_kept_at_both_ends() {
    let mut scene = Scene::new();
    let text = scene.doc.get_or_insert_text("text");
    scene.edit("bo", |_, txn| text.insert(txn, 0, "their old house"));
    scene.edit("ann", |_, txn| {
        text.remove_range(txn, 0, 15);
        text.insert(txn, 0, "their new house");
    });
    let changes = past(&scene.rows).changes(Seq(1), Seq(2), None);
    let shown: Vec<_> = changes.iter().map(|c| (c.kind, c.text.as_str())).collect();
    let expected = [
        (ChangeKind::Kept, "their "),
        (ChangeKind::Deleted, "old"),
        (ChangeKind::Inserted, "new"),
        (ChangeKind::Kept, " house"),
    ];
    assert_eq!(shown, expected);
}
