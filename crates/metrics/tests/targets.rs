//! Compares metrics of several labels, of values and of ordered classes with scikit-learn and scipy
//! (`fixtures/metrics/make_multilabel.py` and `make_regression.py`).
#![allow(clippy::unwrap_used)]

use std::f64::consts::PI;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rekindle_metrics::{
    Average, ConfusionMatrix, LabelRankings, MultilabelPredictions, Score, Scorer, ValuePredictions, bootstrap,
    corrected_paired_t, paired_permutation,
};
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn integers(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|number| number as usize).collect()
}

fn close(what: &str, found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

/// Compares a value, and whether it is undefined, which scikit-learn warns of.
fn flagged(what: &str, found: Score, expected: &Value) {
    close(what, found.value, &expected[0]);
    assert_eq!(found.zero_division, expected[1].as_bool().unwrap(), "{what}");
}

/// Compares a value that is NaN in scipy or scikit-learn where ours is 0 and flagged.
fn defined(what: &str, found: Score, expected: &Value) {
    match expected {
        Value::Null => assert_eq!(found, Score { value: 0.0, zero_division: true }, "{what}"),
        expected => close(what, found.value, expected),
    }
}

#[test]
fn metrics_of_labels_match_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/multilabel.json")).unwrap();
    let averages = [
        ("micro", Average::Micro),
        ("macro", Average::Macro),
        ("weighted", Average::Weighted),
        ("samples", Average::Samples),
    ];
    for (index, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let (labels, threshold) = (case["labels"].as_u64().unwrap() as usize, case["threshold"].as_f64().unwrap());
        let truth: Vec<bool> = integers(&case["truth"]).into_iter().map(|bit| bit == 1).collect();
        let probabilities = numbers(&case["probabilities"]);
        let predicted: Vec<bool> = probabilities.iter().map(|&p| p > threshold).collect();
        let predictions = MultilabelPredictions::new(&truth, &predicted, labels).unwrap();
        let confusion = predictions.confusion();
        let rankings = LabelRankings::new(&truth, &probabilities, labels).unwrap();
        let what = |metric: &str| format!("case {index}, {metric}");
        for (name, average) in averages {
            flagged(&what(&format!("{name} precision")), confusion.precision(average), &case["precision"][name]);
            flagged(&what(&format!("{name} recall")), confusion.recall(average), &case["recall"][name]);
            flagged(&what(&format!("{name} F1")), confusion.f1(average), &case["f1"][name]);
        }
        let each = &case["per_label"];
        for label in 0..labels {
            let average = Average::Binary { positive: label };
            close(&what("precision"), confusion.precision(average).value, &each["precision"][label]);
            close(&what("recall"), confusion.recall(average).value, &each["recall"][label]);
            close(&what("F1"), confusion.f1(average).value, &each["f1"][label]);
            close(&what("support"), confusion.support(label) as f64, &each["support"][label]);
            flagged(&what("average precision"), rankings.average_precision(label), &each["average_precision"][label]);
        }
        flagged(&what("mean average precision"), rankings.macro_average_precision(), &case["average_precision"]);
        close(&what("subset accuracy"), confusion.subset_accuracy(), &case["subset_accuracy"]);
        close(&what("Hamming loss"), confusion.hamming_loss(), &case["hamming_loss"]);
        for metric in [Scorer::Accuracy, Scorer::SamplesF1, Scorer::HammingLoss] {
            let rows = predictions.row_values(metric).unwrap();
            let mean = rows.iter().sum::<f64>() / rows.len() as f64;
            assert!((mean - metric.score_labels(&confusion, 0.0, 0.0)).abs() < 1e-12, "{}", what(metric.name()));
        }
    }
}

#[test]
fn metrics_of_values_match_scikit_learn_and_scipy() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/regression.json")).unwrap();
    for (index, case) in golden["values"].as_array().unwrap().iter().enumerate() {
        let predictions = ValuePredictions::new(&numbers(&case["truth"]), &numbers(&case["predicted"])).unwrap();
        let scores = predictions.scores();
        let what = |metric: &str| format!("case {index}, {metric}");
        close(&what("MSE"), scores.mse(), &case["mse"]);
        close(&what("RMSE"), scores.rmse(), &case["rmse"]);
        close(&what("MAE"), scores.mae(), &case["mae"]);
        defined(&what("R²"), scores.r2(), &case["r2"]);
        let correlations = [scores.pearson(), scores.spearman()];
        for (found, expected) in correlations.into_iter().zip(case["correlations"].as_array().unwrap()) {
            defined(&what("correlation"), found, expected);
        }
    }
}

