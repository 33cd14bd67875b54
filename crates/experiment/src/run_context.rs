//! One run: an approach learns, and is tested.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::Device;
use rekindle_checkpoint::LoadReport;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Pooling};
use rekindle_infer::PretrainedModel;
use rekindle_results::{RunKey, RunRecord};
use rekindle_train::{Checkpoints, EncodedDataset, Evaluation, Event, PooledFeatures, Stop, TrainError};

use crate::approach::{Approach, Fitted};
use crate::approach_results::RunResult;
use crate::embeddings::{Embeddings, Request};
use crate::error::ExperimentError;
use crate::experiment::{ClassWeights, Experiment};
use crate::experiment_store::{ExperimentStore, FinishedRun};
use crate::progress::{Observer, Progress};
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;
use crate::trained_model::TrainedModel;
use crate::undertrained::is_undertrained;

/// What all runs share on a device.
pub(crate) struct RunContext<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) pretrained: &'a PretrainedModel,
    pub(crate) sampling: &'a Sampling,
    /// Runs per approach.
    pub(crate) runs: usize,
    /// All examples, tokenized.
    pub(crate) examples: EncodedDataset,
    pub(crate) config: DistilBertConfig,
    /// The model as it was loaded.
    pub(crate) model: DistilBertForSequenceClassification,
    pub(crate) report: LoadReport,
    pub(crate) device: &'a Device,
    /// More devices that batches are split over.
    pub(crate) further: &'a [Device],
    /// Finished runs, and the checkpoints of the current one.
    store: Option<&'a ExperimentStore>,
    /// The features of all examples by the frozen encoder, if several runs need them.
    features: HashMap<Pooling, Option<PooledFeatures>>,
    /// The embeddings of examples by the frozen encoder, for approaches that do not train it.
    pub(crate) embeddings: Embeddings,
}

/// A run that was computed or restored: its record, its result, and the model if it is kept.
type Run = (RunRecord, RunResult, Option<TrainedModel>);

impl<'a> RunContext<'a> {
    /// Loads the weights and tokenizes all examples.
    pub(crate) fn new(
        experiment: &'a Experiment,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        runs: usize,
        device: &'a Device,
        store: Option<&'a ExperimentStore>,
    ) -> Result<Self, ExperimentError> {
        let all = &sampling.all;
        let texts: Vec<&str> = all.examples.iter().map(|example| example.text.as_str()).collect();
        let ids = pretrained.tokenizer.encode_all(&texts, experiment.max_length)?;
        let examples = EncodedDataset::new(ids, all.labels(), all.classes.len()).map_err(ExperimentError::Examples)?;
        Self::on(device, examples, experiment, pretrained, sampling, runs, store)
    }

    /// Loads the weights for examples that are tokenized already.
    pub(crate) fn on(
        device: &'a Device,
        examples: EncodedDataset,
        experiment: &'a Experiment,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        runs: usize,
        store: Option<&'a ExperimentStore>,
    ) -> Result<Self, ExperimentError> {
        let (config, model, report) = pretrained.load(sampling.all.classes.names(), experiment.seed(), device)?;
        let (further, features) = (&[][..], HashMap::new());
        Ok(Self {
            experiment,
            pretrained,
            sampling,
            runs,
            examples,
            config,
            model,
            report,
            device,
            further,
            store,
            features,
            embeddings: Embeddings::default(),
        })
    }

    /// Where a run keeps its checkpoints.
    pub(crate) fn checkpoints(&self, spec: &RunSpec) -> Option<Checkpoints> {
        self.store.map(|store| store.checkpoints(spec.number))
    }

    /// Returns the request to stop the experiment.
    pub(crate) fn stop(&self) -> Stop {
        self.store.map(ExperimentStore::stop).unwrap_or_default()
    }

    /// Stores a trained model for the case of an interruption.
    fn keep_model(&self, approach: &Approach, model: TrainedModel) -> Result<TrainedModel, ExperimentError> {
        if let Some(store) = self.store {
            store.save_model(&approach.name, &model)?;
        }
        Ok(model)
    }

    /// Returns the trained model that was stored before an interruption.
    pub(crate) fn stored_model(&self, approach: &Approach) -> Result<Option<TrainedModel>, ExperimentError> {
        self.store.map(|store| store.model(&approach.name, self.device)).transpose().map(Option::flatten)
    }

    /// Returns the weight of each class in the training loss.
    pub(crate) fn class_weights(&self, train: &[usize]) -> Option<Vec<f64>> {
        match &self.experiment.class_weights {
            ClassWeights::Equal => None,
            ClassWeights::Given(weights) => Some(weights.clone()),
            ClassWeights::Balanced => {
                let mut counts = vec![0usize; self.config.num_labels()];
                self.sampling.labels(train).into_iter().for_each(|label| counts[label] += 1);
                let even = train.len() as f64 / counts.len() as f64;
                // The weight of a class that does not occur is never used.
                Some(counts.into_iter().map(|count| even / count.max(1) as f64).collect())
            }
        }
    }

