//! The levels, from nothing to writing.

use serde::{Deserialize, Serialize};

/// What somebody may do in a document. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not even learn whether it exists.
    None,
    /// Read it, and show a cursor.
    Read,
    /// Change it.
    Write,
}
