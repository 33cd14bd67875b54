//! Damaged checkpoints of a pretraining: no panic, no hang, bounded memory, and errors that name file and place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, survive};
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForMaskedLM};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{Masking, Pretraining, PretrainingArguments, TrainError, TrainingArguments};

/// What an error says of the place: a tensor, a setting; or that it is about the whole file.
const PLACES: [&str; 8] = [
    "tensor `",
    "tensors `",
    "was written with",
    "not a whole safetensors file: ",
    "none of the tensors",
    "tensors of the base are missing",
    "is no checkpoint of a pretraining",
    "was written after step",
];

/// A model of one layer and sixteen words, and sequences of these.
fn tiny() -> (DistilBertConfig, DistilBertForMaskedLM, Masking, Vec<Vec<u32>>) {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let words = special.into_iter().chain((0..11).map(|word| format!("w{word}")));
    let tokenizer = Tokenizer::wordpiece(words.collect(), true).expect("a tokenizer");
    let config = DistilBertConfig {
        vocab_size: 16,
        max_position_embeddings: 6,
        dim: 4,
        hidden_dim: 8,
        n_heads: 2,
        n_layers: 1,
        ..DistilBertConfig::default()
    };
    let (model, _) = config.load_masked_lm(&Checkpoint::empty(), 1, &Device::flex()).expect("a model");
    let sequences = (0..6).map(|row| vec![2, 5 + row, 6 + row, 7 + row, 3]).collect();
    (config, model, Masking::new(&tokenizer, 0.3).expect("a masking"), sequences)
}

#[test]
fn checkpoints_of_a_pretraining() {
    let (config, model, masking, sequences) = tiny();
    let training = TrainingArguments { per_device_train_batch_size: 2, num_train_epochs: 3, ..Default::default() };
    let arguments = PretrainingArguments { training, ..PretrainingArguments::default() };
    let device = Device::flex();
    let begin = || Pretraining::new(&model, &config, masking.clone(), &sequences, &arguments, &device);
    let folder = tempfile::tempdir().expect("a folder");
    begin().expect("a run").advance(2, &mut |_| {}).expect("trained").save(folder.path()).expect("saved");
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).expect("saved");

    let go_on = |folder: &Path| -> Result<(), TrainError> {
        let run = begin()?.resume(folder)?;
        let next = run.step() + 1;
        run.advance(next, &mut |_| {}).map(drop)
    };
    let cases = 6_000;
    let name = "a pretraining's model.safetensors";
    // Weights so large that a step leaves the numbers are told by the step.
    let place: &[&str] = &[&folder.path().display().to_string(), "step "];
    let outcome = survive(name, cases, &[place], |case| {
        fs::write(&path, Mutator::new(case).damage_safetensors(&whole)).expect("written");
        go_on(folder.path()).map_err(|error| {
            let error = error.to_string();
            assert!(error.starts_with("step ") || PLACES.iter().any(|place| error.contains(place)), "{error}");
            error
        })
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 2, "damage of both kinds: {outcome:?}");
}
