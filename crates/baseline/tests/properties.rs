//! Properties that hold for any texts and labels.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rekindle_baseline::{Baseline, BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};

/// Generates a text of a few different words, so that texts share some, and of any other Unicode characters.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["[a-f]{1,3}", "\\PC{0,4}"], 0..8).prop_map(|words| words.join(" "))
}

fn labelled() -> impl Strategy<Value = (Vec<String>, Vec<usize>)> {
    prop::collection::vec((text(), 0..4usize), 1..30).prop_map(|rows| rows.into_iter().unzip())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn probabilities_sum_to_one_and_unknown_words_are_ignored((texts, labels) in labelled(), asked in text()) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let asked = [asked.as_str(), &format!("Zyzzyva {asked} qqq")];
        let majority = Majority::fit(&labels, 4).unwrap();
        prop_assert!((majority.frequencies().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        match TfidfLogisticRegression::fit(&texts, &labels, 4, &LogisticOptions::default()) {
            Ok(fitted) => {
                let probabilities = fitted.probabilities(&asked);
                for row in probabilities.chunks(4) {
                    prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                    prop_assert!(row.iter().all(|probability| (0.0..=1.0).contains(probability)));
                }
                prop_assert_eq!(&probabilities[..4], &probabilities[4..]);
                let again = TfidfLogisticRegression::fit(&texts, &labels, 4, &LogisticOptions::default()).unwrap();
                prop_assert_eq!(probabilities, again.probabilities(&asked));
            }
            Err(error) => prop_assert!(matches!(error, BaselineError::OneClass { .. } | BaselineError::NoWords), "{error}"),
        }
    }
}
