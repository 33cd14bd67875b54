//! The confusion matrix, and the metrics that are computed from it.

use crate::error::MetricsError;

/// How precision, recall and F1 of several classes are averaged.
///
/// The variants have the names of scikit-learn's `average`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Average {
    /// Only one class.
    Binary {
        /// The positive class.
        positive: usize,
    },
    /// From the summed counts of all classes.
    Micro,
    /// The unweighted mean over the classes that occur as true or predicted class.
    Macro,
    /// The mean over the classes, weighted by how often each is the true class.
    Weighted,
    /// The mean over rows of the value of each row, for rows with several labels. If each row has one class, the result is
    /// that of [`Average::Micro`].
    Samples,
}

impl Average {
    /// Returns the usual average: binary with the second class as positive for two classes, macro for more.
    pub fn usual(classes: usize) -> Self {
        if classes == 2 { Self::Binary { positive: 1 } } else { Self::Macro }
    }
}

/// A metric whose quotient may have the denominator 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The value: in [0, 1], but for correlations in [-1, 1] and for R² at most 1.
    pub value: f64,
    /// Whether a denominator was 0 and the quotient was set to 0; scikit-learn warns in this case.
    pub zero_division: bool,
}

/// Counts of predicted classes for each true class.
///
/// As scikit-learn's `confusion_matrix`: rows are true classes, columns predicted classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// True positives, predicted positives and true members of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) predicted: u64,
    pub(crate) members: u64,
}

impl Counts {
    /// Adds both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            predicted: self.predicted + other.predicted,
            members: self.members + other.members,
        }
    }

    /// Returns the number of false positives and false negatives.
    pub(crate) fn errors(self) -> u64 {
        self.predicted + self.members - 2 * self.hits
    }
}

impl ConfusionMatrix {
    /// Counts `predicted` against `truth`; all classes are below `classes`.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a class is not below `classes`.
    pub fn new(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self, MetricsError> {
        if truth.is_empty() {
            return Err(MetricsError::Empty);
        }
        if truth.len() != predicted.len() {
            let (truth, other) = (truth.len(), predicted.len());
            return Err(MetricsError::Length { truth, other, what: "predictions" });
        }
        let mut counts = vec![0; classes * classes];
        for (row, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
            if let Some(label) = [truth, predicted].into_iter().find(|&label| label >= classes) {
                return Err(MetricsError::Label { row, label, classes });
            }
            counts[truth * classes + predicted] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns how often `predicted` was predicted for rows of the class `truth`; 0 for a class that does not exist.
    pub fn get(&self, truth: usize, predicted: usize) -> u64 {
        if truth.max(predicted) < self.classes { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// Returns the number of rows.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the proportion of correctly predicted rows (`accuracy_score`).
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|class| self.get(class, class)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Returns the mean recall over the classes that occur as true class (`balanced_accuracy_score`).
    pub fn balanced_accuracy(&self) -> f64 {
        let occurring = (0..self.classes).map(|class| self.counts_of(class)).filter(|counts| counts.members > 0);
        mean(occurring.map(|counts| (quotient((counts.hits, counts.members)), 1.0))).value
    }

    /// Returns the proportion of true positives among the rows predicted positive (`precision_score`).
    pub fn precision(&self, average: Average) -> Score {
        self.average(average, |counts| (counts.hits, counts.predicted))
    }

    /// Returns the proportion of true positives among the positive rows (`recall_score`).
    pub fn recall(&self, average: Average) -> Score {
        self.average(average, |counts| (counts.hits, counts.members))
    }

    /// Returns the harmonic mean of precision and recall (`f1_score`); 0 and flagged if there are neither positive rows
    /// nor positive predictions.
    pub fn f1(&self, average: Average) -> Score {
        self.average(average, |counts| (2 * counts.hits, counts.predicted + counts.members))
    }

    /// Returns the Matthews correlation coefficient for any number of classes (`matthews_corrcoef`; Gorodkin, 2004); 0
    /// if all true or all predicted classes are equal.
    pub fn matthews(&self) -> f64 {
        let total = self.total() as f64;
        let (mut hits, mut products, mut predicted_squares, mut member_squares) = (0.0, 0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let counts = self.counts_of(class);
            let (predicted, members) = (counts.predicted as f64, counts.members as f64);
            hits += counts.hits as f64;
            products += predicted * members;
            predicted_squares += predicted * predicted;
            member_squares += members * members;
        }
        let spread = (total * total - predicted_squares) * (total * total - member_squares);
        if spread == 0.0 { 0.0 } else { (hits * total - products) / spread.sqrt() }
    }

    fn counts_of(&self, class: usize) -> Counts {
        Counts {
            hits: self.get(class, class),
            predicted: (0..self.classes).map(|truth| self.get(truth, class)).sum(),
            members: (0..self.classes).map(|predicted| self.get(class, predicted)).sum(),
        }
    }

    fn average(&self, average: Average, parts: impl Fn(Counts) -> (u64, u64)) -> Score {
        let occurring = || {
            (0..self.classes).map(|class| self.counts_of(class)).filter(|counts| counts.predicted + counts.members > 0)
        };
        match average {
            Average::Binary { positive } => quotient(parts(self.counts_of(positive))),
            Average::Micro | Average::Samples => quotient(parts(occurring().fold(Counts::default(), Counts::plus))),
            Average::Macro => mean(occurring().map(|counts| (quotient(parts(counts)), 1.0))),
            Average::Weighted => mean(occurring().map(|counts| (quotient(parts(counts)), counts.members as f64))),
        }
    }
}

/// Returns a quotient, which is 0 and flagged if the denominator is 0.
pub(crate) fn quotient((numerator, denominator): (u64, u64)) -> Score {
    match denominator {
        0 => Score { value: 0.0, zero_division: true },
        _ => Score { value: numerator as f64 / denominator as f64, zero_division: false },
    }
}

/// Returns the weighted mean of scores, flagged if one of them is.
pub(crate) fn mean(scores: impl Iterator<Item = (Score, f64)>) -> Score {
    let (mut sum, mut weights, mut zero_division) = (0.0, 0.0, false);
    for (score, weight) in scores {
        sum += score.value * weight;
        weights += weight;
        zero_division |= score.zero_division;
    }
    Score { value: sum / weights, zero_division }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_positive_predictions_precision_is_zero_and_flagged() {
        let matrix = ConfusionMatrix::new(&[0, 1, 1], &[0, 0, 0], 2).expect("valid");
        let positive = Average::Binary { positive: 1 };
        assert_eq!(matrix.precision(positive), Score { value: 0.0, zero_division: true });
        assert_eq!(matrix.f1(positive), Score { value: 0.0, zero_division: false });
        assert_eq!(matrix.matthews(), 0.0);
    }

    #[test]
    fn invalid_input_is_an_error() {
        assert_eq!(ConfusionMatrix::new(&[], &[], 2), Err(MetricsError::Empty));
        let length = MetricsError::Length { truth: 1, other: 2, what: "predictions" };
        assert_eq!(ConfusionMatrix::new(&[0], &[0, 1], 2), Err(length));
        let label = MetricsError::Label { row: 1, label: 2, classes: 2 };
        assert_eq!(ConfusionMatrix::new(&[0, 2], &[0, 1], 2), Err(label));
    }
}
