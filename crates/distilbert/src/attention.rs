//! Multi-head self-attention.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::config::DistilBertConfig;
use crate::dropout::{Mode, dropout};
use crate::input::TokenBatch;
use crate::rows::linear;

/// Which tokens a layer computes its output for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Every token, `[tokens, dim]`.
    All,
    /// The first token of each sentence alone, `[sentences, dim]`: what a classifier reads of the last layer.
    First,
}

impl Rows {
    /// Takes these rows out of `[tokens, dim]`.
    pub(crate) fn of(self, hidden: Tensor<2>, batch: &TokenBatch) -> Tensor<2> {
        match self {
            Rows::All => hidden,
            Rows::First => hidden.select(0, batch.first.clone()),
        }
    }
}

/// Scaled dot-product attention within each sentence (Vaswani et al., 2017).
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Query, `[dim, dim]`.
    pub q_lin: Linear,
    /// Key, `[dim, dim]`.
    pub k_lin: Linear,
    /// Value, `[dim, dim]`.
    pub v_lin: Linear,
    /// Output, `[dim, dim]`.
    pub out_lin: Linear,
    heads: usize,
    dropout: f64,
}

impl SelfAttention {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let linear = || LinearConfig::new(config.dim, config.dim).init(device);
        Self {
            q_lin: linear(),
            k_lin: linear(),
            v_lin: linear(),
            out_lin: linear(),
            heads: config.n_heads,
            dropout: config.attention_dropout,
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[tokens, dim]`, or `[sentences, dim]` for [`Rows::First`]
    pub fn forward(&self, hidden: Tensor<2>, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let query = linear(&self.q_lin, rows.of(hidden.clone(), batch));
        let (key, value) = (linear(&self.k_lin, hidden.clone()), linear(&self.v_lin, hidden));
        linear(&self.out_lin, self.context(query, key, value, batch, rows, mode))
    }

    /// `softmax(q kᵀ / sqrt(width)) v` within each sentence and head.
    fn context(
        &self,
        query: Tensor<2>,
        key: Tensor<2>,
        value: Tensor<2>,
        batch: &TokenBatch,
        rows: Rows,
        mode: Mode,
    ) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if let Some(context) =
            crate::host::attention([&query, &key, &value], &batch.spans, rows, self.heads, self.dropout, mode)
        {
            return context;
        }
        self.rectangular(query, key, value, batch, rows, mode)
    }

    /// The same by Burn's own operations, on a rectangle of sentences and positions.
    pub(crate) fn rectangular(
        &self,
        query: Tensor<2>,
        key: Tensor<2>,
        value: Tensor<2>,
        batch: &TokenBatch,
        rows: Rows,
        mode: Mode,
    ) -> Tensor<2> {
        let [_, dim] = query.dims();
        let query = match rows {
            Rows::All => self.rectangle(query, batch),
            Rows::First => self.split(query, batch.sentences(), 1),
        };
        let (key, value) = (self.rectangle(key, batch), self.rectangle(value, batch));
        let scale = ((dim / self.heads) as f64).sqrt().recip();
        let scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
        let scores = match &batch.masked {
            Some(masked) => {
                let shape = scores.dims();
                scores.mask_fill(masked.clone().expand(shape), f32::NEG_INFINITY)
            }
            None => scores,
        };
        let weights = dropout(softmax(scores, 3), self.dropout, mode);
        let context = weights.matmul(value).swap_dims(1, 2);
        match rows {
            Rows::All => self.rows(context, batch),
            Rows::First => context.reshape([batch.sentences(), dim]),
        }
    }

    /// `[tokens, dim]` to `[sentences, heads, longest, dim / heads]`.
    fn rectangle(&self, rows: Tensor<2>, batch: &TokenBatch) -> Tensor<4> {
        let cells = match &batch.ragged {
            Some(ragged) => rows.select(0, ragged.cells.clone()),
            None => rows,
        };
        self.split(cells, batch.sentences(), batch.longest())
    }

    /// `[sentences * length, dim]` to `[sentences, heads, length, dim / heads]`.
    fn split(&self, cells: Tensor<2>, sentences: usize, length: usize) -> Tensor<4> {
        let [_, dim] = cells.dims();
        cells.reshape([sentences, length, self.heads, dim / self.heads]).swap_dims(1, 2)
    }

    /// `[sentences, longest, heads, dim / heads]` to `[tokens, dim]`.
    fn rows(&self, context: Tensor<4>, batch: &TokenBatch) -> Tensor<2> {
        let [sentences, longest, heads, width] = context.dims();
        let cells = context.reshape([sentences * longest, heads * width]);
        match &batch.ragged {
            Some(ragged) => cells.select(0, ragged.rows.clone()),
            None => cells,
        }
    }
}
