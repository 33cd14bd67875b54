//! ModernBERT.

use rekindle_encoders::TokenSelection;
use rekindle_encoders::modernbert::{
    ModernBertAttention, ModernBertForSequenceClassification, ModernBertLayer, ModernBertMlp, ModernBertModel,
};

use super::block::no_terms;
use super::{EncoderGraph, LayerInput};
use crate::attention::Attention;
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;
use crate::proto::{AttributeProto, data_type};

impl EncoderGraph for ModernBertModel {
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value {
        let words = graph.embedding(&self.embeddings.tok_embeddings, &inputs.input_ids);
        graph.norm(&self.embeddings.norm, &words)
    }

    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value {
        let &LayerInput { index, hidden, inputs, selection } = input;
        let ModernBertLayer { attn_norm, attn, mlp_norm, mlp } = &self.layers[index];
        let normalized = match attn_norm {
            Some(norm) => graph.norm(norm, hidden),
            None => hidden.clone(),
        };
        let residual = graph.select(hidden, 1, selection);
        let attended = add_attention(attn, graph, &normalized, inputs, selection);
        let hidden = graph.op("Add", &[&residual, &attended], vec![]);
        let normalized = graph.norm(mlp_norm, &hidden);
        let output = add_mlp(mlp, graph, &normalized);
        graph.op("Add", &[&hidden, &output], vec![])
    }

    fn add_last(&self, graph: &mut Graph, hidden: Value) -> Value {
        graph.norm(&self.final_norm, &hidden)
    }
}

fn add_attention(
    attn: &ModernBertAttention,
    graph: &mut Graph,
    hidden: &Value,
    inputs: &Inputs,
    selection: TokenSelection,
) -> Value {
    let projected = graph.linear(&attn.wqkv, hidden);
    let [query, key, value] = graph.ops("Split", &[&projected], vec![AttributeProto::int("axis", -1)]);
    let dim = attn.wo.weight.dims()[0];
    let angles = angles(attn, dim, graph, inputs);
    let query = graph.rotate(&query, &angles, attn.heads, dim);
    let query = graph.select(&query, 1, selection);
    let key = graph.rotate(&key, &angles, attn.heads, dim);
    let mask = match attn.window {
        Some(window) => {
            let within = within(window, graph, inputs);
            let within = graph.select(&within, 0, selection);
            let is_token = inputs.is_token(graph);
            let attended = graph.op("And", &[&is_token, &within], vec![]);
            inputs.mask(graph, &attended)
        }
        None => inputs.padding_mask(graph),
    };
    let attention = Attention { projections: [query, key, value], heads: attn.heads, dim, biases: &[mask] };
    let attended = graph.attention(attention, no_terms);
    graph.linear(&attn.wo, &attended)
}

/// Whether two tokens are within a window, `[queries, keys]`.
fn within(window: usize, graph: &mut Graph, inputs: &Inputs) -> Value {
    let distances = inputs.distances(graph);
    let distances = graph.op("Abs", &[&distances], vec![]);
    let window = graph.int(window as i64);
    graph.op("LessOrEqual", &[&distances, &window], vec![])
}

/// The cosines and sines of all positions, each `[tokens, 1, width / 2]`. Frequencies and angles are rounded to f32, as in
/// transformers.
fn angles(attn: &ModernBertAttention, dim: usize, graph: &mut Graph, inputs: &Inputs) -> [Value; 2] {
    let width = dim / attn.heads;
    let power = |column: usize| attn.theta.powf(f64::from((2 * column) as f32 / width as f32)) as f32;
    let frequencies: Vec<f32> = (0..width / 2).map(|column| power(column).recip()).collect();
    let frequencies = graph.floats(&format!("frequencies_{}", attn.theta), &[1, 1, width / 2], &frequencies);
    let positions = graph.cast(&inputs.positions, data_type::FLOAT);
    let axes = graph.ints(&[1, 2]);
    let positions = graph.op("Unsqueeze", &[&positions, &axes], vec![]);
    let angles = graph.op("Mul", &[&positions, &frequencies], vec![]);
    ["Cos", "Sin"].map(|function| graph.op(function, &[&angles], vec![]))
}

impl Graph {
    /// Rotates queries or keys by the angles of their positions.
    ///
    /// # Shapes
    /// - input, output: `[batch, tokens, dim]`
    fn rotate(&mut self, input: &Value, [cos, sin]: &[Value; 2], heads: usize, dim: usize) -> Value {
        let shape = self.ints(&[0, 0, heads as i64, (dim / heads) as i64]);
        let split = self.op("Reshape", &[input, &shape], vec![]);
        let last = || vec![AttributeProto::int("axis", -1)];
        let [left, right] = self.ops("Split", &[&split], last());
        let mut product = |half: &Value, function: &Value| self.op("Mul", &[half, function], vec![]);
        let [left_cos, right_sin] = [product(&left, cos), product(&right, sin)];
        let [right_cos, left_sin] = [product(&right, cos), product(&left, sin)];
        let new_left = self.op("Sub", &[&left_cos, &right_sin], vec![]);
        let new_right = self.op("Add", &[&right_cos, &left_sin], vec![]);
        let rotated = self.op("Concat", &[&new_left, &new_right], last());
        let shape = self.ints(&[0, 0, dim as i64]);
        self.op("Reshape", &[&rotated, &shape], vec![])
    }
}

fn add_mlp(mlp: &ModernBertMlp, graph: &mut Graph, hidden: &Value) -> Value {
    let projected = graph.linear(&mlp.wi, hidden);
    let [input, gate] = graph.ops("Split", &[&projected], vec![AttributeProto::int("axis", -1)]);
    let activated = graph.activation(mlp.activation, &input);
    let gated = graph.op("Mul", &[&activated, &gate], vec![]);
    graph.linear(&mlp.wo, &gated)
}

pub(super) fn add_head(model: &ModernBertForSequenceClassification, graph: &mut Graph, pooled: &Value) -> Value {
    let hidden = graph.linear(&model.head.dense, pooled);
    let hidden = graph.activation(model.head.activation, &hidden);
    let hidden = graph.norm(&model.head.norm, &hidden);
    graph.linear(&model.classifier, &hidden)
}
