//! Trains a classifier on a table of tickets, saves it, and sorts new tickets: the program of `docs/cookbook/crate.md`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use rekindle::burn::tensor::Device;
use rekindle::data::{Dataset, ReadOptions, TestSize};
use rekindle::embedded::EMBEDDED;
use rekindle::experiment::{Approach, Experiment, Sampling};
use rekindle::infer::{Predictor, PretrainedModel};

const APPROACH: &str = "probe:C=1000:layers=last4";

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: route FILE")?;
    let options = ReadOptions { label_column: Some("queue".into()), ..ReadOptions::default() };
    let (train, test) =
        Dataset::read(Path::new(&file), &options)?.train_test_split(TestSize::Fraction(0.2), 42, true)?;

    let device = Device::default();
    // `PretrainedModel::from_folder` opens a checkpoint of your own.
    let pretrained = PretrainedModel::embedded(EMBEDDED)?;
    let approaches = Approach::parse_list(APPROACH)?;
    let experiment = Experiment { approaches, keep_models: true, ..Experiment::notebook() };
    let sampling = Sampling::fixed(train, None, test);
    let began = Instant::now();
    let outcome = experiment.run(&pretrained, &sampling, ("flex", &device), began, None, &mut |_| ())?;
    for record in outcome.results.approaches.iter().chain(&outcome.results.baselines) {
        println!("{} {:.4}", record.spec, record.accuracy.unwrap_or_default());
    }

    // The folder of `--save-models`: every command of `rekindle` opens it, and so does sentence-transformers.
    let folder = std::env::temp_dir().join(format!("rekindle-route-{}", std::process::id()));
    outcome.save_pretrained(APPROACH, &folder, &pretrained)?;
    let predictor = Predictor::from_folder(&folder, &device)?;
    for answer in predictor.predict(&["The charger gets hot.", "The webhook answers with error 403."])? {
        let queue = if answer.score < 0.5 { "a person" } else { &answer.label };
        println!("{queue} ({} {:.2})", answer.label, answer.score);
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}
