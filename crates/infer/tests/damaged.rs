//! Damaged model folders: no panic, no hang, bounded memory, and errors that name the file and the place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive, tried};
use rekindle_infer::{InferError, ModelSource, Predictor, PretrainedModel};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// Opens a folder, and classifies a text where that can be done.
fn classify(folder: &Path) -> Result<(), InferError> {
    let model = PretrainedModel::from_folder(folder)?.named("damaged", ModelSource::Folder);
    let classifier = Predictor::new(&model, &Device::flex())?;
    classifier.classify(&["good", "", "a naïve 🎉 film"], classifier.max_length().min(8), 2).map(drop)
}

#[test]
fn model_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let whole = ["distilbert/base/config.json", "tokenizer/tokenizer.json", "distilbert/base/model.safetensors"]
        .map(|name| fs::read(Path::new(FIXTURES).join(name)).expect("a fixture"));
    let values = [0, 1].map(|index| serde_json::from_slice::<Value>(&whole[index]).expect("JSON"));
    let places = [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "damaged: ",
        "tokenizing: ",
        "max length",
        "holds no token",
        "the tokenizer has",
    ];
    let cases = tried(3_000);
    let outcome = survive("model folder", cases, &[&places], |case| {
        let mut mutator = Mutator::new(case);
        let which = mutator.below(3);
        for (index, name) in names.iter().enumerate() {
            let bytes = match (index == which, values.get(index)) {
                (false, _) => whole[index].clone(),
                (true, None) => mutator.damage_safetensors(&whole[index]),
                (true, Some(value)) if mutator.below(3) > 0 => mutator.damage_json(value),
                (true, Some(_)) => mutator.damage(&whole[index]),
            };
            overwrite(&folder.path().join(name), bytes);
        }
        classify(folder.path()).map_err(|error| error.to_string())
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
}
