//! The precision of linear layers.

use std::fmt;
use std::str::FromStr;

use rekindle_checkpoint::Checkpoint;
use rekindle_encoders::EncoderConfig;
use serde::Serialize;

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

/// Returns the precision of the weights in the files of a model.
///
/// # Errors
/// Returns an error if the configuration and the weights contradict each other.
pub(crate) fn precision_of(config: &EncoderConfig, checkpoint: &Checkpoint) -> Result<LinearPrecision, String> {
    match (config.is_int8(), checkpoint.int8_tensor()) {
        (true, Some(_)) => Ok(LinearPrecision::Int8),
        (false, None) => Ok(LinearPrecision::F32),
        (true, None) => {
            Err("config.json has `quantization_config`, but no tensor of the weights is stored as I8".into())
        }
        (false, Some(tensor)) => {
            Err(format!("tensor `{tensor}` is stored as I8, but config.json has no `quantization_config`"))
        }
    }
}
