//! The records of approaches, baselines among them, and of their comparisons.

use serde::{Deserialize, Serialize};

use crate::diagnostics::Diagnostics;
use crate::run::{EpochRecord, RunRecord, StepRecord};
use crate::scores::{CurvePoint, Scores};
use crate::search::SearchRecord;
use crate::target::TargetRecord;

/// The results of an approach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApproachRecord {
    /// The name of the approach.
    pub approach: String,
    /// The approach as the command line names it.
    pub spec: String,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The highest learning rate of the head; absent for `learning_rate`.
    #[serde(default)]
    pub head_learning_rate: Option<f64>,
    /// What the head reads: `cls` or `mean`; absent without a head.
    #[serde(default)]
    pub pooling: Option<String>,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Trainable parameters; with adapters, as peft counts them.
    pub trainable: usize,
    /// All parameters; with adapters, as peft counts them: the head counts twice, because peft keeps the original.
    pub total: usize,
    /// The precision of the encoder's linear layers in predictions; absent for f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Accuracy on the test examples at the largest size; the mean over runs. Absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 of class 1 for two classes, macro F1 for more and for several labels; the mean over runs. Absent for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Whether F1 is 0 in a run because a class was never predicted, or never occurs.
    pub f1_undefined: bool,
    /// Mean loss on the test examples, for classes the cross-entropy in nats; the mean over runs.
    pub loss: f64,
    /// These and the further metrics of the task, with confidence intervals.
    pub scores: Scores,
    /// The steps of the first run at the largest size.
    pub steps: Vec<StepRecord>,
    /// The epochs of that run.
    pub epochs: Vec<EpochRecord>,
    /// The prediction for each test example, by the first seed; with folds, for each example, by the first repeat.
    pub predictions: Vec<TargetRecord>,
    /// The learning curve, by ascending size.
    pub curve: Vec<CurvePoint>,
    /// Confusion matrix, ROC curves and calibration.
    #[serde(rename = "quality")]
    pub diagnostics: Diagnostics,
    /// The search that chose the approach of each run; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRecord>,
    /// Every run.
    pub runs: Vec<RunRecord>,
    /// Number of runs at the largest size that are undertrained: their loss is no better than that of the majority class,
    /// neither on the training nor on the test examples. Such an approach is excluded from `comparisons`.
    #[serde(default)]
    pub undertrained: usize,
    /// Time in training steps over all runs, in seconds.
    pub train_seconds: f64,
    /// Time in evaluations over all runs, in seconds.
    pub eval_seconds: f64,
    /// Examples per second of training: those of all epochs of all runs, divided by `train_seconds`. The features of a frozen
    /// encoder are computed once, so that later epochs train the head alone.
    #[serde(default)]
    pub train_examples_per_second: Option<f64>,
    /// Examples per second of evaluation: those of all evaluations of all runs, divided by `eval_seconds`.
    #[serde(default)]
    pub eval_examples_per_second: Option<f64>,
    /// Bytes of the parameters of the saved model, in single precision, with adapters merged.
    #[serde(default)]
    pub saved_bytes: Option<u64>,
    /// Time of all cores over all runs, training and evaluation, in seconds; absent if runs were restored or distributed. Features
    /// that approaches share are counted for the first of them.
    #[serde(default)]
    pub processor_seconds: Option<f64>,
}

impl ApproachRecord {
    /// Returns the record of an approach with these scores at the largest size, and no runs.
    pub fn new(approach: impl Into<String>, scores: Scores, curve: Vec<CurvePoint>) -> Self {
        let of = |metric| scores.get(metric).map(|estimate| estimate.mean);
        let (accuracy, f1, loss) = (of("accuracy"), of("f1").or(of("f1_macro")), scores.mean("loss"));
        Self { approach: approach.into(), accuracy, f1, loss, scores, curve, ..Self::default() }
    }
}

/// Two approaches, or an approach and a baseline, compared on the same test examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparisonRecord {
    /// The first.
    pub a: String,
    /// The second.
    pub b: String,
    /// The metric that approaches are ranked by (accuracy by default), of `a` minus that of `b`.
    pub difference: f64,
    /// 95 % confidence interval of the difference, for `permutation` by the paired bootstrap; absent if `n` is too small for
    /// one.
    pub interval: Option<(f64, f64)>,
    /// Number of test examples or folds.
    pub n: usize,
    /// `McNemar, exact`, `paired t` or `permutation` over test examples, `permutation of groups` if they have groups, or `corrected t`
    /// over folds.
    pub method: String,
    /// Probability of a difference at least as large if there were none; absent if `n` is too small for a test.
    pub p_value: Option<f64>,
    /// The p-value adjusted for the number of comparisons (Holm, 1979).
    pub p_adjusted: Option<f64>,
    /// Whether the difference is significant: the adjusted p-value is below 0.05.
    #[serde(rename = "stands")]
    pub significant: bool,
    /// Whether both are equivalent within one point, by two one-sided tests (Schuirmann, 1987): at 0.05, divided by the number of
    /// comparisons, a larger difference is rejected. Absent for a metric without points, and in files of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivalent: Option<bool>,
}
