//! Each library as a package outside this workspace sees it: by its path alone, with only the features it needs.
//!
//! Those without tensors are built and run. Those with tensors would compile Burn once more, with features of their own;
//! of them, what they would compile is looked at, and `cargo xtask matrix` lints each with every backend alone and with none.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A package that depends on one of ours.
struct Consumer {
    folder: TempDir,
    /// Its name, which no other has: they share a target folder.
    name: String,
}

impl Consumer {
    fn new(name: &str, features: &str, main: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace");
        let path = root.join("crates").join(name);
        let package = if name == "rekindle" { name.into() } else { format!("rekindle-{name}") };
        let manifest = format!(
            "[package]\nname = \"consumer-{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             {package} = {{ path = '{}', default-features = false, features = [{features}] }}\n",
            path.display()
        );
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("src")).expect("a folder");
        fs::write(folder.path().join("Cargo.toml"), manifest).expect("written");
        fs::write(folder.path().join("src/main.rs"), main).expect("written");
        // Our versions, which this machine has: nothing is asked of a network.
        fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("copied");
        Self { folder, name: format!("consumer-{name}") }
    }

    /// What cargo prints.
    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = Command::new(std::env::var_os("CARGO").expect("run by cargo"));
        // Where the next run of this test finds what this one compiled.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("consumer");
        cargo.args(arguments).current_dir(&self.folder).env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
        let output = cargo.output().expect("cargo");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What it prints when it is built and run.
    fn run(&self) -> String {
        let printed = self.cargo(&["run", "--quiet", "--offline"]);
        self.cargo(&["clean", "--quiet", "--offline", "--package", &self.name]);
        printed
    }

    /// The names of all packages that it would compile, build scripts' own aside.
    fn packages(&self) -> Vec<String> {
        let tree = self.cargo(&["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        tree.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
    }
}

/// Packages that reach a network.
const NETWORK: [&str; 6] = ["curl", "hyper", "native-tls", "reqwest", "rustls", "ureq"];

fn packages(name: &str, features: &str) -> Vec<String> {
    Consumer::new(name, features, "fn main() {}\n").packages()
}

#[test]
fn what_has_no_tensors_brings_no_burn_and_no_other_of_ours() {
    for name in ["metrics", "baseline", "data", "tokenizer", "raw"] {
        let packages = packages(name, "");
        let ours: Vec<&String> = packages.iter().filter(|package| package.starts_with("rekindle")).collect();
        assert_eq!(ours, [&format!("rekindle-{name}")], "alone among ours");
        let burn: Vec<&String> = packages.iter().filter(|package| package.starts_with("burn")).collect();
        assert!(burn.is_empty(), "rekindle-{name} brings {burn:?}");
    }
    assert!(packages("tokenizer", "").iter().any(|package| package == "tokenizers"), "the tree is read");
}

#[test]
fn no_library_brings_a_network_that_was_not_asked_for() {
    for name in ["metrics", "baseline", "data", "tokenizer", "raw", "distilbert", "train", "experiment", "rekindle"] {
        let packages = packages(name, "");
        for network in NETWORK {
            assert!(!packages.iter().any(|package| package == network), "{name} brings {network}");
        }
    }
    assert!(packages("rekindle", "\"hub\"").iter().any(|package| package == "ureq"), "the feature that asks for it");
}

#[test]
fn what_has_tensors_brings_the_backend_that_it_is_asked_for_alone() {
    let backends = [("burn-flex", "\"flex\""), ("burn-ndarray", "\"ndarray\""), ("burn-wgpu", "\"wgpu\"")];
    for name in ["distilbert", "train", "experiment", "rekindle"] {
        for asked in ["", "\"flex\"", "\"ndarray\"", "\"wgpu\""] {
            let packages = packages(name, asked);
            assert!(packages.iter().any(|package| package == "burn"), "{packages:?}");
            for (backend, feature) in backends {
                let there = packages.iter().any(|package| package == backend);
                assert_eq!(there, feature == asked, "{name}, features [{asked}]: {backend}");
            }
        }
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
    assert_eq!(Consumer::new("metrics", "", main).run(), "0.75\n");
}

#[test]
fn baseline_alone_is_built_and_run() {
    let main = r#"
        use rekindle_baseline::{Baseline, LogisticOptions, TfidfLogisticRegression};

        fn main() -> Result<(), rekindle_baseline::BaselineError> {
            let texts = ["good fun", "very good", "so bad", "bad, bad"];
            let words = TfidfLogisticRegression::fit(&texts, &[1, 1, 0, 0], 2, &LogisticOptions::default())?;
            println!("{:?}", words.predictions(&["good", "bad"]));
            Ok(())
        }
    "#;
    assert_eq!(Consumer::new("baseline", "", main).run(), "[1, 0]\n");
}

#[test]
fn data_alone_is_built_and_run() {
    let main = r#"
        use rekindle_data::{TestSize, twelve_sentences};

        fn main() -> Result<(), rekindle_data::DataError> {
            let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true)?;
            println!("{} {} {}", train.len(), test.len(), train.examples[0].text);
            Ok(())
        }
    "#;
    assert_eq!(Consumer::new("data", "", main).run(), "9 3 This is disappointing and buggy.\n");
}

#[test]
fn tokenizer_alone_is_built_and_run() {
    let main = r#"
        use rekindle_tokenizer::Tokenizer;

        fn main() -> Result<(), rekindle_tokenizer::TokenizerError> {
            let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "great"].map(String::from);
            println!("{:?}", Tokenizer::wordpiece(words.to_vec(), true)?.encode("Great, good", 64)?);
            Ok(())
        }
    "#;
    assert_eq!(Consumer::new("tokenizer", "", main).run(), "[2, 5, 1, 4, 3]\n");
}
