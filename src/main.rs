//! Arguments to command.

use clap::Parser;
use coscribe::cli::{self, Cli};

fn main() -> std::process::ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("coscribe: {e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
