//! MPNet.

use rekindle_encoders::mpnet::{MpnetModel, bucket};

use super::block::{Block, no_terms};
use super::{EncoderGraph, LayerInput};
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;

impl EncoderGraph for MpnetModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let words = graph.embedding(&self.embeddings.word_embeddings, &inputs.input_ids);
        let positions = inputs.position_ids(graph);
        let positions = graph.embedding(&self.embeddings.position_embeddings, &positions);
        graph.norm_sum(&self.embeddings.layer_norm, &words, &positions)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        let layer = &self.encoder.layer[input.index];
        let (attention, projections) = (&layer.attention, &layer.attention.attn);
        let block = Block {
            projections: [&projections.q, &projections.k, &projections.v],
            output: &projections.o,
            attention_norm: &attention.layer_norm,
            feed_forward: [&layer.intermediate.dense, &layer.output.dense],
            activation: layer.activation,
            output_norm: &layer.output.layer_norm,
            heads: attention.heads,
            bias: Some(bias(self, graph, input.inputs)),
        };
        block.add(graph, input, no_terms)
    }
}

/// What the distances of tokens add to the scores, `[heads, queries, keys]`, the same for all layers.
fn bias(model: &MpnetModel, graph: &mut Graph, inputs: &Inputs) -> Value {
    let buckets = inputs.of_distances(graph, "buckets_of_distances", bucket);
    let biases = graph.embedding(&model.encoder.relative_attention_bias, &buckets);
    graph.transpose(&biases, &[2, 0, 1])
}