#[test]
fn metrics_of_ordered_classes_match_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/regression.json")).unwrap();
    for (index, case) in golden["ordered"].as_array().unwrap().iter().enumerate() {
        let classes = case["classes"].as_u64().unwrap() as usize;
        let matrix = ConfusionMatrix::new(&integers(&case["truth"]), &integers(&case["predicted"]), classes).unwrap();
        let what = format!("case {index}");
        defined(&what, matrix.quadratic_weighted_kappa(), &case["quadratic_weighted_kappa"]);
        close(&what, matrix.mean_absolute_error(), &case["mae"]);
    }
}

/// The intervals and tests of the crate fit metrics of labels and values.
#[test]
fn intervals_and_tests_fit_labels_and_values() {
    let truth: Vec<bool> = (0..120).map(|cell| cell % 3 == 0).collect();
    let wrong = |every: usize| (0..120).map(|cell| truth[cell] != (cell % every == 0)).collect::<Vec<bool>>();
    let [good, bad] = [wrong(11), wrong(2)].map(|predicted| MultilabelPredictions::new(&truth, &predicted, 3).unwrap());
    let f1 = |rows: &[usize]| Scorer::MicroF1.score_labels(&good.select(rows), 0.0, 0.0);
    let interval = bootstrap(40, 500, 0.95, 42, f1).unwrap();
    assert!(interval.low < interval.estimate && interval.estimate < interval.high);
    assert_eq!(interval.estimate, good.confusion().f1(Average::Micro).value);
    let difference = |exchanged: &[bool]| {
        let [first, second] = good.exchange(&bad, exchanged);
        first.f1(Average::Micro).value - second.f1(Average::Micro).value
    };
    assert!(paired_permutation(40, 999, 42, difference).unwrap() < 0.01);
}

/// Normal values with variance 1, and predictions that have with them the correlation 0.8, R² 0.6 and the mean squared error
/// 0.4.
fn regression(rows: usize, rng: &mut ChaCha8Rng) -> ValuePredictions {
    let standard = Normal::standard();
    let mut draw = || standard.inverse_cdf((f64::from(rng.next_u32()) + 0.5) / 2f64.powi(32));
    let truth: Vec<f64> = (0..rows).map(|_| draw()).collect();
    let predicted: Vec<f64> = truth.iter().map(|value| 0.8 * value + 0.6 * draw()).collect();
    ValuePredictions::new(&truth, &predicted).unwrap()
}

#[test]
fn bootstrap_intervals_of_regression_metrics_contain_the_true_value_as_often_as_they_say() {
    let metrics = [
        (Scorer::R2, 0.6),
        (Scorer::Pearson, 0.8),
        (Scorer::RootMeanSquared, 0.4f64.sqrt()),
        (Scorer::MeanAbsolute, (0.8 / PI).sqrt()),
    ];
    let (mut rng, mut covered, simulated) = (ChaCha8Rng::seed_from_u64(25), [0; 4], 300);
    for seed in 0..simulated {
        let predictions = regression(100, &mut rng);
        for ((metric, truth), covered) in metrics.iter().zip(&mut covered) {
            let score = |rows: &[usize]| metric.score_values(&predictions.select(rows), 0.0);
            let interval = bootstrap(100, 300, 0.95, seed, score).unwrap();
            *covered += u64::from(interval.low <= *truth && *truth <= interval.high);
        }
    }
    for ((metric, _), covered) in metrics.iter().zip(covered) {
        // Three standard errors of a proportion of 0.95, and two percentage points for the bootstrap on 100 rows.
        let share = covered as f64 / simulated as f64;
        assert!((share - 0.95).abs() < 0.038 + 0.02, "{}: {share}", metric.name());
    }
}

#[test]
fn squared_errors_of_two_models_are_compared_by_the_paired_t_test() {
    let good = regression(100, &mut ChaCha8Rng::seed_from_u64(1));
    let (mut rng, levels) = (ChaCha8Rng::seed_from_u64(2), [0.5, 0.0]);
    let [better, equal] = levels.map(|worse| {
        let squared = good.row_values(Scorer::MeanSquared).unwrap();
        let other: Vec<f64> =
            squared.iter().map(|error| error + worse + f64::from(rng.next_u32() % 1000) / 1000.0 - 0.5).collect();
        corrected_paired_t(&squared, &other, 0.0, 0.95).unwrap()
    });
    assert!(better.p_value < 0.001 && better.difference < 0.0 && better.high < 0.0, "{better:?}");
    assert!(equal.p_value > 0.05, "{equal:?}");
}
