//! Damaged run stores: no panic, no hang, bounded memory, and errors that name the file and the place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive, tried};
use rekindle_data::twelve_sentences;
use rekindle_experiment::{Experiment, ExperimentError, ExperimentStore, Sampling};
use rekindle_infer::PretrainedModel;
use rekindle_train::Stop;
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

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
    let pretrained = PretrainedModel::from_folder(&model).expect("a model");
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
    let cases = tried(900);
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
