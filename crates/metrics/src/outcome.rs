//! The predictions of a model beside the truth, whatever is predicted.

use crate::confusion::ConfusionMatrix;
use crate::error::MetricsError;
use crate::label_ranking::LabelRankings;
use crate::multilabel::MultilabelPredictions;
use crate::regression::ValuePredictions;
use crate::scorer::Scorer;

/// True and predicted targets of rows, from which any [`Scorer`] of their [`TargetKind`](crate::TargetKind) is computed: over all rows, over a
/// selection as in [`bootstrap`](crate::bootstrap), or after an exchange as in
/// [`paired_permutation`](crate::paired_permutation).
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    predictions: Predictions,
    /// The loss of each row.
    losses: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Predictions {
    Classes { truth: Vec<usize>, predicted: Vec<usize>, classes: usize },
    Labels { predictions: MultilabelPredictions, rankings: LabelRankings, truth: Vec<bool>, scores: Vec<f64> },
    Values { predictions: ValuePredictions, truth: Vec<f64>, predicted: Vec<f64> },
}

impl Outcome {
    /// Compares predicted classes with the true ones; `losses` are those of the rows.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a class is not below `classes`.
    pub fn of_classes(
        truth: &[usize],
        predicted: &[usize],
        classes: usize,
        losses: Vec<f64>,
    ) -> Result<Self, MetricsError> {
        ConfusionMatrix::new(truth, predicted, classes)?;
        let (truth, predicted) = (truth.to_vec(), predicted.to_vec());
        Ok(Self { predictions: Predictions::Classes { truth, predicted, classes }, losses })
    }

    /// Compares predicted labels and their scores with the true labels, each row-major with `labels` values per row.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a score is not finite.
    pub fn of_labels(
        truth: &[bool],
        predicted: &[bool],
        scores: &[f64],
        labels: usize,
        losses: Vec<f64>,
    ) -> Result<Self, MetricsError> {
        let predictions = MultilabelPredictions::new(truth, predicted, labels)?;
        let rankings = LabelRankings::new(truth, scores, labels)?;
        let (truth, scores) = (truth.to_vec(), scores.to_vec());
        Ok(Self { predictions: Predictions::Labels { predictions, rankings, truth, scores }, losses })
    }

    /// Compares predicted values with the true ones.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a value is not finite.
    pub fn of_values(truth: &[f64], predicted: &[f64], losses: Vec<f64>) -> Result<Self, MetricsError> {
        let predictions = ValuePredictions::new(truth, predicted)?;
        let (truth, predicted) = (truth.to_vec(), predicted.to_vec());
        Ok(Self { predictions: Predictions::Values { predictions, truth, predicted }, losses })
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.losses.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }

