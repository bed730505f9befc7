//! Edits that the server makes itself: what they change is read first, so in one document they take turns.
//! Two restores at once would otherwise each bring back the same text.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::id::DocumentId;

/// Documents share this many turns; two that share one wait for each other, which costs time only.
const TURNS: usize = 256;

/// Whose turn it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Turns(Arc<[Mutex<()>]>);

impl Turns {
    /// Nobody's.
    pub fn new() -> Self {
        Self((0..TURNS).map(|_| Mutex::new(())).collect())
    }

    /// Waits for the turn of a document. It is over when what is returned is dropped.
    pub async fn of(&self, document: &DocumentId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        self.0[hasher.finish() as usize % TURNS].lock().await
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}
