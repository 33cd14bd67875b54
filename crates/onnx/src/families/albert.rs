//! ALBERT.

use rekindle_encoders::TokenSelection;
use rekindle_encoders::albert::{AlbertLayer, AlbertModel};

use super::block::{Block, no_terms};
use super::{EncoderGraph, LayerInput, bert};
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;

impl EncoderGraph for AlbertModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let embeddings = bert::add_embeddings(&self.embeddings, graph, inputs);
        graph.linear(&self.encoder.embedding_hidden_mapping_in, &embeddings)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        let layers = &self.encoder.albert_layer_groups[self.encoder.group(input.index)].albert_layers;
        let last = layers.len() - 1;
        layers.iter().enumerate().fold(input.hidden.clone(), |hidden, (place, layer)| {
            let selection = if place == last { input.selection } else { TokenSelection::All };
            block(layer).add(graph, &LayerInput { hidden: &hidden, selection, ..*input }, no_terms)
        })
    }
}

fn block(layer: &AlbertLayer) -> Block<'_> {
    let attention = &layer.attention;
    Block {
        projections: [&attention.query, &attention.key, &attention.value],
        output: &attention.dense,
        attention_norm: &attention.layer_norm,
        feed_forward: [&layer.ffn, &layer.ffn_output],
        activation: layer.activation,
        output_norm: &layer.full_layer_layer_norm,
        heads: attention.heads,
        bias: None,
    }
}
