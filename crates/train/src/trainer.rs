//! The training loop.

use std::cell::OnceCell;
use std::fmt;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle_encoders::ParamRoles;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::best::Best;
use crate::checkpoints::Checkpoints;
use crate::error::TrainError;
use crate::event::{EpochRecord, Event, Observer, StepRecord, emit};
use crate::history::{History, PlannedStep};
use crate::objective::{Objective, Scores, TrainingContext};
use crate::optimizer::AdamW;
use crate::plan::TuningPlan;
use crate::replicas::Replicas;
use crate::step::StepBatches;
use crate::stop::Stop;

/// Trains a model for an [`Objective`].
#[derive(Debug)]
pub struct Trainer<'a, O> {
    pub(crate) objective: O,
    pub(crate) plan: &'a TuningPlan,
    pub(crate) arguments: &'a TrainingArguments,
    pub(crate) device: &'a Device,
    pub(crate) checkpoints: Option<Checkpoints>,
    stop: Stop,
    /// Further devices, which compute their shares of every batch.
    further: &'a [Device],
}

/// The result of a training: of a model `M`, with evaluations `E`.
#[derive(Clone)]
pub struct Trained<M, E> {
    /// The model after the last step, or of the best epoch if the arguments say so. Adapters are not merged.
    pub model: M,
    /// The evaluation of this model.
    pub evaluation: Option<E>,
    /// The epoch of this model, counted from 1.
    pub best_epoch: usize,
    /// All steps, in order.
    pub steps: Vec<StepRecord>,
    /// All evaluated epochs, in order.
    pub epochs: Vec<EpochRecord>,
    /// The mean training loss over the examples of each epoch, evaluated or not.
    pub train_losses: Vec<f64>,
    /// Time in training steps, including those before an interruption.
    pub train_time: Duration,
    /// Time in evaluations.
    pub eval_time: Duration,
}

/// Shows the course of the training, and not the parameters.
impl<M, E> fmt::Debug for Trained<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Trained");
        shown.field("steps", &self.steps.len()).field("epochs", &self.epochs).field("best_epoch", &self.best_epoch);
        shown.finish_non_exhaustive()
    }
}

impl<'a, O: Objective> Trainer<'a, O> {
    /// Trains the parameters of `plan` on `device`.
    pub fn new(objective: O, plan: &'a TuningPlan, arguments: &'a TrainingArguments, device: &'a Device) -> Self {
        let (checkpoints, stop, further) = (None, Stop::default(), &[][..]);
        Self { objective, plan, arguments, device, checkpoints, stop, further }
    }

    /// Writes checkpoints, and resumes from the newest one.
    pub fn with_checkpoints(self, checkpoints: impl Into<Option<Checkpoints>>) -> Self {
        Self { checkpoints: checkpoints.into(), ..self }
    }

    /// Ends the training with [`TrainError::Interrupted`] after the step in which a stop is requested. If the training
    /// has checkpoints, it writes one.
    pub fn with_stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Splits each batch over these devices too. Gradients are summed on the first device, which steps and evaluates.
    /// Results match single-device training up to summation order and dropout.
    ///
    /// If the features of a frozen encoder are computed once, the first device trains the head alone.
    pub fn split_over(self, further: &'a [Device]) -> Self {
        Self { further, ..self }
    }

    /// Returns the steps of the whole training.
    pub fn steps(&self) -> usize {
        self.arguments.steps(self.objective.examples())
    }

    /// Returns the epochs of the whole training; the last one may be incomplete.
    pub fn epochs(&self) -> usize {
        self.arguments.epochs(self.objective.examples())
    }

