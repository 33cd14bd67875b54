//! One run: a learner learns, and what it has learned is tested.

use std::ops::ControlFlow;
use std::time::Instant;

use rekindle_data::{Target, Targets};
use rekindle_encoders::EncoderConfig;
use rekindle_infer::OutputFunction;
use rekindle_metrics::{Average, Scorer};
use rekindle_results::{RunKey, RunRecord};
use rekindle_train::{Evaluation, TrainError, predicted};

use crate::approach_results::{COMMON, RunResult, metrics};
use crate::error::ExperimentError;
use crate::experiment_store::FinishedRun;
use crate::held_out::{calibrated, scaling};
use crate::learner::{Fitted, Learner, Predictor};
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;
use crate::undertrained::is_undertrained;

/// A run that was computed or restored: its record, its result, and the model if it is kept.
type Run = (RunRecord, RunResult, Option<TrainedModel>);

impl RunResult {
    /// Returns the result of a trained run on the first sample, from the logits of its test examples.
    pub(crate) fn new(logits: Vec<f32>, test: &Targets, config: &EncoderConfig) -> Result<Self, TrainError> {
        let (problem, outputs) = (&config.problem, config.num_labels());
        let rows = || logits.chunks(outputs);
        let predictions: Vec<Target> = rows().map(|row| predicted(problem, row)).collect();
        let scores = rows().flat_map(|row| OutputFunction::of(config).apply(row)).collect();
        let outcome = Evaluation::new(logits, test, outputs, problem)?.outcome;
        let f1_undefined =
            outcome.confusion().is_some_and(|confusion| confusion.f1(Average::usual(outputs)).zero_division);
        let predictions = Targets::collect(&predictions);
        let uncalibrated = Vec::new();
        Ok(Self { sample: 0, outcome, predictions, scores, uncalibrated, f1_undefined, undertrained: false })
    }
}

/// Fills the scores of a run.
pub(crate) fn add_scores(record: &mut RunRecord, evaluation: &Evaluation, metrics: Vec<Scorer>) {
    [record.accuracy, record.f1] = evaluation.accuracy_and_f1().map_or([None; 2], |scores| scores.map(Some));
    record.loss = evaluation.loss;
    let further = metrics.into_iter().filter(|metric| !COMMON.contains(metric));
    record.metrics = further.map(|metric| (metric.name().into(), evaluation.outcome.score(metric))).collect();
}

