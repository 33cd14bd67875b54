//! The training loop.

use std::time::{Duration, Instant};

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode};

use crate::arguments::{Metric, TrainingArguments};
use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::event::{EpochRecord, Event, StepRecord};
use crate::features::Features;
use crate::history::{History, Pending};
use crate::optimizer::AdamW;
use crate::plan::Plan;
use crate::schedule::Schedule;

/// A training: what learns, from what, and how.
pub struct Training<'a> {
    /// The configuration of the model.
    pub config: &'a DistilBertConfig,
    /// Which parameters learn.
    pub plan: &'a Plan,
    /// The sentences to learn from.
    pub train: &'a EncodedDataset,
    /// The sentences to evaluate on after every epoch. Without, there are no evaluations.
    pub evaluation: Option<&'a EncodedDataset>,
    /// Rates, epochs and sizes.
    pub arguments: &'a TrainingArguments,
    /// What a frozen base makes of the sentences, where that is known already; otherwise it is computed when it pays.
    pub features: Option<&'a Features>,
    /// Where to compute.
    pub device: &'a Device,
}

/// What a training leaves.
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
    /// Time in training steps.
    pub train_time: Duration,
    /// Time in evaluations.
    pub eval_time: Duration,
}

impl Training<'_> {
    /// Trains `model`, which the plan has [`prepare`](Plan::prepare)d.
    ///
    /// `observer` is told of every [`Event`]. What dropout drops in a step follows from the seed and the number of the
    /// step.
    ///
    /// # Errors
    /// When the arguments cannot train, a data set is empty or does not fit the model, or the loss stops being a number.
    pub fn run(
        &self,
        model: DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<Trained, TrainError> {
        self.check()?;
        let epochs = self.arguments.num_train_epochs;
        let steps = self.arguments.steps_per_epoch(self.train.len()) * epochs;
        observer(&Event::Begin { steps, epochs });
        let mut model = self.plan.track(&model, 0);
        let (mut train_time, mut eval_time) = (Duration::ZERO, Duration::ZERO);
        let began = Instant::now();
        let pays = !self.arguments.frozen_dropout;
        let event = |done, total| Event::Extracting { done, total };
        let train_features = if pays { self.extract(&model, self.train, event, observer)? } else { None };
        train_time += began.elapsed();
        let mut run = Run {
            training: self,
            features: train_features.as_ref().or(self.features).filter(|_| pays),
            optimizer: AdamW::empty(self.arguments, self.device),
            schedule: self.arguments.schedule(steps),
            batches: 0,
            history: History::new(),
        };
        let mut best = Best::new(self.arguments);
        let mut eval_features = None;
        for epoch in 0..epochs {
            let began = Instant::now();
            model = run.epoch(model, epoch, observer)?;
            train_time += began.elapsed();
            let Some(data) = self.evaluation else { continue };
            let began = Instant::now();
            if eval_features.is_none() && epochs > 1 {
                let event = |done, total| Event::Evaluating { done, total };
                eval_features = self.extract(&model, data, event, observer)?;
            }
            let features = eval_features.as_ref().or(self.features).filter(|_| model.distilbert.is_frozen());
            let size = self.arguments.per_device_eval_batch_size;
            let result = evaluate(&model, self.config, data, features, size, self.device, observer)?;
            eval_time += began.elapsed();
            let record = run.record(epoch, &result);
            observer(&Event::Epoch(record.clone()));
            if best.take(record, result, &model) {
                break;
            }
        }
        let (steps, Best { epochs: records, kept, .. }) = (run.history.records, best);
        let (best_epoch, model, evaluation) = match kept {
            Some(kept) => (kept.epoch, kept.model.unwrap_or(model), Some(kept.evaluation)),
            None => (epochs, model, None),
        };
        Ok(Trained { model, evaluation, best_epoch, steps, epochs: records, train_time, eval_time })
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

/// The epochs so far, and the model to return.
struct Best<'a> {
    arguments: &'a TrainingArguments,
    epochs: Vec<EpochRecord>,
    kept: Option<Kept>,
    /// Epochs since the best one.
    stale: usize,
}

struct Kept {
    epoch: usize,
    score: f64,
    evaluation: Evaluation,
    /// Where it is not simply the last one.
    model: Option<DistilBertForSequenceClassification>,
}

impl<'a> Best<'a> {
    fn new(arguments: &'a TrainingArguments) -> Self {
        Self { arguments, epochs: Vec::new(), kept: None, stale: 0 }
    }

    /// Notes an epoch, and says whether the run should end with it.
    fn take(
        &mut self,
        record: EpochRecord,
        evaluation: Evaluation,
        model: &DistilBertForSequenceClassification,
    ) -> bool {
        let score = match self.arguments.metric_for_best_model {
            Metric::Loss => -record.eval_loss,
            Metric::Accuracy => record.accuracy,
            Metric::F1 => record.f1,
        };
        let (epoch, chooses) = (record.epoch, self.arguments.load_best_model_at_end);
        self.epochs.push(record);
        let better = self.kept.as_ref().is_none_or(|kept| score > kept.score);
        self.stale = if better { 0 } else { self.stale + 1 };
        let best = if better { score } else { self.kept.as_ref().map_or(score, |kept| kept.score) };
        if better || !chooses {
            self.kept = Some(Kept { epoch, score: best, evaluation, model: chooses.then(|| model.clone()) });
        }
        self.arguments.early_stopping_patience.is_some_and(|patience| self.stale >= patience)
    }
}

struct Run<'a> {
    training: &'a Training<'a>,
    /// Of the training sentences, where the base is frozen and deterministic.
    features: Option<&'a Features>,
    optimizer: AdamW,
    schedule: Schedule,
    /// Batches so far.
    batches: u64,
    history: History,
}

