//! What a document holds, read once: shared types with their entries and their list, and a hash of
//! each by which equal ones are found.
//!
//! Every shared type has both parts, whatever it is called: the attributes of an element and the
//! keys of a map are entries; characters, children and elements of an array are the list.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use yrs::branch::BranchPtr;
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::{
    Any, Array, ArrayRef, BranchID, ID, Map, MapRef, Number, Out, ReadTxn, Text as _, TextRef,
};

use crate::crdt::replica::DEPTH_MAX;

/// What a shared type is; two of different kinds never become each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Root,
    Text,
    Array,
    Map,
    Element(Arc<str>),
    Fragment,
    XmlText,
}

/// A shared type.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// In the document that it was read from; valid in the transaction in which it was read.
    pub(super) branch: BranchPtr,
    pub(super) entries: BTreeMap<Arc<str>, Value>,
    pub(super) list: List,
    pub(super) hash: u64,
}

/// The ordered part of a shared type.
pub(super) enum List {
    /// Characters, embedded values, shared types.
    Text(Text),
    /// Plain values, shared types, subdocuments.
    Array(Vec<Value>),
}

/// Something in a list or under a key.
pub(super) enum Value {
    Plain(Any, u64),
    Shared(Box<Node>),
    /// Counted only.
    Subdocument,
}

/// A list of characters and what lies among them.
#[derive(Default)]
pub(super) struct Text {
    /// UTF-16; [`EMBED`] where something else than a character is.
    pub(super) units: Vec<u16>,
    /// Ascending by place.
    pub(super) embeds: Vec<(usize, Value)>,
    /// Where each run of one format starts; ascending, the first at 0.
    pub(super) formats: Vec<(usize, Attrs)>,
}

/// Stands in a text for what is no character; a character of this value may be there as well.
pub(super) const EMBED: u16 = 0xfffc;

impl Value {
    pub(super) fn hash(&self) -> u64 {
        match self {
            Value::Plain(_, hash) => *hash,
            Value::Shared(node) => node.hash,
            Value::Subdocument => 0,
        }
    }

    pub(super) fn node(&self) -> Option<&Node> {
        match self {
            Value::Shared(node) => Some(node),
            Value::Plain(..) | Value::Subdocument => None,
        }
    }
}

impl Node {
    /// Nothing, for a named type that is to be cleared. Its hash is nobody's.
    pub(super) fn empty(branch: BranchPtr) -> Self {
        let list = List::Text(Text::default());
        Node { kind: Kind::Root, branch, entries: BTreeMap::new(), list, hash: 0 }
    }

    /// Whether nothing is in it; subdocuments do not count.
    pub(super) fn is_empty(&self) -> bool {
        let is_subdocument = |value: &Value| matches!(value, Value::Subdocument);
        self.entries.values().all(is_subdocument)
            && match &self.list {
                List::Text(text) => text.units.is_empty(),
                List::Array(values) => values.iter().all(is_subdocument),
            }
    }

    /// The item that the shared type is; a root is none.
    pub(super) fn id(&self) -> Option<ID> {
        match self.branch.id() {
            BranchID::Nested(id) => Some(id),
            BranchID::Root(_) => None,
        }
    }
}

impl Text {
    /// Reads a text; `read_embed` makes of it what is no character.
    ///
    /// # Errors
    /// Those of `read_embed`.
    pub(super) fn read<T: ReadTxn>(
        txn: &T,
        branch: BranchPtr,
        mut read_embed: impl FnMut(Out) -> Result<Value, String>,
    ) -> Result<Text, String> {
        let mut text = Text::default();
        for piece in TextRef::from(branch).diff(txn, YChange::identity) {
            let at = text.units.len();
            let format = piece.attributes.map(|format| *format).unwrap_or_default();
            if text.formats.last().is_none_or(|(_, before)| *before != format) {
                text.formats.push((at, format));
            }
            match piece.insert {
                Out::Any(Any::String(run)) => text.units.extend(run.encode_utf16()),
                embed => {
                    text.embeds.push((at, read_embed(embed)?));
                    text.units.push(EMBED);
                }
            }
        }
        Ok(text)
    }

    pub(super) fn embed(&self, at: usize) -> Option<&Value> {
        let found = self.embeds.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        Some(&self.embeds[found].1)
    }

    /// The format at a place that is in the text, and where its run ends.
    pub(super) fn format(&self, at: usize) -> (&Attrs, usize) {
        let next = self.formats.partition_point(|(start, _)| *start <= at);
        let end = self.formats.get(next).map_or(self.units.len(), |(start, _)| *start);
        (&self.formats[next - 1].1, end)
    }
}

/// Reads shared types. Hashes of two readers can be compared if they were made with one `keys`.
pub(super) struct TreeReader<'a> {
    pub(super) keys: &'a RandomState,
    pub(super) subdocuments: usize,
}

