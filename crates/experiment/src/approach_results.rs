//! The runs of an approach or a baseline at one training size, and their scores with confidence intervals.

use rekindle_metrics::{Average, ConfusionMatrix, Interval, bootstrap, corrected_t_interval};
use rekindle_results::{Estimate, Scores};

use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// The confidence level of all intervals.
pub(crate) const LEVEL: f64 = 0.95;
/// Bootstrap resamples per interval.
const RESAMPLES: usize = 2000;
/// Test examples below which bootstrap intervals are too short, so that none is computed.
const LEAST: usize = 20;

/// The result of one run on the test examples of its sample.
pub(crate) struct RunResult {
    /// The index of the sample.
    pub(crate) sample: usize,
    /// `[examples, classes]`, row-major.
    pub(crate) probabilities: Vec<f64>,
    /// The predicted class per example.
    pub(crate) predictions: Vec<usize>,
    pub(crate) accuracy: f64,
    pub(crate) f1: f64,
    pub(crate) f1_undefined: bool,
    pub(crate) loss: f64,
    /// Whether it has learned nothing.
    pub(crate) undertrained: bool,
}

/// All runs of an approach or a baseline at one training size.
pub(crate) struct ApproachResults {
    /// The name in results.
    pub(crate) name: String,
    /// The name in sentences.
    pub(crate) label: String,
    pub(crate) runs: Vec<RunResult>,
}

/// F1 of class 1 for two classes, macro F1 for more.
pub(crate) fn f1(confusion: &ConfusionMatrix) -> rekindle_metrics::Score {
    confusion.f1(Average::usual(confusion.classes()))
}

pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

/// Returns the approach with the highest accuracy, the first of several; an undertrained one only if all are.
pub(crate) fn best(approaches: &[ApproachResults]) -> Option<&ApproachResults> {
    let accuracy = |results: &ApproachResults| results.mean(|run| run.accuracy);
    let is_trained = |results: &ApproachResults| results.undertrained() == 0;
    let order = |a: &ApproachResults, b: &ApproachResults| {
        is_trained(a).cmp(&is_trained(b)).then(accuracy(a).total_cmp(&accuracy(b)))
    };
    approaches.iter().rev().max_by(|a, b| order(a, b))
}

impl ApproachResults {
    /// Returns the number of runs that have learned nothing.
    pub(crate) fn undertrained(&self) -> usize {
        self.runs.iter().filter(|run| run.undertrained).count()
    }

    /// Returns the mean of a score over all runs.
    pub(crate) fn mean(&self, score: impl Fn(&RunResult) -> f64) -> f64 {
        mean(self.runs.iter().map(score))
    }

    /// Returns the mean of a score over seeds, per sample.
    pub(crate) fn by_sample(&self, sampling: &Sampling, score: impl Fn(&RunResult) -> f64) -> Vec<f64> {
        let of = |sample| mean(self.runs.iter().filter(|run| run.sample == sample).map(&score));
        (0..sampling.samples.len()).map(of).collect()
    }

    /// Returns the fraction of seeds that classified each test example correctly, with one fixed test set.
    pub(crate) fn right(&self, labels: &[usize]) -> Vec<f64> {
        let right = |row: usize| mean(self.runs.iter().map(|run| f64::from(run.predictions[row] == labels[row])));
        (0..labels.len()).map(right).collect()
    }

    /// Returns accuracy, F1 and loss with their confidence intervals: over folds by the corrected t, over the examples of a
    /// fixed test set by the bootstrap.
    pub(crate) fn scores(&self, sampling: &Sampling, size: usize, seed: u64) -> Result<Scores, ExperimentError> {
        if sampling.folds.is_some() {
            let ratio = ratio(sampling, size);
            let over_folds = |score: &dyn Fn(&RunResult) -> f64| {
                let scores = self.by_sample(sampling, score);
                let interval = corrected_t_interval(&scores, ratio, LEVEL).ok();
                estimate(self.mean(score), scores.len(), "corrected t", interval)
            };
            return Ok(Scores::new(
                fraction(over_folds(&|run| run.accuracy)),
                fraction(over_folds(&|run| run.f1)),
                over_folds(&|run| run.loss),
            ));
        }
        let labels = sampling.labels(&sampling.samples[0].test);
        let (n, right) = (labels.len(), self.right(&labels));
        let classes = sampling.all.classes.len();
        let loss = |row: usize| {
            let probability = |run: &RunResult| run.probabilities[row * classes + labels[row]].max(f64::EPSILON);
            mean(self.runs.iter().map(|run| -probability(run).ln()))
        };
        let losses: Vec<f64> = (0..n).map(loss).collect();
        let f1 = |rows: &[usize]| {
            let truth: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            mean(self.runs.iter().map(|run| {
                let predicted: Vec<usize> = rows.iter().map(|&row| run.predictions[row]).collect();
                ConfusionMatrix::new(&truth, &predicted, classes).map_or(0.0, |confusion| self::f1(&confusion).value)
            }))
        };
        let over_examples = |value: f64, statistic: &dyn Fn(&[usize]) -> f64| {
            let interval = (n >= LEAST).then(|| bootstrap(n, RESAMPLES, LEVEL, seed, statistic).ok()).flatten();
            estimate(value, n, "bootstrap", interval)
        };
        let average = |values: &[f64], rows: &[usize]| mean(rows.iter().map(|&row| values[row]));
        Ok(Scores::new(
            over_examples(self.mean(|run| run.accuracy), &|rows| average(&right, rows)),
            over_examples(self.mean(|run| run.f1), &f1),
            over_examples(self.mean(|run| run.loss), &|rows| average(&losses, rows)),
        ))
    }
}

/// Returns test examples over training examples, for the correction of overlapping training sets.
pub(crate) fn ratio(sampling: &Sampling, size: usize) -> f64 {
    mean(sampling.samples.iter().map(|sample| sample.test.len() as f64)) / size.max(1) as f64
}

/// Limits an interval by Student's t to the range of a fraction, 0 to 1.
fn fraction(mut estimate: Estimate) -> Estimate {
    estimate.interval = estimate.interval.map(|(low, high)| (low.max(0.0), high.min(1.0)));
    estimate
}

/// Drops an interval that is not finite, or empty because coarse scores agree.
fn estimate(mean: f64, n: usize, method: &str, interval: Option<Interval>) -> Estimate {
    let ends = interval.map(|interval| (interval.low, interval.high));
    let interval = ends.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
    Estimate::new(mean, interval, LEVEL, n, method)
}
