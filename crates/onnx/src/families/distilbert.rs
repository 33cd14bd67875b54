//! DistilBERT.

use rekindle_distilbert::{DistilBertForSequenceClassification, DistilBertModel, TransformerBlock};
use rekindle_encoders::Activation;

use super::block::{Block, no_terms};
use super::{EncoderGraph, LayerInput};
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;

impl EncoderGraph for DistilBertModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let words = graph.embedding(&self.embeddings.word_embeddings, &inputs.input_ids);
        let positions = inputs.position_ids(graph);
        let positions = graph.embedding(&self.embeddings.position_embeddings, &positions);
        graph.norm_sum(&self.embeddings.layer_norm, &words, &positions)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        let TransformerBlock { attention, sa_layer_norm, ffn, output_layer_norm } =
            &self.transformer.layer[input.index];
        let block = Block {
            projections: [&attention.q_lin, &attention.k_lin, &attention.v_lin],
            output: &attention.out_lin,
            attention_norm: sa_layer_norm,
            feed_forward: [&ffn.lin1, &ffn.lin2],
            activation: ffn.activation,
            output_norm: output_layer_norm,
            heads: attention.heads,
            bias: None,
        };
        block.add(graph, input, no_terms)
    }
}

pub(super) fn add_head(model: &DistilBertForSequenceClassification, graph: &mut Graph, pooled: &Value) -> Value {
    let hidden = graph.linear(&model.pre_classifier, pooled);
    let hidden = graph.activation(Activation::Relu, &hidden);
    graph.linear(&model.classifier, &hidden)
}
