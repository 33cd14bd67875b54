//! Approaches compared over the data sets of several experiments.

use rekindle_metrics::{
    Practical, Scorer, bayesian_signed_rank, critical_difference, friedman, holm, wilcoxon_signed_rank,
};
use rekindle_results::{DataSetsComparison, DataSetsPair, RankedApproach, Results};

use crate::approach_results::{LEVEL, mean};
use crate::error::ExperimentError;
use crate::pairwise::{ALPHA, margin};

/// Fewest data sets: fewer say nothing about others.
const FEWEST: usize = 5;
/// Draws from the posterior of the Bayesian test, and their seed.
const SAMPLES: usize = 50_000;
const SEED: u64 = 42;

/// Compares the approaches and baselines that all experiments have, by the metric that ranks them. Experiments on the same data are
/// one data set with their mean scores. `rope` is the largest difference that is practically none, in points for a metric between
/// 0 and 1; absent for 1 point, or 0 for other metrics.
///
/// Returns nothing with fewer than five data sets, fewer than two approaches in all of them, or different metrics.
///
/// # Errors
/// Returns an error if a score is not finite, or `rope` is negative.
pub fn compare_over_data_sets(
    runs: &[(String, Results)],
    rope: Option<f64>,
) -> Result<Option<DataSetsComparison>, ExperimentError> {
    let Some((_, first)) = runs.first() else { return Ok(None) };
    // Earlier releases compared accuracies, and did not say so.
    let metric_of = |results: &Results| match results.design.metric.as_str() {
        "" => "accuracy".to_owned(),
        metric => metric.to_owned(),
    };
    let name = metric_of(first);
    let Ok(metric) = name.parse::<Scorer>() else { return Ok(None) };
    let is_other = |results: &Results| metric_of(results) != name;
    let data_sets = data_sets(runs);
    let names = common(runs);
    if runs.iter().any(|(_, results)| is_other(results)) || data_sets.len() < FEWEST || names.len() < 2 {
        return Ok(None);
    }
    let sign = if metric.greater_is_better() { 1.0 } else { -1.0 };
    let of = |data_set: &Vec<&Results>, name: &str| mean(data_set.iter().map(|results| score(results, name, metric)));
    let scores: Vec<Vec<f64>> =
        data_sets.iter().map(|data_set| names.iter().map(|name| sign * of(data_set, name)).collect()).collect();
    let test = friedman(&scores)?;
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| test.ranks[a].total_cmp(&test.ranks[b]));
    let column = |index: usize| scores.iter().map(move |row| row[index]);
    let mut record = DataSetsComparison::default();
    (record.metric, record.data_sets, record.friedman_p) = (metric.name().into(), data_sets.len(), test.p_value);
    record.critical_difference = critical_difference(names.len(), data_sets.len(), LEVEL)?;
    record.rope = match (rope, margin(metric)) {
        (Some(points), Some(point)) => points * point,
        (Some(rope), None) => rope,
        (None, usual) => usual.unwrap_or(0.0),
    };
    let ranked = |&index: &usize| {
        let scores = column(index).map(|score| sign * score).collect();
        RankedApproach::new(names[index].as_str(), test.ranks[index], scores)
    };
    record.approaches = order.iter().map(ranked).collect();
    for (place, &a) in order.iter().enumerate() {
        for &b in &order[place + 1..] {
            let differences: Vec<f64> = column(a).zip(column(b)).map(|(a, b)| a - b).collect();
            let mut pair = DataSetsPair::default();
            (pair.a, pair.b) = (names[a].clone(), names[b].clone());
            pair.difference = sign * mean(differences.iter().copied());
            pair.p_value = wilcoxon_signed_rank(&differences)?;
            let Practical { better, equivalent, worse } =
                bayesian_signed_rank(&differences, record.rope, SAMPLES, SEED)?;
            (pair.better, pair.equivalent, pair.worse) = (better, equivalent, worse);
            record.pairs.push(pair);
        }
    }
    let p_values: Vec<f64> = record.pairs.iter().map(|pair| pair.p_value).collect();
    for (pair, p) in record.pairs.iter_mut().zip(holm(&p_values)?) {
        (pair.p_adjusted, pair.significant) = (p, p < ALPHA);
    }
    Ok(Some(record))
}

/// Returns the experiments of each data set, in the order in which the data sets first occur.
fn data_sets(runs: &[(String, Results)]) -> Vec<Vec<&Results>> {
    let mut found: Vec<Vec<&Results>> = Vec::new();
    for (_, results) in runs {
        match found.iter_mut().find(|data_set| data_set[0].data.sha256 == results.data.sha256) {
            Some(data_set) => data_set.push(results),
            None => found.push(vec![results]),
        }
    }
    found
}

/// Returns the names of the approaches and baselines that all experiments have.
fn common(runs: &[(String, Results)]) -> Vec<String> {
    let names = |results: &Results| -> Vec<String> {
        results.approaches.iter().chain(&results.baselines).map(|record| record.approach.clone()).collect()
    };
    let mut all = runs.first().map(|(_, first)| names(first)).unwrap_or_default();
    for (_, results) in runs {
        let theirs = names(results);
        all.retain(|name| theirs.contains(name));
    }
    all
}

fn score(results: &Results, name: &str, metric: Scorer) -> f64 {
    let record = results.approaches.iter().chain(&results.baselines).find(|record| record.approach == name);
    let score = record.and_then(|record| results.design.ranked(&record.scores).or(record.scores.get(metric.name())));
    score.map_or(f64::NAN, |estimate| estimate.mean)
}
