//! The command line of Rekindle.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

mod backend;
mod cli;
mod display;
mod experiment;
mod model;
mod text;

/// Burn returns the memory of every intermediate tensor; this allocator keeps it warm where the system's gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let began = Instant::now();
    let cli = cli::Cli::parse();
    let result = match &cli.command {
        cli::Command::Experiment(args) => experiment::run(args, began),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror:\x1b[0m {error}");
            ExitCode::FAILURE
        }
    }
}
