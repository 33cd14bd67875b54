//! Explanations: against captum, by the table of `fixtures/explain/make.py`, and complete for every family.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::Checkpoint;
use rekindle_encoders::{EncoderConfig, Family, SequenceClassifier};
use rekindle_infer::{Explanation, IntegratedGradients, Model, Predictor, PretrainedModel};
use serde::Deserialize;

use crate::common::random;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

#[derive(Deserialize)]
struct Golden {
    steps: usize,
    models: Vec<GoldenModel>,
}

#[derive(Deserialize)]
struct GoldenModel {
    folder: String,
    padding: u32,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    logits: Vec<f64>,
    attributions: Vec<Vec<f64>>,
}

#[test]
fn attributions_are_those_of_captum() {
    let golden = fs::read(Path::new(FIXTURES).join("explain/golden.json")).expect("a fixture");
    let golden: Golden = serde_json::from_slice(&golden).expect("JSON");
    let device = Device::flex();
    for GoldenModel { folder, padding, rows } in golden.models {
        let path = Path::new(FIXTURES).join(&folder);
        let config = EncoderConfig::from_folder(&path).expect("a configuration");
        let checkpoint = Checkpoint::open(&path).expect("a checkpoint");
        let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, &device).expect("a model");
        let model = Model::Sequence(Box::new(model.trainable(|_| false)));
        assert!(!rows.is_empty());
        for Row { ids, logits, attributions } in rows {
            let mut baseline = vec![padding; ids.len()];
            (baseline[0], baseline[ids.len() - 1]) = (ids[0], ids[ids.len() - 1]);
            for (output, theirs) in attributions.iter().enumerate() {
                let integral = IntegratedGradients::new(&model, &config, [&ids, &baseline], output, &device);
                let ours = integral.expect("prepared").integrate(golden.steps).expect("attributions");
                assert!((f64::from(ours.logit) - logits[output]).abs() < 1e-4, "{folder}: {}", ours.logit);
                assert_eq!(ours.tokens.len(), theirs.len());
                let largest = theirs.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
                for (ours, theirs) in ours.tokens.iter().zip(theirs) {
                    assert!((ours - theirs).abs() <= 1e-3 * largest, "{folder}: {ours} here, {theirs} there");
                }
            }
        }
    }
}

/// Checks what holds of every explanation.
fn check(classifier: &Predictor, text: &str, explanation: &Explanation) {
    let label = &explanation.label;
    let prediction = &classifier.classify(&[text], classifier.max_length(), 1).expect("a prediction")[0];
    let output = classifier.labels().iter().position(|name| name == label).expect("a class");
    let logit = prediction.logits[output];
    assert!((explanation.logit - logit).abs() < 1e-4, "{} explained, {logit} predicted", explanation.logit);
    let difference = f64::from(explanation.logit) - f64::from(explanation.baseline_logit);
    let sum: f64 = explanation.words.iter().map(|word| word.attribution).sum();
    assert!((sum - difference).abs() <= (0.01 * difference.abs()).max(1e-4), "{sum} of {difference}");
    assert!(explanation.is_complete);
    for word in &explanation.words {
        assert_eq!(text[word.start..word.end], word.text);
    }
}

#[test]
fn attributions_sum_to_the_difference_of_the_logits_in_every_family() {
    for family in Family::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let classifier = random(family, folder.path());
        let text = "A joy to use, and so good!";
        let labels = classifier.labels().to_vec();
        let predicted = classifier.explain(text, None, 50, 1600).expect("an explanation");
        let prediction = &classifier.classify(&[text], classifier.max_length(), 1).expect("a prediction")[0];
        assert_eq!((&predicted.label, predicted.is_truncated), (&prediction.label, false), "{family}");
        assert!((predicted.score - prediction.score).abs() < 1e-5, "{family}");
        check(&classifier, text, &predicted);
        let words: Vec<&str> = predicted.words.iter().map(|word| word.text.as_str()).collect();
        assert!(words.len() >= 7 && words[..2] == ["A", "joy"], "{family}: {words:?}");
        for label in &labels {
            check(&classifier, text, &classifier.explain(text, Some(label), 4, 1600).expect("an explanation"));
        }
        assert!(classifier.explain("", None, 1, 1600).expect("an explanation").words.is_empty(), "{family}");
        let long = "good ".repeat(100);
        assert!(classifier.explain(&long, None, 1, 1600).expect("an explanation").is_truncated, "{family}");
        let error = classifier.explain(text, Some("none"), 4, 1600).expect_err("no such class").to_string();
        assert!(error.contains("`none`") && error.contains(&format!("`{}`", labels[0])), "{error}");
    }
}

#[test]
fn a_linear_head_on_sentence_embeddings_is_explained() {
    let folder = Path::new(FIXTURES).join("contrastive/sentence_transformers");
    let pretrained = PretrainedModel::from_folder(&folder).expect("a model");
    let classifier = Predictor::new(&pretrained, &Device::flex()).expect("a classifier");
    let text = "good movie";
    check(&classifier, text, &classifier.explain(text, None, 50, 1600).expect("an explanation"));
}
