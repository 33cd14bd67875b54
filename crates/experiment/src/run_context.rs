//! One run: a training and its test.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::Device;
use rekindle_checkpoint::LoadReport;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Pooling};
use rekindle_infer::PretrainedModel;
use rekindle_results::{EpochRecord, RunKey, RunRecord, StepRecord};
use rekindle_train::{
    Checkpoints, Classification, EncodedDataset, Evaluation, Event, PooledFeatures, Stop, TrainError, Trained, Trainer,
    TrainingArguments, TuningPlan, evaluate,
};

use crate::adapt::adapt;
use crate::approach::Approach;
use crate::approach_results::RunResult;
use crate::error::ExperimentError;
use crate::experiment::{ClassWeights, Experiment};
use crate::experiment_store::{ExperimentStore, FinishedRun};
use crate::progress::Progress;
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;

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
}

/// A run that was computed or restored: its record, its result, and the model if it is kept.
type Run = (RunRecord, RunResult, Option<DistilBertForSequenceClassification>);

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

    /// Returns a trained model without adapters, and stores it for the case of an interruption.
    pub(crate) fn keep_model(
        &self,
        approach: &Approach,
        model: DistilBertForSequenceClassification,
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let model = model.merged();
        if let Some(store) = self.store {
            store.save_model(&approach.name, &model)?;
        }
        Ok(model)
    }

    /// Returns the trained model that was stored before an interruption.
    pub(crate) fn stored_model(
        &self,
        approach: &Approach,
    ) -> Result<Option<DistilBertForSequenceClassification>, ExperimentError> {
        let load = |store: &ExperimentStore| store.model(&approach.name, &self.config(approach), self.device);
        self.store.map(load).transpose().map(Option::flatten)
    }

    /// Returns the configuration of an approach's model.
    pub(crate) fn config(&self, approach: &Approach) -> DistilBertConfig {
        let classifier_pooling = approach.pooling.unwrap_or(self.config.classifier_pooling);
        DistilBertConfig { classifier_pooling, ..self.config.clone() }
    }

    /// Returns the plan of an approach, and the numbers of trainable and of all parameters.
    pub(crate) fn plan(&self, approach: &Approach) -> Result<(TuningPlan, usize, usize), ExperimentError> {
        let failed = |source| failed(approach, source);
        let plan = approach.plan(&self.config).map_err(failed)?;
        let (trainable, total) = plan.count(&plan.prepare(&self.model, 0).map_err(failed)?);
        Ok((plan, trainable, total))
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
        plan: &TuningPlan,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Run, ExperimentError> {
        if let Some(run) = self.restore(spec, observer)? {
            return Ok(run);
        }
        observer(Progress::RunStarted { key: spec.key() });
        let (mut finished, model) = self.compute(plan, spec, observer)?;
        if let Some(store) = self.store {
            store.finish(spec.number, &finished)?;
        }
        let logits = std::mem::take(&mut finished.logits);
        let result = self
            .result(spec, &finished.record, logits)
            .map_err(|source| failed(spec.approach(self.experiment), source))?;
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
        let evaluation = Evaluation::new(logits, test.labels(), self.config.num_labels())?;
        Ok(RunResult {
            sample: spec.sample.unwrap_or_default(),
            probabilities: evaluation.probabilities(),
            f1_undefined: evaluation.f1().zero_division,
            predictions: evaluation.predictions,
            accuracy: record.accuracy,
            f1: record.f1,
            loss: record.loss,
        })
    }

    /// Trains on the training examples of a run and tests on its test examples.
    pub(crate) fn compute(
        &mut self,
        plan: &TuningPlan,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(FinishedRun, Option<DistilBertForSequenceClassification>), ExperimentError> {
        let approach = spec.approach(self.experiment);
        let test = self.examples.select(&spec.rows.test);
        let trained = self.train(plan, spec, observer)?;
        let began = Instant::now();
        let evaluation = match trained.evaluation.filter(|_| spec.rows.validation.is_empty()) {
            Some(evaluation) => evaluation,
            None => {
                let (config, features) = (self.config(approach), self.features(approach, plan));
                let size = self.experiment.arguments.per_device_eval_batch_size;
                let mut observe = |event: &Event| {
                    observer(Progress::Training(event));
                    ControlFlow::Continue(())
                };
                evaluate(&trained.model, &config, &test, features, size, self.device, &mut observe)
                    .map_err(|source| failed(approach, source))?
            }
        };
        let mut record = RunRecord::default();
        let RunKey { seed, repeat, fold, size } = spec.key();
        (record.seed, record.repeat, record.fold, record.size) = (seed, repeat, fold, size);
        record.test = test.len();
        (record.accuracy, record.f1, record.loss) = (evaluation.accuracy(), evaluation.f1().value, evaluation.loss);
        record.best_epoch = trained.best_epoch;
        record.steps = trained.steps.iter().map(step_record).collect();
        record.epochs = trained.epochs.iter().map(epoch_record).collect();
        record.train_seconds = trained.train_time.as_secs_f64();
        record.eval_seconds = (trained.eval_time + began.elapsed()).as_secs_f64();
        let model = if spec.keeps_model { Some(self.keep_model(approach, trained.model)?) } else { None };
        Ok((FinishedRun { record, logits: evaluation.logits }, model))
    }

    /// Restores or trains the final model of an approach.
    pub(crate) fn final_model(
        &mut self,
        plan: &TuningPlan,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let approach = spec.approach(self.experiment);
        match self.stored_model(approach)? {
            Some(model) => Ok(model),
            None => {
                let trained = self.train(plan, spec, observer)?;
                self.keep_model(approach, trained.model)
            }
        }
    }

    /// Trains on the training examples of a run. Epochs are evaluated on the validation examples if there are any, otherwise
    /// on the test examples.
    fn train(
        &mut self,
        plan: &TuningPlan,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Trained<DistilBertForSequenceClassification, Evaluation>, ExperimentError> {
        if let Some(store) = self.store {
            store.check_stop()?;
        }
        let approach = spec.approach(self.experiment);
        let failed = |source| failed(approach, source);
        let config = self.config(approach);
        let model = plan.prepare(&self.start(&config, spec, observer)?, spec.seed).map_err(failed)?;
        self.remember_features(approach, plan, &model, observer).map_err(failed)?;
        let rows = &*spec.rows;
        let has_validation = !rows.validation.is_empty();
        let evaluated = if has_validation { &rows.validation } else { &rows.test };
        let [train, evaluation] = [&rows.train, evaluated].map(|rows| self.examples.select(rows));
        let arguments = TrainingArguments {
            class_weights: self.class_weights(&rows.train),
            load_best_model_at_end: has_validation,
            ..approach.arguments(&self.experiment.arguments, spec.seed)
        };
        let objective = Classification::new(&config, &train)
            .evaluated_on(Some(&evaluation).filter(|data| !data.is_empty()))
            .with_features(self.features(approach, plan));
        let trainer = Trainer::new(objective, plan, &arguments, self.device)
            .with_checkpoints(self.checkpoints(spec))
            .with_stop(self.stop())
            .split_over(self.further);
        let mut observe = |event: &Event| {
            observer(Progress::Training(event));
            ControlFlow::Continue(())
        };
        trainer.run(model, &mut observe).map_err(failed)
    }

    /// Returns the features of all examples by the frozen encoder of an approach, if they are computed.
    fn features(&self, approach: &Approach, plan: &TuningPlan) -> Option<&PooledFeatures> {
        let known = plan.freezes_encoder() && approach.pretrain_epochs == 0;
        self.features.get(&self.config(approach).classifier_pooling)?.as_ref().filter(|_| known)
    }

    /// Returns the model that a run starts from: the loaded encoder, or one adapted to the training texts, and a head that is
    /// initialised by the seed.
    fn start(
        &self,
        config: &DistilBertConfig,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let approach = spec.approach(self.experiment);
        let mut model = match spec.seed == self.experiment.seed() {
            true => self.model.clone(),
            false => self.model.reinitialize(config, &self.report, spec.seed),
        };
        model.pooling = config.classifier_pooling;
        if approach.pretrain_epochs > 0 {
            model.distilbert = adapt(self, spec, &mut |event| {
                observer(Progress::Pretraining(event));
                ControlFlow::Continue(())
            })
            .map_err(|source| failed(approach, source))?;
        }
        Ok(model)
    }

    /// Computes the features of all examples once for all runs, if the encoder is frozen and more than one run needs them.
    fn remember_features(
        &mut self,
        approach: &Approach,
        plan: &TuningPlan,
        model: &DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), TrainError> {
        let needed = self.runs > 1 && plan.freezes_encoder() && approach.pretrain_epochs == 0;
        if !needed || self.features.contains_key(&model.pooling) {
            return Ok(());
        }
        let total = self.examples.len();
        let mut progress = |done| {
            observer(Progress::Training(&Event::Extracting { done, total }));
            ControlFlow::Continue(())
        };
        let size = self.experiment.arguments.per_device_eval_batch_size;
        let frozen = plan.apply(model, 0);
        let features = PooledFeatures::of(&frozen, &self.config, &self.examples, size, self.device, &mut progress)?;
        self.features.insert(model.pooling, features);
        Ok(())
    }
}

/// Returns the record of a training step.
pub(crate) fn step_record(step: &rekindle_train::StepRecord) -> StepRecord {
    StepRecord::new(step.step, step.epoch, step.loss, step.grad_norm, step.learning_rate)
}

fn epoch_record(epoch: &rekindle_train::EpochRecord) -> EpochRecord {
    EpochRecord::new(
        epoch.epoch,
        epoch.train_loss,
        epoch.eval_loss,
        epoch.accuracy.unwrap_or(f64::NAN),
        epoch.f1.unwrap_or(f64::NAN),
    )
}

fn failed(approach: &Approach, source: TrainError) -> ExperimentError {
    ExperimentError::Train { approach: approach.name.clone(), source }
}
