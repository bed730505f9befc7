//! A moment of a document as JSON.
//!
//! - A text is a string. An array is an array, a map an object.
//! - XML is nodes as ProseMirror has them: `{"type", "attrs", "content"}` for elements, without what
//!   is empty; `{"type": "text", "text", "marks"}` for runs of equally formatted text, a mark being
//!   `{"type", "attrs"}`; a fragment, or an XML text by itself, is `{"type": "doc", "content"}`.
//! - An embedded value is `{"type": "embed", "value"}`. A text that has attributes of its own, as the
//!   elements of Lexical are, is an element whose type is its `__type`.
//! - Bytes and subdocuments are left out, as is what has no content any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use yrs::Any;

use super::decode::TypeKind;
use super::items::{Content, Item, Items};
use super::walk::{Views, seal};

/// What the hash at the end of a mark's name is after: editors add one where equal marks overlap.
const OVERLAP: &str = "--";
const HASH_LEN: usize = 8;

/// Reads one moment.
pub(super) struct Json<'a> {
    items: &'a Items,
    views: Views,
}

/// The content of an element, as it grows.
#[derive(Default)]
struct Nodes<'a> {
    done: Vec<Value>,
    units: Vec<u16>,
    marks: BTreeMap<&'a Arc<str>, &'a Any>,
}

impl<'a> Json<'a> {
    pub(super) fn new(items: &'a Items, rows: u32) -> Self {
        Self { items, views: Views::one(rows) }
    }

    /// All roots that have, or had, something in them, by name.
    pub(super) fn document(&self) -> Value {
        let root = |(name, branch): (&Arc<str>, u32)| {
            let kind = self.items.kind_of_root(branch)?;
            let mut firsts = self.items.entries(branch).map(|(_, first)| first);
            let is_there = |first| self.seen(first).next().is_some();
            if !is_there(self.items.branch(branch).first) && !firsts.any(is_there) {
                return None;
            }
            Some((name.to_string(), self.branch(branch, kind)))
        };
        Value::Object(self.items.roots().filter_map(root).collect())
    }

    fn branch(&self, branch: u32, kind: TypeKind) -> Value {
        match kind {
            TypeKind::Text => self.text(branch).into(),
            TypeKind::Array => Value::Array(self.array(branch)),
            TypeKind::Map => Value::Object(self.entries(branch)),
            TypeKind::Element => self.element(branch, &self.items.branch(branch).tag),
            TypeKind::XmlText | TypeKind::Fragment => match self.items.text_under(branch, "__type")
            {
                Some(name) => self.element(branch, name),
                None => json!({ "type": "doc", "content": self.content(branch) }),
            },
        }
    }

