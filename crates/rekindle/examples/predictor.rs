//! Trains low-rank adapters, predicts with the trained model at once, and saves it for later.

use std::error::Error;
use std::thread;
use std::time::Instant;

use rekindle::burn::tensor::Device;
use rekindle::data::{TestSize, twelve_sentences};
use rekindle::embedded::EMBEDDED;
use rekindle::experiment::{Approach, Experiment, Sampling};
use rekindle::infer::{Predictor, PretrainedModel};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::default();
    let pretrained = PretrainedModel::embedded(EMBEDDED)?; // or `PretrainedModel::from_folder`
    let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true)?;
    let sampling = Sampling::fixed(train, None, test);
    let approaches = Approach::parse_list("lora:r=4:lr=1e-3")?;
    let experiment = Experiment { approaches, keep_models: true, ..Experiment::notebook() };
    let began = Instant::now();
    let outcome = experiment.run(&pretrained, &sampling, ("flex", &device), began, None, &mut |_| ())?;

    // A predictor shares the weights of the training. Copies are cheap, and threads may share it.
    let predictor = outcome.predictor("lora:r=4:lr=1e-3", &pretrained, &device)?;
    let answers = thread::scope(|scope| {
        let copy = predictor.clone();
        let answers = scope.spawn(move || copy.predict(&["a joy to use", "broke within a week"]));
        answers.join().expect("no panic")
    })?;
    for answer in &answers {
        println!("{} {:.3}", answer.label, answer.score);
    }

    // A folder that transformers opens. `save_adapter` writes the adapters alone, for peft.
    let folder = std::env::temp_dir().join(format!("rekindle-example-{}", std::process::id()));
    outcome.save_pretrained("lora:r=4:lr=1e-3", &folder, &pretrained)?;
    let opened = Predictor::from_folder(&folder, &device)?;
    assert_eq!(opened.predict(&["a joy to use", "broke within a week"])?, answers);
    Ok(std::fs::remove_dir_all(&folder)?)
}