impl TreeReader<'_> {
    /// Reads all named types, those in `arrays` as lists of values.
    ///
    /// # Errors
    /// The document holds what cannot be read, or is nested too deep.
    pub(super) fn read_roots<T: ReadTxn>(
        &mut self,
        txn: &T,
        arrays: &BTreeSet<Arc<str>>,
    ) -> Result<BTreeMap<Arc<str>, Node>, String> {
        let mut roots = BTreeMap::new();
        for (name, root) in txn.root_refs() {
            let branch = branch_of(&root)?;
            let node = self.read(txn, branch, Kind::Root, arrays.contains(name), 0)?;
            roots.insert(name.into(), node);
        }
        Ok(roots)
    }

    fn read<T: ReadTxn>(
        &mut self,
        txn: &T,
        branch: BranchPtr,
        kind: Kind,
        is_array: bool,
        depth: u32,
    ) -> Result<Node, String> {
        if depth > DEPTH_MAX {
            return Err(format!("elements nested deeper than {DEPTH_MAX}"));
        }
        let mut entries = BTreeMap::new();
        for (key, value) in MapRef::from(branch).iter(txn) {
            entries.insert(key.into(), self.value(txn, value, depth)?);
        }
        let list = if is_array {
            let values = ArrayRef::from(branch);
            let values = values.iter(txn).map(|value| self.value(txn, value, depth));
            List::Array(values.collect::<Result<_, _>>()?)
        } else {
            List::Text(Text::read(txn, branch, |embed| self.value(txn, embed, depth))?)
        };
        let hash = self.hash(&kind, &entries, &list);
        Ok(Node { kind, branch, entries, list, hash })
    }

    fn value<T: ReadTxn>(&mut self, txn: &T, value: Out, depth: u32) -> Result<Value, String> {
        let kind = match &value {
            Out::Any(plain) => {
                let mut hasher = self.keys.build_hasher();
                hash_any(plain, &mut hasher);
                return Ok(Value::Plain(plain.clone(), hasher.finish()));
            }
            Out::YDoc(_) => {
                self.subdocuments += 1;
                return Ok(Value::Subdocument);
            }
            Out::YText(_) => Kind::Text,
            Out::YArray(_) => Kind::Array,
            Out::YMap(_) => Kind::Map,
            Out::YXmlElement(element) => {
                Kind::Element(element.try_tag().ok_or("an element without a name")?.clone())
            }
            Out::YXmlFragment(_) => Kind::Fragment,
            Out::YXmlText(_) => Kind::XmlText,
            Out::UndefinedRef(_) => return Err("a shared type of an unknown kind".to_owned()),
        };
        let is_array = matches!(kind, Kind::Array | Kind::Map);
        let branch = branch_of(&value)?;
        Ok(Value::Shared(Box::new(self.read(txn, branch, kind, is_array, depth + 1)?)))
    }

    /// Equal for equal content, however it came about. Subdocuments do not count.
    fn hash(&self, kind: &Kind, entries: &BTreeMap<Arc<str>, Value>, list: &List) -> u64 {
        let mut hasher = self.keys.build_hasher();
        kind.hash(&mut hasher);
        let counted = |value: &&Value| !matches!(value, Value::Subdocument);
        for (key, value) in entries.iter().filter(|(_, value)| counted(value)) {
            (key, value.hash()).hash(&mut hasher);
        }
        // An empty text and an empty array of one name are the same.
        match list {
            List::Text(text) => hash_text(text, &mut hasher),
            List::Array(values) => {
                let values = values.iter().filter(counted);
                values.for_each(|value| value.hash().hash(&mut hasher));
            }
        }
        hasher.finish()
    }
}

/// The shared type that a value is.
pub(super) fn branch_of(value: &Out) -> Result<BranchPtr, String> {
    let branch = value.try_branch().ok_or("a value where a shared type should be")?;
    Ok(BranchPtr::from(branch))
}

fn hash_text(text: &Text, hasher: &mut impl Hasher) {
    for (index, (start, format)) in text.formats.iter().enumerate() {
        let end = text.formats.get(index + 1).map_or(text.units.len(), |(start, _)| *start);
        text.units[*start..end].hash(hasher);
        hash_attributes(format.iter(), hasher);
    }
    for (at, value) in &text.embeds {
        (at, value.hash()).hash(hasher);
    }
}

/// A hash of a plain value; numbers that are equal count as equal however they were written.
fn hash_any(value: &Any, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Any::Null | Any::Undefined => {}
        Any::Bool(value) => value.hash(hasher),
        Any::Number(number) => match number {
            Number::Int(number) => (*number as f64).to_bits().hash(hasher),
            Number::Float(number) => number.to_bits().hash(hasher),
        },
        Any::String(value) => value.hash(hasher),
        Any::Buffer(value) => value.hash(hasher),
        Any::Array(values) => {
            values.len().hash(hasher);
            values.iter().for_each(|value| hash_any(value, hasher));
        }
        Any::Map(entries) => hash_attributes(entries.iter(), hasher),
    }
}

fn hash_attributes<'a, K: Ord + Hash + 'a>(
    entries: impl Iterator<Item = (&'a K, &'a Any)>,
    hasher: &mut impl Hasher,
) {
    let sorted: BTreeMap<&K, &Any> = entries.collect();
    sorted.len().hash(hasher);
    for (key, value) in sorted {
        key.hash(hasher);
        hash_any(value, hasher);
    }
}
