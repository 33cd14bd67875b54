//! Compares tests over several data sets with scipy and baycomp (`fixtures/metrics/make_data_sets.py`).
#![allow(clippy::unwrap_used)]

use rekindle_metrics::{Practical, bayesian_signed_rank, critical_difference, friedman, wilcoxon_signed_rank};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/metrics/data_sets.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(what: &str, found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

#[test]
fn friedmans_test_and_the_critical_difference_match_scipy() {
    let golden = golden();
    for (index, case) in golden["friedman"].as_array().unwrap().iter().enumerate() {
        let scores: Vec<Vec<f64>> = case["scores"].as_array().unwrap().iter().map(numbers).collect();
        let found = friedman(&scores).unwrap();
        let what = format!("case {index}");
        for (rank, expected) in found.ranks.iter().zip(case["ranks"].as_array().unwrap()) {
            close(&what, *rank, expected, 1e-12);
        }
        close(&what, found.chi_squared, &case["chi_squared"], 1e-9);
        close(&what, found.chi_squared_p, &case["chi_squared_p"], 1e-9);
        close(&what, found.f, &case["f"], 1e-9);
        close(&what, found.p_value, &case["p"], 1e-9);
        let difference = critical_difference(scores[0].len(), scores.len(), 0.95).unwrap();
        close(&what, difference, &case["critical_difference"], 1e-6);
    }
    let same = friedman(&[vec![1.0, 1.0], vec![2.0, 2.0]]).unwrap();
    assert_eq!((same.ranks, same.p_value), (vec![1.5, 1.5], 1.0));
    assert!(friedman(&[vec![1.0, 2.0]]).is_err() && friedman(&[vec![1.0, 2.0], vec![1.0]]).is_err());
}

#[test]
fn wilcoxons_test_matches_scipy() {
    let golden = golden();
    for (index, case) in golden["wilcoxon"].as_array().unwrap().iter().enumerate() {
        let p = wilcoxon_signed_rank(&numbers(&case["differences"])).unwrap();
        close(&format!("case {index}"), p, &case["p"], 1e-9);
    }
    assert_eq!(wilcoxon_signed_rank(&[0.0, 0.0]), Ok(1.0));
    assert!(wilcoxon_signed_rank(&[]).is_err() && wilcoxon_signed_rank(&[f64::NAN]).is_err());
}

#[test]
fn the_bayesian_test_matches_baycomp() {
    let golden = golden();
    for (index, case) in golden["bayes"].as_array().unwrap().iter().enumerate() {
        let differences = numbers(&case["differences"]);
        let found = bayesian_signed_rank(&differences, case["rope"].as_f64().unwrap(), 20_000, 42).unwrap();
        // Four standard errors of both: 4 * sqrt(0.25 / 20,000 + 0.25 / 40,000).
        for (name, value) in [("better", found.better), ("equivalent", found.equivalent), ("worse", found.worse)] {
            close(&format!("case {index}, {name}"), value, &case[name], 0.018);
        }
        let opposite: Vec<f64> = differences.iter().map(|difference| -difference).collect();
        let Practical { better, .. } = bayesian_signed_rank(&opposite, 0.01, 2000, 42).unwrap();
        assert!((0.0..=1.0).contains(&better));
    }
    assert!(bayesian_signed_rank(&[], 0.01, 10, 0).is_err() && bayesian_signed_rank(&[0.1], -1.0, 10, 0).is_err());
}
