//! The encoders and heads of all families as nodes: a file for each family that differs.

use rekindle_encoders::{Encoder, SequenceClassifier, TokenSelection, TransformerEncoder};

use crate::graph::{Graph, Value};
use crate::inputs::Inputs;

mod albert;
mod bert;
mod block;
mod deberta_v2;
mod distilbert;
mod modernbert;
mod mpnet;

/// What a layer gets.
pub(crate) struct LayerInput<'a> {
    /// The number of the layer, from 0.
    index: usize,
    /// `[batch, tokens, dim]`
    hidden: &'a Value,
    inputs: &'a Inputs,
    /// The tokens whose output is computed.
    selection: TokenSelection,
}

/// An encoder that can be added to a graph.
pub(crate) trait EncoderGraph: TransformerEncoder {
    /// Adds the hidden states before the first layer, `[batch, tokens, dim]`.
    fn add_embeddings(&self, graph: &mut Graph, inputs: &Inputs) -> Value;

    /// Adds a layer, whose output is `[batch, rows, dim]`, the rows of the selection.
    fn add_layer(&self, graph: &mut Graph, input: &LayerInput<'_>) -> Value;

    /// Adds what follows the last layer.
    fn add_last(&self, _: &mut Graph, hidden: Value) -> Value {
        hidden
    }

    /// Adds the output of the last layers, all of them with all tokens but for the last one, which has those of `selection`.
    fn add(&self, graph: &mut Graph, inputs: &Inputs, layers: usize, selection: TokenSelection) -> Vec<Value> {
        let count = self.num_layers();
        let mut outputs = vec![self.add_embeddings(graph, inputs)];
        for index in 0..count {
            let is_last = index + 1 == count;
            let selection = if is_last { selection } else { TokenSelection::All };
            let output = self.add_layer(graph, &LayerInput { index, hidden: &outputs[index], inputs, selection });
            outputs.push(if is_last { self.add_last(graph, output) } else { output });
        }
        outputs.split_off(count + 1 - layers.clamp(1, count))
    }
}

/// Adds an encoder, as [`EncoderGraph::add`].
pub(crate) fn add_encoder(
    encoder: &Encoder,
    graph: &mut Graph,
    inputs: &Inputs,
    layers: usize,
    selection: TokenSelection,
) -> Vec<Value> {
    match encoder {
        Encoder::DistilBert(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::Bert(encoder) | Encoder::Roberta(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::Electra(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::Mpnet(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::Albert(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::DebertaV2(encoder) => encoder.add(graph, inputs, layers, selection),
        Encoder::ModernBert(encoder) => encoder.add(graph, inputs, layers, selection),
    }
}

/// Adds the head of a classifier, from the pooled hidden states, `[batch, dim]`, to the logits, `[batch, labels]`.
pub(crate) fn add_head(model: &SequenceClassifier, graph: &mut Graph, pooled: &Value) -> Value {
    match model {
        SequenceClassifier::DistilBert(model) => distilbert::add_head(model, graph, pooled),
        SequenceClassifier::Bert(model) => {
            let pooler = model.bert.pooler.as_ref().map(|pooler| &pooler.dense);
            bert::add_pooler_head(pooler, &model.classifier, graph, pooled)
        }
        SequenceClassifier::Roberta(model) => bert::add_classification_head(&model.classifier, graph, pooled),
        SequenceClassifier::Electra(model) => bert::add_classification_head(&model.classifier, graph, pooled),
        SequenceClassifier::Mpnet(model) => bert::add_classification_head(&model.classifier, graph, pooled),
        SequenceClassifier::Albert(model) => {
            bert::add_pooler_head(model.albert.pooler.as_ref(), &model.classifier, graph, pooled)
        }
        SequenceClassifier::DebertaV2(model) => deberta_v2::add_head(model, graph, pooled),
        SequenceClassifier::ModernBert(model) => modernbert::add_head(model, graph, pooled),
    }
}
