//! The approaches that an experiment compares.

use rekindle_train::{Trainable, TrainingArguments};

use crate::error::ExperimentError;

/// A way to transfer: which part is trained, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Approach {
    /// The name in every artifact.
    pub name: String,
    /// The part that is trained.
    pub trainable: Trainable,
    /// The rate of the first step.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Approach {
    /// The base frozen, the head trained: rate 2e-3, no decay. As the notebook's `feature_extraction_freeze_all`.
    pub fn feature_extraction() -> Self {
        Self {
            name: "feature_extraction_freeze_all".into(),
            trainable: Trainable::Head,
            learning_rate: 2e-3,
            weight_decay: 0.0,
        }
    }

    /// The last transformer layer and the head trained: rate 2e-5, decay 0.01. As the notebook's
    /// `fine_tune_last_layer`.
    pub fn last_layer() -> Self {
        Self {
            name: "fine_tune_last_layer".into(),
            trainable: Trainable::LastLayers(1),
            learning_rate: 2e-5,
            weight_decay: 0.01,
        }
    }

    /// Both of the notebook's approaches, in its order.
    pub fn notebook() -> Vec<Self> {
        vec![Self::feature_extraction(), Self::last_layer()]
    }

    /// The approaches named in a list such as `feature-extraction,last-layer`.
    ///
    /// # Errors
    /// When the list is empty, or a name is unknown or given twice.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, ExperimentError> {
        let mut approaches: Vec<Self> = Vec::new();
        for name in list.split(',').map(str::trim) {
            let approach = match name {
                "feature-extraction" => Self::feature_extraction(),
                "last-layer" => Self::last_layer(),
                unknown => return Err(ExperimentError::UnknownApproach { name: unknown.into() }),
            };
            if approaches.contains(&approach) {
                return Err(ExperimentError::RepeatedApproach { name: name.into() });
            }
            approaches.push(approach);
        }
        Ok(approaches)
    }

    /// Training arguments with this approach's rates.
    pub(crate) fn arguments(&self, shared: &TrainingArguments) -> TrainingArguments {
        TrainingArguments { learning_rate: self.learning_rate, weight_decay: self.weight_decay, ..shared.clone() }
    }
}
