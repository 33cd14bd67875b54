//! What an approach or a baseline made of the test sentences, and how sure its scores are.

use rekindle_metrics::{Average, ConfusionMatrix, Interval, bootstrap, corrected_t_interval};

use crate::error::ExperimentError;
use crate::results::{Estimate, Scores};
use crate::sampling::Sampling;

/// The share of intervals that hold the truth.
pub(crate) const LEVEL: f64 = 0.95;
/// Test sets drawn for an interval by the bootstrap.
const RESAMPLES: usize = 2000;
/// Test sentences below which such an interval is too short to be shown.
const LEAST: usize = 20;

/// One test.
pub(crate) struct Tested {
    /// The sample tested on.
    pub(crate) sample: usize,
    /// Row-major, a row a test sentence.
    pub(crate) probabilities: Vec<f64>,
    pub(crate) predictions: Vec<usize>,
    pub(crate) accuracy: f64,
    pub(crate) f1: f64,
    pub(crate) f1_undefined: bool,
    pub(crate) loss: f64,
}

/// All tests of an approach or a baseline at one training size.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) tests: Vec<Tested>,
}

/// F1 of class 1 for two classes, macro F1 for more.
pub(crate) fn f1(confusion: &ConfusionMatrix) -> rekindle_metrics::Score {
    confusion.f1(Average::usual(confusion.classes()))
}

pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

impl Contender {
    /// The mean of a score over all tests.
    pub(crate) fn mean(&self, score: impl Fn(&Tested) -> f64) -> f64 {
        mean(self.tests.iter().map(score))
    }

    /// A score of each sample, the mean over its seeds.
    pub(crate) fn by_sample(&self, sampling: &Sampling, score: impl Fn(&Tested) -> f64) -> Vec<f64> {
        let of = |sample| mean(self.tests.iter().filter(|test| test.sample == sample).map(&score));
        (0..sampling.samples.len()).map(of).collect()
    }

    /// The share of seeds that had each test sentence of the one sample right.
    pub(crate) fn right(&self, labels: &[usize]) -> Vec<f64> {
        let right = |row: usize| mean(self.tests.iter().map(|test| f64::from(test.predictions[row] == labels[row])));
        (0..labels.len()).map(right).collect()
    }

    /// Accuracy, F1 and loss with their intervals: over folds, by the corrected t; over the sentences of one fixed test
    /// set, by the bootstrap.
    pub(crate) fn scores(&self, sampling: &Sampling, size: usize, seed: u64) -> Result<Scores, ExperimentError> {
        if sampling.folds.is_some() {
            let ratio = ratio(sampling, size);
            let over_folds = |score: &dyn Fn(&Tested) -> f64| {
                let scores = self.by_sample(sampling, score);
                let interval = corrected_t_interval(&scores, ratio, LEVEL).ok();
                estimate(self.mean(score), scores.len(), "corrected t", interval)
            };
            return Ok(Scores {
                accuracy: share(over_folds(&|test| test.accuracy)),
                f1: share(over_folds(&|test| test.f1)),
                loss: over_folds(&|test| test.loss),
            });
        }
        let labels = sampling.labels(&sampling.samples[0].test);
        let (n, right) = (labels.len(), self.right(&labels));
        let classes = sampling.all.classes.len();
        let loss = |row: usize| {
            let probability = |test: &Tested| test.probabilities[row * classes + labels[row]].max(f64::EPSILON);
            mean(self.tests.iter().map(|test| -probability(test).ln()))
        };
        let losses: Vec<f64> = (0..n).map(loss).collect();
        let f1 = |rows: &[usize]| {
            let truth: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            mean(self.tests.iter().map(|test| {
                let predicted: Vec<usize> = rows.iter().map(|&row| test.predictions[row]).collect();
                ConfusionMatrix::new(&truth, &predicted, classes).map_or(0.0, |confusion| self::f1(&confusion).value)
            }))
        };
        let over_sentences = |value: f64, statistic: &dyn Fn(&[usize]) -> f64| {
            let interval = (n >= LEAST).then(|| bootstrap(n, RESAMPLES, LEVEL, seed, statistic).ok()).flatten();
            estimate(value, n, "bootstrap", interval)
        };
        let average = |values: &[f64], rows: &[usize]| mean(rows.iter().map(|&row| values[row]));
        Ok(Scores {
            accuracy: over_sentences(self.mean(|test| test.accuracy), &|rows| average(&right, rows)),
            f1: over_sentences(self.mean(|test| test.f1), &f1),
            loss: over_sentences(self.mean(|test| test.loss), &|rows| average(&losses, rows)),
        })
    }
}

/// Test sentences over training sentences, for the correction of overlap.
pub(crate) fn ratio(sampling: &Sampling, size: usize) -> f64 {
    mean(sampling.samples.iter().map(|sample| sample.test.len() as f64)) / size.max(1) as f64
}

/// An estimate of what lies between 0 and 1: Student's t does not know that.
fn share(mut estimate: Estimate) -> Estimate {
    estimate.interval = estimate.interval.map(|(low, high)| (low.max(0.0), high.min(1.0)));
    estimate
}

/// An interval without ends says nothing, nor does one without length: the truth varies where coarse scores agree.
fn estimate(mean: f64, n: usize, method: &str, interval: Option<Interval>) -> Estimate {
    let ends = interval.map(|interval| (interval.low, interval.high));
    let interval = ends.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
    Estimate { mean, interval, level: LEVEL, n, method: method.into() }
}
