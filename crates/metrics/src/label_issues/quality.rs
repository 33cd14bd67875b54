//! The quality of given labels: scores between 0 and 1, low for labels that are probably wrong.

use super::{LabelIssues, TOLERANCE};

/// A score of the quality of a given label: `rank_by` of cleanlab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelQuality {
    /// The probability of the given class.
    SelfConfidence,
    /// The probability of the given class minus that of the most probable other class, scaled to [0, 1].
    NormalizedMargin,
    /// The entropy of the probabilities over the probability of the given class, mapped to [0, 1].
    ConfidenceWeightedEntropy,
}

impl LabelQuality {
    /// All scores.
    pub const ALL: [Self; 3] = [Self::SelfConfidence, Self::NormalizedMargin, Self::ConfidenceWeightedEntropy];

    /// Returns the name of cleanlab's `rank_by`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfConfidence => "self_confidence",
            Self::NormalizedMargin => "normalized_margin",
            Self::ConfidenceWeightedEntropy => "confidence_weighted_entropy",
        }
    }
}

impl LabelIssues<'_> {
    /// Returns the quality of each given label (`get_label_quality_scores`).
    pub fn quality(&self, by: LabelQuality) -> Vec<f64> {
        let of: fn(&[f64], usize) -> f64 = match by {
            LabelQuality::SelfConfidence => |values, label| values[label],
            LabelQuality::NormalizedMargin => |values, label| (margin(values, label) + 1.0) / 2.0,
            LabelQuality::ConfidenceWeightedEntropy => weighted_entropy,
        };
        let rows = self.labels.iter().zip(self.probabilities.chunks(self.classes));
        rows.map(|(label, values)| of(values, *label)).collect()
    }
}

/// The probability of a class minus that of the most probable other class.
fn margin(values: &[f64], label: usize) -> f64 {
    let others = values.iter().enumerate().filter(|(class, _)| *class != label);
    values[label] - others.map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max)
}

fn weighted_entropy(values: &[f64], label: usize) -> f64 {
    let entropy = |value: &f64| if *value > 0.0 { -value * value.ln() } else { 0.0 };
    let entropy = values.iter().map(entropy).sum::<f64>() / (values.len() as f64).ln();
    let weighted = entropy / values[label].max(TOLERANCE);
    (weighted + 1.0).ln() / weighted.max(TOLERANCE)
}
