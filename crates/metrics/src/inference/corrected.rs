//! Student's t for scores over resamples of the same data, whose training sets overlap.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, check_level, check_scores};
use crate::error::MetricsError;

/// One classifier against another on the same resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// The mean of the differences, the first less the second.
    pub difference: f64,
    /// The lower end of its interval; −∞ where the differences do not vary.
    pub low: f64,
    /// The upper end of its interval; ∞ where the differences do not vary.
    pub high: f64,
    /// How many resamples it rests on.
    pub n: usize,
    /// The difference over its standard error; 0 where the differences do not vary.
    pub t: f64,
    /// The two-sided p-value; 1 where the differences do not vary.
    pub p_value: f64,
}

/// The mean of scores over random splits or repeated folds, with an interval that allows for training sets that overlap
/// (Nadeau and Bengio, 2003; for repeated folds Bouckaert and Frank, 2004).
///
/// The variance of the mean is taken as (1/n + `test_to_train`)·s², s² having n − 1 degrees of freedom.
/// `test_to_train` is the number of test rows over that of training rows: 1/9 for ten folds, 0 for scores that are
/// independent (`scipy.stats.ttest_1samp(…).confidence_interval`). Where all scores are equal their variance says
/// nothing, for coarse scores coincide while the truth behind them varies: the interval is from −∞ to ∞.
///
/// # Errors
/// When there are fewer than two scores, one is not finite, `test_to_train` is negative or not finite, or `level` is
/// not between 0 and 1.
pub fn corrected_t_interval(scores: &[f64], test_to_train: f64, level: f64) -> Result<Interval, MetricsError> {
    check_level(level)?;
    check_scores(scores)?;
    let scale = scores.iter().fold(0.0, |scale: f64, score| scale.max(score.abs()));
    let Student { mean: estimate, low, high, .. } = student(scores, scale, test_to_train, level)?;
    Ok(Interval { estimate, low, high, n: scores.len(), level })
}

/// The corrected resampled t-test of scores of two classifiers, `a[i]` and `b[i]` being of the same resample
/// (Nadeau and Bengio, 2003; for repeated folds Bouckaert and Frank, 2004).
///
/// Variance and `test_to_train` are as in [`corrected_t_interval`]; with 0 it is `scipy.stats.ttest_rel`. Where all
/// differences are equal, up to rounding, there is no variance to judge them by: a standard error of 0 would prove any
/// difference, be it of one row on two coarse splits. It counts as unknown instead, which favours neither: t = 0,
/// p = 1, and an interval from −∞ to ∞. [`mcnemar_exact`](crate::mcnemar_exact) on the rows may still tell the two
/// apart.
///
/// # Errors
/// As [`corrected_t_interval`], and when the lengths differ.
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

/// `scale` is the size of the numbers that `values` were computed from, and so of their rounding.
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
    fn differences_that_do_not_vary_prove_nothing() {
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
    fn input_without_a_test_is_refused() {
        let few = MetricsError::TooFew { what: "scores", found: 1, needed: 2 };
        assert_eq!(corrected_t_interval(&[0.5], 0.0, 0.95), Err(few));
        assert!(matches!(corrected_t_interval(&[0.5, f64::NAN], 0.0, 0.95), Err(MetricsError::Score { row: 1, .. })));
        assert_eq!(corrected_t_interval(&[0.5, 0.6], -1.0, 0.95), Err(MetricsError::Ratio { ratio: -1.0 }));
        assert_eq!(corrected_t_interval(&[0.5, 0.6], 0.0, 95.0), Err(MetricsError::Level { level: 95.0 }));
        let unpaired = MetricsError::Unpaired { a: 2, b: 1 };
        assert_eq!(corrected_paired_t(&[0.5, 0.6], &[0.5], 0.0, 0.95), Err(unpaired));
    }
}
