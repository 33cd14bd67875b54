//! The training loop.

use std::time::{Duration, Instant};

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode};

use crate::arguments::TrainingArguments;
use crate::best::Best;
use crate::checkpoints::Checkpoints;
use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::event::{EpochRecord, Event, StepRecord};
use crate::features::Features;
use crate::history::{History, Pending, Planned};
use crate::optimizer::AdamW;
use crate::plan::Plan;

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
    device: &'a Device,
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
        Self { config, plan, train, evaluation: None, arguments, features: None, checkpoints: None, device }
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
    features: Option<&'a Features>,
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

    /// A step by the mean of the losses of some batches, each numbered within its epoch; `before` were in the epochs
    /// before.
    fn step(
        &mut self,
        model: DistilBertForSequenceClassification,
        batches: &[(usize, &[usize])],
        before: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let step = self.history.len();
        let Planned { epoch, learning_rate, .. } = self.training.planned(step);
        let mut mean: Option<Tensor<1>> = None;
        let [rest @ .., (number, rows)] = batches else { return Ok(model) };
        for (number, rows) in rest {
            let loss = self.loss(&model, rows, before + number, batches.len())?;
            self.optimizer.accumulate(&model, loss.backward());
            let loss = loss.without_autodiff();
            mean = Some(mean.map_or(loss.clone(), |mean| mean + loss));
        }
        let loss = self.loss(&model, rows, before + number, batches.len())?;
        let (model, grad_norm) = self.optimizer.step(model, loss.backward(), learning_rate);
        let loss = loss.without_autodiff();
        let places = self.training.train.places();
        let done = Pending {
            step: step + 1,
            epoch: epoch + 1,
            rows: batches.iter().flat_map(|(_, rows)| rows.iter().map(|&row| places[row])).collect(),
            learning_rate,
            loss: mean.map_or(loss.clone(), |mean| mean + loss),
            grad_norm,
        };
        self.history.push(done, observer)?;
        Ok(model)
    }

    /// The loss of one of `batches` batches that make a step, its share of their mean; `number` counts the batches of the
    /// run.
    fn loss(
        &self,
        model: &DistilBertForSequenceClassification,
        rows: &[usize],
        number: usize,
        batches: usize,
    ) -> Result<Tensor<1>, TrainError> {
        let arguments = self.training.arguments;
        let seed = (arguments.seed << 32).wrapping_add(number as u64);
        let rows = &self.balanced(rows);
        let logits = self.logits(model, rows, seed)?;
        let labels: Vec<usize> = rows.iter().map(|&row| self.training.train.labels()[row]).collect();
        let loss = cross_entropy(logits, &labels, arguments.class_weights.as_deref());
        Ok(if batches == 1 { loss } else { loss.div_scalar(batches as f64) })
    }

    /// The logits of some training sentences, with dropout.
    fn logits(
        &self,
        model: &DistilBertForSequenceClassification,
        rows: &[usize],
        seed: u64,
    ) -> Result<Tensor<2>, TrainError> {
        let Training { train, config, device, arguments, .. } = self.training;
        let mode = if arguments.frozen_dropout { Mode::Train { seed } } else { Mode::TrainTop { seed } };
        if let Some(features) = self.features.filter(|_| model.distilbert.is_frozen()) {
            return Ok(model.classify(features.rows(train, rows.iter().copied()), mode));
        }
        let sentences: Vec<&[u32]> = rows.iter().map(|&row| train.sentence(row)).collect();
        Ok(model.forward(&batch(&sentences, config, device)?, mode))
    }

    /// The rows of a batch in an order in which the tokens of the first half weigh as much as those of the second: the
    /// longest sentence goes to the lighter side, and so on. Within a batch the order changes no mean.
    fn balanced(&self, rows: &[usize]) -> Vec<usize> {
        let length = |row: usize| self.training.train.sentence(row).len();
        let mut longest_first = rows.to_vec();
        longest_first.sort_by_key(|&row| std::cmp::Reverse(length(row)));
        let mut sides = [(0, Vec::new()), (0, Vec::new())];
        for row in longest_first {
            let lighter = usize::from(sides[1].0 < sides[0].0);
            sides[lighter].0 += length(row);
            sides[lighter].1.push(row);
        }
        let [(_, first), (_, second)] = sides;
        [first, second].concat()
    }
}

/// Mean cross-entropy of `[sentences, classes]` logits, `[1]`; with a weight for each class, the weighted mean.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: &[usize], weights: Option<&[f64]>) -> Tensor<1> {
    let device = logits.device().without_autodiff();
    let indices: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [labels.len(), 1]), &device);
    let likelihoods = log_softmax(logits, 1).gather(1, indices);
    let Some(weights) = weights else { return likelihoods.mean().neg() };
    let weights: Vec<f32> = labels.iter().map(|&label| weights[label] as f32).collect();
    let sum: f32 = weights.iter().sum();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [labels.len(), 1]), &device);
    (likelihoods * weights).sum().div_scalar(-sum)
}
