//! Metrics of predicted values.

use crate::confusion::Score;
use crate::correlation::{correlation, dense_ranks, mid_ranks};
use crate::error::MetricsError;
use crate::scorer::Scorer;

/// True and predicted values of rows, prepared to score any selection of the rows quickly.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuePredictions {
    truth: Values,
    predicted: Values,
    all: Vec<usize>,
}

/// Values, and what correlations need of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) values: Vec<f64>,
    /// The difference of the largest and the smallest value: sums of squares of values divided by it do not overflow.
    pub(crate) scale: f64,
    /// The place of each value among the distinct values, and their number.
    pub(crate) ranks: (Vec<u32>, usize),
}

impl Values {
    fn new(values: &[f64]) -> Result<Self, MetricsError> {
        if let Some((row, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(MetricsError::Score { row, value });
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let spread = most - least;
        let scale = if spread > 0.0 { spread.min(f64::MAX) } else { 1.0 };
        Ok(Self { values: values.to_vec(), scale, ranks: dense_ranks(values) })
    }
}

impl ValuePredictions {
    /// Compares `predicted` with `truth`.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a value is not finite.
    pub fn new(truth: &[f64], predicted: &[f64]) -> Result<Self, MetricsError> {
        if truth.is_empty() {
            return Err(MetricsError::Empty);
        }
        if truth.len() != predicted.len() {
            let (truth, other) = (truth.len(), predicted.len());
            return Err(MetricsError::Length { truth, other, what: "predictions" });
        }
        let all = (0..truth.len()).collect();
        Ok(Self { truth: Values::new(truth)?, predicted: Values::new(predicted)?, all })
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are no rows, which [`ValuePredictions::new`] refuses.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the metrics of all rows.
    pub fn scores(&self) -> RegressionScores<'_> {
        RegressionScores { predictions: self, rows: &self.all }
    }

    /// Returns the metrics of some rows, which may repeat, as in a resample of [`bootstrap`](crate::bootstrap). Rows that do
    /// not exist are left out.
    pub fn select<'a>(&'a self, rows: &'a [usize]) -> RegressionScores<'a> {
        RegressionScores { predictions: self, rows }
    }

    /// Returns the value of each row, whose mean is the metric: the squared error for `mse` and the absolute error for
    /// `mae`; nothing for a metric that is not a mean over rows.
    pub fn row_values(&self, metric: Scorer) -> Option<Vec<f64>> {
        match metric {
            Scorer::MeanSquared => Some(self.scores().errors().map(|error| error * error).collect()),
            Scorer::MeanAbsolute => Some(self.scores().errors().map(f64::abs).collect()),
            _ => None,
        }
    }
}

/// The metrics of predicted values over a selection of rows; each is computed when it is asked for.
///
/// R² and the correlations have a [`Score`], which is flagged where scikit-learn and scipy warn.
#[derive(Clone, Copy, Debug)]
pub struct RegressionScores<'a> {
    predictions: &'a ValuePredictions,
    rows: &'a [usize],
}

impl<'a> RegressionScores<'a> {
    fn rows(&self) -> impl Iterator<Item = usize> + Clone + 'a {
        let existing = self.predictions.len();
        self.rows.iter().copied().filter(move |&row| row < existing)
    }

