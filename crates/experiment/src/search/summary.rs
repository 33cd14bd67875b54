//! What follows from the trials of all runs: which settings mattered, and the optimism of choosing on test examples.

use std::collections::BTreeMap;

use rekindle_metrics::Scorer;
use rekindle_results::{EffectRecord, EffectValue, OptimismRecord, RunRecord, SearchRecord, TrialRecord};

use super::settings::Search;
use crate::budget::Budget;

/// The value of an option that a candidate does not name.
const DEFAULT: &str = "default";

/// Returns the record of a search from the runs at the largest training size, and from the run of the final model.
pub(crate) fn search_record(
    search: &Search,
    runs: &[RunRecord],
    last: Option<&RunRecord>,
    searches: usize,
    metric: Scorer,
) -> SearchRecord {
    let mut record = SearchRecord::default();
    record.candidates = search.candidates.iter().map(|candidate| candidate.spec.clone()).collect();
    (record.inner_folds, record.halving, record.patience) = (search.inner_folds, search.halving, search.patience);
    record.searches = searches;
    match search.budget {
        Budget::Unlimited => {}
        Budget::Runs(runs) => record.budget_runs = Some(runs),
        Budget::Time(time) => record.budget_seconds = Some(time.as_secs_f64()),
    }
    record.final_trials = last.map(|run| run.trials.clone()).unwrap_or_default();
    let of_runs: Vec<&[TrialRecord]> = runs.iter().map(|run| &run.trials[..]).collect();
    let all: Vec<&[TrialRecord]> = of_runs.iter().copied().chain(last.map(|run| &run.trials[..])).collect();
    record.effects = effects(&all, metric);
    record.optimism = optimism(&of_runs, metric);
    record
}

/// Returns the number of inner folds that all trials of a run have scores for; those that failed aside.
fn common_folds(trials: &[TrialRecord]) -> usize {
    trials.iter().filter(|trial| trial.failed.is_none()).map(|trial| trial.scores.len()).min().unwrap_or(0)
}

