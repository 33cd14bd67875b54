//! Significance tests between approaches and baselines.

use rekindle_metrics::{Scorer, corrected_paired_t, holm, mcnemar_exact, paired_permutation};
use rekindle_results::ComparisonRecord;

use crate::approach_results::{ApproachResults, LEVEL, mean, ratio, resampled, units};
use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// The significance level.
pub(crate) const ALPHA: f64 = 1.0 - LEVEL;
/// The largest difference that is practically none, of metrics between 0 and 1: one point.
const POINT: f64 = 0.01;
/// Resamples of a permutation test, as in scipy.
const PERMUTATIONS: usize = 9999;

/// Paired comparisons of a metric on the same test examples.
///
/// Over folds by the corrected t-test of Nadeau and Bengio (2003), which accounts for overlapping training sets. On a fixed test
/// set, accuracy by McNemar's exact test, and with several seeds by a paired t-test over its examples; other means over examples,
/// such as the loss, by a paired t-test; and metrics that are no such means, such as F1, by a permutation test (approximate randomization; Yeh,
/// 2000), with the interval of the paired bootstrap. If test examples have groups, within which they depend on each other, every
/// metric is compared by the permutation test, which then exchanges whole groups, and the bootstrap draws whole groups. p-values are adjusted for the number of comparisons (Holm, 1979).
pub(crate) struct Comparisons<'a> {
    pub(crate) metric: Scorer,
    pub(crate) sampling: &'a Sampling,
    /// Training examples.
    pub(crate) size: usize,
    pub(crate) seed: u64,
}

