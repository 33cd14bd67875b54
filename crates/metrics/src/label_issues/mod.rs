//! Label errors: rows whose given label is probably wrong, by confident learning (Northcutt, Jiang and Chuang, 2021, "Confident
//! learning: estimating uncertainty in dataset labels"). The rows are those of cleanlab's `find_label_issues`.

mod joint;
mod quality;

use std::collections::BTreeSet;

use crate::error::MetricsError;
use crate::logits::argmax;
use crate::probability::check;

pub use quality::LabelQuality;

/// The probability by which a class must exceed the given one to be more probable.
const TOLERANCE: f64 = 1e-6;

/// Which rows are regarded as label errors: `filter_by` of cleanlab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelIssueFilter {
    /// For each pair of a given and another class as many rows as the confident joint counts, those with the largest margin of
    /// the other class.
    #[default]
    PruneByNoiseRate,
    /// For each given class as many rows as the confident joint counts as other classes, those with the lowest probability of
    /// the given class.
    PruneByClass,
    /// The rows of both filters above.
    Both,
    /// The rows that the confident joint counts as another class than the given one.
    ConfidentLearning,
    /// The rows whose most probable class is not the given one.
    PredictedNeqGiven,
    /// As many rows as the confident joint counts, those with the lowest [`LabelQuality::NormalizedMargin`].
    LowNormalizedMargin,
    /// As many rows as the confident joint counts, those with the lowest [`LabelQuality::SelfConfidence`].
    LowSelfConfidence,
}

impl LabelIssueFilter {
    /// All filters.
    pub const ALL: [Self; 7] = [
        Self::PruneByNoiseRate,
        Self::PruneByClass,
        Self::Both,
        Self::ConfidentLearning,
        Self::PredictedNeqGiven,
        Self::LowNormalizedMargin,
        Self::LowSelfConfidence,
    ];

    /// Returns the name of cleanlab's `filter_by`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PruneByNoiseRate => "prune_by_noise_rate",
            Self::PruneByClass => "prune_by_class",
            Self::Both => "both",
            Self::ConfidentLearning => "confident_learning",
            Self::PredictedNeqGiven => "predicted_neq_given",
            Self::LowNormalizedMargin => "low_normalized_margin",
            Self::LowSelfConfidence => "low_self_confidence",
        }
    }
}

/// Given labels beside the probabilities of a model that was not trained on these rows.
///
/// Rows that tie are ordered by their index. In cleanlab, NumPy's sort leaves their order undefined.
#[derive(Clone, Copy, Debug)]
pub struct LabelIssues<'a> {
    labels: &'a [usize],
    probabilities: &'a [f64],
    classes: usize,
}

impl<'a> LabelIssues<'a> {
    /// Returns the given `labels` beside `probabilities`, which are row-major, with `classes` values per row. A class may be
    /// without rows.
    ///
    /// # Errors
    /// Returns an error if the lengths differ, a label is not below `classes`, a value is not in [0, 1], or fewer than two
    /// classes have rows.
    pub fn new(labels: &'a [usize], probabilities: &'a [f64], classes: usize) -> Result<Self, MetricsError> {
        check(labels, probabilities, classes)?;
        match labels.iter().collect::<BTreeSet<_>>().len() {
            found @ ..2 => Err(MetricsError::TooFew { what: "classes with rows", found, needed: 2 }),
            _ => Ok(Self { labels, probabilities, classes }),
        }
    }

    /// Returns whether each row is regarded as a label error (`find_label_issues`). At least `min_examples_per_class` rows of
    /// each class are kept by the filters that prune; cleanlab's default is 1.
    pub fn find(&self, filter: LabelIssueFilter, min_examples_per_class: usize) -> Vec<bool> {
        let mut found = match filter {
            LabelIssueFilter::PruneByNoiseRate => self.prune(min_examples_per_class, Self::by_noise_rate),
            LabelIssueFilter::PruneByClass => self.prune(min_examples_per_class, Self::by_class),
            LabelIssueFilter::Both => {
                let by_class = self.prune(min_examples_per_class, Self::by_class);
                let by_rate = self.prune(min_examples_per_class, Self::by_noise_rate);
                by_class.into_iter().zip(by_rate).map(|(one, other)| one && other).collect()
            }
            LabelIssueFilter::ConfidentLearning => self.off_diagonal(),
            // What remains below.
            LabelIssueFilter::PredictedNeqGiven => vec![true; self.labels.len()],
            LabelIssueFilter::LowNormalizedMargin => return self.lowest(LabelQuality::NormalizedMargin),
            LabelIssueFilter::LowSelfConfidence => return self.lowest(LabelQuality::SelfConfidence),
        };
        found.iter_mut().enumerate().for_each(|(row, found)| *found &= !self.is_predicted(row));
        found
    }