/// Returns the sign by which a higher number is better.
fn sign(metric: Scorer) -> f64 {
    if metric.greater_is_better() { 1.0 } else { -1.0 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the mean score of each value of each setting, for those with several values.
fn effects(runs: &[&[TrialRecord]], metric: Scorer) -> Vec<EffectRecord> {
    let mut scores: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for trials in runs {
        let folds = common_folds(trials);
        for trial in trials.iter().filter(|trial| trial.failed.is_none()) {
            let Some(score) = trial.mean(folds) else { continue };
            for (setting, value) in settings(trial, trials) {
                scores.entry(setting).or_default().entry(value).or_default().push(score);
            }
        }
    }
    let effect = |(setting, values): (String, BTreeMap<String, Vec<f64>>)| {
        let value = |(value, scores): (String, Vec<f64>)| EffectValue::new(value, mean(&scores), scores.len());
        let mut values: Vec<EffectValue> = values.into_iter().map(value).collect();
        values.sort_by(|a, b| (sign(metric) * b.mean).total_cmp(&(sign(metric) * a.mean)));
        EffectRecord::new(setting, values)
    };
    let mut effects: Vec<EffectRecord> =
        scores.into_iter().filter(|(_, values)| values.len() > 1).map(effect).collect();
    effects.sort_by(|a, b| b.spread.total_cmp(&a.spread));
    effects
}

/// Returns the settings of a trial with their values: the approach, and each option that any candidate of the approach names.
fn settings(trial: &TrialRecord, trials: &[TrialRecord]) -> Vec<(String, String)> {
    let (approach, options) = parts(&trial.approach);
    let kin = trials.iter().map(|other| parts(&other.approach)).filter(|(other, _)| *other == approach);
    let named: BTreeMap<&str, ()> = kin.flat_map(|(_, options)| options.into_keys()).map(|key| (key, ())).collect();
    let of = |key: &str| (format!("{approach}:{key}"), options.get(key).copied().unwrap_or(DEFAULT).to_string());
    [("approach".into(), approach.into())].into_iter().chain(named.into_keys().map(of)).collect()
}

/// Returns the name of an approach and its options.
fn parts(spec: &str) -> (&str, BTreeMap<&str, &str>) {
    let mut parts = spec.split(':');
    (parts.next().unwrap_or_default(), parts.filter_map(|part| part.split_once('=')).collect())
}

/// Returns what choosing on the test examples would have reported. Every candidate is scored by its models for the inner folds
/// that all candidates of the run have; only candidates that every run tried can be chosen.
fn optimism(runs: &[&[TrialRecord]], metric: Scorer) -> Option<OptimismRecord> {
    let mut by_candidate: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut honest = Vec::new();
    for trials in runs {
        let folds = common_folds(trials);
        for trial in trials.iter().filter(|trial| trial.failed.is_none()) {
            let score = mean(trial.test_scores.get(..folds).filter(|scores| !scores.is_empty())?);
            by_candidate.entry(&trial.approach).or_default().push(score);
            honest.extend(trial.chosen.then_some(score));
        }
    }
    let complete = by_candidate.into_iter().filter(|(_, scores)| scores.len() == runs.len());
    let means: Vec<(&str, f64)> = complete.map(|(approach, scores)| (approach, mean(&scores))).collect();
    if means.len() < 2 || honest.len() != runs.len() {
        return None;
    }
    let (approach, reported) =
        means.into_iter().max_by(|a, b| (sign(metric) * a.1).total_cmp(&(sign(metric) * b.1)))?;
    let mut record = OptimismRecord::default();
    (record.approach, record.reported, record.honest) = (approach.into(), reported, mean(&honest));
    // Without the sign of 0.
    record.optimism = sign(metric) * (record.reported - record.honest) + 0.0;
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(approach: &str, scores: &[f64], test_scores: &[f64], chosen: bool) -> TrialRecord {
        let mut record = TrialRecord::default();
        (record.approach, record.chosen) = (approach.into(), chosen);
        (record.scores, record.test_scores) = (scores.into(), test_scores.into());
        record
    }

    #[test]
    fn settings_are_ordered_by_the_spread_of_their_means() {
        let trials = [
            trial("probe:C=1", &[0.7, 0.9], &[], false),
            trial("full:lr=1e-5", &[0.5], &[], false),
            trial("full:lr=1e-4", &[0.8, 0.8], &[], true),
            trial("full", &[0.6], &[], false),
        ];
        let effects = effects(&[&trials], Scorer::Accuracy);
        let of = |effect: &EffectRecord| {
            let values = effect.values.iter().map(|value| (value.value.clone(), value.trials)).collect::<Vec<_>>();
            (effect.setting.clone(), values, (effect.spread * 1e6).round() / 1e6)
        };
        let value = |value: &str, trials| (value.to_string(), trials);
        // Over the first inner fold, which all trials have; `probe:C` has one value.
        let expected = [
            ("full:lr".to_string(), vec![value("1e-4", 1), value("default", 1), value("1e-5", 1)], 0.3),
            ("approach".to_string(), vec![value("probe", 1), value("full", 3)], 0.066667),
        ];
        assert_eq!(effects.iter().map(of).collect::<Vec<_>>(), expected);
        assert_eq!(super::effects(&[&trials], Scorer::Loss)[0].values[0].value, "1e-5", "the lowest loss is best");
    }

    #[test]
    fn the_optimism_is_the_gap_to_the_candidate_that_is_best_on_the_test_examples() {
        let first = [trial("a", &[0.9], &[0.75], true), trial("b", &[0.8], &[0.875], false)];
        let second =
            [trial("a", &[0.7], &[0.5], false), trial("b", &[0.9], &[0.75], true), trial("c", &[0.1], &[1.0], false)];
        let of = |record: OptimismRecord| (record.approach, record.reported, record.honest, record.optimism);
        // b has 0.8125 on both; 0.75 and 0.75 were chosen. c was tried in one run only.
        let found = optimism(&[&first, &second], Scorer::Accuracy).map(of);
        assert_eq!(found, Some(("b".into(), 0.8125, 0.75, 0.0625)));
        let lower = optimism(&[&first, &second], Scorer::Loss).map(of);
        assert_eq!(lower, Some(("a".into(), 0.625, 0.75, 0.125)));
        assert_eq!(optimism(&[&first[..1]], Scorer::Accuracy), None);
    }
}
