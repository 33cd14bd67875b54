//! A classifier as an ONNX model.

use std::collections::BTreeSet;

use burn::module::Module;
use rekindle_checkpoint::{Problem, parameters};
use rekindle_encoders::{
    Embedding, Encoder, EncoderConfig, Pooling, SentenceClassifier, SequenceClassifier, TokenSelection,
    TransformerEncoder,
};

use crate::error::OnnxError;
use crate::families::{add_encoder, add_head};
use crate::graph::{Graph, Value};
use crate::inputs::Inputs;
use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto, data_type,
};

/// The version of the operators: of 2022, the first one with LayerNormalization.
pub const OPSET: i64 = 17;
/// The version of the file format that belongs to it.
const IR_VERSION: i64 = 8;
/// The name of the output.
const OUTPUT: &str = "logits";

/// What is exported beside the weights of a model.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// The configuration of the model.
    pub config: &'a EncoderConfig,
    /// The maximum number of tokens per text that the model was trained with, for the metadata.
    pub max_length: usize,
    /// Whether the graph has the input `token_type_ids`, because the tokenizer makes them.
    pub token_type_ids: bool,
    /// Whether the linear layers of the encoder are quantized to int8.
    pub int8: bool,
}

/// An ONNX model in memory.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    /// Without graph.
    pub(crate) model: ModelProto,
    /// Without initializers.
    pub(crate) graph: GraphProto,
    pub(crate) initializers: Vec<TensorProto>,
}

impl Export<'_> {
    /// Converts an encoder with the head of its family.
    ///
    /// # Errors
    /// Returns an error if the weights cannot be read from their device.
    pub fn sequence_classifier(&self, model: &SequenceClassifier) -> Result<OnnxModel, OnnxError> {
        let model = model.clone().merged();
        let mut graph = self.graph(&model, |model| model.linear_layers());
        let inputs = Inputs::new(&mut graph, self.config, self.token_type_ids);
        let pooled = add_pooled(&model.encoder(), &mut graph, &inputs, Embedding::last(model.pooling()));
        add_head(&model, &mut graph, &pooled);
        self.finish(graph)
    }

    /// Converts a linear head on sentence embeddings.
    ///
    /// # Errors
    /// Returns an error if the weights cannot be read from their device.
    pub fn sentence_classifier(&self, model: &SentenceClassifier) -> Result<OnnxModel, OnnxError> {
        let mut graph = self.graph(model, |model| model.encoder.linear_layers());
        let inputs = Inputs::new(&mut graph, self.config, self.token_type_ids);
        let pooled = add_pooled(&model.encoder, &mut graph, &inputs, model.embedding);
        graph.linear(&model.classifier, &pooled);
        self.finish(graph)
    }

    /// An empty graph for a model, whose `linear_layers` may be quantized.
    fn graph<M: Module>(
        &self,
        model: &M,
        linear_layers: impl Fn(&mut M) -> Vec<rekindle_nn::NamedLinear<'_>>,
    ) -> Graph {
        let mut quantized = BTreeSet::new();
        if self.int8 {
            let mut model = model.clone();
            let ids: Vec<_> = linear_layers(&mut model).iter().map(|layer| layer.linear.weight.id).collect();
            let parameters = parameters(&model).into_iter();
            quantized.extend(parameters.filter(|found| ids.contains(&found.id)).map(|found| found.name));
        }
        Graph::new(model, quantized)
    }

    fn finish(&self, mut graph: Graph) -> Result<OnnxModel, OnnxError> {
        graph.name_last(OUTPUT);
        let (node, initializers) = graph.finish()?;
        let names = Inputs::NAMES.into_iter().filter(|name| self.token_type_ids || *name != "token_type_ids");
        let dims = || [DimensionProto::named("batch_size"), DimensionProto::named("sequence_length")];
        let input = names.map(|name| ValueInfoProto::tensor(name, data_type::INT64, dims())).collect();
        let labels = DimensionProto::fixed(self.config.num_labels());
        let output = [DimensionProto::named("batch_size"), labels];
        let output = vec![ValueInfoProto::tensor(OUTPUT, data_type::FLOAT, output)];
        let name = self.config.family.model_type().into();
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
        Ok(OnnxModel {
            model: ModelProto {
                ir_version: IR_VERSION,
                producer_name: "rekindle".into(),
                producer_version: env!("CARGO_PKG_VERSION").into(),
                graph: None,
                opset_import,
                metadata_props: self.metadata(),
            },
            graph: GraphProto { node, name, initializer: Vec::new(), input, output },
            initializers,
        })
    }

    /// What a program needs beside the graph: the fields of `config.json` that say what the logits mean, each in JSON, and the
    /// maximum length.
    fn metadata(&self) -> Vec<StringStringEntryProto> {
        let config: serde_json::Value = serde_json::from_str(&self.config.to_json()).unwrap_or_default();
        let fields = ["model_type", "id2label"].into_iter().chain(Problem::FIELDS);
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
        let present = fields.filter_map(|field| Some((field, text(config.get(field)?))));
        let length = [("max_length", self.max_length.to_string())];
        let precision = [("precision", if self.int8 { "int8" } else { "f32" }.into())];
        let all = present.chain(length).chain(precision);
        all.map(|(key, value)| StringStringEntryProto { key: key.into(), value }).collect()
    }
}

/// Adds the embedding of each text, `[batch, dim]`.
fn add_pooled(encoder: &Encoder, graph: &mut Graph, inputs: &Inputs, embedding: Embedding) -> Value {
    let Embedding { pooling, layers, normalize } = embedding;
    let is_first = layers <= 1 && pooling == Pooling::Cls;
    let selection = if is_first { TokenSelection::First } else { TokenSelection::All };
    let outputs = add_encoder(encoder, graph, inputs, layers, selection);
    let count = outputs.len();
    let sum = outputs.into_iter().reduce(|sum, output| graph.op("Add", &[&sum, &output], vec![]));
    let mut hidden = sum.unwrap_or_else(|| inputs.input_ids.clone());
    if count > 1 {
        hidden = graph.scalar("Div", &hidden, count as f32);
    }
    let pooled = match pooling {
        Pooling::Mean => inputs.mean(graph, &hidden),
        _ => {
            let first = graph.int(0);
            graph.op("Gather", &[&hidden, &first], vec![AttributeProto::int("axis", 1)])
        }
    };
    if !normalize {
        return pooled;
    }
    let norm = graph.op("ReduceL2", &[&pooled], vec![AttributeProto::ints("axes", &[-1])]);
    let norm = graph.scalar("Max", &norm, Embedding::LEAST_NORM as f32);
    graph.op("Div", &[&pooled, &norm], vec![])
}
