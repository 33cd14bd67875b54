//! The precision-recall curve, and the average precision.

use crate::error::MetricsError;
use crate::ranking::count_positives;

/// A point of the precision-recall curve: precision and recall if rows with a score of at least `threshold` are predicted
/// positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecallPoint {
    /// The proportion of positive rows among those predicted positive, in [0, 1].
    pub precision: f64,
    /// The proportion of positive rows predicted positive, in [0, 1].
    pub recall: f64,
    /// The smallest score predicted positive; infinite at the last point, where no row is predicted positive.
    pub threshold: f64,
}

/// Returns the precision-recall curve, with increasing thresholds and decreasing recall (`precision_recall_curve`).
///
/// As in scikit-learn, there is a point per distinct score, and the last point has precision 1 and recall 0.
///
/// # Errors
/// Returns an error if the lengths differ, a score is not finite, or all rows are positive or all are negative.
pub fn precision_recall_curve(truth: &[bool], scores: &[f64]) -> Result<Vec<PrecisionRecallPoint>, MetricsError> {
    let positives = count_positives(truth, scores)?;
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut hits, mut predicted) = (0, 0);
    let mut points = vec![PrecisionRecallPoint { precision: 1.0, recall: 0.0, threshold: f64::INFINITY }];
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        hits += tied.iter().filter(|&&row| truth[row]).count();
        predicted += tied.len();
        points.push(PrecisionRecallPoint {
            precision: hits as f64 / predicted as f64,
            recall: hits as f64 / positives as f64,
            threshold: scores[tied[0]],
        });
    }
    points.reverse();
    Ok(points)
}

/// Returns the mean of the precisions over the thresholds, weighted by the increase in recall (`average_precision_score`).
///
/// The curve is not interpolated, unlike its trapezoidal area, which would be too optimistic (Davis and Goadrich, 2006).
///
/// # Errors
/// See [`precision_recall_curve`].
pub fn average_precision(truth: &[bool], scores: &[f64]) -> Result<f64, MetricsError> {
    let curve = precision_recall_curve(truth, scores)?;
    Ok(curve.windows(2).map(|pair| (pair[0].recall - pair[1].recall) * pair[0].precision).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tied_rows_are_one_point() {
        let curve = precision_recall_curve(&[true, false, true], &[0.5, 0.5, 0.9]).expect("valid");
        let points: Vec<_> = curve.iter().map(|point| (point.precision, point.recall)).collect();
        assert_eq!(points, [(2.0 / 3.0, 1.0), (1.0, 0.5), (1.0, 0.0)]);
    }

    #[test]
    fn rows_of_one_kind_are_an_error() {
        assert_eq!(average_precision(&[false], &[0.1]), Err(MetricsError::OneClass { class: 0 }));
    }
}
