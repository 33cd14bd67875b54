//! The record of a run, with its steps and epochs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calibration::CalibrationRecord;
use crate::search::TrialRecord;

/// A run: one training and its test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunRecord {
    /// Seed of head, shuffling and dropout.
    pub seed: u64,
    /// The repeat of the split into folds, from 1.
    pub repeat: usize,
    /// The fold that is tested on, from 1.
    pub fold: usize,
    /// Training examples.
    pub size: usize,
    /// Test examples.
    pub test: usize,
    /// Accuracy on the test examples; of several labels, the subset accuracy. Absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 of class 1 for two classes, macro F1 for more and for several labels. Absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean loss on the test examples: for classes the cross-entropy, in nats.
    pub loss: f64,
    /// The further metrics of the task on the test examples, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// The probabilities from which each of several labels, or of two classes the second one, is predicted, chosen on the
    /// validation examples or by inner folds; empty for 0.5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f32>,
    /// How the logits were calibrated; absent if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationRecord>,
    /// The epoch whose model was tested, from 1.
    pub best_epoch: usize,
    /// What the approach chose by itself from the training examples, for example `C` of a probe.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hyperparameters: BTreeMap<String, String>,
    /// The candidates that a search tried; none without a search.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialRecord>,
    /// Every step.
    pub steps: Vec<StepRecord>,
    /// Every epoch, evaluated on the validation examples; without any, the last epoch alone, evaluated on the test examples.
    pub epochs: Vec<EpochRecord>,
    /// Time in training steps, in seconds.
    pub train_seconds: f64,
    /// Time in evaluations, in seconds.
    pub eval_seconds: f64,
}

impl RunRecord {
    /// Returns what tells the run from others of its approach.
    pub fn key(&self) -> RunKey {
        RunKey { seed: self.seed, repeat: self.repeat, fold: self.fold, size: self.size }
    }
}

/// What tells a run from others of its approach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunKey {
    /// Seed of head, shuffling and dropout.
    pub seed: u64,
    /// The repeat of the split into folds, from 1.
    pub repeat: usize,
    /// The fold that is tested on, from 1.
    pub fold: usize,
    /// Training examples.
    pub size: usize,
}

/// An optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepRecord {
    /// Number of the step in its run, from 1.
    pub step: usize,
    /// The epoch of the step, from 1.
    pub epoch: usize,
    /// Mean loss of the batch: for classes the cross-entropy, in nats.
    pub loss: f64,
    /// Norm of the gradient over all trainable parameters, before clipping.
    pub grad_norm: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

impl StepRecord {
    /// Returns the record of a step.
    pub fn new(step: usize, epoch: usize, loss: f64, grad_norm: f64, learning_rate: f64) -> Self {
        Self { step, epoch, loss, grad_norm, learning_rate }
    }
}

/// An epoch and the evaluation after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EpochRecord {
    /// Number of the epoch in its run, from 1.
    pub epoch: usize,
    /// Mean training loss over the examples of the epoch.
    pub train_loss: f64,
    /// Mean loss over the evaluated examples.
    pub eval_loss: f64,
    /// Accuracy on the evaluated examples; absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 of class 1 for two classes, macro F1 for more and for several labels; absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
}

impl EpochRecord {
    /// Returns the record of an epoch.
    pub fn new(epoch: usize, train_loss: f64, eval_loss: f64, accuracy: Option<f64>, f1: Option<f64>) -> Self {
        Self { epoch, train_loss, eval_loss, accuracy, f1 }
    }
}
