//! Compares label errors with cleanlab (`fixtures/metrics/make_label_issues.py`).
#![allow(clippy::unwrap_used)]

use rekindle_metrics::{LabelIssueFilter, LabelIssues, LabelQuality};
use serde_json::Value;

fn numbers(values: &Value) -> Vec<usize> {
    values.as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize).collect()
}

/// Calls `check` with each case and its rows.
fn for_each_case(check: impl Fn(&str, &Value, LabelIssues<'_>)) {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/label_issues.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let labels = numbers(&case["labels"]);
        let probabilities: Vec<f64> = numbers(&case["millionths"]).iter().map(|value| *value as f64 / 1e6).collect();
        let classes = case["classes"].as_u64().unwrap() as usize;
        let name = case["name"].as_str().unwrap();
        check(name, case, LabelIssues::new(&labels, &probabilities, classes).unwrap());
    }
}

#[test]
fn every_filter_finds_the_rows_of_cleanlab() {
    for_each_case(|name, case, issues| {
        assert_eq!(issues.confident_joint(), numbers(&case["joint"]), "{name}");
        let least = case["least"].as_u64().unwrap() as usize;
        for filter in LabelIssueFilter::ALL {
            let found = issues.find(filter, least);
            let rows: Vec<usize> = (0..found.len()).filter(|&row| found[row]).collect();
            assert_eq!(rows, numbers(&case["issues"][filter.name()]), "{name}: {}", filter.name());
        }
    });
}

#[test]
fn label_errors_are_ranked_as_in_cleanlab() {
    for_each_case(|name, case, issues| {
        let least = case["least"].as_u64().unwrap() as usize;
        for by in LabelQuality::ALL {
            let expected = case["quality"][by.name()].as_array().unwrap();
            for (found, expected) in issues.quality(by).into_iter().zip(expected) {
                assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{name}: {}", by.name());
            }
            let ranked = issues.ranked(LabelIssueFilter::default(), least, by);
            assert_eq!(ranked, numbers(&case["ranked"][by.name()]), "{name}: {}", by.name());
        }
    });
}
