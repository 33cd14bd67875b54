//! Scores of probabilities.

use crate::error::MetricsError;

/// The mean negative logarithm of the probability given to the true class, in nats (`log_loss`).
///
/// `probabilities` is row-major, `classes` a row. As in scikit-learn, rows are used as they are, and each value is
/// held within the machine epsilon of 0 and 1.
///
/// # Errors
/// When there are no rows, the lengths differ, a label is not below `classes`, or a value is not in [0, 1].
pub fn log_loss(truth: &[usize], probabilities: &[f64], classes: usize) -> Result<f64, MetricsError> {
    check(truth, probabilities, classes)?;
    let rows = truth.iter().zip(probabilities.chunks(classes));
    let losses = rows.map(|(&label, values)| -values[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln());
    Ok(losses.sum::<f64>() / truth.len() as f64)
}

/// The mean squared distance of the probabilities from 1 for the true class and 0 for the others (`brier_score_loss`;
/// Brier, 1950).
///
/// `probabilities` is row-major, `classes` a row. The squares of a row are summed over its classes, so that 0 is
/// certainty that is right and 2 certainty that is wrong. For two classes, whose squares are equal, one is counted:
/// from 0 to 1. Both as in scikit-learn.
///
/// # Errors
/// As [`log_loss`].
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

/// Whether there is a row of valid probabilities for each label.
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
    fn certainty_that_is_wrong_costs_much_but_not_infinity() {
        let loss = log_loss(&[0], &[0.0, 1.0], 2).expect("valid");
        assert!((loss + f64::EPSILON.ln()).abs() < 1e-12);
        assert_eq!(brier_score(&[0], &[0.0, 1.0], 2), Ok(1.0));
        assert_eq!(brier_score(&[0], &[0.0, 1.0, 0.0], 3), Ok(2.0));
    }

    #[test]
    fn without_classes_there_are_no_rows() {
        let expected = MetricsError::Length { truth: 1, other: 0, what: "rows of probabilities" };
        assert_eq!(log_loss(&[0], &[], 0), Err(expected.clone()));
        assert_eq!(brier_score(&[0], &[], 0), Err(expected));
    }
}
