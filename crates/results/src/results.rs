//! What an experiment found, in the shape of `results.json`: every number that a report shows.

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
    /// The first seed, which also draws splits and folds.
    pub seed: u64,
    /// The data set.
    pub data: DataRecord,
    /// The settings that all approaches share.
    pub arguments: ArgumentsRecord,
    /// How often, and on which parts of the data, every approach was tried.
    pub design: DesignRecord,
    /// What it takes to run it again.
    pub provenance: Provenance,
    /// What can be said of the approaches, a sentence each.
    pub findings: Vec<String>,
    /// One entry an approach, in the order given.
    pub approaches: Vec<ApproachRecord>,
    /// What needs no pretrained model: the majority class, and words counted.
    pub baselines: Vec<BaselineRecord>,
    /// Every approach against every other and against the baselines.
    pub comparisons: Vec<ComparisonRecord>,
    /// Test sentences that an approach misread, those that most runs misread first.
    pub misread: MisreadRecord,
    /// From the start of the run to its end, in seconds.
    pub seconds: f64,
    /// The most memory that the process held, in bytes; absent where the system does not say.
    pub peak_memory: Option<u64>,
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
    /// Training sentences of a run; with folds, of the first fold.
    pub train: usize,
    /// Test sentences of a run; with folds, of the first fold.
    pub test: usize,
    /// Class names, in the order of the logits.
    pub classes: Vec<String>,
    /// The files, as they were named; empty for the notebook's twelve sentences.
    pub files: Vec<String>,
    /// Sentences of each class, in the order of `classes`, training and test together.
    pub class_counts: Vec<usize>,
    /// SHA-256 of all sentences and their classes, in their order.
    pub sha256: String,
}

/// The settings that all approaches share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArgumentsRecord {
    /// Tokens a sentence at most.
    pub max_length: usize,
    /// Sentences a step, before accumulation.
    pub batch_size: usize,
    /// Batches whose gradients make one step.
    pub gradient_accumulation_steps: usize,
    /// Passes over the training sentences, at most.
    pub epochs: usize,
    /// `constant`, `linear` or `cosine`.
    pub lr_scheduler_type: String,
    /// Steps over which the rate rises, or their share of all steps where below 1.
    pub warmup_steps: f64,
    /// The weight of each class in the training loss, in the order of the classes; absent where all weigh the same.
    pub class_weights: Option<Vec<f64>>,
    /// Epochs without improvement on the validation sentences after which a run ends; absent where it never does.
    pub early_stopping_patience: Option<usize>,
    /// Whether the frozen part dropped out while training.
    pub frozen_dropout: bool,
}

/// How often, and on which parts of the data, every approach was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignRecord {
    /// Stratified folds, each of which is tested on once a repeat; absent for one fixed test set.
    pub folds: Option<usize>,
    /// How often the data was dealt into folds anew.
    pub repeats: usize,
    /// Seeds of head, shuffling and dropout; every fold is run with each.
    pub seeds: Vec<u64>,
    /// Training sentences of the points of the learning curve, ascending. The last is what the tables tell of.
    pub sizes: Vec<usize>,
    /// Sentences held out of training to choose the best epoch by; 0 where the last epoch is taken.
    pub validation: usize,
    /// What the best epoch is chosen by: `loss`, `accuracy` or `f1`; absent where the last epoch is taken.
    pub metric_for_best_model: Option<String>,
}

/// What it takes to run it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The command, a word each; empty where a program other than the command line ran it.
    pub command: Vec<String>,
    /// Versions of what computed: name and version.
    pub versions: Vec<(String, String)>,
    /// When it ended, in seconds since 1970.
    pub finished: u64,
}

/// A mean and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over runs, or the value of the one run.
    pub mean: f64,
    /// Ends of the interval; absent where `n` is too small for one.
    pub interval: Option<(f64, f64)>,
    /// Share of such intervals that hold the truth: 0.95.
    pub level: f64,
    /// What was counted: test sentences, or folds.
    pub n: usize,
    /// `bootstrap` over test sentences, or `corrected t` over folds.
    pub method: String,
}

/// Accuracy, F1 and loss, each with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Share of test sentences classified rightly.
    pub accuracy: Estimate,
    /// F1 of class 1 for two classes, macro F1 for more.
    pub f1: Estimate,
    /// Mean cross-entropy, in nats.
    pub loss: Estimate,
}

