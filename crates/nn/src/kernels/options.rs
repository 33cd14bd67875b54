//! What distinguishes one use of an operation from another.

use burn::tensor::Tensor;

use crate::selection::TokenSelection;

/// A function that [`Activation`](crate::Activation) names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    Gelu,
    GeluTanh,
    QuickGelu,
    Relu,
    Relu2,
    Silu,
    Tanh,
    Sigmoid,
    Linear,
}

/// What distinguishes the attention of one model family from that of another.
#[derive(Clone, Debug)]
pub struct AttentionOptions {
    /// The number of heads, which divides `dim`.
    pub heads: usize,
    /// The probability with which a probability of attention is dropped.
    pub dropout: f64,
    /// The largest distance between a query and the keys that it attends to; `None` for the whole sequence.
    ///
    /// ModernBERT's is half of its `local_attention`. A token with an attention mask of 0 also attends to itself, so that no
    /// query is without a key.
    pub window: Option<usize>,
    /// What the distance between query and key adds to their score.
    pub positions: RelativePositions,
}

impl AttentionOptions {
    /// The attention of BERT and most others: over the whole sequence, without regard to positions.
    pub fn new(heads: usize, dropout: f64) -> Self {
        Self { heads, dropout, window: None, positions: RelativePositions::None }
    }
}

/// What the distance between query and key adds to their score.
///
/// The tables have a row for each distance, the position of the key minus that of the query: `2 L - 1` rows for the distances
/// from `1 - L` to `L - 1`, where no sequence has more than `L` tokens. [`SequenceBatch::distances`](crate::SequenceBatch::distances) returns them for a batch.
#[derive(Clone, Debug, Default)]
#[allow(clippy::large_enum_variant, reason = "one value per layer and pass, which is never stored")]
pub enum RelativePositions {
    /// Nothing. Scores are `query keyᵀ / √width`, where a head has `width` columns.
    #[default]
    None,
    /// A number per head (T5, MPNet), `[distances, heads]`, which is added after scaling.
    Bias(Tensor<2>),
    /// Disentangled attention (DeBERTa; He et al., 2021): `(query keyᵀ + query · keys[distance] + key · queries[distance]) /
    /// √(width · terms)`, where `terms` is the number of terms that are present.
    Disentangled {
        /// The key of each distance, `[distances, dim]`: the term from content to position, `c2p`.
        keys: Option<Tensor<2>>,
        /// The query of each distance, `[distances, dim]`: the term from position to content, `p2c`.
        queries: Option<Tensor<2>>,
    },
}

impl RelativePositions {
    /// The number of products that a score is a sum of.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::None | Self::Bias(_) => 1,
            Self::Disentangled { keys, queries } => 1 + usize::from(keys.is_some()) + usize::from(queries.is_some()),
        }
    }
}

/// The angles of a rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rotation {
    pub(crate) selection: TokenSelection,
    /// The number of columns of a head.
    pub(crate) width: usize,
    /// The base of the frequencies.
    pub(crate) theta: f64,
}

impl Rotation {
    /// Cosines and sines of the angles of some positions, each `[positions, width / 2]`. Frequencies and angles are rounded to
    /// f32, as in transformers.
    pub(crate) fn cos_sin(&self, positions: impl Iterator<Item = u32>) -> [Vec<f32>; 2] {
        let half = self.width / 2;
        let power = |column: usize| self.theta.powf(f64::from((2 * column) as f32 / self.width as f32)) as f32;
        let frequencies: Vec<f32> = (0..half).map(|column| power(column).recip()).collect();
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for position in positions {
            let angles = frequencies.iter().map(|frequency| f64::from(position as f32 * frequency));
            for angle in angles {
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        [cos, sin]
    }
}

/// The coefficients of one AdamW update (Loshchilov and Hutter, 2019), the same for every element of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct AdamWRates {
    /// Factor of the value before the step: 1 minus learning rate times weight decay.
    pub keep: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Factor of the second moment's root: its bias correction.
    pub correction: f32,
    /// The learning rate divided by the first moment's bias correction.
    pub size: f32,
}
