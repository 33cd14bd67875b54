//! The graph under construction: nodes, and the tensors that they read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use rekindle_checkpoint::parameters;
use rekindle_nn::Int8Matrix;

use crate::error::OnnxError;
use crate::proto::{AttributeProto, NodeProto, TensorProto, data_type};

/// The name of a tensor in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(pub(crate) String);

impl From<&str> for Value {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Nodes in the order of the data, and constant tensors. A node that exists already is not added again.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) initializers: Vec<TensorProto>,
    /// The names of the parameters.
    names: HashMap<ParamId, String>,
    /// The matrices that are stored in int8.
    quantized: BTreeSet<String>,
    /// The names of the initializers.
    constants: BTreeSet<String>,
    /// The first output of a node by what the node computes.
    computed: BTreeMap<String, Value>,
    /// The first failure.
    failure: Option<OnnxError>,
}

impl Graph {
    /// An empty graph for the parameters of a model; `quantized` are the names of matrices that are stored in int8.
    pub(crate) fn new(model: &impl Module, quantized: BTreeSet<String>) -> Self {
        Self {
            nodes: Vec::new(),
            initializers: Vec::new(),
            names: parameters(model).into_iter().map(|parameter| (parameter.id, parameter.name)).collect(),
            quantized,
            constants: BTreeSet::new(),
            computed: BTreeMap::new(),
            failure: None,
        }
    }

    /// Returns the first failure of what was added.
    pub(crate) fn finish(self) -> Result<(Vec<NodeProto>, Vec<TensorProto>), OnnxError> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok((self.nodes, self.initializers)),
        }
    }

    /// Adds a node with one output.
    pub(crate) fn op(&mut self, op_type: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        let [output] = self.ops(op_type, inputs, attributes);
        output
    }

    /// Adds a node with several outputs.
    pub(crate) fn ops<const N: usize>(
        &mut self,
        op_type: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> [Value; N] {
        let what = format!("{op_type} {inputs:?} {attributes:?}");
        let name = match self.computed.get(&what) {
            Some(Value(name)) => name.clone(),
            None => format!("{op_type}_{}", self.nodes.len()),
        };
        let outputs: [Value; N] = std::array::from_fn(|output| match output {
            0 => Value(name.clone()),
            _ => Value(format!("{name}.{output}")),
        });
        if self.computed.insert(what, Value(name.clone())).is_none() {
            self.nodes.push(NodeProto {
                input: inputs.iter().map(|Value(name)| name.clone()).collect(),
                output: outputs.iter().map(|Value(name)| name.clone()).collect(),
                name,
                op_type: op_type.into(),
                attribute: attributes,
            });
        }
        outputs
    }

    /// Renames the output of the last node.
    pub(crate) fn name_last(&mut self, name: &str) {
        if let Some(node) = self.nodes.last_mut() {
            node.output = vec![name.into()];
        }
    }

    /// A parameter, in the shape that the module has.
    pub(crate) fn param<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Value {
        let name = self.name(param);
        if !self.constants.contains(&name) {
            let (dims, values) = self.values(param);
            self.add_floats(&name, &dims, &values);
        }
        Value(name)
    }

    /// A matrix in int8 with a scale per column, if it is one of those that are stored so.
    pub(crate) fn quantized(&mut self, param: &Param<Tensor<2>>) -> Option<[Value; 2]> {
        let name = self.name(param);
        if !self.quantized.contains(&name) {
            return None;
        }
        let [matrix, scale] = ["quantized", "scale"].map(|part| format!("{name}_{part}"));
        if !self.constants.contains(&matrix) {
            let (dims, values) = self.values(param);
            let columns = dims.last().copied().unwrap_or(1);
            let by_output: Vec<f32> =
                (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns)).copied().collect();
            let rounded = Int8Matrix::new(&by_output, columns);
            let bytes = rounded.transposed().into_iter().flat_map(i8::to_le_bytes).collect();
            self.add(&matrix, &dims, data_type::INT8, bytes);
            self.add_floats(&scale, &[columns], &rounded.scales);
        }
        Some([Value(matrix), Value(scale)])
    }

    /// A number.
    pub(crate) fn float(&mut self, value: f32) -> Value {
        self.floats(&format!("float_{value:e}"), &[], &[value])
    }

    /// Numbers under a name, which stands for them.
    pub(crate) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Value {
        if !self.constants.contains(name) {
            self.add_floats(name, dims, values);
        }
        name.into()
    }

    /// An integer.
    pub(crate) fn int(&mut self, value: i64) -> Value {
        self.integers(&format!("int_{value}"), &[], &[value])
    }

    /// A vector of a few integers.
    pub(crate) fn ints(&mut self, values: &[i64]) -> Value {
        let names: Vec<String> = values.iter().map(i64::to_string).collect();
        self.integers(&format!("ints_{}", names.join("_")), &[values.len()], values)
    }

    /// Integers under a name, which stands for them.
    pub(crate) fn integers(&mut self, name: &str, dims: &[usize], values: &[i64]) -> Value {
        if !self.constants.contains(name) {
            self.add(name, dims, data_type::INT64, values.iter().flat_map(|value| value.to_le_bytes()).collect());
        }
        name.into()
    }

    fn name<const D: usize>(&self, param: &Param<Tensor<D>>) -> String {
        self.names.get(&param.id).cloned().unwrap_or_else(|| param.id.to_string())
    }

    fn values<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> (Vec<usize>, Vec<f32>) {
        let tensor = param.val().without_autodiff();
        let dims = tensor.dims().to_vec();
        if dims.contains(&0) {
            let (tensor, reason) = (self.name(param), "has no values in f32; load the model in f32".into());
            self.failure.get_or_insert(OnnxError::Device { tensor, reason });
        }
        let values = match tensor.try_into_data() {
            Ok(data) => data.iter::<f32>().collect(),
            Err(error) => {
                let tensor = self.name(param);
                self.failure.get_or_insert(OnnxError::Device { tensor, reason: error.to_string() });
                vec![0.0; dims.iter().product()]
            }
        };
        (dims, values)
    }

    fn add_floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.add(name, dims, data_type::FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    fn add(&mut self, name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) {
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.initializers.push(TensorProto { dims, data_type, name: name.into(), raw_data });
        self.constants.insert(name.into());
    }
}
