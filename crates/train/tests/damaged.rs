//! Damaged checkpoints of a pretraining: no panic, no hang, bounded memory, and errors that name file and place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive};
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForMaskedLM, DistilBertForSequenceClassification};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{
    Checkpoints, EncodedDataset, Masking, Plan, Pretraining, PretrainingArguments, SaveStrategy, Stop, TrainError,
    Training, TrainingArguments,
};

/// What an error says of the place: a tensor, a setting; or that it is about the whole file. Weights so large that a step
/// leaves the numbers are told by the step.
const PLACES: [&str; 12] = [
    "tensor `",
    "tensors `",
    "the tensor ",
    "values of `",
    "moments of `",
    "was written with",
    "not a whole safetensors file: ",
    "none of the tensors",
    "tensors of the encoder are missing",
    "is no checkpoint of a ",
    "step ",
    "the logits are not finite",
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
    let (model, _) =
        DistilBertForMaskedLM::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::flex()).expect("a model");
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
    begin()
        .expect("a run")
        .advance(2, &Stop::default(), &mut |_| {})
        .expect("trained")
        .save(folder.path())
        .expect("saved");
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).expect("saved");

    let go_on = |folder: &Path| -> Result<(), TrainError> {
        let run = begin()?.resume(folder)?;
        let next = run.step() + 1;
        run.advance(next, &Stop::default(), &mut |_| {}).map(drop)
    };
    damaged("checkpoint of a pretraining", 3_000, &path, &whole, || go_on(folder.path()));
}

/// Takes damaged checkpoints to be taken up in the place of a whole one.
fn damaged(name: &str, cases: u64, path: &Path, whole: &[u8], go_on: impl Fn() -> Result<(), TrainError>) {
    // What is told by a step or a sentence is about what was computed, not about the file.
    let folder = path.parent().expect("a folder").display().to_string();
    let files: &[&str] = &[&folder, "step ", "the logits are not finite"];
    let outcome = survive(name, cases, &[files, &PLACES], |case| {
        overwrite(path, Mutator::new(case).damage_safetensors(whole));
        go_on().map_err(|error| error.to_string())
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 2, "damage of both kinds: {outcome:?}");
}

#[test]
fn checkpoints_of_a_training() {
    let (config, _, _, sequences) = tiny();
    let data = EncodedDataset::new(sequences, vec![0, 1, 0, 1, 1, 0], 2).expect("data");
    let arguments = TrainingArguments {
        per_device_train_batch_size: 2,
        num_train_epochs: 2,
        load_best_model_at_end: true,
        ..TrainingArguments::default()
    };
    let (device, plan) = (Device::flex(), Plan::full(&config));
    let (model, _) = DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 1, &device)
        .expect("a model");
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints =
        Checkpoints { folder: folder.path().into(), save_strategy: Some(SaveStrategy::Epoch), stop: Stop::default() };
    let run = |checkpoints: Checkpoints| {
        let training = Training::new(&config, &plan, &data, &arguments, &device).evaluated_on(&data);
        let training = training.with_checkpoints(checkpoints);
        training.run(plan.prepare(&model, 1)?, &mut |_| {}).map(drop)
    };
    run(checkpoints.clone()).expect("trained");
    let path = folder.path().join("step-00000003.safetensors");
    let whole = fs::read(&path).expect("the checkpoint of the first epoch");
    damaged("checkpoint of a training", 3_000, &path, &whole, || {
        run(Checkpoints { save_strategy: None, ..checkpoints.clone() })
    });
}
