//! The section of a search: its trials, which settings mattered, and the optimism of choosing on test examples.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, EffectRecord, OptimismRecord, Results, SearchRecord, TrialRecord};

use super::{Section, count, name, runs, scrolling, spec};
use crate::format;

/// The most runs whose trials have a column each.
const COLUMNS: usize = 15;

/// The trials of every approach that is a search.
pub(super) fn section(results: &Results) -> Option<Section> {
    let searches: Vec<(&ApproachRecord, &SearchRecord)> =
        results.approaches.iter().filter_map(|record| Some((record, record.search.as_ref()?))).collect();
    if searches.is_empty() {
        return None;
    }
    let body = html! {
        @for (record, search) in searches {
            h3 { (name(spec(record))) }
            p { (design(search)) }
            (trials(results, record, search))
            @if !search.effects.is_empty() { (effects(results, search)) }
            @if let Some(optimism) = &search.optimism { (optimistic(results, optimism)) }
        }
    };
    Some(Section { id: "search", title: "Search", body })
}

/// How candidates are compared, in words.
fn design(search: &SearchRecord) -> String {
    let candidates = count(search.candidates.len(), "candidate");
    let halving = match search.halving {
        Some(factor) => format!("successive halving by {factor}"),
        None => "every candidate on all of them".into(),
    };
    let budget = match (search.budget_seconds, search.budget_runs) {
        (Some(seconds), _) => format!("; {} for all searches", format::duration(seconds)),
        (None, Some(runs)) => format!("; {} for all searches", count(runs, "training")),
        (None, None) => String::new(),
    };
    let searches = if search.searches == 1 { "one search".into() } else { format!("{} searches", search.searches) };
    format!("{candidates} on {} inner folds, {halving}; {searches}{budget}.", search.inner_folds)
}

/// The trials of one candidate: those of the runs, and that of the final model.
struct Row<'a> {
    approach: &'a str,
    trials: Vec<Option<&'a TrialRecord>>,
    last: Option<&'a TrialRecord>,
}

impl Row<'_> {
    /// The mean over runs of the mean over inner folds.
    fn mean(&self) -> Option<f64> {
        let means: Vec<f64> = self.trials.iter().flatten().filter_map(|trial| trial.mean(trial.scores.len())).collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    }

    fn chosen(&self) -> usize {
        self.trials.iter().flatten().filter(|trial| trial.chosen).count()
    }

    /// The time of all trials; absent if there was none.
    fn seconds(&self) -> Option<f64> {
        self.trials.iter().flatten().chain(&self.last).map(|trial| trial.seconds).reduce(|sum, seconds| sum + seconds)
    }
}

/// A row per candidate, those that were chosen most often first, and a column per run.
fn trials(results: &Results, record: &ApproachRecord, search: &SearchRecord) -> Markup {
    let runs = runs(results, record);
    let find = |trials: &'_ [TrialRecord], approach: &str| trials.iter().position(|trial| trial.approach == approach);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for approach in &search.candidates {
        let trials = runs.iter().map(|run| find(&run.trials, approach).map(|place| &run.trials[place])).collect();
        let last = find(&search.final_trials, approach).map(|place| &search.final_trials[place]);
        rows.push(Row { approach, trials, last });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.chosen()));
    let shown = if runs.len() <= COLUMNS { runs.len() } else { 0 };
    let has_last = !search.final_trials.is_empty();
    let table = html! {
        table.reflow {
            thead {
                tr {
                    th scope="col" { "Candidate" }
                    th.number scope="col" { "Chosen" }
                    th.number scope="col" { "Mean, inner folds" }
                    th.number scope="col" { "Time" }
                    @for run in &runs[..shown] { th.number scope="col" { (run_name(results, run.repeat, run.fold, run.seed)) } }
                    @if has_last { th.number scope="col" { "Final model" } }
                }
            }
            tbody {
                @for row in &rows {
                    tr {
                        th scope="row" { (name(row.approach)) }
                        td.number data-label="Chosen" { (row.chosen()) " of " (runs.len()) }
                        td.number data-label="Mean, inner folds" { (format::optional(row.mean())) }
                        td.number data-label="Time" { (row.seconds().map_or("–".into(), format::duration)) }
                        @for (trial, run) in row.trials.iter().zip(&runs[..shown]) {
                            td.number data-label=(run_name(results, run.repeat, run.fold, run.seed)) { (cell(*trial)) }
                        }
                        @if has_last { td.number data-label="Final model" { (cell(row.last)) } }
                    }
                }
            }
        }
    };
    html! {
        (scrolling("Trials", table))
        p.note {
            "Every trial: the mean " (results.design.metric_label()) " on the inner folds of the training examples that the candidate \
             was trained for, and their number. Means over different numbers of folds are not compared: the choice is among those \
             of the last rung. The test examples of a run choose nothing."
        }
    }
}

/// The name of a run: its fold, with the repeat and the seed if there are several.
fn run_name(results: &Results, repeat: usize, fold: usize, seed: u64) -> String {
    let design = &results.design;
    let parts = [
        (design.repeats > 1).then(|| format!("repeat {repeat}")),
        design.folds.map(|_| format!("fold {fold}")),
        (design.seeds.len() > 1).then(|| format!("seed {seed}")),
    ];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if name.is_empty() { "run".into() } else { super::capitalized(&name) }
}

fn cell(trial: Option<&TrialRecord>) -> Markup {
    let Some(trial) = trial else { return html! { "–" } };
    let folds = trial.scores.len();
    html! {
        @match (&trial.failed, trial.mean(folds)) {
            (Some(reason), _) => { span.mean { "out" } " " span.interval { (format::shortened(reason, 80)) } },
            (None, mean) => {
                span.mean { (format::optional(mean)) @if trial.chosen { " ✓" } }
                " " span.interval { (count(folds, "fold")) }
            }
        }
    }
}

/// The mean score of every value of the settings that differ.
fn effects(results: &Results, search: &SearchRecord) -> Markup {
    let table = html! {
        table.reflow {
            thead {
                tr {
                    th scope="col" { "Setting" }
                    th.number scope="col" { "Spread" }
                    th scope="col" { "Mean of each value" }
                }
            }
            tbody {
                @for EffectRecord { setting, values, spread, .. } in &search.effects {
                    tr {
                        th scope="row" { (name(setting)) }
                        td.number data-label="Spread" { (format::score(*spread)) }
                        td data-label="Mean of each value" {
                            @for (place, value) in values.iter().enumerate() {
                                @if place > 0 { ", " }
                                code { (value.value) } " " (format::score(value.mean))
                                " " span.interval { (count(value.trials, "trial")) }
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        h4 { "Settings that mattered" }
        (scrolling("Settings that mattered", table))
        p.note {
            "The mean " (results.design.metric_label()) " on the inner folds that all trials of a run have, over the trials of all \
             searches; the best value first. Values are compared over different values of the other settings, so that a small \
             spread says little."
        }
    }
}

fn optimistic(results: &Results, record: &OptimismRecord) -> Markup {
    let OptimismRecord { approach, reported, honest, optimism, .. } = record;
    html! {
        h4 { "Optimism" }
        p {
            "Choosing " code { (approach) } " on the test examples would have reported the " (results.design.metric_label()) " "
            (format::score(*reported)) ". The choices of the inner folds have " (format::score(*honest)) " with the same models. The "
            "optimism is " (format::score(*optimism)) "."
        }
        p.note {
            "The models that were trained for the inner folds are also tested on the test examples of their run. They have seen fewer \
             examples than the models of the reported scores."
        }
    }
}
