//! Learning curves: what more training examples would bring.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::bootstrap::below;
use super::{Interval, check_level, check_scores};
use crate::error::MetricsError;

/// Sizes of a curve below which any inverse power law fits.
const LEAST_SIZES: usize = 3;
/// Runs below which their spread is not known.
const LEAST_RUNS: usize = 3;
/// The exponents among which the best one is sought.
const EXPONENTS: (f64, f64) = (0.01, 3.0);
/// Bootstrap resamples.
const RESAMPLES: usize = 2000;

/// Returns the expected gain in a score if a training with the last of `sizes` examples had `more` examples, with its confidence
/// interval: positive for an improvement, also of a loss.
///
/// `runs` has the scores of each run at each of the ascending `sizes`. Their means are fitted by the inverse power law
/// `a − b·n^(−c)` with b ≥ 0, where the later sizes weigh more (Figueroa et al., 2012, "Predicting sample size required for
/// classification performance"). The standard error is that of the bootstrap over runs, each with its scores at all sizes, corrected for
/// few runs, and the interval that of Student's t with this error (Hesterberg, 2015, "What teachers should know about the bootstrap"),
/// without losses, which the law excludes. It does not say how well the law describes the curve, and runs on the same data are more
/// alike than runs on other data.
///
/// # Errors
/// Returns an error if there are fewer than three sizes or runs, a run has another number of scores, a score is not finite, or
/// `level` is not between 0 and 1.
pub fn learning_curve_gain(
    sizes: &[usize],
    runs: &[Vec<f64>],
    more: usize,
    greater_is_better: bool,
    level: f64,
    seed: u64,
) -> Result<Interval, MetricsError> {
    check_level(level)?;
    for (what, found, needed) in [("sizes", sizes.len(), LEAST_SIZES), ("runs", runs.len(), LEAST_RUNS)] {
        if found < needed {
            return Err(MetricsError::TooFew { what, found, needed });
        }
    }
    for scores in runs {
        check_scores(scores)?;
        if scores.len() != sizes.len() {
            return Err(MetricsError::Length { truth: sizes.len(), other: scores.len(), what: "scores of a run" });
        }
    }
    let sizes: Vec<f64> = sizes.iter().map(|&size| size as f64).collect();
    let sign = if greater_is_better { 1.0 } else { -1.0 };
    let gain = |rows: &[usize]| {
        let mean = |place: usize| rows.iter().map(|&row| sign * runs[row][place]).sum::<f64>() / rows.len() as f64;
        let scores: Vec<f64> = (0..sizes.len()).map(mean).collect();
        PowerLaw::fit(&sizes, &scores).gain(sizes[sizes.len() - 1], more as f64)
    };
    let mut drawn: Vec<usize> = (0..runs.len()).collect();
    let estimate = gain(&drawn);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let gains: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.fill_with(|| below(runs.len(), &mut rng));
            gain(&drawn)
        })
        .collect();
    let error = half_width(&gains, runs.len() as f64, level);
    Ok(Interval { estimate, low: (estimate - error).max(0.0), high: estimate + error, n: runs.len(), level })
}

/// Returns the distance of the ends of the interval from the estimate, for bootstrap estimates over `n` runs.
fn half_width(estimates: &[f64], n: f64, level: f64) -> f64 {
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    let variance = estimates.iter().map(|estimate| (estimate - mean).powi(2)).sum::<f64>() / estimates.len() as f64;
    // There are at least three runs.
    let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - (1.0 - level) / 2.0));
    if variance > 0.0 { t * (variance * n / (n - 1.0)).sqrt() } else { 0.0 }
}

/// The law `a − b·n^(−c)`, without a.
#[derive(Clone, Copy, Debug)]
struct PowerLaw {
    b: f64,
    c: f64,
}

