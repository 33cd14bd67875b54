//! What was chosen before the experiment ran: model, data, arguments, design and provenance.

use serde::{Deserialize, Serialize};

use crate::scores::{Estimate, Scores};

/// The source of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The Hugging Face hub, or its cache.
    Hub,
    /// A folder.
    Folder,
    /// The program itself.
    Embedded,
}

/// The pretrained model of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelRecord {
    /// A hub id, a folder, or the name of the embedded model.
    pub id: String,
    /// The source of the model.
    pub source: Source,
    /// SHA-256 of the weight files.
    pub sha256: String,
}

impl ModelRecord {
    /// Returns the record of a model.
    pub fn new(id: impl Into<String>, source: Source, sha256: impl Into<String>) -> Self {
        Self { id: id.into(), source, sha256: sha256.into() }
    }
}

/// The data of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataRecord {
    /// Training examples of a run; with folds, of the first fold.
    pub train: usize,
    /// Test examples of a run; with folds, of the first fold.
    pub test: usize,
    /// The kind of label: `single-label`, `multi-label`, `regression` or `ordinal`; empty for the first in files of earlier
    /// releases.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub task: String,
    /// Class names, in the order of the logits; none for a regression.
    pub classes: Vec<String>,
    /// The files, as they were named; empty for the twelve examples of the notebook.
    pub files: Vec<String>,
    /// Examples per class, in the order of `classes`, training and test together.
    pub class_counts: Vec<usize>,
    /// SHA-256 of all texts and their classes, in their order.
    pub sha256: String,
    /// The label errors that are not trained on; absent if none were dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<DroppedRecord>,
    /// What the lines of examples count: `line`, or `row` in formats without lines; empty in files of earlier releases.
    #[serde(default)]
    pub unit: String,
    /// Lengths, duplicates and leaks; absent in files of earlier releases.
    #[serde(default)]
    pub profile: Option<DataProfile>,
}

/// Label errors that are not trained on. They are tested on as other examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DroppedRecord {
    /// The file that lists them, as it was named.
    pub file: String,
    /// Number of training examples that it lists.
    pub examples: usize,
}

impl DroppedRecord {
    /// Returns the record of `examples` that a file lists.
    pub fn new(file: impl Into<String>, examples: usize) -> Self {
        Self { file: file.into(), examples }
    }
}

/// Lengths, duplicates and leaks of the examples, training and test together.
///
/// Two texts are equal if they are equal after Unicode, case and white space are normalised, as in `rekindle data`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataProfile {
    /// Empty texts.
    pub empty: u64,
    /// Examples whose text occurred before.
    pub duplicates: u64,
    /// Examples whose text first occurred with another label.
    pub conflicts: u64,
    /// Test examples whose text is also a training example; with folds, of the first repeat.
    pub leaks: u64,
    /// Validation examples whose text is also a training example.
    #[serde(default)]
    pub validation_leaks: u64,
    /// The same, with the lines of a training and of a test example; at most a few.
    pub leak_lines: Vec<(u64, u64)>,
    /// Tokens of a text, with special tokens and without truncation: minimum, median, 90th, 95th and 99th percentile, maximum.
    pub tokens: Vec<usize>,
    /// Texts that are longer than the maximum length, and are truncated unless [`ArgumentsRecord::long_texts`] says otherwise.
    pub truncated: u64,
    /// Groups by the column of [`DesignRecord::group_column`]; 0 without one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub groups: u64,
    /// Examples of the largest group.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub largest_group: u64,
    /// Test examples of groups that have training examples, too: in files that are given separately.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub group_leaks: u64,
    /// Validation examples of groups that have training examples, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub validation_group_leaks: u64,
    /// Examples whose text is nearly equal to an earlier one and not equal, if these are counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub near_duplicates: u64,
    /// Test examples whose text is nearly equal, and not equal, to the text of a training example; with folds, of the first repeat.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub near_leaks: u64,
    /// Test examples that are not newer than the newest training example: in files that are given separately.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_newer: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The settings that all approaches share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArgumentsRecord {
    /// Maximum number of tokens per text.
    pub max_length: usize,
    /// What is read of longer texts, for example `head-tail` or `windows:stride=0:pool=mean`; absent if they are truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_texts: Option<String>,
    /// Examples per batch.
    pub batch_size: usize,
    /// Batches whose gradients are accumulated for one step.
    pub gradient_accumulation_steps: usize,
    /// Maximum number of passes over the training examples, without those that `min_steps` adds.
    pub epochs: usize,
    /// Fewest steps of a run: with few examples, a run has more epochs, but at most 20. 0 for exactly `epochs`.
    #[serde(default)]
    pub min_steps: usize,
    /// `constant`, `linear` or `cosine`.
    pub lr_scheduler_type: String,
    /// Steps over which the learning rate rises, or their fraction of all steps if below 1.
    pub warmup_steps: f64,
    /// The weight of each class in the training loss, in the order of the classes; absent if all weights are equal.
    pub class_weights: Option<Vec<f64>>,
    /// Epochs without improvement on the validation examples after which a run stops; absent without early stopping.
    pub early_stopping_patience: Option<usize>,
    /// Whether the frozen part of the model drops out during training.
    pub frozen_dropout: bool,
    /// What frozen weights of linear layers were stored in, unless in f32: `bf16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_precision: Option<String>,
    /// `none` if the training examples keep their order in every epoch; absent if they are drawn as by transformers' `Trainer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<String>,
    /// The costs of errors that thresholds minimise, for example `fp=1,fn=10`; absent without costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// The beta of the F-beta score that thresholds maximise, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f_beta: Option<f64>,
    /// Inner folds of the training examples that calibration and thresholds are chosen on; absent if none were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_folds: Option<usize>,
}

