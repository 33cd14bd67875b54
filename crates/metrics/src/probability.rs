//! Metrics of probabilities.

use crate::error::MetricsError;

/// Returns the mean negative logarithm of the predicted probability of the true class, in nats (`log_loss`).
///
/// `probabilities` is row-major, with `classes` values per row. As in scikit-learn, rows are not normalised, and each
/// value is clipped to the machine epsilon from 0 and 1.
///
/// # Errors
/// Returns an error if there are no rows, the lengths differ, a label is not below `classes`, or a value is not in [0,
/// 1].
pub fn log_loss(truth: &[usize], probabilities: &[f64], classes: usize) -> Result<f64, MetricsError> {
    check(truth, probabilities, classes)?;
    let rows = truth.iter().zip(probabilities.chunks(classes));
    let losses = rows.map(|(&label, values)| -values[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln());
    Ok(losses.sum::<f64>() / truth.len() as f64)
}

/// Returns the mean squared difference between the probabilities and 1 for the true class, 0 for the others
/// (`brier_score_loss`; Brier, 1950).
///
/// `probabilities` is row-major, with `classes` values per row. The squares are summed over the classes of a row: 0 for
/// certain and correct predictions, 2 for certain and wrong ones. With two classes, whose squares are equal, only one
/// is counted, so the range is 0 to 1. Both are as in scikit-learn.
///
/// # Errors
/// See [`log_loss`].
pub fn brier_score(truth: &[usize], probabilities: &[f64], classes: usize) -> Result<f64, MetricsError> {
    check(truth, probabilities, classes)?;
    let mut sum = 0.0;
    for (&label, values) in truth.iter().zip(probabilities.chunks(classes)) {
        let target = |class| if class == label { 1.0 } else { 0.0 };
        sum += values.iter().enumerate().map(|(class, value)| (value - target(class)).powi(2)).sum::<f64>();
    }
    let scale = if classes == 2 { 0.5 } else { 1.0 };
    Ok(scale * sum / truth.len() as f64)
}

/// Checks that there is a row of valid probabilities for each label.
pub(crate) fn check(truth: &[usize], probabilities: &[f64], classes: usize) -> Result<(), MetricsError> {
    if truth.is_empty() {
        return Err(MetricsError::Empty);
    }
    if truth.len() * classes != probabilities.len() || classes == 0 {
        let other = probabilities.len() / classes.max(1);
        return Err(MetricsError::Length { truth: truth.len(), other, what: "rows of probabilities" });
    }
    for (row, (&label, values)) in truth.iter().zip(probabilities.chunks(classes)).enumerate() {
        if label >= classes {
            return Err(MetricsError::Label { row, label, classes });
        }
        if let Some(&value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(MetricsError::Score { row, value });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certain_wrong_prediction_has_a_finite_loss() {
        let loss = log_loss(&[0], &[0.0, 1.0], 2).expect("valid");
        assert!((loss + f64::EPSILON.ln()).abs() < 1e-12);
        assert_eq!(brier_score(&[0], &[0.0, 1.0], 2), Ok(1.0));
        assert_eq!(brier_score(&[0], &[0.0, 1.0, 0.0], 3), Ok(2.0));
    }

    #[test]
    fn zero_classes_are_an_error() {
        let expected = MetricsError::Length { truth: 1, other: 0, what: "rows of probabilities" };
        assert_eq!(log_loss(&[0], &[], 0), Err(expected.clone()));
        assert_eq!(brier_score(&[0], &[], 0), Err(expected));
    }
}
