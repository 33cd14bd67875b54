//! Initial values of parameters that a checkpoint lacks.

use rekindle_checkpoint::ParamSpec;
use rekindle_nn::init::normal;

use crate::config::EncoderConfig;

/// The values that a parameter begins with: biases 0, LayerNorm weights 1, all others normal with deviation
/// `initializer_range`, as transformers' `_init_weights`.
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
    let mut values = normal(config.initializer_range as f32, count, seed, &spec.name);
    // PyTorch's embedding keeps the row of its padding token at zero.
    if spec.name.ends_with("word_embeddings.weight") {
        let width = spec.shape[1];
        let row = config.pad_token_id as usize * width;
        if let Some(row) = values.get_mut(row..row + width) {
            row.fill(0.0);
        }
    }
    values
}