    /// Returns the predicted minus the true value of each row.
    fn errors(&self) -> impl Iterator<Item = f64> + 'a {
        let ValuePredictions { truth, predicted, .. } = self.predictions;
        self.rows().map(|row| predicted.values[row] - truth.values[row])
    }

    /// Returns the mean of numbers, one per row; 0 without rows.
    fn mean(&self, numbers: impl Iterator<Item = f64>) -> f64 {
        let (sum, rows) = numbers.fold((0.0, 0usize), |(sum, rows), number| (sum + number, rows + 1));
        sum / rows.max(1) as f64
    }

    /// Returns the mean squared error (`mean_squared_error`).
    pub fn mse(&self) -> f64 {
        self.mean(self.errors().map(|error| error * error))
    }

    /// Returns the root of the mean squared error (`root_mean_squared_error`).
    pub fn rmse(&self) -> f64 {
        self.mse().sqrt()
    }

    /// Returns the mean absolute error (`mean_absolute_error`).
    pub fn mae(&self) -> f64 {
        self.mean(self.errors().map(f64::abs))
    }

    /// Returns R², the coefficient of determination (`r2_score`): 1 minus the sum of squared errors, divided by that of the
    /// predictions of the mean.
    ///
    /// As in scikit-learn, it is 1 if all true values are equal and predicted exactly, and 0 if they are equal and are not;
    /// both are flagged. For a single row, scikit-learn returns NaN; here it is 0 and flagged.
    pub fn r2(&self) -> Score {
        let truth = || self.rows().map(|row| self.predictions.truth.values[row]);
        let first = truth().next().unwrap_or_default();
        let is_constant = truth().all(|value| value == first);
        let squared: f64 = self.errors().map(|error| error * error).sum();
        if is_constant {
            let is_exact = squared == 0.0 && truth().nth(1).is_some();
            return Score { value: f64::from(u8::from(is_exact)), zero_division: true };
        }
        let mean = self.mean(truth());
        let spread: f64 = truth().map(|value| (value - mean) * (value - mean)).sum();
        Score { value: 1.0 - squared / spread, zero_division: false }
    }

    /// Returns Pearson's correlation (`scipy.stats.pearsonr`); 0 and flagged if all true or all predicted values are equal,
    /// where scipy returns NaN.
    pub fn pearson(&self) -> Score {
        let ValuePredictions { truth, predicted, .. } = self.predictions;
        correlation(self.rows().map(|row| (truth.values[row] / truth.scale, predicted.values[row] / predicted.scale)))
    }

    /// Returns Spearman's rank correlation (`scipy.stats.spearmanr`): Pearson's of the ranks, where equal values share the
    /// mean of their ranks; 0 and flagged if all true or all predicted values are equal, where scipy returns NaN.
    pub fn spearman(&self) -> Score {
        let ValuePredictions { truth, predicted, .. } = self.predictions;
        let [truth, predicted] =
            [truth, predicted].map(|values| (&values.ranks.0, mid_ranks(&values.ranks, self.rows())));
        let rank = |(places, ranks): &(&Vec<u32>, Vec<f64>), row: usize| ranks[places[row] as usize];
        correlation(self.rows().map(|row| (rank(&truth, row), rank(&predicted, row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_equals_predictions_of_its_rows() {
        let (truth, predicted) = ([1.0, 2.0, 2.0, 5.0, -3.0], [0.5, 2.5, 2.5, 4.0, 1.0]);
        let all = ValuePredictions::new(&truth, &predicted).expect("valid");
        let drawn = [3, 1, 1, 4, 0, 3];
        let of = |values: &[f64]| drawn.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let alone = ValuePredictions::new(&of(&truth), &of(&predicted)).expect("valid");
        let (found, expected) = (all.select(&drawn), alone.scores());
        assert_eq!((found.mse(), found.rmse(), found.mae()), (expected.mse(), expected.rmse(), expected.mae()));
        assert_eq!((found.r2(), found.spearman()), (expected.r2(), expected.spearman()));
        assert!((found.pearson().value - expected.pearson().value).abs() < 1e-15);
    }

    #[test]
    fn constant_values_are_flagged_whatever_their_rounding() {
        // The mean of three times 0.1 is not 0.1.
        let constant = ValuePredictions::new(&[0.1; 3], &[0.1, 0.1, 0.2]).expect("valid");
        let flagged = |value| Score { value, zero_division: true };
        let scores = constant.scores();
        assert_eq!([scores.r2(), scores.pearson(), scores.spearman()], [flagged(0.0); 3]);
        assert_eq!(constant.select(&[0, 1]).r2(), flagged(1.0));
        assert_eq!(constant.select(&[0]).r2(), flagged(0.0));
        assert_eq!(constant.select(&[]).mse(), 0.0);
    }

    #[test]
    fn large_and_small_values_have_a_correlation() {
        for scale in [1e200, 1e-200] {
            let truth = [1.0, 2.0, 3.0].map(|value| value * scale);
            let found = ValuePredictions::new(&truth, &[1.0, 2.0, 3.0]).expect("valid").scores().pearson();
            assert!((found.value - 1.0).abs() < 1e-12 && !found.zero_division, "{scale}: {found:?}");
        }
    }

    #[test]
    fn invalid_input_is_an_error() {
        assert_eq!(ValuePredictions::new(&[], &[]), Err(MetricsError::Empty));
        let length = MetricsError::Length { truth: 1, other: 0, what: "predictions" };
        assert_eq!(ValuePredictions::new(&[1.0], &[]), Err(length));
        let infinite = MetricsError::Score { row: 1, value: f64::INFINITY };
        assert_eq!(ValuePredictions::new(&[1.0, 2.0], &[1.0, f64::INFINITY]), Err(infinite));
    }
}
