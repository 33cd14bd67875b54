//! What an experiment found, in the shape of `results.json`.

use rekindle_train::{EpochRecord, StepRecord};
use serde::{Deserialize, Serialize};

use crate::model::Source;

/// Everything a run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The model that all approaches started from.
    pub model: ModelRecord,
    /// The backend's name.
    pub backend: String,
    /// The seed of split, head, shuffling and dropout.
    pub seed: u64,
    /// The data set.
    pub data: DataRecord,
    /// The settings that all approaches share.
    pub arguments: ArgumentsRecord,
    /// One entry an approach, in the order given.
    pub approaches: Vec<ApproachRecord>,
    /// From the start of the run to its end, in seconds.
    pub seconds: f64,
}

/// The model of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// A hub id, a folder, or the embedded model's name.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// SHA-256 of the weights files.
    pub sha256: String,
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Training sentences.
    pub train: usize,
    /// Test sentences.
    pub test: usize,
    /// Class names, in the order of the logits.
    pub classes: Vec<String>,
}

/// The settings that all approaches share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArgumentsRecord {
    /// Tokens a sentence at most.
    pub max_length: usize,
    /// Sentences a step.
    pub batch_size: usize,
    /// Passes over the training sentences.
    pub epochs: usize,
    /// Whether the frozen part dropped out while training.
    pub frozen_dropout: bool,
}

/// What one approach came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApproachRecord {
    /// The approach's name.
    pub approach: String,
    /// Trained parameters.
    pub trainable: usize,
    /// All parameters.
    pub total: usize,
    /// On the test sentences, after the last epoch.
    pub accuracy: f64,
    /// F1 of class 1 for two classes, macro F1 for more.
    pub f1: f64,
    /// True where F1 is 0 because nothing was predicted, or nothing is, of a class.
    pub f1_undefined: bool,
    /// Mean cross-entropy on the test sentences, in nats.
    pub loss: f64,
    /// Every step.
    pub steps: Vec<StepRecord>,
    /// Every epoch.
    pub epochs: Vec<EpochRecord>,
    /// Predicted class of each test sentence.
    pub predictions: Vec<usize>,
    /// Time in training steps.
    pub train_seconds: f64,
    /// Time in evaluations.
    pub eval_seconds: f64,
}
