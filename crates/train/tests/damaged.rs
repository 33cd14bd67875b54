//! Damaged training checkpoints: no panic, no hang, bounded memory, and errors that name the file and the place in it.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive, tried};
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{Checkpoint, EncoderConfig, MaskedLanguageModel, SequenceClassifier};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{
    Checkpoints, Classification, EncodedDataset, MaskedLm, Masking, SaveStrategy, TrainError, Trainer,
    TrainingArguments, TuningPlan,
};

/// How an error names the place: a tensor or a setting, or that it is about the whole file. If damaged weights are so large
/// that training diverges, the error names the step.
const PLACES: [&str; 12] = [
    "tensor `",
    "tensors `",
    "the tensor ",
    "values of `",
    "moments of `",
    "was written ",
    "is damaged: ",
    "not a whole safetensors file: ",
    "none of the tensors",
    "is not a training checkpoint",
    "step ",
    "the logits are not finite",
];

/// A model of one layer and sixteen words, and sequences of these.
fn tiny() -> (EncoderConfig, MaskedLanguageModel, Masking, Vec<Vec<u32>>) {
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
    let config = EncoderConfig::from(config);
    let (model, _) =
        MaskedLanguageModel::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::flex()).expect("a model");
    let sequences = (0..6).map(|row| vec![2, 5 + row, 6 + row, 7 + row, 3]).collect();
    (config, model, Masking::new(&tokenizer, 0.3).expect("a masking"), sequences)
}

#[test]
fn checkpoints_of_masked_language_modelling() {
    let (config, model, masking, sequences) = tiny();
    let arguments = TrainingArguments { per_device_train_batch_size: 2, num_train_epochs: 2, ..Default::default() };
    let (device, plan) = (Device::flex(), TuningPlan::full(&config));
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints =
        Checkpoints { folder: folder.path().into(), save_strategy: Some(SaveStrategy::Epoch), save_final: false };
    let run = |checkpoints: Checkpoints| {
        let objective = MaskedLm::new(&config, masking.clone(), &sequences).evaluated_on(&sequences[..3]);
        let trainer = Trainer::new(objective, &plan, &arguments, &device).with_checkpoints(checkpoints);
        trainer.run(model.clone(), &mut |_| ControlFlow::Continue(())).map(drop)
    };
    run(checkpoints.clone()).expect("trained");
    let path = folder.path().join("step-00000003.safetensors");
    let whole = fs::read(&path).expect("the checkpoint of the first epoch");
    damaged("checkpoint of masked language modelling", 3_000, &path, &whole, || {
        run(Checkpoints { save_strategy: None, ..checkpoints.clone() })
    });
}

/// Resumes from damaged checkpoints.
fn damaged(name: &str, cases: u64, path: &Path, whole: &[u8], go_on: impl Fn() -> Result<(), TrainError>) {
    // Errors that name a step or an example are about computed values, not about the file.
    let folder = path.parent().expect("a folder").display().to_string();
    let files: &[&str] = &[&folder, "step ", "the logits are not finite"];
    let cases = tried(cases);
    let outcome = survive(name, cases, &[files, &PLACES], |case| {
        overwrite(path, Mutator::new(case).damage_safetensors(whole));
        go_on().map_err(|error| error.to_string())
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 2, "damage of both kinds: {outcome:?}");
}

#[test]
fn checkpoints_of_classification() {
    let (config, _, _, sequences) = tiny();
    let data = EncodedDataset::new(sequences, vec![0, 1, 0, 1, 1, 0], 2).expect("data");
    let arguments = TrainingArguments {
        per_device_train_batch_size: 2,
        num_train_epochs: 2,
        load_best_model_at_end: true,
        ..TrainingArguments::default()
    };
    let (device, plan) = (Device::flex(), TuningPlan::full(&config));
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 1, &device).expect("a model");
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints =
        Checkpoints { folder: folder.path().into(), save_strategy: Some(SaveStrategy::Epoch), save_final: false };
    let run = |checkpoints: Checkpoints| {
        let objective = Classification::new(&config, &data).evaluated_on(&data);
        let trainer = Trainer::new(objective, &plan, &arguments, &device).with_checkpoints(checkpoints);
        trainer.run(plan.prepare(&model, 1)?, &mut |_| ControlFlow::Continue(())).map(drop)
    };
    run(checkpoints.clone()).expect("trained");
    let path = folder.path().join("step-00000003.safetensors");
    let whole = fs::read(&path).expect("the checkpoint of the first epoch");
    damaged("checkpoint of classification", 3_000, &path, &whole, || {
        run(Checkpoints { save_strategy: None, ..checkpoints.clone() })
    });
}
