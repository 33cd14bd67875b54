//! The power of paired tests: how probably they find a difference that exists.

use statrs::distribution::{Binomial, Continuous, ContinuousCDF, Discrete, DiscreteCDF, Gamma, Normal, StudentsT};

use crate::error::MetricsError;

/// A difference in accuracy between two classifiers, and how often they differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedEffect {
    /// The difference in accuracy, between 0 and `disagreement`.
    pub difference: f64,
    /// The share of rows that exactly one of the classifiers predicts correctly.
    pub disagreement: f64,
}

impl PairedEffect {
    fn check(self) -> Result<(), MetricsError> {
        let Self { difference, disagreement } = self;
        let is_valid = disagreement > 0.0 && disagreement <= 1.0 && (0.0..=disagreement).contains(&difference);
        if is_valid { Ok(()) } else { Err(MetricsError::Statistic { value: difference }) }
    }
}

/// Returns the power of [`mcnemar_exact`](crate::mcnemar_exact) on `rows` test rows: the probability of a p-value below `alpha`.
///
/// Exact: the sum over the numbers of rows on which the classifiers differ, which are binomial (Connor, 1987, Biometrics 43, 207, has
/// the approximation by normal distributions).
///
/// # Errors
/// Returns an error if the difference is not between 0 and the disagreement, or `alpha` not between 0 and 1.
pub fn mcnemar_power(effect: PairedEffect, rows: usize, alpha: f64) -> Result<f64, MetricsError> {
    /// Standard deviations beyond which numbers of rows do not contribute.
    const TAILS: f64 = 9.0;
    effect.check()?;
    super::check_level(alpha)?;
    let PairedEffect { difference, disagreement } = effect;
    let n = rows as f64;
    let (mean, spread) = (n * disagreement, (n * disagreement * (1.0 - disagreement)).sqrt());
    let first = (mean - TAILS * spread - 1.0).max(0.0) as u64;
    let last = (mean + TAILS * spread + 1.0).min(n) as u64;
    // The share of the rows that differ on which the better classifier is right.
    let better = ((disagreement + difference) / (2.0 * disagreement)).min(1.0);
    let Ok(differ) = Binomial::new(disagreement, rows as u64) else { return Ok(0.0) };
    Ok((first..=last).map(|count| differ.pmf(count) * rejection(count, better, alpha)).sum::<f64>().clamp(0.0, 1.0))
}

/// Returns the probability that the exact test finds a difference among `count` rows that differ.
fn rejection(count: u64, better: f64, alpha: f64) -> f64 {
    let (Ok(fair), Ok(biased)) = (Binomial::new(0.5, count), Binomial::new(better, count)) else { return 0.0 };
    // The smaller side must be so rare that the p-value is below alpha.
    let is_significant = |rarer: u64| 2.0 * fair.cdf(rarer) < alpha;
    if !is_significant(0) {
        return 0.0;
    }
    let (mut least, mut beyond) = (0, count / 2 + 1);
    while beyond - least > 1 {
        let middle = least + (beyond - least) / 2;
        if is_significant(middle) { least = middle } else { beyond = middle }
    }
    // At most `least` rows on either side.
    biased.cdf(least) + biased.sf(count - least - 1)
}

/// Returns the power of the corrected resampled t-test ([`corrected_paired_t`](crate::corrected_paired_t)) over `folds` folds of `rows`
/// rows that are drawn `repeats` times: the probability of a p-value below `alpha`.
///
/// The difference of a fold varies as on independent test rows, with the variance (disagreement − difference²) / (rows / folds), and that
/// of their mean is 1/(folds · repeats) + 1/(folds − 1) times as large, as Nadeau and Bengio (2003) estimate it. t then has a noncentral
/// t-distribution. Differences between training runs come on top.
///
/// # Errors
/// As [`mcnemar_power`], and if there are fewer than two folds, no repeats, or fewer rows than folds.
pub fn corrected_t_power(
    effect: PairedEffect,
    rows: usize,
    folds: usize,
    repeats: usize,
    alpha: f64,
) -> Result<f64, MetricsError> {
    effect.check()?;
    super::check_level(alpha)?;
    for (what, found, needed) in [("folds", folds, 2), ("repeats", repeats, 1), ("rows", rows, folds)] {
        if found < needed {
            return Err(MetricsError::TooFew { what, found, needed });
        }
    }
    let PairedEffect { difference, disagreement } = effect;
    let scores = (folds * repeats) as f64;
    let variance = (disagreement - difference * difference) * folds as f64 / rows as f64;
    let error = ((1.0 / scores + 1.0 / (folds as f64 - 1.0)) * variance).sqrt();
    Ok(noncentral_t_power(difference / error, scores - 1.0, alpha))
}

/// Returns the probability that |t| is significant, if t has a noncentral t-distribution.
fn noncentral_t_power(noncentrality: f64, freedom: f64, alpha: f64) -> f64 {
    const STEPS: usize = 2000;
    if !noncentrality.is_finite() {
        return 1.0;
    }
    let (Ok(student), Ok(chi_squared)) = (StudentsT::new(0.0, 1.0, freedom), Gamma::new(freedom / 2.0, 0.5)) else {
        return 0.0;
    };
    let critical = student.inverse_cdf(1.0 - alpha / 2.0);
    let normal = Normal::standard();
    // The mean over the distribution of the estimated standard deviation (chi), by the midpoint rule.
    let width = (freedom.sqrt() + 9.0) / STEPS as f64;
    let at = |step: usize| {
        let chi = (step as f64 + 0.5) * width;
        let bound = critical * chi / freedom.sqrt();
        let found = normal.cdf(noncentrality - bound) + normal.cdf(-bound - noncentrality);
        2.0 * chi * chi_squared.pdf(chi * chi) * found * width
    };
    (0..STEPS).map(at).sum::<f64>().clamp(0.0, 1.0)
}
