//! Adjustment for multiple tests.

use crate::error::MetricsError;

/// Returns p-values adjusted for the number of tests, in the order given (Holm, 1979;
/// `statsmodels.stats.multitest.multipletests(method="holm")`).
///
/// If all tests with an adjusted p-value of at most α are called significant, the probability of any false positive is
/// at most α, however the tests depend on each other.
///
/// # Errors
/// Returns an error if a value is not in [0, 1].
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, MetricsError> {
    if let Some((row, &value)) = p_values.iter().enumerate().find(|(_, value)| !(0.0..=1.0).contains(*value)) {
        return Err(MetricsError::Score { row, value });
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (smaller, row) in order.into_iter().enumerate() {
        largest = largest.max(p_values[row] * (p_values.len() - smaller) as f64).min(1.0);
        adjusted[row] = largest;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_test_is_not_adjusted_and_no_tests_give_an_empty_result() {
        assert_eq!(holm(&[0.03]), Ok(vec![0.03]));
        assert_eq!(holm(&[]), Ok(vec![]));
        assert!(matches!(holm(&[0.5, f64::NAN]), Err(MetricsError::Score { row: 1, .. })));
    }
}
