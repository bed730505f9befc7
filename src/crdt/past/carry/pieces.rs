//! What is written again: content without a place.

use std::sync::Arc;

use yrs::Any;

use super::super::decode::TypeKind;
use super::super::items::{Content, Id, NONE};
use super::super::walk::BREAKS;
use super::ground::Ground;
use super::orphans::Run;

/// Something to be written.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Format(Arc<str>, Any),
    Embed(Any),
    Values(Vec<Any>),
    Type { kind: TypeKind, tag: Arc<str>, entries: Vec<(Arc<str>, Piece)>, inside: Vec<Piece> },
}

impl Ground<'_> {
    /// The content of a run; of a line of code nothing but letters.
    pub(super) fn pieces(&self, run: &Run, is_code: bool) -> Vec<Piece> {
        let pieces: Vec<Piece> = run.items.iter().filter_map(|it| self.piece(*it)).collect();
        if is_code {
            return vec![Piece::Text(text_of(&pieces))];
        }
        closed(pieces)
    }

    /// A copy of an item with what is in it and there.
    pub(super) fn piece(&self, number: u32) -> Option<Piece> {
        self.piece_with(number, &|it| self.item(it).deleted == NONE)
    }

    /// A copy of an item with those things in it that are meant.
    pub(super) fn piece_with(&self, number: u32, is_meant: &dyn Fn(u32) -> bool) -> Option<Piece> {
        let items = &self.past.items;
        let item = self.item(number);
        Some(match item.content {
            Content::Text(at) => {
                let units = items.units(at, item.len).iter().enumerate();
                let id = |skip: usize| Id { clock: item.id.clock + skip as u32, ..item.id };
                let own = units.filter(|(skip, _)| !self.is_elsewhere(item, id(*skip)));
                let own: Vec<u16> = own.map(|(_, unit)| *unit).collect();
                Piece::Text(String::from_utf16_lossy(&own))
            }
            Content::Format(at) => {
                let (key, value) = items.format(at);
                Piece::Format(key.clone(), value.clone())
            }
            Content::Embed(at) => Piece::Embed(items.value(at).clone()),
            Content::Values(at) => {
                Piece::Values((at..at + item.len).map(|at| items.value(at).clone()).collect())
            }
            Content::Type(branch) => {
                let meant = self.children(branch).filter(|it| is_meant(*it));
                let inside = meant.filter_map(|it| self.piece_with(it, is_meant));
                let inside = closed(inside.collect());
                self.shell(branch, inside)
            }
            Content::Gc | Content::Blank => return None,
        })
    }

    /// A type as another one, with its keys and with other things in it.
    pub(super) fn shell(&self, branch: u32, inside: Vec<Piece>) -> Piece {
        let items = &self.past.items;
        let last = |first| items.from(first).last().map(|(number, _)| number);
        let entries = items.entries(branch).filter_map(|(key, first)| {
            let value = self.piece(last(first)?)?;
            Some((key.clone(), value))
        });
        let entries = entries.collect();
        let branch = items.branch(branch);
        Piece::Type { kind: branch.kind, tag: branch.tag.clone(), entries, inside }
    }
}

/// The letters; elements that are lines end with `\n`.
pub(super) fn text_of(pieces: &[Piece]) -> String {
    let mut text = String::new();
    add_text(pieces, &mut text);
    text.trim_end_matches('\n').to_owned()
}

fn add_text(pieces: &[Piece], text: &mut String) {
    for piece in pieces {
        match piece {
            Piece::Text(letters) => text.push_str(letters),
            Piece::Type { tag, .. } if BREAKS.contains(&&**tag) => text.push('\n'),
            Piece::Type { kind, inside, .. } => {
                add_text(inside, text);
                let is_line = *kind == TypeKind::Element;
                if is_line && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
            }
            Piece::Format(..) | Piece::Embed(_) | Piece::Values(_) => {}
        }
    }
}

/// Formats that begin in a run end in it: those around it are not its own.
fn closed(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut open: Vec<Arc<str>> = Vec::new();
    let mut closed = Vec::new();
    for piece in pieces {
        if let Piece::Format(key, value) = &piece {
            let is_open = open.contains(key);
            open.retain(|it| it != key);
            if *value != Any::Null {
                open.push(key.clone());
            } else if !is_open {
                continue;
            }
        }
        closed.push(piece);
    }
    closed.extend(open.into_iter().map(|key| Piece::Format(key, Any::Null)));
    closed
}
