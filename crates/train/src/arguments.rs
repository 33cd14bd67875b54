//! The arguments of a training.

use rekindle_metrics::Scorer;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::schedule::{Schedule, SchedulerType};

/// The order in which an epoch visits the training examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Shuffle {
    /// The permutation that transformers' `Trainer` draws on the CPU with the same seed.
    #[default]
    Reference,
    /// The order of the data, in every epoch.
    None,
}

/// How to train, under the names and with the defaults of transformers' `TrainingArguments`, except that the default is one
/// epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingArguments {
    /// The highest learning rate. Default 5e-5.
    pub learning_rate: f64,
    /// How the learning rate changes after the warm-up. Default [`SchedulerType::Linear`].
    pub lr_scheduler_type: SchedulerType,
    /// Steps over which the learning rate rises from 0; below 1, their fraction of all steps, rounded up. Default 0.
    pub warmup_steps: f64,
    /// Decoupled weight decay of every trainable parameter except biases and LayerNorms. Default 0.
    pub weight_decay: f64,
    /// Passes over the training examples. Default 1.
    pub num_train_epochs: usize,
    /// Steps in all, instead of `num_train_epochs`; the last epoch may then be incomplete. Default none.
    pub max_steps: Option<usize>,
    /// Examples per batch. Default 8.
    pub per_device_train_batch_size: usize,
    /// Micro-batches whose gradients make one step; the last step of an epoch may have fewer. Default 1.
    pub gradient_accumulation_steps: usize,
    /// Examples per batch of an evaluation. A classification puts more short examples into a batch, up to the number of
    /// tokens of the longest ones. Default 8.
    pub per_device_eval_batch_size: usize,
    /// The global gradient norm above which gradients are scaled down. Default 1.
    pub max_grad_norm: f64,
    /// Decay of the first moment. Default 0.9.
    pub adam_beta1: f64,
    /// Decay of the second moment. Default 0.999.
    pub adam_beta2: f64,
    /// Added to the root of the second moment. Default 1e-8.
    pub adam_epsilon: f64,
    /// The weight of each class in the training loss, as `weight` of PyTorch's `CrossEntropyLoss`; for several labels, the weight
    /// of the examples that have each label, as `pos_weight` of `BCEWithLogitsLoss`. Evaluations weigh all alike. For
    /// classification only. Default none.
    pub class_weights: Option<Vec<f64>>,
    /// Whether the model of the best epoch is returned instead of the last one. Default false.
    pub load_best_model_at_end: bool,
    /// The metric that decides which epoch is the best; the first of equals. Default [`Scorer::Loss`].
    #[serde(with = "metric_name")]
    pub metric_for_best_model: Scorer,
    /// Epochs without improvement after which the training ends. Default none.
    pub early_stopping_patience: Option<usize>,
    /// Seed of shuffling, masking, adapters and dropout. Default 42.
    pub seed: u64,
    /// The order of the examples. Default [`Shuffle::Reference`].
    pub shuffle: Shuffle,
    /// Whether the frozen part of the model drops out while training, as it does in transformers. If not, it is
    /// deterministic, and the output of a completely frozen encoder is computed once for all epochs. Default true.
    pub frozen_dropout: bool,
}

/// A metric as its name.
mod metric_name {
    use rekindle_metrics::Scorer;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(metric: &Scorer, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(metric.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scorer, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Default for TrainingArguments {
    fn default() -> Self {
        Self {
            learning_rate: 5e-5,
            lr_scheduler_type: SchedulerType::Linear,
            warmup_steps: 0.0,
            weight_decay: 0.0,
            num_train_epochs: 1,
            max_steps: None,
            per_device_train_batch_size: 8,
            gradient_accumulation_steps: 1,
            per_device_eval_batch_size: 8,
            max_grad_norm: 1.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            class_weights: None,
            load_best_model_at_end: false,
            metric_for_best_model: Scorer::Loss,
            early_stopping_patience: None,
            seed: 42,
            shuffle: Shuffle::Reference,
            frozen_dropout: true,
        }
    }
}

impl TrainingArguments {
    /// Returns the steps per epoch over so many examples. A last short batch, and a last step of fewer batches, count.
    pub fn steps_per_epoch(&self, examples: usize) -> usize {
        let batches = examples.div_ceil(self.per_device_train_batch_size.max(1));
        batches.div_ceil(self.gradient_accumulation_steps.max(1))
    }

    /// Returns the steps of a training over so many examples.
    pub fn steps(&self, examples: usize) -> usize {
        self.max_steps.unwrap_or_else(|| self.steps_per_epoch(examples) * self.num_train_epochs)
    }

    /// Returns the epochs of a training over so many examples; the last one may be incomplete.
    pub fn epochs(&self, examples: usize) -> usize {
        self.steps(examples).div_ceil(self.steps_per_epoch(examples).max(1))
    }

    /// Returns the learning rates of a training of so many steps.
    pub fn schedule(&self, steps: usize) -> Schedule {
        let warmup = match self.warmup_steps {
            share if share < 1.0 => (share * steps as f64).ceil() as usize,
            count => count as usize,
        };
        Schedule { kind: self.lr_scheduler_type, warmup, steps }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// Returns an error if a size is 0, or a rate is negative or not finite.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (argument, value) in [
            ("num_train_epochs", self.num_train_epochs),
            ("max_steps", self.max_steps.unwrap_or(1)),
            ("per_device_train_batch_size", self.per_device_train_batch_size),
            ("per_device_eval_batch_size", self.per_device_eval_batch_size),
            ("gradient_accumulation_steps", self.gradient_accumulation_steps),
            ("early_stopping_patience", self.early_stopping_patience.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(TrainError::argument(argument, "must be at least 1"));
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
                return Err(TrainError::argument(argument, format!("{value} is not a number of at least 0")));
            }
        }
        let is_valid = |weight: &&f64| weight.is_finite() && **weight > 0.0;
        if let Some(weight) = self.class_weights.iter().flatten().find(|weight| !is_valid(weight)) {
            return Err(TrainError::argument("class_weights", format!("{weight} is not a positive number")));
        }
        for (argument, value) in [("adam_beta1", self.adam_beta1), ("adam_beta2", self.adam_beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(TrainError::argument(argument, format!("{value} is not in [0, 1)")));
            }
        }
        Ok(())
    }
}
