//! The events of a training, and who receives them.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step, counted from 1 over the whole training.
    pub step: usize,
    /// The epoch of the step, counted from 1.
    pub epoch: usize,
    /// Mean loss of the batch; of classes, the cross-entropy in nats.
    pub loss: f64,
    /// Norm of the gradient over all trainable parameters, before clipping.
    pub grad_norm: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// One epoch and the evaluation after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean of the training loss over the examples of the epoch.
    pub train_loss: f64,
    /// Mean of the evaluation loss.
    pub eval_loss: f64,
    /// Fraction of evaluation examples that are predicted correctly; absent for masked language modelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 of class 1 for two classes, macro F1 for more; absent for masked language modelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// The metric that decides which epoch is the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<f64>,
}

/// An event of a training. Observers draw progress, keep a history or write files; the training loop does none of that.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Begin {
        /// Steps of the whole training.
        steps: usize,
        /// Epochs of the whole training.
        epochs: usize,
    },
    /// The training resumes from a checkpoint. The steps before it follow at once, as [`Event::Step`].
    Resumed {
        /// Steps that were done.
        step: usize,
    },
    /// A step is done. Steps are reported in order, but with a delay: losses are read from the device in bulk, so that no
    /// step waits for one.
    Step(StepRecord),
    /// Features of the training examples are computed, once for all epochs, because the encoder is frozen and
    /// deterministic.
    Extracting {
        /// Examples done.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// An evaluation is in progress.
    Evaluating {
        /// Examples done.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// An epoch is over and evaluated.
    Epoch(EpochRecord),
}

/// Receives the events of a training. `ControlFlow::Break` cancels the training, which then returns
/// [`TrainError::Cancelled`] without writing a checkpoint; to end with a checkpoint, use [`Stop`](crate::Stop).
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// Reports an event.
pub(crate) fn emit(observer: &mut Observer<'_>, event: &Event) -> Result<(), TrainError> {
    proceed(observer(event))
}

/// Returns an error if an observer cancels.
pub(crate) fn proceed(flow: ControlFlow<()>) -> Result<(), TrainError> {
    if flow.is_break() { Err(TrainError::Cancelled) } else { Ok(()) }
}