    /// Trains `model`, to which the plan's adapters are already [added](TuningPlan::prepare). If there is a checkpoint, the
    /// training resumes from it.
    ///
    /// `observer` receives every [`Event`], and may cancel. Dropout follows from the seed and the number of the step.
    ///
    /// # Errors
    /// Returns an error if an argument is not valid, a data set is empty or does not fit the model, training diverges, a
    /// checkpoint cannot be written or belongs to another training or format version, a stop is requested, or the
    /// observer cancels.
    pub fn run(
        self,
        model: O::Model,
        observer: &mut Observer<'_>,
    ) -> Result<Trained<O::Model, O::Evaluation>, TrainError> {
        self.check()?;
        let (steps, epochs) = (self.steps(), self.epochs());
        emit(observer, &Event::Begin { steps, epochs })?;
        let mut run = Run::new(self);
        let mut model = run.restore(model, observer)?;
        let first = run.epoch_after(run.history.len(), run.best.epochs.len());
        model = run.trainer.plan.apply(&model, first);
        let context = run.trainer.context();
        run.trainer.objective.begin(&model, context, observer)?;
        if run.trainer.objective.splits_batches() {
            run.replicas = Replicas::of(&model, run.trainer.further);
        }
        for epoch in first..epochs {
            if run.best.is_exhausted() {
                break;
            }
            model = run.epoch(model, epoch, observer)?;
            run.train_time += run.clock.lap();
            run.evaluate(&model, epoch, observer)?;
            if !run.best.is_exhausted() {
                run.after_epoch(&model, epoch, observer)?;
            }
        }
        run.finish(model, observer)
    }

    pub(crate) fn context(&self) -> TrainingContext<'a> {
        TrainingContext { plan: self.plan, arguments: self.arguments, device: self.device }
    }

    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.arguments.steps_per_epoch(self.objective.examples())
    }

    /// Returns what is known of a step, counted from 0, before it is taken.
    pub(crate) fn planned(&self, step: usize) -> PlannedStep {
        let steps_per_epoch = self.steps_per_epoch();
        let share = self.arguments.schedule(self.steps()).share(step);
        let size = self.arguments.per_device_train_batch_size * self.arguments.gradient_accumulation_steps;
        let before = step % steps_per_epoch * size;
        PlannedStep {
            epoch: step / steps_per_epoch,
            learning_rate: self.arguments.learning_rate * share,
            examples: size.min(self.objective.examples() - before),
        }
    }

    fn check(&self) -> Result<(), TrainError> {
        self.arguments.validate()?;
        self.objective.check(self.arguments)?;
        let chooses = self.arguments.load_best_model_at_end || self.arguments.early_stopping_patience.is_some();
        if chooses && !self.objective.is_evaluated() {
            let reason = "there are no evaluation examples to choose the best epoch by";
            return Err(TrainError::argument("load_best_model_at_end", reason));
        }
        Ok(())
    }
}

/// A training in progress, without the model.
pub(crate) struct Run<'a, O: Objective> {
    pub(crate) trainer: Trainer<'a, O>,
    pub(crate) replicas: Replicas<O::Model>,
    /// What a checkpoint records of the training.
    pub(crate) settings: OnceCell<Map<String, Value>>,
    pub(crate) optimizer: AdamW,
    pub(crate) history: History,
    pub(crate) best: Best<'a, O::Model, O::Evaluation>,
    /// Time in training steps and in evaluations, before the current lap.
    pub(crate) train_time: Duration,
    pub(crate) eval_time: Duration,
    pub(crate) clock: Clock,
    /// When the training began, or the last checkpoint after an epoch was written.
    saved: Instant,
}

/// Measures consecutive times.
pub(crate) struct Clock(Instant);

impl Clock {
    /// Returns the time since the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let lap = self.0.elapsed();
        self.0 += lap;
        lap
    }
}

impl<'a, O: Objective> Run<'a, O> {
    fn new(trainer: Trainer<'a, O>) -> Self {
        Self {
            replicas: Replicas::none(),
            settings: OnceCell::new(),
            optimizer: AdamW::empty(trainer.arguments, trainer.device),
            history: History::new(),
            best: Best::new(trainer.arguments),
            train_time: Duration::ZERO,
            eval_time: Duration::ZERO,
            clock: Clock(Instant::now()),
            saved: Instant::now(),
            trainer,
        }
    }

    /// Returns the epoch, counted from 0, that continues after so many steps. With evaluations, an epoch is over when it is
    /// evaluated.
    pub(crate) fn epoch_after(&self, steps: usize, evaluated: usize) -> usize {
        match self.trainer.objective.is_evaluated() {
            true => evaluated,
            false => steps / self.trainer.steps_per_epoch(),
        }
    }

