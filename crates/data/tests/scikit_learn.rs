//! Splits and shuffles against scikit-learn and NumPy: fixtures/data/splits.json, made by make_splits.py beside it.

use rekindle_data::{Mt19937, Split, TestSize, train_test_split, twelve_sentences};
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
