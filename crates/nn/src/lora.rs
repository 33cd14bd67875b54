//! Low-rank adapters (LoRA; Hu et al., 2021), with the names and the numbers of peft.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::init::uniform;
use crate::kernels::Adapter;

/// An adapter of a linear layer, which adds `scale · (input · a) · b` to its output.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, r]`: the transpose of peft's `lora_A.weight`.
    pub a: Param<Tensor<2>>,
    /// `[r, out]`: the transpose of peft's `lora_B.weight`.
    pub b: Param<Tensor<2>>,
    /// `lora_alpha / r`.
    pub scale: f64,
}

impl Lora {
    /// Initial values as in peft: `a` uniform within `1 / √in`, `b` zero.
    pub(crate) fn new(
        rank: usize,
        alpha: f64,
        [inputs, outputs]: [usize; 2],
        seed: u64,
        name: &str,
        device: &Device,
    ) -> Self {
        let values = uniform((inputs as f32).sqrt().recip(), inputs * rank, seed, name);
        let a = Tensor::from_data(TensorData::new(values, [inputs, rank]), device);
        Self {
            a: Param::initialized(ParamId::new(), a),
            b: Param::initialized(ParamId::new(), Tensor::zeros([rank, outputs], device)),
            scale: alpha / rank as f64,
        }
    }

    pub(crate) fn parts(&self) -> Adapter {
        Adapter { a: self.a.val(), b: self.b.val(), scale: self.scale }
    }

    /// What the adapter adds to the weight, `[in, out]`.
    pub(crate) fn weight(&self) -> Tensor<2> {
        let [a, b] = [&self.a, &self.b].map(|matrix| matrix.val().without_autodiff());
        a.matmul(b).mul_scalar(self.scale)
    }
}
