//! Paragraphs as the editor of a page writes them: what an editor does not know it removes, or stops at.

use yrs::branch::Branch;
use yrs::{
    Any, BranchID, Map, MapPrelim, Text, TransactionMut, Xml, XmlElementPrelim, XmlElementRef,
    XmlFragment, XmlFragmentRef, XmlOut, XmlTextPrelim,
};

/// Whose page it is, told from what is in it.
enum Editor {
    /// Tiptap and other editors on ProseMirror: elements, right on the page.
    ProseMirror,
    /// BlockNote: one group on the page, in it a container with an id of its own for each block.
    BlockNote(XmlElementRef),
    /// Lexical: texts that have a `__type`, in them a map before each run of text.
    Lexical,
}

/// Puts a paragraph for each line behind what is on the page.
pub(super) fn append(txn: &mut TransactionMut<'_>, page: &XmlFragmentRef, lines: &[String]) {
    match editor_of(txn, page) {
        Editor::ProseMirror => {
            for line in lines {
                page.push_back(txn, paragraph(line));
            }
        }
        Editor::BlockNote(group) => {
            for line in lines {
                append_block(txn, &group, line);
            }
        }
        Editor::Lexical => {
            for line in lines {
                append_text(txn, page, line);
            }
        }
    }
}

fn editor_of(txn: &TransactionMut<'_>, page: &XmlFragmentRef) -> Editor {
    match page.children(txn).next() {
        Some(XmlOut::Element(group)) if &**group.tag() == "blockGroup" => Editor::BlockNote(group),
        Some(XmlOut::Text(text)) if text.get_attribute(txn, "__type").is_some() => Editor::Lexical,
        _ => Editor::ProseMirror,
    }
}

fn paragraph(line: &str) -> XmlElementPrelim {
    XmlElementPrelim::new("paragraph", [XmlTextPrelim::new(line).into()])
}

fn append_block(txn: &mut TransactionMut<'_>, group: &XmlElementRef, line: &str) {
    let container = group.push_back(txn, XmlElementPrelim::empty("blockContainer"));
    container.insert_attribute(txn, "id", id_of(&container));
    let block = container.push_back(txn, paragraph(line));
    for (name, value) in
        [("backgroundColor", "default"), ("textColor", "default"), ("textAlignment", "left")]
    {
        block.insert_attribute(txn, name, value);
    }
}

/// An id that no other block has: the place of the block in the CRDT.
fn id_of(block: &XmlElementRef) -> String {
    let branch: &Branch = block.as_ref();
    match branch.id() {
        BranchID::Nested(id) => format!("{}-{}", id.client, id.clock),
        BranchID::Root(name) => name.to_string(),
    }
}

fn append_text(txn: &mut TransactionMut<'_>, page: &XmlFragmentRef, line: &str) {
    let block = page.push_back(txn, XmlTextPrelim::new(""));
    block.insert_attribute(txn, "__type", "paragraph");
    if !line.is_empty() {
        let run = block.insert_embed(txn, 0, MapPrelim::default());
        // One after the other: of the same document the same edit is made each time.
        for (name, value) in
            [("__type", Any::from("text")), ("__format", 0.into()), ("__style", "".into())]
        {
            run.insert(txn, name, value);
        }
        block.insert(txn, 1, line);
    }
}
