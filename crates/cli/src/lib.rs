//! The command line of Rekindle: [`run`] is the program `rekindle`, and [`command`] describes its options.
//!
//! This library has no stable interface. To use Rekindle from Rust, depend on the crate `rekindle`.
#![deny(missing_docs, missing_debug_implementations)]

use std::process::ExitCode;
use std::time::Instant;

use clap::{ArgAction, CommandFactory, Parser};

use crate::exit::{Failure, Kind};

mod commands;
mod exit;
mod files;
mod interrupt;
mod mistyped;
mod options;
mod terminal;

/// Transfer learning for text classification.
#[derive(Debug, Parser)]
#[command(name = "rekindle", version, propagate_version = true, arg_required_else_help = true)]
// Ours instead: clap's own come first, before what a command can do.
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: commands::Command,
    /// Print help; with -h, one line per option.
    #[arg(long, short, global = true, action = ArgAction::Help, help_heading = "Help")]
    help: Option<bool>,
    /// Print the version.
    #[arg(long, short = 'V', global = true, action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

/// Parses the command line of this process, runs the command, and prints its error.
///
/// The returned code is listed in `rekindle --help`.
#[must_use]
pub fn run() -> ExitCode {
    let began = Instant::now();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return help(&mistyped::improve(error, &Cli::command(), std::env::args())),
    };
    match cli.command.run(began).and_then(|()| Ok(terminal::check_output()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Prints what clap answers itself: help, the version, or what is wrong with the command line.
fn help(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Err(error) if !answer.use_stderr() => report(&error.into()),
        _ => ExitCode::from(answer.exit_code() as u8),
    }
}

/// Prints why the command failed, and returns its exit code.
fn report(failure: &Failure) -> ExitCode {
    match failure.kind() {
        Kind::Closed => {}
        Kind::Interrupted => terminal::print_error(&failure.to_string()),
        _ => terminal::print_failure(failure),
    }
    ExitCode::from(failure.kind() as u8)
}

/// The commands and options as clap knows them. `examples/manual.rs` writes man pages and completions from it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

const EXAMPLES: &str = "\
Examples:
  rekindle data reviews.csv
  rekindle experiment --data reviews.csv --folds 5 --save-models
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer

`rekindle COMMAND --help` describes the options of a command, with more examples.";