impl RunContext<'_> {
    /// Restores a run from the store, or computes and records it.
    pub(crate) fn run(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Run, ExperimentError> {
        if let Some(run) = self.restore(spec, observer)? {
            self.spending.restore_search(run.0.train_seconds + run.0.eval_seconds);
            return Ok(run);
        }
        observer(Progress::RunStarted { key: spec.key() });
        let (mut finished, model) = self.compute(learner, spec, &mut |event| {
            observer(event);
            ControlFlow::Continue(())
        })?;
        if let Some(store) = self.store {
            store.finish(spec.number, &finished)?;
        }
        let logits = std::mem::take(&mut finished.logits);
        let result = self.result(spec, &finished.record, logits).map_err(|source| spec.failed(source))?;
        observer(Progress::RunFinished(&finished.record));
        Ok((finished.record, result, model))
    }

    /// Returns a run that is in the store; nothing if its model is to be kept and is lost.
    fn restore(&self, spec: &RunSpec, observer: &mut dyn FnMut(Progress<'_>)) -> Result<Option<Run>, ExperimentError> {
        let Some(store) = self.store else { return Ok(None) };
        let Some(FinishedRun { record, logits }) = store.finished(spec.number)? else { return Ok(None) };
        let model = if spec.keeps_model { self.stored_model(spec)? } else { None };
        if spec.keeps_model && model.is_none() {
            return Ok(None);
        }
        let result = self.result(spec, &record, logits).map_err(|error| store.damaged(spec.number, &error))?;
        observer(Progress::RunRestored(&record));
        Ok(Some((record, result, model)))
    }

    /// Returns the result of a run from the logits of its test examples.
    fn result(&self, spec: &RunSpec, record: &RunRecord, logits: Vec<f32>) -> Result<RunResult, TrainError> {
        let (train, test) = (self.sampling.targets(&spec.rows.train), self.sampling.targets(&spec.rows.test));
        let weights = self.class_weights(&spec.rows.train);
        let config = self.config.clone().with_problem(self.problem(record));
        let undertrained = is_undertrained(record, &train, &test, weights.as_deref(), &config);
        let sample = spec.sample.unwrap_or_default();
        let apply = |row| OutputFunction::of(&config).apply(row);
        let uncalibrated = match record.calibration {
            Some(_) => logits.chunks(config.num_labels()).flat_map(apply).collect(),
            None => Vec::new(),
        };
        let result = RunResult::new(calibrated(record, logits), &test, &config)?;
        Ok(RunResult { sample, undertrained, uncalibrated, ..result })
    }

    /// Learns from the training examples of a run and tests on its test examples.
    pub(crate) fn compute(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<(FinishedRun, Option<TrainedModel>), ExperimentError> {
        let Fitted { predictor, mut record } = self.fit(learner, spec, observer)?;
        let (began, test) = (Instant::now(), self.examples.select(&spec.rows.test));
        let logits = predictor.logits(self, &spec.rows.test, observer)?;
        let calibrated = calibrated(&record, logits.clone());
        let evaluation = Evaluation::new(calibrated, test.targets(), self.config.num_labels(), &self.problem(&record))
            .map_err(|source| spec.failed(source))?;
        let RunKey { seed, repeat, fold, size } = spec.key();
        (record.seed, record.repeat, record.fold, record.size) = (seed, repeat, fold, size);
        record.test = test.len();
        add_scores(&mut record, &evaluation, metrics(self.sampling.kind(), self.settings.metric));
        record.eval_seconds += began.elapsed().as_secs_f64();
        let model = if spec.keeps_model { self.keep_model(spec, &record, predictor)? } else { None };
        Ok((FinishedRun { record, logits }, model))
    }

    /// Restores or trains the final model of an approach. Returns the record of its training, too.
    pub(crate) fn final_model(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<(RunRecord, Option<TrainedModel>), ExperimentError> {
        // The record is stored after the model. If the model is lost, it is trained again.
        if let Some(run) = self.store.map(|store| store.finished(spec.number)).transpose()?.flatten()
            && let Some(model) = self.stored_model(spec)?
        {
            return Ok((run.record, Some(model)));
        }
        let Fitted { predictor, record } = self.fit(learner, spec, observer)?;
        let model = self.keep_model(spec, &record, predictor)?;
        if let Some(store) = self.store {
            store.finish(spec.number, &FinishedRun { record: record.clone(), logits: Vec::new() })?;
        }
        Ok((record, model))
    }

    /// Learns from the training examples of a run, and chooses what is chosen on held-out examples.
    fn fit(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        if let Some(store) = self.store {
            store.check_stop()?;
        }
        let Fitted { predictor, mut record } = learner.fit(self, spec, observer)?;
        // Its time is neither that of the training of this model nor that of its test.
        self.choose(learner, &*predictor, spec, &mut record, observer)?;
        Ok(Fitted { predictor, record })
    }

    /// Returns the trained model of a run, with what was chosen for it, and stores it for the case of an interruption.
    fn keep_model(
        &self,
        spec: &RunSpec,
        record: &RunRecord,
        predictor: Box<dyn Predictor>,
    ) -> Result<Option<TrainedModel>, ExperimentError> {
        let scaling = record.calibration.as_ref().map(scaling);
        let Some(model) = predictor.into_model(scaling.as_ref())? else { return Ok(None) };
        let model = model.with_problem(self.problem(record));
        if let Some(store) = self.store {
            store.save_model(&spec.name, &model)?;
        }
        Ok(Some(model))
    }

    /// Returns the trained model that was stored before an interruption.
    pub(crate) fn stored_model(&self, spec: &RunSpec) -> Result<Option<TrainedModel>, ExperimentError> {
        self.store.map(|store| store.model(&spec.name, self.device)).transpose().map(Option::flatten)
    }
}
