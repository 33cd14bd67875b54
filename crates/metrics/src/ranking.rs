//! The area under the ROC curve.

use crate::error::MetricsError;

/// Returns the probability that a positive row has a higher score than a negative one, where ties count half
/// (`roc_auc_score`; Mann and Whitney, 1947).
///
/// # Errors
/// Returns an error if the lengths differ, a score is not finite, or all rows are positive or all are negative.
pub fn roc_auc(truth: &[bool], scores: &[f64]) -> Result<f64, MetricsError> {
    let positives = count_positives(truth, scores)?;
    let negatives = truth.len() - positives;
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut area) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = tied.iter().filter(|&&row| truth[row]).count() as f64;
        let negative = tied.len() as f64 - positive;
        area += positive * (below + negative / 2.0);
        below += negative;
    }
    Ok(area / (positives as f64 * negatives as f64))
}

/// Returns the number of positive rows, after checking that the scores can be ranked.
pub(crate) fn count_positives(truth: &[bool], scores: &[f64]) -> Result<usize, MetricsError> {
    if truth.len() != scores.len() {
        return Err(MetricsError::Length { truth: truth.len(), other: scores.len(), what: "scores" });
    }
    if let Some((row, &value)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
        return Err(MetricsError::Score { row, value });
    }
    let positives = truth.iter().filter(|&&positive| positive).count();
    if positives == 0 || positives == truth.len() {
        return Err(MetricsError::OneClass { class: usize::from(positives > 0) });
    }
    Ok(positives)
}

/// Returns the unweighted mean over classes of the area of each class against all others
/// (`roc_auc_score(multi_class="ovr")`).
///
/// `probabilities` is row-major, with `classes` values per row.
///
/// # Errors
/// See [`roc_auc`]. Also returns an error if a class never occurs.
pub fn roc_auc_ovr(truth: &[usize], probabilities: &[f64], classes: usize) -> Result<f64, MetricsError> {
    if truth.len() * classes != probabilities.len() || classes == 0 {
        let other = probabilities.len() / classes.max(1);
        return Err(MetricsError::Length { truth: truth.len(), other, what: "rows of probabilities" });
    }
    let area = |class: usize| {
        let positive: Vec<bool> = truth.iter().map(|&label| label == class).collect();
        let scores: Vec<f64> = probabilities.chunks(classes).map(|row| row[class]).collect();
        roc_auc(&positive, &scores).map_err(|error| match error {
            MetricsError::OneClass { .. } => MetricsError::OneClass { class },
            other => other,
        })
    };
    let areas: Vec<f64> = (0..classes).map(area).collect::<Result<_, _>>()?;
    Ok(areas.iter().sum::<f64>() / classes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        assert_eq!(roc_auc(&[false, true], &[0.5, 0.5]), Ok(0.5));
        assert_eq!(roc_auc(&[false, true, true], &[0.1, 0.1, 0.9]), Ok(0.75));
    }

    #[test]
    fn rows_of_one_kind_are_an_error() {
        assert_eq!(roc_auc(&[true, true], &[0.1, 0.2]), Err(MetricsError::OneClass { class: 1 }));
        assert!(matches!(roc_auc(&[true, false], &[f64::NAN, 0.2]), Err(MetricsError::Score { row: 0, .. })));
    }
}
