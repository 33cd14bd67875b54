//! Learning rates, epochs and pooling where the user names none.

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

impl Defaults {
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
