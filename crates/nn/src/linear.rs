//! Linear layers with room for an adapter.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};

use crate::error::NnError;
use crate::indices::ints;
use crate::int8::{Int8Matrix, round_activations};
use crate::kernels::{self, Int8Layer};
use crate::lora::Lora;

/// `input · weight + bias`, or `input · weight`, and the output of an adapter.
///
/// Burn's linear layer has no room for an adapter.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`: the transpose of what checkpoints store. In f32, or, of a frozen layer, in bf16.
    pub weight: Param<Tensor<2>>,
    /// `[out]`, if the layer has a bias.
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapter, if there is one.
    pub lora: Option<Lora>,
    /// How the product is computed in int8, if it is.
    #[module(skip)]
    pub(crate) int8: Option<Int8>,
}

/// How the product of a layer is computed in int8.
#[derive(Clone, Debug)]
pub(crate) enum Int8 {
    /// In f32, with rounded weights and inputs.
    Simulated,
    /// In int8; the layer has no other weight.
    Computed(Int8Layer),
}

impl Linear {
    /// A layer with zeros, to be filled from a checkpoint.
    pub fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([inputs, outputs], device),
            bias: Some(Initializer::Zeros.init([outputs], device)),
            lora: None,
            int8: None,
        }
    }

    /// A layer with zeros and without a bias, to be filled from a checkpoint.
    pub fn without_bias(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self { bias: None, ..Self::new(inputs, outputs, device) }
    }

    /// # Shapes
    /// - input: `[rows, in]`
    /// - output: `[rows, out]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.forward_constants(if let Some(Int8::Simulated) = self.int8 { round_activations(input) } else { input })
    }

    /// As [`forward`](Self::forward), for inputs that are the same for all texts: [`simulate_int8`](Self::simulate_int8) does not
    /// round them.
    pub fn forward_constants(&self, input: Tensor<2>) -> Tensor<2> {
        if let Some(Int8::Computed(layer)) = &self.int8 {
            return layer.forward(&input);
        }
        let adapter = self.lora.as_ref().map(Lora::parts);
        kernels::linear(input, self.weight.val(), self.bias.as_ref().map(Param::val), adapter)
    }

    /// Returns the kernels of two layers, if both compute in int8.
    pub(crate) fn both_in_int8(layers: [&Self; 2]) -> Option<[&Int8Layer; 2]> {
        match layers.map(|layer| &layer.int8) {
            [Some(Int8::Computed(first)), Some(Int8::Computed(second))] => Some([first, second]),
            _ => None,
        }
    }

    /// Returns a layer with the given outputs of this one, in their order, and without an adapter.
    pub fn select_outputs(&self, outputs: &[usize]) -> Self {
        let weight = self.weight_in_f32();
        let indices = ints(outputs.iter().map(|&output| output as i32), &weight.device());
        let selected = |bias: &Param<Tensor<1>>| bias.val().without_autodiff().select(0, indices.clone());
        Self {
            bias: self.bias.as_ref().map(|bias| Param::initialized(bias.id, selected(bias))),
            weight: Param::initialized(self.weight.id, weight.select(1, indices)),
            lora: None,
            int8: self.int8.clone(),
        }
    }

    /// Returns this layer with the outputs of `other` where `taken` is true. Both have the same shape, and no adapter.
    pub fn with_outputs_of(&self, other: &Self, taken: &[bool]) -> Self {
        let [mine, theirs] = [self, other].map(Self::weight_in_f32);
        let mask: Vec<f32> = taken.iter().map(|&taken| f32::from(u8::from(taken))).collect();
        let mask = Tensor::<1>::from_data(mask.as_slice(), &mine.device()).equal_elem(1.0);
        let [inputs, outputs] = mine.dims();
        let columns = mask.clone().reshape([1, outputs]).expand([inputs, outputs]);
        let bias = self.bias.as_ref().zip(other.bias.as_ref()).map(|(mine, theirs)| {
            let [ours, theirs] = [mine, theirs].map(|bias| bias.val().without_autodiff());
            Param::initialized(mine.id, ours.mask_where(mask, theirs))
        });
        let weight = Param::initialized(self.weight.id, mine.mask_where(columns, theirs));
        Self { weight, bias, lora: None, int8: self.int8.clone() }
    }

    /// Returns this layer with the outputs `weight * output + bias`, with a weight and a bias per output. The layer has a bias and
    /// no adapter.
    pub fn with_scaled_outputs(&self, weights: &[f64], biases: &[f64]) -> Self {
        let weight = self.weight_in_f32();
        let device = weight.device();
        let row = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Tensor::<1>::from_data(values.as_slice(), &device)
        };
        let scaled = |bias: &Param<Tensor<1>>| bias.val().without_autodiff() * row(weights) + row(biases);
        Self {
            bias: self.bias.as_ref().map(|bias| Param::initialized(bias.id, scaled(bias))),
            weight: Param::initialized(self.weight.id, weight * row(weights).unsqueeze()),
            lora: None,
            int8: self.int8.clone(),
        }
    }

    /// Rounds the weight to int8, and from now on the inputs: the layer then computes what a file with int8 weights computes.
    /// The layer has no adapter, and is not trained.
    pub fn simulate_int8(&mut self) {
        let weight = self.weight_in_f32();
        let ([inputs, outputs], device) = (weight.dims(), weight.device());
        let values: Vec<f32> = weight.transpose().into_data().iter::<f32>().collect();
        let rounded = TensorData::new(Int8Matrix::new(&values, outputs).dequantize(), [outputs, inputs]);
        let rounded = Tensor::<2>::from_data(rounded, &device).transpose();
        self.weight = Param::initialized(self.weight.id, rounded);
        self.int8 = Some(Int8::Simulated);
    }

    /// Computes in int8 from now on: the weight with a scale per output, and each row of the input with a scale of its own, which
    /// its least and its largest value determine. An adapter is merged first. The weight in f32 is gone: the layer takes a quarter
    /// of its memory, has no derivative, and cannot be changed.
    ///
    /// # Errors
    /// As [`set_int8`](Self::set_int8), and if a weight is not finite.
    pub fn quantize(&mut self) -> Result<(), NnError> {
        if self.int8_weights() > 0 {
            return Ok(());
        }
        self.merge_adapter();
        let weight = self.weight.val().without_autodiff();
        let outputs = weight.dims()[1];
        let values: Vec<f32> = weight.transpose().into_data().iter::<f32>().collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(NnError::Int8 { reason: "a weight is not finite".into() });
        }
        self.set_int8(Int8Matrix::new(&values, outputs))
    }

    /// Computes in int8 from now on, as [`quantize`](Self::quantize), with this weight instead of the one in f32, which is not read. The
    /// layer has no adapter.
    ///
    /// # Errors
    /// Returns an error if the layer is not on the CPU of this machine by Burn's backend `flex`, or has more inputs than sums in 32
    /// bits can add.
    pub fn set_int8(&mut self, weight: Int8Matrix) -> Result<(), NnError> {
        let (outputs, device) = (weight.scales.len(), self.weight.lazy_device().without_autodiff());
        let bias = self.bias.as_ref().map(|bias| bias.val().without_autodiff().into_data().iter::<f32>().collect());
        let layer = Int8Layer::new(weight, bias, &device).ok_or_else(|| {
            let reason =
                "only Burn's backend `flex` on this machine computes in int8, with at most 65,793 inputs per layer";
            NnError::Int8 { reason: reason.into() }
        })?;
        self.remove_weight(outputs, &device);
        self.int8 = Some(Int8::Computed(layer));
        Ok(())
    }

    /// Removes the weight, which may not exist in memory yet: the layer waits for [`set_int8`](Self::set_int8) or
    /// [`set_bf16`](Self::set_bf16), and cannot compute. Returns the number of inputs and of outputs.
    pub fn without_weight(&mut self) -> [usize; 2] {
        let (shape, device) = (self.weight.lazy_shape(), self.weight.lazy_device().without_autodiff());
        self.remove_weight(shape[1], &device);
        [shape[0], shape[1]]
    }

    fn remove_weight(&mut self, outputs: usize, device: &Device) {
        self.weight = Param::initialized(self.weight.id, Tensor::zeros([0, outputs], device));
    }

    /// Returns the weight of a layer in int8.
    pub fn int8_weight(&self) -> Option<Int8Matrix> {
        match &self.int8 {
            Some(Int8::Computed(layer)) => Some(layer.weight()),
            _ => None,
        }
    }

    /// Returns the number of weights that are in int8 only: 0 unless the layer is [quantized](Self::quantize).
    pub fn int8_weights(&self) -> usize {
        match &self.int8 {
            Some(Int8::Computed(layer)) => layer.shape().into_iter().product(),
            _ => 0,
        }
    }

    /// The weight of a layer that is to be changed.
    fn weight_in_f32(&self) -> Tensor<2> {
        assert!(self.int8_weights() == 0, "a layer in int8 has no weight in f32");
        self.weight.val().without_autodiff().cast(FloatDType::F32)
    }

    /// Sets the weight, `[out, in]` as checkpoints store it, rounded to bf16: half the memory. Each pass converts it back to f32, in which
    /// the layer computes. The layer has no adapter yet, and its weight is not trained.
    pub fn set_bf16(&mut self, weight: Vec<f32>) {
        let (shape, device) = (self.weight.lazy_shape(), self.weight.lazy_device().without_autodiff());
        let outputs = shape[1];
        let inputs = weight.len() / outputs.max(1);
        let weight = TensorData::new(weight, [outputs, inputs]);
        let weight = Tensor::<2>::from_data(weight, &device).transpose().cast(FloatDType::BF16);
        self.weight = Param::initialized(self.weight.id, weight);
    }

    /// Adds a new adapter, which has no effect before it is trained. `name` and the seed determine its values.
    pub fn add_adapter(&mut self, rank: usize, alpha: f64, seed: u64, name: &str) {
        assert!(self.int8_weights() == 0, "a layer in int8 gets no adapter");
        let (shape, device) = (self.weight.lazy_shape(), self.weight.lazy_device().without_autodiff());
        self.lora = Some(Lora::new(rank, alpha, [shape[0], shape[1]], seed, name, &device));
    }

    /// Adds the adapter to the weight and removes it, as peft's `merge_and_unload`.
    pub fn merge_adapter(&mut self) {
        if let Some(lora) = self.lora.take() {
            let weight = self.weight_in_f32() + lora.weight();
            self.weight = Param::initialized(self.weight.id, weight);
        }
    }
}
