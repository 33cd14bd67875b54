//! Baselines for texts with several labels.

use crate::error::BaselineError;
use crate::logistic::{LogisticOptions, Problem, Weights};
use crate::tfidf::Tfidf;

/// The norm of the gradient of the mean loss at the solution: probabilities then equal those of the exact minimum within 1e-6.
const TOLERANCE: f64 = 1e-8;

/// A cheap classifier of texts with several labels.
pub trait MultilabelBaseline {
    /// Returns the number of labels.
    fn labels(&self) -> usize;

    /// Returns the probability of each label for each text: row-major, with `labels` values per row.
    fn probabilities(&self, texts: &[&str]) -> Vec<f64>;

    /// Returns whether each label is predicted for each text, row-major: if its probability is above 0.5, as in
    /// scikit-learn.
    fn predictions(&self, texts: &[&str]) -> Vec<bool> {
        self.probabilities(texts).into_iter().map(|probability| probability > 0.5).collect()
    }
}

/// Predicts for every text how often each label occurs (`DummyClassifier(strategy="prior")` with several outputs).
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRates {
    rates: Vec<f64>,
}

impl LabelRates {
    /// Counts labels; `targets` is row-major with `labels` values per row.
    ///
    /// # Errors
    /// Returns an error if there are no rows, or their values are not a multiple of `labels`.
    pub fn fit(targets: &[bool], labels: usize) -> Result<Self, BaselineError> {
        let rows = rows(targets, labels)?;
        let count = |label: usize| column(targets, labels, label).filter(|&is| is).count();
        Ok(Self { rates: (0..labels).map(|label| count(label) as f64 / rows as f64).collect() })
    }

    /// Returns the relative frequency of each label among the training rows.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }
}

impl MultilabelBaseline for LabelRates {
    fn labels(&self) -> usize {
        self.rates.len()
    }

    fn probabilities(&self, texts: &[&str]) -> Vec<f64> {
        self.rates.repeat(texts.len())
    }
}

/// `make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression()))`: single words weighted by TF-IDF, and for each
/// label a logistic regression that separates it from its absence.
///
/// As in scikit-learn, a label that no training text has gets the probability 0, and one that all have 1.
#[derive(Clone, Debug)]
pub struct TfidfOneVsRest {
    tfidf: Tfidf,
    outputs: Vec<Output>,
}

/// The classifier of a label.
#[derive(Clone, Debug)]
enum Output {
    /// All training texts have the label, or none has it.
    Constant(f64),
    Regression(Weights),
}

impl TfidfOneVsRest {
    /// Fits the classifier to texts and their labels; `targets` is row-major with `labels` values per row.
    ///
    /// # Errors
    /// Returns an error if there are no texts, the numbers of texts and rows differ, the values are not a multiple of `labels`,
    /// the options are out of range, or a search does not converge. [`BaselineError::NoWords`] means that only the
    /// [`LabelRates`] can be predicted.
    pub fn fit(
        texts: &[&str],
        targets: &[bool],
        labels: usize,
        options: &LogisticOptions<'_>,
    ) -> Result<Self, BaselineError> {
        let targeted = rows(targets, labels)?;
        if texts.len() != targeted {
            return Err(BaselineError::Length { texts: texts.len(), labels: targeted });
        }
        let tfidf = Tfidf::fit(texts)?;
        let rows = tfidf.transform(texts);
        let fit = |label: usize| {
            let classes: Vec<usize> = column(targets, labels, label).map(usize::from).collect();
            let positives: usize = classes.iter().sum();
            if positives == 0 || positives == classes.len() {
                return Ok(Output::Constant(f64::from(u8::from(positives > 0))));
            }
            let problem =
                Problem { rows: &rows, columns: tfidf.len(), labels: &classes, classes: 2, class_weights: None };
            Weights::fit(&problem, options, TOLERANCE, None).map(Output::Regression)
        };
        let outputs = (0..labels).map(fit).collect::<Result<_, _>>()?;
        Ok(Self { tfidf, outputs })
    }
}

impl MultilabelBaseline for TfidfOneVsRest {
    fn labels(&self) -> usize {
        self.outputs.len()
    }

    fn probabilities(&self, texts: &[&str]) -> Vec<f64> {
        let (rows, labels) = (self.tfidf.transform(texts), self.outputs.len());
        let mut all = vec![0.0; texts.len() * labels];
        for (label, output) in self.outputs.iter().enumerate() {
            let into = all.iter_mut().skip(label).step_by(labels);
            match output {
                Output::Constant(probability) => into.for_each(|into| *into = *probability),
                // Of both classes, the second is the label.
                Output::Regression(weights) => {
                    let probabilities = weights.probabilities(&rows);
                    into.zip(probabilities.chunks(2)).for_each(|(into, both)| *into = both[1]);
                }
            }
        }
        all
    }
}

/// Returns the number of rows.
fn rows(targets: &[bool], labels: usize) -> Result<usize, BaselineError> {
    if targets.is_empty() {
        return Err(BaselineError::Empty);
    }
    if labels == 0 || !targets.len().is_multiple_of(labels) {
        return Err(BaselineError::LabelRows { values: targets.len(), labels });
    }
    Ok(targets.len() / labels)
}

/// Returns whether each row has a label.
fn column(targets: &[bool], labels: usize, label: usize) -> impl Iterator<Item = bool> {
    targets.iter().skip(label).step_by(labels).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_half_the_texts_is_not_predicted() {
        let rates = LabelRates::fit(&[true, true, false, true], 2).expect("valid");
        assert_eq!(rates.rates(), [0.5, 1.0]);
        assert_eq!(rates.predictions(&["a", "b"]), [false, true, false, true]);
    }

    #[test]
    fn unusable_training_data_is_an_error() {
        let fit = |texts: &[&str], targets: &[bool], labels| {
            TfidfOneVsRest::fit(texts, targets, labels, &LogisticOptions::default()).expect_err("nothing to learn")
        };
        assert_eq!(fit(&[], &[], 2), BaselineError::Empty);
        assert_eq!(fit(&["good"], &[true; 3], 2), BaselineError::LabelRows { values: 3, labels: 2 });
        assert_eq!(fit(&["good"], &[true], 0), BaselineError::LabelRows { values: 1, labels: 0 });
        assert_eq!(fit(&["good"], &[true; 4], 2), BaselineError::Length { texts: 1, labels: 2 });
        assert_eq!(fit(&["?", "a"], &[true, false], 1), BaselineError::NoWords);
    }
}
