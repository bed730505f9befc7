//! One live document.
//!
//! [`core`] is a pure state machine: what happens goes in as an [`input::Input`], what has to be
//! done comes out as [`input::Effect`]s. It has no clock, no I/O and no actix, so that a seed can
//! drive thousands of them in a test. [`actor`] is the thin shell around it.

pub mod actor;
mod carry;
pub mod core;
mod flush;
mod held;
pub mod input;
pub mod lineage;
pub mod load;
mod member;
mod opening;
mod pace;
mod presence;
pub mod purge;
pub mod tap;
mod truth;
mod unseen;
