//! The results of an approach, accumulated run by run.

use rekindle_data::{Targets, Task};
use rekindle_metrics::Scorer;
use rekindle_results::{ApproachRecord, CurvePoint, RunPredictions, RunRecord, Scores, SearchRecord, TargetRecord};

use crate::approach::Approach;
use crate::approach_results::{ApproachResults, COMMON, RunResult};
use crate::diagnostics::diagnostics;
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::run_context::RunContext;
use crate::sampling::Sampling;
use crate::search::{Search, search_record};
use crate::target_record::target_record;
use crate::trained_model::TrainedModel;

/// The runs of an approach so far.
pub(crate) struct RunAccumulator {
    runs: Vec<RunRecord>,
    curve: Vec<CurvePoint>,
    /// The results at the last size.
    pub(crate) last: ApproachResults,
    /// The index of the first run at that size.
    first: usize,
    /// The predictions of all runs.
    pub(crate) predictions: Vec<RunPredictions>,
    /// The model to keep.
    pub(crate) model: Option<TrainedModel>,
    /// The record of the final model, which is trained on all examples.
    pub(crate) last_run: Option<RunRecord>,
}

impl RunAccumulator {
    pub(crate) fn new(name: &str, label: String) -> Self {
        let last = ApproachResults { name: name.into(), label, runs: Vec::new() };
        let (runs, predictions) = (Vec::new(), Vec::new());
        Self { runs, curve: Vec::new(), last, first: 0, predictions, model: None, last_run: None }
    }

    /// Starts the next size.
    pub(crate) fn start_size(&mut self) {
        self.first = self.runs.len();
        self.last.runs.clear();
    }

    /// Adds a run at the current size.
    pub(crate) fn push(&mut self, record: RunRecord, result: RunResult, sampling: &Sampling) {
        self.predictions.push(RunPredictions {
            approach: self.last.name.clone(),
            run: record.key(),
            examples: sampling.samples[result.sample].test.clone(),
            predictions: records(&result.predictions).collect(),
            probabilities: match result.predictions {
                Targets::Values(_) => Vec::new(),
                _ => result.scores.iter().map(|&probability| probability as f32).collect(),
            },
        });
        self.runs.push(record);
        self.last.runs.push(result);
    }

    /// Adds the point of the current size to the learning curve.
    pub(crate) fn finish_size(&mut self, experiment: &Experiment, sampling: &Sampling, size: usize) {
        let scores = scores(&self.last, experiment, sampling, size);
        self.curve.push(CurvePoint::new(size, scores));
    }

    /// Returns the record of the approach. Of a search, `kept` is the candidate whose settings it has.
    pub(crate) fn record(
        &self,
        experiment: &Experiment,
        approach: &Approach,
        kept: &Approach,
        [trainable, total]: [usize; 2],
        sampling: &Sampling,
    ) -> Result<ApproachRecord, ExperimentError> {
        let mut record = self.scored(experiment, experiment.seeds_of(&*approach.learner).len(), sampling)?;
        record.spec.clone_from(&approach.spec);
        [record.learning_rate, record.weight_decay] = kept.learner.rates();
        record.head_learning_rate = kept.fine_tuning().and_then(|settings| settings.head_learning_rate);
        (record.trainable, record.total) = (trainable, total);
        Ok(record)
    }

