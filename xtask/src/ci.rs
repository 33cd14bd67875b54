//! `cargo xtask check` and `ci`: the checks of every change.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use crate::rehearse::rehearse;
use crate::{api, at_root, binary, cargo, checks, experiment, root, run, target, told};

/// The crates that hold tensors.
const TENSORS: [&str; 10] = [
    "rekindle-nn",
    "rekindle-distilbert",
    "rekindle-encoders",
    "rekindle-infer",
    "rekindle-serve",
    "rekindle-onnx",
    "rekindle-train",
    "rekindle-experiment",
    "rekindle",
    "rekindle-cli",
];

/// Checks format, lints, tests and documentation.
pub fn check() -> Result<(), u8> {
    run(at_root(cargo(&["fmt", "--all", "--check"])))?;
    let targets = ["--workspace", "--all-targets", "--features", "rekindle/measure"];
    run(at_root(cargo(&[&["clippy"], &targets[..], &["--", "--deny", "warnings"]].concat())))?;
    let mut tests = cargo(&["test", "--workspace"]);
    tests.env("REKINDLE_ALL_INPUTS", "1");
    run(at_root(tests))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    run(at_root(docs))
}

/// Runs all checks on any machine with a Rust toolchain and a C compiler. Checks that need more are skipped with a message.
pub fn ci() -> Result<(), u8> {
    let began = Instant::now();
    let step = |name: &str| println!("== {name} ({} s)", began.elapsed().as_secs());
    let out = target().join("ci");
    if out.exists() {
        told(fs::remove_dir_all(&out))?;
    }
    step("format, lints, tests, documentation");
    check()?;
    step("commands of the documentation, and each library in a package of its own");
    run(at_root(cargo(&[
        "clippy",
        "--workspace",
        "--test",
        "transcripts",
        "--test",
        "consumer",
        "--",
        "--deny",
        "warnings",
    ])))?;
    run(at_root(cargo(&["test", "--workspace", "--test", "transcripts", "--test", "consumer"])))?;
    step("listings of public items");
    api::list(true)?;
    step("packages");
    packages()?;
    step("dependencies");
    checks::deny()?;
    step("the package with unsafe code");
    checks::sanitize()?;
    step("each crate with each backend");
    matrix()?;
    step("golden tests on each backend");
    backends(&out)?;
    step("several machines, simulated by processes");
    run(at_root(cargo(&[
        "test",
        "--workspace",
        "--features",
        "rekindle-cli/remote,rekindle-cli/ndarray",
        "--test",
        "remote",
    ])))?;
    // With the program of that test, which has hosts.
    step("a whole job");
    rehearse(&["--small".into(), "--binary".into(), binary("rekindle").into()])?;
    step("done");
    Ok(())
}

/// Runs the experiment and the golden tests on the other backends. GPU backends need a Vulkan driver; Mesa's llvmpipe, which
/// computes on the CPU, is sufficient.
fn backends(out: &Path) -> Result<(), u8> {
    if !has_driver() {
        println!("SKIPPED wgpu: no Vulkan driver found; on Debian, install mesa-vulkan-drivers and libvulkan1");
        return run(golden(&["ndarray".into()]));
    }
    let results = out.join("wgpu");
    run(experiment(&[
        "--backend".into(),
        "wgpu".into(),
        "--output".into(),
        results.clone().into(),
        "--overwrite".into(),
    ]))?;
    exist(&results, &["results.json"])?;
    run(golden(&["ndarray".into(), "wgpu".into()]))
}

/// Returns whether wgpu can find a device. Only on Linux may the driver be missing.
fn has_driver() -> bool {
    let holds = |folder: &str, fits: &dyn Fn(&str) -> bool| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| name.to_str().is_some_and(fits))
    };
    let libraries = ["/usr/lib", "/usr/lib64", &format!("/usr/lib/{}-linux-gnu", env::consts::ARCH)];
    let driver = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .any(|folder| holds(folder, &|name| name.ends_with(".json")));
    let loader = libraries.iter().any(|folder| holds(folder, &|name| name.starts_with("libvulkan.so.1")));
    cfg!(not(target_os = "linux")) || (driver && loader)
}

fn exist(folder: &Path, names: &[&str]) -> Result<(), u8> {
    let absent: Vec<&&str> = names.iter().filter(|name| !folder.join(name).is_file()).collect();
    if absent.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: {} lacks {absent:?}", folder.display());
    Err(1)
}

/// Checks that every published crate contains the files that a registry needs, and that its licences are the texts, not the
/// paths that a checkout without symlinks contains.
fn packages() -> Result<(), u8> {
    for folder in api::LIBRARIES.into_iter().chain(["cli"]) {
        let package = api::package(folder);
        let listed = at_root(cargo(&["package", "--list", "--allow-dirty", "--package", &package])).output();
        let files = String::from_utf8_lossy(&told(listed)?.stdout).into_owned();
        for name in ["Cargo.toml", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"] {
            if !files.lines().any(|line| line == name) {
                eprintln!("xtask: the package {package} lacks {name}");
                return Err(1);
            }
        }
        for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let ours = told(fs::read(root().join("crates").join(folder).join(name)))?;
            if ours != told(fs::read(root().join(name)))? {
                eprintln!(
                    "xtask: crates/{folder}/{name} is not the licence text; check out with `git config core.symlinks true`"
                );
                return Err(1);
            }
        }
    }
    Ok(())
}

/// Lints every crate that holds tensors with each backend alone, and with none. There is one command per backend for all
/// crates, so that their common dependencies are compiled once.
pub fn matrix() -> Result<(), u8> {
    let clippy = |packages: &[&str], feature: &str| {
        println!("{} with {}", packages.join(", "), if feature.is_empty() { "no backend" } else { feature });
        let mut clippy = cargo(&["clippy", "--quiet", "--no-default-features", "--features", feature]);
        if feature == "cuda" {
            // Without this variable of docs.rs, the build script of CUDA's compiler downloads LLVM, which is only linked.
            clippy.env("DOCS_RS", "1");
        }
        clippy.args(packages.iter().flat_map(|package| ["--package", package])).args(["--", "--deny", "warnings"]);
        run(at_root(clippy))
    };
    TENSORS.iter().try_for_each(|package| clippy(&[package], ""))?;
    ["flex", "ndarray", "wgpu", "vulkan", "cuda"].iter().try_for_each(|feature| clippy(&TENSORS, feature))?;
    clippy(&["rekindle-cli"], "flex,remote")
}

/// Returns the command that runs the golden tests on flex and on the given backends.
pub fn golden(backends: &[OsString]) -> Command {
    let programs = ["distilbert", "encoders", "train", "experiment", "cli"];
    let mut test = cargo(&["test", "--workspace"]);
    test.args(programs.iter().flat_map(|program| ["--test", program]));
    for backend in backends {
        test.arg("--features").arg(format!("rekindle-cli/{}", backend.display()));
    }
    test.args([
        "--",
        "transformers::",
        "tasks::",
        "windows::",
        "contrastive::",
        "masked_lm::",
        "approaches::",
        "encoders::",
        "devices::",
    ]);
    at_root(test)
}
