//! The command line of Rekindle.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::exit::Kind;

mod backend;
mod cli;
mod compare;
mod data;
mod devices;
mod display;
mod engine;
mod exit;
mod experiment;
mod features;
mod files;
mod fill_mask;
mod host_url;
mod hosts_page;
mod interrupt;
mod model;
mod predict;
mod pretrain;
mod remote;
mod text;
mod token;
mod vocab;

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

fn main() -> ExitCode {
    let began = Instant::now();
    rekindle::allocator::keep_pages();
    let cli = cli::Cli::parse();
    let result = match &cli.command {
        cli::Command::Data(args) => data::run(args),
        cli::Command::Experiment(args) => experiment::run(args, began),
        cli::Command::Predict(args) => args.engine.backend.guard(|| predict::run(args)),
        cli::Command::Vocab(args) => vocab::run(args),
        cli::Command::Pretrain(args) => args.engine.backend.guard(|| pretrain::run(args, began)),
        cli::Command::FillMask(args) => args.engine.backend.guard(|| fill_mask::run(args)),
        cli::Command::Features(args) => args.engine.backend.guard(|| features::run(args, began)),
        cli::Command::Compare(args) => compare::run(args),
        cli::Command::Devices(args) => devices::run(args),
        cli::Command::Host(args) => remote::serve(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as with `| head`.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            let kind = exit::kind(error.as_ref());
            match kind {
                Kind::Interrupted => anstream::eprintln!("{error}"),
                _ => anstream::eprintln!("\x1b[1;31merror:\x1b[0m {error}"),
            }
            ExitCode::from(kind as u8)
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let kind = match (error.downcast_ref::<std::io::Error>(), error.downcast_ref::<serde_json::Error>()) {
        (Some(error), _) => Some(error.kind()),
        (_, Some(error)) => error.io_error_kind(),
        _ => None,
    };
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
