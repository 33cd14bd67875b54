//! Epochs, steps and pooling where the user names none. Learning rates are those of each approach.

use rekindle_encoders::Pooling;
use rekindle_infer::PretrainedModel;

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

/// What the user names for all approaches: it replaces their defaults, but not the options of their specs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overrides {
    /// The highest learning rate of all parameters.
    pub learning_rate: Option<f64>,
    /// The passes over the training examples.
    pub epochs: Option<usize>,
    /// The examples per batch.
    pub batch_size: Option<usize>,
}

/// An option of the training that not every approach has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrainingOption {
    /// Passes over the training examples.
    Epochs,
    /// The learning rate and its schedule.
    LearningRate,
    /// Several batches per step.
    GradientAccumulation,
    /// The choice of the best epoch by validation examples.
    BestEpoch,
}

impl Defaults {
    /// Returns the passes over the training examples.
    pub fn epochs(self) -> usize {
        match self {
            Self::Notebook => 1,
            Self::OwnData => 3,
        }
    }

    /// Returns the fewest steps of a run with so many classes or labels: few examples are passed over more often, but at most 20
    /// times. With more classes, a batch has examples of a smaller part of them, and the head needs more steps.
    pub fn min_steps(self, classes: usize) -> usize {
        match self {
            Self::Notebook => 0,
            Self::OwnData => 100.max(10 * classes),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_classes_need_more_steps() {
        assert_eq!([2, 10, 77].map(|classes| Defaults::OwnData.min_steps(classes)), [100, 100, 770]);
        assert_eq!(Defaults::Notebook.min_steps(77), 0);
    }
}
