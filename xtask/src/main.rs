//! `cargo xtask`: automation of this workspace, in Rust and without dependencies.

mod api;
mod artifacts;
mod chart;
mod checks;
mod ci;
mod gpu;
mod measure;
mod random;
mod rehearse;
mod study;
mod tables;
mod torture;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Run:
  experiment [OPTIONS]  Build rekindle with the features of the selected backend and run `rekindle experiment`
                        (see `cargo xtask experiment --help`)
  dist [FOLDER]         Write man pages and shell completions [default: target/dist]

Check:
  check                 Check format, lints, tests and documentation; run it before a commit
  ci                    Run everything that CI runs: the first command of the README, check, api, packages, deny,
                        sanitize, matrix, and golden on all backends
  matrix                Lint every crate that holds tensors with each backend alone, and with none
  golden BACKEND...     Run the golden tests on flex and on the given backends
  api [--check]         List the public items of every library in docs/api, or compare with that listing;
                        requires cargo-public-api
  deny                  Check licences, vulnerabilities, sources and duplicates of the dependencies (deny.toml)
  sanitize              Test the package with unsafe code under Miri and AddressSanitizer
  torture [KILLS [BACKEND [SEED]]]
                        Kill an experiment at random moments, resume it, and compare the results byte for byte
                        with those of an uninterrupted run [default: 50 kills on flex]
  rehearse [--small] [--binary PROGRAM] [--model FOLDER] [--data TEXTS.tsv]
                        Do a whole job with the installed program in target/rehearse, from data files to a served model, and
                        check every step; installs the program there, or takes PROGRAM. --small: the dev profile and sixty
                        sentences, for less than a minute

Measure:
  parity PYTHON TRAIN.tsv TEST.tsv MODEL...
                        Compare the outputs of every MODEL with transformers, and training with the first one;
                        PYTHON needs torch, transformers and accelerate
  bench --peer PYTHON --model FOLDER --train TRAIN.tsv --test TEST.tsv [--notebook FILE] [--rounds N]
                        Measure Rekindle and PyTorch alternately, and write the table of docs/performance.md;
                        PYTHON needs torch and transformers; onnx and onnxruntime are optional
  bench --gpu [--backend wgpu|vulkan|cuda] [--features fusion,autotune] [--peer PYTHON] [--rounds N]
                        Measure the GPU of this machine beside its CPU, and with PYTHON beside PyTorch on the same GPU,
                        and print a table; the model has random weights [default: wgpu, no features, 3 rounds]
  transfer --peer PYTHON [--model FOLDER] [--data DATA.tsv]... [--train TRAIN.tsv --test TEST.tsv] [--splits N]
                        Compare a model with random weights and TF-IDF on few labelled sentences, and write
                        the tables of docs/transfer.md; PYTHON needs scikit-learn
  study --model FOLDER --data FOLDER [--peer PYTHON] [OPTIONS]
                        Compare baselines, approaches and `fit` on draws of SST-2, banking77, GoEmotions and MRPC,
                        and with PYTHON setfit, sentence-transformers and transformers' Trainer; write the tables and
                        pictures of docs/results.md. Cells are stored in fixtures/study/cells.csv, and not measured again
                        when the program changes: delete the row of one to measure it again; Linux only
                          --data-sets LIST    of sst2, banking77, goemotions, mrpc [default: all]
                          --sizes LIST        examples per class, of 8, 64, all [default: all three]
                          --noise LIST        percentages of flipped training labels, of 0, 10, 20; other ones than 0 with
                                              --data-sets sst2 --sizes 64 [default: 0]
                          --approaches LIST   approaches of `rekindle experiment`, fit, setfit,
                                              sentence-transformers, trainer [default: all]
                          --seeds N           draws, at most 10 [default: 5]
                          --test-rows N       at most so many test rows [default: 400]
  study --report-only   Write them from fixtures/study/cells.csv
  coverage [DRAWS]      Simulate how often each kind of 95 % interval contains the truth [default: 2000 draws]
  soak [MINUTES]        Train and predict repeatedly at the size of distilbert-base-uncased, and report trends of
                        memory and time per step [default: 120]; Linux only

Generate:
  chart                 Draw the chart of the README, docs/scores.svg, from the table of docs/results.md
  embedded              Pretrain the embedded model again, byte for byte; takes 20 minutes";

