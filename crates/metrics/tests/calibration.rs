//! Compares calibration with scipy and scikit-learn (`fixtures/metrics/make_calibration.py`), and simulates what is promised.
#![allow(clippy::unwrap_used)]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rekindle_metrics::{
    LogitScaling, ProbabilityRows, ProbabilityScore, ReliabilityBin, Scaling, adaptive_bins,
    adaptive_calibration_error, brier_score, log_loss, promised_errors, reliability_bins, risk_coverage, softmax,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/metrics/calibration.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|flag| flag.as_bool().unwrap()).collect()
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

fn all_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    found.iter().zip(expected).for_each(|(found, expected)| close(what, *found, *expected, tolerance));
}

fn softmax_of(logits: &[f32], classes: usize) -> Vec<f64> {
    let mut p: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    for row in p.chunks_mut(classes) {
        softmax(row);
    }
    p
}

#[test]
fn scaling_of_classes_matches_scipys_optimum() {
    let golden = golden();
    for (index, case) in golden["classes"].as_array().unwrap().iter().enumerate() {
        let what = format!("case {index}");
        let classes = case["classes"].as_u64().unwrap() as usize;
        let truth: Vec<usize> = numbers(&case["truth"]).into_iter().map(|class| class as usize).collect();
        let logits = floats(&case["logits"]);
        let temperature = LogitScaling::of_classes(Scaling::Temperature, &logits, &truth, classes).unwrap();
        let weight = case["temperature"].as_f64().unwrap();
        all_close(&what, &temperature.weights, &vec![weight; classes], 1e-6);
        assert!(temperature.biases.iter().all(|bias| *bias == 0.0));
        let scaled = log_loss(&truth, &softmax_of(&temperature.apply(&logits), classes), classes).unwrap();
        close(&what, scaled, case["nll_scaled"].as_f64().unwrap(), 1e-6);
        let expected = numbers(&case["vector"]);
        let vector = LogitScaling::of_classes(Scaling::Vector, &logits, &truth, classes).unwrap();
        if expected[..classes].iter().all(|weight| *weight > 0.0) {
            all_close(&what, &[vector.weights, vector.biases].concat(), &expected, 1e-6);
        } else {
            assert_eq!(vector, temperature, "{what}: a negative weight");
        }
    }
}

#[test]
fn scaling_of_labels_matches_scipys_optimum() {
    let golden = golden();
    for case in golden["labels"].as_array().unwrap() {
        let labels = case["labels"].as_u64().unwrap() as usize;
        let (truth, logits) = (flags(&case["truth"]), floats(&case["logits"]));
        let of = |method| LogitScaling::of_labels(method, &logits, &truth, labels).unwrap();
        all_close("temperature", &of(Scaling::Temperature).weights, &numbers(&case["temperature"]), 1e-6);
        let LogitScaling { weights, biases } = of(Scaling::Vector);
        all_close("vector", &[weights, biases].concat(), &numbers(&case["vector"]), 1e-6);
    }
}

