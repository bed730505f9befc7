//! The CRDT: what an update may look like, and the replica that integrates it.
//!
//! The only room that names yrs. Nothing here knows about sessions, logs or time.

mod append;
mod depth;
mod desk;
mod everything;
pub mod lint;
pub mod pack;
mod past;
#[cfg(test)]
mod people;
mod replica;
mod reshape;
mod revert;
mod roles;
mod state_vector;
mod typist;
mod whole;

pub use append::{Page, append_lines, has_edit_of};
pub use desk::{BeyondTheEnd, Desk};
pub use everything::everything_to_json;
pub use lint::{LintLimits, Place, Span as Clocks, Summary};
pub use past::{
    Author, Carried, Carry, Change, ChangeKind, Edit, Hint, Kept, Past, PastError, Seen, Span, Why,
    to_json,
};
pub use replica::{
    Broken, Fingerprint, Integrated, Linted, Replica, RestoreError, Verdict, merged,
};
pub use reshape::{ReshapeError, Reshaped, reshape};
pub use revert::{RevertError, Reverted, revert};
pub use state_vector::StateVector;
pub use typist::Typist;
pub use whole::{Preview, Whole};
