//! Approaches: their names, and those that are usual.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use rekindle_train::TrainError;

use crate::approaches::{Baseline, FineTuning, Probe};
use crate::defaults::TrainingOption;
use crate::error::ExperimentError;
use crate::learner::Learner;

/// An approach: a way to learn to classify from labelled examples.
///
/// It is parsed from the grammar of the command line: `NAME[:OPTION=VALUE]…`, for example `full:layer-decay=0.9`.
#[derive(Clone, Debug)]
pub struct Approach {
    /// The name in results and reports.
    pub name: String,
    /// The approach in the grammar of the command line, for example `lora:r=16:lr=1e-3`.
    pub spec: String,
    pub(crate) learner: Arc<dyn Learner>,
}

impl Approach {
    /// Returns `feature-extraction` with the settings of the notebook: the encoder frozen, learning rate 2e-3, no weight decay.
    /// The notebook's `feature_extraction_freeze_all`.
    pub fn feature_extraction() -> Self {
        Self::fine_tuning_named("feature-extraction")
    }

    /// Returns `last-layer` with the settings of the notebook: the last transformer layer and the head trainable, learning rate
    /// 2e-5, weight decay 0.01. The notebook's `fine_tune_last_layer`.
    pub fn last_layer() -> Self {
        Self::fine_tuning_named("last-layer")
    }

    /// Returns the two approaches of the notebook, in its order.
    pub fn notebook() -> Vec<Self> {
        vec![Self::feature_extraction(), Self::last_layer()]
    }

    /// Returns the approaches that are compared on a user's data by default: those of the notebook, and the linear probe,
    /// which needs one pass of the encoder.
    pub fn usual() -> Vec<Self> {
        let probe = Self { name: "probe".into(), spec: "probe".into(), learner: Arc::new(Probe::default()) };
        Self::notebook().into_iter().chain([probe]).collect()
    }

    /// Returns the baselines: the majority class, and TF-IDF with logistic regression.
    pub fn baselines() -> Vec<Self> {
        let of = |(spec, name, baseline)| Self {
            name: String::from(name),
            spec: String::from(spec),
            learner: Arc::new(baseline) as Arc<dyn Learner>,
        };
        Baseline::all().map(of).into()
    }

    fn fine_tuning_named(spec: &str) -> Self {
        let (name, learner) = FineTuning::named(spec).unwrap_or_else(|| (spec.into(), FineTuning::default()));
        Self { name, spec: spec.into(), learner: Arc::new(learner) }
    }

    /// Returns the settings of the fine-tuning, if the approach is one.
    pub fn fine_tuning(&self) -> Option<&FineTuning> {
        let learner: &dyn Any = &*self.learner;
        learner.downcast_ref()
    }

    /// Returns whether an option of the training has an effect.
    pub fn has_option(&self, option: TrainingOption) -> bool {
        self.learner.has_option(option)
    }

    /// Returns whether it is quick to fit, so that calibration and thresholds come from inner folds without being asked to.
    pub fn is_quick(&self) -> bool {
        self.learner.is_quick()
    }

    /// Returns the name in sentences.
    pub(crate) fn label(&self) -> String {
        match self.spec.as_str() {
            "majority" => "majority".into(),
            "tfidf" => "TF-IDF".into(),
            spec => format!("`{spec}`"),
        }
    }

    /// Adds the approach to the error of a training.
    pub(crate) fn failed(&self, source: TrainError) -> ExperimentError {
        ExperimentError::Train { approach: self.name.clone(), source }
    }
}

impl fmt::Display for Approach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec)
    }
}
