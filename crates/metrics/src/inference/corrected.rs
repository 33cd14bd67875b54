//! Student's t for scores of resamples whose training sets overlap.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, check_level, check_scores};
use crate::error::MetricsError;

/// A paired comparison of two classifiers on the same resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// The mean difference, the first classifier minus the second.
    pub difference: f64,
    /// The lower bound of its confidence interval; −∞ if the differences do not vary.
    pub low: f64,
    /// The upper bound of its confidence interval; ∞ if the differences do not vary.
    pub high: f64,
    /// The number of resamples.
    pub n: usize,
    /// The difference divided by its standard error; 0 if the differences do not vary.
    pub t: f64,
    /// The two-sided p-value; 1 if the differences do not vary.
    pub p_value: f64,
}

/// Returns the mean of scores over random splits or repeated folds, with a confidence interval that is corrected for
/// overlapping training sets (Nadeau and Bengio, 2003; for repeated folds Bouckaert and Frank, 2004).
///
/// The variance of the mean is (1/n + `test_to_train`)·s², where s² has n − 1 degrees of freedom. `test_to_train` is
/// the number of test rows divided by the number of training rows: 1/9 for ten folds, 0 for independent scores
/// (`scipy.stats.ttest_1samp(…).confidence_interval`). If all scores are equal, the interval is from −∞ to ∞: their
/// variance is then no evidence, because coarse scores can be equal although the true accuracies differ.
///
/// # Errors
/// Returns an error if there are fewer than two scores, one is not finite, `test_to_train` is negative or not finite,
/// or `level` is not between 0 and 1.
pub fn corrected_t_interval(scores: &[f64], test_to_train: f64, level: f64) -> Result<Interval, MetricsError> {
    check_level(level)?;
    check_scores(scores)?;
    let scale = scores.iter().fold(0.0, |scale: f64, score| scale.max(score.abs()));
    let Student { mean: estimate, low, high, .. } = student(scores, scale, test_to_train, level)?;
    Ok(Interval { estimate, low, high, n: scores.len(), level })
}

/// Returns the corrected resampled t-test of two classifiers, where `a[i]` and `b[i]` are scores of the same resample
/// (Nadeau and Bengio, 2003; for repeated folds Bouckaert and Frank, 2004).
///
/// Variance and `test_to_train` are as in [`corrected_t_interval`]; with 0, the result is `scipy.stats.ttest_rel`. If
/// all differences are equal up to rounding, the standard error would be 0 and any difference would be significant,
/// even of one row on two coarse splits. The variance is treated as unknown instead: t = 0, p = 1, and an interval from
/// −∞ to ∞. [`mcnemar_exact`](crate::mcnemar_exact) on the rows may still find a significant difference.
///
/// # Errors
/// See [`corrected_t_interval`]. Also returns an error if the lengths differ.
pub fn corrected_paired_t(a: &[f64], b: &[f64], test_to_train: f64, level: f64) -> Result<PairedTest, MetricsError> {
    check_level(level)?;
    if a.len() != b.len() {
        return Err(MetricsError::Unpaired { a: a.len(), b: b.len() });
    }
    check_scores(a)?;
    check_scores(b)?;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let scale = a.iter().chain(b).fold(0.0, |scale: f64, score| scale.max(score.abs()));
    let Student { mean: difference, low, high, t, p_value } = student(&differences, scale, test_to_train, level)?;
    Ok(PairedTest { difference, low, high, n: a.len(), t, p_value })
}

struct Student {
    mean: f64,
    low: f64,
    high: f64,
    t: f64,
    p_value: f64,
}

/// `scale` is the magnitude of the numbers from which `values` were computed, which determines their rounding error.
fn student(values: &[f64], scale: f64, test_to_train: f64, level: f64) -> Result<Student, MetricsError> {
    if !(test_to_train >= 0.0 && test_to_train.is_finite()) {
        return Err(MetricsError::Ratio { ratio: test_to_train });
    }
    let n = values.len() as f64;
    let distribution = StudentsT::new(0.0, 1.0, n - 1.0);
    let Some(distribution) = distribution.ok().filter(|_| values.len() >= 2) else {
        return Err(MetricsError::TooFew { what: "scores", found: values.len(), needed: 2 });
    };
    let mean = values.iter().sum::<f64>() / n;
    let (least, most) = values.iter().fold((mean, mean), |(least, most), &value| (value.min(least), value.max(most)));
    if most - least <= 8.0 * f64::EPSILON * scale {
        return Ok(Student { mean, low: f64::NEG_INFINITY, high: f64::INFINITY, t: 0.0, p_value: 1.0 });
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = ((1.0 / n + test_to_train) * variance).sqrt();
    let half = distribution.inverse_cdf((1.0 + level) / 2.0) * error;
    let t = mean / error;
    Ok(Student { mean, low: mean - half, high: mean + half, t, p_value: 2.0 * distribution.sf(t.abs()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_differences_are_not_significant() {
        for (a, b) in [([0.9, 0.8], [0.8, 0.7]), ([0.5, 0.5], [0.5, 0.5]), ([0.7, 0.6], [0.7, 0.6])] {
            let test = corrected_paired_t(&a, &b, 0.25, 0.95).expect("valid");
            assert_eq!((test.t, test.p_value), (0.0, 1.0));
            assert_eq!((test.low, test.high), (f64::NEG_INFINITY, f64::INFINITY));
        }
        let interval = corrected_t_interval(&[1.0, 1.0, 1.0], 0.25, 0.95).expect("valid");
        assert_eq!((interval.estimate, interval.low), (1.0, f64::NEG_INFINITY));
    }

    #[test]
    fn overlap_widens_the_interval() {
        let scores = [0.7, 0.8, 0.75, 0.9];
        let plain = corrected_t_interval(&scores, 0.0, 0.95).expect("valid");
        let corrected = corrected_t_interval(&scores, 0.25, 0.95).expect("valid");
        let ratio = (corrected.high - corrected.low) / (plain.high - plain.low);
        assert!((ratio - 2f64.sqrt()).abs() < 1e-12, "(1/4 + 1/4) over 1/4");
    }

    #[test]
    fn invalid_input_is_an_error() {
        let few = MetricsError::TooFew { what: "scores", found: 1, needed: 2 };
        assert_eq!(corrected_t_interval(&[0.5], 0.0, 0.95), Err(few));
        assert!(matches!(corrected_t_interval(&[0.5, f64::NAN], 0.0, 0.95), Err(MetricsError::Score { row: 1, .. })));
        assert_eq!(corrected_t_interval(&[0.5, 0.6], -1.0, 0.95), Err(MetricsError::Ratio { ratio: -1.0 }));
        assert_eq!(corrected_t_interval(&[0.5, 0.6], 0.0, 95.0), Err(MetricsError::Level { level: 95.0 }));
        let unpaired = MetricsError::Unpaired { a: 2, b: 1 };
        assert_eq!(corrected_paired_t(&[0.5, 0.6], &[0.5], 0.0, 0.95), Err(unpaired));
    }
}
