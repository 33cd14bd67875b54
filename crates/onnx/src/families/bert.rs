//! BERT, RoBERTa and ELECTRA, and the heads that others have, too.

use rekindle_encoders::Activation;
use rekindle_encoders::bert::{BertEmbeddings, BertEncoder, BertModel};
use rekindle_encoders::electra::ElectraModel;
use rekindle_encoders::roberta::ClassificationHead;
use rekindle_nn::Linear;

use super::block::{Block, no_terms};
use super::{EncoderGraph, LayerInput};
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;

pub(super) fn add_embeddings(tables: &BertEmbeddings, graph: &mut Graph, inputs: &Inputs) -> Value {
    let words = graph.embedding(&tables.word_embeddings, &inputs.input_ids);
    let segments = inputs.segments(graph);
    let types = graph.embedding(&tables.token_type_embeddings, &segments);
    let positions = inputs.position_ids(graph);
    let positions = graph.embedding(&tables.position_embeddings, &positions);
    let sum = graph.op("Add", &[&words, &types], vec![]);
    graph.norm_sum(&tables.layer_norm, &sum, &positions)
}

fn add_layer(encoder: &BertEncoder, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
    let layer = &encoder.layer[input.index];
    let (attention, output) = (&layer.attention.self_attention, &layer.attention.output);
    let block = Block {
        projections: [&attention.query, &attention.key, &attention.value],
        output: &output.dense,
        attention_norm: &output.layer_norm,
        feed_forward: [&layer.intermediate.dense, &layer.output.dense],
        activation: layer.activation,
        output_norm: &layer.output.layer_norm,
        heads: attention.heads,
        bias: None,
    };
    block.add(graph, input, no_terms)
}

impl EncoderGraph for BertModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        add_embeddings(&self.embeddings, graph, inputs)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        add_layer(&self.encoder, graph, input)
    }
}

impl EncoderGraph for ElectraModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let embeddings = add_embeddings(&self.embeddings, graph, inputs);
        match &self.embeddings_project {
            Some(project) => graph.linear(project, &embeddings),
            None => embeddings,
        }
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        add_layer(&self.encoder, graph, input)
    }
}

/// The head of BERT and ALBERT: a pooler with tanh, and the classifier.
pub(super) fn add_pooler_head(
    pooler: Option<&Linear>,
    classifier: &Linear,
    graph: &mut Graph,
    pooled: &Value,
) -> Value {
    let pooled = match pooler {
        Some(pooler) => {
            let hidden = graph.linear(pooler, pooled);
            graph.activation(Activation::Tanh, &hidden)
        }
        None => pooled.clone(),
    };
    graph.linear(classifier, &pooled)
}

/// The head of RoBERTa, ELECTRA and MPNet.
pub(super) fn add_classification_head(head: &ClassificationHead, graph: &mut Graph, pooled: &Value) -> Value {
    let hidden = graph.linear(&head.dense, pooled);
    let hidden = graph.activation(head.activation, &hidden);
    graph.linear(&head.out_proj, &hidden)
}