    /// The items of a list that are there, or were before.
    fn seen(&self, first: u32) -> impl Iterator<Item = &'a Item> {
        let views = self.views;
        self.items.from(first).map(|(_, item)| item).filter(move |item| views.came(item) != 0)
    }

    /// The items of a list that are there.
    fn list(&self, first: u32) -> impl Iterator<Item = &'a Item> {
        let views = self.views;
        self.seen(first).filter(move |item| views.shows(item) != 0)
    }

    fn text(&self, branch: u32) -> String {
        let mut units = Vec::new();
        for item in self.seen(self.items.branch(branch).first) {
            match item.content {
                Content::Text(start) if self.views.shows(item) != 0 => {
                    units.extend_from_slice(self.items.units(start, item.len));
                }
                _ => seal(&mut units),
            }
        }
        String::from_utf16_lossy(&units)
    }

    fn array(&self, branch: u32) -> Vec<Value> {
        self.list(self.items.branch(branch).first).flat_map(|item| self.values(item)).collect()
    }

    fn values(&self, item: &Item) -> Vec<Value> {
        match item.content {
            Content::Values(at) => {
                (at..at + item.len).map(|at| plain(self.items.value(at))).collect()
            }
            Content::Embed(at) => vec![plain(self.items.value(at))],
            Content::Type(inner) => vec![self.branch(inner, self.items.branch(inner).kind)],
            Content::Text(_) | Content::Format(_) | Content::Blank | Content::Gc => Vec::new(),
        }
    }

    fn entries(&self, branch: u32) -> Map<String, Value> {
        let entry = |(key, first): (&Arc<str>, u32)| {
            let value = self.values(self.list(first).last()?).pop()?;
            Some((key.to_string(), value))
        };
        self.items.entries(branch).filter_map(entry).collect()
    }

    fn element(&self, branch: u32, name: &str) -> Value {
        let mut node = Map::from_iter([("type".to_owned(), name.into())]);
        let mut attributes = self.entries(branch);
        if attributes.get("__type").is_some_and(|value| value == name) {
            attributes.remove("__type");
        }
        if !attributes.is_empty() {
            node.insert("attrs".into(), attributes.into());
        }
        let content = self.content(branch);
        if !content.is_empty() {
            node.insert("content".into(), content.into());
        }
        node.into()
    }

    fn content(&self, branch: u32) -> Vec<Value> {
        let mut nodes = Nodes::default();
        self.fill(branch, &mut nodes);
        nodes.close();
        nodes.done
    }

    fn fill(&self, branch: u32, nodes: &mut Nodes<'a>) {
        for item in self.seen(self.items.branch(branch).first) {
            if self.views.shows(item) == 0 {
                seal(&mut nodes.units);
                continue;
            }
            match item.content {
                Content::Text(start) => {
                    nodes.units.extend_from_slice(self.items.units(start, item.len));
                }
                Content::Format(at) => nodes.switch(self.items.format(at)),
                Content::Embed(at) => {
                    let value = plain(self.items.value(at));
                    nodes.add(json!({ "type": "embed", "value": value }));
                }
                Content::Type(inner) => self.fill_type(inner, nodes),
                Content::Values(_) | Content::Blank | Content::Gc => {}
            }
        }
    }

    fn fill_type(&self, branch: u32, nodes: &mut Nodes<'a>) {
        let kind = self.items.branch(branch).kind;
        match kind {
            TypeKind::XmlText if self.items.text_under(branch, "__type").is_none() => {
                // Formats end with their text.
                nodes.close();
                let outer = std::mem::take(&mut nodes.marks);
                self.fill(branch, nodes);
                nodes.close();
                nodes.marks = outer;
            }
            TypeKind::XmlText | TypeKind::Element => nodes.add(self.branch(branch, kind)),
            _ => nodes.add(json!({ "type": "embed", "value": self.branch(branch, kind) })),
        }
    }
}

impl<'a> Nodes<'a> {
    fn add(&mut self, node: Value) {
        self.close();
        self.done.push(node);
    }

    /// Switches a format on or off for what follows.
    fn switch(&mut self, (key, value): &'a (Arc<str>, Any)) {
        self.close();
        match value {
            Any::Null => self.marks.remove(key),
            value => self.marks.insert(key, value),
        };
    }

    /// Ends a run of text.
    fn close(&mut self) {
        let units = std::mem::take(&mut self.units);
        if units.is_empty() {
            return;
        }
        let text = String::from_utf16_lossy(&units);
        let mut node = json!({ "type": "text", "text": text });
        if !self.marks.is_empty() {
            node["marks"] = self.marks.iter().map(|(key, value)| mark(key, value)).collect();
        }
        // Formats that were switched off and on again leave no seam.
        match self.done.last_mut() {
            Some(last) if last["type"] == "text" && last.get("marks") == node.get("marks") => {
                let before = last["text"].as_str().unwrap_or_default();
                last["text"] = format!("{before}{text}").into();
            }
            _ => self.done.push(node),
        }
    }
}

fn mark(key: &str, value: &Any) -> Value {
    let name = match key.rsplit_once(OVERLAP) {
        Some((name, hash)) if hash.len() == HASH_LEN => name,
        _ => key,
    };
    match plain(value) {
        Value::Bool(true) => json!({ "type": name }),
        Value::Object(attributes) if attributes.is_empty() => json!({ "type": name }),
        Value::Object(attributes) => json!({ "type": name, "attrs": attributes }),
        value => json!({ "type": name, "attrs": { "value": value } }),
    }
}

/// A plain value; what JSON cannot say is null.
fn plain(value: &Any) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