    /// Adds the parameters that become trainable in an epoch, counted from 0, to the optimizer.
    pub(crate) fn add_param_group(&mut self, model: &O::Model, epoch: usize) {
        let rate = |name: &str| self.trainer.plan.rate(model.param_info(name), epoch).unwrap_or(1.0);
        self.optimizer.add_param_group(model, rate);
    }

    /// Takes the steps of an epoch that are not done.
    fn epoch(
        &mut self,
        mut model: O::Model,
        epoch: usize,
        observer: &mut Observer<'_>,
    ) -> Result<O::Model, TrainError> {
        let TrainingContext { plan, arguments, .. } = self.trainer.context();
        if epoch > 0 && plan.changes_at(epoch) {
            model = plan.apply(&model, epoch);
        }
        self.replicas.apply(plan, epoch);
        self.add_param_group(&model, epoch);
        let order = self.trainer.objective.order(epoch, arguments);
        let batches: Vec<&[usize]> = order.chunks(arguments.per_device_train_batch_size).collect();
        let size = arguments.gradient_accumulation_steps;
        let done = self.history.len() - epoch * self.trainer.steps_per_epoch();
        let left = self.trainer.steps() - self.history.len();
        for (step, micro_batches) in batches.chunks(size).enumerate().skip(done).take(left) {
            let first = epoch * batches.len() + step * size;
            model = self.step(model, &StepBatches { batches: micro_batches, first }, observer)?;
            self.after_step(&model, observer)?;
        }
        self.history.read(observer)?;
        Ok(model)
    }

    /// Writes a checkpoint if one is due, and ends the training if a stop is requested.
    fn after_step(&mut self, model: &O::Model, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        let (step, stops) = (self.history.len(), self.trainer.stop.is_requested());
        if stops || self.trainer.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.due_after_step(step)) {
            self.train_time += self.clock.lap();
            self.save(model, observer)?;
        }
        if stops { Err(TrainError::Interrupted { step }) } else { Ok(()) }
    }

    /// Evaluates the model after an epoch, counted from 0, if there are examples to evaluate on.
    fn evaluate(&mut self, model: &O::Model, epoch: usize, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        if !self.trainer.objective.is_evaluated() {
            return Ok(());
        }
        let context = self.trainer.context();
        let outputs = self.trainer.objective.evaluate(model, context, observer)?;
        let evaluation = self.trainer.objective.score(outputs, context)?;
        self.eval_time += self.clock.lap();
        let metric = self.trainer.arguments.metric_for_best_model;
        let Scores { loss, accuracy, f1, metric } = O::scores(&evaluation, metric);
        let train_loss = self.history.mean_loss(epoch + 1);
        let record = EpochRecord { epoch: epoch + 1, train_loss, eval_loss: loss, accuracy, f1, metric: Some(metric) };
        emit(observer, &Event::Epoch(record.clone()))?;
        self.best.push(record, evaluation, model);
        Ok(())
    }

    /// Writes a checkpoint after an epoch and its evaluation, if one is due. After the last epoch,
    /// [`finish`](Self::finish) decides.
    fn after_epoch(&mut self, model: &O::Model, epoch: usize, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        let age = self.saved.elapsed();
        let due = self.trainer.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.due_after_epoch(age));
        if due && epoch + 1 < self.trainer.epochs() {
            self.save(model, observer)?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Returns the result, after a final checkpoint if there should be one.
    fn finish(
        mut self,
        model: O::Model,
        observer: &mut Observer<'_>,
    ) -> Result<Trained<O::Model, O::Evaluation>, TrainError> {
        if self.trainer.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.save_final) {
            self.save(&model, observer)?;
        }
        let (best_epoch, last_epoch) = (self.best.epoch(), self.trainer.epochs());
        let (best_epoch, model, evaluation) = match self.best.kept {
            Some(kept) => (best_epoch, kept.model.unwrap_or(model), Some(kept.evaluation)),
            None => (last_epoch, model, None),
        };
        let trained = self.history.records.last().map_or(0, |step| step.epoch);
        let train_losses = (1..=trained).map(|epoch| self.history.mean_loss(epoch)).collect();
        let (steps, epochs) = (self.history.records, self.best.epochs);
        Ok(Trained {
            model,
            evaluation,
            best_epoch,
            steps,
            epochs,
            train_losses,
            train_time: self.train_time,
            eval_time: self.eval_time,
        })
    }
}
