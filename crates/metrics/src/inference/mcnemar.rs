//! McNemar's test, which compares two classifiers on the same rows.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::wilson::Reach;
use super::{Interval, check_level};
use crate::error::MetricsError;

/// The result of McNemar's test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// The number of rows that only the first classifier predicts correctly: McNemar's b.
    pub only_a: usize,
    /// The number of rows that only the second classifier predicts correctly: McNemar's c.
    pub only_b: usize,
    /// The exact two-sided p-value.
    pub p_value: f64,
    /// The accuracy of the first classifier minus that of the second, over all rows.
    pub difference: Interval,
}

/// Returns McNemar's exact test (1947): a binomial test on the rows that only one of the classifiers predicts correctly
/// (`statsmodels.stats.contingency_tables.mcnemar(exact=True)`; not the mid-p variant).
///
/// The confidence interval of the difference in accuracy is Newcombe's (1998, Statistics in Medicine 17, 2635, method
/// 10): Wilson's intervals of both accuracies, combined with their correlation. It is independent of the test, so the
/// two may disagree near the significance level. It describes variation over test rows, not over training runs.
///
/// # Errors
/// Returns an error if there are no rows, the lengths differ, or `level` is not between 0 and 1.
pub fn mcnemar_exact(a_right: &[bool], b_right: &[bool], level: f64) -> Result<McNemar, MetricsError> {
    check_level(level)?;
    if a_right.is_empty() && b_right.is_empty() {
        return Err(MetricsError::Empty);
    }
    if a_right.len() != b_right.len() {
        return Err(MetricsError::Unpaired { a: a_right.len(), b: b_right.len() });
    }
    let count =
        |a: bool, b: bool| a_right.iter().zip(b_right).filter(|&(&left, &right)| (left, right) == (a, b)).count();
    let table = [[count(true, true), count(true, false)], [count(false, true), count(false, false)]];
    let (only_a, only_b) = (table[0][1], table[1][0]);
    let p_value = coin(only_a.min(only_b) as u64, (only_a + only_b) as u64);
    Ok(McNemar { only_a, only_b, p_value, difference: newcombe(table, level) })
}

/// Returns the smallest p-value that [`mcnemar_exact`] can give on `n` rows, 2^(1 − n): one classifier predicts every
/// row correctly, and the other none.
///
/// If it is above the significance level, no result on `n` rows can be significant: five rows cannot reach 0.05.
pub fn smallest_p(n: usize) -> f64 {
    (1.0 - n as f64).exp2().min(1.0)
}

/// Returns the probability that the rarer side of a fair coin comes up at most `rarer` times in `tosses`.
fn coin(rarer: u64, tosses: u64) -> f64 {
    // 1/2 is a valid probability, so the distribution exists.
    Binomial::new(0.5, tosses).map_or(1.0, |distribution| (2.0 * distribution.cdf(rarer)).min(1.0))
}

/// Returns Newcombe's interval for a contingency table: rows count the first classifier's correct and incorrect
/// predictions, columns the second's.
fn newcombe([[both, only_a], [only_b, neither]]: [[usize; 2]; 2], level: f64) -> Interval {
    let n = both + only_a + only_b + neither;
    let [both, only_a, only_b, neither] = [both, only_a, only_b, neither].map(|count| count as f64);
    let rows = n as f64;
    let (a, b) = (Reach::of(both + only_a, rows, level), Reach::of(both + only_b, rows, level));
    let margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
    let excess = both * neither - only_a * only_b;
    // Newcombe's continuity correction towards 0, if the two agree more often than by chance.
    let excess = if excess > 0.0 { (excess - rows / 2.0).max(0.0) } else { excess };
    let phi = if margins == 0.0 { 0.0 } else { excess / margins.sqrt() };
    let joined = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let estimate = (only_a - only_b) / rows;
    let low = (estimate - joined(a.below, b.above)).max(-1.0);
    let high = (estimate + joined(a.above, b.below)).min(1.0);
    Interval { estimate, low, high, n, level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_matches_published_values() {
        // Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8: complete
        // response before and after a therapy (Cavo et al., 2012).
        let interval = newcombe([[59, 6], [16, 80]], 0.95);
        for (found, printed) in [(interval.estimate, -0.0621), (interval.low, -0.1186), (interval.high, -0.0046)] {
            assert!((found - printed).abs() <= 0.5e-4, "{found} is not {printed}");
        }
    }

    #[test]
    fn few_rows_cannot_be_significant() {
        assert_eq!(smallest_p(0), 1.0);
        assert_eq!(smallest_p(1), 1.0);
        assert_eq!(smallest_p(3), 0.25);
        assert!(smallest_p(5) > 0.05 && smallest_p(6) < 0.05);
        let best = mcnemar_exact(&[true; 6], &[false; 6], 0.95).expect("valid");
        assert!((best.p_value - smallest_p(6)).abs() < 1e-15);
        assert_eq!((best.only_a, best.only_b, best.difference.high), (6, 0, 1.0));
    }

    #[test]
    fn classifiers_with_the_same_correct_rows_do_not_differ() {
        let test = mcnemar_exact(&[true, false, true], &[true, false, true], 0.95).expect("valid");
        assert_eq!((test.p_value, test.difference.estimate), (1.0, 0.0));
        assert!(test.difference.low < 0.0 && test.difference.high > 0.0);
    }

    #[test]
    fn unpaired_rows_are_an_error() {
        assert_eq!(mcnemar_exact(&[], &[], 0.95), Err(MetricsError::Empty));
        assert_eq!(mcnemar_exact(&[true], &[], 0.95), Err(MetricsError::Unpaired { a: 1, b: 0 }));
    }
}
