//! `cargo xtask api`: lists the public items of every library, so that changes are visible in review.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::process::{Command, ExitCode};

use crate::checks::answers;
use crate::{at_root, cargo, root, run, target, told};

/// The folders of the published libraries.
pub const LIBRARIES: [&str; 21] = [
    "files",
    "raw",
    "checkpoint",
    "ops",
    "nn",
    "metrics",
    "baseline",
    "data",
    "tokenizer",
    "distilbert",
    "encoders",
    "infer",
    "serve",
    "onnx",
    "train",
    "remote",
    "results",
    "report",
    "experiment",
    "hub",
    "rekindle",
];

/// Environment variable with the path of the real rustdoc; set when this program replaces it.
pub const RUSTDOC: &str = "XTASK_RUSTDOC";

/// Returns the name of the package in a folder.
pub fn package(folder: &str) -> String {
    if folder == "rekindle" { folder.into() } else { format!("rekindle-{folder}") }
}

/// Writes the listings, or compares them with the existing ones.
pub fn list(check: bool) -> Result<(), u8> {
    if !answers(cargo(&["public-api", "--version"])) {
        println!("SKIPPED docs/api: cargo-public-api is missing; run `cargo install cargo-public-api --locked`");
        return if check { Ok(()) } else { Err(1) };
    }
    document()?;
    let mut changed = Vec::new();
    for folder in LIBRARIES {
        let json = target().join("doc").join(package(folder).replace('-', "_")).with_extension("json");
        let mut command = cargo(&["public-api", "--omit", "blanket-impls,auto-trait-impls", "--rustdoc-json"]);
        command.arg(json);
        let output = told(at_root(command).output())?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(1);
        }
        let path = root().join("docs/api").join(folder).with_extension("txt");
        if check {
            let listed = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            changed.extend((listed.as_bytes() != output.stdout).then_some(folder));
        } else {
            told(fs::create_dir_all(root().join("docs/api")))?;
            told(fs::write(path, output.stdout))?;
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: public items of {} differ from docs/api; run `cargo xtask api`", changed.join(", "));
    Err(1)
}

/// Writes rustdoc's JSON. It is unstable, and stable rustdoc writes it only if RUSTC_BOOTSTRAP is set. Setting it for
/// cargo would compile Burn again, because build scripts read it. Therefore this program replaces rustdoc and sets it there.
fn document() -> Result<(), u8> {
    let mut docs = cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--lib"]);
    docs.env(RUSTDOC, env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()));
    docs.env("RUSTDOC", told(env::current_exe())?);
    docs.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow");
    run(at_root(docs))
}

/// Runs the real rustdoc with the arguments of this program.
pub fn rustdoc(path: &OsStr) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let status = Command::new(path).args(arguments).env("RUSTC_BOOTSTRAP", "1").status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
