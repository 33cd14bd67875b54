//! What a search chose, what mattered, and the optimism of choosing on test examples, as sentences.

use std::collections::BTreeMap;

use rekindle_metrics::Scorer;
use rekindle_results::{ApproachRecord, EffectRecord, OptimismRecord, RunRecord, SearchRecord};

/// The most settings that are named.
const SETTINGS: usize = 3;

/// Returns the sentences about the search of an approach, if it is one. The runs are those at the largest of the training sizes,
/// of which each fold has about one.
pub(crate) fn search_findings(record: &ApproachRecord, sizes: &[usize], metric: Scorer, label: &str) -> Vec<String> {
    let Some(search) = &record.search else { return Vec::new() };
    let nearest = |run: &RunRecord| sizes.iter().min_by_key(|size| size.abs_diff(run.size));
    let runs: Vec<&RunRecord> = record.runs.iter().filter(|run| nearest(run) == sizes.last()).collect();
    let sentences = [
        Some(chosen(&record.approach, &runs)),
        untried(search, &runs),
        last(search),
        mattered(&search.effects),
        search.optimism.as_ref().map(|optimism| optimistic(optimism, metric, label)),
    ];
    sentences.into_iter().flatten().collect()
}

/// Which approaches were chosen, the most frequent first.
fn chosen(name: &str, runs: &[&RunRecord]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let chosen = runs.iter().flat_map(|run| &run.trials).filter(|trial| trial.chosen);
    chosen.for_each(|trial| *counts.entry(&trial.approach).or_default() += 1);
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match (&counts[..], runs.len()) {
        ([(only, _)], 1) => format!("`{name}` chose `{only}`."),
        ([(only, _)], all) => format!("`{name}` chose `{only}` in all {all} runs."),
        (_, all) => {
            let parts: Vec<String> =
                counts.iter().map(|(approach, count)| format!("`{approach}` in {count}")).collect();
            format!("In {all} runs, `{name}` chose {}.", parts.join(", "))
        }
    }
}

/// How many candidates were tried, if not all.
fn untried(search: &SearchRecord, runs: &[&RunRecord]) -> Option<String> {
    let tried = runs.iter().map(|run| run.trials.len());
    let (least, most, all) = (tried.clone().min()?, tried.max()?, search.candidates.len());
    let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let reason = match (search.patience, search.budget_runs.is_some() || search.budget_seconds.is_some()) {
        (Some(_), true) => "further ones were unlikely to be better, or the budget was spent",
        (Some(_), false) => "further ones were unlikely to be better",
        (None, _) => "the budget was spent",
    };
    (least < all).then(|| format!("{range} of {all} candidates were tried: {reason}."))
}

/// What the final model is.
fn last(search: &SearchRecord) -> Option<String> {
    let chosen = search.final_trials.iter().find(|trial| trial.chosen)?;
    Some(format!("The final model is `{}`, chosen and trained on all examples.", chosen.approach))
}

/// The settings with the largest differences between their values.
fn mattered(effects: &[EffectRecord]) -> Option<String> {
    let effects = effects.iter().filter(|effect| effect.spread > 0.0).take(SETTINGS);
    let parts: Vec<String> = effects
        .filter_map(|EffectRecord { setting, values, spread, .. }| {
            let (best, worst) = (values.first()?, values.last()?);
            Some(format!("`{setting}` ({spread:.4} between {} and {})", best.value, worst.value))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("Settings that mattered most on the inner folds: {}.", parts.join(", ")))
}

fn optimistic(record: &OptimismRecord, metric: Scorer, label: &str) -> String {
    let OptimismRecord { approach, reported, honest, optimism, .. } = record;
    if *optimism <= 0.0 {
        return "Choosing on the test examples would not have reported more than choosing on the inner folds.".into();
    }
    let amount = match metric.range() {
        (0.0, 1.0) => format!("{:.1} points", 100.0 * optimism),
        _ => format!("{optimism:.4}"),
    };
    format!(
        "Choosing `{approach}` on the test examples would have reported the {label} {reported:.4}; the choices of the inner folds have \
         {honest:.4} with the same models: {amount} of optimism."
    )
}

#[cfg(test)]
mod tests {
    use rekindle_results::{EffectValue, TrialRecord};

    use super::*;

    fn run(chosen: &str) -> RunRecord {
        let mut trial = TrialRecord::default();
        (trial.approach, trial.chosen) = (chosen.into(), true);
        let mut run = RunRecord::default();
        (run.size, run.trials) = (80, vec![TrialRecord::default(), trial]);
        run
    }

    #[test]
    fn a_search_is_summarised_in_sentences() {
        let mut search = SearchRecord::default();
        search.final_trials = run("probe").trials;
        let values = vec![EffectValue::new("full", 0.9, 3), EffectValue::new("probe", 0.8, 2)];
        search.effects = vec![EffectRecord::new("approach", values)];
        let mut optimism = OptimismRecord::default();
        (optimism.approach, optimism.reported, optimism.honest) = ("full:lr=1e-4".into(), 0.91, 0.9);
        optimism.optimism = 0.01;
        search.optimism = Some(optimism);
        let mut record = ApproachRecord::default();
        record.approach = "tune".into();
        assert!(search_findings(&record, &[20, 83], Scorer::Accuracy, "accuracy").is_empty());
        record.runs = vec![run("full"), run("probe"), run("full")];
        search.candidates = vec!["probe".into(), "full".into(), "lora".into()];
        search.patience = Some(4);
        record.search = Some(search);
        let expected = [
            "In 3 runs, `tune` chose `full` in 2, `probe` in 1.",
            "2 of 3 candidates were tried: further ones were unlikely to be better.",
            "The final model is `probe`, chosen and trained on all examples.",
            "Settings that mattered most on the inner folds: `approach` (0.1000 between full and probe).",
            "Choosing `full:lr=1e-4` on the test examples would have reported the accuracy 0.9100; the choices of the inner folds \
             have 0.9000 with the same models: 1.0 points of optimism.",
        ];
        assert_eq!(search_findings(&record, &[20, 83], Scorer::Accuracy, "accuracy"), expected);
        record.search.iter_mut().flat_map(|search| &mut search.optimism).for_each(|optimism| optimism.optimism = 0.0);
        let last = search_findings(&record, &[20, 83], Scorer::Accuracy, "accuracy").pop();
        assert!(last.is_some_and(|last| last.contains("would not have reported more")));
        record.runs.truncate(1);
        assert_eq!(search_findings(&record, &[20, 83], Scorer::Accuracy, "accuracy")[0], "`tune` chose `full`.");
    }
}
