//! Compares confidence intervals and tests with scipy and statsmodels (`fixtures/metrics/make_inference.py`).
#![allow(clippy::unwrap_used)]

use rekindle_metrics::{
    ConfusionMatrix, Interval, Scorer, bootstrap, corrected_paired_t, corrected_t_interval, holm, learning_curve_gain,
    mcnemar_exact, paired_permutation, wilson_interval,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/metrics/inference.json")).unwrap()
}

fn cases<'a>(golden: &'a Value, name: &str) -> &'a [Value] {
    golden[name].as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The tolerance is 1e-9 relative, and 1e-12 near 0, because the implementations of the incomplete beta function
/// differ.
fn close(what: &str, found: f64, expected: f64) {
    let tolerance = 1e-9 * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

fn ends(what: &str, (estimate, low, high): (f64, f64, f64), expected: &Value) {
    for (found, expected) in [estimate, low, high].into_iter().zip(numbers(expected)) {
        close(what, found, expected);
    }
}

#[test]
fn corrected_t_matches_scipy() {
    let golden = golden();
    for (index, case) in cases(&golden, "scores").iter().enumerate() {
        let what = format!("case {index}");
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let (ratio, level) = (number(&case["test_to_train"]), number(&case["level"]));
        let Interval { estimate, low, high, n, .. } = corrected_t_interval(&a, ratio, level).unwrap();
        assert_eq!(n, a.len());
        ends(&what, (estimate, low, high), &case["mean"]);
        let test = corrected_paired_t(&a, &b, ratio, level).unwrap();
        ends(&what, (test.difference, test.low, test.high), &case["paired"]);
        close(&what, test.t, number(&case["t"]));
        close(&what, test.p_value, number(&case["p"]));
    }
}

#[test]
fn mcnemars_test_matches_statsmodels() {
    let golden = golden();
    for case in cases(&golden, "pairs") {
        let what = format!("{}", case["table"]);
        let table: Vec<usize> = numbers(&case["table"]).into_iter().map(|count| count as usize).collect();
        let rows = [(true, true), (true, false), (false, true), (false, false)];
        let pairs = rows.into_iter().zip(&table).flat_map(|(pair, &count)| std::iter::repeat_n(pair, count));
        let (a, b): (Vec<bool>, Vec<bool>) = pairs.unzip();
        let test = mcnemar_exact(&a, &b, number(&case["level"])).unwrap();
        assert_eq!((test.only_a, test.only_b, test.difference.n), (table[1], table[2], a.len()));
        close(&what, test.p_value, number(&case["p"]));
        let Interval { estimate, low, high, .. } = test.difference;
        ends(&what, (estimate, low, high), &case["difference"]);
    }
}

#[test]
fn the_permutation_test_of_macro_f1_matches_scipy() {
    let golden = golden();
    for case in cases(&golden, "permutations") {
        let classes = number(&case["classes"]) as usize;
        let [truth, a, b] = ["truth", "a", "b"]
            .map(|key| numbers(&case[key]).into_iter().map(|class| class as usize).collect::<Vec<_>>());
        let f1 = |predicted: Vec<usize>| {
            Scorer::MacroF1.score(&ConfusionMatrix::new(&truth, &predicted, classes).unwrap(), 0.0)
        };
        let difference = |exchanged: &[bool]| {
            let rows = a.iter().zip(&b).zip(exchanged);
            let (left, right) = rows.map(|((&a, &b), &exchanged)| if exchanged { (b, a) } else { (a, b) }).unzip();
            f1(left) - f1(right)
        };
        close("difference", difference(&vec![false; truth.len()]), number(&case["difference"]));
        close("p", paired_permutation(truth.len(), 1 << truth.len(), 0, difference).unwrap(), number(&case["p"]));
    }
}

#[test]
fn wilsons_interval_matches_statsmodels() {
    let golden = golden();
    for case in cases(&golden, "proportions") {
        let (hits, rows, level) = (number(&case["hits"]), number(&case["rows"]) as usize, number(&case["level"]));
        let interval = wilson_interval(hits, rows, level).unwrap();
        assert!(interval.low < interval.high && interval.n == rows);
        ends(&format!("{hits} of {rows}"), (interval.estimate, interval.low, interval.high), &case["ends"]);
    }
}

#[test]
fn holms_adjustment_matches_statsmodels() {
    let golden = golden();
    for case in cases(&golden, "holm") {
        let adjusted = holm(&numbers(&case["p"])).unwrap();
        for (found, expected) in adjusted.into_iter().zip(numbers(&case["adjusted"])) {
            close("holm", found, expected);
        }
    }
}

#[test]
fn bootstrap_quantiles_match_numpy() {
    let golden = golden();
    for case in cases(&golden, "quantiles") {
        let values = numbers(&case["values"]);
        let mut given = [0.5].into_iter().chain(values.iter().copied());
        let interval = bootstrap(9, values.len(), number(&case["level"]), 0, |_| given.next().unwrap()).unwrap();
        let ends = numbers(&case["ends"]);
        assert_eq!(interval.estimate, 0.5);
        close("low", interval.low, ends[0]);
        close("high", interval.high, ends[1]);
    }
}

#[test]
fn the_bootstrap_of_a_mean_is_close_to_normal_theory() {
    let golden = golden();
    let case = &golden["normal"];
    let rows = numbers(&case["rows"]);
    let mean = |chosen: &[usize]| chosen.iter().map(|&row| rows[row]).sum::<f64>() / chosen.len() as f64;
    let of = |seed| bootstrap(rows.len(), 10_000, number(&case["level"]), seed, mean).unwrap();
    let interval = of(7);
    close("mean", interval.estimate, number(&case["mean"]));
    // The 2.5 % quantile of 10,000 draws has a standard error of sqrt(0.025 * 0.975 / 10,000) / φ(1.96) = 0.027; the
    // tolerance is three times that, plus some skewness.
    let tolerance = 0.1 * number(&case["error"]);
    let ends = numbers(&case["ends"]);
    assert!((interval.low - ends[0]).abs() < tolerance && (interval.high - ends[1]).abs() < tolerance, "{interval:?}");
    assert_eq!(interval, of(7), "the same seed");
    assert_ne!(interval, of(8), "another seed");
}

#[test]
fn gains_of_learning_curves_match_scipy() {
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/metrics/learning_curve.json")).unwrap();
    for case in cases(&golden, "cases") {
        let sizes: Vec<usize> = numbers(&case["sizes"]).into_iter().map(|size| size as usize).collect();
        let runs: Vec<Vec<f64>> = case["runs"].as_array().unwrap().iter().map(numbers).collect();
        let more = number(&case["more"]) as usize;
        let Interval { estimate, low, high, n, .. } = learning_curve_gain(&sizes, &runs, more, true, 0.95, 42).unwrap();
        // The sum of squares is flat around its minimum, so that both optimizers find the exponent with about six digits.
        let expected = number(&case["gain"]);
        assert!((estimate - expected).abs() < 1e-4 * expected, "{estimate} is not {expected}");
        assert!(n == runs.len() && low <= estimate && estimate <= high);
    }
}
