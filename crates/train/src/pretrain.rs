//! Masked-language modelling: a model learns from plain text.

use std::fmt;

use burn::tensor::Device;
use rekindle_checkpoint::trainable;
use rekindle_distilbert::{DistilBertConfig, DistilBertForMaskedLM, Mode};
use serde::{Deserialize, Serialize};

use crate::arguments::TrainingArguments;
use crate::checkpoints::{Checkpoints, SaveStrategy};
use crate::dataset::order;
use crate::error::TrainError;
use crate::evaluate::read;
use crate::event::{Event, StepRecord};
use crate::history::{History, Pending};
use crate::masking::Masking;
use crate::optimizer::AdamW;
use crate::plan::Plan;
use crate::stop::Stop;

/// How to pretrain, under the names of transformers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PretrainingArguments {
    /// Rate, decay, epochs, batch sizes, clipping, optimizer, seed and order.
    #[serde(flatten)]
    pub training: TrainingArguments,
    /// Steps in all; without, as many as the epochs have. Default none.
    pub max_steps: Option<usize>,
    /// The share of the tokens that are to be guessed. Default 0.15.
    pub mlm_probability: f64,
}

impl Default for PretrainingArguments {
    fn default() -> Self {
        Self { training: TrainingArguments::default(), max_steps: None, mlm_probability: 0.15 }
    }
}

/// The step number from which the words of an evaluation are hidden, far from those of training.
const EVALUATION: u64 = 1 << 63;

/// A pretraining under way: the model, and all that it takes to go on.
///
/// Order, hidden words and dropout follow from the seed and the number of the step, so that a run that
/// [`save`](Self::save)d and [`resume`](Self::resume)d takes the very steps of an unbroken one.
pub struct Pretraining<'a> {
    pub(crate) model: DistilBertForMaskedLM,
    pub(crate) run: Run<'a>,
}

/// How far it is.
impl fmt::Debug for Pretraining<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Pretraining");
        shown.field("step", &self.step()).field("steps", &self.steps()).finish_non_exhaustive()
    }
}

/// All but the model.
pub(crate) struct Run<'a> {
    pub(crate) config: DistilBertConfig,
    pub(crate) masking: Masking,
    pub(crate) sequences: &'a [Vec<u32>],
    pub(crate) arguments: PretrainingArguments,
    pub(crate) device: Device,
    pub(crate) optimizer: AdamW,
    /// Steps done.
    pub(crate) step: usize,
    /// The rows in the order of an epoch, and which.
    order: Option<(usize, Vec<usize>)>,
    history: History,
}

impl<'a> Pretraining<'a> {
    /// A run that trains all of `model` on `sequences`, before its first step.
    ///
    /// # Errors
    /// When the arguments cannot train, or there is no sequence.
    pub fn new(
        model: &DistilBertForMaskedLM,
        config: &DistilBertConfig,
        masking: Masking,
        sequences: &'a [Vec<u32>],
        arguments: &PretrainingArguments,
        device: &Device,
    ) -> Result<Self, TrainError> {
        arguments.training.validate()?;
        if arguments.max_steps == Some(0) {
            return Err(TrainError::Argument { argument: "max_steps", reason: "must be at least 1".into() });
        }
        if sequences.is_empty() {
            return Err(TrainError::Empty { purpose: "train on" });
        }
        let plan = Plan::full(config);
        let model = trainable(model, |name| plan.trains(name));
        let optimizer = AdamW::new(&arguments.training, &model);
        let run = Run {
            config: config.clone(),
            masking,
            sequences,
            arguments: arguments.clone(),
            device: device.clone(),
            optimizer,
            step: 0,
            order: None,
            history: History::new(),
        };
        Ok(Self { model, run })
    }

    /// The model as it is now.
    pub fn model(&self) -> &DistilBertForMaskedLM {
        &self.model
    }

    /// Steps done.
    pub fn step(&self) -> usize {
        self.run.step
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.run.steps()
    }

    /// Epochs that these steps are, the last one perhaps in part.
    pub fn epochs(&self) -> usize {
        self.run.steps().div_ceil(self.run.steps_per_epoch())
    }

    /// The steps that this run took, in order; not those before it was taken up again.
    pub fn records(&self) -> &[StepRecord] {
        &self.run.history.records
    }

    /// Trains until `step` steps are done, or all, or it is asked to stop.
    ///
    /// # Errors
    /// When a sequence does not fit the model, or the loss stops being a number.
    pub fn advance(self, step: usize, stop: &Stop, observer: &mut dyn FnMut(&Event)) -> Result<Self, TrainError> {
        let Self { mut model, mut run } = self;
        while run.step < step.min(run.steps()) && !stop.is_requested() {
            model = run.take(model, observer)?;
        }
        run.history.read_back(observer)?;
        Ok(Self { model, run })
    }

