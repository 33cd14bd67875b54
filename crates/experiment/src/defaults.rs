//! Learning rates, epochs and pooling where the user names none.

use rekindle_distilbert::Pooling;
use rekindle_infer::PretrainedModel;

use crate::experiment::Experiment;
use crate::fine_tuning::Method;

/// Most epochs of a run that [`Defaults::min_steps`] makes longer.
const MOST_EPOCHS: usize = 20;

/// Where the values come from that the user does not name: learning rates, weight decay, epochs and pooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defaults {
    /// The notebook: one epoch, small learning rates, `[CLS]`. Its results can be compared with those of the notebook, but on
    /// other data they leave a new head untrained.
    #[default]
    Notebook,
    /// Values that train a new head on data of any size.
    OwnData,
}

/// The highest learning rates and the weight decay of an approach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) learning_rate: f64,
    /// Absent for `learning_rate`.
    pub(crate) head_learning_rate: Option<f64>,
    pub(crate) weight_decay: f64,
}

impl Defaults {
    /// Returns the learning rates of a method. The head is new and the encoder is not: on data of the user, the head has a
    /// higher rate.
    pub(crate) fn rates(self, method: &Method) -> Rates {
        let (notebook, own_data, head, weight_decay) = match method {
            Method::FeatureExtraction => (2e-3, 2e-3, None, 0.0),
            Method::LastLayers(_) => (2e-5, 1e-4, Some(1e-3), 0.01),
            Method::Full | Method::Gradual { .. } => (2e-5, 5e-5, Some(1e-3), 0.01),
            Method::Lora(_) | Method::BitFit => (1e-3, 1e-3, None, 0.01),
        };
        match self {
            Self::Notebook => Rates { learning_rate: notebook, head_learning_rate: None, weight_decay },
            Self::OwnData => Rates { learning_rate: own_data, head_learning_rate: head, weight_decay },
        }
    }

    /// Returns the passes over the training examples.
    pub fn epochs(self) -> usize {
        match self {
            Self::Notebook => 1,
            Self::OwnData => 3,
        }
    }

    /// Returns the fewest steps of a run: few examples are passed over more often, but at most 20 times.
    pub fn min_steps(self) -> usize {
        match self {
            Self::Notebook => 0,
            Self::OwnData => 100,
        }
    }

    /// Returns what the head reads: `[CLS]` as in the notebook, or what fits the checkpoint.
    pub fn pooling(self, model: &PretrainedModel) -> Pooling {
        match self {
            Self::Notebook => model.config.classifier_pooling,
            Self::OwnData => model.pooling(),
        }
    }
}

impl Experiment {
    /// Returns the epochs of a run over so many examples.
    pub(crate) fn epochs(&self, examples: usize) -> usize {
        let enough = self.min_steps.div_ceil(self.arguments.steps_per_epoch(examples).max(1));
        self.arguments.num_train_epochs.max(enough.min(MOST_EPOCHS))
    }
}

#[cfg(test)]
mod tests {
    use rekindle_train::TrainingArguments;

    use super::*;

    #[test]
    fn few_examples_are_passed_over_more_often() {
        let arguments = TrainingArguments { num_train_epochs: 3, ..TrainingArguments::default() };
        let experiment = Experiment { arguments, min_steps: 100, ..Experiment::notebook() };
        assert_eq!([16, 48, 128, 256, 10_000].map(|examples| experiment.epochs(examples)), [20, 17, 7, 4, 3]);
        assert_eq!(Experiment { min_steps: 0, ..experiment }.epochs(16), 3);
    }
}