    /// Returns the approach itself or, of a search, the candidate of the final model, or else of the first run at the largest size.
    pub(crate) fn kept<'a>(&self, approach: &'a Approach) -> &'a Approach {
        let run = self.last_run.as_ref().or(self.runs.get(self.first));
        let chosen = run.and_then(|run| run.trials.iter().find(|trial| trial.chosen));
        let candidates = approach.search().map(|search| &search.candidates[..]).unwrap_or_default();
        let of = |spec: &str| candidates.iter().find(|candidate| candidate.spec == spec);
        chosen.and_then(|trial| of(&trial.approach)).unwrap_or(approach)
    }

    /// Returns what follows from the trials of a search.
    pub(crate) fn search(&self, search: &Search, context: &RunContext<'_>) -> SearchRecord {
        let (runs, last, metric) = (&self.runs[self.first..], self.last_run.as_ref(), context.settings.metric);
        search_record(search, runs, last, context.searches(), metric)
    }

    /// Returns the record without what only a training has; of `seeds` runs per sample, the first is that of the predictions.
    pub(crate) fn scored(
        &self,
        experiment: &Experiment,
        seeds: usize,
        sampling: &Sampling,
    ) -> Result<ApproachRecord, ExperimentError> {
        let Self { runs, curve, last, first, .. } = self;
        let scores = match curve.last() {
            Some(point) => point.scores.clone(),
            None => scores(last, experiment, sampling, sampling.largest()),
        };
        let mut record = ApproachRecord::default();
        record.approach.clone_from(&last.name);
        record.undertrained = last.undertrained();
        let mean = |metric: Scorer| scores.get(metric.name()).map(|estimate| estimate.mean);
        (record.accuracy, record.f1) = (mean(Scorer::Accuracy), mean(Scorer::F1).or(mean(Scorer::MacroF1)));
        record.loss = scores.mean(Scorer::Loss.name());
        record.f1_undefined = last.runs.iter().any(|run| run.f1_undefined);
        record.scores = scores;
        record.steps = runs.get(*first).map(|run| run.steps.clone()).unwrap_or_default();
        record.epochs = runs.get(*first).map(|run| run.epochs.clone()).unwrap_or_default();
        record.predictions = predictions(last, sampling, seeds);
        record.curve = curve.clone();
        record.diagnostics = diagnostics(last, sampling, experiment.seed())?;
        record.train_seconds = runs.iter().map(|run| run.train_seconds).sum();
        record.eval_seconds = runs.iter().map(|run| run.eval_seconds).sum();
        // A learner without epochs reads its examples once.
        let trained = runs.iter().map(|run| run.size * run.epochs.last().map_or(1, |epoch| epoch.epoch)).sum();
        // The time of a search is that of many trainings.
        let is_search = runs.iter().any(|run| !run.trials.is_empty());
        record.train_examples_per_second = per_second(trained, record.train_seconds).filter(|_| !is_search);
        record.eval_examples_per_second = per_second(evaluated(runs, sampling), record.eval_seconds);
        record.runs = runs.clone();
        Ok(record)
    }
}

/// Returns the number of evaluated examples: after every epoch the validation examples, and at last the test examples.
fn evaluated(runs: &[RunRecord], sampling: &Sampling) -> usize {
    let validation = sampling.samples[0].validation.len();
    runs.iter().map(|run| run.epochs.len() * validation + run.test).sum()
}

fn per_second(examples: usize, seconds: f64) -> Option<f64> {
    (examples > 0 && seconds > 0.0).then(|| examples as f64 / seconds)
}

/// Returns the prediction for every test example, by the first seed; with folds, of every example, by the first repeat.
fn predictions(results: &ApproachResults, sampling: &Sampling, seeds: usize) -> Vec<TargetRecord> {
    let first = results.runs.iter().step_by(seeds).filter(|run| sampling.samples[run.sample].repeat == 1);
    let mut by_row: Vec<(usize, TargetRecord)> = first
        .flat_map(|run| sampling.samples[run.sample].test.iter().copied().zip(records(&run.predictions)))
        .collect();
    by_row.sort_by_key(|(row, _)| *row);
    by_row.into_iter().map(|(_, prediction)| prediction).collect()
}

/// Returns the record of each target.
fn records(targets: &Targets) -> impl Iterator<Item = TargetRecord> + '_ {
    (0..targets.len()).map(|row| target_record(&targets.get(row)))
}

/// Returns the scores at a training size. The metric that ranks approaches has its earlier name, too, if it is not one of those
/// that every classification has.
pub(crate) fn scores(results: &ApproachResults, experiment: &Experiment, sampling: &Sampling, size: usize) -> Scores {
    let metrics = experiment.metrics(sampling);
    let mut scores = results.scores(sampling, size, experiment.seed(), &metrics);
    let ranking = experiment.metric(sampling);
    if sampling.all.task == Task::SingleLabel
        && !COMMON.contains(&ranking)
        && let Some(estimate) = scores.get(ranking.name())
    {
        scores.insert("other", estimate.clone());
    }
    scores
}
