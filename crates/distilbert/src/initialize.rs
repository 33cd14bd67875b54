//! Initial values of parameters that a checkpoint lacks.

use rekindle_checkpoint::ParamSpec;
use rekindle_nn::init::normal;

use crate::config::DistilBertConfig;

impl DistilBertConfig {
    /// The values that a parameter begins with: biases 0, LayerNorm weights 1, all others normal with deviation
    /// `initializer_range`.
    ///
    /// Each parameter is drawn from the seed and its own name, so that no other parameter affects it.
    pub fn initialize(&self, spec: &ParamSpec, seed: u64) -> Vec<f32> {
        let count = spec.shape.iter().product();
        if spec.name.ends_with(".bias") {
            return vec![0.0; count];
        }
        if spec.shape.len() == 1 {
            return vec![1.0; count];
        }
        if self.sinusoidal_pos_embds && spec.name.ends_with("position_embeddings.weight") {
            return self.sinusoids();
        }
        let mut values = normal(self.initializer_range as f32, count, seed, &spec.name);
        // PyTorch's embedding keeps the row of its padding token at zero.
        if spec.name.ends_with("word_embeddings.weight") {
            let row = self.pad_token_id as usize * self.dim;
            if let Some(row) = values.get_mut(row..row + self.dim) {
                row.fill(0.0);
            }
        }
        values
    }

    /// sin and cos of position / 10000^(2i/dim), in even and odd columns (Vaswani et al., 2017).
    fn sinusoids(&self) -> Vec<f32> {
        let dim = self.dim;
        let angle =
            |position: usize, column: usize| position as f64 / 10_000f64.powf(2.0 * (column / 2) as f64 / dim as f64);
        let value = |position, column| match column % 2 {
            0 => angle(position, column).sin() as f32,
            _ => angle(position, column).cos() as f32,
        };
        (0..self.max_position_embeddings)
            .flat_map(|position| (0..dim).map(move |column| value(position, column)))
            .collect()
    }
}
