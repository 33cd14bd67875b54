//! Linear layers with room for an adapter.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::indices::ints;
use crate::kernels;
use crate::lora::Lora;

/// `input · weight + bias`, and the output of an adapter.
///
/// Burn's linear layer has no room for an adapter.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`: the transpose of what checkpoints store.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// The adapter, if there is one.
    pub lora: Option<Lora>,
}

impl Linear {
    /// A layer with zeros, to be filled from a checkpoint.
    pub fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([inputs, outputs], device),
            bias: Initializer::Zeros.init([outputs], device),
            lora: None,
        }
    }

    /// # Shapes
    /// - input: `[rows, in]`
    /// - output: `[rows, out]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let adapter = self.lora.as_ref().map(Lora::parts);
        kernels::linear(input, self.weight.val(), self.bias.val(), adapter)
    }

    /// Returns a layer with the given outputs of this one, in their order, and without an adapter.
    pub fn select_outputs(&self, outputs: &[usize]) -> Self {
        let (weight, bias) = (self.weight.val().without_autodiff(), self.bias.val().without_autodiff());
        let indices = ints(outputs.iter().map(|&output| output as i32), &weight.device());
        Self {
            weight: Param::initialized(self.weight.id, weight.select(1, indices.clone())),
            bias: Param::initialized(self.bias.id, bias.select(0, indices)),
            lora: None,
        }
    }

    /// Returns this layer with the outputs of `other` where `taken` is true. Both have the same shape, and no adapter.
    pub fn with_outputs_of(&self, other: &Self, taken: &[bool]) -> Self {
        let mask: Vec<f32> = taken.iter().map(|&taken| f32::from(u8::from(taken))).collect();
        let mask = Tensor::<1>::from_data(mask.as_slice(), &self.bias.device()).equal_elem(1.0);
        let [mine, theirs] = [self, other].map(|layer| layer.weight.val().without_autodiff());
        let [inputs, outputs] = mine.dims();
        let columns = mask.clone().reshape([1, outputs]).expand([inputs, outputs]);
        let [bias, other_bias] = [self, other].map(|layer| layer.bias.val().without_autodiff());
        Self {
            weight: Param::initialized(self.weight.id, mine.mask_where(columns, theirs)),
            bias: Param::initialized(self.bias.id, bias.mask_where(mask, other_bias)),
            lora: None,
        }
    }

    /// Adds a new adapter, which has no effect before it is trained. `name` and the seed determine its values.
    pub fn add_adapter(&mut self, rank: usize, alpha: f64, seed: u64, name: &str) {
        let (shape, device) = (self.weight.lazy_shape(), self.weight.lazy_device().without_autodiff());
        self.lora = Some(Lora::new(rank, alpha, [shape[0], shape[1]], seed, name, &device));
    }

    /// Adds the adapter to the weight and removes it, as peft's `merge_and_unload`.
    pub fn merge_adapter(&mut self) {
        if let Some(lora) = self.lora.take() {
            let weight = self.weight.val().without_autodiff() + lora.weight();
            self.weight = Param::initialized(self.weight.id, weight);
        }
    }
}
