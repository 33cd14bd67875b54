//! Each library in a workspace of its own: added by path, with only the features that it needs, built and run.
//!
//! These tests compile Burn again and download the crates of backends that the workspace does not compile. Therefore
//! `cargo test --workspace` leaves them out and `cargo xtask ci` runs them (`cargo test --workspace --test consumer`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A package that tries one of our crates.
struct Member<'a> {
    /// The crate, by its folder.
    name: &'a str,
    /// Those of its features that are asked for.
    features: &'a [&'a str],
    /// What else its signatures speak of: others of our crates, and Burn.
    beside: &'a [&'a str],
    main: &'a str,
}

impl Member<'_> {
    fn manifest(&self) -> String {
        let dependency = |name: &str, features: &[&str]| match name {
            // Which version is for the lock to say.
            "burn" => "burn = { version = '*', default-features = false }\n".into(),
            _ => {
                let package = if name == "rekindle" { name.into() } else { format!("rekindle-{name}") };
                let path = root().join("crates").join(name);
                format!(
                    "{package} = {{ path = '{}', default-features = false, features = {features:?} }}\n",
                    path.display()
                )
            }
        };
        let beside: String = self.beside.iter().map(|name| dependency(name, &[])).collect();
        format!(
            "[package]\nname = \"consumer-{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{}{beside}",
            self.name,
            dependency(self.name, self.features)
        )
    }
}

/// A workspace of such packages.
struct Consumer(TempDir);

impl Consumer {
    fn new(members: &[Member]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<&str> = members.iter().map(|member| member.name).collect();
        // Compiling takes longer than running: as little of it as can be.
        let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n\n[profile.dev]\ndebug = false\n");
        fs::write(folder.path().join("Cargo.toml"), manifest).expect("written");
        // The versions that this workspace is tested with.
        fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("copied");
        for member in members {
            let folder = folder.path().join(member.name);
            fs::create_dir_all(folder.join("src")).expect("a folder");
            fs::write(folder.join("Cargo.toml"), member.manifest()).expect("written");
            fs::write(folder.join("src/main.rs"), member.main).expect("written");
        }
        Self(folder)
    }

    /// What cargo prints.
    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = Command::new(std::env::var_os("CARGO").expect("run by cargo"));
        // Where the next run of this test finds what this one compiled.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("consumer");
        cargo.args(arguments).current_dir(&self.0);
        printed(cargo.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0"))
    }

    /// Builds all packages at once, so that what they share is compiled once, and returns their programs.
    fn build(&self) -> Vec<PathBuf> {
        let messages = self.cargo(&["build", "--quiet", "--message-format", "json-render-diagnostics"]);
        let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect()
    }

