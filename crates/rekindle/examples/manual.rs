//! Writes man pages and shell completions of the command line: `manual FOLDER`. `cargo xtask dist` runs it.
//!
//! Both come from the options themselves, so that they say what the program does; and both are made here, so that the
//! program need not carry what makes them.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

#[allow(dead_code)] // The devices behind the names.
#[path = "../src/backend.rs"]
mod backend;
#[allow(dead_code, unused_imports)] // What the commands read.
#[path = "../src/cli/mod.rs"]
mod cli;
#[allow(dead_code)] // How commands end.
#[path = "../src/exit.rs"]
mod exit;
#[allow(dead_code)] // Other machines.
#[path = "../src/host_url.rs"]
mod host_url;
#[allow(dead_code)] // The way to the models.
#[path = "../src/model.rs"]
mod model;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder] = paths.as_slice() else { return Err("usage: manual FOLDER".into()) };
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&pages, &completions] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    clap_mangen::generate_to(cli::Cli::command(), &pages)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut cli::Cli::command(), "rekindle", &completions)?;
    }
    println!("man pages in {}, completions in {}", pages.display(), completions.display());
    Ok(())
}
