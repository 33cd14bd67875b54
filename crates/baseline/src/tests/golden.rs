//! Compares vocabulary, rows, weights and probabilities with scikit-learn (`fixtures/baseline/make.py`).
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;

use crate::{
    Baseline, DenseRows, LabelRates, LogisticOptions, LogisticRegression, Majority, MeanValue, MultilabelBaseline,
    Ridge, RidgeOptions, TfidfLogisticRegression, TfidfOneVsRest, TfidfRidge, ValueBaseline,
};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn close(what: &str, found: &[f64], expected: &Value, tolerance: f64) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
    }
}

#[test]
fn words_weights_and_probabilities_match_scikit_learn() {
    // Read at run time: a package has no fixtures, but its other tests must compile.
    let golden: Value = serde_json::from_slice(&fs::read("../../fixtures/baseline/golden.json").unwrap()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (texts, unseen) = (strings(&case["texts"]), strings(&case["unseen"]));
        let labels: Vec<usize> = numbers(&case["labels"]).into_iter().map(|label| label as usize).collect();
        let classes = case["classes"].as_u64().unwrap() as usize;
        let options = LogisticOptions { c: case["c"].as_f64().unwrap(), ..Default::default() };

        let majority = Majority::fit(&labels, classes).unwrap();
        close(name, majority.frequencies(), &case["prior"], 1e-15);

        let fitted = TfidfLogisticRegression::fit(&texts, &labels, classes, &options).unwrap();
        let (words, idf): (Vec<&str>, Vec<f64>) = fitted.tfidf.vocabulary().into_iter().unzip();
        assert_eq!(words, strings(&case["words"]), "{name}");
        close(&format!("{name}, idf"), &idf, &case["idf"], 1e-12);
        let rows = fitted.tfidf.transform(&unseen);
        for (found, expected) in rows.iter().zip(case["rows"].as_array().unwrap()) {
            let (columns, values): (Vec<f64>, Vec<f64>) = found.map(|(column, value)| (column as f64, value)).unzip();
            close(&format!("{name}, columns"), &columns, &expected[0], 0.0);
            close(&format!("{name}, row"), &values, &expected[1], 1e-12);
        }
        // The reference is Newton's method with a gradient norm of 1e-12. If the curvature is at least 1 / (c n), a
        // gradient norm of 1e-6 bounds the error of the weights by c n 1e-6; here c n is at most 120, and the curvature
        // is mostly greater.
        for (output, expected) in case["weights"].as_array().unwrap().iter().enumerate() {
            close(&format!("{name}, weights"), &fitted.weights.of(output), expected, 5e-5);
        }
        close(&format!("{name}, probabilities"), &fitted.probabilities(&unseen), &case["probabilities"], 1e-5);
        let predictions: Vec<f64> = fitted.predictions(&unseen).into_iter().map(|class| class as f64).collect();
        close(&format!("{name}, predictions"), &predictions, &case["predictions"], 0.0);
    }
}

/// `fixtures/baseline/make_logistic.py`.
#[test]
fn probabilities_on_dense_features_match_scikit_learn() {
    let golden: Value = serde_json::from_slice(&fs::read("../../fixtures/baseline/logistic.json").unwrap()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let rows = |key: &str| DenseRows::new(numbers(&case[key]), number("columns"));
        let labels: Vec<usize> = numbers(&case["labels"]).into_iter().map(|label| label as usize).collect();
        let class_weights = case["class_weights"].as_array().map(|_| numbers(&case["class_weights"]));
        let options = LogisticOptions { c: case["c"].as_f64().unwrap(), ..Default::default() };
        let classes = number("classes");
        let fitted =
            LogisticRegression::fit(&rows("rows"), &labels, classes, class_weights.as_deref(), &options).unwrap();
        close(name, &fitted.probabilities(&rows("unseen")), &case["probabilities"], 1e-6);
    }
}

/// `fixtures/baseline/make_targets.py`.
#[test]
fn probabilities_of_labels_match_scikit_learn() {
    let golden: Value = serde_json::from_slice(&fs::read("../../fixtures/baseline/targets.json").unwrap()).unwrap();
    for case in golden["labels"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (texts, unseen) = (strings(&case["texts"]), strings(&case["unseen"]));
        let targets: Vec<bool> = numbers(&case["targets"]).into_iter().map(|bit| bit == 1.0).collect();
        let labels = targets.len() / texts.len();
        let options = LogisticOptions { c: case["c"].as_f64().unwrap(), ..Default::default() };
        let bits =
            |predictions: Vec<bool>| predictions.into_iter().map(|is| f64::from(u8::from(is))).collect::<Vec<f64>>();

        let rates = LabelRates::fit(&targets, labels).unwrap();
        close(&format!("{name}, rates"), &rates.probabilities(&unseen[..1]), &case["rates"], 1e-15);
        close(&format!("{name}, usual labels"), &bits(rates.predictions(&unseen[..1])), &case["usual"], 0.0);
        let fitted = TfidfOneVsRest::fit(&texts, &targets, labels, &options).unwrap();
        assert_eq!(fitted.labels(), labels);
        close(name, &fitted.probabilities(&unseen), &case["probabilities"], 1e-6);
        close(&format!("{name}, predictions"), &bits(fitted.predictions(&unseen)), &case["predictions"], 0.0);
    }
}

/// `fixtures/baseline/make_targets.py`.
#[test]
fn predicted_values_match_scikit_learn() {
    let golden: Value = serde_json::from_slice(&fs::read("../../fixtures/baseline/targets.json").unwrap()).unwrap();
    for case in golden["values"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (texts, unseen, values) = (strings(&case["texts"]), strings(&case["unseen"]), numbers(&case["values"]));
        let options = RidgeOptions { alpha: case["alpha"].as_f64().unwrap(), ..Default::default() };
        close(name, &MeanValue::fit(&values).unwrap().predictions(&unseen), &case["mean"], 1e-12);
        let fitted = TfidfRidge::fit(&texts, &values, &options).unwrap();
        close(name, &fitted.predictions(&unseen), &case["predictions"], 1e-9);
    }
    for case in golden["dense"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let rows = |key: &str| DenseRows::new(numbers(&case[key]), case["columns"].as_u64().unwrap() as usize);
        let options = RidgeOptions { alpha: case["alpha"].as_f64().unwrap(), ..Default::default() };
        let fitted = Ridge::fit(&rows("rows"), &numbers(&case["values"]), &options).unwrap();
        close(name, fitted.coefficients(), &case["coefficients"], 1e-9);
        close(name, &[fitted.intercept()], &Value::from(vec![case["intercept"].clone()]), 1e-9);
        close(name, &fitted.predictions(&rows("unseen")), &case["predictions"], 1e-9);
    }
}