    /// The names of all packages that it would compile, build scripts' own aside.
    fn packages(&self) -> Vec<String> {
        let tree = self.cargo(&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        tree.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// What a command prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it ran");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What each package prints when it is built and run.
fn run<const N: usize>(members: [Member; N]) -> [String; N] {
    let consumer = Consumer::new(&members);
    let programs = consumer.build();
    let names = members.map(|member| format!("consumer-{}", member.name));
    names.map(|name| {
        let program = programs.iter().find(|program| program.file_stem().is_some_and(|stem| *stem == *name));
        let printed = printed(Command::new(program.expect("built")).current_dir(root()));
        consumer.cargo(&["clean", "--quiet", "--package", &name]);
        printed
    })
}

/// Packages that reach a network.
const NETWORK: [&str; 6] = ["curl", "hyper", "native-tls", "reqwest", "rustls", "ureq"];

fn packages(name: &str, features: &[&str]) -> Vec<String> {
    Consumer::new(&[Member { name, features, beside: &[], main: "fn main() {}\n" }]).packages()
}

/// Crates without tensors, and the other crates of the workspace that they need.
const WITHOUT_TENSORS: [(&str, &[&str]); 9] = [
    ("metrics", &[]),
    ("baseline", &["metrics"]),
    ("data", &[]),
    ("tokenizer", &[]),
    ("files", &[]),
    ("raw", &[]),
    ("hub", &[]),
    ("results", &[]),
    ("report", &["files", "results"]),
];

#[test]
fn crates_without_tensors_bring_no_burn_and_few_of_the_workspace() {
    for (name, beside) in WITHOUT_TENSORS {
        let packages = packages(name, &[]);
        let ours: BTreeSet<String> =
            packages.iter().filter(|package| package.starts_with("rekindle")).cloned().collect();
        let expected = beside.iter().chain([&name]).map(|name| format!("rekindle-{name}"));
        assert_eq!(ours, expected.collect(), "rekindle-{name}");
        let burn: Vec<&String> = packages.iter().filter(|package| package.starts_with("burn")).collect();
        assert!(burn.is_empty(), "rekindle-{name} brings {burn:?}");
    }
    assert!(packages("tokenizer", &[]).iter().any(|package| package == "tokenizers"), "the tree is read");
}

#[test]
fn no_library_brings_a_network_that_was_not_asked_for() {
    for name in [
        "metrics",
        "baseline",
        "data",
        "tokenizer",
        "files",
        "raw",
        "hub",
        "checkpoint",
        "ops",
        "nn",
        "distilbert",
        "encoders",
        "infer",
        "onnx",
        "train",
        "report",
        "experiment",
        "rekindle",
    ] {
        let packages = packages(name, &[]);
        for network in NETWORK {
            assert!(!packages.iter().any(|package| package == network), "{name} brings {network}");
        }
    }
    assert!(packages("rekindle", &["hub"]).iter().any(|package| package == "ureq"), "the feature that asks for it");
}

#[test]
fn the_facade_brings_nothing_of_the_command_line() {
    let packages = packages("rekindle", &["flex", "hub", "parquet"]);
    for terminal in ["anstream", "clap", "ctrlc", "indicatif", "rekindle-cli"] {
        assert!(!packages.iter().any(|package| package == terminal), "rekindle brings {terminal}");
    }
}

#[test]
fn what_has_tensors_brings_the_backend_that_it_is_asked_for_alone() {
    let backends = [("burn-flex", "flex"), ("burn-ndarray", "ndarray"), ("burn-wgpu", "wgpu")];
    for name in ["nn", "distilbert", "encoders", "infer", "train", "experiment", "rekindle"] {
        for asked in [&[][..], &["flex"], &["ndarray"], &["wgpu"]] {
            let packages = packages(name, asked);
            assert!(packages.iter().any(|package| package == "burn"), "{packages:?}");
            for (backend, feature) in backends {
                let there = packages.iter().any(|package| package == backend);
                assert_eq!(there, asked.contains(&feature), "{name}, features {asked:?}: {backend}");
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
    assert_eq!(run([Member { name: "metrics", features: &[], beside: &[], main }]), ["0.75\n"]);
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
    assert_eq!(run([Member { name: "baseline", features: &[], beside: &[], main }]), ["[1, 0]\n"]);
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
    assert_eq!(
        run([Member { name: "data", features: &[], beside: &[], main }]),
        ["9 3 This is disappointing and buggy.\n"]
    );
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
    assert_eq!(run([Member { name: "tokenizer", features: &[], beside: &[], main }]), ["[2, 5, 1, 4, 3]\n"]);
}

/// Logits of a tiny model: their shape, and what the probabilities of each row add up to.
const DISTILBERT: &str = r#"
use burn::tensor::{Device, activation::softmax};
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::default();
    let config = DistilBertConfig {
        vocab_size: 20, dim: 16, hidden_dim: 32, n_heads: 2, n_layers: 2, ..Default::default()
    };
    let (model, _) = DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 42, &device)?;
    let batch = SequenceBatch::new(&[1, 7, 2, 1, 2], &[1; 5], &[0, 3, 5], &config, &device)?;
    let logits = model.forward(&batch, Mode::Eval);
    let shape = logits.dims();
    let sums: Vec<f32> = softmax(logits, 1).sum_dim(1).try_into_data()?.iter().collect();
    println!("{shape:?} {sums:.3?}");
    Ok(())
}
"#;

/// A tiny model learns what tells two classes apart: whether the loss falls, and what is right at the end.
const TRAIN: &str = r#"
use std::ops::ControlFlow;

use burn::tensor::Device;
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_train::{Classification, EncodedDataset, Event, Trainer, TrainingArguments, TuningPlan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::default();
    let config = DistilBertConfig {
        vocab_size: 20, dim: 16, hidden_dim: 32, n_heads: 2, n_layers: 2, initializer_range: 0.2,
        ..Default::default()
    };
    let config = EncoderConfig::from(config);
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 42, &device)?;
    // The word in the middle says which class it is.
    let sentences = (0..32).map(|row| vec![1, 10 + row % 2, 2]).collect();
    let data = EncodedDataset::new(sentences, [0, 1].repeat(16), 2)?;
    let plan = TuningPlan::full(&config);
    let arguments = TrainingArguments { learning_rate: 5e-3, num_train_epochs: 5, ..Default::default() };
    let mut losses = Vec::new();
    let objective = Classification::new(&config, &data).evaluated_on(&data);
    let trainer = Trainer::new(objective, &plan, &arguments, &device);
    let trained = trainer.run(plan.prepare(&model, 42)?, &mut |event| {
        if let Event::Epoch(epoch) = event { losses.push(epoch.train_loss) }
        ControlFlow::Continue(())
    })?;
    let accuracy = trained.evaluation.expect("asked for").accuracy();
    println!("{} {accuracy}", losses[4] < losses[0] / 2.0);
    Ok(())
}
"#;

/// The notebook's experiment, with the small model: which approaches, and how many test sentences.
const EXPERIMENT: &str = r#"
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use rekindle_data::{TestSize, twelve_sentences};
use rekindle_experiment::{Experiment, Sampling};
use rekindle_infer::{PretrainedModel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = PretrainedModel::from_folder(Path::new("crates/rekindle/embedded"))?;
    let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true)?;
    let (sampling, device) = (Sampling::fixed(train, None, test), Device::default());
    let engine = ("flex", &device);
    let outcome = Experiment::notebook().run(&model, &sampling, engine, Instant::now(), None, &mut |_| ())?;
    for approach in &outcome.results.approaches {
        println!("{} {}", approach.approach, approach.predictions.len());
    }
    Ok(())
}
"#;

/// In one workspace, so that Burn is compiled once for all three: what they share has the features that they need together.
#[test]
fn those_with_tensors_are_built_and_run() {
    let flex = &["flex"];
    let [distilbert, train, experiment] = run([
        Member { name: "distilbert", features: flex, beside: &["burn"], main: DISTILBERT },
        Member { name: "train", features: flex, beside: &["burn", "distilbert", "encoders"], main: TRAIN },
        Member { name: "experiment", features: flex, beside: &["burn", "data", "infer"], main: EXPERIMENT },
    ]);
    assert_eq!(distilbert, "[2, 2] [1.000, 1.000]\n");
    assert_eq!(train, "true 1\n");
    assert_eq!(experiment, "feature_extraction_freeze_all 3\nfine_tune_last_layer 3\n");
}
