//! What people do to a server, one file for each.

pub mod bigdoc;
pub mod durable;
pub mod fanout;
pub mod idle;
pub mod joiners;
pub mod presence;
pub mod probe;
pub mod saturate;
pub mod slow;

use std::time::Duration;

/// Everybody has joined by then, or the run has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
