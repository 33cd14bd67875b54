//! Calibration: whether predictions with a confidence of 80 % are correct in 80 % of the cases.

use crate::error::MetricsError;
use crate::probability::check;

/// The rows whose confidence, the probability of their predicted class, is above `low` and at most `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// The lower edge; excluded, except for 0.
    pub low: f64,
    /// The upper edge; included.
    pub high: f64,
    /// The number of rows; never 0.
    pub count: usize,
    /// The mean confidence of the rows, in [0, 1].
    pub confidence: f64,
    /// The proportion of correctly predicted rows, in [0, 1].
    pub accuracy: f64,
}

/// Returns confidence and accuracy in `bins` bins of equal width between 0 and 1, in ascending order, without empty
/// bins (`calibration_curve(strategy="uniform")` of correct predictions).
///
/// `probabilities` is row-major, with `classes` values per row. The predicted class is the one with the highest
/// probability, the first in case of ties.
///
/// # Errors
/// Returns an error if there are no rows or no bins, the lengths differ, a label is not below `classes`, or a value is
/// not in [0, 1].
pub fn reliability_bins(
    truth: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
) -> Result<Vec<ReliabilityBin>, MetricsError> {
    check(truth, probabilities, classes)?;
    if bins == 0 {
        return Err(MetricsError::TooFew { what: "bins", found: 0, needed: 1 });
    }
    // The edges are rounded as by NumPy's `linspace`.
    let width = 1.0 / bins as f64;
    let edges: Vec<f64> = (0..bins).map(|edge| edge as f64 * width).chain([1.0]).collect();
    let mut sums = vec![(0, 0.0, 0); bins];
    for (&label, values) in truth.iter().zip(probabilities.chunks(classes)) {
        let (class, confidence) = likeliest(values);
        let sum = &mut sums[edges[1..bins].partition_point(|&edge| edge < confidence)];
        *sum = (sum.0 + 1, sum.1 + confidence, sum.2 + usize::from(class == label));
    }
    let bin = |(index, (count, confidence, right)): (usize, (usize, f64, usize))| ReliabilityBin {
        low: edges[index],
        high: edges[index + 1],
        count,
        confidence: confidence / count as f64,
        accuracy: right as f64 / count as f64,
    };
    Ok(sums.into_iter().enumerate().filter(|(_, sum)| sum.0 > 0).map(bin).collect())
}

/// Returns the expected calibration error: the absolute difference between confidence and accuracy, averaged over the
/// bins of [`reliability_bins`] weighted by their rows (Guo et al., 2017, equation 3, with 15 bins).
///
/// In [0, 1]; 0 is perfectly calibrated. The value depends on the number of bins, and with few rows it is above 0 by
/// chance.
///
/// # Errors
/// See [`reliability_bins`].
pub fn expected_calibration_error(
    truth: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
) -> Result<f64, MetricsError> {
    let bins = reliability_bins(truth, probabilities, classes, bins)?;
    let gaps = bins.iter().map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    Ok(gaps.sum::<f64>() / truth.len() as f64)
}

fn likeliest(values: &[f64]) -> (usize, f64) {
    let larger = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    values.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_the_lower_bin() {
        let bins = reliability_bins(&[0, 1], &[0.5, 0.5, 0.25, 0.75], 2, 2).expect("valid");
        let first = ReliabilityBin { low: 0.0, high: 0.5, count: 1, confidence: 0.5, accuracy: 1.0 };
        let second = ReliabilityBin { low: 0.5, high: 1.0, count: 1, confidence: 0.75, accuracy: 1.0 };
        assert_eq!(bins, [first, second]);
        assert_eq!(expected_calibration_error(&[0, 1], &[0.5, 0.5, 0.25, 0.75], 2, 2), Ok(0.375));
    }

    #[test]
    fn zero_bins_are_an_error() {
        let error = MetricsError::TooFew { what: "bins", found: 0, needed: 1 };
        assert_eq!(reliability_bins(&[0], &[1.0], 1, 0), Err(error));
    }
}
