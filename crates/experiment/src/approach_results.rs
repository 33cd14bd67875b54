//! The runs of an approach or a baseline at one training size, and their scores with confidence intervals.

use rekindle_data::Targets;
use rekindle_metrics::{Interval, Outcome, Scorer, TargetKind, bootstrap, cluster_bootstrap, corrected_t_interval};
use rekindle_results::{Estimate, Scores};

use crate::sampling::Sampling;

/// The confidence level of all intervals.
pub(crate) const LEVEL: f64 = 0.95;
/// Bootstrap resamples per interval.
pub(crate) const RESAMPLES: usize = 2000;
/// Test examples, or groups of them, below which bootstrap intervals are too short, so that none is computed.
pub(crate) const LEAST: usize = 20;

/// The metrics that every classification has, and that the records have fields for.
pub(crate) const COMMON: [Scorer; 3] = [Scorer::Accuracy, Scorer::F1, Scorer::Loss];

/// The result of one run on the test examples of its sample.
pub(crate) struct RunResult {
    /// The index of the sample.
    pub(crate) sample: usize,
    /// What was predicted, beside the truth.
    pub(crate) outcome: Outcome,
    /// The prediction for each example.
    pub(crate) predictions: Targets,
    /// The probability of each class or label, row-major; the prediction of a regression.
    pub(crate) scores: Vec<f64>,
    /// The same without calibration; empty if there is none.
    pub(crate) uncalibrated: Vec<f64>,
    pub(crate) f1_undefined: bool,
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
    let score = |results: &ApproachResults| sign * results.mean(metric);
    let is_trained = |results: &ApproachResults| results.undertrained() == 0;
    let order = |a: &ApproachResults, b: &ApproachResults| {
        is_trained(a).cmp(&is_trained(b)).then(score(a).total_cmp(&score(b)))
    };
    approaches.iter().rev().max_by(|a, b| order(a, b))
}

/// Returns the metrics that every approach is scored by, in the order of tables: those that are usual for what is predicted, and
/// the one by which approaches are ranked.
pub(crate) fn metrics(kind: TargetKind, ranking: Scorer) -> Vec<Scorer> {
    let usual: &[Scorer] = match kind {
        TargetKind::OrderedClass => {
            &[Scorer::QuadraticKappa, Scorer::MeanAbsolute, Scorer::Accuracy, Scorer::F1, Scorer::Loss]
        }
        TargetKind::Labels | TargetKind::Value => Scorer::of_target(kind),
        _ => &COMMON,
    };
    let further = (!usual.contains(&ranking)).then_some(ranking);
    usual.iter().copied().filter(|metric| *metric != Scorer::MeanSquared).chain(further).collect()
}

impl ApproachResults {
    /// Returns the number of runs that have learned nothing.
    pub(crate) fn undertrained(&self) -> usize {
        self.runs.iter().filter(|run| run.undertrained).count()
    }

    /// Returns the mean of a metric over all runs.
    pub(crate) fn mean(&self, metric: Scorer) -> f64 {
        mean(self.runs.iter().map(|run| run.outcome.score(metric)))
    }

    /// Returns the mean of a metric over seeds, per sample.
    pub(crate) fn by_sample(&self, sampling: &Sampling, metric: Scorer) -> Vec<f64> {
        let scores: Vec<(usize, f64)> = self.runs.iter().map(|run| (run.sample, run.outcome.score(metric))).collect();
        let of = |sample| mean(scores.iter().filter(|(of, _)| *of == sample).map(|(_, score)| *score));
        (0..sampling.samples.len()).map(of).collect()
    }

    /// Returns the value of each test example, the mean over seeds, with one fixed test set; nothing for a metric that is not a
    /// mean over examples.
    pub(crate) fn by_row(&self, metric: Scorer) -> Option<Vec<f64>> {
        let runs: Vec<Vec<f64>> = self.runs.iter().map(|run| run.outcome.row_values(metric)).collect::<Option<_>>()?;
        let rows = runs.first().map_or(0, Vec::len);
        Some((0..rows).map(|row| mean(runs.iter().map(|values| values[row]))).collect())
    }

    /// Returns a metric of some test examples, the mean over seeds, with one fixed test set.
    pub(crate) fn over_rows(&self, metric: Scorer, rows: &[usize]) -> f64 {
        mean(self.runs.iter().map(|run| run.outcome.score_of(metric, rows)))
    }

    /// Returns metrics with their confidence intervals: over folds by the corrected t, over the examples of a fixed test set by
    /// the bootstrap, which draws whole groups if the examples have any.
    pub(crate) fn scores(&self, sampling: &Sampling, size: usize, seed: u64, metrics: &[Scorer]) -> Scores {
        let estimate = |metric: Scorer| match sampling.folds {
            Some(_) => {
                let scores = self.by_sample(sampling, metric);
                let interval = corrected_t_interval(&scores, ratio(sampling, size), LEVEL).ok();
                within(metric, estimate(self.mean(metric), scores.len(), "corrected t", interval))
            }
            None => self.over_examples(metric, sampling, seed),
        };
        metrics.iter().map(|&metric| (metric.name(), estimate(metric))).collect()
    }

    fn over_examples(&self, metric: Scorer, sampling: &Sampling, seed: u64) -> Estimate {
        let (values, test) = (self.by_row(metric), &sampling.samples[0].test);
        let statistic = |rows: &[usize]| match &values {
            Some(values) => mean(rows.iter().map(|&row| values[row])),
            None => self.over_rows(metric, rows),
        };
        let clusters = sampling.clusters(test);
        let interval = resampled(test.len(), clusters.as_deref(), LEVEL, seed, statistic);
        let method = if clusters.is_some() { "bootstrap of groups" } else { "bootstrap" };
        estimate(self.mean(metric), test.len(), method, interval)
    }
}

/// Returns the bootstrap interval of a statistic of `n` test examples, of which whole groups are drawn if there are any; none if
/// there are too few of them.
pub(crate) fn resampled(
    n: usize,
    clusters: Option<&[usize]>,
    level: f64,
    seed: u64,
    statistic: impl FnMut(&[usize]) -> f64,
) -> Option<Interval> {
    match clusters {
        _ if units(n, clusters) < LEAST => None,
        Some(clusters) => cluster_bootstrap(clusters, RESAMPLES, level, seed, statistic).ok(),
        None => bootstrap(n, RESAMPLES, level, seed, statistic).ok(),
    }
}

/// Returns the number of independent parts of `n` test examples: of their groups, if there are any.
pub(crate) fn units(n: usize, clusters: Option<&[usize]>) -> usize {
    clusters.map_or(n, |clusters| clusters.iter().max().map_or(0, |last| last + 1))
}

/// Returns test examples over training examples, for the correction of overlapping training sets.
pub(crate) fn ratio(sampling: &Sampling, size: usize) -> f64 {
    if sampling.all.time_column.is_some() && size == sampling.largest() {
        // By time, each fold has more training examples than the one before.
        return mean(sampling.samples.iter().map(|sample| sample.test.len() as f64 / sample.train.len().max(1) as f64));
    }
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
