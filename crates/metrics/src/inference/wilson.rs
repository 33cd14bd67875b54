//! Wilson's interval for a proportion.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{Interval, check_level};
use crate::error::MetricsError;

/// Returns the proportion of `hits` among `rows` with Wilson's confidence interval (1927;
/// `statsmodels.stats.proportion.proportion_confint(method="wilson")`).
///
/// The interval stays within 0 and 1 and is not empty, even if all rows are hits or none is. `hits` may be fractional, for
/// example the mean over several classifiers of the same rows.
///
/// # Errors
/// Returns an error if there are no rows, if `hits` is not between 0 and `rows`, or if `level` is not between 0 and 1.
pub fn wilson_interval(hits: f64, rows: usize, level: f64) -> Result<Interval, MetricsError> {
    check_level(level)?;
    if rows == 0 {
        return Err(MetricsError::Empty);
    }
    if !(0.0..=rows as f64).contains(&hits) {
        return Err(MetricsError::Statistic { value: hits });
    }
    let estimate = hits / rows as f64;
    let Reach { below, above } = Reach::of(hits, rows as f64, level);
    Ok(Interval {
        estimate,
        low: (estimate - below).clamp(0.0, estimate),
        high: (estimate + above).clamp(estimate, 1.0),
        n: rows,
        level,
    })
}

/// The distances of Wilson's bounds from the proportion.
pub(super) struct Reach {
    pub(super) below: f64,
    pub(super) above: f64,
}

impl Reach {
    /// Returns the distances for `hits` of `rows`.
    pub(super) fn of(hits: f64, rows: f64, level: f64) -> Self {
        let z = Normal::standard().inverse_cdf((1.0 + level) / 2.0);
        let share = hits / rows;
        let centre = (share + z * z / (2.0 * rows)) / (1.0 + z * z / rows);
        let half = z * (share * (1.0 - share) / rows + z * z / (4.0 * rows * rows)).sqrt() / (1.0 + z * z / rows);
        Self { below: share - (centre - half), above: centre + half - share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_input_is_an_error() {
        assert_eq!(wilson_interval(0.0, 0, 0.95), Err(MetricsError::Empty));
        assert_eq!(wilson_interval(3.0, 2, 0.95), Err(MetricsError::Statistic { value: 3.0 }));
        assert_eq!(wilson_interval(1.0, 2, 0.0), Err(MetricsError::Level { level: 0.0 }));
    }
}
