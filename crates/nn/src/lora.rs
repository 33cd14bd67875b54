//! Low-rank adapters (LoRA; Hu et al., 2021), with the names and the numbers of peft.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::encoder::TransformerEncoder;
use crate::error::NnError;
use crate::init::uniform;
use crate::kernels::Adapter;
use crate::linear::Linear;

/// Which linear layers of the encoder get adapters, with the fields and defaults of peft's `LoraConfig`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// The rank. Default 8.
    pub r: usize,
    /// The output of an adapter is scaled by `lora_alpha / r`. Default 8.
    pub lora_alpha: f64,
    /// The linear layers, by the ends of their names, as in peft: `query` means every layer whose name is or ends with
    /// `.query`. Default empty, which stands for the projections of queries and values, as in the paper.
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { r: 8, lora_alpha: 8.0, target_modules: Vec::new() }
    }
}

impl LoraConfig {
    /// Checks the options, but for the names of the targets.
    ///
    /// # Errors
    /// [`NnError::Lora`] when the rank is 0, or `lora_alpha` is not a positive number.
    pub fn validate(&self) -> Result<(), NnError> {
        if self.r == 0 {
            return refuse("r", "must be at least 1".into());
        }
        match self.lora_alpha.is_finite() && self.lora_alpha > 0.0 {
            true => Ok(()),
            false => refuse("lora_alpha", format!("{} is not a positive number", self.lora_alpha)),
        }
    }

    /// Adds new adapters to an encoder, which have no effect before they are trained.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), and when a target names no linear layer.
    pub fn add_adapters(&self, encoder: &mut impl TransformerEncoder, seed: u64) -> Result<(), NnError> {
        self.validate()?;
        let targets = self.targets(encoder);
        let mut layers = encoder.linear_layers();
        let has_target = |target: &&String| layers.iter().any(|layer| layer.is(target));
        if let Some(unknown) = targets.iter().find(|target| !has_target(target)) {
            let known = known(&layers).join(", ");
            return refuse("target_modules", format!("no `{unknown}`; there are {known}"));
        }
        for layer in layers.iter_mut().filter(|layer| targets.iter().any(|target| layer.is(target))) {
            layer.linear.add_adapter(self.r, self.lora_alpha, seed, &format!("{}.lora_A", layer.name));
        }
        Ok(())
    }

    /// Returns the targets for an encoder.
    pub fn targets(&self, encoder: &impl TransformerEncoder) -> Vec<String> {
        match self.target_modules.is_empty() {
            true => encoder.lora_targets().iter().map(|target| target.to_string()).collect(),
            false => self.target_modules.clone(),
        }
    }
}

fn refuse(field: &'static str, reason: String) -> Result<(), NnError> {
    Err(NnError::Lora { field, reason })
}

/// Adds the adapters of an encoder to its weights, and removes them, as peft's `merge_and_unload`.
pub fn merge_adapters(encoder: &mut impl TransformerEncoder) {
    encoder.linear_layers().into_iter().for_each(|layer| layer.linear.merge_adapter());
}

/// A linear layer that can get an adapter.
#[derive(Debug)]
pub struct NamedLinear<'a> {
    /// Its name in the encoder, for example `layer.0.attention.self.query`.
    pub name: String,
    /// The layer.
    pub linear: &'a mut Linear,
}

impl NamedLinear<'_> {
    /// Returns whether the name is `target` or ends with it, after a dot.
    fn is(&self, target: &str) -> bool {
        self.name.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// The last components of the names, each once, in order.
fn known<'a>(layers: &'a [NamedLinear<'_>]) -> Vec<&'a str> {
    let mut known: Vec<&str> = Vec::new();
    for last in layers.iter().filter_map(|layer| layer.name.rsplit('.').next()) {
        if !known.contains(&last) {
            known.push(last);
        }
    }
    known
}

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
