//! The settings of one training run.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::schedule::{Schedule, SchedulerType};

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

/// What the best epoch is chosen by, under the names of transformers' `metric_for_best_model`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Metric {
    /// The evaluation loss: the lower, the better.
    #[default]
    Loss,
    /// The accuracy.
    Accuracy,
    /// F1 of class 1 for two classes, macro F1 for more.
    F1,
}

/// How to train, under the names and with the defaults of transformers' `TrainingArguments`, save that one epoch is
/// the default here, as in the notebook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingArguments {
    /// The highest rate. Default 5e-5.
    pub learning_rate: f64,
    /// How the rate goes after the warm-up. Default [`SchedulerType::Linear`].
    pub lr_scheduler_type: SchedulerType,
    /// Steps over which the rate rises from 0; below 1, their share of all steps, rounded up. Default 0.
    pub warmup_steps: f64,
    /// Decoupled decay of every trained tensor but biases and LayerNorms. Default 0.
    pub weight_decay: f64,
    /// Passes over the training sentences. Default 1.
    pub num_train_epochs: usize,
    /// Sentences a batch. Default 8.
    pub per_device_train_batch_size: usize,
    /// Batches whose gradients make one step; the last step of an epoch may have fewer. Default 1.
    pub gradient_accumulation_steps: usize,
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
    /// The weight of each class in the training loss, as the `weight` of PyTorch's `CrossEntropyLoss`; evaluations weigh
    /// all alike. Default none.
    pub class_weights: Option<Vec<f64>>,
    /// Whether the model of the best epoch is returned, and not that of the last. Default false.
    pub load_best_model_at_end: bool,
    /// What the best epoch is chosen by; of equals, the first. Default [`Metric::Loss`].
    pub metric_for_best_model: Metric,
    /// Epochs without improvement after which the run ends. Default none: it goes on.
    pub early_stopping_patience: Option<usize>,
    /// Seed of shuffling, adapters and dropout. Default 42.
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
            lr_scheduler_type: SchedulerType::Linear,
            warmup_steps: 0.0,
            weight_decay: 0.0,
            num_train_epochs: 1,
            per_device_train_batch_size: 8,
            gradient_accumulation_steps: 1,
            per_device_eval_batch_size: 8,
            max_grad_norm: 1.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            class_weights: None,
            load_best_model_at_end: false,
            metric_for_best_model: Metric::Loss,
            early_stopping_patience: None,
            seed: 42,
            shuffle: Shuffle::Reference,
            frozen_dropout: true,
        }
    }
}

impl TrainingArguments {
    /// Steps in an epoch over so many sentences; a last short batch, and a last step of fewer batches, count.
    pub fn steps_per_epoch(&self, sentences: usize) -> usize {
        let batches = sentences.div_ceil(self.per_device_train_batch_size.max(1));
        batches.div_ceil(self.gradient_accumulation_steps.max(1))
    }

    /// The rates of a run of so many steps.
    pub fn schedule(&self, steps: usize) -> Schedule {
        let warmup = match self.warmup_steps {
            share if share < 1.0 => (share * steps as f64).ceil() as usize,
            count => count as usize,
        };
        Schedule { kind: self.lr_scheduler_type, warmup, steps }
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
            ("gradient_accumulation_steps", self.gradient_accumulation_steps),
            ("early_stopping_patience", self.early_stopping_patience.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(TrainError::Argument { argument, reason: "must be at least 1".into() });
            }
        }
        for (argument, value) in [
            ("learning_rate", self.learning_rate),
            ("warmup_steps", self.warmup_steps),
            ("weight_decay", self.weight_decay),
            ("max_grad_norm", self.max_grad_norm),
            ("adam_epsilon", self.adam_epsilon),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(TrainError::Argument { argument, reason: format!("{value} is not a number from 0 up") });
            }
        }
        if let Some(weight) = self.class_weights.iter().flatten().find(|weight| !weight.is_finite() || **weight <= 0.0)
        {
            let reason = format!("{weight} is not a positive number");
            return Err(TrainError::Argument { argument: "class_weights", reason });
        }
        for (argument, value) in [("adam_beta1", self.adam_beta1), ("adam_beta2", self.adam_beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(TrainError::Argument { argument, reason: format!("{value} is not in [0, 1)") });
            }
        }
        Ok(())
    }
}
