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
    if truth.is_empty() {
        return Err(MetricsError::Empty);
    }
    if truth.len() * classes != probabilities.len() {
        let other = probabilities.len() / classes.max(1);
        return Err(MetricsError::Length { truth: truth.len(), other, what: "rows of probabilities" });
    }
    let mut sum = 0.0;
    for (row, (&label, values)) in truth.iter().zip(probabilities.chunks(classes)).enumerate() {
        if label >= classes {
            return Err(MetricsError::Label { row, label, classes });
        }
        if let Some(&value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(MetricsError::Score { row, value });
        }
        sum -= values[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    }
    Ok(sum / truth.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_that_is_wrong_costs_much_but_not_infinity() {
        let loss = log_loss(&[0], &[0.0, 1.0], 2).expect("valid");
        assert!((loss + f64::EPSILON.ln()).abs() < 1e-12);
    }
}
