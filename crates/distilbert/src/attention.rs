//! Multi-head self-attention.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::config::DistilBertConfig;
use crate::dropout::{Mode, dropout};
use crate::input::TokenBatch;
use crate::linear::Linear;
use crate::rectangle::Ragged;
use crate::rows::{pace, select};

/// Which tokens a layer computes its output for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rows {
    /// Every token, `[tokens, dim]`.
    All,
    /// The first token of each sentence alone, `[sentences, dim]`: what a classifier reads of the last layer.
    First,
    /// The tokens that were picked by [`TokenBatch::picking`], `[picked, dim]`; every token where none were.
    Picked,
}

impl Rows {
    /// Takes these rows out of `[tokens, dim]`.
    pub(crate) fn of(self, hidden: Tensor<2>, batch: &TokenBatch) -> Tensor<2> {
        match (self, &batch.picked) {
            (Rows::All, _) | (Rows::Picked, None) => hidden,
            (Rows::First, _) => hidden.select(0, batch.first.tensor()),
            (Rows::Picked, Some(places)) => select(hidden, places),
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
        let linear = || Linear::new(config.dim, config.dim, device);
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
    /// - output: `[tokens, dim]`, or as many rows as [`Rows`] says
    pub fn forward(&self, hidden: Tensor<2>, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let query = self.q_lin.forward(rows.of(hidden.clone(), batch));
        let (key, value) = (self.k_lin.forward(hidden.clone()), self.v_lin.forward(hidden));
        self.out_lin.forward(self.context(query, key, value, batch, rows, mode))
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
            crate::host::attention([&query, &key, &value], batch, rows, self.heads, self.dropout, mode)
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
        let (sentences, longest) = (batch.sentences(), batch.longest());
        let rectangle = batch.rectangle();
        let (ragged, length) = match (rows, &rectangle.picked) {
            (Rows::All, _) | (Rows::Picked, None) => (rectangle.ragged.as_ref(), longest),
            (Rows::First, _) => (None, 1),
            (Rows::Picked, Some((ragged, most))) => (Some(ragged), *most),
        };
        let query = self.rectangle(query, ragged, [sentences, length]);
        let [key, value] =
            [key, value].map(|rows| pace(self.rectangle(rows, rectangle.ragged.as_ref(), [sentences, longest])));
        let scale = ((dim / self.heads) as f64).sqrt().recip();
        let scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
        let scores = match &rectangle.masked {
            Some(masked) => {
                let shape = scores.dims();
                scores.mask_fill(masked.clone().expand(shape), f32::NEG_INFINITY)
            }
            None => scores,
        };
        let weights = dropout(pace(softmax(scores, 3)), self.dropout, mode);
        let cells = weights.matmul(value).swap_dims(1, 2).reshape([sentences * length, dim]);
        match ragged {
            Some(ragged) => cells.select(0, ragged.rows.clone()),
            None => cells,
        }
    }

    /// Rows of sentences to `[sentences, heads, length, dim / heads]`.
    fn rectangle(&self, rows: Tensor<2>, ragged: Option<&Ragged>, [sentences, length]: [usize; 2]) -> Tensor<4> {
        let [_, dim] = rows.dims();
        let cells = match ragged {
            Some(ragged) => rows.select(0, ragged.cells.clone()),
            None => rows,
        };
        cells.reshape([sentences, length, self.heads, dim / self.heads]).swap_dims(1, 2)
    }
}