impl Run<'_> {
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
        self.optimizer.admit(&model, |name| plan.rate(name, epoch).unwrap_or(1.0));
        let order = self.training.train.order(arguments.seed, epoch, arguments.shuffle);
        let batches: Vec<&[usize]> = order.chunks(arguments.per_device_train_batch_size).collect();
        for batches in batches.chunks(arguments.gradient_accumulation_steps) {
            model = self.step(model, batches, epoch, observer)?;
        }
        self.history.read_back(observer)?;
        Ok(model)
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

    /// A step by the mean of the losses of some batches.
    fn step(
        &mut self,
        model: DistilBertForSequenceClassification,
        batches: &[&[usize]],
        epoch: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let step = self.history.len();
        let learning_rate = self.training.arguments.learning_rate * self.schedule.share(step);
        let mut mean: Option<Tensor<1>> = None;
        for rows in &batches[..batches.len() - 1] {
            let loss = self.loss(&model, rows, batches.len())?;
            self.optimizer.accumulate(&model, loss.backward());
            let loss = loss.without_autodiff();
            mean = Some(mean.map_or(loss.clone(), |mean| mean + loss));
        }
        let loss = self.loss(&model, batches[batches.len() - 1], batches.len())?;
        let (model, grad_norm) = self.optimizer.step(model, loss.backward(), learning_rate);
        let loss = loss.without_autodiff();
        let done = Pending {
            step: step + 1,
            epoch: epoch + 1,
            sentences: batches.iter().map(|rows| rows.len()).sum(),
            learning_rate,
            loss: mean.map_or(loss.clone(), |mean| mean + loss),
            grad_norm,
        };
        self.history.push(done, observer)?;
        Ok(model)
    }

    /// The loss of one of `batches` batches that make a step: its share of their mean.
    fn loss(
        &mut self,
        model: &DistilBertForSequenceClassification,
        rows: &[usize],
        batches: usize,
    ) -> Result<Tensor<1>, TrainError> {
        let arguments = self.training.arguments;
        let seed = (arguments.seed << 32).wrapping_add(self.batches);
        self.batches += 1;
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
