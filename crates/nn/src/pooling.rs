//! How the hidden states of a text become one vector.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::batch::SequenceBatch;
use crate::selection::TokenSelection;

/// What a head reads of a sequence, with the names of ModernBERT's `classifier_pooling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pooling {
    /// The last hidden state of the first token, `[CLS]` or `<s>`.
    #[default]
    Cls,
    /// The mean of the last hidden states of all tokens that attention reads.
    Mean,
}

impl Pooling {
    /// Returns whether this is the hidden state of the first token.
    pub fn is_cls(&self) -> bool {
        *self == Self::Cls
    }

    /// Returns the tokens that the last layer must compute.
    pub fn selection(self) -> TokenSelection {
        match self {
            Self::Cls => TokenSelection::First,
            Self::Mean => TokenSelection::All,
        }
    }

    /// Pools hidden states, which are those of `selection`.
    ///
    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[sequences, dim]`
    pub fn pool(self, batch: &SequenceBatch, hidden: Tensor<2>, selection: TokenSelection) -> Tensor<2> {
        match (self, selection) {
            (Self::Mean, _) => batch.mean(hidden),
            (Self::Cls, TokenSelection::All) => batch.select(hidden, TokenSelection::First),
            (Self::Cls, _) => hidden,
        }
    }
}

/// How the hidden states of a text become one vector, its embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Embedding {
    /// Which hidden states of a layer are read.
    pub pooling: Pooling,
    /// The number of layers that are averaged, from the last one down: at least 1. sentence-transformers'
    /// `WeightedLayerPooling` with equal weights.
    pub layers: usize,
    /// Whether embeddings are scaled to length 1. sentence-transformers' `Normalize`.
    pub normalize: bool,
}

impl Embedding {
    /// The smallest norm that an embedding is divided by, as in PyTorch's `normalize`.
    pub const LEAST_NORM: f64 = 1e-12;

    /// Returns the pooled last hidden states, not normalized.
    pub fn last(pooling: Pooling) -> Self {
        Self { pooling, layers: 1, normalize: false }
    }

    /// Scales the rows to length 1, if embeddings are normalized.
    ///
    /// # Shapes
    /// - pooled: `[sequences, dim]`
    /// - output: `[sequences, dim]`
    pub fn finish(&self, pooled: Tensor<2>) -> Tensor<2> {
        if !self.normalize {
            return pooled;
        }
        let norm = pooled.clone().square().sum_dim(1).sqrt().clamp_min(Self::LEAST_NORM);
        pooled / norm
    }
}
