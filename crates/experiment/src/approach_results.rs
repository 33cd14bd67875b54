//! The runs of an approach or a baseline at one training size, and their scores with confidence intervals.

use rekindle_metrics::{ConfusionMatrix, Interval, Scorer, bootstrap, corrected_t_interval};
use rekindle_results::{Estimate, Scores};

use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// The confidence level of all intervals.
pub(crate) const LEVEL: f64 = 0.95;
/// Bootstrap resamples per interval.
pub(crate) const RESAMPLES: usize = 2000;
/// Test examples below which bootstrap intervals are too short, so that none is computed.
pub(crate) const LEAST: usize = 20;

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
    /// The metric of the experiment.
    pub(crate) metric: f64,
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

pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

/// Returns the approach that is best by a metric, the first of several; an undertrained one only if all are.
pub(crate) fn best(approaches: &[ApproachResults], metric: Scorer) -> Option<&ApproachResults> {
    let sign = if metric.greater_is_better() { 1.0 } else { -1.0 };
    let score = |results: &ApproachResults| sign * results.mean(|run| run.metric);
    let is_trained = |results: &ApproachResults| results.undertrained() == 0;
    let order = |a: &ApproachResults, b: &ApproachResults| {
        is_trained(a).cmp(&is_trained(b)).then(score(a).total_cmp(&score(b)))
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

    /// Returns the loss of each test example, the mean over seeds, with one fixed test set.
    pub(crate) fn losses(&self, labels: &[usize], classes: usize) -> Vec<f64> {
        let loss = |row: usize| {
            let probability = |run: &RunResult| run.probabilities[row * classes + labels[row]].max(f64::EPSILON);
            mean(self.runs.iter().map(|run| -probability(run).ln()))
        };
        (0..labels.len()).map(loss).collect()
    }

    /// Returns a metric of the predicted classes for some test examples, the mean over seeds, with one fixed test set.
    pub(crate) fn over_rows(&self, metric: Scorer, rows: &[usize], labels: &[usize], classes: usize) -> f64 {
        let truth: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        mean(self.runs.iter().map(|run| {
            let predicted: Vec<usize> = rows.iter().map(|&row| run.predictions[row]).collect();
            of_classes(metric, &truth, &predicted, classes)
        }))
    }

    /// Returns accuracy, F1, loss and the metric of the experiment with their confidence intervals: over folds by the corrected
    /// t, over the examples of a fixed test set by the bootstrap.
    pub(crate) fn scores(
        &self,
        sampling: &Sampling,
        size: usize,
        seed: u64,
        metric: Scorer,
    ) -> Result<Scores, ExperimentError> {
        let is_other = !matches!(metric, Scorer::Accuracy | Scorer::F1 | Scorer::Loss);
        if sampling.folds.is_some() {
            let ratio = ratio(sampling, size);
            let over_folds = |metric: Scorer, score: &dyn Fn(&RunResult) -> f64| {
                let scores = self.by_sample(sampling, score);
                let interval = corrected_t_interval(&scores, ratio, LEVEL).ok();
                within(metric, estimate(self.mean(score), scores.len(), "corrected t", interval))
            };
            let mut scores = Scores::new(
                over_folds(Scorer::Accuracy, &|run| run.accuracy),
                over_folds(Scorer::F1, &|run| run.f1),
                over_folds(Scorer::Loss, &|run| run.loss),
            );
            scores.other = is_other.then(|| over_folds(metric, &|run| run.metric));
            return Ok(scores);
        }
        let labels = sampling.labels(&sampling.samples[0].test);
        let (n, classes) = (labels.len(), sampling.all.classes.len());
        let (right, losses) = (self.right(&labels), self.losses(&labels, classes));
        let over_examples = |value: f64, statistic: &dyn Fn(&[usize]) -> f64| {
            let interval = (n >= LEAST).then(|| bootstrap(n, RESAMPLES, LEVEL, seed, statistic).ok()).flatten();
            estimate(value, n, "bootstrap", interval)
        };
        let average = |values: &[f64], rows: &[usize]| mean(rows.iter().map(|&row| values[row]));
        let labels = labels.as_slice();
        let of_classes = |metric: Scorer| move |rows: &[usize]| self.over_rows(metric, rows, labels, classes);
        let mut scores = Scores::new(
            over_examples(self.mean(|run| run.accuracy), &|rows| average(&right, rows)),
            over_examples(self.mean(|run| run.f1), &of_classes(Scorer::F1)),
            over_examples(self.mean(|run| run.loss), &|rows| average(&losses, rows)),
        );
        scores.other = is_other.then(|| over_examples(self.mean(|run| run.metric), &of_classes(metric)));
        Ok(scores)
    }
}

/// Returns a metric of predicted classes; it is 0 without examples.
pub(crate) fn of_classes(metric: Scorer, truth: &[usize], predicted: &[usize], classes: usize) -> f64 {
    ConfusionMatrix::new(truth, predicted, classes).map_or(0.0, |confusion| metric.score(&confusion, 0.0))
}

/// Returns test examples over training examples, for the correction of overlapping training sets.
pub(crate) fn ratio(sampling: &Sampling, size: usize) -> f64 {
    mean(sampling.samples.iter().map(|sample| sample.test.len() as f64)) / size.max(1) as f64
}

/// Limits an interval by Student's t to the range of its metric.
fn within(metric: Scorer, mut estimate: Estimate) -> Estimate {
    let (least, most) = metric.range();
    estimate.interval = estimate.interval.map(|(low, high)| (low.max(least), high.min(most)));
    estimate
}

/// Drops an interval that is not finite, or empty because coarse scores agree.
fn estimate(mean: f64, n: usize, method: &str, interval: Option<Interval>) -> Estimate {
    let ends = interval.map(|interval| (interval.low, interval.high));
    let interval = ends.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
    Estimate::new(mean, interval, LEVEL, n, method)
}
