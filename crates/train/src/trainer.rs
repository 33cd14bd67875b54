//! The training loop.

use std::time::{Duration, Instant};

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode};

use crate::arguments::TrainingArguments;
use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate, evaluate_head};
use crate::event::{EpochRecord, Event, StepRecord};
use crate::features::Features;
use crate::history::{History, Pending};
use crate::optimizer::AdamW;
use crate::schedule;

/// What a run leaves.
pub struct Trained {
    /// The model after the last step.
    pub model: DistilBertForSequenceClassification,
    /// The evaluation after the last epoch.
    pub evaluation: Evaluation,
    /// Every step, in order.
    pub steps: Vec<StepRecord>,
    /// Every epoch, in order.
    pub epochs: Vec<EpochRecord>,
    /// Time in training steps.
    pub train_time: Duration,
    /// Time in evaluations.
    pub eval_time: Duration,
}

/// Trains the tracked parameters of `model` on `train`, and evaluates on `test` after every epoch.
///
/// `observer` is told of every [`Event`]. What dropout drops in a step follows from the seed and the number of the step.
///
/// # Errors
/// When the arguments cannot train, a data set is empty or does not fit the model, or the loss stops being a number.
pub fn train(
    model: DistilBertForSequenceClassification,
    config: &DistilBertConfig,
    train: &EncodedDataset,
    test: &EncodedDataset,
    arguments: &TrainingArguments,
    device: &Device,
    observer: &mut dyn FnMut(&Event),
) -> Result<Trained, TrainError> {
    arguments.validate()?;
    for (data, purpose) in [(train, "train on"), (test, "evaluate")] {
        if data.is_empty() {
            return Err(TrainError::Empty { purpose });
        }
    }
    let epochs = arguments.num_train_epochs;
    let steps = arguments.steps_per_epoch(train.len()) * epochs;
    observer(&Event::Begin { steps, epochs });

    let optimizer = AdamW::new(arguments, &model);
    let (mut train_time, mut eval_time) = (Duration::ZERO, Duration::ZERO);
    let batch_size = arguments.per_device_eval_batch_size;
    let began = Instant::now();
    let features = match arguments.frozen_dropout {
        true => None,
        false => {
            let mut progress = |done| observer(&Event::Extracting { done, total: train.len() });
            Features::of(&model, config, train, batch_size, device, &mut progress)?
        }
    };
    train_time += began.elapsed();
    let mut run = Run { config, train, features, arguments, device, optimizer, steps, history: History::new() };
    let mut epoch_records = Vec::with_capacity(epochs);
    let (mut model, mut evaluation) = (model, None);
    let mut test_features = None;
    for epoch in 0..epochs {
        let began = Instant::now();
        model = run.epoch(model, epoch, observer)?;
        let trained = Instant::now();
        if test_features.is_none() && epochs > 1 {
            let mut progress = |done| observer(&Event::Evaluating { done, total: test.len() });
            test_features = Features::of(&model, config, test, batch_size, device, &mut progress)?;
        }
        let result = match &test_features {
            Some(features) => evaluate_head(&model, features, test, config.num_labels())?,
            None => evaluate(&model, config, test, batch_size, device, observer)?,
        };
        train_time += trained - began;
        eval_time += trained.elapsed();
        let record = EpochRecord {
            epoch: epoch + 1,
            train_loss: run.history.mean_loss(epoch + 1, train.len()),
            eval_loss: result.loss,
            accuracy: result.accuracy(),
            f1: result.f1().value,
        };
        observer(&Event::Epoch(record.clone()));
        epoch_records.push(record);
        evaluation = Some(result);
    }
    let evaluation = evaluation.ok_or(TrainError::Empty { purpose: "evaluate" })?;
    Ok(Trained { model, evaluation, steps: run.history.records, epochs: epoch_records, train_time, eval_time })
}

struct Run<'a> {
    config: &'a DistilBertConfig,
    train: &'a EncodedDataset,
    /// Of the training sentences, where the base is frozen and deterministic.
    features: Option<Features>,
    arguments: &'a TrainingArguments,
    device: &'a Device,
    optimizer: AdamW,
    steps: usize,
    history: History,
}

impl Run<'_> {
    fn epoch(
        &mut self,
        mut model: DistilBertForSequenceClassification,
        epoch: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let order = self.train.order(self.arguments.seed, epoch, self.arguments.shuffle);
        for rows in order.chunks(self.arguments.per_device_train_batch_size) {
            model = self.step(model, rows, epoch, observer)?;
        }
        self.history.read_back(observer)?;
        Ok(model)
    }

    fn step(
        &mut self,
        model: DistilBertForSequenceClassification,
        rows: &[usize],
        epoch: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let step = self.history.len();
        let learning_rate = schedule::linear(self.arguments.learning_rate, 0, step, self.steps);
        let seed = (self.arguments.seed << 32).wrapping_add(step as u64);
        let rows = &self.balanced(rows);
        let logits = self.logits(&model, rows, seed)?;
        let labels: Vec<usize> = rows.iter().map(|&row| self.train.labels()[row]).collect();
        let loss = cross_entropy(logits, &labels);
        let (model, grad_norm) = self.optimizer.step(model, loss.backward(), learning_rate);
        let done = Pending {
            step: step + 1,
            epoch: epoch + 1,
            sentences: rows.len(),
            learning_rate,
            loss: loss.without_autodiff(),
            grad_norm,
        };
        self.history.push(done, observer)?;
        Ok(model)
    }

    /// The logits of some training sentences, with dropout.
    fn logits(
        &self,
        model: &DistilBertForSequenceClassification,
        rows: &[usize],
        seed: u64,
    ) -> Result<Tensor<2>, TrainError> {
        let mode = if self.arguments.frozen_dropout { Mode::Train { seed } } else { Mode::TrainTop { seed } };
        if let Some(features) = &self.features {
            return Ok(model.classify(features.rows(rows), mode));
        }
        let sentences: Vec<&[u32]> = rows.iter().map(|&row| self.train.sentences()[row].as_slice()).collect();
        Ok(model.forward(&batch(&sentences, self.config, self.device)?, mode))
    }

    /// The rows of a batch in an order in which the tokens of the first half weigh as much as those of the second: the
    /// longest sentence goes to the lighter side, and so on. Within a batch the order changes no mean.
    fn balanced(&self, rows: &[usize]) -> Vec<usize> {
        let length = |row: usize| self.train.sentences()[row].len();
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

/// Mean cross-entropy of `[sentences, classes]` logits, `[1]`.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let device = logits.device().without_autodiff();
    let indices: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [labels.len(), 1]), &device);
    log_softmax(logits, 1).gather(1, indices).mean().neg()
}
