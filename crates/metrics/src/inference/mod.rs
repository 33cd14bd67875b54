//! Confidence intervals, and significance tests that compare two classifiers.

mod bayes;
mod bootstrap;
mod corrected;
mod data_sets;
mod holm;
mod learning_curve;
mod mcnemar;
mod permutation;
mod power;
mod wilson;

pub use bayes::{Practical, bayesian_signed_rank};
pub use bootstrap::{bootstrap, cluster_bootstrap};
pub use corrected::{PairedTest, corrected_paired_t, corrected_t_interval};
pub use data_sets::{Friedman, critical_difference, friedman, wilcoxon_signed_rank};
pub use holm::holm;
pub use learning_curve::learning_curve_gain;
pub use mcnemar::{McNemar, mcnemar_exact, smallest_p};
pub use permutation::paired_permutation;
pub use power::{PairedEffect, corrected_t_power, mcnemar_power};
pub use wilson::wilson_interval;

use crate::error::MetricsError;

/// An estimate with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The lower bound; −∞ if there is none.
    pub low: f64,
    /// The upper bound; ∞ if there is none.
    pub high: f64,
    /// The number of rows or scores that the estimate is computed from.
    pub n: usize,
    /// The confidence level, for example 0.95.
    pub level: f64,
}

fn check_level(level: f64) -> Result<(), MetricsError> {
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(MetricsError::Level { level }) }
}

fn check_scores(scores: &[f64]) -> Result<(), MetricsError> {
    match scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
        Some((row, &value)) => Err(MetricsError::Score { row, value }),
        None => Ok(()),
    }
}
