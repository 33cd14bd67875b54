//! Metrics by name, to rank models by one of them.

use std::str::FromStr;

use crate::confusion::{Average, ConfusionMatrix};
use crate::error::MetricsError;
use crate::multilabel::MultilabelConfusion;
use crate::regression::RegressionScores;
use crate::target::TargetKind;

/// The metric that models are ranked by, under the names of scikit-learn's `scoring`. Errors have no sign and no `neg_`.
///
/// Each [`TargetKind`] has its own metrics, which [`Scorer::of_target`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scorer {
    /// `accuracy`: the proportion of correctly predicted rows; of several labels, all must be right.
    #[default]
    Accuracy,
    /// `balanced_accuracy`: the mean recall over classes.
    BalancedAccuracy,
    /// `f1`: F1 as [`Average::usual`] averages it: of class 1 for two classes, macro for more.
    F1,
    /// `f1_micro`: F1 from the summed counts of all classes or labels.
    MicroF1,
    /// `f1_macro`: the mean F1 over classes or labels.
    MacroF1,
    /// `f1_weighted`: the mean F1 over classes or labels, weighted by how often each is true.
    WeightedF1,
    /// `f1_samples`: the mean F1 over rows, for rows with several labels.
    SamplesF1,
    /// `average_precision`: the mean average precision over labels.
    AveragePrecision,
    /// `hamming_loss`: the proportion of wrong labels.
    HammingLoss,
    /// `matthews_corrcoef`: the Matthews correlation coefficient.
    Matthews,
    /// `quadratic_weighted_kappa`: `cohen_kappa_score(weights="quadratic")`.
    QuadraticKappa,
    /// `mse`, scikit-learn's `neg_mean_squared_error` without its sign.
    MeanSquared,
    /// `rmse`, scikit-learn's `neg_root_mean_squared_error` without its sign.
    RootMeanSquared,
    /// `mae`, scikit-learn's `neg_mean_absolute_error` without its sign; of ordered classes, over their indices.
    MeanAbsolute,
    /// `r2`: the coefficient of determination.
    R2,
    /// `pearson`: Pearson's correlation.
    Pearson,
    /// `spearman`: Spearman's rank correlation.
    Spearman,
    /// `loss`, for classes scikit-learn's `neg_log_loss` without its sign: the mean of what training minimises; for classes
    /// the cross-entropy, in nats.
    Loss,
}

/// The metrics of classes and of ordered classes.
const CLASSES: &[Scorer] = &[
    Scorer::Accuracy,
    Scorer::BalancedAccuracy,
    Scorer::F1,
    Scorer::MicroF1,
    Scorer::MacroF1,
    Scorer::WeightedF1,
    Scorer::Matthews,
    Scorer::Loss,
];
const ORDERED_CLASSES: &[Scorer] = &[
    Scorer::QuadraticKappa,
    Scorer::MeanAbsolute,
    Scorer::Accuracy,
    Scorer::BalancedAccuracy,
    Scorer::F1,
    Scorer::MicroF1,
    Scorer::MacroF1,
    Scorer::WeightedF1,
    Scorer::Matthews,
    Scorer::Loss,
];
const LABELS: &[Scorer] = &[
    Scorer::MicroF1,
    Scorer::MacroF1,
    Scorer::WeightedF1,
    Scorer::SamplesF1,
    Scorer::AveragePrecision,
    Scorer::Accuracy,
    Scorer::HammingLoss,
    Scorer::Loss,
];
const VALUES: &[Scorer] = &[
    Scorer::RootMeanSquared,
    Scorer::MeanSquared,
    Scorer::MeanAbsolute,
    Scorer::R2,
    Scorer::Pearson,
    Scorer::Spearman,
    Scorer::Loss,
];

impl Scorer {
    /// All metrics.
    pub const ALL: [Self; 18] = [
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::F1,
        Self::MicroF1,
        Self::MacroF1,
        Self::WeightedF1,
        Self::SamplesF1,
        Self::AveragePrecision,
        Self::HammingLoss,
        Self::Matthews,
        Self::QuadraticKappa,
        Self::MeanSquared,
        Self::RootMeanSquared,
        Self::MeanAbsolute,
        Self::R2,
        Self::Pearson,
        Self::Spearman,
        Self::Loss,
    ];

