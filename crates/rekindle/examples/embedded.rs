//! Makes the model that is compiled into `rekindle`: a small DistilBERT without a head, random from its seed, with a
//! WordPiece vocabulary of characters and common words.
//!
//! `cargo xtask embedded` runs it: `embedded WORDS FOLDER` reads a word a line (continuations begin with `##`) and
//! writes `config.json`, `model.safetensors` (f16) and `tokenizer.json`. The same words give the same bytes.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;

use burn::tensor::Device;
use rekindle_distilbert::{Checkpoint, DistilBertConfig, Precision};
use rekindle_tokenizer::Tokenizer;

const SEED: u64 = 42;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [words, folder] = paths.as_slice() else { return Err("usage: embedded WORDS FOLDER".into()) };
    let vocabulary = vocabulary(&std::fs::read_to_string(words)?);
    let config = DistilBertConfig {
        vocab_size: vocabulary.len(),
        n_layers: 2,
        n_heads: 4,
        dim: 64,
        hidden_dim: 256,
        ..DistilBertConfig::default()
    };
    let (model, _) = config.load(&Checkpoint::empty(), SEED, &Device::default())?;
    std::fs::create_dir_all(folder)?;
    model.distilbert.save_safetensors(&folder.join("model.safetensors"), Precision::F16)?;
    std::fs::write(folder.join("config.json"), config.to_json())?;
    std::fs::write(folder.join("tokenizer.json"), Tokenizer::wordpiece(vocabulary, true)?.to_json()?)?;
    Ok(())
}

fn vocabulary(words: &str) -> Vec<String> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let characters: Vec<char> = ('!'..='~').filter(|character| !character.is_ascii_uppercase()).collect();
    let continued = characters.iter().map(|character| format!("##{character}"));
    let singles: BTreeSet<String> = characters.iter().map(char::to_string).chain(continued).collect();
    let words = words.lines().map(String::from).filter(|word| !singles.contains(word));
    special.into_iter().chain(singles.iter().cloned()).chain(words).collect()
}
