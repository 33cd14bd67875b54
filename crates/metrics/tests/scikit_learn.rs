//! Every score against scikit-learn's, over random and awkward predictions (`fixtures/metrics/make.py`).
#![allow(clippy::unwrap_used)]

use rekindle_metrics::{Average, ConfusionMatrix, log_loss, roc_auc, roc_auc_ovr};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn classes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

#[test]
fn every_score_is_scikit_learns() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/golden.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 60);
    for (index, case) in cases.iter().enumerate() {
        let close = |what: &str, found: f64, expected: &Value| {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-12, "case {index}, {what}: {found} is not {expected}");
        };
        let (truth, count) = (classes(&case["truth"]), case["classes"].as_u64().unwrap() as usize);
        let matrix = ConfusionMatrix::new(&truth, &classes(&case["predicted"]), count).unwrap();
        close("accuracy", matrix.accuracy(), &case["accuracy"]);
        close("matthews", matrix.matthews(), &case["matthews"]);
        let averages = [
            ("binary", Average::Binary { positive: 1 }),
            ("micro", Average::Micro),
            ("macro", Average::Macro),
            ("weighted", Average::Weighted),
        ];
        for (name, average) in averages {
            for (what, score) in [
                ("precision", matrix.precision(average)),
                ("recall", matrix.recall(average)),
                ("f1", matrix.f1(average)),
            ] {
                if let Some(expected) = case[what].get(name) {
                    close(&format!("{name} {what}"), score.value, expected);
                }
            }
        }
        if let Some(probabilities) = case.get("probabilities") {
            let probabilities = numbers(probabilities);
            close("log loss", log_loss(&truth, &probabilities, count).unwrap(), &case["log_loss"]);
            if let Some(expected) = case.get("roc_auc") {
                let area = if count == 2 {
                    let positive: Vec<bool> = truth.iter().map(|&label| label == 1).collect();
                    let scores: Vec<f64> = probabilities.chunks(2).map(|row| row[1]).collect();
                    roc_auc(&positive, &scores)
                } else {
                    roc_auc_ovr(&truth, &probabilities, count)
                };
                close("ROC AUC", area.unwrap(), expected);
            }
        }
    }
}
