//! `cargo xtask`: the automation of this workspace, in Rust and without dependencies.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

const HELP: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  experiment [OPTIONS]  Build rekindle with the backend's features and run `rekindle experiment`
                        (see `cargo xtask experiment --help`)
  embedded              Make the embedded model anew, byte for byte
  ci                    Run what CI runs: format, lints, tests, docs";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let result = match command.to_str() {
        Some("experiment") => experiment(&rest),
        Some("embedded") => embedded(),
        Some("ci") => ci(),
        Some("--help" | "-h" | "help") => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("{HELP}");
            Err(2)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => ExitCode::from(code),
    }
}

/// Runs `rekindle experiment` in the profile that tests use too, so that Burn is compiled once for both.
fn experiment(options: &[OsString]) -> Result<(), u8> {
    let mut cargo = cargo(&["run", "--quiet", "--package", "rekindle"]);
    if let Some(backend) = backend(options) {
        cargo.args(["--no-default-features", "--features", &format!("hub,{backend}")]);
    }
    cargo.args(["--", "experiment"]).args(options);
    run(cargo)
}

/// The value of `--backend`, when it names a feature; `rekindle` itself answers for any other.
fn backend(options: &[OsString]) -> Option<&'static str> {
    let named = |value: &str| ["flex", "ndarray", "wgpu"].into_iter().find(|backend| *backend == value);
    let options: Vec<&str> = options.iter().filter_map(|option| option.to_str()).collect();
    options.iter().enumerate().rev().find_map(|(index, option)| match option.strip_prefix("--backend") {
        Some("") => options.get(index + 1).and_then(|value| named(value)),
        Some(value) => value.strip_prefix('=').and_then(named),
        None => None,
    })
}

fn embedded() -> Result<(), u8> {
    let mut cargo = cargo(&["run", "--quiet", "--package", "rekindle", "--example", "embedded", "--"]);
    cargo.args(["fixtures/embedded/words.txt", "crates/rekindle/embedded"]);
    run(at_root(cargo))
}

fn ci() -> Result<(), u8> {
    run(at_root(cargo(&["fmt", "--all", "--check"])))?;
    run(at_root(cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])))?;
    run(at_root(cargo(&["test", "--workspace"])))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    run(at_root(docs))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// For commands that name files of the repository; the others keep the user's folder.
fn at_root(mut command: Command) -> Command {
    // Asked for at run time: clones may share a target folder, and with it this program.
    if let Some(xtask) = env::var_os("CARGO_MANIFEST_DIR") {
        command.current_dir(Path::new(&xtask).join(".."));
    }
    command
}

fn run(mut command: Command) -> Result<(), u8> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("xtask: cannot run {:?}: {error}", command.get_program());
            Err(1)
        }
    }
}
