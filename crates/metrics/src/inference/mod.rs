//! What scores prove: intervals, and tests of one classifier against another.

mod bootstrap;
mod corrected;
mod holm;
mod mcnemar;

pub use bootstrap::bootstrap;
pub use corrected::{PairedTest, corrected_paired_t, corrected_t_interval};
pub use holm::holm;
pub use mcnemar::{McNemar, mcnemar_exact, smallest_p};

use crate::error::MetricsError;

/// An estimate with its interval of confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The lower end; −∞ where nothing bounds it.
    pub low: f64,
    /// The upper end; ∞ where nothing bounds it.
    pub high: f64,
    /// How many rows or scores it rests on.
    pub n: usize,
    /// The level of confidence, such as 0.95.
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