    /// Restores a run from the store, or computes and records it.
    pub(crate) fn run(
        &mut self,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Run, ExperimentError> {
        if let Some(run) = self.restore(spec, observer)? {
            return Ok(run);
        }
        observer(Progress::RunStarted { key: spec.key() });
        let (mut finished, model) = self.compute(spec, &mut |event| {
            observer(event);
            ControlFlow::Continue(())
        })?;
        if let Some(store) = self.store {
            store.finish(spec.number, &finished)?;
        }
        let logits = std::mem::take(&mut finished.logits);
        let result = self
            .result(spec, &finished.record, logits)
            .map_err(|source| spec.approach(self.experiment).failed(source))?;
        observer(Progress::RunFinished(&finished.record));
        Ok((finished.record, result, model))
    }

    /// Returns a run that is in the store.
    fn restore(&self, spec: &RunSpec, observer: &mut dyn FnMut(Progress<'_>)) -> Result<Option<Run>, ExperimentError> {
        let Some(store) = self.store else { return Ok(None) };
        let Some(FinishedRun { record, logits }) = store.finished(spec.number)? else { return Ok(None) };
        let result = self.result(spec, &record, logits).map_err(|error| store.damaged(spec.number, &error))?;
        observer(Progress::RunRestored(&record));
        let model = if spec.keeps_model { self.stored_model(spec.approach(self.experiment))? } else { None };
        Ok(Some((record, result, model)))
    }

    /// Returns the result of a run from the logits of its test examples.
    fn result(&self, spec: &RunSpec, record: &RunRecord, logits: Vec<f32>) -> Result<RunResult, TrainError> {
        let test = self.examples.select(&spec.rows.test);
        let (train, classes) = (self.sampling.labels(&spec.rows.train), self.config.num_labels());
        let weights = self.class_weights(&spec.rows.train);
        let evaluation = Evaluation::new(logits, test.labels(), classes)?;
        Ok(RunResult {
            sample: spec.sample.unwrap_or_default(),
            undertrained: is_undertrained(record, &train, test.labels(), weights.as_deref(), classes),
            probabilities: evaluation.probabilities(),
            f1_undefined: evaluation.f1().zero_division,
            predictions: evaluation.predictions,
            accuracy: record.accuracy,
            f1: record.f1,
            loss: record.loss,
        })
    }

    /// Learns from the training examples of a run and tests on its test examples.
    pub(crate) fn compute(
        &mut self,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<(FinishedRun, Option<TrainedModel>), ExperimentError> {
        let approach = spec.approach(self.experiment);
        let Fitted { predictor, mut record } = self.fit(spec, observer)?;
        let (began, test) = (Instant::now(), self.examples.select(&spec.rows.test));
        let logits = predictor.logits(self, &spec.rows.test, observer)?;
        let evaluation = Evaluation::new(logits, test.labels(), self.config.num_labels())
            .map_err(|source| approach.failed(source))?;
        let RunKey { seed, repeat, fold, size } = spec.key();
        (record.seed, record.repeat, record.fold, record.size) = (seed, repeat, fold, size);
        record.test = test.len();
        (record.accuracy, record.f1, record.loss) = (evaluation.accuracy(), evaluation.f1().value, evaluation.loss);
        record.eval_seconds += began.elapsed().as_secs_f64();
        let model = if spec.keeps_model { predictor.into_model() } else { None };
        let model = model.map(|model| self.keep_model(approach, model)).transpose()?;
        Ok((FinishedRun { record, logits: evaluation.logits }, model))
    }

    /// Restores or trains the final model of an approach.
    pub(crate) fn final_model(
        &mut self,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Option<TrainedModel>, ExperimentError> {
        let approach = spec.approach(self.experiment);
        if let Some(model) = self.stored_model(approach)? {
            return Ok(Some(model));
        }
        let fitted = self.fit(spec, observer)?;
        fitted.predictor.into_model().map(|model| self.keep_model(approach, model)).transpose()
    }

    fn fit(&mut self, spec: &RunSpec, observer: &mut Observer<'_>) -> Result<Fitted, ExperimentError> {
        if let Some(store) = self.store {
            store.check_stop()?;
        }
        spec.approach(self.experiment).learner.fit(self, spec, observer)
    }

    /// Computes the embeddings of a request that are not known yet.
    pub(crate) fn embed(&mut self, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        let stop = self.stop();
        let mut progress = |done, total| {
            let flow = observer(Progress::Training(&Event::Extracting { done, total }));
            if stop.is_requested() { ControlFlow::Break(()) } else { flow }
        };
        let size = self.experiment.arguments.per_device_eval_batch_size;
        let (encoder, on) = (&self.model.distilbert, (size, self.device));
        self.embeddings.compute(encoder, &self.config, &self.examples, request, on, &mut progress)
    }

    /// Returns the pooled features of all examples by the frozen encoder, if they are computed.
    pub(crate) fn features(&self, pooling: Pooling) -> Option<&PooledFeatures> {
        self.features.get(&pooling)?.as_ref()
    }

    /// Computes the features of all examples by a frozen model once for all runs, if there are several.
    pub(crate) fn remember_features(
        &mut self,
        frozen: &DistilBertForSequenceClassification,
        observer: &mut Observer<'_>,
    ) -> Result<(), TrainError> {
        if self.runs <= 1 || self.features.contains_key(&frozen.pooling) {
            return Ok(());
        }
        let total = self.examples.len();
        let mut progress = |done| observer(Progress::Training(&Event::Extracting { done, total }));
        let size = self.experiment.arguments.per_device_eval_batch_size;
        let features = PooledFeatures::of(frozen, &self.config, &self.examples, size, self.device, &mut progress)?;
        self.features.insert(frozen.pooling, features);
        Ok(())
    }
}