    /// Returns the metrics of a kind of target.
    pub fn of_target(target: TargetKind) -> &'static [Self] {
        match target {
            TargetKind::Class => CLASSES,
            TargetKind::OrderedClass => ORDERED_CLASSES,
            TargetKind::Labels => LABELS,
            TargetKind::Value => VALUES,
        }
    }

    /// Returns the metric that models are ranked by if none is chosen: accuracy, the quadratic weighted kappa, micro F1, or
    /// the root mean squared error.
    pub fn usual(target: TargetKind) -> Self {
        Self::of_target(target)[0]
    }

    /// Returns this metric if it is defined for a kind of target.
    ///
    /// # Errors
    /// Returns an error that lists the metrics of the target.
    pub fn for_target(self, target: TargetKind) -> Result<Self, MetricsError> {
        let metrics = Self::of_target(target);
        if metrics.contains(&self) {
            return Ok(self);
        }
        let [names @ .., last] = &metrics.iter().map(|metric| metric.name()).collect::<Vec<_>>()[..] else {
            return Ok(self);
        };
        let expected = format!("{} or {last}", names.join(", "));
        Err(MetricsError::MetricOfOtherTask { name: self.name(), task: target.task(), expected })
    }

    /// Returns the name, which [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::F1 => "f1",
            Self::MicroF1 => "f1_micro",
            Self::MacroF1 => "f1_macro",
            Self::WeightedF1 => "f1_weighted",
            Self::SamplesF1 => "f1_samples",
            Self::AveragePrecision => "average_precision",
            Self::HammingLoss => "hamming_loss",
            Self::Matthews => "matthews_corrcoef",
            Self::QuadraticKappa => "quadratic_weighted_kappa",
            Self::MeanSquared => "mse",
            Self::RootMeanSquared => "rmse",
            Self::MeanAbsolute => "mae",
            Self::R2 => "r2",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
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
            Self::MicroF1 => "micro F1",
            Self::WeightedF1 => "weighted F1",
            Self::SamplesF1 => "F1 over samples",
            Self::AveragePrecision => "average precision",
            Self::HammingLoss => "Hamming loss",
            Self::Matthews => "Matthews correlation",
            Self::QuadraticKappa => "quadratic weighted kappa",
            Self::MeanSquared => "MSE",
            Self::RootMeanSquared => "RMSE",
            Self::MeanAbsolute => "MAE",
            Self::R2 => "R²",
            Self::Pearson => "Pearson correlation",
            Self::Spearman => "Spearman correlation",
            Self::Loss => "loss",
        }
    }

    /// Returns the name for readers of a metric of several labels or of values: the accuracy of several labels is the subset
    /// accuracy. For classes, see [`Scorer::label`].
    pub fn label_for(self, target: TargetKind) -> &'static str {
        match (self, target) {
            (Self::Accuracy, TargetKind::Labels) => "subset accuracy",
            // More than two, for which F1 is macro F1.
            _ => self.label(3),
        }
    }

    /// Whether a higher value is better.
    pub fn greater_is_better(self) -> bool {
        !matches!(self, Self::Loss | Self::HammingLoss | Self::MeanSquared | Self::RootMeanSquared | Self::MeanAbsolute)
    }

    /// Whether the metric is a mean over rows, so that models can be compared row by row.
    pub fn is_mean_over_rows(self) -> bool {
        matches!(
            self,
            Self::Accuracy | Self::Loss | Self::SamplesF1 | Self::HammingLoss | Self::MeanSquared | Self::MeanAbsolute
        )
    }

    /// Returns the lowest and the highest possible value.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Matthews | Self::QuadraticKappa | Self::Pearson | Self::Spearman => (-1.0, 1.0),
            Self::R2 => (f64::NEG_INFINITY, 1.0),
            Self::Loss | Self::MeanSquared | Self::RootMeanSquared | Self::MeanAbsolute => (0.0, f64::INFINITY),
            _ => (0.0, 1.0),
        }
    }

    /// Returns the value for predicted classes, and the loss of their probabilities; NaN for a metric that is not defined
    /// for classes or ordered classes.
    pub fn score(self, confusion: &ConfusionMatrix, loss: f64) -> f64 {
        match self {
            Self::Accuracy => confusion.accuracy(),
            Self::BalancedAccuracy => confusion.balanced_accuracy(),
            Self::F1 => confusion.f1(Average::usual(confusion.classes())).value,
            Self::MicroF1 => confusion.f1(Average::Micro).value,
            Self::MacroF1 => confusion.f1(Average::Macro).value,
            Self::WeightedF1 => confusion.f1(Average::Weighted).value,
            Self::Matthews => confusion.matthews(),
            Self::QuadraticKappa => confusion.quadratic_weighted_kappa().value,
            Self::MeanAbsolute => confusion.mean_absolute_error(),
            Self::Loss => loss,
            _ => f64::NAN,
        }
    }

    /// Returns the value for predicted labels, and the [average precision](crate::LabelRankings) and loss of their
    /// probabilities; NaN for a metric that is not defined for labels.
    pub fn score_labels(self, confusion: &MultilabelConfusion, average_precision: f64, loss: f64) -> f64 {
        match self {
            Self::Accuracy => confusion.subset_accuracy(),
            Self::MicroF1 => confusion.f1(Average::Micro).value,
            Self::MacroF1 => confusion.f1(Average::Macro).value,
            Self::WeightedF1 => confusion.f1(Average::Weighted).value,
            Self::SamplesF1 => confusion.f1(Average::Samples).value,
            Self::AveragePrecision => average_precision,
            Self::HammingLoss => confusion.hamming_loss(),
            Self::Loss => loss,
            _ => f64::NAN,
        }
    }

    /// Returns the value for predicted values, and their loss; NaN for a metric that is not defined for values.
    pub fn score_values(self, scores: &RegressionScores<'_>, loss: f64) -> f64 {
        match self {
            Self::MeanSquared => scores.mse(),
            Self::RootMeanSquared => scores.rmse(),
            Self::MeanAbsolute => scores.mae(),
            Self::R2 => scores.r2().value,
            Self::Pearson => scores.pearson().value,
            Self::Spearman => scores.spearman().value,
            Self::Loss => loss,
            _ => f64::NAN,
        }
    }
}

