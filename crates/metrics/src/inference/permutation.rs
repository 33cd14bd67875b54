//! The paired permutation test, which compares any metric of two classifiers on the same rows.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::MetricsError;

/// Differences that are smaller than the observed one by less than this fraction are equal to it, up to rounding.
const ROUNDING: f64 = 1e-12;

/// Returns the two-sided p-value of the difference between two classifiers in a metric that need not be a mean over rows,
/// such as F1 (approximate randomization: Noreen, 1989; for F1, Yeh, 2000, COLING).
///
/// If the classifiers do not differ, their predictions for a row can be exchanged. `difference` receives for each row whether
/// they are, and returns the metric of the first classifier minus that of the second. If there are at most `resamples` ways to
/// exchange rows, all of them are computed, and the p-value is exact
/// (`scipy.stats.permutation_test(permutation_type="samples")`); otherwise `resamples` random ones, which depend only on
/// `seed`, and the p-value is (hits + 1) / (`resamples` + 1).
///
/// # Errors
/// Returns an error if there are no rows or no resamples, or a difference is NaN or infinite.
pub fn paired_permutation(
    rows: usize,
    resamples: usize,
    seed: u64,
    mut difference: impl FnMut(&[bool]) -> f64,
) -> Result<f64, MetricsError> {
    for (what, found) in [("rows", rows), ("resamples", resamples)] {
        if found == 0 {
            return Err(MetricsError::TooFew { what, found, needed: 1 });
        }
    }
    let mut of = |exchanged: &[bool]| match difference(exchanged) {
        value if value.is_finite() => Ok(value.abs()),
        value => Err(MetricsError::Statistic { value }),
    };
    let mut exchanged = vec![false; rows];
    let observed = of(&exchanged)? * (1.0 - ROUNDING);
    let mut hits = 0usize;
    let ways = u32::try_from(rows).ok().and_then(|rows| 1usize.checked_shl(rows)).filter(|&ways| ways <= resamples);
    if let Some(ways) = ways {
        for way in 0..ways {
            exchanged.iter_mut().enumerate().for_each(|(row, exchanged)| *exchanged = way >> row & 1 == 1);
            hits += usize::from(of(&exchanged)? >= observed);
        }
        return Ok(hits as f64 / ways as f64);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..resamples {
        for rows in exchanged.chunks_mut(64) {
            let bits = rng.next_u64();
            rows.iter_mut().enumerate().for_each(|(row, exchanged)| *exchanged = bits >> row & 1 == 1);
        }
        hits += usize::from(of(&exchanged)? >= observed);
    }
    Ok((hits + 1) as f64 / (resamples + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The difference of means: its exchanges change the sign of rows.
    fn mean(rows: &[f64]) -> impl Fn(&[bool]) -> f64 {
        move |exchanged| rows.iter().zip(exchanged).map(|(row, &exchanged)| if exchanged { -row } else { *row }).sum()
    }

    #[test]
    fn the_smallest_p_is_that_of_mcnemars_test() {
        for rows in [1, 5, 6, 10] {
            let ones = vec![1.0; rows];
            let p = paired_permutation(rows, 9999, 0, mean(&ones)).expect("valid");
            assert!((p - super::super::smallest_p(rows)).abs() < 1e-15, "{rows}");
        }
    }

    #[test]
    fn random_exchanges_approximate_all_of_them() {
        let rows = [0.3, -0.1, 0.2, 0.25, -0.05, 0.4, 0.1, -0.2, 0.15, 0.05];
        let exact = paired_permutation(rows.len(), 1024, 0, mean(&rows)).expect("valid");
        let random = paired_permutation(rows.len(), 1023, 7, mean(&rows)).expect("valid");
        // Three standard errors.
        assert!((exact - random).abs() < 3.0 * (exact * (1.0 - exact) / 1023.0).sqrt(), "{exact}, {random}");
        assert_eq!(random, paired_permutation(rows.len(), 1023, 7, mean(&rows)).expect("valid"), "the same seed");
    }

    #[test]
    fn no_difference_is_not_significant() {
        assert_eq!(paired_permutation(100, 50, 0, |_| 0.0), Ok(1.0));
        assert_eq!(paired_permutation(3, 50, 0, |_| 0.0), Ok(1.0));
    }

    #[test]
    fn invalid_input_is_an_error() {
        let few = |what| Err(MetricsError::TooFew { what, found: 0, needed: 1 });
        assert_eq!(paired_permutation(0, 10, 0, |_| 0.0), few("rows"));
        assert_eq!(paired_permutation(10, 0, 0, |_| 0.0), few("resamples"));
        let infinite = MetricsError::Statistic { value: f64::INFINITY };
        assert_eq!(paired_permutation(2, 10, 0, |_| f64::INFINITY), Err(infinite));
    }
}
