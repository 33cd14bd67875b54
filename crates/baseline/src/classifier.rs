//! TF-IDF with logistic regression.

use crate::Baseline;
use crate::error::BaselineError;
use crate::logistic::{LogisticOptions, Problem, TOLERANCE, Weights};
use crate::majority::count;
use crate::tfidf::Tfidf;

/// `make_pipeline(TfidfVectorizer(), LogisticRegression())`: single words weighted by TF-IDF, and a logistic regression
/// with L2 regularization and an unregularized intercept, multinomial for more than two classes.
///
/// The result is the minimum that scikit-learn's lbfgs approximates, with a tolerance that is a hundred times smaller.
/// The same texts give the same weights, bit for bit on one machine.
#[derive(Clone, Debug)]
pub struct TfidfLogisticRegression {
    classes: usize,
    /// The classes that occurred in training, ascending; the weights have no others.
    occurring: Vec<usize>,
    pub(crate) tfidf: Tfidf,
    pub(crate) weights: Weights,
}

impl TfidfLogisticRegression {
    /// Fits the classifier to texts and labels, which are below `classes`. A class that does not occur gets the
    /// probability 0.
    ///
    /// # Errors
    /// Returns an error if there are no texts, the numbers of texts and labels differ, a label is not below `classes`,
    /// or the options are out of range. [`BaselineError::OneClass`] and [`BaselineError::NoWords`] mean that only the
    /// [`Majority`](crate::Majority) can be predicted; scikit-learn raises an error too.
    /// [`BaselineError::NotConverged`] means that `max_iterations` is too small; scikit-learn only warns.
    pub fn fit(
        texts: &[&str],
        labels: &[usize],
        classes: usize,
        options: &LogisticOptions<'_>,
    ) -> Result<Self, BaselineError> {
        if texts.len() != labels.len() {
            return Err(BaselineError::Length { texts: texts.len(), labels: labels.len() });
        }
        let counts = count(labels, classes)?;
        let occurring: Vec<usize> = (0..classes).filter(|&class| counts[class] > 0).collect();
        if let [class] = occurring[..] {
            return Err(BaselineError::OneClass { class });
        }
        let tfidf = Tfidf::fit(texts)?;
        let targets: Vec<usize> = labels.iter().map(|label| occurring.partition_point(|class| class < label)).collect();
        let rows = tfidf.transform(texts);
        let (columns, classes_seen) = (tfidf.len(), occurring.len());
        let problem = Problem { rows: &rows, columns, labels: &targets, classes: classes_seen, class_weights: None };
        let weights = Weights::fit(&problem, options, TOLERANCE, None)?;
        Ok(Self { classes, occurring, tfidf, weights })
    }
}

impl Baseline for TfidfLogisticRegression {
    fn classes(&self) -> usize {
        self.classes
    }

    /// Words that did not occur in training are ignored; the probabilities of a text without known words follow from
    /// the intercepts.
    fn probabilities(&self, texts: &[&str]) -> Vec<f64> {
        let known = self.weights.probabilities(&self.tfidf.transform(texts));
        let mut all = vec![0.0; texts.len() * self.classes];
        for (row, known) in all.chunks_mut(self.classes).zip(known.chunks(self.occurring.len())) {
            self.occurring.iter().zip(known).for_each(|(&class, &probability)| row[class] = probability);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(texts: &[&str], labels: &[usize]) -> BaselineError {
        TfidfLogisticRegression::fit(texts, labels, 2, &LogisticOptions::default()).expect_err("nothing to learn")
    }

    #[test]
    fn unusable_training_data_is_an_error() {
        assert_eq!(error(&[], &[]), BaselineError::Empty);
        assert_eq!(error(&["a text"], &[]), BaselineError::Length { texts: 1, labels: 0 });
        assert_eq!(error(&["good", "bad"], &[0, 2]), BaselineError::Label { row: 1, label: 2, classes: 2 });
        assert_eq!(error(&["good", "bad"], &[1, 1]), BaselineError::OneClass { class: 1 });
        assert_eq!(error(&["a", "?!"], &[0, 1]), BaselineError::NoWords);
    }
}
