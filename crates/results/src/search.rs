//! The records of a search for the best approach: the trials of each run, and what follows from all of them.

use serde::{Deserialize, Serialize};

/// A candidate of a search, with its scores on the inner folds of the training examples of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrialRecord {
    /// The candidate as the command line names it.
    pub approach: String,
    /// The last rung of successive halving that it completed, from 1; 0 if it completed none.
    pub rung: usize,
    /// The metric on each inner fold that it was trained for, in the order of the folds.
    pub scores: Vec<f64>,
    /// The metric of the same models on the test examples of the run: it chooses nothing, and measures the optimism.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_scores: Vec<f64>,
    /// Wall-clock time of its trainings and tests, in seconds.
    pub seconds: f64,
    /// Why it has no further scores, for example because its training diverged; absent if nothing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Whether it was chosen, and trained on all training examples of the run.
    pub chosen: bool,
}

/// What a search was to choose from, and what follows from its trials at the largest training size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SearchRecord {
    /// The candidates as the command line names them, in the order given.
    pub candidates: Vec<String>,
    /// Inner folds; a run has fewer if a class has fewer examples.
    pub inner_folds: usize,
    /// The factor by which successive halving reduces the candidates; absent if every candidate is trained for all inner folds.
    pub halving: Option<usize>,
    /// After so many candidates in a row that were not better, no further one is tried; absent without this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// The time of all searches together, in seconds; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_seconds: Option<f64>,
    /// The trainings of all searches together; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_runs: Option<usize>,
    /// The number of searches that share the budget: one per run, and one for the final model.
    pub searches: usize,
    /// The trials of the search for the final model, which is trained on all examples; none without such a model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub final_trials: Vec<TrialRecord>,
    /// How much each setting mattered, the most important first.
    pub effects: Vec<EffectRecord>,
    /// What choosing on the test examples would have reported; absent without test scores of at least two candidates.
    pub optimism: Option<OptimismRecord>,
}

/// How much a setting of the candidates mattered: the mean score of its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EffectRecord {
    /// The setting: `approach`, or an option of an approach, for example `full:lr`.
    pub setting: String,
    /// Its values, the best first.
    pub values: Vec<EffectValue>,
    /// The mean score of the best value minus that of the worst, without a sign.
    pub spread: f64,
}

/// A value of a setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EffectValue {
    /// The value; `default` if a candidate does not name the option.
    pub value: String,
    /// The mean over its trials of the score on the inner folds that all trials of a run have.
    pub mean: f64,
    /// Its trials in all runs.
    pub trials: usize,
}

/// The scores of models that were trained for inner folds, on the test examples of their runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OptimismRecord {
    /// The candidate with the best mean over all runs on the test examples.
    pub approach: String,
    /// This mean: what choosing on the test examples would have reported.
    pub reported: f64,
    /// The mean of the candidates that the inner folds chose, by models of the same kind.
    pub honest: f64,
    /// How much better `reported` is than `honest`: the optimism of the choice, at least 0 unless runs chose different candidates.
    pub optimism: f64,
}

impl EffectRecord {
    /// Returns the effect of a setting, by its values with the best first.
    pub fn new(setting: impl Into<String>, values: Vec<EffectValue>) -> Self {
        let of = |value: Option<&EffectValue>| value.map_or(0.0, |value| value.mean);
        let spread = (of(values.first()) - of(values.last())).abs();
        Self { setting: setting.into(), values, spread }
    }
}

impl EffectValue {
    /// Returns the mean score of a value over so many trials.
    pub fn new(value: impl Into<String>, mean: f64, trials: usize) -> Self {
        Self { value: value.into(), mean, trials }
    }
}

impl TrialRecord {
    /// Returns the mean of the scores on the first inner folds; `None` if it has fewer.
    pub fn mean(&self, folds: usize) -> Option<f64> {
        let scores = self.scores.get(..folds).filter(|scores| !scores.is_empty())?;
        Some(scores.iter().sum::<f64>() / folds as f64)
    }
}
