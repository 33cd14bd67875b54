//! The Bayesian signed-rank test, with a region of practical equivalence.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::MetricsError;

/// What is probable about two classifiers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Practical {
    /// The probability that the first classifier is practically better.
    pub better: f64,
    /// The probability that both are practically equivalent.
    pub equivalent: f64,
    /// The probability that the first classifier is practically worse.
    pub worse: f64,
}

/// Returns the posterior probabilities that a classifier is better than, equivalent to or worse than another one on a further data
/// set, by their differences on several (Benavoli, Corani, Demšar and Zaffalon, 2017, "Time for a Change: a Tutorial for Comparing
/// Multiple Classifiers Through Bayesian Analysis").
///
/// Differences of at most `rope` are no differences. The prior is a Dirichlet process with strength 0.5 at 0. The probabilities are
/// fractions of `samples` draws from the posterior, which depend only on `seed`; their standard error is at most 0.5/√`samples`.
///
/// # Errors
/// Returns an error if there are no differences or samples, a difference is not finite, or `rope` is negative or not finite.
pub fn bayesian_signed_rank(
    differences: &[f64],
    rope: f64,
    samples: usize,
    seed: u64,
) -> Result<Practical, MetricsError> {
    for (what, found) in [("differences", differences.len()), ("samples", samples)] {
        if found == 0 {
            return Err(MetricsError::TooFew { what, found, needed: 1 });
        }
    }
    super::check_scores(differences)?;
    if !(rope >= 0.0 && rope.is_finite()) {
        return Err(MetricsError::Statistic { value: rope });
    }
    // The pseudo-observation among the differences, in ascending order.
    let mut observed: Vec<(f64, bool)> = differences.iter().map(|&difference| (difference, false)).collect();
    observed.push((0.0, true));
    observed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let values: Vec<f64> = observed.iter().map(|(value, _)| *value).collect();
    // The pairs of each observation whose mean is below, and at most at the end of, the region.
    let ends: Vec<(usize, usize)> = values
        .iter()
        .map(|value| {
            let below = values.partition_point(|other| value + other < -2.0 * rope);
            (below, values.partition_point(|other| value + other <= 2.0 * rope))
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut counts = [0usize; 3];
    for _ in 0..samples {
        let weights: Vec<f64> = observed.iter().map(|(_, is_prior)| gamma(*is_prior, &mut rng)).collect();
        let mut sums = vec![0.0];
        for weight in &weights {
            sums.push(sums[sums.len() - 1] + weight);
        }
        let total = sums[weights.len()];
        let (mut worse, mut better) = (0.0, 0.0);
        for (weight, &(below, upto)) in weights.iter().zip(&ends) {
            worse += weight * sums[below];
            better += weight * (total - sums[upto]);
        }
        let equivalent = total * total - worse - better;
        let most = [better, equivalent, worse].into_iter().fold(f64::NEG_INFINITY, f64::max);
        let place = [better, equivalent, worse].iter().position(|mass| *mass == most);
        counts[place.unwrap_or(1)] += 1;
    }
    let [better, equivalent, worse] = counts.map(|count| count as f64 / samples as f64);
    Ok(Practical { better, equivalent, worse })
}

/// Draws from the gamma distribution: with shape 0.5 for the prior, half a squared normal number, or with shape 1.
fn gamma(is_prior: bool, rng: &mut ChaCha8Rng) -> f64 {
    // Above 0 and at most 1.
    let mut uniform = || ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let exponential = -uniform().ln();
    match is_prior {
        true => exponential * (2.0 * std::f64::consts::PI * uniform()).cos().powi(2),
        false => exponential,
    }
}
