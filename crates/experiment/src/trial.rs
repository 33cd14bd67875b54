//! One approach tried on one sample: a training and its test.

use std::collections::HashMap;
use std::time::Instant;

use burn::tensor::Device;
use rekindle_checkpoint::LoadReport;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Pooling};
use rekindle_train::{
    Checkpoints, EncodedDataset, Evaluation, Event, Features, Plan, TrainError, Trained, Training, TrainingArguments,
    evaluate,
};

use crate::adapt::adapt;
use crate::approach::Approach;
use crate::error::ExperimentError;
use crate::journal::{Finished, Journal};
use crate::model::PretrainedModel;
use crate::results::RunRecord;
use crate::run::{ClassWeights, Experiment, Progress, RunKey};
use crate::sampling::{Sample, Sampling};

/// What every approach is tried on.
pub(crate) struct Bench<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) pretrained: &'a PretrainedModel,
    pub(crate) sampling: &'a Sampling,
    pub(crate) sentences: EncodedDataset,
    pub(crate) config: DistilBertConfig,
    /// The model as it was loaded.
    pub(crate) model: DistilBertForSequenceClassification,
    pub(crate) report: LoadReport,
    pub(crate) device: &'a Device,
    /// Devices that batches are split over too.
    pub(crate) further: &'a [Device],
    /// What is done already, and where what is under way is kept.
    journal: Option<&'a Journal>,
    /// What the frozen base makes of all sentences, where many runs ask for it.
    features: HashMap<Pooling, Option<Features>>,
}

/// A finished trial.
pub(crate) struct Trial {
    pub(crate) record: RunRecord,
    pub(crate) evaluation: Evaluation,
    /// Where it is kept.
    pub(crate) model: Option<DistilBertForSequenceClassification>,
}

/// Which rows, with which seed.
#[derive(Clone, Copy)]
pub(crate) struct Draw<'a> {
    pub(crate) sample: &'a Sample,
    /// Of the training sentences of the sample.
    pub(crate) train: &'a [usize],
    pub(crate) seed: u64,
    /// The run's place in the experiment, from 0.
    pub(crate) number: usize,
}

impl Draw<'_> {
    pub(crate) fn key(&self) -> RunKey {
        let Sample { repeat, fold, .. } = *self.sample;
        RunKey { seed: self.seed, repeat, fold, size: self.train.len() }
    }
}

impl<'a> Bench<'a> {
    /// Reads the weights and tokenizes all sentences.
    pub(crate) fn new(
        experiment: &'a Experiment,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        device: &'a Device,
        journal: Option<&'a Journal>,
    ) -> Result<Self, ExperimentError> {
        let all = &sampling.all;
        let texts: Vec<&str> = all.examples.iter().map(|example| example.text.as_str()).collect();
        let ids = pretrained.tokenizer.encode_all(&texts, experiment.max_length)?;
        let sentences = EncodedDataset::new(ids, all.labels(), all.classes.len())
            .map_err(|source| ExperimentError::Train { approach: "data".into(), source })?;
        Self::on(device, sentences, experiment, pretrained, sampling, journal)
    }

    /// Reads the weights, where the sentences are tokenized already.
    pub(crate) fn on(
        device: &'a Device,
        sentences: EncodedDataset,
        experiment: &'a Experiment,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        journal: Option<&'a Journal>,
    ) -> Result<Self, ExperimentError> {
        let (config, model, report) = pretrained.load(sampling.all.classes.names(), experiment.seed(), device)?;
        let (further, features) = (&[][..], HashMap::new());
        Ok(Self {
            experiment,
            pretrained,
            sampling,
            sentences,
            config,
            model,
            report,
            device,
            further,
            journal,
            features,
        })
    }

    /// Where a run keeps its checkpoints.
    pub(crate) fn checkpoints(&self, draw: Draw<'_>) -> Option<Checkpoints> {
        self.journal.map(|journal| journal.checkpoints(draw.number))
    }

    /// A trained model, which a break does not lose.
    pub(crate) fn keep_model(
        &self,
        approach: &Approach,
        model: DistilBertForSequenceClassification,
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let model = model.merged();
        if let Some(journal) = self.journal {
            journal.save_model(&approach.name, &model)?;
        }
        Ok(model)
    }

