//! Activation functions.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::kernels::{self, Curve};
use crate::linear::Linear;

/// The activation function of a feed-forward block, by the names of transformers' `ACT2FN`.
///
/// Some functions have several names. A configuration keeps its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// `x · Φ(x)` by the error function (Hendrycks and Gimpel, 2016), as transformers' `gelu`.
    Gelu,
    /// [`Gelu`](Self::Gelu).
    GeluPython,
    /// `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³)))`, the approximation of [`Gelu`](Self::Gelu) by tanh.
    GeluNew,
    /// [`GeluNew`](Self::GeluNew).
    GeluPytorchTanh,
    /// [`GeluNew`](Self::GeluNew).
    GeluPythonTanh,
    /// [`GeluNew`](Self::GeluNew).
    GeluFast,
    /// [`GeluNew`](Self::GeluNew).
    GeluAccurate,
    /// `x · σ(1.702 x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²`.
    Relu2,
    /// `x · σ(x)`.
    Silu,
    /// [`Silu`](Self::Silu).
    Swish,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function, `σ(x)`.
    Sigmoid,
    /// `x`.
    Linear,
}

impl Activation {
    /// Applies the function to every element.
    pub fn forward(self, input: Tensor<2>) -> Tensor<2> {
        kernels::activation(self.curve(), input)
    }

    /// A feed-forward block: the second layer of the function of the first layer. Layers in int8 compute some rows at a time, whose
    /// intermediate values stay in the cache; the result is the same.
    ///
    /// # Shapes
    /// - input: `[rows, in]`
    /// - output: `[rows, out]`
    pub fn forward_between(self, [first, second]: [&Linear; 2], input: Tensor<2>) -> Tensor<2> {
        if let Some([first, second]) = Linear::both_in_int8([first, second])
            && let Some(output) = kernels::int8_feed_forward([first, second], self.curve(), &input)
        {
            return output;
        }
        second.forward(self.forward(first.forward(input)))
    }

    /// A gated linear unit (GeGLU with [`Gelu`](Self::Gelu); Shazeer, 2020): the function of the first half of each row, times
    /// the second half.
    ///
    /// # Shapes
    /// - input: `[rows, 2 * inner]`
    /// - output: `[rows, inner]`
    pub fn forward_gated(self, input: Tensor<2>) -> Tensor<2> {
        kernels::gated(self.curve(), input)
    }

    fn curve(self) -> Curve {
        match self {
            Self::Gelu | Self::GeluPython => Curve::Gelu,
            Self::GeluNew | Self::GeluPytorchTanh | Self::GeluPythonTanh | Self::GeluFast | Self::GeluAccurate => {
                Curve::GeluTanh
            }
            Self::QuickGelu => Curve::QuickGelu,
            Self::Relu => Curve::Relu,
            Self::Relu2 => Curve::Relu2,
            Self::Silu | Self::Swish => Curve::Silu,
            Self::Tanh => Curve::Tanh,
            Self::Sigmoid => Curve::Sigmoid,
            Self::Linear => Curve::Linear,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const POINTS: [f32; 5] = [-3.0, -0.75, 0.0, 0.5, 2.0];

    /// Names, values and derivatives at [`POINTS`], computed by transformers' `ACT2FN` in f64.
    #[expect(clippy::excessive_precision, reason = "as the reference prints them")]
    const FUNCTIONS: [(&[&str], [f32; 5], [f32; 5]); 9] = [
        (
            &["gelu", "gelu_python"],
            [-0.00404969, -0.16997051, 0.0, 0.34573123, 1.95449974],
            [-0.01194565, 0.00077428, 0.5, 0.86749512, 1.0852318],
        ),
        (
            &["gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"],
            [-0.00363739, -0.17003944, 0.0, 0.34571401, 1.95459769],
            [-0.01158417, 0.00106174, 0.5, 0.8673699, 1.08609926],
        ),
        (
            &["quick_gelu"],
            [-0.01807131, -0.16360994, 0.0, 0.35038844, 1.93565862],
            [-0.02454832, 0.00042847, 0.5, 0.87922191, 1.07381535],
        ),
        (&["relu"], [0.0, 0.0, 0.0, 0.5, 2.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
        (&["relu2"], [0.0, 0.0, 0.0, 0.25, 4.0], [0.0, 0.0, 0.0, 1.0, 4.0]),
        (
            &["silu", "swish"],
            [-0.14227762, -0.24061598, 0.0, 0.31122967, 1.76159416],
            [-0.08810411, 0.15740006, 0.5, 0.73996119, 1.09078425],
        ),
        (
            &["tanh"],
            [-0.99505475, -0.63514895, 0.0, 0.46211716, 0.96402758],
            [0.00986604, 0.59658581, 1.0, 0.78644773, 0.07065082],
        ),
        (
            &["sigmoid"],
            [0.04742587, 0.3208213, 0.5, 0.62245933, 0.88079708],
            [0.04517666, 0.21789499, 0.25, 0.23500371, 0.10499359],
        ),
        (&["linear"], POINTS, [1.0; 5]),
    ];

    #[test]
    fn every_function_is_that_of_transformers() {
        let close = |ours: Tensor<2>, theirs: &[f32], what: &str| {
            let ours: Vec<f32> = ours.into_data().iter::<f32>().collect();
            let far = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
            assert!(ours.len() == theirs.len() && far < 1e-6, "{what}: {ours:?}, {theirs:?} in transformers");
        };
        for (names, values, slopes) in FUNCTIONS {
            for name in names {
                let activation: Activation = serde_json::from_value((*name).into()).expect("a name of transformers");
                assert_eq!(serde_json::to_value(activation).expect("a name"), *name);
                let device = Device::default().autodiff();
                let input = Tensor::<2>::from_data(TensorData::new(POINTS.to_vec(), [1, 5]), &device).require_grad();
                let output = activation.forward(input.clone());
                close(output.clone(), &values, name);
                let gradients = output.sum().backward();
                close(input.grad(&gradients).expect("a gradient"), &slopes, &format!("the derivative of {name}"));
                // The gate is 2.
                let gate = Tensor::full([1, 5], 2.0, &device);
                let gated = activation.forward_gated(Tensor::cat(vec![input, gate], 1));
                close(gated, &values.map(|value| 2.0 * value), &format!("{name} with a gate"));
            }
        }
    }
}
