//! The layers of all families as nodes.

use burn::nn::Embedding;
use rekindle_nn::{Activation, LayerNorm, Linear};

use crate::graph::{Graph, Value};
use crate::proto::{AttributeProto, data_type};

impl Graph {
    /// The rows of a table.
    ///
    /// # Shapes
    /// - ids: `[...]`
    /// - output: `[..., dim]`
    pub(crate) fn embedding(&mut self, table: &Embedding, ids: &Value) -> Value {
        let table = self.param(&table.weight);
        self.op("Gather", &[&table, ids], vec![])
    }

    /// # Shapes
    /// - input: `[..., in]`
    /// - output: `[..., out]`
    pub(crate) fn linear(&mut self, layer: &Linear, input: &Value) -> Value {
        let product = match self.quantized(&layer.weight) {
            Some(matrix) => self.integer_product(input, &matrix),
            None => {
                let weight = self.param(&layer.weight);
                self.op("MatMul", &[input, &weight], vec![])
            }
        };
        self.add_bias(layer, product)
    }

    /// A linear layer over constants, which a runtime computes once: in f32, whatever the weights are.
    pub(crate) fn linear_of_constants(&mut self, layer: &Linear, input: &Value) -> Value {
        let weight = match self.quantized(&layer.weight) {
            Some([matrix, scale]) => {
                let matrix = self.cast(&matrix, data_type::FLOAT);
                self.op("Mul", &[&matrix, &scale], vec![])
            }
            None => self.param(&layer.weight),
        };
        let product = self.op("MatMul", &[input, &weight], vec![]);
        self.add_bias(layer, product)
    }

    fn add_bias(&mut self, layer: &Linear, product: Value) -> Value {
        match &layer.bias {
            Some(bias) => {
                let bias = self.param(bias);
                self.op("Add", &[&product, &bias], vec![])
            }
            None => product,
        }
    }

    /// The product of activations, which are quantized to u8 as their range is at run time, and a matrix in int8.
    fn integer_product(&mut self, input: &Value, [matrix, scale]: &[Value; 2]) -> Value {
        let [quantized, input_scale, zero] = self.ops("DynamicQuantizeLinear", &[input], vec![]);
        let product = self.op("MatMulInteger", &[&quantized, matrix, &zero], vec![]);
        let product = self.cast(&product, data_type::FLOAT);
        let scale = self.op("Mul", &[&input_scale, scale], vec![]);
        self.op("Mul", &[&product, &scale], vec![])
    }

    /// # Shapes
    /// - input, output: `[..., dim]`
    pub(crate) fn norm(&mut self, layer: &LayerNorm, input: &Value) -> Value {
        let mut inputs = vec![input.clone(), self.param(&layer.gamma)];
        inputs.extend(layer.beta.as_ref().map(|beta| self.param(beta)));
        let inputs: Vec<&Value> = inputs.iter().collect();
        let attributes = vec![AttributeProto::int("axis", -1), AttributeProto::float("epsilon", layer.epsilon as f32)];
        self.op("LayerNormalization", &inputs, attributes)
    }

    /// The norm of a sum.
    pub(crate) fn norm_sum(&mut self, layer: &LayerNorm, a: &Value, b: &Value) -> Value {
        let sum = self.op("Add", &[a, b], vec![]);
        self.norm(layer, &sum)
    }

    pub(crate) fn cast(&mut self, input: &Value, to: i32) -> Value {
        self.op("Cast", &[input], vec![AttributeProto::int("to", i64::from(to))])
    }

    pub(crate) fn transpose(&mut self, input: &Value, perm: &[i64]) -> Value {
        self.op("Transpose", &[input], vec![AttributeProto::ints("perm", perm)])
    }

    /// An operation of a tensor and a number.
    pub(crate) fn scalar(&mut self, op_type: &str, input: &Value, number: f32) -> Value {
        let number = self.float(number);
        self.op(op_type, &[input, &number], vec![])
    }

    /// An activation function of every element, by the nodes that PyTorch exports, which runtimes fuse.
    pub(crate) fn activation(&mut self, activation: Activation, x: &Value) -> Value {
        match activation {
            Activation::Gelu | Activation::GeluPython => {
                let scaled = self.scalar("Div", x, std::f32::consts::SQRT_2);
                let erf = self.op("Erf", &[&scaled], vec![]);
                let sum = self.scalar("Add", &erf, 1.0);
                let product = self.op("Mul", &[x, &sum], vec![]);
                self.scalar("Mul", &product, 0.5)
            }
            Activation::GeluNew
            | Activation::GeluPytorchTanh
            | Activation::GeluPythonTanh
            | Activation::GeluFast
            | Activation::GeluAccurate => {
                let cube = self.scalar("Pow", x, 3.0);
                let cube = self.scalar("Mul", &cube, 0.044_715);
                let inner = self.op("Add", &[x, &cube], vec![]);
                let inner = self.scalar("Mul", &inner, (2.0 / std::f64::consts::PI).sqrt() as f32);
                let tanh = self.op("Tanh", &[&inner], vec![]);
                let sum = self.scalar("Add", &tanh, 1.0);
                let half = self.scalar("Mul", x, 0.5);
                self.op("Mul", &[&half, &sum], vec![])
            }
            Activation::QuickGelu => {
                let scaled = self.scalar("Mul", x, 1.702);
                let gate = self.op("Sigmoid", &[&scaled], vec![]);
                self.op("Mul", &[x, &gate], vec![])
            }
            Activation::Silu | Activation::Swish => {
                let gate = self.op("Sigmoid", &[x], vec![]);
                self.op("Mul", &[x, &gate], vec![])
            }
            Activation::Relu => self.op("Relu", &[x], vec![]),
            Activation::Relu2 => {
                let positive = self.op("Relu", &[x], vec![]);
                self.op("Mul", &[&positive, &positive], vec![])
            }
            Activation::Tanh => self.op("Tanh", &[x], vec![]),
            Activation::Sigmoid => self.op("Sigmoid", &[x], vec![]),
            _ => x.clone(),
        }
    }
}
