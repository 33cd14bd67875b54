//! What the training loop says while it runs.

use serde::{Deserialize, Serialize};

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// From 1, over the whole run.
    pub step: usize,
    /// From 1: the epoch that the step belongs to.
    pub epoch: usize,
    /// Mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// Norm of the gradient over all trained tensors, before clipping.
    pub grad_norm: f64,
    /// The rate that the step used.
    pub learning_rate: f64,
}

/// One epoch and the evaluation after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean of the training loss over the sentences of the epoch.
    pub train_loss: f64,
    /// Mean of the evaluation loss over its sentences.
    pub eval_loss: f64,
    /// Share of evaluation sentences classified rightly.
    pub accuracy: f64,
    /// F1 of class 1 for two classes, macro F1 for more.
    pub f1: f64,
}

/// Something that happened. Observers draw progress, keep a history or write files; the loop does none of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Begin {
        /// Steps in the whole run.
        steps: usize,
        /// Epochs in the run.
        epochs: usize,
    },
    /// The run goes on from a checkpoint. The steps before it come at once, as if they had just been taken.
    Resumed {
        /// Steps that were done.
        step: usize,
    },
    /// A step is done. Steps come in order, but some time after the fact: losses are read back from the device in
    /// bulk, so that no step waits for one.
    Step(StepRecord),
    /// The features of the training sentences, which a deterministic frozen base gives once for all epochs, have come
    /// so far.
    Extracting {
        /// Sentences done.
        done: usize,
        /// Sentences in all.
        total: usize,
    },
    /// An evaluation has come so far.
    Evaluating {
        /// Sentences done.
        done: usize,
        /// Sentences in all.
        total: usize,
    },
    /// An epoch is over and evaluated.
    Epoch(EpochRecord),
    /// A masked-language model was evaluated on held-out text.
    HeldOut {
        /// After so many steps.
        step: usize,
        /// Mean cross-entropy of the hidden words, in nats; its exponential is the perplexity.
        loss: f64,
    },
}
