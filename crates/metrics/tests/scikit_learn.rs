//! Compares every metric with scikit-learn, over random and unusual predictions (`fixtures/metrics/make.py`).
#![allow(clippy::unwrap_used)]

use rekindle_metrics::{
    Average, ConfusionMatrix, average_precision, brier_score, expected_calibration_error, log_loss,
    precision_recall_curve, reliability_bins, roc_auc, roc_auc_ovr, roc_curve,
};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn classes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

#[test]
fn metrics_match_scikit_learn() {
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
        close("balanced accuracy", matrix.balanced_accuracy(), &case["balanced_accuracy"]);
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

/// Asserts that the numbers are the expected ones, up to rounding.
fn same(what: &str, found: impl IntoIterator<Item = f64>, expected: &Value) {
    let (found, expected): (Vec<f64>, _) = (found.into_iter().collect(), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-12, "{what}: {found} is not {expected}");
    }
}

#[test]
fn curves_and_calibration_match_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/golden.json")).unwrap();
    let (mut curves, mut calibrated) = (0, 0);
    for (index, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let Some(probabilities) = case.get("probabilities") else { continue };
        let (truth, probabilities) = (classes(&case["truth"]), numbers(probabilities));
        let count = case["classes"].as_u64().unwrap() as usize;
        let brier = brier_score(&truth, &probabilities, count).unwrap();
        same(&format!("case {index}, Brier"), [brier], &Value::from(vec![case["brier"].clone()]));
        if let Some(expected) = case.get("roc_curve") {
            let positive: Vec<bool> = truth.iter().map(|&label| label == 1).collect();
            let scores: Vec<f64> = probabilities.chunks(2).map(|row| row[1]).collect();
            let curve = roc_curve(&positive, &scores).unwrap();
            assert_eq!(curve[0].threshold, f64::INFINITY);
            same("false positives", curve.iter().map(|point| point.false_positive_rate), &expected["fpr"]);
            same("true positives", curve.iter().map(|point| point.true_positive_rate), &expected["tpr"]);
            same("thresholds", curve[1..].iter().map(|point| point.threshold), &expected["finite_thresholds"]);
            curves += 1;
        }
        for (bins, expected) in case["calibration"].as_object().unwrap() {
            let bins = bins.parse().unwrap();
            let found = reliability_bins(&truth, &probabilities, count, bins).unwrap();
            let what = format!("case {index}, {bins} bins");
            same(&what, found.iter().map(|bin| bin.accuracy), &expected["accuracy"]);
            same(&what, found.iter().map(|bin| bin.confidence), &expected["confidence"]);
            same(&what, found.iter().map(|bin| bin.count as f64), &expected["count"]);
            let error = expected_calibration_error(&truth, &probabilities, count, bins).unwrap();
            same(&what, [error], &Value::from(vec![expected["error"].clone()]));
            calibrated += 1;
        }
    }
    assert!(curves >= 15 && calibrated >= 200, "{curves} curves, {calibrated} calibrations");
}

#[test]
fn precision_and_recall_match_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/golden.json")).unwrap();
    let mut curves = 0;
    for (index, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let Some(probabilities) = case.get("probabilities") else { continue };
        let (truth, probabilities) = (classes(&case["truth"]), numbers(probabilities));
        let count = case["classes"].as_u64().unwrap() as usize;
        for (class, expected) in case["precision_recall"].as_array().unwrap().iter().enumerate() {
            let positive: Vec<bool> = truth.iter().map(|&label| label == class).collect();
            let scores: Vec<f64> = probabilities.chunks(count).map(|row| row[class]).collect();
            let what = format!("case {index}, class {class}");
            let Ok(curve) = precision_recall_curve(&positive, &scores) else {
                assert!(expected.is_null(), "{what}");
                continue;
            };
            same(&what, curve.iter().map(|point| point.precision), &expected["precision"]);
            same(&what, curve.iter().map(|point| point.recall), &expected["recall"]);
            let (last, scored) = curve.split_last().unwrap();
            assert_eq!(last.threshold, f64::INFINITY, "{what}");
            same(&what, scored.iter().map(|point| point.threshold), &expected["thresholds"]);
            let average = average_precision(&positive, &scores).unwrap();
            same(&what, [average], &Value::from(vec![expected["average"].clone()]));
            curves += 1;
        }
    }
    assert!(curves >= 190, "{curves} curves");
}
