//! `cargo xtask`: the automation of this workspace, in Rust and without dependencies.

mod checks;
mod embedded;
mod torture;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  experiment [OPTIONS]  Build rekindle with the backend's features and run `rekindle experiment`
                        (see `cargo xtask experiment --help`)
  embedded              Pretrain the embedded model anew, byte for byte; takes a quarter of an hour
  parity PYTHON TRAIN.tsv TEST.tsv MODEL...
                        Lay every MODEL beside transformers, and training on the first of them; PYTHON
                        has torch, transformers and accelerate
  bench --peer PYTHON --model FOLDER --train TRAIN.tsv --test TEST.tsv [--notebook FILE] [--rounds N]
                        Time Rekindle and PyTorch in turn, and write the table of docs/performance.md;
                        PYTHON has torch and transformers, and may have onnx and onnxruntime
  transfer --peer PYTHON [--model FOLDER] [--data DATA.tsv]... [--train TRAIN.tsv --test TEST.tsv] [--splits N]
                        Lay a model beside random weights and TF-IDF on a few labelled sentences, and write
                        the tables of docs/transfer.md; PYTHON has scikit-learn
  ci                    Run what CI runs: format, lints, tests, docs
  matrix                Lint every crate that holds tensors with each backend alone, and with none
  golden BACKEND...     Run the golden tests on flex and on these backends
  deny                  Check licences, known holes, sources and doubles of what is built in, by deny.toml
  sanitize              Run the one package with unsafe code under Miri and AddressSanitizer
  torture [KILLS [BACKEND [SEED]]]
                        Kill an experiment at random moments [50, on flex], resume each, and compare what
                        comes of it, byte for byte, with what an undisturbed run left
  soak [MINUTES]        Train and predict at the size of distilbert-base-uncased for so long [120], and tell
                        how memory and times of a step change; on Linux";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let result = match command.to_str() {
        Some("experiment") => experiment(&rest),
        Some("embedded") => embedded::make(),
        Some("parity") => parity(&rest),
        Some("bench") => bench(&rest),
        Some("transfer") => transfer(&rest),
        Some("ci") => ci(),
        Some("matrix") => matrix(),
        Some("golden") => golden(&rest),
        Some("soak") => soak(&rest),
        Some("torture") => torture::torture(&rest),
        Some("deny") => checks::deny(),
        Some("sanitize") => checks::sanitize(),
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
        cargo.args(["--no-default-features", "--features", &format!("hub,parquet,{backend}")]);
    }
    cargo.args(["--", "experiment"]).args(options);
    run(cargo)
}

/// The value of `--backend`, when it names a feature; `rekindle` itself answers for any other.
fn backend(options: &[OsString]) -> Option<&'static str> {
    let named = |value: &str| ["flex", "ndarray", "wgpu", "vulkan"].into_iter().find(|backend| *backend == value);
    let options: Vec<&str> = options.iter().filter_map(|option| option.to_str()).collect();
    options.iter().enumerate().rev().find_map(|(index, option)| match option.strip_prefix("--backend") {
        Some("") => options.get(index + 1).and_then(|value| named(value)),
        Some(value) => value.strip_prefix('=').and_then(named),
        None => None,
    })
}

fn parity(options: &[OsString]) -> Result<(), u8> {
    let [python, train, test, first, ..] = options else {
        eprintln!("{HELP}");
        return Err(2);
    };
    run(cargo(&["build", "--quiet", "--package", "rekindle", "--features", "ndarray", "--bins", "--examples"]))?;
    let script = |name: &str| {
        let mut command = Command::new(python);
        command.arg(root().join("fixtures/parity").join(name));
        command
    };
    println!(
        "| model | backend | equal ids | alone | batches of 8 | padded to 64 | all at once |\n|---|---|---|---|---|---|---|"
    );
    for model in &options[3..] {
        let reference = env::temp_dir().join(format!("rekindle-parity-{}.safetensors", std::process::id()));
        let mut make = script("reference.py");
        make.args([model, test]).arg(&reference);
        run(make)?;
        let example = ["run", "--quiet", "--package", "rekindle", "--features", "ndarray", "--example", "parity", "--"];
        let mut compare = cargo(&example);
        compare.arg(model).arg(&reference);
        let compared = run(compare);
        let _ = std::fs::remove_file(reference);
        compared?;
    }
    println!();
    let mut check = script("check.py");
    check.arg(binary("rekindle"));
    check.args([first, train, test]);
    run(check)
}

