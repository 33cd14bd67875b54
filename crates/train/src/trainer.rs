//! The training loop.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::best::Best;
use crate::checkpoints::Checkpoints;
use crate::dataset::EncodedDataset;
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::event::{EpochRecord, Event, StepRecord};
use crate::features::Features;
use crate::history::{History, Planned};
use crate::optimizer::AdamW;
use crate::plan::Plan;
use crate::replicas::Replicas;

/// A training: what learns, from what, and how.
#[derive(Debug)]
pub struct Training<'a> {
    pub(crate) config: &'a DistilBertConfig,
    pub(crate) plan: &'a Plan,
    pub(crate) train: &'a EncodedDataset,
    pub(crate) evaluation: Option<&'a EncodedDataset>,
    pub(crate) arguments: &'a TrainingArguments,
    features: Option<&'a Features>,
    pub(crate) checkpoints: Option<Checkpoints>,
    pub(crate) device: &'a Device,
    /// Further devices, which take their share of every batch.
    further: &'a [Device],
}

/// What a training leaves.
#[derive(Debug)]
pub struct Trained {
    /// The model after the last step; of the best epoch, where the arguments ask for that. Adapters are not merged yet.
    pub model: DistilBertForSequenceClassification,
    /// The evaluation of this model.
    pub evaluation: Option<Evaluation>,
    /// From 1: the epoch that this model comes from.
    pub best_epoch: usize,
    /// Every step, in order.
    pub steps: Vec<StepRecord>,
    /// Every epoch that was evaluated, in order.
    pub epochs: Vec<EpochRecord>,
    /// Time in training steps, those before a break among them.
    pub train_time: Duration,
    /// Time in evaluations.
    pub eval_time: Duration,
}

impl<'a> Training<'a> {
    /// The training of what `plan` says, in the model of `config`, on the sentences `train`, by `arguments`, on `device`;
    /// without evaluations.
    pub fn new(
        config: &'a DistilBertConfig,
        plan: &'a Plan,
        train: &'a EncodedDataset,
        arguments: &'a TrainingArguments,
        device: &'a Device,
    ) -> Self {
        let (evaluation, features, checkpoints, further) = (None, None, None, &[][..]);
        Self { config, plan, train, evaluation, arguments, features, checkpoints, device, further }
    }

    /// With an evaluation on these sentences after every epoch.
    pub fn evaluated_on(self, data: impl Into<Option<&'a EncodedDataset>>) -> Self {
        Self { evaluation: data.into(), ..self }
    }

    /// With what a frozen base makes of the sentences, where that is known already; otherwise it is computed when it pays.
    pub fn with_features(self, features: impl Into<Option<&'a Features>>) -> Self {
        Self { features: features.into(), ..self }
    }

    /// With a place to keep what it takes to go on after a break; without, a break loses it.
    pub fn with_checkpoints(self, checkpoints: impl Into<Option<Checkpoints>>) -> Self {
        Self { checkpoints: checkpoints.into(), ..self }
    }

    /// With each batch split over these devices too, and the gradients averaged on the first one, which steps and
    /// evaluates. It comes to what one device comes to, but for the order of sums, and for what dropout drops.
    ///
    /// The head of a frozen base, where that was read once, learns on the first alone: there is little to split.
    pub fn split_over(self, further: &'a [Device]) -> Self {
        Self { further, ..self }
    }