impl Comparisons<'_> {
    /// Compares every trained approach with every other approach and with every baseline.
    pub(crate) fn of(
        &self,
        approaches: &[&ApproachResults],
        baselines: &[ApproachResults],
    ) -> Result<Vec<ComparisonRecord>, ExperimentError> {
        let mut records = Vec::new();
        let pairs = approaches
            .iter()
            .enumerate()
            .flat_map(|(index, a)| approaches[index + 1..].iter().copied().chain(baselines).map(move |b| (*a, b)));
        let pairs: Vec<(&ApproachResults, &ApproachResults)> = pairs.collect();
        for (a, b) in &pairs {
            let mut record = self.compare(a, b);
            record.equivalent = self.are_equivalent(a, b, pairs.len());
            records.push(record);
        }
        let p_values: Vec<f64> = records.iter().filter_map(|record| record.p_value).collect();
        let mut adjusted = holm(&p_values)?.into_iter();
        for record in &mut records {
            record.p_adjusted = record.p_value.and_then(|_| adjusted.next());
            record.significant = record.p_adjusted.is_some_and(|p| p < ALPHA);
        }
        Ok(records)
    }

    fn compare(&self, a: &ApproachResults, b: &ApproachResults) -> ComparisonRecord {
        let mut record = self.test(a, b);
        (record.a, record.b) = (a.name.clone(), b.name.clone());
        record.difference = a.mean(self.metric) - b.mean(self.metric);
        record.interval = record.interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        record
    }

    /// Returns whether the difference of both is less than a point, by two one-sided tests: the confidence interval at twice their
    /// level is within a point. The level is divided by the number of comparisons (Bonferroni). Nothing for a metric without points.
    fn are_equivalent(&self, a: &ApproachResults, b: &ApproachResults, comparisons: usize) -> Option<bool> {
        let margin = margin(self.metric)?;
        let interval = self.interval(a, b, 1.0 - 2.0 * ALPHA / comparisons as f64);
        Some(interval.is_some_and(|(low, high)| -margin < low && high < margin))
    }

    /// Returns the confidence interval of the difference, by the method of the test.
    fn interval(&self, a: &ApproachResults, b: &ApproachResults, level: f64) -> Option<(f64, f64)> {
        let paired = |left: &[f64], right: &[f64], ratio| {
            corrected_paired_t(left, right, ratio, level).ok().map(|test| (test.low, test.high))
        };
        if self.sampling.folds.is_some() {
            let [left, right] = [a, b].map(|side| side.by_sample(self.sampling, self.metric));
            return paired(&left, &right, ratio(self.sampling, self.size));
        }
        let test = &self.sampling.samples[0].test;
        let clusters = self.sampling.clusters(test);
        match (a.by_row(self.metric), b.by_row(self.metric), &clusters) {
            (Some(left), Some(right), None)
                if self.metric != Scorer::Accuracy || a.runs.len() > 1 || b.runs.len() > 1 =>
            {
                paired(&left, &right, 0.0)
            }
            (Some(left), Some(right), None) => {
                let [left, right] = [left, right].map(|of| of.iter().map(|&share| share > 0.5).collect::<Vec<_>>());
                let test = mcnemar_exact(&left, &right, level).ok()?;
                Some((test.difference.low, test.difference.high))
            }
            _ => {
                let difference = |rows: &[usize]| a.over_rows(self.metric, rows) - b.over_rows(self.metric, rows);
                let interval = resampled(test.len(), clusters.as_deref(), level, self.seed, difference);
                interval.map(|interval| (interval.low, interval.high))
            }
        }
    }

    /// Returns the test that fits the metric and the samples.
    fn test(&self, a: &ApproachResults, b: &ApproachResults) -> ComparisonRecord {
        let sampling = self.sampling;
        if sampling.folds.is_some() {
            let [left, right] = [a, b].map(|side| side.by_sample(sampling, self.metric));
            return paired_t(&left, &right, ratio(sampling, self.size), "corrected t");
        }
        let clusters = sampling.clusters(&sampling.samples[0].test);
        let (Some(left), Some(right), None) = (a.by_row(self.metric), b.by_row(self.metric), &clusters) else {
            return self.permutation(a, b, clusters.as_deref());
        };
        if self.metric != Scorer::Accuracy || a.runs.len() > 1 || b.runs.len() > 1 {
            return paired_t(&left, &right, 0.0, "paired t");
        }
        mcnemar(&left, &right)
    }

    fn permutation(&self, a: &ApproachResults, b: &ApproachResults, clusters: Option<&[usize]>) -> ComparisonRecord {
        let (n, metric) = (self.sampling.samples[0].test.len(), self.metric);
        let differences = a
            .by_row(metric)
            .zip(b.by_row(metric))
            .map(|(left, right)| left.iter().zip(right).map(|(left, right)| left - right).collect::<Vec<_>>());
        // A baseline has one run, which every seed would repeat.
        let run = |side: &ApproachResults, index: usize| index % side.runs.len();
        let pairs: Vec<_> = (0..a.runs.len().max(b.runs.len())).map(|index| (run(a, index), run(b, index))).collect();
        let of_rows = |exchanged: &[bool]| {
            if let Some(differences) = &differences {
                let signed = differences.iter().zip(exchanged);
                return mean(signed.map(|(difference, exchanged)| if *exchanged { -difference } else { *difference }));
            }
            mean(pairs.iter().map(|&(left, right)| {
                let (left, right) = (&a.runs[left].outcome, &b.runs[right].outcome);
                left.exchange(right, metric, exchanged).map_or(f64::NAN, |[left, right]| left - right)
            }))
        };
        let exchanged = |exchanged: &[bool]| match clusters {
            Some(clusters) => of_rows(&clusters.iter().map(|&cluster| exchanged[cluster]).collect::<Vec<_>>()),
            None => of_rows(exchanged),
        };
        // Exchanged rankings are sorted again each time.
        let permutations = if metric == Scorer::AveragePrecision { PERMUTATIONS / 10 } else { PERMUTATIONS };
        let difference = |rows: &[usize]| match &differences {
            Some(differences) => mean(rows.iter().map(|&row| differences[row])),
            None => a.over_rows(metric, rows) - b.over_rows(metric, rows),
        };
        let interval =
            resampled(n, clusters, LEVEL, self.seed, difference).map(|interval| (interval.low, interval.high));
        let method = if clusters.is_some() { "permutation of groups" } else { "permutation" };
        let p_value = paired_permutation(units(n, clusters), permutations, self.seed, exchanged).ok();
        record(n, method, interval, p_value)
    }
}

/// Returns the largest difference of a metric that is practically none: one point, if it is a fraction.
pub(crate) fn margin(metric: Scorer) -> Option<f64> {
    (metric.range() == (0.0, 1.0)).then_some(POINT)
}

fn record(n: usize, method: &str, interval: Option<(f64, f64)>, p_value: Option<f64>) -> ComparisonRecord {
    let mut record = ComparisonRecord::default();
    (record.n, record.method, record.interval, record.p_value) = (n, method.into(), interval, p_value);
    record
}

fn paired_t(left: &[f64], right: &[f64], ratio: f64, method: &str) -> ComparisonRecord {
    let test = corrected_paired_t(left, right, ratio, LEVEL).ok();
    record(left.len(), method, test.map(|test| (test.low, test.high)), test.map(|test| test.p_value))
}

fn mcnemar(left: &[f64], right: &[f64]) -> ComparisonRecord {
    let [a, b] = [left, right].map(|right| right.iter().map(|&share| share > 0.5).collect::<Vec<_>>());
    let test = mcnemar_exact(&a, &b, LEVEL).ok();
    let interval = test.map(|test| (test.difference.low, test.difference.high));
    record(left.len(), "McNemar, exact", interval, test.map(|test| test.p_value))
}
