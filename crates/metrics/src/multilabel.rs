//! Metrics of rows that have any number of labels.

use crate::confusion::{Average, Counts, Score, mean, quotient};
use crate::error::MetricsError;
use crate::scorer::Scorer;

/// True and predicted labels of rows, prepared to score any selection of the rows quickly.
///
/// Only labels that are true or predicted are stored, so a selection costs as much as it has labels.
#[derive(Clone, Debug, PartialEq)]
pub struct MultilabelPredictions {
    labels: usize,
    rows: Vec<Row>,
    /// For each row, its labels that are true or predicted: 4 times the label, plus 2 if it is true, plus 1 if it is
    /// predicted.
    entries: Vec<u32>,
}

/// A row: where its entries end, and its scores.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    start: usize,
    end: usize,
    counts: Counts,
    scores: [Score; 3],
}

impl MultilabelPredictions {
    /// Compares `predicted` with `truth`, both row-major with `labels` values per row.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or are not a multiple of `labels`.
    pub fn new(truth: &[bool], predicted: &[bool], labels: usize) -> Result<Self, MetricsError> {
        check(truth, predicted.len(), labels, "predictions")?;
        let mut found = Self { labels, rows: Vec::with_capacity(truth.len() / labels), entries: Vec::new() };
        for (truth, predicted) in truth.chunks(labels).zip(predicted.chunks(labels)) {
            let start = found.entries.len();
            let mut counts = Counts::default();
            for (label, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
                counts.hits += u64::from(truth && predicted);
                counts.predicted += u64::from(predicted);
                counts.members += u64::from(truth);
                if truth || predicted {
                    found.entries.push((4 * label + 2 * usize::from(truth) + usize::from(predicted)) as u32);
                }
            }
            let scores = PARTS.map(|parts| quotient(parts(counts)));
            found.rows.push(Row { start, end: found.entries.len(), counts, scores });
        }
        Ok(found)
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no rows, which [`MultilabelPredictions::new`] refuses.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the number of labels.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Returns the counts of all rows.
    pub fn confusion(&self) -> MultilabelConfusion {
        let mut confusion = MultilabelConfusion::empty(self.labels);
        (0..self.rows.len()).for_each(|row| confusion.add(self, row));
        confusion
    }

    /// Returns the counts of some rows, which may repeat, as in a resample of [`bootstrap`](crate::bootstrap). Rows that do
    /// not exist are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> MultilabelConfusion {
        let mut confusion = MultilabelConfusion::empty(self.labels);
        rows.iter().for_each(|&row| confusion.add(self, row));
        confusion
    }

    /// Returns the counts of these predictions and of `other`, after an exchange of the rows that
    /// [`paired_permutation`](crate::paired_permutation) names.
    pub fn exchange(&self, other: &Self, exchanged: &[bool]) -> [MultilabelConfusion; 2] {
        let labels = self.labels.max(other.labels);
        let [mut first, mut second] = [labels, labels].map(MultilabelConfusion::empty);
        for (row, &swap) in exchanged.iter().enumerate() {
            let (left, right) = if swap { (other, self) } else { (self, other) };
            first.add(left, row);
            second.add(right, row);
        }
        [first, second]
    }

    /// Returns the value of each row, whose mean is the metric: of `accuracy` (1 if all labels of the row are right),
    /// `f1_samples` and `hamming_loss`; nothing for a metric that is not a mean over these predictions.
    pub fn row_values(&self, metric: Scorer) -> Option<Vec<f64>> {
        let value: &dyn Fn(&Row) -> f64 = match metric {
            Scorer::Accuracy => &|row| f64::from(u8::from(row.counts.errors() == 0)),
            Scorer::SamplesF1 => &|row| row.scores[F1].value,
            Scorer::HammingLoss => &|row| row.counts.errors() as f64 / self.labels as f64,
            _ => return None,
        };
        Some(self.rows.iter().map(value).collect())
    }
}

/// The largest number of labels whose entries are 32 bits.
const MOST: usize = 1 << 29;

