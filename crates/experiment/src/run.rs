//! One run: a learner learns, and what it has learned is tested.

use std::ops::ControlFlow;
use std::time::Instant;

use rekindle_metrics::{ConfusionMatrix, Scorer};
use rekindle_results::{RunKey, RunRecord};
use rekindle_train::{Evaluation, TrainError};

use crate::approach_results::RunResult;
use crate::error::ExperimentError;
use crate::experiment_store::FinishedRun;
use crate::learner::{Fitted, Learner};
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;
use crate::undertrained::is_undertrained;

/// A run that was computed or restored: its record, its result, and the model if it is kept.
type Run = (RunRecord, RunResult, Option<TrainedModel>);

impl RunContext<'_> {
    /// Restores a run from the store, or computes and records it.
    pub(crate) fn run(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Run, ExperimentError> {
        if let Some(run) = self.restore(spec, observer)? {
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

    /// Returns a run that is in the store.
    fn restore(&self, spec: &RunSpec, observer: &mut dyn FnMut(Progress<'_>)) -> Result<Option<Run>, ExperimentError> {
        let Some(store) = self.store else { return Ok(None) };
        let Some(FinishedRun { record, logits }) = store.finished(spec.number)? else { return Ok(None) };
        let result = self.result(spec, &record, logits).map_err(|error| store.damaged(spec.number, &error))?;
        observer(Progress::RunRestored(&record));
        let model = if spec.keeps_model { self.stored_model(spec)? } else { None };
        Ok(Some((record, result, model)))
    }

    /// Returns the result of a run from the logits of its test examples.
    fn result(&self, spec: &RunSpec, record: &RunRecord, logits: Vec<f32>) -> Result<RunResult, TrainError> {
        let test = self.examples.select(&spec.rows.test);
        let (train, classes) = (self.sampling.labels(&spec.rows.train), self.config.num_labels());
        let weights = self.class_weights(&spec.rows.train);
        let evaluation = Evaluation::new(logits, test.labels(), classes)?;
        let metric = match self.settings.metric.of_classes(classes) {
            Scorer::Accuracy => record.accuracy,
            Scorer::F1 => record.f1,
            Scorer::Loss => record.loss,
            metric => {
                metric.score(&ConfusionMatrix::new(test.labels(), &evaluation.predictions, classes)?, record.loss)
            }
        };
        Ok(RunResult {
            sample: spec.sample.unwrap_or_default(),
            undertrained: is_undertrained(record, &train, test.labels(), weights.as_deref(), classes),
            probabilities: evaluation.probabilities(),
            f1_undefined: evaluation.f1().zero_division,
            predictions: evaluation.predictions,
            accuracy: record.accuracy,
            f1: record.f1,
            loss: record.loss,
            metric,
        })
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
        let evaluation =
            Evaluation::new(logits, test.labels(), self.config.num_labels()).map_err(|source| spec.failed(source))?;
        let RunKey { seed, repeat, fold, size } = spec.key();
        (record.seed, record.repeat, record.fold, record.size) = (seed, repeat, fold, size);
        record.test = test.len();
        (record.accuracy, record.f1, record.loss) = (evaluation.accuracy(), evaluation.f1().value, evaluation.loss);
        record.eval_seconds += began.elapsed().as_secs_f64();
        let model = if spec.keeps_model { predictor.into_model() } else { None };
        let model = model.map(|model| self.keep_model(spec, model)).transpose()?;
        Ok((FinishedRun { record, logits: evaluation.logits }, model))
    }

    /// Restores or trains the final model of an approach.
    pub(crate) fn final_model(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Option<TrainedModel>, ExperimentError> {
        if let Some(model) = self.stored_model(spec)? {
            return Ok(Some(model));
        }
        let fitted = self.fit(learner, spec, observer)?;
        fitted.predictor.into_model().map(|model| self.keep_model(spec, model)).transpose()
    }

    fn fit(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        if let Some(store) = self.store {
            store.check_stop()?;
        }
        learner.fit(self, spec, observer)
    }

    /// Stores a trained model for the case of an interruption.
    fn keep_model(&self, spec: &RunSpec, model: TrainedModel) -> Result<TrainedModel, ExperimentError> {
        if let Some(store) = self.store {
            store.save_model(&spec.name, &model)?;
        }
        Ok(model)
    }

    /// Returns the trained model that was stored before an interruption.
    pub(crate) fn stored_model(&self, spec: &RunSpec) -> Result<Option<TrainedModel>, ExperimentError> {
        self.store.map(|store| store.model(&spec.name, self.device)).transpose().map(Option::flatten)
    }
}
