//! Comparisons of several classifiers over several data sets (Demšar, 2006, "Statistical Comparisons of Classifiers over Multiple Data
//! Sets").

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal};

use crate::correlation::{dense_ranks, mid_ranks};
use crate::error::MetricsError;

/// Numbers of differences up to which the distribution of the rank sum is computed exactly, as in scipy.
const EXACT: usize = 50;

/// Friedman's test, and the correction of Iman and Davenport.
#[derive(Clone, Debug, PartialEq)]
pub struct Friedman {
    /// The mean rank of each classifier over the data sets; 1 is the best.
    pub ranks: Vec<f64>,
    /// Friedman's statistic, corrected for ties (`scipy.stats.friedmanchisquare`).
    pub chi_squared: f64,
    /// The p-value of `chi_squared`.
    pub chi_squared_p: f64,
    /// The statistic of Iman and Davenport (1980), which is less conservative; ∞ if all data sets have the same ranks.
    pub f: f64,
    /// The p-value of `f`.
    pub p_value: f64,
}

/// Tests whether classifiers differ over data sets. `scores` has a row per data set, with the score of each classifier; greater is
/// better.
///
/// # Errors
/// Returns an error if there are fewer than two data sets or classifiers, the rows differ in length, or a score is not finite.
pub fn friedman(scores: &[Vec<f64>]) -> Result<Friedman, MetricsError> {
    let classifiers = scores.first().map_or(0, Vec::len);
    for (what, found) in [("data sets", scores.len()), ("classifiers", classifiers)] {
        if found < 2 {
            return Err(MetricsError::TooFew { what, found, needed: 2 });
        }
    }
    let (mut ranks, mut ties) = (vec![0.0; classifiers], 0.0);
    for row in scores {
        if row.len() != classifiers {
            return Err(MetricsError::Unpaired { a: classifiers, b: row.len() });
        }
        super::check_scores(row)?;
        let negative: Vec<f64> = row.iter().map(|score| -score).collect();
        let found = ranked(&negative);
        ranks.iter_mut().zip(&found.0).for_each(|(sum, rank)| *sum += rank / scores.len() as f64);
        ties += found.1;
    }
    let (n, k) = (scores.len() as f64, classifiers as f64);
    let squares: f64 = ranks.iter().map(|rank| rank * rank).sum();
    let correction = 1.0 - ties / (n * k * (k * k - 1.0));
    let unequal = 12.0 * n / (k * (k + 1.0)) * (squares - k * (k + 1.0).powi(2) / 4.0);
    if correction <= 0.0 {
        return Ok(Friedman { ranks, chi_squared: 0.0, chi_squared_p: 1.0, f: 0.0, p_value: 1.0 });
    }
    let chi_squared = unequal.max(0.0) / correction;
    let rest = n * (k - 1.0) - chi_squared;
    let f = if rest <= 1e-9 { f64::INFINITY } else { (n - 1.0) * chi_squared / rest };
    // Degrees of freedom of at least 1 are valid, so the distributions exist.
    let chi_squared_p = ChiSquared::new(k - 1.0).map_or(1.0, |distribution| distribution.sf(chi_squared));
    let p_value = match f.is_finite() {
        true => FisherSnedecor::new(k - 1.0, (k - 1.0) * (n - 1.0)).map_or(1.0, |distribution| distribution.sf(f)),
        false => 0.0,
    };
    Ok(Friedman { ranks, chi_squared, chi_squared_p, f, p_value })
}

/// Returns the ranks of values in ascending order, equal ones with their mean rank, and the sum of t³ − t over t equal values.
fn ranked(values: &[f64]) -> (Vec<f64>, f64) {
    let places = dense_ranks(values);
    let of_place = mid_ranks(&places, 0..values.len());
    let mut counts = vec![0.0f64; places.1];
    places.0.iter().for_each(|&place| counts[place as usize] += 1.0);
    let ties = counts.iter().map(|count| count.powi(3) - count).sum();
    (places.0.iter().map(|&place| of_place[place as usize]).collect(), ties)
}

/// Returns the two-sided p-value of Wilcoxon's signed-rank test of differences (`scipy.stats.wilcoxon`): differences of 0 are left
/// out, and equal ones have their mean rank. Up to 50 differences, the distribution is exact, also with ties; beyond, it is
/// normal. 1 without any difference.
///
/// # Errors
/// Returns an error if there is no value, or one is not finite.
pub fn wilcoxon_signed_rank(differences: &[f64]) -> Result<f64, MetricsError> {
    if differences.is_empty() {
        return Err(MetricsError::Empty);
    }
    super::check_scores(differences)?;
    let differences: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    if differences.is_empty() {
        return Ok(1.0);
    }
    let sizes: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
    let (ranks, ties) = ranked(&sizes);
    let positive: f64 = ranks.iter().zip(&differences).filter(|(_, value)| **value > 0.0).map(|(rank, _)| rank).sum();
    let all: f64 = ranks.iter().sum();
    let smaller = positive.min(all - positive);
    if differences.len() <= EXACT {
        return Ok((2.0 * at_most(&ranks, smaller)).min(1.0));
    }
    let n = differences.len() as f64;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    let z = (smaller - all / 2.0) / variance.sqrt();
    Ok((2.0 * Normal::standard().cdf(z)).min(1.0))
}

/// Returns the probability that the sum of ranks with random signs is at most `sum`. Twice a mean rank is a whole number.
fn at_most(ranks: &[f64], sum: f64) -> f64 {
    let doubled: Vec<usize> = ranks.iter().map(|rank| (2.0 * rank).round() as usize).collect();
    let mut ways = vec![0.0; doubled.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for rank in doubled {
        for total in (rank..ways.len()).rev() {
            ways[total] += ways[total - rank];
        }
    }
    let below: f64 = ways[..=((2.0 * sum).round() as usize)].iter().sum();
    below / ways.iter().sum::<f64>()
}

/// Returns the critical difference of the Nemenyi test: mean ranks of classifiers over `data_sets` data sets that differ by at least
/// as much are significantly different (Demšar, 2006, section 3.2.2).
///
/// # Errors
/// Returns an error if there are fewer than two classifiers or data sets, or `level` is not between 0 and 1.
pub fn critical_difference(classifiers: usize, data_sets: usize, level: f64) -> Result<f64, MetricsError> {
    super::check_level(level)?;
    for (what, found) in [("data sets", data_sets), ("classifiers", classifiers)] {
        if found < 2 {
            return Err(MetricsError::TooFew { what, found, needed: 2 });
        }
    }
    let (mut low, mut high) = (0.0, 20.0);
    while high - low > 1e-10 {
        let middle = (low + high) / 2.0;
        if range_cdf(middle, classifiers) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    let k = classifiers as f64;
    Ok(high / std::f64::consts::SQRT_2 * (k * (k + 1.0) / (6.0 * data_sets as f64)).sqrt())
}

/// Returns the probability that the range of `k` standard normal numbers is at most `q`: the studentized range with infinitely many
/// degrees of freedom, by Simpson's rule.
fn range_cdf(q: f64, k: usize) -> f64 {
    const STEPS: usize = 400;
    let normal = Normal::standard();
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let value = |x: f64| density(x) * (normal.cdf(x) - normal.cdf(x - q)).powi(k as i32 - 1);
    // The largest of the numbers is at x.
    let (from, to) = (-8.0, 8.0);
    let step = (to - from) / STEPS as f64;
    let weight = |index: usize| match index {
        0 | STEPS => 1.0,
        index if index % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=STEPS).map(|index| weight(index) * value(from + index as f64 * step)).sum();
    k as f64 * sum * step / 3.0
}