/// The samples and seeds that every approach is run with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DesignRecord {
    /// Number of stratified folds; absent with one fixed test set.
    pub folds: Option<usize>,
    /// How often the data is split into folds; 1 with a fixed test set.
    pub repeats: usize,
    /// The column of the groups that stay on one side of a split; absent without groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// The column of the times by which training and test examples are divided; absent without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// The similarity from which texts are nearly equal, and stay on one side of a split; absent if only equal texts do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_duplicates: Option<f64>,
    /// The time of the oldest test example of each fold, or of the test set; none without times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_from: Vec<String>,
    /// Seeds of head, shuffling and dropout; every fold is run with each.
    pub seeds: Vec<u64>,
    /// Training examples per point of the learning curve, ascending. Tables show the last.
    pub sizes: Vec<usize>,
    /// Validation examples that choose the best epoch; 0 if the last epoch is used.
    pub validation: usize,
    /// The metric that chooses the best epoch: `loss`, `accuracy` or `f1`; absent if the last epoch is used.
    pub metric_for_best_model: Option<String>,
    /// The metric that approaches are ranked by, and that is compared between them, under the names of scikit-learn's
    /// `scoring`: `accuracy`, `f1`, `f1_macro`, …; `loss` for the loss. Empty for accuracy in files of earlier releases.
    #[serde(default)]
    pub metric: String,
    /// The name of that metric for readers, for example `macro F1`.
    #[serde(default)]
    pub metric_label: String,
    /// The metrics of the task, in the order of tables; empty for accuracy, F1 and loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricRecord>,
}

/// A metric that every approach is scored by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricRecord {
    /// Its name, as in [`Scores`].
    pub name: String,
    /// Its name for readers.
    pub label: String,
}

impl MetricRecord {
    /// Returns the record of a metric.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into() }
    }
}

impl DesignRecord {
    /// Returns the name for readers of the metric that approaches are ranked by.
    pub fn metric_label(&self) -> &str {
        if self.metric_label.is_empty() { "accuracy" } else { &self.metric_label }
    }

    /// Returns the score that approaches are ranked by.
    pub fn ranked<'a>(&self, scores: &'a Scores) -> Option<&'a Estimate> {
        // Earlier releases wrote `other` for a metric beside accuracy, F1 and loss.
        scores.get(&self.metric).or_else(|| scores.get("other")).or_else(|| scores.get("accuracy"))
    }
}

/// What is needed to run an experiment again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The words of the command; empty if a program other than the command line ran the experiment.
    pub command: Vec<String>,
    /// Names and versions of the software.
    pub versions: Vec<(String, String)>,
    /// When the experiment ended, in seconds since 1970.
    pub finished: u64,
}

impl Provenance {
    /// Returns the record of a command that ended at `finished`, in seconds since 1970.
    pub fn new(command: Vec<String>, versions: Vec<(String, String)>, finished: u64) -> Self {
        Self { command, versions, finished }
    }
}
