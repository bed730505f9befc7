//! The past of documents: packed, thinned, read again.
//!
//! The log is never changed by what is read here. What is packed stands for exactly the rows that it
//! took the place of; only thinning, by a policy that somebody has set, lets anything go.

mod archive;
mod audit;
mod packer;
mod retention;
mod timeline;

pub use archive::{Archive, HistoryError};
pub use audit::audit;
pub use packer::{PackerError, Packing, SEGMENT_ROWS_MAX, pack_document, start as start_packing};
pub use retention::{Policy, ThinError, Thinning, each_document, keep_thinning, thin};
pub use timeline::{Burst, timeline};
