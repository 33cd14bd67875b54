//! Scores with their confidence intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A mean with its confidence interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The mean over runs.
    pub mean: f64,
    /// Lower and upper end of the interval; absent if `n` is too small for one.
    pub interval: Option<(f64, f64)>,
    /// The confidence level: 0.95.
    pub level: f64,
    /// Number of test examples or folds.
    pub n: usize,
    /// `bootstrap` over test examples, `bootstrap of groups` if they have groups, or `corrected t` over folds.
    pub method: String,
}

impl Estimate {
    /// Returns a mean over `n` test examples or folds, with the interval that `method` gives at `level`.
    pub fn new(mean: f64, interval: Option<(f64, f64)>, level: f64, n: usize, method: impl Into<String>) -> Self {
        Self { mean, interval, level, n, method: method.into() }
    }
}

/// The metrics of a task by their names, each with its confidence interval. The names are those of scikit-learn's `scoring`:
/// `accuracy`, `f1`, `loss`, `f1_micro`, `rmse`, ….
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scores {
    named: BTreeMap<String, Estimate>,
}

impl Scores {
    /// Returns the three scores of classes.
    pub fn new(accuracy: Estimate, f1: Estimate, loss: Estimate) -> Self {
        [("accuracy", accuracy), ("f1", f1), ("loss", loss)].into_iter().collect()
    }

    /// Returns a metric, if it was computed.
    pub fn get(&self, metric: &str) -> Option<&Estimate> {
        self.named.get(metric)
    }

    /// Returns a metric to change it, if it was computed.
    pub fn get_mut(&mut self, metric: &str) -> Option<&mut Estimate> {
        self.named.get_mut(metric)
    }

    /// Returns the mean of a metric over runs; NaN if it was not computed.
    pub fn mean(&self, metric: &str) -> f64 {
        self.get(metric).map_or(f64::NAN, |estimate| estimate.mean)
    }

    /// Adds a metric.
    pub fn insert(&mut self, metric: impl Into<String>, estimate: Estimate) {
        self.named.insert(metric.into(), estimate);
    }

    /// Returns all metrics with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Estimate)> {
        self.named.iter().map(|(name, estimate)| (name.as_str(), estimate))
    }
}

impl<N: Into<String>> FromIterator<(N, Estimate)> for Scores {
    fn from_iter<I: IntoIterator<Item = (N, Estimate)>>(metrics: I) -> Self {
        Self { named: metrics.into_iter().map(|(name, estimate)| (name.into(), estimate)).collect() }
    }
}

/// A point of a learning curve: the scores at one training size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurvePoint {
    /// Training examples.
    pub size: usize,
    /// The scores.
    pub scores: Scores,
}

impl CurvePoint {
    /// Returns the scores at `size` training examples.
    pub fn new(size: usize, scores: Scores) -> Self {
        Self { size, scores }
    }
}
