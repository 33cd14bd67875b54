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
    let rows = confidences(truth, probabilities, classes, bins)?;
    Ok(reliability(&rows, &Bins::equal_width(bins)))
}

/// As [`reliability_bins`], in bins of about equal numbers of rows (`calibration_curve(strategy="quantile")`): their edges are
/// quantiles of the confidence, by linear interpolation.
///
/// # Errors
/// See [`reliability_bins`].
pub fn adaptive_bins(
    truth: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
) -> Result<Vec<ReliabilityBin>, MetricsError> {
    let rows = confidences(truth, probabilities, classes, bins)?;
    Ok(reliability(&rows, &Bins::equal_mass(&rows, bins)))
}

/// Returns the confidence of each row, and whether its predicted class is the true one.
pub(crate) fn confidences(
    truth: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
) -> Result<Vec<(f64, bool)>, MetricsError> {
    check(truth, probabilities, classes)?;
    if bins == 0 {
        return Err(MetricsError::TooFew { what: "bins", found: 0, needed: 1 });
    }
    let confidence = |(&label, values): (&usize, &[f64])| {
        let (class, confidence) = likeliest(values);
        (confidence, class == label)
    };
    Ok(truth.iter().zip(probabilities.chunks(classes)).map(confidence).collect())
}

/// The edges of bins, ascending.
pub(crate) struct Bins(Vec<f64>);

impl Bins {
    /// Edges between 0 and 1, rounded as by NumPy's `linspace`.
    pub(crate) fn equal_width(bins: usize) -> Self {
        let width = 1.0 / bins as f64;
        Self((0..bins).map(|edge| edge as f64 * width).chain([1.0]).collect())
    }

    /// The quantiles of the confidence, as NumPy's `percentile` computes them.
    pub(crate) fn equal_mass(rows: &[(f64, bool)], bins: usize) -> Self {
        let mut values: Vec<f64> = rows.iter().map(|(confidence, _)| *confidence).collect();
        values.sort_by(f64::total_cmp);
        let quantile = |edge: usize| {
            let place = edge as f64 / bins as f64 * (values.len() - 1) as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self((0..=bins).map(quantile).collect())
    }

    /// Returns the bin of a confidence: an inner edge belongs to the bin below.
    pub(crate) fn of(&self, confidence: f64) -> usize {
        self.0[1..self.0.len() - 1].partition_point(|&edge| edge < confidence)
    }
}

/// Returns confidence and accuracy of rows in bins, without the empty ones.
fn reliability(rows: &[(f64, bool)], bins: &Bins) -> Vec<ReliabilityBin> {
    let mut sums = vec![(0, 0.0, 0); bins.0.len() - 1];
    for &(confidence, correct) in rows {
        let sum = &mut sums[bins.of(confidence)];
        *sum = (sum.0 + 1, sum.1 + confidence, sum.2 + usize::from(correct));
    }
    let bin = |(index, (count, confidence, right)): (usize, (usize, f64, usize))| ReliabilityBin {
        low: bins.0[index],
        high: bins.0[index + 1],
        count,
        confidence: confidence / count as f64,
        accuracy: right as f64 / count as f64,
    };
    sums.into_iter().enumerate().filter(|(_, sum)| sum.0 > 0).map(bin).collect()
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
    Ok(mean_gap(&reliability_bins(truth, probabilities, classes, bins)?))
}

/// Returns the adaptive calibration error: as [`expected_calibration_error`], over [`adaptive_bins`], so that no bin has few rows
/// (Nguyen and O'Connor, 2015; Nixon et al., 2019, for the predicted class).
///
/// # Errors
/// See [`reliability_bins`].
pub fn adaptive_calibration_error(
    truth: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
) -> Result<f64, MetricsError> {
    Ok(mean_gap(&adaptive_bins(truth, probabilities, classes, bins)?))
}

/// Returns the mean distance of accuracy and confidence over all rows.
fn mean_gap(bins: &[ReliabilityBin]) -> f64 {
    let gaps = bins.iter().map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    gaps.sum::<f64>() / bins.iter().map(|bin| bin.count).sum::<usize>().max(1) as f64
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