/// What one approach came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApproachRecord {
    /// The approach's name.
    pub approach: String,
    /// The approach as it is named on the command line.
    pub spec: String,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Trained parameters; with adapters, as peft counts them.
    pub trainable: usize,
    /// All parameters; with adapters, as peft counts them: the head, which it keeps twice, twice.
    pub total: usize,
    /// On test sentences, at the largest size; the mean over runs.
    pub accuracy: f64,
    /// F1 of class 1 for two classes, macro F1 for more; the mean over runs.
    pub f1: f64,
    /// True where F1 is 0 in a run because nothing was predicted, or nothing is, of a class.
    pub f1_undefined: bool,
    /// Mean cross-entropy on the test sentences, in nats; the mean over runs.
    pub loss: f64,
    /// The same three with intervals.
    pub scores: Scores,
    /// Every step of the first run at the largest size.
    pub steps: Vec<StepRecord>,
    /// Every epoch of that run.
    pub epochs: Vec<EpochRecord>,
    /// Predicted class of each test sentence; with folds, of each sentence when its fold was tested on: first seed, first
    /// repeat.
    pub predictions: Vec<usize>,
    /// The learning curve: scores by training size, ascending.
    pub curve: Vec<CurvePoint>,
    /// How good the probabilities are, over all runs at the largest size.
    pub quality: Quality,
    /// Every run.
    pub runs: Vec<RunRecord>,
    /// Time in training steps, all runs together.
    pub train_seconds: f64,
    /// Time in evaluations, all runs together.
    pub eval_seconds: f64,
}

/// Scores at one training size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Training sentences.
    pub size: usize,
    /// The scores.
    pub scores: Scores,
}

/// One training and its test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Seed of head, shuffling and dropout.
    pub seed: u64,
    /// From 1: which dealing into folds.
    pub repeat: usize,
    /// From 1: which fold was tested on.
    pub fold: usize,
    /// Training sentences.
    pub size: usize,
    /// Test sentences.
    pub test: usize,
    /// On the test sentences.
    pub accuracy: f64,
    /// F1 of class 1 for two classes, macro F1 for more.
    pub f1: f64,
    /// Mean cross-entropy on the test sentences, in nats.
    pub loss: f64,
    /// From 1: the epoch whose model was tested.
    pub best_epoch: usize,
    /// Every step.
    pub steps: Vec<StepRecord>,
    /// Every epoch, scored on the validation sentences where there are any, on the test sentences otherwise.
    pub epochs: Vec<EpochRecord>,
    /// Time in training steps.
    pub train_seconds: f64,
    /// Time in evaluations.
    pub eval_seconds: f64,
}

/// How good predicted classes and probabilities are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Rows are true classes, columns predicted ones; counts over all runs.
    pub confusion: Vec<Vec<u64>>,
    /// ROC curves: of class 1 for two classes, of each class against all others for more. Absent for a class that never
    /// or always occurs.
    pub roc: Vec<RocRecord>,
    /// Calibration of the probability of the predicted class, by bins of equal width.
    pub calibration: Vec<CalibrationBin>,
    /// Expected calibration error (Guo et al., 2017).
    pub ece: f64,
    /// Brier score (Brier, 1950): mean squared distance of probabilities and truth, summed over classes.
    pub brier: f64,
}

/// The ROC curve of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocRecord {
    /// The class that counts as positive: its index.
    pub class: usize,
    /// Area under the curve.
    pub auc: f64,
    /// False positive rate and true positive rate, ascending; thinned to a few hundred points.
    pub points: Vec<(f64, f64)>,
}

/// Sentences whose predicted class had a probability within a bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Ends of the bin.
    pub range: (f64, f64),
    /// Sentences in it.
    pub count: u64,
    /// Their mean probability.
    pub confidence: f64,
    /// The share of them that was classified rightly.
    pub accuracy: f64,
}

/// What one baseline came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineRecord {
    /// `majority` or `tfidf_logistic_regression`.
    pub baseline: String,
    /// As of an approach.
    pub accuracy: f64,
    /// As of an approach.
    pub f1: f64,
    /// As of an approach.
    pub loss: f64,
    /// The same three with intervals.
    pub scores: Scores,
    /// The learning curve.
    pub curve: Vec<CurvePoint>,
    /// Time to fit and to predict, all runs together.
    pub seconds: f64,
}

/// Two approaches, or an approach and a baseline, on the same test sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRecord {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// Accuracy of `a` minus that of `b`.
    pub difference: f64,
    /// 95 % interval of the difference; absent where `n` is too small for one.
    pub interval: Option<(f64, f64)>,
    /// Test sentences, or folds.
    pub n: usize,
    /// `McNemar, exact` over test sentences, or `corrected t` over folds.
    pub method: String,
    /// Probability of a difference as large where there is none; absent where `n` is too small for a test.
    pub p_value: Option<f64>,
    /// The same, for having asked as many questions as there are comparisons (Holm, 1979).
    pub p_adjusted: Option<f64>,
    /// Whether the difference stands: the adjusted value is below 0.05.
    pub stands: bool,
}

/// Misread test sentences.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MisreadRecord {
    /// Sentences that any approach misread in any run.
    pub total: usize,
    /// The first of them, those that most runs misread first.
    pub sentences: Vec<MisreadSentence>,
}

/// A test sentence that an approach misread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MisreadSentence {
    /// Its row in the test data; with folds, in all data. From 0.
    pub row: usize,
    /// The sentence.
    pub text: String,
    /// Its class: an index.
    pub label: usize,
    /// What each approach made of it, in the order of the approaches.
    pub approaches: Vec<Reading>,
}

/// What an approach made of a sentence, over all runs that tested on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Runs that tested on it.
    pub runs: usize,
    /// Of these, how many misread it.
    pub wrong: usize,
    /// Mean probability of each class.
    pub probabilities: Vec<f64>,
}
