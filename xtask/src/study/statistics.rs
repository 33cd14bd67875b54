//! Means and confidence intervals over draws.

/// 97.5 % quantiles of Student's t with 2 to 9 degrees of freedom (`scipy.stats.t.ppf`).
const QUANTILES: [f64; 8] = [4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622];

/// Draws for which there are quantiles.
pub(super) const MOST_DRAWS: u64 = 10;

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the 95 % confidence interval of the mean by Student's t; none of fewer than three values, of which it says nothing.
pub(super) fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let quantile = QUANTILES.get(values.len().checked_sub(3)?)?;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let count = values.len() as f64;
    let half = quantile * (squares / (count - 1.0) / count).sqrt();
    Some((mean - half, mean + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.interval(0.95, 4, loc=mean, scale=sem)` of the values.
    #[test]
    fn the_interval_is_that_of_scipy() {
        let (low, high) = interval(&[0.61, 0.58, 0.66, 0.63, 0.60]).expect("an interval");
        assert!((low - 0.578_134).abs() < 1e-5 && (high - 0.653_866).abs() < 1e-5, "{low} {high}");
        assert_eq!((interval(&[0.5]), interval(&[0.5, 0.6])), (None, None));
    }
}