    /// The trained model that was kept before a break.
    pub(crate) fn kept_model(
        &self,
        approach: &Approach,
    ) -> Result<Option<DistilBertForSequenceClassification>, ExperimentError> {
        let load = |journal: &Journal| journal.model(&approach.name, &self.config(approach), self.device);
        self.journal.map(load).transpose().map(Option::flatten)
    }

    /// The configuration of an approach's model.
    pub(crate) fn config(&self, approach: &Approach) -> DistilBertConfig {
        let classifier_pooling = approach.pooling.unwrap_or(self.config.classifier_pooling);
        DistilBertConfig { classifier_pooling, ..self.config.clone() }
    }

    /// The plan of an approach, and how many parameters it trains, of how many.
    pub(crate) fn plan(&self, approach: &Approach) -> Result<(Plan, usize, usize), ExperimentError> {
        let failed = |source| failed(approach, source);
        let plan = approach.plan(&self.config).map_err(failed)?;
        let (trainable, total) = plan.count(&plan.prepare(&self.model, 0).map_err(failed)?);
        Ok((plan, trainable, total))
    }

    /// The weights of the class in the training loss.
    pub(crate) fn class_weights(&self, train: &[usize]) -> Option<Vec<f64>> {
        match &self.experiment.class_weights {
            ClassWeights::Alike => None,
            ClassWeights::Given(weights) => Some(weights.clone()),
            ClassWeights::Balanced => {
                let mut counts = vec![0usize; self.config.num_labels()];
                self.sampling.labels(train).into_iter().for_each(|label| counts[label] += 1);
                let even = train.len() as f64 / counts.len() as f64;
                // A class that does not occur is never weighed.
                Some(counts.into_iter().map(|count| even / count.max(1) as f64).collect())
            }
        }
    }