impl PowerLaw {
    /// Returns the law with the least squares, of which size j of m has the weight j/m.
    fn fit(sizes: &[f64], scores: &[f64]) -> Self {
        let law = |c: f64| Self { b: slope(sizes, scores, c).0, c };
        let error = |c: f64| slope(sizes, scores, c).1;
        const GRID: usize = 60;
        let (least, most) = EXPONENTS;
        let step = (most / least).ln() / GRID as f64;
        let exponent = |place: f64| least * (step * place).exp();
        let best = (0..=GRID).min_by(|a, b| error(exponent(*a as f64)).total_cmp(&error(exponent(*b as f64))));
        let best = best.unwrap_or_default() as f64;
        // The golden section between the neighbours of the best.
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = ((best - 1.0).max(0.0), (best + 1.0).min(GRID as f64));
        for _ in 0..40 {
            let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
            match error(exponent(left)) <= error(exponent(right)) {
                true => high = right,
                false => low = left,
            }
        }
        law(exponent(f64::midpoint(low, high)))
    }

    /// Returns the difference of the law between `size + more` and `size`.
    fn gain(self, size: f64, more: f64) -> f64 {
        self.b * (size.powf(-self.c) - (size + more).powf(-self.c))
    }
}

/// Returns the best b for an exponent, at least 0, and the weighted sum of squares that is left.
fn slope(sizes: &[f64], scores: &[f64], c: f64) -> (f64, f64) {
    let points = || (1..).map(f64::from).zip(sizes.iter().map(|size| -size.powf(-c)).zip(scores));
    let weights: f64 = points().map(|(weight, _)| weight).sum();
    let mean_x = points().map(|(weight, (x, _))| weight * x).sum::<f64>() / weights;
    let mean_y = points().map(|(weight, (_, y))| weight * y).sum::<f64>() / weights;
    let spread: f64 = points().map(|(weight, (x, _))| weight * (x - mean_x).powi(2)).sum();
    let product: f64 = points().map(|(weight, (x, y))| weight * (x - mean_x) * (y - mean_y)).sum();
    let b = if spread > 0.0 { (product / spread).max(0.0) } else { 0.0 };
    let left = points().map(|(weight, (x, y))| weight * (y - mean_y - b * (x - mean_x)).powi(2)).sum();
    (b, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_a_power_law_give_its_gain() {
        let sizes = [100, 200, 400, 800];
        let law = |a: f64| sizes.map(|size| a - 2.0 * f64::from(size as u32).powf(-0.5)).to_vec();
        let runs: Vec<Vec<f64>> = [0.9, 0.91, 0.92].map(law).into();
        let Interval { estimate, low, high, n, .. } =
            learning_curve_gain(&sizes, &runs, 100, true, 0.95, 42).expect("a gain");
        let expected = 2.0 * (800_f64.powf(-0.5) - 900_f64.powf(-0.5));
        for value in [estimate, low, high] {
            assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
        }
        assert_eq!(n, 3);
        let losses: Vec<Vec<f64>> =
            runs.iter().map(|scores| scores.iter().map(|score| 1.0 - score).collect()).collect();
        let of_losses = learning_curve_gain(&sizes, &losses, 100, false, 0.95, 42).expect("a gain");
        assert!((of_losses.estimate - expected).abs() < 1e-6, "a loss that falls is a gain");
    }

    #[test]
    fn a_curve_that_falls_has_no_gain_and_few_runs_or_sizes_are_an_error() {
        let runs = vec![vec![0.9, 0.8, 0.7]; 3];
        let flat = learning_curve_gain(&[10, 20, 30], &runs, 10, true, 0.95, 42).expect("a gain");
        assert_eq!((flat.estimate, flat.low, flat.high), (0.0, 0.0, 0.0));
        let error = learning_curve_gain(&[10, 20], &runs, 10, true, 0.95, 42).expect_err("two sizes");
        assert_eq!(error, MetricsError::TooFew { what: "sizes", found: 2, needed: 3 });
        let error = learning_curve_gain(&[10, 20, 30], &runs[1..], 10, true, 0.95, 42).expect_err("two runs");
        assert_eq!(error, MetricsError::TooFew { what: "runs", found: 2, needed: 3 });
    }
}