/// Checks that there are rows of `labels` values, and as many of the other input.
pub(crate) fn check(truth: &[bool], other: usize, labels: usize, what: &'static str) -> Result<(), MetricsError> {
    if truth.is_empty() {
        return Err(MetricsError::Empty);
    }
    if truth.len() != other {
        return Err(MetricsError::Length { truth: truth.len(), other, what });
    }
    if labels == 0 || labels > MOST || !truth.len().is_multiple_of(labels) {
        return Err(MetricsError::LabelRows { values: truth.len(), labels });
    }
    Ok(())
}

/// Numerator and denominator of precision, recall and F1.
const PARTS: [fn(Counts) -> (u64, u64); 3] = [
    |counts| (counts.hits, counts.predicted),
    |counts| (counts.hits, counts.members),
    |counts| (2 * counts.hits, counts.predicted + counts.members),
];
const PRECISION: usize = 0;
const RECALL: usize = 1;
const F1: usize = 2;

/// Counts of true and predicted labels over rows (scikit-learn's `multilabel_confusion_matrix`), and the metrics that are
/// computed from them.
///
/// With [`Average::Binary`], `positive` is a label. [`Average::Macro`] is the mean over all labels, also over those that
/// neither occur nor are predicted, whose value is 0, as in scikit-learn.
#[derive(Clone, Debug, PartialEq)]
pub struct MultilabelConfusion {
    /// For each label, rows where it is neither true nor predicted (not counted), predicted, true, or both.
    cells: Vec<u64>,
    rows: u64,
    exact: u64,
    /// The sums of precision, recall and F1 over rows.
    samples: [Score; 3],
}

impl MultilabelConfusion {
    fn empty(labels: usize) -> Self {
        let zero = Score { value: 0.0, zero_division: false };
        Self { cells: vec![0; 4 * labels], rows: 0, exact: 0, samples: [zero; 3] }
    }

    fn add(&mut self, predictions: &MultilabelPredictions, row: usize) {
        let Some(row) = predictions.rows.get(row) else { return };
        self.rows += 1;
        self.exact += u64::from(row.counts.errors() == 0);
        for (sum, score) in self.samples.iter_mut().zip(&row.scores) {
            sum.value += score.value;
            sum.zero_division |= score.zero_division;
        }
        predictions.entries[row.start..row.end].iter().for_each(|&entry| self.cells[entry as usize] += 1);
    }

    /// Returns the number of labels.
    pub fn labels(&self) -> usize {
        self.cells.len() / 4
    }

    /// Returns the number of rows.
    pub fn total(&self) -> u64 {
        self.rows
    }

    /// Returns the number of rows that have a label; 0 for a label that does not exist.
    pub fn support(&self, label: usize) -> u64 {
        self.counts_of(label).members
    }

    /// Returns the number of rows for which a label is predicted; 0 for a label that does not exist.
    pub fn predicted(&self, label: usize) -> u64 {
        self.counts_of(label).predicted
    }

    /// Returns the number of rows for which a label is true and predicted; 0 for a label that does not exist.
    pub fn hits(&self, label: usize) -> u64 {
        self.counts_of(label).hits
    }

    /// Returns the proportion of rows whose labels are all right (`accuracy_score`); 0 without rows.
    pub fn subset_accuracy(&self) -> f64 {
        quotient((self.exact, self.rows)).value
    }

    /// Returns the proportion of labels over all rows that are wrong (`hamming_loss`); 0 without rows.
    pub fn hamming_loss(&self) -> f64 {
        quotient((self.sum().errors(), self.rows * self.labels() as u64)).value
    }

    /// Returns the proportion of true labels among predicted ones (`precision_score`).
    pub fn precision(&self, average: Average) -> Score {
        self.average(average, PRECISION)
    }

    /// Returns the proportion of predicted labels among true ones (`recall_score`).
    pub fn recall(&self, average: Average) -> Score {
        self.average(average, RECALL)
    }

    /// Returns the harmonic mean of precision and recall (`f1_score`); 0 and flagged if nothing is true or predicted.
    pub fn f1(&self, average: Average) -> Score {
        self.average(average, F1)
    }

