//! Makes a document what it was, by an edit: nothing is taken back, everybody just receives one more
//! update.
//!
//! Both states are read as trees. What is in both stays untouched, so that what people do to it at
//! this moment is kept: the same items first (they are found by their ids), then what has equal
//! content, then elements of one name, which are reshaped in turn. The rest is deleted, and made
//! again from the past.
//!
//! The rule that must hold: the update is handed out only after its result has been read and found
//! equal to the past. Subdocuments are documents of their own: those that are in the live document
//! stay, no other ones are brought back.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use yrs::branch::BranchPtr;
use yrs::types::text::YChange;
use yrs::{Any, Array, ArrayRef, ClientID, Out, ReadTxn, Text, TextRef, TransactionMut};

use super::replica::Replica;
use edit::Editor;
use tree::{Node, TreeReader};

mod align;
mod edit;
mod matching;
mod tree;

/// How a document becomes what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshaped {
    /// A Yjs v1 update for the live document; `None` if it has that content already.
    pub update: Option<Bytes>,
    /// References to subdocuments in both states, which were left as they are.
    pub subdocuments: usize,
}

/// Why a document cannot be reshaped.
#[derive(Debug, Error)]
pub enum ReshapeError {
    /// The live document cannot be read.
    #[error("the live document cannot be read: {0}")]
    Live(String),
    /// The past state cannot be read.
    #[error("the past state cannot be read: {0}")]
    Past(String),
    /// The client id is taken, or no client id. Another one will do.
    #[error("client id {0} cannot be used for the edit")]
    Client(u64),
    /// One of them holds something that no edit can make.
    #[error("the document cannot be made what it was: {0}")]
    Impossible(String),
}

/// Client ids end here.
const CLIENT_END: u64 = 1 << 53;

/// Makes the edit after which the content of `live` equals that of `past`.
///
/// Both are full states as Yjs v1 updates; `client` is the client id of the edit, drawn at random.
/// The update fits every later state of the live document. Cost: linear in both states where they
/// have a history in common, bounded where they have not: 50 ms for a text of 100,000 characters
/// that is half rewritten. An embedded value that is a bare string cannot be told from characters:
/// it comes back as such, or the document is refused.
///
/// # Errors
/// [`ReshapeError`] says what does not fit.
pub fn reshape(live: &[u8], past: &[u8], client: u64) -> Result<Reshaped, ReshapeError> {
    if client >= CLIENT_END {
        return Err(ReshapeError::Client(client));
    }
    let live = Replica::scratch(live, client).map_err(ReshapeError::Live)?;
    let past = Replica::scratch(past, client).map_err(ReshapeError::Past)?;
    if live.clock(client) > 0 {
        return Err(ReshapeError::Client(client));
    }
    past.use_up(|past| live.use_up(|live| reshape_document(live, past, client)))
        .map_err(ReshapeError::Impossible)
}

fn reshape_document(
    live: &mut TransactionMut<'_>,
    past: &mut TransactionMut<'_>,
    client: u64,
) -> Result<Reshaped, String> {
    let mut arrays = array_roots(live);
    arrays.append(&mut array_roots(past));
    let keys = RandomState::new();
    let mut reader = TreeReader { keys: &keys, subdocuments: 0 };
    let wanted = reader.read_roots(past, &arrays)?;
    let found = reader.read_roots(live, &arrays)?;
    let subdocuments = reader.subdocuments;

    let mut editor = Editor::new(live, past);
    for (name, found) in &found {
        match wanted.get(name) {
            Some(wanted) => editor.reshape(found.branch, Some(found), wanted)?,
            None => editor.reshape(found.branch, Some(found), &Node::empty(found.branch))?,
        }
    }
    for (name, wanted) in wanted.iter().filter(|(name, _)| !found.contains_key(*name)) {
        editor.make_root(name, wanted)?;
    }
    if !editor.keeps_subdocuments {
        check(live, &wanted, &arrays, &keys)?;
    }
    let is_changed = live.state_vector().get(&ClientID::new(client)) > 0
        || live.delete_set().iter().next().is_some();
    let update = is_changed.then(|| live.encode_update_v1().into());
    Ok(Reshaped { update, subdocuments })
}

/// Names of the types that hold plain values or subdocuments in their list, which no text does. The
/// bytes do not tell what a named type is declared as.
pub(super) fn array_roots<T: ReadTxn>(txn: &T) -> BTreeSet<Arc<str>> {
    let roots = txn.root_refs().filter(|(_, root)| {
        let Some(branch) = root.try_branch().map(BranchPtr::from) else {
            return false;
        };
        // As a text, what no text holds is passed over.
        let pieces = TextRef::from(branch).diff(txn, YChange::identity);
        let seen = pieces.into_iter().map(|piece| match piece.insert {
            Out::Any(Any::String(run)) => run.encode_utf16().count(),
            _ => 1,
        });
        seen.sum::<usize>() < ArrayRef::from(branch).len(txn) as usize
    });
    roots.map(|(name, _)| name.into()).collect()
}

/// Compares what the edit has made with what it should have.
fn check(
    live: &TransactionMut<'_>,
    wanted: &BTreeMap<Arc<str>, Node>,
    arrays: &BTreeSet<Arc<str>>,
    keys: &RandomState,
) -> Result<(), String> {
    let made = TreeReader { keys, subdocuments: 0 }.read_roots(live, arrays)?;
    for (name, made) in &made {
        let is_equal = match wanted.get(name) {
            Some(wanted) => made.hash == wanted.hash,
            None => made.is_empty(),
        };
        if !is_equal {
            return Err("the edit did not bring its content back".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
