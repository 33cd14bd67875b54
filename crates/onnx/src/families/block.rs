//! The layer that most families have: attention and feed-forward, each added to its input and normalized.

use rekindle_encoders::Activation;
use rekindle_nn::{LayerNorm, Linear};

use super::LayerInput;
use crate::attention::{Attention, Scores};
use crate::graph::{Graph, Value};

/// The parts of a layer.
pub(super) struct Block<'a> {
    /// Query, key and value.
    pub(super) projections: [&'a Linear; 3],
    /// Behind attention.
    pub(super) output: &'a Linear,
    pub(super) attention_norm: &'a LayerNorm,
    /// The feed-forward block.
    pub(super) feed_forward: [&'a Linear; 2],
    pub(super) activation: Activation,
    pub(super) output_norm: &'a LayerNorm,
    pub(super) heads: usize,
    /// What positions add to the scaled scores, `[..., queries, keys]` for all tokens.
    pub(super) bias: Option<Value>,
}

impl Block<'_> {
    /// Adds the layer to a graph. `terms` is that of [`Graph::attention`].
    pub(super) fn add(
        self,
        graph: &mut Graph,
        &LayerInput { hidden, inputs, selection, .. }: &LayerInput<'_>,
        terms: impl FnOnce(&mut Graph, &Scores) -> Vec<Value>,
    ) -> Value {
        let residual = graph.select(hidden, 1, selection);
        let [query, key, value] = self.projections;
        let projections = [graph.linear(query, &residual), graph.linear(key, hidden), graph.linear(value, hidden)];
        let mut biases = vec![inputs.padding_mask(graph)];
        // Behind the heads are queries and keys.
        biases.extend(self.bias.map(|bias| graph.select(&bias, -2, selection)));
        let dim = query.weight.dims()[1];
        let attention = Attention { projections, heads: self.heads, dim, biases: &biases };
        let attended = graph.attention(attention, terms);
        let attended = graph.linear(self.output, &attended);
        let hidden = graph.norm_sum(self.attention_norm, &attended, &residual);
        let [first, second] = self.feed_forward;
        let inner = graph.linear(first, &hidden);
        let inner = graph.activation(self.activation, &inner);
        let outer = graph.linear(second, &inner);
        graph.norm_sum(self.output_norm, &outer, &hidden)
    }
}

/// No terms of positions.
pub(super) fn no_terms(_: &mut Graph, _: &Scores) -> Vec<Value> {
    Vec::new()
}
