//! coscribe: people write together, every edit is kept.
//!
//! One way through: bytes in → decode (`wire`) → document actor (`document`) → log (`store`) →
//! fan-out (`fanout`) → bytes out (`session`). `ARCHITECTURE.md` follows one keystroke along it.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crdt;
pub mod document;
pub mod fanout;
pub mod history;
pub mod http;
pub mod hub;
pub mod id;
pub mod level;
pub mod metrics;
pub mod recording;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod wire;
