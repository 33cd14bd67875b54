//! The ROC curve.

use crate::error::MetricsError;
use crate::ranking::count_positives;

/// A point of the ROC curve: the rates if rows with a score of at least `threshold` are predicted positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// The proportion of negative rows predicted positive, in [0, 1].
    pub false_positive_rate: f64,
    /// The proportion of positive rows predicted positive, in [0, 1].
    pub true_positive_rate: f64,
    /// The smallest score predicted positive; infinite at the first point, where no row is predicted positive.
    pub threshold: f64,
}

/// Returns the ROC curve from (0, 0) to (1, 1), with decreasing thresholds (`roc_curve`).
///
/// As in scikit-learn, collinear points are left out (`drop_intermediate`) and the first threshold is infinite.
///
/// # Errors
/// Returns an error if the lengths differ, a score is not finite, or all rows are positive or all are negative.
pub fn roc_curve(truth: &[bool], scores: &[f64]) -> Result<Vec<RocPoint>, MetricsError> {
    let positives = count_positives(truth, scores)?;
    let negatives = truth.len() - positives;
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut hits, mut false_alarms) = (0, 0);
    let mut counts = Vec::new();
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = tied.iter().filter(|&&row| truth[row]).count();
        hits += positive;
        false_alarms += tied.len() - positive;
        counts.push((false_alarms, hits, scores[tied[0]]));
    }
    let corner = |index: usize| {
        let [before, here, after] = [counts[index - 1], counts[index], counts[index + 1]];
        here.0 - before.0 != after.0 - here.0 || here.1 - before.1 != after.1 - here.1
    };
    let kept = (0..counts.len()).filter(|&index| index == 0 || index == counts.len() - 1 || corner(index));
    let points = kept.map(|index| RocPoint {
        false_positive_rate: counts[index].0 as f64 / negatives as f64,
        true_positive_rate: counts[index].1 as f64 / positives as f64,
        threshold: counts[index].2,
    });
    let start = RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0, threshold: f64::INFINITY };
    Ok(std::iter::once(start).chain(points).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::roc_auc;

    #[test]
    fn the_trapezoidal_area_is_roc_auc() {
        let truth = [false, true, true, false, true, false, false, true];
        let scores = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.35, 0.9];
        let curve = roc_curve(&truth, &scores).expect("valid");
        let area: f64 = curve
            .windows(2)
            .map(|pair| {
                let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
                width * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0
            })
            .sum();
        assert!((area - roc_auc(&truth, &scores).expect("valid")).abs() < 1e-12);
    }

    #[test]
    fn rows_of_one_kind_are_an_error() {
        assert_eq!(roc_curve(&[false], &[0.1]), Err(MetricsError::OneClass { class: 0 }));
    }
}
