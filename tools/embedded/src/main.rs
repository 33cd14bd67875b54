//! `cargo xtask embedded`: trains the embedded model from the generated corpus.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::{at_root, binary, cargo, root, run, target, told};

/// The number of lines of the generated corpus, and its seed.
const LINES: &str = "200000";
const SEED: &str = "1";
/// Test sentences, which the corpus must not contain.
const EXCLUDED: &str = "fixtures/transfer/sentences.tsv";

/// Generates the corpus, learns a vocabulary, pretrains, and writes the model to `crates/rekindle/embedded`.
pub fn make() -> Result<(), u8> {
    run(at_root(cargo(&["build", "--quiet", "--workspace", "--bins", "--examples"])))?;
    let work = target().join("embedded");
    let at = |name: &str| work.join(name);
    told(fs::create_dir_all(&work))?;

    let mut corpus = Command::new(binary("corpus"));
    corpus.args(["--lines", LINES, "--seed", SEED, "--labelled", "--exclude"]).arg(root().join(EXCLUDED));
    corpus.stdout(told(File::create(at("labelled.tsv")))?);
    run(corpus)?;
    told(sequences(&at("labelled.tsv"), &at("corpus.txt")))?;

    let mut vocab = Command::new(binary("rekindle"));
    vocab.arg("vocab").arg("--corpus").arg(at("corpus.txt")).arg("--output").arg(at("vocab")).args(["--size", "5000"]);
    run(vocab)?;
    let mut pretrain = Command::new(binary("rekindle"));
    pretrain.arg("pretrain").arg("--corpus").arg(at("corpus.txt"));
    pretrain.arg("--vocab").arg(at("vocab")).arg("--output").arg(at("pretrained"));
    pretrain.args(["--layers", "4", "--dim", "192", "--heads", "6", "--max-length", "128", "--batch-size", "64"]);
    pretrain.args(["--steps", "6000", "--warmup-steps", "300", "--learning-rate", "1e-3", "--save-every", "1000"]);
    run(pretrain)?;
    let mut embed = Command::new(binary("examples/embedded"));
    embed.arg(at("pretrained")).arg(at("labelled.tsv")).arg(root().join("crates/rekindle/embedded"));
    run(embed)
}

/// Writes the texts without their labels, each followed by a blank line, which makes it a sequence of its own.
fn sequences(labelled: &Path, corpus: &Path) -> std::io::Result<()> {
    let lines = fs::read_to_string(labelled)?;
    let texts = lines.lines().map(|line| line.split('\t').next().unwrap_or_default());
    fs::write(corpus, texts.flat_map(|text| [text, "\n\n"]).collect::<String>())
}
