//! Scaled dot-product attention.

use burn::tensor::Tensor;

use crate::batch::SequenceBatch;
use crate::kernels;
use crate::mode::Mode;
use crate::selection::TokenSelection;

/// `softmax(scale · query keyᵀ) value` within each sequence and head, with dropout on the probabilities (Vaswani et al., 2017).
///
/// # Shapes
/// - query: `[rows, dim]`, the rows of `selection`
/// - key, value: `[tokens, dim]`
/// - output: `[rows, dim]`
pub fn attention(
    [query, key, value]: [Tensor<2>; 3],
    batch: &SequenceBatch,
    selection: TokenSelection,
    options: AttentionOptions,
    mode: Mode,
) -> Tensor<2> {
    let dropout = mode.dropout(options.dropout);
    kernels::attention([query, key, value], batch.layout(), selection, options, dropout)
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
/// from `1 - L` to `L - 1`, where no sequence has more than `L` tokens. [`SequenceBatch::distances`] returns them for a batch.
#[derive(Clone, Debug, Default)]
#[expect(clippy::large_enum_variant, reason = "one value per layer and pass, which is never stored")]
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
