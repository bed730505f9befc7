//! Arguments to command.

use clap::Parser;
use coscribe::cli::{self, Cli};

/// Memory goes back to the system after a crowd has left.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("coscribe: {e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
