//! The inputs of a graph, and what all encoders derive from them.

use rekindle_encoders::EncoderConfig;

use crate::graph::{Graph, Value};
use crate::proto::{AttributeProto, data_type};

/// The inputs of the graph, and what is derived from them.
pub(crate) struct Inputs {
    /// `[batch, tokens]`.
    pub(crate) input_ids: Value,
    /// `[batch, tokens]`, if the model distinguishes segments.
    pub(crate) token_type_ids: Option<Value>,
    /// 1 for tokens, 0 for padding, `[batch, tokens]`.
    pub(crate) attention_mask: Value,
    /// The position of each token in its text, counted from 0, `[tokens]`.
    pub(crate) positions: Value,
    /// The most tokens of a text.
    pub(crate) max_length: usize,
    /// The row of the position table that the first token reads.
    pub(crate) first_position: usize,
}

/// What masks a score: the smallest number, as in transformers.
const MASKED: f32 = f32::MIN;

impl Inputs {
    pub(crate) const NAMES: [&'static str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

    pub(crate) fn new(graph: &mut Graph, config: &EncoderConfig, token_type_ids: bool) -> Self {
        let [input_ids, attention_mask, segments] = Self::NAMES.map(Value::from);
        let shape = graph.op("Shape", &[&input_ids], vec![]);
        let (zero, one) = (graph.int(0), graph.int(1));
        let tokens = graph.op("Gather", &[&shape, &one], vec![]);
        let positions = graph.op("Range", &[&zero, &tokens, &one], vec![]);
        Self {
            input_ids,
            token_type_ids: token_type_ids.then_some(segments),
            attention_mask,
            positions,
            max_length: config.max_length(),
            first_position: config.first_position(),
        }
    }

    /// The rows of the position table, `[tokens]`.
    pub(crate) fn position_ids(&self, graph: &mut Graph) -> Value {
        if self.first_position == 0 {
            return self.positions.clone();
        }
        let first = graph.int(self.first_position as i64);
        graph.op("Add", &[&self.positions, &first], vec![])
    }

    /// The segments of all tokens: an input, or 0.
    pub(crate) fn segments(&self, graph: &mut Graph) -> Value {
        self.token_type_ids.clone().unwrap_or_else(|| graph.int(0))
    }

    /// The position of the key minus that of the query, `[queries, keys]`.
    pub(crate) fn distances(&self, graph: &mut Graph) -> Value {
        let (first, second) = (graph.ints(&[0]), graph.ints(&[1]));
        let keys = graph.op("Unsqueeze", &[&self.positions, &first], vec![]);
        let queries = graph.op("Unsqueeze", &[&self.positions, &second], vec![]);
        graph.op("Sub", &[&keys, &queries], vec![])
    }

    /// The value of a table for each distance, `[queries, keys]`.
    pub(crate) fn of_distances(&self, graph: &mut Graph, name: &str, row: impl Fn(i64) -> u32) -> Value {
        let farthest = self.max_length as i64 - 1;
        let rows: Vec<i64> = (-farthest..=farthest).map(|distance| i64::from(row(distance))).collect();
        let table = graph.integers(name, &[rows.len()], &rows);
        let (distances, offset) = (self.distances(graph), graph.int(farthest));
        let places = graph.op("Add", &[&distances, &offset], vec![]);
        graph.op("Gather", &[&table, &places], vec![])
    }

    /// Whether a key is a token, `[batch, 1, 1, keys]`.
    pub(crate) fn is_token(&self, graph: &mut Graph) -> Value {
        let axes = graph.ints(&[1, 2]);
        let mask = graph.op("Unsqueeze", &[&self.attention_mask, &axes], vec![]);
        graph.cast(&mask, data_type::BOOL)
    }

    /// What is added to the scores of keys that are not attended to, from whether they are.
    pub(crate) fn mask(&self, graph: &mut Graph, attended: &Value) -> Value {
        let (zero, masked) = (graph.float(0.0), graph.float(MASKED));
        graph.op("Where", &[attended, &zero, &masked], vec![])
    }

    /// The mask of padding, `[batch, 1, 1, keys]`.
    pub(crate) fn padding_mask(&self, graph: &mut Graph) -> Value {
        let is_token = self.is_token(graph);
        self.mask(graph, &is_token)
    }

    /// The mean of hidden states over the tokens, `[batch, dim]`.
    pub(crate) fn mean(&self, graph: &mut Graph, hidden: &Value) -> Value {
        let (last, middle) = (graph.ints(&[2]), graph.ints(&[1]));
        let mask = graph.cast(&self.attention_mask, data_type::FLOAT);
        let weights = graph.op("Unsqueeze", &[&mask, &last], vec![]);
        let weighted = graph.op("Mul", &[hidden, &weights], vec![]);
        let sum = |graph: &mut Graph, of: &Value| {
            graph.op("ReduceSum", &[of, &middle], vec![AttributeProto::int("keepdims", 0)])
        };
        let (total, count) = (sum(graph, &weighted), sum(graph, &weights));
        graph.op("Div", &[&total, &count], vec![])
    }
}