fn bench(options: &[OsString]) -> Result<(), u8> {
    let binaries = [("--rekindle", "rekindle"), ("--bench", "examples/bench")];
    beside("fixtures/bench/compare.py", &binaries, "docs/performance.md", options)
}

fn transfer(options: &[OsString]) -> Result<(), u8> {
    let binaries = [("--transfer", "examples/transfer")];
    beside("fixtures/transfer/baseline.py", &binaries, "docs/transfer.md", options)
}

/// Runs a script that lays our binaries beside a peer and writes a page; `--peer` names its Python, and the other
/// options are the script's.
fn beside(script: &str, binaries: &[(&str, &str)], page: &str, options: &[OsString]) -> Result<(), u8> {
    let peer = options.iter().position(|option| option == "--peer").and_then(|at| Some((at, options.get(at + 1)?)));
    let Some((at, python)) = peer else {
        eprintln!("{HELP}");
        return Err(2);
    };
    run(cargo(&["build", "--quiet", "--workspace", "--bins", "--examples"]))?;
    let mut command = Command::new(python);
    command.arg(root().join(script));
    for (option, name) in binaries {
        command.arg(option).arg(binary(name));
    }
    command.arg("--page").arg(root().join(page)).args(&options[..at]).args(&options[at + 2..]);
    run(command)
}

fn ci() -> Result<(), u8> {
    run(at_root(cargo(&["fmt", "--all", "--check"])))?;
    run(at_root(cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])))?;
    run(at_root(cargo(&["test", "--workspace"])))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    run(at_root(docs))
}

/// The crates that hold tensors.
const TENSORS: [&str; 4] = ["rekindle-distilbert", "rekindle-train", "rekindle-experiment", "rekindle"];

/// One command a backend for all crates, and not one each: what they share is then compiled once.
fn matrix() -> Result<(), u8> {
    let clippy = |packages: &[&str], feature: &str| {
        println!("{} with {}", packages.join(", "), if feature.is_empty() { "no backend" } else { feature });
        let mut clippy = cargo(&["clippy", "--quiet", "--no-default-features", "--features", feature]);
        clippy.args(packages.iter().flat_map(|package| ["--package", package])).args(["--", "--deny", "warnings"]);
        run(at_root(clippy))
    };
    TENSORS.iter().try_for_each(|package| clippy(&[package], ""))?;
    ["flex", "ndarray", "wgpu", "vulkan"].iter().try_for_each(|feature| clippy(&TENSORS, feature))
}

fn golden(backends: &[OsString]) -> Result<(), u8> {
    let mut test =
        cargo(&["test", "--workspace", "--test", "transformers", "--test", "approaches", "--test", "devices"]);
    for backend in backends {
        test.arg("--features").arg(format!("rekindle/{}", backend.display()));
    }
    run(at_root(test))
}

fn soak(options: &[OsString]) -> Result<(), u8> {
    run(at_root(cargo(&["build", "--quiet", "--workspace", "--bins", "--examples"])))?;
    let mut soak = Command::new(binary("examples/soak"));
    soak.arg(options.first().map_or("120".as_ref(), OsString::as_os_str));
    soak.arg(root().join("fixtures/transfer/sentences.tsv")).arg(target().join("soak"));
    run(soak)
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// A program of the workspace, once it was built.
fn binary(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// For commands that name files of the repository; the others keep the user's folder.
fn at_root(mut command: Command) -> Command {
    command.current_dir(root());
    command
}

/// Asked for at run time: clones may share a target folder, and with it this program.
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

/// Says what went wrong.
fn told<T>(result: std::io::Result<T>) -> Result<T, u8> {
    result.map_err(|error| {
        eprintln!("xtask: {error}");
        1
    })
}
