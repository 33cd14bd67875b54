//! The majority class.

use crate::Baseline;
use crate::error::BaselineError;

/// Predicts the class frequencies for every text (`DummyClassifier(strategy="prior")`).
#[derive(Clone, Debug, PartialEq)]
pub struct Majority {
    frequencies: Vec<f64>,
}

impl Majority {
    /// Counts labels, which are below `classes`.
    ///
    /// # Errors
    /// Returns an error if there are no labels, or one is not below `classes`.
    pub fn fit(labels: &[usize], classes: usize) -> Result<Self, BaselineError> {
        let counts = count(labels, classes)?;
        Ok(Self { frequencies: counts.into_iter().map(|count| count as f64 / labels.len() as f64).collect() })
    }

    /// Returns the relative frequency of each class in the training labels.
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

/// Returns how often each class occurs.
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
    fn ties_predict_the_first_class() {
        let majority = Majority::fit(&[2, 1, 1, 2], 4).expect("valid");
        assert_eq!(majority.frequencies(), [0.0, 0.5, 0.5, 0.0]);
        assert_eq!(majority.predictions(&["any", "text"]), [1, 1]);
    }

    #[test]
    fn invalid_labels_are_an_error() {
        assert_eq!(Majority::fit(&[], 2), Err(BaselineError::Empty));
        assert_eq!(Majority::fit(&[0, 2], 2), Err(BaselineError::Label { row: 1, label: 2, classes: 2 }));
    }
}
