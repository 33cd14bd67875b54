//! Multi-head attention as nodes.

use rekindle_nn::TokenSelection;

use crate::graph::{Graph, Value};
use crate::proto::AttributeProto;

/// What attention is computed from.
pub(crate) struct Attention<'a> {
    /// Query, key and value, `[batch, tokens, dim]`.
    pub(crate) projections: [Value; 3],
    pub(crate) heads: usize,
    /// The width of all heads.
    pub(crate) dim: usize,
    /// What is added to the scaled scores: the mask, and biases of positions.
    pub(crate) biases: &'a [Value],
}

/// The products of a query and a key, before they are scaled.
pub(crate) struct Scores {
    /// `[batch, heads, queries, width]`.
    pub(crate) query: Value,
    /// `[batch, heads, keys, width]`.
    pub(crate) key: Value,
    /// `[batch, heads, queries, keys]`.
    pub(crate) products: Value,
}

impl Graph {
    /// Attention of all heads. `terms` returns what is added to the products before they are scaled.
    ///
    /// # Shapes
    /// - output: `[batch, queries, dim]`
    pub(crate) fn attention(
        &mut self,
        Attention { projections: [query, key, value], heads, dim, biases }: Attention<'_>,
        terms: impl FnOnce(&mut Self, &Scores) -> Vec<Value>,
    ) -> Value {
        let width = dim / heads;
        let [query, key, value] = [query, key, value].map(|projected| self.split_heads(&projected, heads, width));
        let transposed = self.transpose(&key, &[0, 1, 3, 2]);
        let products = self.op("MatMul", &[&query, &transposed], vec![]);
        let scores = Scores { query, key, products };
        let terms = terms(self, &scores);
        let count = 1 + terms.len();
        let sum = terms.iter().fold(scores.products, |sum, term| self.op("Add", &[&sum, term], vec![]));
        let scaled = self.scalar("Mul", &sum, ((width * count) as f64).sqrt().recip() as f32);
        let biased = biases.iter().fold(scaled, |sum, bias| self.op("Add", &[&sum, bias], vec![]));
        let probabilities = self.op("Softmax", &[&biased], vec![AttributeProto::int("axis", -1)]);
        let attended = self.op("MatMul", &[&probabilities, &value], vec![]);
        let merged = self.transpose(&attended, &[0, 2, 1, 3]);
        let shape = self.ints(&[0, 0, dim as i64]);
        self.op("Reshape", &[&merged, &shape], vec![])
    }

    /// # Shapes
    /// - input: `[batch, tokens, heads * width]`
    /// - output: `[batch, heads, tokens, width]`
    fn split_heads(&mut self, input: &Value, heads: usize, width: usize) -> Value {
        let shape = self.ints(&[0, 0, heads as i64, width as i64]);
        let split = self.op("Reshape", &[input, &shape], vec![]);
        self.transpose(&split, &[0, 2, 1, 3])
    }

    /// What a selection keeps of an axis of tokens.
    pub(crate) fn select(&mut self, input: &Value, axis: i64, selection: TokenSelection) -> Value {
        match selection {
            TokenSelection::First => {
                let first = self.ints(&[0]);
                self.op("Gather", &[input, &first], vec![AttributeProto::int("axis", axis)])
            }
            _ => input.clone(),
        }
    }
}