    fn counts_of(&self, label: usize) -> Counts {
        let Some([_, predicted, members, hits]) = self.cells.as_chunks::<4>().0.get(label) else {
            return Counts::default();
        };
        Counts { hits: *hits, predicted: predicted + hits, members: members + hits }
    }

    fn sum(&self) -> Counts {
        (0..self.labels()).map(|label| self.counts_of(label)).fold(Counts::default(), Counts::plus)
    }

    fn average(&self, average: Average, part: usize) -> Score {
        let labels = || (0..self.labels()).map(|label| self.counts_of(label));
        let score = |counts: Counts| quotient(PARTS[part](counts));
        match average {
            Average::Binary { positive } => score(self.counts_of(positive)),
            Average::Micro => score(self.sum()),
            Average::Weighted if self.sum().members > 0 => {
                mean(labels().map(|counts| (score(counts), counts.members as f64)))
            }
            // Without true labels, scikit-learn ignores the weights, which are all 0.
            Average::Macro | Average::Weighted => mean(labels().map(|counts| (score(counts), 1.0))),
            Average::Samples if self.rows == 0 => Score { value: 0.0, zero_division: true },
            Average::Samples => {
                let Score { value, zero_division } = self.samples[part];
                Score { value: value / self.rows as f64, zero_division }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(truth: &[u8], predicted: &[u8], labels: usize) -> Result<MultilabelPredictions, MetricsError> {
        let [truth, predicted] = [truth, predicted].map(|bits| bits.iter().map(|&bit| bit == 1).collect::<Vec<bool>>());
        MultilabelPredictions::new(&truth, &predicted, labels)
    }

    #[test]
    fn a_selection_counts_repeated_rows() {
        let all = predictions(&[1, 0, 0, 1], &[1, 0, 1, 0], 2).expect("valid");
        let twice = all.select(&[0, 0, 1, 7]);
        assert_eq!((twice.total(), twice.support(0), twice.predicted(0), twice.hits(0)), (3, 2, 3, 2));
        assert_eq!(twice.subset_accuracy(), 2.0 / 3.0);
        assert_eq!(all.select(&[0, 1]), all.confusion());
        assert!(all.select(&[]).f1(Average::Samples).zero_division);
    }

    #[test]
    fn exchanged_rows_change_sides() {
        let a = predictions(&[1, 0, 0, 1], &[1, 0, 0, 1], 2).expect("valid");
        let b = predictions(&[1, 0, 0, 1], &[0, 0, 1, 1], 2).expect("valid");
        let none = a.exchange(&b, &[false, false]);
        assert_eq!(none, [a.confusion(), b.confusion()]);
        let [first, second] = a.exchange(&b, &[true, false]);
        assert_eq!((first.subset_accuracy(), second.subset_accuracy()), (0.5, 0.5));
    }

    #[test]
    fn row_values_have_the_metric_as_their_mean() {
        let all = predictions(&[1, 0, 0, 1, 0, 0], &[1, 0, 1, 1, 0, 0], 2).expect("valid");
        assert_eq!(all.row_values(Scorer::Accuracy), Some(vec![1.0, 0.0, 1.0]));
        assert_eq!(all.row_values(Scorer::HammingLoss), Some(vec![0.0, 0.5, 0.0]));
        assert_eq!(all.row_values(Scorer::SamplesF1), Some(vec![1.0, 2.0 / 3.0, 0.0]));
        assert_eq!(all.row_values(Scorer::MacroF1), None);
    }

    #[test]
    fn invalid_input_is_an_error() {
        assert_eq!(predictions(&[], &[], 2), Err(MetricsError::Empty));
        let length = MetricsError::Length { truth: 2, other: 1, what: "predictions" };
        assert_eq!(predictions(&[0, 1], &[1], 2), Err(length));
        assert_eq!(predictions(&[0], &[1], 0), Err(MetricsError::LabelRows { values: 1, labels: 0 }));
        assert_eq!(predictions(&[0; 3], &[1; 3], 2), Err(MetricsError::LabelRows { values: 3, labels: 2 }));
    }
}
