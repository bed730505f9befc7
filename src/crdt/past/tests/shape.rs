//! Plain text and JSON of documents as editors write them.

use serde_json::json;

use super::*;

/// What somebody writes in one go, as a past of one row.
fn written(edit: impl FnOnce(&Doc, &mut TransactionMut)) -> Past {
    let doc = Doc::with_client_id(1);
    // Declared first: a transaction is in the way of a new root.
    doc.get_or_insert_xml_fragment("doc");
    let mut txn = doc.transact_mut();
    edit(&doc, &mut txn);
    past(&[row(1, "ann", txn.encode_update_v1())])
}

/// Writes elements given as `tag(children)`, and texts in quotes.
fn put(parent: &impl XmlFragment, txn: &mut TransactionMut, tree: &Tree) {
    let at = parent.len(txn);
    match tree {
        Tree::Text(text) => drop(parent.insert(txn, at, XmlTextPrelim::new(*text))),
        Tree::Node(tag, children) => {
            let element = parent.insert(txn, at, XmlElementPrelim::empty(*tag));
            children.iter().for_each(|child| put(&element, txn, child));
        }
    }
}

enum Tree {
    Text(&'static str),
    Node(&'static str, Vec<Tree>),
}

fn node(tag: &'static str, children: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::Node(tag, children.into_iter().collect())
}

fn words(text: &'static str) -> Tree {
    Tree::Text(text)
}

fn text_of_tree(trees: &[Tree]) -> String {
    let past = written(|_, txn| {
        let root = txn.get_or_insert_xml_fragment("doc");
        trees.iter().for_each(|tree| put(&root, txn, tree));
    });
    past.text(Seq(1), Some("doc"))
}

#[test]
fn each_innermost_block_is_a_line() {
    let item = |text| node("listItem", [node("paragraph", [words(text)])]);
    let document = [
        node("heading", [words("Shopping")]),
        node("bulletList", [item("milk"), item("tea")]),
        node("paragraph", []),
        node("blockquote", [node("paragraph", [words("so he said")])]),
    ];
    assert_eq!(text_of_tree(&document), "Shopping\nmilk\ntea\n\nso he said");
}

#[test]
fn cells_of_a_row_are_set_apart_by_tabs() {
    let cell = |text| node("tableCell", [node("paragraph", [words(text)])]);
    let tall = node("tableCell", [node("p", [words("c")]), node("p", [words("d")])]);
    let document = [
        node(
            "table",
            [node("tableRow", [cell("a"), cell("b")]), node("tableRow", [tall, cell("e")])],
        ),
        node("paragraph", [words("end")]),
    ];
    assert_eq!(text_of_tree(&document), "a\tb\nc\nd\te\nend");
}

#[test]
fn what_is_inline_does_not_end_a_line() {
    let document = [
        node("paragraph", [words("one"), node("hardBreak", []), words("two")]),
        node("paragraph", [words("with "), node("custom", [words("inside")]), words(".")]),
        node("paragraph", [node("mention", [])]),
    ];
    assert_eq!(text_of_tree(&document), "one\ntwo\nwith inside.\n");
}

#[test]
fn the_elements_of_lexical_are_read_as_lines() {
    let past = written(|_, txn| {
        let root = txn.get_or_insert_text("root");
        for (name, text) in [("heading", "Title"), ("paragraph", "Words and a ")] {
            let at = root.len(txn);
            let block = root.insert_embed(txn, at, XmlTextPrelim::new(text));
            block.insert_attribute(txn, "__type", name);
            if name == "paragraph" {
                let link = block.insert_embed(txn, 12, XmlTextPrelim::new("link"));
                link.insert_attribute(txn, "__type", "link");
                let line = block.insert_embed(txn, 13, MapPrelim::default());
                line.insert(txn, "__type", "linebreak");
                block.insert(txn, 14, "after it");
            }
        }
    });
    assert_eq!(past.text(Seq(1), None), "Title\nWords and a link\nafter it");
}

#[test]
fn a_document_as_json() {
    let past = written(|_, txn| {
        let root = txn.get_or_insert_xml_fragment("doc");
        let block = root.insert(txn, 0, XmlElementPrelim::empty("heading"));
        block.insert_attribute(txn, "level", 2);
        let text = block.push_back(txn, XmlTextPrelim::new("so bold it is"));
        text.format(txn, 3, 4, yrs::types::Attrs::from([("bold".into(), Any::from(true))]));
        block.push_back(txn, XmlElementPrelim::empty("hardBreak"));
        let map = txn.get_or_insert_map("map");
        map.insert(txn, "a", "former");
        map.insert(txn, "a", "now");
        map.insert(txn, "gone", 1);
        map.remove(txn, "gone");
        map.insert(txn, "list", ArrayPrelim::from([1, 2]));
        txn.get_or_insert_text("text").insert(txn, 0, "plain");
    });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let bold = json!({ "type": "text", "text": "bold", "marks": [{ "type": "bold" }] });
    let expected = json!({
        "doc": { "type": "doc", "content": [{
            "type": "heading",
            "attrs": { "level": 2 },
            "content": [text("so "), bold, text(" it is"), { "type": "hardBreak" }],
        }] },
        "map": { "a": "now", "list": [1, 2] },
        "text": "plain",
    });
    let numbers_alike = |value: serde_json::Value| value.to_string().replace(".0", "");
    assert_eq!(numbers_alike(past.json(Seq(1))), numbers_alike(expected));
    assert_eq!(past.json(Seq(0)), json!({}));
}

#[test]
fn json_of_an_update_is_that_of_its_document() {
    for seed in 0..20 {
        let rows = rows_of(seed);
        let replay = Editor::new(99);
        rows.iter().for_each(|row| replay.hear(&row.bytes));
        let past = past(&rows);
        let expected = past.json(past.last());
        // Roots whose content is all gone are not told apart any more.
        let state = to_json(&replay.state()).expect("a whole state");
        let roots = state.as_object().expect("roots by name").iter();
        for (name, value) in roots.filter(|(_, value)| **value != json!([])) {
            assert_eq!(*value, expected[name], "seed {seed}, root {name}");
        }
    }
}

#[test]
fn the_deepest_document_is_read_on_a_small_stack() {
    let deep = |levels| {
        let doc = Doc::with_client_id(1);
        let root = doc.get_or_insert_xml_fragment("doc");
        let mut txn = doc.transact_mut();
        let mut element = root.insert(&mut txn, 0, XmlElementPrelim::empty("block"));
        for _ in 1..levels {
            element = element.insert(&mut txn, 0, XmlElementPrelim::empty("block"));
        }
        let update = txn.encode_update_v1();
        let mut past = Past::new();
        past.extend(&[row(1, "ann", update)]).map(|()| past)
    };
    let past = deep(512).expect("as deep as a replica lets in");
    assert_eq!(past.text(Seq(1), None), "");
    assert_eq!(past.changes(Seq(0), Seq(1), None), []);
    assert!(past.json(Seq(1)).to_string().len() > 512);
    assert_eq!(deep(513).expect_err("too deep").seq, Seq(1));
}
