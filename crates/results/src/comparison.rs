//! Results of several experiments, side by side.

use serde::Serialize;

use crate::approach::ApproachRecord;
use crate::data_sets::DataSetsComparison;
use crate::results::Results;
use crate::scores::{Estimate, Scores};
use crate::settings::Source;

/// Several experiments side by side: their settings, their scores, and warnings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The names of the experiments, in the order given.
    pub runs: Vec<String>,
    /// Settings that differ, each with its value in every experiment.
    pub different: Vec<Setting>,
    /// Settings that are the same in all experiments: name and value.
    pub same: Vec<(String, String)>,
    /// Approaches and baselines, in the order in which they first occur.
    pub scores: Vec<ScoresRow>,
    /// Reasons why the columns may not be comparable, one sentence each.
    pub cautions: Vec<String>,
    /// The approaches over the data sets of the experiments, if there are enough of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_sets: Option<DataSetsComparison>,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value in each experiment; absent for an experiment without it.
    pub values: Vec<Option<String>>,
}

/// The scores of an approach or a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScoresRow {
    /// Its name.
    pub name: String,
    /// Whether it is a baseline.
    pub baseline: bool,
    /// Its scores in each experiment; absent for an experiment without it.
    pub scores: Vec<Option<Scores>>,
}

impl Comparison {
    /// Compares experiments, each given with its name.
    pub fn of(runs: &[(String, Results)]) -> Self {
        let (mut different, mut same) = (Vec::new(), Vec::new());
        let settings: Vec<_> = runs.iter().map(|(_, results)| settings(results)).collect();
        for name in names(settings.iter().flatten().map(|(name, _)| name.as_str())) {
            let value = |settings: &Vec<(String, String)>| settings.iter().find(|(other, _)| *other == name).cloned();
            let values: Vec<Option<String>> = settings.iter().map(|all| value(all).map(|(_, value)| value)).collect();
            match values.first() {
                Some(Some(first)) if values.iter().all(|value| value.as_ref() == Some(first)) => {
                    same.push((name, first.clone()));
                }
                _ => different.push(Setting { name, values }),
            }
        }
        let names = runs.iter().map(|(name, _)| name.clone()).collect();
        Self { runs: names, different, same, scores: scores(runs), cautions: cautions(runs), data_sets: None }
    }
}

/// Returns each name once, in the order in which they first occur.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if names.iter().all(|other| other != name) {
            names.push(name.into());
        }
    }
    names
}

fn scores(runs: &[(String, Results)]) -> Vec<ScoresRow> {
    let approaches = names(runs.iter().flat_map(|(_, r)| &r.approaches).map(|record| record.approach.as_str()));
    let baselines = names(runs.iter().flat_map(|(_, r)| &r.baselines).map(|record| record.approach.as_str()));
    let of_approach = |name: &str, results: &Results| {
        results.approaches.iter().find(|record| record.approach == name).map(|record| record.scores.clone())
    };
    let of_baseline = |name: &str, results: &Results| {
        results.baselines.iter().find(|record| record.approach == name).map(|record| record.scores.clone())
    };
    let approaches = approaches.into_iter().map(|name| {
        let scores = runs.iter().map(|(_, results)| of_approach(&name, results)).collect();
        ScoresRow { name, baseline: false, scores }
    });
    let baselines = baselines.into_iter().map(|name| {
        let scores = runs.iter().map(|(_, results)| of_baseline(&name, results)).collect();
        ScoresRow { name, baseline: true, scores }
    });
    approaches.chain(baselines).collect()
}

/// Returns all settings of an experiment, by name.
fn settings(results: &Results) -> Vec<(String, String)> {
    let Results { model, data, arguments, design, .. } = results;
    let source = match model.source {
        Source::Hub => "hub",
        Source::Folder => "folder",
        Source::Embedded => "embedded",
    };
    let specs: Vec<&str> = results.approaches.iter().map(|record| record.spec.as_str()).collect();
    let fixed = [
        ("model", format!("{} ({source})", model.id)),
        ("sha256", model.sha256.clone()),
        ("backend", results.backend.clone()),
        ("data", files(results)),
        ("data sha256", data.sha256.clone()),
        ("examples", examples(results)),
        ("dropped label errors", dropped(results)),
        ("task", if data.task.is_empty() { "single-label".into() } else { data.task.clone() }),
        ("classes", data.classes.join(", ")),
        ("examples per class", listed(&data.class_counts)),
        ("approaches", specs.join(", ")),
        ("learning rates", learning_rates(results)),
        ("seed", results.seed.to_string()),
        ("folds", design.folds.map_or_else(|| "none".into(), |folds| folds.to_string())),
        ("repeats", design.repeats.to_string()),
        ("near duplicates", design.near_duplicates.map_or_else(|| "none".into(), |similarity| similarity.to_string())),
        ("time column", design.time_column.clone().unwrap_or_else(|| "none".into())),
        ("group column", design.group_column.clone().unwrap_or_else(|| "none".into())),
        ("seeds", listed(&design.seeds)),
        ("sizes", listed(&design.sizes)),
        ("validation examples", design.validation.to_string()),
        ("metric", design.metric_label().into()),
        ("metric for best model", design.metric_for_best_model.clone().unwrap_or_else(|| "none".into())),
        ("max length", arguments.max_length.to_string()),
        ("long texts", arguments.long_texts.clone().unwrap_or_else(|| "truncate".into())),
        ("batch size", arguments.batch_size.to_string()),
        ("gradient accumulation steps", arguments.gradient_accumulation_steps.to_string()),
        ("epochs", arguments.epochs.to_string()),
        ("fewest steps", arguments.min_steps.to_string()),
        ("learning rate schedule", arguments.lr_scheduler_type.clone()),
        ("warmup steps", arguments.warmup_steps.to_string()),
        ("class weights", arguments.class_weights.as_ref().map_or_else(|| "none".into(), |weights| listed(weights))),
        (
            "early stopping patience",
            arguments.early_stopping_patience.map_or_else(|| "none".into(), |epochs| epochs.to_string()),
        ),
        ("frozen dropout", if arguments.frozen_dropout { "on" } else { "off" }.into()),
        ("frozen precision", arguments.frozen_precision.clone().unwrap_or_else(|| "f32".into())),
        ("shuffle", arguments.shuffle.clone().unwrap_or_else(|| "reference".into())),
        ("calibration", calibration(results)),
        ("calibration folds", arguments.calibration_folds.map_or_else(|| "none".into(), |folds| folds.to_string())),
        ("thresholds", thresholds(results).into()),
        ("cost", arguments.cost.clone().unwrap_or_else(|| "none".into())),
        ("F-beta", arguments.f_beta.map_or_else(|| "none".into(), |beta| beta.to_string())),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_string(), value));
    let versions =
        results.provenance.versions.iter().map(|(name, version)| (format!("{name} version"), version.clone()));
    fixed.chain(versions).collect()
}