#[test]
fn scores_of_probabilities_match_scikit_learn() {
    let golden = golden();
    for (index, case) in golden["classes"].as_array().unwrap().iter().enumerate() {
        let what = format!("case {index}");
        let classes = case["classes"].as_u64().unwrap() as usize;
        let truth: Vec<usize> = numbers(&case["truth"]).into_iter().map(|class| class as usize).collect();
        let p = softmax_of(&floats(&case["logits"]), classes);
        close(&what, brier_score(&truth, &p, classes).unwrap(), case["brier"].as_f64().unwrap(), 1e-9);
        close(&what, log_loss(&truth, &p, classes).unwrap(), case["nll"].as_f64().unwrap(), 1e-9);
        let same = |bins: &[ReliabilityBin], expected: &Value| {
            let of = |value: fn(&ReliabilityBin) -> f64| bins.iter().map(value).collect::<Vec<f64>>();
            all_close(&what, &of(|bin| bin.count as f64), &numbers(&expected["count"]), 0.0);
            all_close(&what, &of(|bin| bin.confidence), &numbers(&expected["confidence"]), 1e-9);
            all_close(&what, &of(|bin| bin.accuracy), &numbers(&expected["accuracy"]), 1e-9);
        };
        same(&reliability_bins(&truth, &p, classes, 10).unwrap(), &case["uniform"]);
        same(&adaptive_bins(&truth, &p, classes, 10).unwrap(), &case["quantile"]);
        let adaptive = case["quantile"]["error"].as_f64().unwrap();
        close(&what, adaptive_calibration_error(&truth, &p, classes, 10).unwrap(), adaptive, 1e-9);

        let rows = ProbabilityRows::new(&truth, &p, classes, 10).unwrap();
        let expected = [&case["uniform"]["error"], &case["quantile"]["error"], &case["brier"], &case["nll"]];
        for (score, expected) in ProbabilityScore::ALL.into_iter().zip(expected) {
            close(score.name(), rows.score(score), expected.as_f64().unwrap(), 1e-9);
            assert_eq!(rows.score(score), rows.score_of(score, 0..truth.len()), "{}", score.name());
        }
        let curve = risk_coverage(&rows.confidences(), &rows.correct()).unwrap();
        close(&what, curve.aurc, case["aurc"].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn promised_errors_match_scipys_bounds() {
    let golden = golden();
    for case in golden["promises"].as_array().unwrap() {
        let level = case["level"].as_f64().unwrap();
        let promises = promised_errors(&numbers(&case["confidence"]), &flags(&case["correct"]), level).unwrap();
        let found: Vec<f64> =
            promises.iter().flat_map(|promise| [promise.threshold, promise.coverage, promise.error]).collect();
        let expected: Vec<f64> = case["points"].as_array().unwrap().iter().flat_map(numbers).collect();
        all_close("points", &found, &expected, 1e-9);
    }
}

/// Logits of two classes whose true probability of class 1 is the sigmoid of the difference, and which are three times as large:
/// an overconfident model.
fn draw(rng: &mut ChaCha8Rng, rows: usize) -> (Vec<f32>, Vec<usize>, Vec<f64>) {
    let mut uniform = || rng.next_u64() as f64 / u64::MAX as f64;
    let (mut logits, mut truth, mut p) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let x = 8.0 * uniform() - 4.0;
        p.push(1.0 / (1.0 + (-x).exp()));
        truth.push(usize::from(uniform() < p[p.len() - 1]));
        logits.extend([0.0, 3.0 * x as f32]);
    }
    (logits, truth, p)
}

#[test]
fn promised_errors_hold_in_95_of_100_draws() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (all, _, p) = draw(&mut rng, 2000);
    let (draws, promised) = (250, 0.1);
    let (mut broken, mut predicted) = (0, 0.0);
    for _ in 0..draws {
        // The temperature is fitted to the same rows.
        let (logits, truth, _) = draw(&mut rng, 600);
        let scaling = LogitScaling::of_classes(Scaling::Temperature, &logits, &truth, 2).unwrap();
        let rows = ProbabilityRows::new(&truth, &softmax_of(&scaling.apply(&logits), 2), 2, 10).unwrap();
        let promises = promised_errors(&rows.confidences(), &rows.correct(), 0.95).unwrap();
        let Some(promise) = promises.iter().find(|promise| promise.error <= promised) else { continue };
        // The error of the population: that of the predicted class by its true probability.
        let scaled = softmax_of(&scaling.apply(&all), 2);
        let chosen = scaled.chunks(2).zip(&p).filter(|(row, _)| row[0].max(row[1]) >= promise.threshold);
        let errors: Vec<f64> = chosen.map(|(row, p)| if row[1] > row[0] { 1.0 - p } else { *p }).collect();
        predicted += errors.len() as f64 / p.len() as f64 / f64::from(draws);
        broken += i32::from(errors.iter().sum::<f64>() / errors.len() as f64 > promised);
    }
    assert!(f64::from(broken) / f64::from(draws) <= 0.05, "{broken} of {draws} promises are broken");
    assert!(predicted > 0.4 && predicted < 0.75, "{predicted}");
}

#[test]
fn a_temperature_removes_overconfidence() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ((logits, truth, _), (test, test_truth, _)) = (draw(&mut rng, 1000), draw(&mut rng, 2000));
    let scaling = LogitScaling::of_classes(Scaling::Temperature, &logits, &truth, 2).unwrap();
    assert!((scaling.weights[0] - 1.0 / 3.0).abs() < 0.05, "{scaling:?}");
    let error = |logits: &[f32]| adaptive_calibration_error(&test_truth, &softmax_of(logits, 2), 2, 10).unwrap();
    assert!(error(&scaling.apply(&test)) < 0.03 && error(&test) > 0.05);
}
