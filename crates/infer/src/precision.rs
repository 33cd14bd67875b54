//! The precision of linear layers.

use std::fmt;
use std::str::FromStr;

use rekindle_encoders::{SequenceClassifier, TransformerEncoder};
use rekindle_nn::{NamedLinear, NnError};
use serde::Serialize;

use crate::predictor::Model;

/// What the linear layers of an encoder compute in when it predicts. Attention, norms and the head compute in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LinearPrecision {
    /// The precision of the weights in memory.
    #[default]
    F32,
    /// Weights in int8 with a scale per output, and inputs that are quantized per token: see
    /// [`Linear::quantize`](rekindle_nn::Linear::quantize).
    Int8,
}

impl fmt::Display for LinearPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for LinearPrecision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::F32, Self::Int8];
        let found = all.into_iter().find(|precision| precision.to_string() == text);
        found.ok_or_else(|| "must be f32 or int8".into())
    }
}

impl LinearPrecision {
    /// Returns the model with linear layers in this precision; layers in int8 stay so.
    ///
    /// # Errors
    /// As [`Linear::quantize`](rekindle_nn::Linear::quantize).
    pub fn apply(self, mut model: SequenceClassifier) -> Result<SequenceClassifier, NnError> {
        self.apply_to(model.linear_layers())?;
        Ok(model)
    }

    pub(crate) fn apply_to_model(self, mut model: Model) -> Result<Model, NnError> {
        self.apply_to(linear_layers(&mut model))?;
        Ok(model)
    }

    fn apply_to(self, layers: Vec<NamedLinear<'_>>) -> Result<(), NnError> {
        let named = |name: &str, error: NnError| match error {
            NnError::Int8 { reason } => NnError::Int8 { reason: format!("{name}: {reason}") },
            error => error,
        };
        match self {
            Self::F32 => Ok(()),
            Self::Int8 => layers
                .into_iter()
                .try_for_each(|layer| layer.linear.quantize().map_err(|error| named(&layer.name, error))),
        }
    }
}

/// Returns the number of weights of a model that are in int8 only.
pub(crate) fn int8_weights(model: &Model) -> usize {
    // The layers are lent to be changed; a copy shares their weights.
    linear_layers(&mut model.clone()).into_iter().map(|layer| layer.linear.int8_weights()).sum()
}

pub(crate) fn linear_layers(model: &mut Model) -> Vec<NamedLinear<'_>> {
    match model {
        Model::Sequence(model) => model.linear_layers(),
        Model::Sentence(model) => model.encoder.linear_layers(),
    }
}
