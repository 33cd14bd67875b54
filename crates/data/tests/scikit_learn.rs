//! Splits, folds, shuffles and percentiles against scikit-learn and NumPy: fixtures/data/splits.json and folds.json,
//! made by make_splits.py and make_folds.py beside them.

use rekindle_data::{
    Classes, DataError, Dataset, Example, Lengths, Mt19937, Split, TestSize, repeated_stratified_k_fold,
    train_test_split, twelve_sentences,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    splits: Vec<Case>,
    shuffles: Vec<Shuffle>,
}

#[derive(Deserialize)]
struct Case {
    labels: Vec<usize>,
    test_size: serde_json::Number,
    random_state: u32,
    stratify: bool,
    #[serde(default)]
    train: Vec<usize>,
    #[serde(default)]
    test: Vec<usize>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Shuffle {
    seed: u32,
    n: usize,
    permutation: Vec<usize>,
}

fn golden() -> Golden {
    let json = std::fs::read("../../fixtures/data/splits.json").expect("fixture");
    serde_json::from_slice(&json).expect("JSON")
}

/// A negative count cannot be said here: none stands for it.
fn test_size(number: &serde_json::Number) -> TestSize {
    match number.as_i64() {
        Some(count) => TestSize::Count(usize::try_from(count).unwrap_or(0)),
        None => TestSize::Fraction(number.as_f64().expect("a number")),
    }
}

#[test]
fn every_split_is_scikit_learns_row_by_row() {
    let (mut splits, mut errors) = (0, 0);
    for (index, case) in golden().splits.into_iter().enumerate() {
        let ours = train_test_split(&case.labels, test_size(&case.test_size), case.random_state, case.stratify);
        match (ours, case.error) {
            (Ok(ours), None) => {
                assert_eq!(ours, Split { train: case.train, test: case.test }, "case {index}");
                splits += 1;
            }
            (Err(_), Some(_)) => errors += 1,
            (ours, error) => panic!("case {index}: ours {ours:?}, scikit-learn's error {error:?}"),
        }
    }
    assert!(splits >= 200 && errors >= 40, "{splits} splits, {errors} errors");
}

#[test]
fn permutations_are_numpys() {
    for Shuffle { seed, n, permutation } in golden().shuffles {
        assert_eq!(Mt19937::new(seed).permutation(n), permutation, "seed {seed}, n {n}");
    }
}

#[test]
fn the_nine_training_sentences_come_in_the_notebooks_order() {
    // The order that fixtures/data/make_splits.py prints for the notebook's own sentences.
    let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
    let texts =
        |data: &rekindle_data::Dataset| data.examples.iter().map(|e| (e.text.clone(), e.label)).collect::<Vec<_>>();
    let expected = [
        ("This is disappointing and buggy.", 0),
        ("I love this system, it works perfectly.", 1),
        ("Fantastic results and easy to use.", 1),
        ("I am not satisfied with this.", 0),
        ("This is amazing and very helpful.", 1),
        ("Worst experience ever, useless.", 0),
        ("I hate this tool, it is terrible.", 0),
        ("Okay, could be improved.", 1),
        ("Great experience, I am satisfied.", 1),
    ];
    assert_eq!(texts(&train), expected.map(|(text, label)| (text.to_string(), label)));
    assert_eq!(test.len(), 3);
}

#[derive(Deserialize)]
struct GoldenFolds {
    folds: Vec<Folds>,
    percentiles: Vec<Percentiles>,
}

#[derive(Deserialize)]
struct Folds {
    labels: Vec<usize>,
    folds: usize,
    repeats: usize,
    random_state: u32,
    /// For each repeat, the split that has a row on its test side; absent where scikit-learn refuses or warns.
    fold_of: Option<Vec<Vec<usize>>>,
}

#[derive(Deserialize)]
struct Percentiles {
    lengths: Vec<usize>,
    percentiles: [usize; 6],
}

fn golden_folds() -> GoldenFolds {
    let json = std::fs::read("../../fixtures/data/folds.json").expect("fixture");
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn every_fold_is_scikit_learns_row_by_row() {
    let (mut calls, mut errors) = (0, 0);
    for (index, case) in golden_folds().folds.into_iter().enumerate() {
        let ours = repeated_stratified_k_fold(&case.labels, case.folds, case.repeats, case.random_state);
        let Some(fold_of) = case.fold_of else {
            assert!(ours.is_err(), "case {index}");
            errors += 1;
            continue;
        };
        let side = |fold_of: &[usize], fold, test| -> Vec<usize> {
            (0..fold_of.len()).filter(|&row| (fold_of[row] == fold) == test).collect()
        };
        let splits = fold_of.iter().flat_map(|fold_of| {
            (0..case.folds)
                .map(move |fold| Split { train: side(fold_of, fold, false), test: side(fold_of, fold, true) })
        });
        assert_eq!(ours.expect("folds"), splits.collect::<Vec<_>>(), "case {index}");
        calls += 1;
    }
    assert!(calls >= 100 && errors >= 7, "{calls} calls, {errors} errors");
}

#[test]
fn folds_that_cannot_be_made_are_told_with_those_that_can() {
    let data = |labels: &[usize]| Dataset {
        examples: labels.iter().map(|&label| Example { text: "a".into(), label }).collect(),
        classes: Classes::from_labels(["good", "bad"]),
    };
    let error =
        |labels: &[usize], folds, repeats| data(labels).folds(folds, repeats, 42).expect_err("refused").to_string();
    assert_eq!(error(&[0, 0, 0, 1, 1], 3, 1), "class good has 2 rows, fewer than the 3 folds; 2 folds would go");
    assert!(error(&[0, 0, 1], 2, 1).starts_with("class good has 1 row, fewer than the 2 folds; give it more"));
    assert!(matches!(data(&[]).folds(2, 1, 42), Err(DataError::Folds { rows: 0, .. })));
    for (folds, repeats) in [(0, 1), (1, 1), (2, 0)] {
        assert!(error(&[0, 0, 1, 1], folds, repeats).contains("at least two folds"));
    }
    assert_eq!(data(&[0, 1, 0, 1]).folds(2, 3, 42).expect("folds").len(), 6);
}

#[test]
fn percentiles_are_numpys_inverted_cdf() {
    for Percentiles { lengths, percentiles } in golden_folds().percentiles {
        let mut counted = Lengths::default();
        lengths.iter().for_each(|&length| counted.add(length));
        let ours = [0, 50, 90, 95, 99, 100].map(|percent| counted.percentile(percent).expect("lengths"));
        assert_eq!(ours, percentiles, "{lengths:?}");
        assert_eq!((counted.min(), counted.max()), (Some(percentiles[0]), Some(percentiles[5])));
        let longer = lengths.iter().filter(|length| **length > 12).count() as u64;
        assert_eq!((counted.longer_than(12), counted.count()), (longer, lengths.len() as u64));
    }
    assert_eq!((Lengths::default().percentile(50), Lengths::default().longer_than(0)), (None, 0));
}