    /// Trains on the rows drawn and tests on the sample's test rows, unless that was done before a break.
    pub(crate) fn trial(
        &mut self,
        approach: &Approach,
        plan: &Plan,
        draw: Draw<'_>,
        keeps: bool,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Trial, ExperimentError> {
        let finished = |journal: &'a Journal| journal.finished(draw.number).map(|done| Some((journal, done?)));
        if let Some((journal, done)) = self.journal.map(finished).transpose()?.flatten() {
            let test = self.sentences.select(&draw.sample.test);
            let evaluation = Evaluation::new(done.logits, test.labels(), self.config.num_labels());
            let evaluation = evaluation.map_err(|error| journal.damaged(draw.number, &error))?;
            observer(Progress::Restored(&done.record));
            let model = if keeps { self.kept_model(approach)? } else { None };
            return Ok(Trial { record: done.record, evaluation, model });
        }
        observer(Progress::Run { key: draw.key() });
        let mut trial = self.perform(approach, plan, draw, keeps, observer)?;
        if let Some(journal) = self.journal {
            let done = Finished { record: trial.record, logits: trial.evaluation.logits.clone() };
            journal.finish(draw.number, &done)?;
            trial.record = done.record;
        }
        observer(Progress::Tested(&trial.record));
        Ok(trial)
    }

    /// Trains on the rows drawn and tests on the sample's test rows.
    pub(crate) fn perform(
        &mut self,
        approach: &Approach,
        plan: &Plan,
        draw: Draw<'_>,
        keeps: bool,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Trial, ExperimentError> {
        let test = self.sentences.select(&draw.sample.test);
        let trained = self.train(approach, plan, draw, observer)?;
        let began = Instant::now();
        let evaluation = match trained.evaluation.filter(|_| draw.sample.validation.is_empty()) {
            Some(evaluation) => evaluation,
            None => {
                let (config, features) = (self.config(approach), self.features(approach, plan));
                let size = self.experiment.arguments.per_device_eval_batch_size;
                let mut observe = |event: &Event| observer(Progress::Training(event));
                evaluate(&trained.model, &config, &test, features, size, self.device, &mut observe)
                    .map_err(|source| failed(approach, source))?
            }
        };
        let RunKey { seed, repeat, fold, size } = draw.key();
        let record = RunRecord {
            seed,
            repeat,
            fold,
            size,
            test: test.len(),
            accuracy: evaluation.accuracy(),
            f1: evaluation.f1().value,
            loss: evaluation.loss,
            best_epoch: trained.best_epoch,
            steps: trained.steps,
            epochs: trained.epochs,
            train_seconds: trained.train_time.as_secs_f64(),
            eval_seconds: (trained.eval_time + began.elapsed()).as_secs_f64(),
        };
        let model = if keeps { Some(self.keep_model(approach, trained.model)?) } else { None };
        Ok(Trial { record, evaluation, model })
    }

    /// Trains on the rows drawn, evaluated on the validation rows where there are any, on the test rows otherwise.
    pub(crate) fn train(
        &mut self,
        approach: &Approach,
        plan: &Plan,
        draw: Draw<'_>,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Trained, ExperimentError> {
        if let Some(journal) = self.journal {
            journal.check_stop()?;
        }
        let failed = |source| failed(approach, source);
        let config = self.config(approach);
        let model = plan.prepare(&self.start(approach, &config, draw, observer)?, draw.seed).map_err(failed)?;
        self.remember_features(approach, plan, &model, observer).map_err(failed)?;
        let chooses = !draw.sample.validation.is_empty();
        let rows = if chooses { &draw.sample.validation } else { &draw.sample.test };
        let [train, evaluation] = [draw.train, rows].map(|rows| self.sentences.select(rows));
        let arguments = TrainingArguments {
            class_weights: self.class_weights(draw.train),
            load_best_model_at_end: chooses,
            ..approach.arguments(&self.experiment.arguments, draw.seed)
        };
        let training = Training::new(&config, plan, &train, &arguments, self.device)
            .evaluated_on(Some(&evaluation).filter(|data| !data.is_empty()))
            .with_features(self.features(approach, plan))
            .with_checkpoints(self.checkpoints(draw))
            .split_over(self.further);
        training.run(model, &mut |event| observer(Progress::Training(event))).map_err(failed)
    }

    /// What the frozen base of an approach makes of all sentences, where that was computed.
    fn features(&self, approach: &Approach, plan: &Plan) -> Option<&Features> {
        let known = plan.freezes_base() && approach.pretrain_epochs == 0;
        self.features.get(&self.config(approach).classifier_pooling)?.as_ref().filter(|_| known)
    }

    /// The model that a trial begins with: the base as it was loaded, or adapted to the training sentences, and a head
    /// that follows from the seed.
    fn start(
        &self,
        approach: &Approach,
        config: &DistilBertConfig,
        draw: Draw<'_>,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let mut model = match draw.seed == self.experiment.seed() {
            true => self.model.clone(),
            false => self.model.reinitialize(config, &self.report, draw.seed),
        };
        model.pooling = config.classifier_pooling;
        if approach.pretrain_epochs > 0 {
            model.distilbert = adapt(self, approach, draw, &mut |event| observer(Progress::Pretraining(event)))
                .map_err(|source| failed(approach, source))?;
        }
        Ok(model)
    }

    /// Computes the features of all sentences, once for all runs, where the base is the checkpoint's own and stays
    /// frozen, and more than one evaluation will ask for them.
    fn remember_features(
        &mut self,
        approach: &Approach,
        plan: &Plan,
        model: &DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), TrainError> {
        let worth = self.experiment.runs(self.sampling) > 1 && plan.freezes_base() && approach.pretrain_epochs == 0;
        if !worth || self.features.contains_key(&model.pooling) {
            return Ok(());
        }
        let total = self.sentences.len();
        let mut progress = |done| observer(Progress::Training(&Event::Extracting { done, total }));
        let size = self.experiment.arguments.per_device_eval_batch_size;
        let frozen = plan.track(model, 0);
        let features = Features::of(&frozen, &self.config, &self.sentences, size, self.device, &mut progress)?;
        self.features.insert(model.pooling, features);
        Ok(())
    }
}

fn failed(approach: &Approach, source: TrainError) -> ExperimentError {
    ExperimentError::Train { approach: approach.name.clone(), source }
}
