//! Initial values of parameters that a checkpoint lacks.

use rekindle_checkpoint::ParamSpec;
use rekindle_nn::init::{normal, truncated_normal};

use crate::config::EncoderConfig;
use crate::family::Family;
use crate::modernbert;

/// The values that a parameter begins with: biases 0, LayerNorm weights 1, all others normal with deviation
/// `initializer_range`, as transformers' `_init_weights`; ModernBERT has rules of its own.
///
/// Each parameter is drawn from the seed and its own name, so that no other parameter affects it.
pub(crate) fn initialize(config: &EncoderConfig, spec: &ParamSpec, seed: u64) -> Vec<f32> {
    let count = spec.shape.iter().product();
    if spec.name.ends_with(".bias") {
        return vec![0.0; count];
    }
    if spec.shape.len() == 1 {
        return vec![1.0; count];
    }
    if config.family == Family::ModernBert {
        let (deviation, cutoff) = modernbert::deviation(config, &spec.name);
        return truncated_normal(deviation as f32, cutoff as f32, count, seed, &spec.name);
    }
    let mut values = normal(config.initializer_range as f32, count, seed, &spec.name);
    // PyTorch's embedding keeps the row of its padding token at zero.
    let has_padding = spec.name.ends_with("word_embeddings.weight")
        || config.first_position() > 0 && spec.name.ends_with("position_embeddings.weight");
    if has_padding {
        let width = spec.shape[1];
        let row = config.pad_token_id as usize * width;
        if let Some(row) = values.get_mut(row..row + width) {
            row.fill(0.0);
        }
    }
    values
}
