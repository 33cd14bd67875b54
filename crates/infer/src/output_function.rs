//! From the outputs of a model to scores.

use rekindle_checkpoint::ProblemType;
use rekindle_encoders::EncoderConfig;
use rekindle_metrics::{probabilities, sigmoid};

/// The function that turns logits into scores, `function_to_apply` of transformers' `text-classification` pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFunction {
    /// The probability of each class; their sum is 1.
    Softmax,
    /// The probability of each label by itself.
    Sigmoid,
    /// The logits as they are.
    None,
}

impl OutputFunction {
    /// Returns the function that the pipeline applies by default: what `problem_type` says; without it, a sigmoid for a single
    /// output and a softmax for several.
    pub fn of(config: &EncoderConfig) -> Self {
        match config.problem.problem_type {
            Some(ProblemType::Regression) => Self::None,
            Some(ProblemType::MultiLabelClassification) => Self::Sigmoid,
            _ if config.num_labels() == 1 => Self::Sigmoid,
            _ => Self::Softmax,
        }
    }

    /// Returns the score of each output.
    pub fn apply(self, logits: &[f32]) -> Vec<f64> {
        match self {
            Self::Softmax => probabilities(logits),
            Self::Sigmoid => logits.iter().map(|&logit| sigmoid(f64::from(logit))).collect(),
            Self::None => logits.iter().map(|&logit| f64::from(logit)).collect(),
        }
    }
}
