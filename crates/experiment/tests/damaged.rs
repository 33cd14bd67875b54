//! Damaged model folders and run stores: no panic, no hang, bounded memory, and errors that name the file and the place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive};
use rekindle_data::twelve_sentences;
use rekindle_experiment::{Classifier, Experiment, ExperimentError, ExperimentStore, PretrainedModel, Sampling};
use rekindle_results::Source;
use rekindle_train::Stop;
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// Opens a folder, and classifies a text where that can be done.
fn classify(folder: &Path) -> Result<(), ExperimentError> {
    let model = PretrainedModel::from_folder(folder, "damaged", Source::Folder)?;
    let classifier = Classifier::new(&model, &Device::flex())?;
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
    let cases = 3_000;
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

/// What a run that was broken off has left, and is to be taken up again.
#[test]
fn stores() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, device) = (folder.path().join("out"), Device::flex());
    let base = Path::new(FIXTURES).join("distilbert/base");
    let model = folder.path().join("model");
    fs::create_dir(&model).expect("a folder");
    for (from, name) in [
        (base.join("config.json"), "config.json"),
        (base.join("model.safetensors"), "model.safetensors"),
        (Path::new(FIXTURES).join("tokenizer/tokenizer.json"), "tokenizer.json"),
    ] {
        fs::copy(from, model.join(name)).expect("a fixture");
    }
    let pretrained = PretrainedModel::from_folder(&model, "tiny", Source::Folder).expect("a model");
    let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
    let experiment = Experiment { max_length: 8, ..Experiment::notebook() };
    let take_up = || -> Result<(), ExperimentError> {
        let store = ExperimentStore::new(&out, None, Stop::default());
        let engine = ("flex", &device);
        experiment.run(&pretrained, &sampling, engine, Instant::now(), Some(&store), &mut |_| {}).map(drop)
    };
    take_up().expect("a run");
    let run = folder.path().join("out/run");
    let paths = ["experiment.json", "trials/00000.json", "trials/00005.json"].map(|name| run.join(name));
    let whole = paths.each_ref().map(|path| fs::read(path).expect("a record"));
    let values = whole.each_ref().map(|bytes| serde_json::from_slice::<Value>(bytes).expect("JSON"));
    let cases = 900;
    let places = ["experiment.json", "trials", "logits"];
    let outcome = survive("store", cases, &[&places], |case| {
        let mut mutator = Mutator::new(case);
        let which = mutator.below(3);
        let damaged = match mutator.below(3) {
            0 => mutator.damage(&whole[which]),
            _ => mutator.damage_json(&values[which]),
        };
        overwrite(&paths[which], damaged);
        let taken = take_up().map_err(|error| error.to_string());
        overwrite(&paths[which], &whole[which]);
        taken
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
}
