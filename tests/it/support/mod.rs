//! The server under test and the clients that talk to it.

mod database;
mod editor;
mod office;
mod program;
mod server;
mod socket;
pub mod wire;

use std::time::Duration;

pub use database::{Database, Table};
pub use editor::Editor;
pub use office::Office;
pub use program::Program;
pub use server::{Answer, Home, Server};
pub use socket::{Event, Socket};
pub use wire::Dialect;

/// Ends a wait that will never be over; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `work`, and fails the test when it takes for ever.
pub async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}
