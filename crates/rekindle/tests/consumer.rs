//! The crates without tensors, as a package outside this workspace sees them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A package that depends on one of ours by its path alone.
struct Consumer(TempDir);

impl Consumer {
    fn new(name: &str, main: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace");
        let path = root.join("crates").join(name);
        let manifest = format!(
            "[package]\nname = \"consumer\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             rekindle-{name} = {{ path = '{}', default-features = false }}\n",
            path.display()
        );
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("src")).expect("a folder");
        fs::write(folder.path().join("Cargo.toml"), manifest).expect("written");
        fs::write(folder.path().join("src/main.rs"), main).expect("written");
        // Our versions, which this machine has: nothing is asked of a network.
        fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("copied");
        Self(folder)
    }

    /// What cargo prints.
    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = Command::new(std::env::var_os("CARGO").expect("run by cargo"));
        cargo.args(arguments).current_dir(&self.0).env("CARGO_TARGET_DIR", self.0.path().join("target"));
        let output = cargo.output().expect("cargo");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The names of all packages that it would compile, build scripts' own aside.
    fn packages(&self) -> Vec<String> {
        let tree = self.cargo(&["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        tree.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
    }
}

#[test]
fn what_has_no_tensors_brings_no_burn() {
    for name in ["metrics", "baseline", "data", "tokenizer"] {
        let packages = Consumer::new(name, "fn main() {}\n").packages();
        let ours: Vec<&String> = packages.iter().filter(|package| package.starts_with("rekindle")).collect();
        assert_eq!(ours, [&format!("rekindle-{name}")], "alone among ours");
        let burn: Vec<&String> = packages.iter().filter(|package| package.starts_with("burn")).collect();
        assert!(burn.is_empty(), "rekindle-{name} brings {burn:?}");
    }
}

#[test]
fn the_tokenizer_has_no_network() {
    let packages = Consumer::new("tokenizer", "fn main() {}\n").packages();
    assert!(packages.iter().any(|package| package == "tokenizers"), "{packages:?}");
    for network in ["curl", "hf-hub", "hyper", "native-tls", "reqwest", "rustls", "ureq"] {
        assert!(!packages.iter().any(|package| package == network), "rekindle-tokenizer brings {network}");
    }
}

#[test]
fn metrics_alone_is_built_and_run() {
    let main = r#"
        use rekindle_metrics::ConfusionMatrix;

        fn main() -> Result<(), rekindle_metrics::MetricsError> {
            println!("{}", ConfusionMatrix::new(&[1, 1, 0, 0], &[1, 0, 0, 0], 2)?.accuracy());
            Ok(())
        }
    "#;
    assert_eq!(Consumer::new("metrics", main).cargo(&["run", "--quiet", "--offline"]), "0.75\n");
}
