//! The settings that all runs of an experiment share.

use rekindle_encoders::Pooling;
use rekindle_infer::LongTexts;
use rekindle_metrics::{Scaling, Scorer};
use rekindle_train::TrainingArguments;

use crate::thresholds::ThresholdRule;

/// Most epochs of a run that `min_steps` makes longer.
const MOST_EPOCHS: usize = 20;

/// The weight of each class in the training loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// Equal weights.
    #[default]
    Equal,
    /// Inversely proportional to the frequency of the class among the training examples, as scikit-learn's `balanced`.
    Balanced,
    /// One weight per class, in their order.
    Given(Vec<f64>),
}

/// What frozen weights of linear layers are stored in. They compute in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrozenPrecision {
    /// As they are trained.
    #[default]
    F32,
    /// Half the memory, with 8 bits of precision.
    Bf16,
}

impl FrozenPrecision {
    /// Returns its name in records, which do not name the usual one.
    pub(crate) fn recorded(self) -> Option<String> {
        (self == Self::Bf16).then(|| "bf16".into())
    }
}

/// What all runs share, whatever the approach. The fields are those of [`Experiment`](crate::Experiment).
#[derive(Clone, Debug, Default)]
pub(crate) struct RunSettings {
    pub(crate) max_length: usize,
    pub(crate) long_texts: LongTexts,
    pub(crate) min_steps: usize,
    pub(crate) pooling: Option<Pooling>,
    pub(crate) arguments: TrainingArguments,
    pub(crate) class_weights: ClassWeights,
    pub(crate) metric: Scorer,
    /// Whether a final model of each approach is trained on all examples.
    pub(crate) has_final_models: bool,
    pub(crate) calibrate: Option<Scaling>,
    pub(crate) threshold_rule: Option<ThresholdRule>,
    pub(crate) inner_folds: Option<usize>,
    /// The first seed, which initialises the head of the loaded model.
    pub(crate) seed: u64,
}

impl RunSettings {
    /// Returns whether the user asked for something that is chosen on held-out examples.
    pub(crate) fn asks_for_held_out(&self) -> bool {
        self.calibrate.is_some() || self.threshold_rule.is_some() || self.inner_folds.is_some()
    }

    /// Returns the epochs of a run over so many examples.
    pub(crate) fn epochs(&self, examples: usize) -> usize {
        let enough = self.min_steps.div_ceil(self.arguments.steps_per_epoch(examples).max(1));
        self.arguments.num_train_epochs.max(enough.min(MOST_EPOCHS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_examples_are_passed_over_more_often() {
        let arguments = TrainingArguments { num_train_epochs: 3, ..TrainingArguments::default() };
        let settings = RunSettings { arguments, min_steps: 100, ..RunSettings::default() };
        assert_eq!([16, 48, 128, 256, 10_000].map(|examples| settings.epochs(examples)), [20, 17, 7, 4, 3]);
        assert_eq!(RunSettings { min_steps: 0, ..settings }.epochs(16), 3);
    }
}