/// Also parses other usual names, in any case and with hyphens: `macro-f1`, `mcc`, `log_loss`, `neg_mean_absolute_error`,
/// `qwk`.
impl FromStr for Scorer {
    type Err = MetricsError;

    fn from_str(text: &str) -> Result<Self, MetricsError> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        let usual = match name.strip_prefix("neg_").unwrap_or(&name) {
            "subset_accuracy" => "accuracy",
            "micro_f1" => "f1_micro",
            "macro_f1" => "f1_macro",
            "weighted_f1" => "f1_weighted",
            "samples_f1" => "f1_samples",
            "average_precision_macro" | "map" => "average_precision",
            "hamming" => "hamming_loss",
            "mcc" | "matthews" | "matthews_correlation" => "matthews_corrcoef",
            "qwk" | "quadratic_kappa" | "cohen_kappa_quadratic" => "quadratic_weighted_kappa",
            "mean_squared_error" => "mse",
            "root_mean_squared_error" => "rmse",
            "mean_absolute_error" => "mae",
            "r2_score" => "r2",
            "pearsonr" => "pearson",
            "spearmanr" => "spearman",
            "log_loss" | "cross_entropy" => "loss",
            _ => name.as_str(),
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
        for (name, scorer) in [
            ("Macro-F1", Scorer::MacroF1),
            ("mcc", Scorer::Matthews),
            ("log-loss", Scorer::Loss),
            ("neg_log_loss", Scorer::Loss),
            ("neg_root_mean_squared_error", Scorer::RootMeanSquared),
            ("QWK", Scorer::QuadraticKappa),
        ] {
            assert_eq!(name.parse(), Ok(scorer));
        }
        for name in ["auc", "neg_accuracy", "neg_f1", ""] {
            assert!(name.parse::<Scorer>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_message_of_an_unknown_name_lists_all_metrics() {
        let unknown = "auc".parse::<Scorer>().expect_err("unknown");
        let [names @ .., last] = Scorer::ALL.map(Scorer::name);
        let expected = format!("unknown metric `auc`: expected {} or {last}", names.join(", "));
        assert_eq!(unknown.to_string(), expected);
    }

    #[test]
    fn a_metric_of_another_task_is_an_error_that_lists_those_of_the_task() {
        assert_eq!(Scorer::R2.for_target(TargetKind::Value), Ok(Scorer::R2));
        let error = Scorer::Accuracy.for_target(TargetKind::Value).expect_err("not a class");
        let expected =
            "metric `accuracy` is not defined for regression: expected rmse, mse, mae, r2, pearson, spearman or loss";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn every_metric_of_a_task_has_a_value_and_no_other() {
        let classes = ConfusionMatrix::new(&[0, 1, 2], &[0, 1, 1], 3).expect("valid");
        let labels = crate::MultilabelPredictions::new(&[true, false], &[true, true], 2).expect("valid").confusion();
        let values = crate::ValuePredictions::new(&[1.0, 2.0], &[1.0, 1.5]).expect("valid");
        for metric in Scorer::ALL {
            let is_of = |target| Scorer::of_target(target).contains(&metric);
            assert_eq!(metric.score(&classes, 0.5).is_nan(), !is_of(TargetKind::OrderedClass), "{metric:?}");
            assert_eq!(metric.score_labels(&labels, 0.5, 0.5).is_nan(), !is_of(TargetKind::Labels), "{metric:?}");
            assert_eq!(metric.score_values(&values.scores(), 0.5).is_nan(), !is_of(TargetKind::Value), "{metric:?}");
            let targets = [TargetKind::Class, TargetKind::OrderedClass, TargetKind::Labels, TargetKind::Value];
            assert!(targets.into_iter().any(is_of), "{metric:?}");
        }
    }

    #[test]
    fn the_label_says_how_f1_is_averaged() {
        assert_eq!([2, 3].map(|classes| Scorer::F1.label(classes)), ["F1", "macro F1"]);
        assert_eq!([2, 3].map(|classes| Scorer::MacroF1.of_classes(classes)), [Scorer::MacroF1, Scorer::F1]);
        assert_eq!(Scorer::Accuracy.label_for(TargetKind::Labels), "subset accuracy");
    }
}
