//! Results of several experiments, side by side.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::ExperimentError;
use crate::model::Source;
use crate::results::{Estimate, Results, Scores};

/// What several experiments found, and in what they differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The names of the experiments, in the order given.
    pub runs: Vec<String>,
    /// Settings in which they differ, each with its value in every experiment.
    pub different: Vec<Setting>,
    /// Settings in which they do not.
    pub same: Vec<(String, String)>,
    /// Approaches and baselines, in the order in which they first occur.
    pub scores: Vec<ScoresRow>,
    /// What keeps the columns from being held against each other, a sentence each.
    pub cautions: Vec<String>,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value in each experiment; absent where an experiment has none.
    pub values: Vec<Option<String>>,
}

/// The scores of an approach or a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoresRow {
    /// Its name.
    pub name: String,
    /// Whether it is a baseline.
    pub baseline: bool,
    /// Its scores in each experiment; absent where an experiment did not try it.
    pub scores: Vec<Option<Scores>>,
}

/// Reads the results of an experiment: from its output folder, or from the file `results.json` itself.
///
/// # Errors
/// When there are none, or the file is broken or of another version.
pub fn read_results(path: &Path) -> Result<Results, ExperimentError> {
    let file = if path.is_dir() { path.join("results.json") } else { path.to_path_buf() };
    let refuse = |reason: String| ExperimentError::Results { path: file.clone(), reason };
    if path.is_dir() && !file.exists() {
        return Err(refuse("is not there; name the output folder of an experiment".into()));
    }
    let bytes = fs::read(&file).map_err(|source| ExperimentError::Io { path: file.clone(), source })?;
    serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => refuse(format!(
            "is not what this version of Rekindle writes: {error}; run the experiment again with this version"
        )),
        _ => refuse(format!("is broken: {error}; run the experiment again")),
    })
}

impl Comparison {
    /// Lays the results of experiments beside each other, each under its name.
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
        Self { runs: names, different, same, scores: scores(runs), cautions: cautions(runs) }
    }
}

/// Names, each once, in the order in which they first occur.
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
    let baselines = names(runs.iter().flat_map(|(_, r)| &r.baselines).map(|record| record.baseline.as_str()));
    let of_approach = |name: &str, results: &Results| {
        results.approaches.iter().find(|record| record.approach == name).map(|record| record.scores.clone())
    };
    let of_baseline = |name: &str, results: &Results| {
        results.baselines.iter().find(|record| record.baseline == name).map(|record| record.scores.clone())
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

/// Everything that was chosen, by name; times and what was found are not among it.
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
        ("sentences", format!("{} training, {} test", data.train, data.test)),
        ("classes", data.classes.join(", ")),
        ("sentences of each class", listed(&data.class_counts)),
        ("approaches", specs.join(", ")),
        ("seed", results.seed.to_string()),
        ("folds", design.folds.map_or_else(|| "none".into(), |folds| folds.to_string())),
        ("repeats", design.repeats.to_string()),
        ("seeds", listed(&design.seeds)),
        ("sizes", listed(&design.sizes)),
        ("validation sentences", design.validation.to_string()),
        ("metric for best model", design.metric_for_best_model.clone().unwrap_or_else(|| "none".into())),
        ("max length", arguments.max_length.to_string()),
        ("batch size", arguments.batch_size.to_string()),
        ("gradient accumulation steps", arguments.gradient_accumulation_steps.to_string()),
        ("epochs", arguments.epochs.to_string()),
        ("learning rate schedule", arguments.lr_scheduler_type.clone()),
        ("warmup steps", arguments.warmup_steps.to_string()),
        ("class weights", arguments.class_weights.as_ref().map_or_else(|| "none".into(), |weights| listed(weights))),
        (
            "early stopping patience",
            arguments.early_stopping_patience.map_or_else(|| "none".into(), |epochs| epochs.to_string()),
        ),
        ("frozen dropout", if arguments.frozen_dropout { "on" } else { "off" }.into()),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_string(), value));
    let versions =
        results.provenance.versions.iter().map(|(name, version)| (format!("{name} version"), version.clone()));
    fixed.chain(versions).collect()
}

fn files(results: &Results) -> String {
    if results.data.files.is_empty() { "the twelve sentences".into() } else { results.data.files.join(", ") }
}

fn listed<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// What has to be known before two columns are held against each other.
fn cautions(runs: &[(String, Results)]) -> Vec<String> {
    let [(_, first), others @ ..] = runs else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let mut cautions = Vec::new();
    for (index, (_, results)) in runs.iter().enumerate() {
        if let Some(earlier) = runs[..index].iter().position(|(_, earlier)| earlier == results) {
            cautions.push(format!("Runs {} and {} are the same results.", earlier + 1, index + 1));
        }
    }
    let reasons = not_the_same_sentences(runs);
    if !reasons.is_empty() {
        cautions.push(format!(
            "The runs were not tested on the same sentences ({} differ): what looks like a difference may be one of the \
             sentences.",
            reasons.join(", ")
        ));
    }
    if others.iter().any(|(_, results)| results.design.sizes.last() != first.design.sizes.last()) {
        cautions.push("The runs were trained on different numbers of sentences.".into());
    }
    let methods =
        names(runs.iter().flat_map(|(_, results)| estimates(results)).map(|estimate| estimate.method.as_str()));
    if methods.len() > 1 {
        cautions.push(format!("The intervals are of different kinds: {}.", methods.join(", ")));
    }
    cautions.push("Intervals are those of each run alone; no difference between runs was tested.".into());
    cautions
}

/// What tells that runs were tested on different sentences.
fn not_the_same_sentences(runs: &[(String, Results)]) -> Vec<&'static str> {
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
    // A test file is the same at any seed; a split and folds are drawn by it.
    let drawn = |results: &Results| results.design.folds.is_some() || results.data.files.len() != 2;
    if runs.iter().any(|(_, results)| drawn(results)) && differs(&|results| results.seed.to_string()) {
        reasons.push("seeds");
    }
    reasons
}

fn estimates(results: &Results) -> impl Iterator<Item = &Estimate> {
    let of_approaches = results.approaches.iter().map(|record| &record.scores.accuracy);
    of_approaches.chain(results.baselines.iter().map(|record| &record.scores.accuracy))
}
