//! The settings of one training run.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// The order in which an epoch visits the training sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Shuffle {
    /// The permutation that transformers' `Trainer` draws on the CPU at the same seed.
    #[default]
    Reference,
    /// The order of the file, in every epoch.
    None,
}

/// How to train, under the names and with the defaults of transformers' `TrainingArguments`, save that one epoch is
/// the default here, as in the notebook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingArguments {
    /// The rate of the first step; it falls linearly to 0 over all steps. Default 5e-5.
    pub learning_rate: f64,
    /// Decoupled decay of every trained tensor but biases and LayerNorms. Default 0.
    pub weight_decay: f64,
    /// Passes over the training sentences. Default 1.
    pub num_train_epochs: usize,
    /// Sentences a step. Default 8.
    pub per_device_train_batch_size: usize,
    /// Sentences of the longest a batch while evaluating; of shorter ones, as many as have that many tokens. Default 8.
    pub per_device_eval_batch_size: usize,
    /// The global gradient norm above which gradients are scaled down. Default 1.
    pub max_grad_norm: f64,
    /// Decay of the first moment. Default 0.9.
    pub adam_beta1: f64,
    /// Decay of the second moment. Default 0.999.
    pub adam_beta2: f64,
    /// Added to the root of the second moment. Default 1e-8.
    pub adam_epsilon: f64,
    /// Seed of shuffling and dropout. Default 42.
    pub seed: u64,
    /// The order of the sentences. Default [`Shuffle::Reference`].
    pub shuffle: Shuffle,
    /// Whether dropouts of the frozen part act while training, as they do in the reference. Without, it is
    /// deterministic; and where the whole base is frozen, its output is computed once for all epochs. Default true.
    pub frozen_dropout: bool,
}

impl Default for TrainingArguments {
    fn default() -> Self {
        Self {
            learning_rate: 5e-5,
            weight_decay: 0.0,
            num_train_epochs: 1,
            per_device_train_batch_size: 8,
            per_device_eval_batch_size: 8,
            max_grad_norm: 1.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            seed: 42,
            shuffle: Shuffle::Reference,
            frozen_dropout: true,
        }
    }
}

impl TrainingArguments {
    /// Steps in an epoch over so many sentences; a last short batch counts as a step.
    pub fn steps_per_epoch(&self, sentences: usize) -> usize {
        sentences.div_ceil(self.per_device_train_batch_size.max(1))
    }

    /// Refuses what would not train.
    ///
    /// # Errors
    /// When a size is 0, or a rate is negative or not finite.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (argument, value) in [
            ("num_train_epochs", self.num_train_epochs),
            ("per_device_train_batch_size", self.per_device_train_batch_size),
            ("per_device_eval_batch_size", self.per_device_eval_batch_size),
        ] {
            if value == 0 {
                return Err(TrainError::Argument { argument, reason: "must be at least 1".into() });
            }
        }
        for (argument, value) in [
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
            ("max_grad_norm", self.max_grad_norm),
            ("adam_epsilon", self.adam_epsilon),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(TrainError::Argument { argument, reason: format!("{value} is not a number from 0 up") });
            }
        }
        for (argument, value) in [("adam_beta1", self.adam_beta1), ("adam_beta2", self.adam_beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(TrainError::Argument { argument, reason: format!("{value} is not in [0, 1)") });
            }
        }
        Ok(())
    }
}
