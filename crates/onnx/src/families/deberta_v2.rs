//! DeBERTa-v2 and v3.

use rekindle_encoders::deberta_v2::{
    DebertaV2ForSequenceClassification, DebertaV2Layer, DebertaV2Model, DisentangledSelfAttention,
};
use rekindle_nn::Linear;

use super::block::Block;
use super::{EncoderGraph, LayerInput};
use crate::attention::Scores;
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;
use crate::proto::AttributeProto;

impl EncoderGraph for DebertaV2Model {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let tables = &self.embeddings;
        let mut sum = graph.embedding(&tables.word_embeddings, &inputs.input_ids);
        if let Some(table) = &tables.position_embeddings {
            let positions = inputs.position_ids(graph);
            let positions = graph.embedding(table, &positions);
            sum = graph.op("Add", &[&sum, &positions], vec![]);
        }
        if let Some(table) = &tables.token_type_embeddings {
            let segments = inputs.segments(graph);
            let types = graph.embedding(table, &segments);
            sum = graph.op("Add", &[&sum, &types], vec![]);
        }
        if let Some(project) = &tables.embed_proj {
            sum = graph.linear(project, &sum);
        }
        graph.norm(&tables.layer_norm, &sum)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        let DebertaV2Layer { attention, intermediate, output, activation } = &self.encoder.layer[input.index];
        let projections = &attention.self_attention;
        let block = Block {
            projections: [&projections.query_proj, &projections.key_proj, &projections.value_proj],
            output: &attention.output.dense,
            attention_norm: &attention.output.layer_norm,
            feed_forward: [&intermediate.dense, &output.dense],
            activation: *activation,
            output_norm: &output.layer_norm,
            heads: projections.heads,
            bias: None,
        };
        block.add(graph, input, |graph, scores| {
            if self.encoder.rel_embeddings.is_some() {
                terms(self, projections, graph, scores, input)
            } else {
                Default::default()
            }
        })
    }
}

/// What the distances add to the products of queries and keys, each `[batch, heads, queries, keys]`.
fn terms(
    model: &DebertaV2Model,
    projections: &DisentangledSelfAttention,
    graph: &mut Graph,
    Scores { query, key, products }: &Scores,
    &LayerInput { inputs, selection, .. }: &LayerInput<'_>,
) -> Vec<Value> {
    let rows = inputs.of_distances(graph, "rows_of_distances", |distance| model.encoder.row(distance));
    let rows = graph.select(&rows, 0, selection);
    let shape = graph.op("Shape", &[products], vec![]);
    let rows = graph.op("Expand", &[&rows, &shape], vec![]);
    let last = |axis| vec![AttributeProto::int("axis", axis)];
    let mut terms = Vec::new();
    if projections.content_to_position {
        let own = projections.pos_key_proj.as_ref().unwrap_or(&projections.key_proj);
        let keys = of_rows(model, own, projections.heads, graph);
        let products = graph.op("MatMul", &[query, &keys], vec![]);
        terms.push(graph.op("GatherElements", &[&products, &rows], last(3)));
    }
    if projections.position_to_content {
        let own = projections.pos_query_proj.as_ref().unwrap_or(&projections.query_proj);
        let queries = of_rows(model, own, projections.heads, graph);
        let products = graph.op("MatMul", &[key, &queries], vec![]);
        let rows = graph.transpose(&rows, &[0, 1, 3, 2]);
        let term = graph.op("GatherElements", &[&products, &rows], last(3));
        terms.push(graph.transpose(&term, &[0, 1, 3, 2]));
    }
    terms
}

/// The projection of all rows of the table of distances, `[heads, width, rows]`: a constant.
fn of_rows(model: &DebertaV2Model, projection: &Linear, heads: usize, graph: &mut Graph) -> Value {
    let Some(table) = &model.encoder.rel_embeddings else { return graph.float(0.0) };
    let mut rows = graph.param(&table.weight);
    if let Some(norm) = &model.encoder.layer_norm {
        rows = graph.norm(norm, &rows);
    }
    let projected = graph.linear_of_constants(projection, &rows);
    let width = projection.weight.dims()[1] / heads;
    let shape = graph.ints(&[-1, heads as i64, width as i64]);
    let split = graph.op("Reshape", &[&projected, &shape], vec![]);
    graph.transpose(&split, &[1, 2, 0])
}

pub(super) fn add_head(model: &DebertaV2ForSequenceClassification, graph: &mut Graph, pooled: &Value) -> Value {
    let hidden = graph.linear(&model.pooler.dense, pooled);
    let hidden = graph.activation(model.activation, &hidden);
    graph.linear(&model.classifier, &hidden)
}
