//! `cargo xtask api`: the public items of every library, listed so that a change of them shows in review.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::process::{Command, ExitCode};

use crate::checks::answers;
use crate::{at_root, cargo, root, run, target, told};

/// The libraries that are published, by their folders.
pub const LIBRARIES: [&str; 10] =
    ["raw", "ops", "metrics", "baseline", "data", "tokenizer", "distilbert", "train", "experiment", "rekindle"];

/// Set where this program stands in for rustdoc; it holds the path of the real one.
pub const RUSTDOC: &str = "XTASK_RUSTDOC";

/// The package in a folder.
pub fn package(folder: &str) -> String {
    if folder == "rekindle" { folder.into() } else { format!("rekindle-{folder}") }
}

/// Writes the listings, or compares them with what is there.
pub fn list(check: bool) -> Result<(), u8> {
    if !answers(cargo(&["public-api", "--version"])) {
        println!("SKIPPED docs/api: it takes `cargo install cargo-public-api --locked`");
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
    eprintln!("xtask: public items of {} are not as docs/api lists them; see `cargo xtask api`", changed.join(", "));
    Err(1)
}

/// Has rustdoc write JSON. It is not stable yet, and the stable rustdoc writes it only where RUSTC_BOOTSTRAP is set; set
/// for cargo, that would compile Burn anew, for build scripts ask for it. So this program stands in for rustdoc alone.
fn document() -> Result<(), u8> {
    let mut docs = cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--lib"]);
    docs.env(RUSTDOC, env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()));
    docs.env("RUSTDOC", told(env::current_exe())?);
    docs.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow");
    run(at_root(docs))
}

/// Runs the real rustdoc with what this program was given.
pub fn rustdoc(path: &OsStr) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let status = Command::new(path).args(arguments).env("RUSTC_BOOTSTRAP", "1").status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