    /// Trains `model`, which the plan has [`prepare`](Plan::prepare)d; from the newest of its checkpoints on, where there
    /// is one.
    ///
    /// `observer` is told of every [`Event`]. What dropout drops in a step follows from the seed and the number of the
    /// step.
    ///
    /// # Errors
    /// When the arguments cannot train, a data set is empty or does not fit the model, the loss stops being a number, a
    /// checkpoint cannot be written or is of another training, or the training is asked to stop.
    pub fn run(
        &self,
        model: DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<Trained, TrainError> {
        self.check()?;
        let epochs = self.arguments.num_train_epochs;
        let steps = self.steps_per_epoch() * epochs;
        observer(&Event::Begin { steps, epochs });
        let mut run = Run::new(self);
        let model = run.take_up(model, observer)?;
        let first = run.epoch_after(run.history.len(), run.best.epochs.len());
        let mut model = self.plan.track(&model, first);
        let pays = !self.arguments.frozen_dropout;
        let event = |done, total| Event::Extracting { done, total };
        let train_features = if pays { self.extract(&model, self.train, event, observer)? } else { None };
        run.features = train_features.as_ref().or(self.features).filter(|_| pays);
        if run.features.is_none() {
            run.replicas = Replicas::of(&model, self.further);
        }
        let mut eval_features = None;
        for epoch in first..epochs {
            model = run.epoch(model, epoch, observer)?;
            run.train_time += run.clock.lap();
            if let Some(data) = self.evaluation {
                if eval_features.is_none() && epochs > 1 {
                    let event = |done, total| Event::Evaluating { done, total };
                    eval_features = self.extract(&model, data, event, observer)?;
                }
                let features = eval_features.as_ref().or(self.features).filter(|_| model.distilbert.is_frozen());
                let size = self.arguments.per_device_eval_batch_size;
                let result = evaluate(&model, self.config, data, features, size, self.device, observer)?;
                run.eval_time += run.clock.lap();
                let record = run.record(epoch, &result);
                observer(&Event::Epoch(record.clone()));
                if run.best.take(record, result, &model) {
                    break;
                }
            }
            run.after_epoch(&model, epoch, observer)?;
        }
        let best_epoch = run.best.epoch();
        let Run { history, best: Best { epochs: records, kept, .. }, train_time, eval_time, .. } = run;
        let (best_epoch, model, evaluation) = match kept {
            Some(kept) => (best_epoch, kept.model.unwrap_or(model), Some(kept.evaluation)),
            None => (epochs, model, None),
        };
        Ok(Trained { model, evaluation, best_epoch, steps: history.records, epochs: records, train_time, eval_time })
    }

    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.arguments.steps_per_epoch(self.train.len())
    }

    /// What is known of a step, from 0, before it is taken.
    pub(crate) fn planned(&self, step: usize) -> Planned {
        let (epochs, steps) = (self.arguments.num_train_epochs, self.steps_per_epoch());
        let share = self.arguments.schedule(steps * epochs).share(step);
        let size = self.arguments.per_device_train_batch_size * self.arguments.gradient_accumulation_steps;
        let before = step % steps * size;
        Planned {
            epoch: step / steps,
            learning_rate: self.arguments.learning_rate * share,
            sentences: size.min(self.train.len() - before),
        }
    }

    fn check(&self) -> Result<(), TrainError> {
        self.arguments.validate()?;
        let refuse = |argument, reason: String| Err(TrainError::Argument { argument, reason });
        if self.train.is_empty() {
            return Err(TrainError::Empty { purpose: "train on" });
        }
        if self.evaluation.is_some_and(EncodedDataset::is_empty) {
            return Err(TrainError::Empty { purpose: "evaluate" });
        }
        let chooses = self.arguments.load_best_model_at_end || self.arguments.early_stopping_patience.is_some();
        if chooses && self.evaluation.is_none() {
            return refuse("load_best_model_at_end", "there are no sentences to choose the best epoch by".into());
        }
        let (classes, weights) = (self.config.num_labels(), self.arguments.class_weights.as_ref().map(Vec::len));
        if let Some(weights) = weights.filter(|&weights| weights != classes) {
            return refuse("class_weights", format!("{weights} weights for {classes} classes"));
        }
        Ok(())
    }

    /// The features of `data`, where the base stays frozen and they are not known already.
    fn extract(
        &self,
        model: &DistilBertForSequenceClassification,
        data: &EncodedDataset,
        event: impl Fn(usize, usize) -> Event,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<Option<Features>, TrainError> {
        if !self.plan.freezes_base() || self.features.is_some_and(|features| features.cover(data)) {
            return Ok(None);
        }
        let mut progress = |done| observer(&event(done, data.whole().len()));
        let size = self.arguments.per_device_eval_batch_size;
        Features::of(model, self.config, data, size, self.device, &mut progress)
    }
}

/// A training under way: all but the model.
pub(crate) struct Run<'a> {
    pub(crate) training: &'a Training<'a>,
    /// Of the training sentences, where the base is frozen and deterministic.
    pub(crate) features: Option<&'a Features>,
    pub(crate) replicas: Replicas,
    /// What a checkpoint says of the training.
    pub(crate) settings: OnceCell<Map<String, Value>>,
    pub(crate) optimizer: AdamW,
    pub(crate) history: History,
    pub(crate) best: Best<'a>,
    /// Time in training steps and in evaluations, before the current lap.
    pub(crate) train_time: Duration,
    pub(crate) eval_time: Duration,
    pub(crate) clock: Clock,
}

