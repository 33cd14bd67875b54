//! Metrics by name, to rank classifiers by one of them.

use std::str::FromStr;

use crate::confusion::{Average, ConfusionMatrix};
use crate::error::MetricsError;

/// The metric that classifiers are ranked by, under the names of scikit-learn's `scoring`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scorer {
    /// `accuracy`: the proportion of correctly predicted rows.
    #[default]
    Accuracy,
    /// `balanced_accuracy`: the mean recall over classes.
    BalancedAccuracy,
    /// `f1`: F1 as [`Average::usual`] averages it: of class 1 for two classes, macro for more.
    F1,
    /// `f1_macro`: the mean F1 over classes.
    MacroF1,
    /// `f1_weighted`: the mean F1 over classes, weighted by how often each is the true class.
    WeightedF1,
    /// `matthews_corrcoef`: the Matthews correlation coefficient.
    Matthews,
    /// `loss`, scikit-learn's `neg_log_loss` without its sign: the mean cross-entropy, in nats.
    Loss,
}

impl Scorer {
    /// All metrics.
    pub const ALL: [Self; 7] =
        [Self::Accuracy, Self::BalancedAccuracy, Self::F1, Self::MacroF1, Self::WeightedF1, Self::Matthews, Self::Loss];

    /// Returns the name, which [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::F1 => "f1",
            Self::MacroF1 => "f1_macro",
            Self::WeightedF1 => "f1_weighted",
            Self::Matthews => "matthews_corrcoef",
            Self::Loss => "loss",
        }
    }

    /// Returns the metric that is computed for so many classes: for more than two, `f1_macro` is `f1`.
    pub fn of_classes(self, classes: usize) -> Self {
        if self == Self::MacroF1 && Average::usual(classes) == Average::Macro { Self::F1 } else { self }
    }

    /// Returns the name for readers, without the positive class of F1.
    pub fn label(self, classes: usize) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::F1 if Average::usual(classes) != Average::Macro => "F1",
            Self::F1 | Self::MacroF1 => "macro F1",
            Self::WeightedF1 => "weighted F1",
            Self::Matthews => "Matthews correlation",
            Self::Loss => "loss",
        }
    }

    /// Whether a higher value is better.
    pub fn greater_is_better(self) -> bool {
        self != Self::Loss
    }

    /// Whether the metric is a mean over rows, so that classifiers can be compared row by row.
    pub fn is_mean_over_rows(self) -> bool {
        matches!(self, Self::Accuracy | Self::Loss)
    }

    /// Returns the lowest and the highest possible value.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Matthews => (-1.0, 1.0),
            Self::Loss => (0.0, f64::INFINITY),
            _ => (0.0, 1.0),
        }
    }

    /// Returns the value for predicted classes, and the loss of their probabilities.
    pub fn score(self, confusion: &ConfusionMatrix, loss: f64) -> f64 {
        match self {
            Self::Accuracy => confusion.accuracy(),
            Self::BalancedAccuracy => confusion.balanced_accuracy(),
            Self::F1 => confusion.f1(Average::usual(confusion.classes())).value,
            Self::MacroF1 => confusion.f1(Average::Macro).value,
            Self::WeightedF1 => confusion.f1(Average::Weighted).value,
            Self::Matthews => confusion.matthews(),
            Self::Loss => loss,
        }
    }
}

/// Also parses other usual names, in any case and with hyphens: `macro-f1`, `weighted-f1`, `mcc`, `log_loss`.
impl FromStr for Scorer {
    type Err = MetricsError;

    fn from_str(text: &str) -> Result<Self, MetricsError> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        let usual = match name.as_str() {
            "macro_f1" => "f1_macro",
            "weighted_f1" => "f1_weighted",
            "mcc" | "matthews" | "matthews_correlation" => "matthews_corrcoef",
            "log_loss" | "neg_log_loss" | "cross_entropy" => "loss",
            name => name,
        };
        let found = Self::ALL.into_iter().find(|scorer| scorer.name() == usual);
        found.ok_or_else(|| MetricsError::UnknownMetric { name: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_in_the_usual_spellings() {
        for scorer in Scorer::ALL {
            assert_eq!(scorer.name().parse(), Ok(scorer));
            assert_eq!(scorer.name().to_uppercase().replace('_', "-").parse(), Ok(scorer));
        }
        for (name, scorer) in [("Macro-F1", Scorer::MacroF1), ("mcc", Scorer::Matthews), ("log-loss", Scorer::Loss)] {
            assert_eq!(name.parse(), Ok(scorer));
        }
        let unknown = "auc".parse::<Scorer>().expect_err("unknown");
        assert_eq!(
            unknown.to_string(),
            "unknown metric `auc`: expected accuracy, balanced_accuracy, f1, f1_macro, f1_weighted, matthews_corrcoef or loss"
        );
    }

    #[test]
    fn the_label_says_how_f1_is_averaged() {
        assert_eq!([2, 3].map(|classes| Scorer::F1.label(classes)), ["F1", "macro F1"]);
        assert_eq!([2, 3].map(|classes| Scorer::MacroF1.of_classes(classes)), [Scorer::MacroF1, Scorer::F1]);
    }
}
