//! The majority class: what labels alone give.

use crate::Baseline;
use crate::error::BaselineError;

/// The frequencies of the classes, whatever the text (`DummyClassifier(strategy="prior")`).
#[derive(Clone, Debug, PartialEq)]
pub struct Majority {
    frequencies: Vec<f64>,
}

impl Majority {
    /// Counts labels, all below `classes`.
    ///
    /// # Errors
    /// When there are no labels, or one is not below `classes`.
    pub fn fit(labels: &[usize], classes: usize) -> Result<Self, BaselineError> {
        let counts = count(labels, classes)?;
        Ok(Self { frequencies: counts.into_iter().map(|count| count as f64 / labels.len() as f64).collect() })
    }

    /// The share of each class in the training labels.
    pub fn frequencies(&self) -> &[f64] {
        &self.frequencies
    }
}

impl Baseline for Majority {
    fn classes(&self) -> usize {
        self.frequencies.len()
    }

    fn probabilities(&self, texts: &[&str]) -> Vec<f64> {
        self.frequencies.repeat(texts.len())
    }
}

/// How often each class occurs.
pub(crate) fn count(labels: &[usize], classes: usize) -> Result<Vec<usize>, BaselineError> {
    if labels.is_empty() {
        return Err(BaselineError::Empty);
    }
    let mut counts = vec![0; classes];
    for (row, &label) in labels.iter().enumerate() {
        *counts.get_mut(label).ok_or(BaselineError::Label { row, label, classes })? += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_classes_equally_frequent_the_first_is_predicted() {
        let majority = Majority::fit(&[2, 1, 1, 2], 4).expect("valid");
        assert_eq!(majority.frequencies(), [0.0, 0.5, 0.5, 0.0]);
        assert_eq!(majority.predictions(&["any", "text"]), [1, 1]);
    }

    #[test]
    fn labels_that_are_none_are_refused() {
        assert_eq!(Majority::fit(&[], 2), Err(BaselineError::Empty));
        assert_eq!(Majority::fit(&[0, 2], 2), Err(BaselineError::Label { row: 1, label: 2, classes: 2 }));
    }
}