/// Measures one thing after the other.
pub(crate) struct Clock(Instant);

impl Clock {
    /// Time since the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let lap = self.0.elapsed();
        self.0 += lap;
        lap
    }
}

impl<'a> Run<'a> {
    fn new(training: &'a Training<'a>) -> Self {
        Self {
            training,
            features: None,
            replicas: Replicas::default(),
            settings: OnceCell::new(),
            optimizer: AdamW::empty(training.arguments, training.device),
            history: History::new(),
            best: Best::new(training.arguments),
            train_time: Duration::ZERO,
            eval_time: Duration::ZERO,
            clock: Clock(Instant::now()),
        }
    }

    /// The epoch, from 0, after so many steps: where there are evaluations, one is over when it is evaluated.
    pub(crate) fn epoch_after(&self, steps: usize, evaluated: usize) -> usize {
        match self.training.evaluation {
            Some(_) => evaluated,
            None => steps / self.training.steps_per_epoch(),
        }
    }

    /// Takes the parameters that learn in an epoch, from 0, into the optimizer.
    pub(crate) fn admit(&mut self, model: &DistilBertForSequenceClassification, epoch: usize) {
        self.optimizer.admit(model, |name| self.training.plan.rate(name, epoch).unwrap_or(1.0));
    }

    fn epoch(
        &mut self,
        mut model: DistilBertForSequenceClassification,
        epoch: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let Training { arguments, plan, .. } = self.training;
        if epoch > 0 && plan.changes_at(epoch) {
            model = plan.track(&model, epoch);
        }
        self.replicas.track(plan, epoch);
        self.admit(&model, epoch);
        let order = self.training.train.order(arguments.seed, epoch, arguments.shuffle);
        let batches: Vec<(usize, &[usize])> = order.chunks(arguments.per_device_train_batch_size).enumerate().collect();
        let before = self.history.len() - epoch * self.training.steps_per_epoch();
        for step in batches.chunks(arguments.gradient_accumulation_steps).skip(before) {
            model = self.step(model, step, epoch * batches.len(), observer)?;
            self.after_step(&model, observer)?;
        }
        self.history.read_back(observer)?;
        Ok(model)
    }

    /// Writes a checkpoint where one is due, and ends the run where it is asked to stop.
    fn after_step(
        &mut self,
        model: &DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(), TrainError> {
        let Some(checkpoints) = &self.training.checkpoints else { return Ok(()) };
        let (step, stops) = (self.history.len(), checkpoints.stop.is_requested());
        if stops || checkpoints.due_after_step(step) {
            self.train_time += self.clock.lap();
            self.save(model, observer)?;
        }
        if stops { Err(TrainError::Interrupted { step }) } else { Ok(()) }
    }

    /// The same after an epoch and its evaluation; after the last one there is nothing left to go on with.
    fn after_epoch(
        &mut self,
        model: &DistilBertForSequenceClassification,
        epoch: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(), TrainError> {
        let due = self.training.checkpoints.as_ref().is_some_and(Checkpoints::due_after_epoch);
        let last = epoch + 1 == self.training.arguments.num_train_epochs;
        if due && !last { self.save(model, observer) } else { Ok(()) }
    }

    /// An epoch, from 0, and its evaluation.
    fn record(&self, epoch: usize, evaluation: &Evaluation) -> EpochRecord {
        EpochRecord {
            epoch: epoch + 1,
            train_loss: self.history.mean_loss(epoch + 1, self.training.train.len()),
            eval_loss: evaluation.loss,
            accuracy: evaluation.accuracy(),
            f1: evaluation.f1().value,
        }
    }
}
