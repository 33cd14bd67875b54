//! `cargo xtask parity`, `bench`, `transfer` and `soak`: comparisons with the reference, and long runs.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use crate::{at_root, binary, cargo, gpu, optimised, refuse, root, run, target};

/// Compares logits, hidden states and training with transformers.
pub fn parity(options: &[OsString]) -> Result<(), u8> {
    let [python, train, test, first, ..] = options else { return refuse() };
    let packages =
        ["--package", "rekindle", "--package", "rekindle-cli", "--features", "rekindle-cli/ndarray,rekindle/measure"];
    run(at_root(cargo(&[&["build", "--quiet", "--bins", "--examples"], &packages[..]].concat())))?;
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
        let mut compare = Command::new(binary("examples/parity"));
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

/// Compares speed with PyTorch.
pub fn bench(options: &[OsString]) -> Result<(), u8> {
    if let [first, options @ ..] = options
        && first == "--gpu"
    {
        return gpu::bench(options);
    }
    let binaries = [("--rekindle", "rekindle"), ("--bench", "examples/bench")];
    beside("fixtures/bench/compare.py", &binaries, "docs/performance.md", options)
}

/// Compares pretrained weights with random weights and TF-IDF.
pub fn transfer(options: &[OsString]) -> Result<(), u8> {
    let binaries = [("--transfer", "examples/transfer")];
    beside("fixtures/transfer/baseline.py", &binaries, "docs/transfer.md", options)
}

/// Runs a script that compares our binaries with Python libraries and writes a page. `--peer` is the Python interpreter; the
/// other options are passed to the script.
fn beside(script: &str, binaries: &[(&str, &str)], page: &str, options: &[OsString]) -> Result<(), u8> {
    let peer = options.iter().position(|option| option == "--peer").and_then(|at| Some((at, options.get(at + 1)?)));
    let Some((at, python)) = peer else { return refuse() };
    run(cargo(&["build", "--release", "--workspace", "--bins", "--examples", "--features", "rekindle/measure"]))?;
    let mut command = Command::new(python);
    command.arg(root().join(script));
    for (option, name) in binaries {
        command.arg(option).arg(optimised(name));
    }
    command.arg("--page").arg(root().join(page)).args(&options[..at]).args(&options[at + 2..]);
    run(command)
}

/// Measures memory and times over hours.
pub fn soak(options: &[OsString]) -> Result<(), u8> {
    run(at_root(cargo(&[
        "build",
        "--release",
        "--workspace",
        "--bins",
        "--examples",
        "--features",
        "rekindle/measure",
    ])))?;
    let mut soak = Command::new(optimised("examples/soak"));
    soak.arg(options.first().map_or("120".as_ref(), OsString::as_os_str));
    soak.arg(root().join("fixtures/transfer/sentences.tsv")).arg(target().join("soak"));
    run(soak)
}

/// Simulates how often each kind of interval contains the truth.
pub fn coverage(options: &[OsString]) -> Result<(), u8> {
    let mut coverage = cargo(&["run", "--release", "--package", "rekindle-metrics", "--example", "coverage", "--"]);
    coverage.arg(options.first().map_or("2000".as_ref(), OsString::as_os_str));
    run(coverage)
}