    /// Trains to the end, in a folder of `checkpoints`: from where the folder says, with a checkpoint whenever one is due
    /// and at the end.
    ///
    /// # Errors
    /// As [`advance`](Self::advance) and [`save`](Self::save); and when it is asked to stop.
    pub fn finish(self, checkpoints: &Checkpoints, observer: &mut dyn FnMut(&Event)) -> Result<Self, TrainError> {
        let folder = checkpoints.folder.join("pretraining");
        let mut run = if Self::is_begun(&folder) { self.resume(&folder)? } else { self };
        while run.step() < run.steps() {
            let next = run.next_save(checkpoints.save_strategy);
            run = run.advance(next, &checkpoints.stop, observer)?;
            run.save(&folder)?;
            if checkpoints.stop.is_requested() {
                return Err(TrainError::Interrupted { step: run.step() });
            }
        }
        Ok(run)
    }

    /// The step after which the next checkpoint is due.
    pub fn next_save(&self, strategy: Option<SaveStrategy>) -> usize {
        let every = match strategy {
            Some(SaveStrategy::Steps(every)) => every.get(),
            Some(SaveStrategy::Epoch) => self.run.steps_per_epoch(),
            None => return self.steps(),
        };
        (self.step() / every + 1).saturating_mul(every)
    }

    /// The mean cross-entropy of hidden words of other sequences, in nats, without dropout. The words are the same in
    /// every evaluation.
    ///
    /// # Errors
    /// When there is no sequence, or one does not fit the model.
    pub fn evaluate(&self, sequences: &[Vec<u32>], observer: &mut dyn FnMut(&Event)) -> Result<f64, TrainError> {
        let Run { config, masking, arguments, device, .. } = &self.run;
        let model = trainable(&self.model, |_| false);
        let (mut sum, mut words, mut done) = (0.0, 0, 0);
        for (index, rows) in sequences.chunks(arguments.training.per_device_eval_batch_size).enumerate() {
            let batch = masking.hide(rows, arguments.training.seed, EVALUATION + index as u64);
            let loss = read(batch.loss(&model, config, Mode::Eval, device)?)?;
            sum += f64::from(loss[0]) * batch.labels.len() as f64;
            words += batch.labels.len();
            done += rows.len();
            observer(&Event::Evaluating { done, total: sequences.len() });
        }
        if words == 0 {
            return Err(TrainError::Empty { purpose: "evaluate" });
        }
        let loss = sum / words as f64;
        observer(&Event::HeldOut { step: self.run.step, loss });
        Ok(loss)
    }
}

impl Run<'_> {
    fn steps_per_epoch(&self) -> usize {
        self.arguments.training.steps_per_epoch(self.sequences.len())
    }

    fn steps(&self) -> usize {
        let epochs = || self.steps_per_epoch() * self.arguments.training.num_train_epochs;
        self.arguments.max_steps.unwrap_or_else(epochs)
    }

    /// One step.
    fn take(
        &mut self,
        model: DistilBertForMaskedLM,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForMaskedLM, TrainError> {
        let epoch = self.step / self.steps_per_epoch();
        let rows = self.rows(epoch);
        let training = &self.arguments.training;
        let sequences: Vec<&[u32]> = rows.iter().map(|&row| self.sequences[row].as_slice()).collect();
        let batch = self.masking.hide(&sequences, training.seed, self.step as u64);
        let learning_rate = training.learning_rate * training.schedule(self.steps()).share(self.step);
        let mode = Mode::Train { seed: (training.seed << 32).wrapping_add(self.step as u64) };
        let loss = batch.loss(&model, &self.config, mode, &self.device)?;
        let (model, grad_norm) = self.optimizer.step(model, loss.backward(), learning_rate);
        self.step += 1;
        let done = Pending {
            step: self.step,
            epoch: epoch + 1,
            rows,
            learning_rate,
            loss: loss.without_autodiff(),
            grad_norm,
        };
        self.history.push(done, observer)?;
        Ok(model)
    }

    /// The sequences of the next step.
    fn rows(&mut self, epoch: usize) -> Vec<usize> {
        let training = &self.arguments.training;
        if self.order.as_ref().is_none_or(|(which, _)| *which != epoch) {
            self.order = Some((epoch, order(self.sequences.len(), training.seed, epoch, training.shuffle)));
        }
        let size = training.per_device_train_batch_size;
        let first = self.step % self.steps_per_epoch() * size;
        let order = self.order.as_ref().map_or(&[][..], |(_, order)| order);
        order.iter().skip(first).take(size).copied().collect()
    }
}
