//! The probabilities of rows beside the truth, whose calibration is scored over all rows or over a selection.

use crate::calibration::{Bins, confidences};
use crate::error::MetricsError;

/// A score of probabilities; lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbabilityScore {
    /// The expected calibration error, in bins of equal width.
    CalibrationError,
    /// The adaptive calibration error, in bins of equal numbers of rows.
    AdaptiveCalibrationError,
    /// The Brier score.
    Brier,
    /// The negative log-likelihood, in nats.
    LogLoss,
}

impl ProbabilityScore {
    /// All scores, in the order of tables.
    pub const ALL: [Self; 4] = [Self::CalibrationError, Self::AdaptiveCalibrationError, Self::Brier, Self::LogLoss];

    /// Returns the name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::CalibrationError => "ece",
            Self::AdaptiveCalibrationError => "adaptive_ece",
            Self::Brier => "brier",
            Self::LogLoss => "nll",
        }
    }
}

/// What a row contributes to the scores.
#[derive(Clone, Copy, Debug)]
struct Row {
    confidence: f64,
    correct: bool,
    squared: f64,
    loss: f64,
    /// The bins of equal width and of equal numbers of rows.
    bins: [usize; 2],
}

/// The probabilities of rows beside the truth.
#[derive(Clone, Debug)]
pub struct ProbabilityRows {
    rows: Vec<Row>,
    bins: usize,
}

impl ProbabilityRows {
    /// Compares probabilities, row-major with `classes` values per row, with the true classes. Calibration is measured in `bins`
    /// bins.
    ///
    /// # Errors
    /// As [`reliability_bins`](crate::reliability_bins).
    pub fn new(truth: &[usize], probabilities: &[f64], classes: usize, bins: usize) -> Result<Self, MetricsError> {
        let confidences = confidences(truth, probabilities, classes, bins)?;
        let places = [Bins::equal_width(bins), Bins::equal_mass(&confidences, bins)]
            .map(|bins| confidences.iter().map(|(confidence, _)| bins.of(*confidence)).collect::<Vec<usize>>());
        let row = |row: usize| {
            let values = &probabilities[row * classes..(row + 1) * classes];
            let (confidence, correct) = confidences[row];
            let target = |class| if class == truth[row] { 1.0 } else { 0.0 };
            let squares = values.iter().enumerate().map(|(class, value)| (value - target(class)).powi(2));
            let squared = squares.sum::<f64>() * if classes == 2 { 0.5 } else { 1.0 };
            let loss = -values[truth[row]].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
            Row { confidence, correct, squared, loss, bins: [places[0][row], places[1][row]] }
        };
        Ok(Self { rows: (0..truth.len()).map(row).collect(), bins })
    }

    /// Returns the confidence of each row, the probability of its predicted class.
    pub fn confidences(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.confidence).collect()
    }

    /// Returns whether each row is predicted correctly.
    pub fn correct(&self) -> Vec<bool> {
        self.rows.iter().map(|row| row.correct).collect()
    }

    /// Returns a score of all rows.
    pub fn score(&self, score: ProbabilityScore) -> f64 {
        self.of(score, self.rows.iter())
    }

    /// Returns a score of some rows, which may repeat, in the bins of all rows; 0 without rows.
    pub fn score_of(&self, score: ProbabilityScore, rows: impl Iterator<Item = usize>) -> f64 {
        self.of(score, rows.filter_map(|row| self.rows.get(row)))
    }

    fn of<'a>(&self, score: ProbabilityScore, rows: impl Iterator<Item = &'a Row>) -> f64 {
        let mean = |value: fn(&Row) -> f64, rows: &mut dyn Iterator<Item = &'a Row>| {
            let (sum, count) = rows.fold((0.0, 0usize), |(sum, count), row| (sum + value(row), count + 1));
            sum / count.max(1) as f64
        };
        let mut rows = rows;
        let kind = match score {
            ProbabilityScore::Brier => return mean(|row| row.squared, &mut rows),
            ProbabilityScore::LogLoss => return mean(|row| row.loss, &mut rows),
            ProbabilityScore::CalibrationError => 0,
            ProbabilityScore::AdaptiveCalibrationError => 1,
        };
        let (mut gaps, mut count) = (vec![0.0; self.bins], 0usize);
        for row in rows {
            gaps[row.bins[kind]] += f64::from(u8::from(row.correct)) - row.confidence;
            count += 1;
        }
        gaps.into_iter().map(f64::abs).sum::<f64>() / count.max(1) as f64
    }
}
