//! Approaches compared over several data sets.

use serde::Serialize;

/// Approaches that several experiments have in common, compared over their data sets (Demšar, 2006).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DataSetsComparison {
    /// The metric that is compared.
    pub metric: String,
    /// The number of data sets.
    pub data_sets: usize,
    /// The approaches and baselines of all experiments, the best mean rank first.
    pub approaches: Vec<RankedApproach>,
    /// The p-value of Friedman's test with the correction of Iman and Davenport: whether any approach differs.
    pub friedman_p: f64,
    /// Mean ranks that differ by at least as much are significantly different by the Nemenyi test at 0.05.
    pub critical_difference: f64,
    /// Differences of at most as much are practically none, in the unit of the metric.
    pub rope: f64,
    /// Every approach against every other.
    pub pairs: Vec<DataSetsPair>,
}

/// An approach with its mean rank.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RankedApproach {
    /// Its name in results.
    pub name: String,
    /// The mean of its ranks over the data sets; 1 is the best.
    pub rank: f64,
    /// Its score on each data set.
    pub scores: Vec<f64>,
}

impl RankedApproach {
    /// Returns an approach with its scores.
    pub fn new(name: impl Into<String>, rank: f64, scores: Vec<f64>) -> Self {
        Self { name: name.into(), rank, scores }
    }
}

/// Two approaches over all data sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DataSetsPair {
    /// The first, which has the better mean rank.
    pub a: String,
    /// The second.
    pub b: String,
    /// The mean difference of the metric, `a` minus `b`.
    pub difference: f64,
    /// The p-value of Wilcoxon's signed-rank test.
    pub p_value: f64,
    /// The p-value adjusted for the number of pairs (Holm, 1979).
    pub p_adjusted: f64,
    /// Whether the adjusted p-value is below 0.05.
    pub significant: bool,
    /// The probability that `a` is practically better on a further data set (Benavoli et al., 2017).
    pub better: f64,
    /// The probability that both are practically equivalent.
    pub equivalent: f64,
    /// The probability that `a` is practically worse.
    pub worse: f64,
}