    /// Returns the rows that [`find`](Self::find) regards as label errors, those of the lowest quality first
    /// (`return_indices_ranked_by`).
    pub fn ranked(&self, filter: LabelIssueFilter, min_examples_per_class: usize, by: LabelQuality) -> Vec<usize> {
        let (found, quality) = (self.find(filter, min_examples_per_class), self.quality(by));
        let mut rows: Vec<usize> = (0..found.len()).filter(|&row| found[row]).collect();
        rows.sort_by(|a, b| quality[*a].total_cmp(&quality[*b]));
        rows
    }

    /// Returns the most probable class of a row other than the given one, the first of several; 0 for a row that does not
    /// exist.
    pub fn suspected(&self, row: usize) -> usize {
        let Some(&label) = self.labels.get(row) else { return 0 };
        let mut values = self.row(row).to_vec();
        values[label] = -1.0;
        argmax(&values)
    }

    fn row(&self, row: usize) -> &'a [f64] {
        &self.probabilities[row * self.classes..(row + 1) * self.classes]
    }

    /// Whether no class of a row is more probable than the given one, within the tolerance (`_reduce_issues`).
    fn is_predicted(&self, row: usize) -> bool {
        let (values, label) = (self.row(row), self.labels[row]);
        let given = values[label] + TOLERANCE;
        // Of equal values, the first one is the largest.
        values[..label].iter().all(|value| *value < given) && values[label + 1..].iter().all(|value| *value <= given)
    }

    /// As many rows as the confident joint counts, those of the lowest quality.
    fn lowest(&self, by: LabelQuality) -> Vec<bool> {
        let counted = self.off_diagonal().into_iter().enumerate();
        let count = counted.filter(|(row, is_counted)| *is_counted && !self.is_predicted(*row)).count();
        let mut found = vec![false; self.labels.len()];
        smallest(&self.quality(by), count).for_each(|row| found[row] = true);
        found
    }

    /// Applies a filter to each given class that has more rows than are kept.
    fn prune(&self, kept: usize, filter: impl Fn(&Self, &Given<'_>, &mut [bool])) -> Vec<bool> {
        let joint = self.confident_joint();
        let mut found = vec![false; self.labels.len()];
        for class in 0..self.classes {
            let rows: Vec<usize> = (0..self.labels.len()).filter(|&row| self.labels[row] == class).collect();
            if rows.len() > kept.max(1) {
                let counts = joint::keep(&joint[class * self.classes..(class + 1) * self.classes], class, kept);
                filter(self, &Given { class, rows: &rows, counts: &counts }, &mut found);
            }
        }
        found
    }

    /// The rows of a class with its lowest probabilities (`_prune_by_class`).
    fn by_class(&self, Given { class, rows, counts }: &Given<'_>, found: &mut [bool]) {
        let values: Vec<f64> = rows.iter().map(|&row| self.row(row)[*class]).collect();
        let count = rows.len().saturating_sub(counts[*class]);
        smallest(&values, count).for_each(|place| found[rows[place]] = true);
    }

    /// The rows of a class with the largest margins of each other class (`_prune_by_count`).
    fn by_noise_rate(&self, Given { class, rows, counts }: &Given<'_>, found: &mut [bool]) {
        for other in (0..self.classes).filter(|other| other != class && counts[*other] > 0) {
            let margin = |row: usize| self.row(row)[other] - self.row(row)[*class];
            let values: Vec<f64> = rows.iter().map(|&row| -margin(row)).collect();
            smallest(&values, counts[other]).for_each(|place| found[rows[place]] = true);
        }
    }
}

/// The rows that have been given a class, and how many of them the confident joint counts as each class.
struct Given<'a> {
    class: usize,
    rows: &'a [usize],
    counts: &'a [usize],
}

/// Returns the places of the `count` smallest values; of equal values, the first.
fn smallest(values: &[f64], count: usize) -> impl Iterator<Item = usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order.into_iter().take(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_has_no_label_errors() {
        let error = LabelIssues::new(&[1, 1], &[0.5, 0.5, 0.5, 0.5], 2).expect_err("one class");
        assert_eq!(error, MetricsError::TooFew { what: "classes with rows", found: 1, needed: 2 });
    }

    #[test]
    fn the_suspected_class_is_never_the_given_one() {
        let issues = LabelIssues::new(&[0, 1], &[0.8, 0.2, 0.0, 1.0], 2).expect("valid");
        assert_eq!([issues.suspected(0), issues.suspected(1)], [1, 0]);
    }
}