    /// Returns the loss of each row.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Returns the mean loss.
    pub fn loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }

    /// Returns the confusion matrix of classes.
    pub fn confusion(&self) -> Option<ConfusionMatrix> {
        match &self.predictions {
            Predictions::Classes { truth, predicted, classes } => ConfusionMatrix::new(truth, predicted, *classes).ok(),
            _ => None,
        }
    }

    /// Returns a metric of all rows; NaN for one that is not defined for these targets.
    pub fn score(&self, metric: Scorer) -> f64 {
        match &self.predictions {
            Predictions::Classes { .. } => {
                self.confusion().map_or(f64::NAN, |confusion| metric.score(&confusion, self.loss()))
            }
            Predictions::Labels { predictions, rankings, .. } => {
                let average_precision = match metric {
                    Scorer::AveragePrecision => rankings.macro_average_precision().value,
                    _ => f64::NAN,
                };
                metric.score_labels(&predictions.confusion(), average_precision, self.loss())
            }
            Predictions::Values { predictions, .. } => metric.score_values(&predictions.scores(), self.loss()),
        }
    }

    /// Returns a metric of some rows, which may repeat; 0 without rows.
    pub fn score_of(&self, metric: Scorer, rows: &[usize]) -> f64 {
        let loss = || rows.iter().map(|&row| self.losses[row]).sum::<f64>() / rows.len().max(1) as f64;
        if metric == Scorer::Loss {
            return loss();
        }
        match &self.predictions {
            Predictions::Classes { truth, predicted, classes } => {
                let of = |values: &[usize]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
                let confusion = ConfusionMatrix::new(&of(truth), &of(predicted), *classes);
                confusion.map_or(0.0, |confusion| metric.score(&confusion, f64::NAN))
            }
            Predictions::Labels { rankings, .. } if metric == Scorer::AveragePrecision => {
                rankings.macro_average_precision_of(rows).value
            }
            Predictions::Labels { predictions, .. } => {
                metric.score_labels(&predictions.select(rows), f64::NAN, f64::NAN)
            }
            Predictions::Values { predictions, .. } => metric.score_values(&predictions.select(rows), f64::NAN),
        }
    }

    /// Returns the value of each row, whose mean is the metric; nothing for a metric that is not a mean over rows.
    pub fn row_values(&self, metric: Scorer) -> Option<Vec<f64>> {
        if metric == Scorer::Loss {
            return Some(self.losses.clone());
        }
        match &self.predictions {
            Predictions::Classes { truth, predicted, .. } => {
                let rows = truth.iter().zip(predicted);
                match metric {
                    Scorer::Accuracy => Some(rows.map(|(truth, class)| f64::from(u8::from(truth == class))).collect()),
                    Scorer::MeanAbsolute => Some(rows.map(|(truth, class)| truth.abs_diff(*class) as f64).collect()),
                    _ => None,
                }
            }
            Predictions::Labels { predictions, .. } => predictions.row_values(metric),
            Predictions::Values { predictions, .. } => predictions.row_values(metric),
        }
    }

    /// Returns a metric of these predictions and of `other`, which has the same rows, after the exchange of some rows.
    ///
    /// # Errors
    /// Returns an error if the rows differ.
    pub fn exchange(&self, other: &Self, metric: Scorer, exchanged: &[bool]) -> Result<[f64; 2], MetricsError> {
        match (&self.predictions, &other.predictions) {
            (Predictions::Classes { truth, predicted, classes }, Predictions::Classes { predicted: theirs, .. }) => {
                let sides = swapped(predicted, theirs, 1, exchanged);
                let score = |side: Vec<usize>| {
                    ConfusionMatrix::new(truth, &side, *classes).map(|confusion| metric.score(&confusion, f64::NAN))
                };
                let [left, right] = sides.map(score);
                Ok([left?, right?])
            }
            (Predictions::Labels { truth, scores, .. }, Predictions::Labels { scores: theirs, .. })
                if metric == Scorer::AveragePrecision =>
            {
                let labels = truth.len() / self.len().max(1);
                let score = |side: Vec<f64>| {
                    LabelRankings::new(truth, &side, labels).map(|found| found.macro_average_precision().value)
                };
                let [left, right] = swapped(scores, theirs, labels, exchanged).map(score);
                Ok([left?, right?])
            }
            (Predictions::Labels { predictions, .. }, Predictions::Labels { predictions: theirs, .. }) => {
                let sides = predictions.exchange(theirs, exchanged);
                Ok(sides.map(|side| metric.score_labels(&side, f64::NAN, f64::NAN)))
            }
            (Predictions::Values { truth, predicted, .. }, Predictions::Values { predicted: theirs, .. }) => {
                let score = |side: Vec<f64>| {
                    ValuePredictions::new(truth, &side).map(|found| metric.score_values(&found.scores(), f64::NAN))
                };
                let [left, right] = swapped(predicted, theirs, 1, exchanged).map(score);
                Ok([left?, right?])
            }
            _ => {
                let (truth, other) = (self.len(), other.len());
                Err(MetricsError::Length { truth, other, what: "predictions of the same kind" })
            }
        }
    }
}

/// Returns both sides after the exchange of rows of `width` values.
fn swapped<T: Copy>(left: &[T], right: &[T], width: usize, exchanged: &[bool]) -> [Vec<T>; 2] {
    let (mut left, mut right) = (left.to_vec(), right.to_vec());
    for (row, _) in exchanged.iter().enumerate().filter(|(_, swap)| **swap) {
        let values = row * width..(row + 1) * width;
        left[values.clone()].swap_with_slice(&mut right[values]);
    }
    [left, right]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetKind;

    #[test]
    fn every_kind_has_the_metrics_of_all_rows_of_a_selection_and_after_an_exchange() {
        let losses = vec![1.0, 2.0, 3.0];
        let classes = |predicted: &[usize]| Outcome::of_classes(&[0, 1, 2], predicted, 3, losses.clone());
        let labels = |scores: [f64; 6]| {
            let predicted: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
            Outcome::of_labels(&[true, false, true, true, false, false], &predicted, &scores, 2, losses.clone())
        };
        let values = |predicted: &[f64]| Outcome::of_values(&[1.0, 2.0, 4.0], predicted, losses.clone());
        let cases = [
            (TargetKind::OrderedClass, classes(&[0, 2, 2]), classes(&[1, 1, 1])),
            (TargetKind::Labels, labels([0.9, 0.8, 0.3, 0.6, 0.1, 0.2]), labels([0.4, 0.3, 0.9, 0.8, 0.7, 0.1])),
            (TargetKind::Value, values(&[1.5, 2.0, 3.0]), values(&[0.0, 3.0, 3.5])),
        ];
        for (kind, left, right) in cases {
            let (left, right) = (left.expect("valid"), right.expect("valid"));
            for &metric in Scorer::of_target(kind) {
                let score = left.score(metric);
                assert!(score.is_finite() && (left.score_of(metric, &[0, 1, 2]) - score).abs() < 1e-12, "{metric:?}");
                if let Some(rows) = left.row_values(metric) {
                    assert!((rows.iter().sum::<f64>() / 3.0 - score).abs() < 1e-12, "{metric:?}");
                    assert!(metric.is_mean_over_rows());
                }
                if metric != Scorer::Loss {
                    let all = left.exchange(&right, metric, &[true; 3]).expect("same rows");
                    assert_eq!(all, [right.score(metric), score], "{metric:?}");
                    assert_eq!(left.exchange(&right, metric, &[false; 3]), Ok([score, right.score(metric)]));
                }
            }
        }
    }
}
