//! What more labels would bring, by the learning curve of an experiment.

use rekindle::metrics::{Interval, Scorer, learning_curve_gain};
use rekindle::report::thousands;
use rekindle::results::{ApproachRecord, Results, RunRecord};

const LEVEL: f64 = 0.95;
const SEED: u64 = 42;
/// Fewest runs of a learning curve.
const FEWEST: usize = 3;

/// Returns what `more` labels would bring to the approach of a model's name, or to the best one if there is none of this name; or why it
/// cannot be said.
pub fn forecast(results: &Results, name: &str, more: usize) -> String {
    let named = |name: &str| results.approaches.iter().find(|record| record.approach == name);
    let record = named(name).or_else(|| named(&results.misclassified.approach)).or(results.approaches.first());
    let unknown = |reason: String| format!("what {} more labels would bring cannot be said: {reason}", thousands(more));
    let Some(record) = record else { return unknown("the results have no approach".into()) };
    let metric = if results.design.metric.is_empty() { "accuracy" } else { &results.design.metric };
    let sizes = &results.design.sizes;
    let runs = scores(record, sizes, metric);
    let greater_is_better = metric.parse::<Scorer>().map_or(true, Scorer::greater_is_better);
    match learning_curve_gain(sizes, &runs, more, greater_is_better, LEVEL, SEED) {
        Err(_) if sizes.len() < 3 => unknown(format!(
            "the learning curve has {} size{}, and an inverse power law needs 3; add --sizes to the experiment",
            sizes.len(),
            if sizes.len() == 1 { "" } else { "s" }
        )),
        Err(_) if runs.len() < FEWEST => {
            let spec = if record.spec.is_empty() { &record.approach } else { &record.spec };
            let plural = if runs.len() == 1 { "" } else { "s" };
            unknown(format!(
                "`{spec}` has {} run{plural} per size, and the interval needs {FEWEST}; add --folds to the experiment",
                runs.len()
            ))
        }
        Err(error) => unknown(error.to_string()),
        Ok(gain) => sentence(results, record, more, gain),
    }
}

fn sentence(
    results: &Results,
    record: &ApproachRecord,
    more: usize,
    Interval { estimate, low, high, n, .. }: Interval,
) -> String {
    let largest = results.design.sizes.last().copied().unwrap_or_default();
    let spec = if record.spec.is_empty() { &record.approach } else { &record.spec };
    let metric = results.design.metric_label();
    format!(
        "from {} to {} labels drawn at random, the {metric} of {spec} would improve by {estimate:.4} (95 % confidence interval {low:.4} to {high:.4}), \
         by an inverse power law over {} sizes and {n} runs{}",
        thousands(largest),
        thousands(largest + more),
        results.design.sizes.len(),
        if low < 0.00005 { "; the interval does not exclude that nothing improves" } else { "" }
    )
}

/// Returns the scores of each run at all sizes; runs that lack one are left out. The sizes of folds differ by one example, so that a
/// run belongs to the nearest size.
fn scores(record: &ApproachRecord, sizes: &[usize], metric: &str) -> Vec<Vec<f64>> {
    let key = |run: &RunRecord| (run.seed, run.repeat, run.fold);
    let mut keys: Vec<_> = record.runs.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    let nearest = |run: &RunRecord| sizes.iter().copied().min_by_key(|size| size.abs_diff(run.size));
    let score = |run: &RunRecord| match metric {
        "accuracy" => run.accuracy,
        "f1" => run.f1,
        "loss" => Some(run.loss),
        other => run.metrics.get(other).copied(),
    };
    let at =
        |of, size: usize| record.runs.iter().find(|run| key(run) == of && nearest(run) == Some(size)).and_then(score);
    keys.into_iter().filter_map(|of| sizes.iter().map(|&size| at(of, size)).collect()).collect()
}
