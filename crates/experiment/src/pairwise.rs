//! Significance tests between approaches and baselines.

use rekindle_metrics::{corrected_paired_t, holm, mcnemar_exact};
use rekindle_results::ComparisonRecord;

use crate::approach_results::{ApproachResults, LEVEL, ratio};
use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// The significance level.
pub(crate) const ALPHA: f64 = 1.0 - LEVEL;

/// Compares the accuracy of every trained approach with that of every other approach and of every baseline.
///
/// Over folds by the corrected t-test of Nadeau and Bengio (2003), which accounts for overlapping training sets; on a fixed test
/// set by McNemar's exact test, and with several seeds by a paired t-test over its examples. p-values are adjusted for the number
/// of comparisons (Holm, 1979).
pub(crate) fn comparisons(
    approaches: &[&ApproachResults],
    baselines: &[ApproachResults],
    sampling: &Sampling,
    size: usize,
) -> Result<Vec<ComparisonRecord>, ExperimentError> {
    let mut records = Vec::new();
    for (index, a) in approaches.iter().enumerate() {
        for b in approaches[index + 1..].iter().copied().chain(baselines) {
            records.push(compare(a, b, sampling, size));
        }
    }
    let p_values: Vec<f64> = records.iter().filter_map(|record| record.p_value).collect();
    let mut adjusted = holm(&p_values)?.into_iter();
    for record in &mut records {
        record.p_adjusted = record.p_value.and_then(|_| adjusted.next());
        record.significant = record.p_adjusted.is_some_and(|p| p < ALPHA);
    }
    Ok(records)
}

fn compare(a: &ApproachResults, b: &ApproachResults, sampling: &Sampling, size: usize) -> ComparisonRecord {
    let difference = a.mean(|run| run.accuracy) - b.mean(|run| run.accuracy);
    let record = |n, method: &str, interval: Option<(f64, f64)>, p_value| {
        let mut record = ComparisonRecord::default();
        (record.a, record.b, record.difference) = (a.name.clone(), b.name.clone(), difference);
        (record.n, record.method, record.p_value) = (n, method.into(), p_value);
        record.interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        record
    };
    let paired = |left: &[f64], right: &[f64], ratio, method| match corrected_paired_t(left, right, ratio, LEVEL) {
        Ok(test) => record(left.len(), method, Some((test.low, test.high)), Some(test.p_value)),
        Err(_) => record(left.len(), method, None, None),
    };
    if sampling.folds.is_some() {
        let [left, right] = [a, b].map(|side| side.by_sample(sampling, |run| run.accuracy));
        return paired(&left, &right, ratio(sampling, size), "corrected t");
    }
    let labels = sampling.labels(&sampling.samples[0].test);
    let [left, right] = [a, b].map(|side| side.right(&labels));
    if a.runs.len() > 1 || b.runs.len() > 1 {
        return paired(&left, &right, 0.0, "paired t");
    }
    let [left, right] = [left, right].map(|right| right.into_iter().map(|share| share > 0.5).collect::<Vec<_>>());
    match mcnemar_exact(&left, &right, LEVEL) {
        Ok(test) => {
            let interval = (test.difference.low, test.difference.high);
            record(labels.len(), "McNemar, exact", Some(interval), Some(test.p_value))
        }
        Err(_) => record(labels.len(), "McNemar, exact", None, None),
    }
}
