//! `cargo xtask deny` and `cargo xtask sanitize`: checks that need additional tools.

use std::process::{Command, Stdio};

use crate::{at_root, cargo, run, target};

/// Checks the dependencies by deny.toml.
///
/// The database of vulnerabilities is downloaded; if that fails, only this check is skipped.
pub fn deny() -> Result<(), u8> {
    if !answers(cargo(&["deny", "--version"])) {
        println!("SKIPPED deny: cargo-deny is missing; run `cargo install --locked cargo-deny`");
        return Ok(());
    }
    run(at_root(cargo(&["deny", "check", "licenses", "bans", "sources"])))?;
    if !answers(at_root(cargo(&["deny", "fetch", "db"]))) {
        println!("SKIPPED deny advisories: the database of vulnerabilities cannot be downloaded");
        return Ok(());
    }
    run(at_root(cargo(&["deny", "check", "--disable-fetch", "advisories"])))
}

/// Tests the package with unsafe code under Miri and AddressSanitizer.
pub fn sanitize() -> Result<(), u8> {
    let nightly = |arguments: &[&str]| {
        // The cargo that runs this program belongs to one toolchain, so it cannot be used.
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo"]).args(arguments).env_remove("CARGO").env_remove("RUSTC");
        at_root(command)
    };
    if answers(nightly(&["miri", "--version"])) {
        println!("rekindle-raw under Miri: matrix products");
        run(nightly(&["miri", "test", "--package", "rekindle-raw", "--features", "product", "--lib"]))?;
    } else {
        println!("SKIPPED Miri: run `rustup toolchain install nightly --component miri,rust-src`");
    }
    let host = host();
    if !["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"].contains(&host.as_str()) {
        println!("SKIPPED AddressSanitizer: Rust does not support it on {host}");
        return Ok(());
    }
    println!("rekindle-raw under AddressSanitizer: all tests");
    let mut test = cargo(&["test", "--package", "rekindle-raw", "--all-features", "--lib", "--target", &host]);
    // With RUSTC_BOOTSTRAP, stable compilers accept the sanitizer option.
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    test.env("CARGO_TARGET_DIR", target().join("sanitize"));
    run(at_root(test))
}

/// Returns the target triple of the host.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().map(|output| output.stdout).unwrap_or_default();
    let output = String::from_utf8_lossy(&output).into_owned();
    output.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("this system").into()
}

/// Returns whether a program exists and succeeds; its output is hidden.
pub fn answers(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