fn main() -> ExitCode {
    if let Some(rustdoc) = env::var_os(api::RUSTDOC) {
        return api::rustdoc(&rustdoc);
    }
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let result = match command.to_str() {
        Some("experiment") => run(experiment(&rest)),
        Some("dist") => dist(&rest),
        Some("check") => ci::check(),
        Some("ci") => ci::ci(),
        Some("matrix") => ci::matrix(),
        Some("golden") => run(ci::golden(&rest)),
        Some("api") => api::list(rest.iter().any(|option| option == "--check")),
        Some("deny") => checks::deny(),
        Some("sanitize") => checks::sanitize(),
        Some("rehearse") => rehearse::rehearse(&rest),
        Some("torture") => torture::torture(&rest),
        Some("parity") => measure::parity(&rest),
        Some("bench") => measure::bench(&rest),
        Some("transfer") => measure::transfer(&rest),
        Some("study") => study::study(&rest),
        Some("coverage") => measure::coverage(&rest),
        Some("soak") => measure::soak(&rest),
        Some("chart") => chart::chart(),
        Some("embedded") => embedded(),
        Some("--help" | "-h" | "help") => {
            println!("{HELP}");
            Ok(())
        }
        _ => refuse(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => ExitCode::from(code),
    }
}

/// Runs `rekindle experiment` in the profile of the tests, so that Burn is compiled once for both.
fn experiment(options: &[OsString]) -> Command {
    if !binary("rekindle").exists() {
        eprintln!(
            "Compiling Rekindle and Burn, once: about 400 crates, 3 to 5 minutes on two cores. Later runs start at once."
        );
    }
    let mut cargo = cargo(&["run", "--package", "rekindle-cli"]);
    if let Some(backend) = backend(options) {
        // The client of remote devices still needs a local backend to read the weights.
        let engine = if backend == "remote" { "flex,remote" } else { backend };
        cargo.args(["--no-default-features", "--features", &format!("hub,parquet,{engine}")]);
    }
    cargo.args(["--", "experiment"]).args(options);
    cargo
}

/// Returns the value of `--backend` if it is the name of a feature; `rekindle` reports other values as errors.
fn backend(options: &[OsString]) -> Option<&'static str> {
    let named = |value: &str| {
        ["flex", "ndarray", "wgpu", "vulkan", "cuda", "remote"].into_iter().find(|backend| *backend == value)
    };
    let options: Vec<&str> = options.iter().filter_map(|option| option.to_str()).collect();
    options.iter().enumerate().rev().find_map(|(index, option)| match option.strip_prefix("--backend") {
        Some("") => options.get(index + 1).and_then(|value| named(value)),
        Some(value) => value.strip_prefix('=').and_then(named),
        None => None,
    })
}

fn dist(options: &[OsString]) -> Result<(), u8> {
    let folder = options.first().map_or_else(|| target().join("dist"), PathBuf::from);
    let mut manual = cargo(&["run", "--quiet", "--package", "rekindle-cli", "--example", "manual", "--"]);
    manual.arg(folder);
    run(manual)
}

/// Makes the embedded model anew.
fn embedded() -> Result<(), u8> {
    run(at_root(cargo(&["build", "--release", "--workspace", "--bins"])))?;
    let mut embedded = Command::new(optimised("embedded"));
    embedded.arg(target().join("release")).arg(root().join("fixtures/transfer/sentences.tsv"));
    embedded.arg(target().join("embedded")).arg(root().join("crates/rekindle/embedded"));
    run(embedded)
}

/// Prints the usage and fails.
fn refuse() -> Result<(), u8> {
    eprintln!("{HELP}");
    Err(2)
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// Returns the path of a program that was built in the dev profile.
fn binary(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// Returns the path of a program that was built in the release profile: the one to measure.
fn optimised(name: &str) -> PathBuf {
    target().join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes this package in the environment. The build script of ring watches these variables: with them,
    // ring and all that depends on it would be compiled again by the next command of the user.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

/// Sets the working directory to the root of the repository. Commands that use the user's paths keep the user's.
fn at_root(mut command: Command) -> Command {
    command.current_dir(root());
    command
}

/// Returns the root of the repository, at run time: clones may share a target folder, and with it this program.
fn root() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), |xtask| Path::new(&xtask).join(".."))
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

/// Returns the result of a file operation, and prints its error.
fn told<T>(result: std::io::Result<T>) -> Result<T, u8> {
    result.map_err(|error| {
        eprintln!("xtask: {error}");
        1
    })
}
