//! Metrics of ordered classes.

use crate::confusion::{ConfusionMatrix, Score};

/// Metrics for classes whose indices are ordered, such as ratings.
impl ConfusionMatrix {
    /// Returns the quadratic weighted kappa (`cohen_kappa_score(weights="quadratic", labels=range(classes))`; Cohen, 1968):
    /// 1 for perfect agreement, 0 for that of chance. A prediction that is wrong by two classes counts four times one that
    /// is wrong by one.
    ///
    /// It is 0 and flagged if all true and predicted classes are the same, where scikit-learn returns NaN.
    pub fn quadratic_weighted_kappa(&self) -> Score {
        let classes = self.classes();
        let total = |of: &dyn Fn(usize) -> u64| (0..classes).map(of).sum::<u64>() as f64;
        let members: Vec<f64> = (0..classes).map(|truth| total(&|other| self.get(truth, other))).collect();
        let predicted: Vec<f64> = (0..classes).map(|class| total(&|other| self.get(other, class))).collect();
        let (mut observed, mut expected) = (0.0, 0.0);
        for (truth, members) in members.iter().enumerate() {
            for (class, predicted) in predicted.iter().enumerate() {
                let weight = (truth.abs_diff(class) as f64).powi(2);
                observed += weight * self.get(truth, class) as f64;
                expected += weight * members * predicted;
            }
        }
        if expected == 0.0 {
            return Score { value: 0.0, zero_division: true };
        }
        Score { value: 1.0 - observed * self.total() as f64 / expected, zero_division: false }
    }

    /// Returns the mean absolute difference between the indices of the predicted and the true class
    /// (`mean_absolute_error`).
    pub fn mean_absolute_error(&self) -> f64 {
        let classes = self.classes();
        let cells = (0..classes).flat_map(|truth| (0..classes).map(move |predicted| (truth, predicted)));
        let sum: u64 = cells.map(|(truth, class)| truth.abs_diff(class) as u64 * self.get(truth, class)).sum();
        sum as f64 / self.total() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_class_has_no_kappa() {
        let matrix = ConfusionMatrix::new(&[1, 1], &[1, 1], 3).expect("valid");
        assert_eq!(matrix.quadratic_weighted_kappa(), Score { value: 0.0, zero_division: true });
        let matrix = ConfusionMatrix::new(&[0, 2], &[2, 2], 3).expect("valid");
        assert_eq!((matrix.quadratic_weighted_kappa().value, matrix.mean_absolute_error()), (0.0, 1.0));
    }
}