fn examples(results: &Results) -> String {
    let data = &results.data;
    match results.design.folds {
        Some(folds) => format!("{} in {folds} folds", data.class_counts.iter().sum::<usize>()),
        None => format!("{} training, {} test", data.train, data.test),
    }
}

fn dropped(results: &Results) -> String {
    let dropped = results.data.dropped.as_ref();
    dropped.map_or_else(|| "none".into(), |dropped| format!("{} of {}", dropped.examples, dropped.file))
}

/// The rates of the approaches that are trained in steps.
fn learning_rates(results: &Results) -> String {
    let trained = results.approaches.iter().filter(|record| record.learning_rate > 0.0);
    let rates = trained.map(|ApproachRecord { spec, learning_rate, head_learning_rate, .. }| {
        let head = head_learning_rate.map_or_else(String::new, |rate| format!(" (head {rate:e})"));
        format!("{spec} {learning_rate:e}{head}")
    });
    let rates: Vec<String> = rates.collect();
    if rates.is_empty() { "none".into() } else { rates.join(", ") }
}

fn calibration(results: &Results) -> String {
    let mut runs = results.approaches.iter().flat_map(|record| &record.runs);
    runs.find_map(|run| run.calibration.as_ref()).map_or_else(|| "none".into(), |record| record.method.clone())
}

fn thresholds(results: &Results) -> &'static str {
    let mut runs = results.approaches.iter().flat_map(|record| &record.runs);
    if runs.any(|run| !run.thresholds.is_empty()) { "chosen" } else { "fixed" }
}

fn files(results: &Results) -> String {
    if results.data.files.is_empty() { "the twelve sentences".into() } else { results.data.files.join(", ") }
}

fn listed<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns the reasons why the experiments may not be comparable.
fn cautions(runs: &[(String, Results)]) -> Vec<String> {
    let [(_, first), others @ ..] = runs else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let mut cautions = Vec::new();
    for (index, (_, results)) in runs.iter().enumerate() {
        if let Some(earlier) = runs[..index].iter().position(|(_, earlier)| earlier == results) {
            cautions.push(format!("Experiments {} and {} have the same results.", earlier + 1, index + 1));
        }
    }
    let reasons = different_test_examples(runs);
    if !reasons.is_empty() {
        cautions.push(format!(
            "The experiments used different test examples ({} differ), which alone can make scores differ.",
            reasons.join(", ")
        ));
    }
    if others.iter().any(|(_, results)| results.design.sizes.last() != first.design.sizes.last()) {
        cautions.push("The experiments used different numbers of training examples.".into());
    }
    if others.iter().any(|(_, results)| results.design.metric_label() != first.design.metric_label()) {
        cautions.push("The experiments ranked their approaches by different metrics.".into());
    }
    let methods =
        names(runs.iter().flat_map(|(_, results)| estimates(results)).map(|estimate| estimate.method.as_str()));
    if methods.len() > 1 {
        cautions.push(format!("The confidence intervals were computed by different methods: {}.", methods.join(", ")));
    }
    cautions.push("Each interval is that of one experiment; differences between experiments were not tested.".into());
    cautions
}

/// Returns which settings show that the experiments used different test examples.
fn different_test_examples(runs: &[(String, Results)]) -> Vec<&'static str> {
    let differs = |aspect: &dyn Fn(&Results) -> String| {
        let mut values = runs.iter().map(|(_, results)| aspect(results));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let mut reasons = Vec::new();
    if differs(&|results| results.data.sha256.clone()) {
        reasons.push("data");
    }
    if differs(&|results| results.data.test.to_string()) {
        reasons.push("counts");
    }
    if differs(&|results| format!("{:?} {}", results.design.folds, results.design.repeats)) {
        reasons.push("folds");
    }
    if differs(&|results| format!("{:?}", results.design.group_column)) {
        reasons.push("groups");
    }
    if differs(&|results| format!("{:?}", results.design.near_duplicates)) {
        reasons.push("near duplicates");
    }
    if differs(&|results| format!("{:?}", results.design.time_column)) {
        reasons.push("times");
    }
    // The seed does not change a test file, but it draws splits and folds.
    let drawn = |results: &Results| results.design.folds.is_some() || results.data.files.len() != 2;
    if runs.iter().any(|(_, results)| drawn(results)) && differs(&|results| results.seed.to_string()) {
        reasons.push("seeds");
    }
    reasons
}

fn estimates(results: &Results) -> impl Iterator<Item = &Estimate> {
    let records = results.approaches.iter().chain(&results.baselines);
    records.filter_map(|record| results.design.ranked(&record.scores))
}
