//! The steps of a training, and when their numbers are read from the device.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use rekindle_infer::read;

use crate::error::TrainError;
use crate::event::{Event, Observer, StepRecord, emit};

/// How long steps may wait before their losses are read and reported.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The steps so far, including those whose numbers are still on the device.
pub(crate) struct History {
    pub(crate) records: Vec<StepRecord>,
    /// The last checkpoint. All steps before it were finite.
    pub(crate) checkpoint: Option<PathBuf>,
    /// Examples of each step in `records`.
    examples: Vec<usize>,
    pending: Vec<PendingStep>,
    read: Instant,
}

/// What is known of a step before it is taken.
pub(crate) struct PlannedStep {
    /// Counted from 0.
    pub(crate) epoch: usize,
    pub(crate) learning_rate: f64,
    pub(crate) examples: usize,
}

/// A step whose loss and gradient norm are still on the device.
pub(crate) struct PendingStep {
    /// Counted from 1.
    pub(crate) step: usize,
    /// Counted from 1.
    pub(crate) epoch: usize,
    /// The examples, as rows of the whole data set.
    pub(crate) rows: Vec<usize>,
    pub(crate) learning_rate: f64,
    pub(crate) loss: Tensor<1>,
    pub(crate) grad_norm: Tensor<1>,
}

impl History {
    pub(crate) fn new() -> Self {
        let (records, examples, pending) = (Vec::new(), Vec::new(), Vec::new());
        Self { records, checkpoint: None, examples, pending, read: Instant::now() }
    }

    /// Adds the steps of a checkpoint by their losses and gradient norms. `planned` knows the rest of each step, counted
    /// from 0.
    pub(crate) fn restore(&mut self, losses: &[f32], norms: &[f32], planned: impl Fn(usize) -> PlannedStep) {
        for (index, (&loss, &grad_norm)) in losses.iter().zip(norms).enumerate() {
            let PlannedStep { epoch, learning_rate, examples } = planned(index);
            let (loss, grad_norm) = (f64::from(loss), f64::from(grad_norm));
            self.records.push(StepRecord { step: index + 1, epoch: epoch + 1, loss, grad_norm, learning_rate });
            self.examples.push(examples);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.pending.len()
    }

    /// Adds a step, and reads all pending steps if the last time is a while ago.
    pub(crate) fn push(&mut self, step: PendingStep, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        self.pending.push(step);
        if self.read.elapsed() >= READ_EVERY { self.read(observer) } else { Ok(()) }
    }

    /// Reads the numbers of all pending steps, and reports the steps.
    pub(crate) fn read(&mut self, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        self.read = Instant::now();
        if self.pending.is_empty() {
            return Ok(());
        }
        let pairs = self.pending.iter().flat_map(|step| [step.loss.clone(), step.grad_norm.clone()]).collect();
        let values = read(Tensor::cat(pairs, 0))?;
        for (pending, pair) in std::mem::take(&mut self.pending).into_iter().zip(values.chunks(2)) {
            // Adding 0 turns -0 into 0.
            let (loss, grad_norm) = (f64::from(pair[0]) + 0.0, f64::from(pair[1]));
            let PendingStep { step, epoch, rows, learning_rate, .. } = pending;
            for (what, value) in [("loss", loss), ("gradient norm", grad_norm)] {
                if !value.is_finite() {
                    let checkpoint = self.checkpoint.clone();
                    return Err(TrainError::NotFinite { step, epoch, what, value, rows, checkpoint });
                }
            }
            let record = StepRecord { step, epoch, loss, grad_norm, learning_rate };
            emit(observer, &Event::Step(record.clone()))?;
            self.records.push(record);
            self.examples.push(rows.len());
        }
        Ok(())
    }

    /// Returns the mean loss over the examples of an epoch, counted from 1.
    pub(crate) fn mean_loss(&self, epoch: usize) -> f64 {
        let steps = || self.records.iter().zip(&self.examples).filter(|(record, _)| record.epoch == epoch);
        let examples: usize = steps().map(|(_, &count)| count).sum();
        steps().map(|(record, &count)| record.loss * count as f64).sum::<f64>() / examples as f64
    }
}
