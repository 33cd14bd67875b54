//! What an approach must provide: a [`Learner`] learns from the examples of a run, and returns a [`Predictor`].

use std::any::Any;
use std::fmt;

use burn::module::Module;
use rekindle_encoders::{EncoderConfig, ParamInfo};
use rekindle_metrics::LogitScaling;
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use crate::defaults::{Defaults, Overrides, TrainingOption};
use crate::error::ExperimentError;
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// The name of an approach in results, and its learner with default options.
pub(crate) type Named = (String, Box<dyn Learner>);

/// A kind of approach in the grammar of the command line.
pub(crate) struct Kind {
    /// Its names, for error messages.
    pub(crate) names: &'static [&'static str],
    /// Parses a name.
    pub(crate) parse: fn(&str) -> Option<Named>,
}

/// How an approach learns, with its options.
pub(crate) trait Learner: Any + fmt::Debug + Send + Sync {
    /// Sets what the options of the grammar do not name: the values of `defaults`, or those that replace them.
    fn use_defaults(&mut self, defaults: Defaults, overrides: Overrides) {
        let _ = (defaults, overrides);
    }

    /// Sets an option of the grammar.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String>;

    /// Returns an error if the options contradict each other.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns the highest learning rate and the weight decay, for the record: 0 without gradient descent.
    fn rates(&self) -> [f64; 2] {
        [0.0; 2]
    }

    /// Returns whether an option of the training has an effect: none has without gradient descent.
    fn has_option(&self, option: TrainingOption) -> bool {
        let _ = option;
        false
    }

    /// Returns whether runs differ by seed. Others are run with the first seed only.
    fn is_seeded(&self) -> bool {
        true
    }

    /// Returns whether fitting it again costs little, because it trains no encoder and no head by gradient descent: thresholds and
    /// calibration then come from inner folds without being asked to.
    fn is_quick(&self) -> bool {
        false
    }

    /// Returns the learner that a run chose among several, by its record: inner folds for calibration fit it alone.
    fn chosen(&self, record: &RunRecord) -> Option<&dyn Learner> {
        let _ = record;
        None
    }

    /// Returns whether there is a model to save.
    fn has_model(&self) -> bool {
        true
    }

    /// Returns the numbers of trainable and of all parameters; 0 without a model.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError>;

    /// Returns whether runs train a parameter of the encoder, in any epoch.
    fn trains(&self, config: &EncoderConfig, param: ParamInfo) -> bool {
        let _ = (config, param);
        false
    }

    /// Returns the number of parameters of the model to save, whose adapters are merged.
    fn saved_parameters(&self, context: &RunContext<'_>) -> usize {
        context.model.num_params()
    }

    /// Returns an estimate of the cost of a run, in forward and backward passes over examples.
    fn cost(&self, context: &RunContext<'_>, spec: &RunSpec) -> f64;

    /// Learns from the training examples of a run.
    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError>;
}

/// What a learner has learned.
pub(crate) struct Fitted {
    pub(crate) predictor: Box<dyn Predictor>,
    /// Steps, epochs and times; scores are added by the test.
    pub(crate) record: RunRecord,
}

/// A classifier of the examples of an experiment.
pub(crate) trait Predictor {
    /// Returns the logits of examples, row-major `[examples, classes]`: their softmax is the probability of each class.
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError>;

    /// Returns the model to save, if there is one. Its output layer contains the scaling of its logits, so that every program that
    /// opens it computes them.
    fn into_model(self: Box<Self>, scaling: Option<&LogitScaling>) -> Result<Option<TrainedModel>, ExperimentError>;
}

/// Returns the error for an option that a learner does not have.
pub(crate) fn unknown_option(key: &str, expected: &str) -> String {
    format!("unknown option `{key}`; expected {expected}")
}

/// Parses a finite number of at least 0.
pub(crate) fn number(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".into())
}

/// Parses a finite number above 0.
pub(crate) fn positive(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".into())
}

/// Parses a whole number of at least 1.
pub(crate) fn count(value: &str) -> Result<usize, String> {
    value.parse().ok().filter(|&count| count > 0).ok_or_else(|| "expected a whole number of at least 1".into())
}
