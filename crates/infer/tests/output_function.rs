//! Scores against transformers' `text-classification` pipeline, by each `function_to_apply`.
//!
//! The golden numbers are its own: `fixtures/tasks/make.py`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rekindle_checkpoint::ProblemType;
use rekindle_encoders::EncoderConfig;
use rekindle_infer::OutputFunction;
use serde::Deserialize;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

#[derive(Deserialize)]
struct Model {
    problem_type: Option<ProblemType>,
    labels: usize,
    logits: Vec<Vec<f32>>,
    scores: HashMap<String, Vec<Vec<f64>>>,
}

#[test]
fn scores_are_those_of_the_pipeline() {
    let bytes = fs::read(Path::new(FIXTURES).join("tasks/pipeline.json")).expect("fixture");
    let models: Vec<Model> = serde_json::from_slice(&bytes).expect("JSON");
    let config = EncoderConfig::from_folder(&Path::new(FIXTURES).join("encoders/bert/base")).expect("config");
    for model in models {
        let mut config = config.clone().with_labels((0..model.labels).map(|label| format!("LABEL_{label}")));
        config.problem.problem_type = model.problem_type;
        let functions = [
            ("default", OutputFunction::of(&config)),
            ("sigmoid", OutputFunction::Sigmoid),
            ("softmax", OutputFunction::Softmax),
            ("none", OutputFunction::None),
        ];
        for (name, function) in functions {
            for (logits, theirs) in model.logits.iter().zip(&model.scores[name]) {
                let ours = function.apply(logits);
                assert_eq!(ours.len(), theirs.len());
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let what = format!("{:?}, {} labels, {name}", model.problem_type, model.labels);
                    assert!((ours - theirs).abs() <= 1e-6 * theirs.abs() + 1e-7, "{what}: {ours} here, {theirs} there");
                }
            }
        }
    }
}
