//! `cargo xtask deny` and `cargo xtask sanitize`: checks by tools that not every machine has.

use std::process::{Command, Stdio};

use crate::{at_root, cargo, run, target};

/// What Rekindle is built from, against deny.toml.
///
/// The known holes come from a database that is fetched; where it cannot be, the rest is checked all the same.
pub fn deny() -> Result<(), u8> {
    if !answers(cargo(&["deny", "--version"])) {
        println!("SKIPPED deny: there is no cargo-deny; `cargo install --locked cargo-deny` brings it");
        return Ok(());
    }
    run(at_root(cargo(&["deny", "check", "licenses", "bans", "sources"])))?;
    if !answers(at_root(cargo(&["deny", "fetch", "db"]))) {
        println!("SKIPPED deny advisories: the database of known holes cannot be fetched");
        return Ok(());
    }
    run(at_root(cargo(&["deny", "check", "--disable-fetch", "advisories"])))
}

/// The one package with unsafe code, under Miri and under AddressSanitizer.
pub fn sanitize() -> Result<(), u8> {
    let nightly = |arguments: &[&str]| {
        // Not the cargo that runs us, which is of one toolchain.
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo"]).args(arguments).env_remove("CARGO").env_remove("RUSTC");
        at_root(command)
    };
    if answers(nightly(&["miri", "--version"])) {
        println!("rekindle-raw under Miri: the products");
        run(nightly(&["miri", "test", "--package", "rekindle-raw", "--features", "product", "--lib"]))?;
    } else {
        println!("SKIPPED Miri: `rustup toolchain install nightly --component miri,rust-src` brings it");
    }
    let host = host();
    if !["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"].contains(&host.as_str()) {
        println!("SKIPPED AddressSanitizer: Rust has none for {host}");
        return Ok(());
    }
    println!("rekindle-raw under AddressSanitizer: all of it");
    let mut test = cargo(&["test", "--package", "rekindle-raw", "--all-features", "--lib", "--target", &host]);
    // A released compiler has the sanitizer too, and gives it to whoever says this.
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    test.env("CARGO_TARGET_DIR", target().join("sanitize"));
    run(at_root(test))
}

/// The system that is compiled for, where none is named.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().map(|output| output.stdout).unwrap_or_default();
    let output = String::from_utf8_lossy(&output).into_owned();
    output.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("this system").into()
}

/// Whether a program is there and succeeds; what it says is not shown.
pub fn answers(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
