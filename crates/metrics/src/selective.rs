//! Selective prediction: how many rows are predicted, and how many of them are wrong, if a model predicts nothing for rows of low
//! confidence.

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::error::MetricsError;

/// The coverages whose errors are bounded: 5 %, 10 %, … 100 % of the rows.
const COVERAGES: usize = 20;

/// The error among the rows of highest confidence, for every number of such rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskCoverage {
    /// Pairs of coverage, the fraction of rows that are predicted, and risk, the fraction of these that are wrong. A point for
    /// every distinct confidence, in descending order.
    pub points: Vec<(f64, f64)>,
    /// The area under the curve: the mean of the risk over all numbers of rows (Geifman, Uziel and El-Yaniv, 2019). The order of
    /// rows of equal confidence is random, and their expected risk counts.
    pub aurc: f64,
}

/// Returns the curve of risk against coverage (El-Yaniv and Wiener, 2010, "On the Foundations of Noise-free Selective
/// Classification").
///
/// # Errors
/// Returns an error if there are no rows, the lengths differ, or a confidence is not finite.
pub fn risk_coverage(confidence: &[f64], correct: &[bool]) -> Result<RiskCoverage, MetricsError> {
    let rows = by_confidence(confidence, correct)?;
    let (mut done, mut wrong, mut sum, mut points) = (0usize, 0.0, 0.0, Vec::new());
    for equal in rows.chunk_by(|a, b| a.0 == b.0) {
        let errors = equal.iter().filter(|(_, correct)| !correct).count() as f64;
        for place in 1..=equal.len() {
            sum += (wrong + errors * place as f64 / equal.len() as f64) / (done + place) as f64;
        }
        (done, wrong) = (done + equal.len(), wrong + errors);
        points.push((done as f64 / rows.len() as f64, wrong / done as f64));
    }
    Ok(RiskCoverage { points, aurc: sum / rows.len() as f64 })
}

/// A confidence from which a model predicts, and what is known of the error above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PromisedError {
    /// The lowest confidence that is predicted; 0 for all rows.
    pub threshold: f64,
    /// The fraction of the rows that are predicted.
    pub coverage: f64,
    /// The upper bound of the error among the rows that are predicted.
    pub error: f64,
}

/// Returns thresholds and upper bounds of the error above them, by descending coverage and descending error: with probability
/// `level` over the draw of the rows, all bounds hold for new rows from the same source.
///
/// Selection with guaranteed risk (Geifman and El-Yaniv, 2017, "Selective Classification for Deep Neural Networks"): the bound at a
/// coverage is that of Clopper and Pearson, and the probabilities of an error of the twenty coverages add up to 1 − `level`.
///
/// # Errors
/// Returns an error if there are no rows, the lengths differ, a confidence is not finite, or `level` is not between 0 and 1.
pub fn promised_errors(confidence: &[f64], correct: &[bool], level: f64) -> Result<Vec<PromisedError>, MetricsError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(MetricsError::Level { level });
    }
    let rows = by_confidence(confidence, correct)?;
    let mut promises: Vec<PromisedError> = Vec::new();
    for step in (1..=COVERAGES).rev() {
        let all = step == COVERAGES;
        let least = rows[(rows.len() * step).div_ceil(COVERAGES) - 1].0;
        let selected = rows.partition_point(|(confidence, _)| *confidence >= least);
        let wrong = rows[..selected].iter().filter(|(_, correct)| !correct).count();
        // The row at the threshold is no random draw from those above it.
        let trials = if all { selected } else { selected - 1 };
        let error = upper_bound(wrong, trials, (1.0 - level) / COVERAGES as f64);
        if promises.last().is_none_or(|last| error < last.error) {
            let (threshold, coverage) = (if all { 0.0 } else { least }, selected as f64 / rows.len() as f64);
            promises.push(PromisedError { threshold, coverage, error });
        }
    }
    Ok(promises)
}

/// Returns the rows, the highest confidence first.
fn by_confidence(confidence: &[f64], correct: &[bool]) -> Result<Vec<(f64, bool)>, MetricsError> {
    if correct.is_empty() {
        return Err(MetricsError::Empty);
    }
    if confidence.len() != correct.len() {
        let (truth, other) = (correct.len(), confidence.len());
        return Err(MetricsError::Length { truth, other, what: "confidences" });
    }
    if let Some((row, &value)) = confidence.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(MetricsError::Score { row, value });
    }
    let mut rows: Vec<(f64, bool)> = confidence.iter().copied().zip(correct.iter().copied()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(rows)
}

/// Returns the largest probability of an error at which at most `wrong` errors in `trials` have at least the probability `delta`:
/// the one-sided bound of Clopper and Pearson (1934).
fn upper_bound(wrong: usize, trials: usize, delta: f64) -> f64 {
    if wrong >= trials {
        return 1.0;
    }
    // A number between 0 and 1 is a valid probability, so the distribution exists.
    let at_most = |p: f64| Binomial::new(p, trials as u64).map_or(0.0, |binomial| binomial.cdf(wrong as u64));
    let (mut low, mut high) = (wrong as f64 / trials as f64, 1.0);
    while high - low > 1e-12 {
        let middle = (low + high) / 2.0;
        if at_most(middle) >= delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let curve = risk_coverage(&[0.9, 0.6, 0.8, 0.6], &[true, true, false, false]).expect("valid");
        assert_eq!(curve.points, [(0.25, 0.0), (0.5, 0.5), (1.0, 0.5)]);
        assert!((curve.aurc - (0.0 + 0.5 + 0.5 + 0.5) / 4.0).abs() < 1e-12, "{curve:?}");
    }

    #[test]
    fn promises_are_ordered_and_few_rows_promise_little() {
        let confidence: Vec<f64> = (0..400).map(|row| f64::from(row) / 400.0).collect();
        let correct: Vec<bool> = (0..400).map(|row| row > 200 || row % 2 == 0).collect();
        let promises = promised_errors(&confidence, &correct, 0.95).expect("valid");
        assert_eq!((promises[0].threshold, promises[0].coverage), (0.0, 1.0));
        assert!(promises.windows(2).all(|pair| pair[0].error > pair[1].error && pair[0].threshold < pair[1].threshold));
        assert!(promises.last().is_some_and(|last| last.error < 0.04 && last.coverage < 0.51), "{promises:?}");
        let few = promised_errors(&[0.9, 0.9], &[true, true], 0.95).expect("valid");
        assert!(few.len() == 1 && few[0].error > 0.9, "{few:?}");
        assert!(promised_errors(&[], &[], 0.95).is_err() && promised_errors(&[f64::NAN], &[true], 0.95).is_err());
    }
}
