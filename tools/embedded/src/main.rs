//! Makes the small model that is embedded in the crate `rekindle`, from nothing: `embedded BINARIES SENTENCES.tsv WORK
//! FOLDER`.
//!
//! `cargo xtask embedded` runs it. BINARIES is the folder with the programs `corpus` and `rekindle`, SENTENCES are
//! excluded from the corpus because the model is measured on them, WORK keeps what is made on the way, and FOLDER gets
//! the model. The steps:
//!
//! 1. `corpus` generates labelled lines.
//! 2. `rekindle vocab` learns a vocabulary from their texts.
//! 3. `rekindle pretrain` trains a model on them with masked language modelling.
//! 4. [`polarity`] trains the model to classify the lines, and writes its encoder.
//!
//! The same version gives the same bytes.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

mod noise;
mod polarity;

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

/// Lines of the generated corpus, and its seed.
const LINES: &str = "400000";
const SEED: &str = "1";

fn main() -> Result<(), Box<dyn Error>> {
    rekindle::allocator::keep_pages();
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [binaries, excluded, work, folder] = paths.as_slice() else {
        return Err("usage: embedded BINARIES SENTENCES.tsv WORK FOLDER".into());
    };
    let program = |name: &str| Command::new(binaries.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    let at = |name: &str| work.join(name);
    fs::create_dir_all(work)?;

    let mut corpus = program("corpus");
    corpus.args(["--lines", LINES, "--seed", SEED, "--labelled", "--exclude"]).arg(excluded);
    run(corpus.stdout(File::create(at("labelled.tsv"))?))?;
    sequences(&at("labelled.tsv"), &at("corpus.txt"))?;

    let mut vocab = program("rekindle");
    vocab.arg("vocab").arg("--corpus").arg(at("corpus.txt")).arg("--output").arg(at("vocab"));
    run(vocab.args(["--size", "8000"]))?;
    let mut pretrain = program("rekindle");
    pretrain.arg("pretrain").arg("--corpus").arg(at("corpus.txt"));
    pretrain.arg("--vocab").arg(at("vocab")).arg("--output").arg(at("pretrained"));
    pretrain.args(["--layers", "4", "--dim", "192", "--heads", "6", "--max-length", "128", "--batch-size", "64"]);
    pretrain.args(["--steps", "6000", "--warmup-steps", "300", "--learning-rate", "1e-3", "--save-every", "1000"]);
    run(&mut pretrain)?;

    polarity::train(&at("pretrained"), &at("labelled.tsv"), folder)
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{command:?}: {status}").into()),
    }
}

/// Writes the texts of a labelled file, each followed by a blank line, which ends a sequence.
fn sequences(labelled: &Path, corpus: &Path) -> std::io::Result<()> {
    let lines = fs::read_to_string(labelled)?;
    let texts = lines.lines().map(|line| line.split('\t').next().unwrap_or_default());
    fs::write(corpus, texts.flat_map(|text| [text, "\n\n"]).collect::<String>())
}
