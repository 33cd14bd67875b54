//! Low-rank adapters (LoRA; Hu et al., 2021), with the names and the numbers of peft.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};
use serde::{Deserialize, Serialize};

use crate::classifier::DistilBertForSequenceClassification;
use crate::error::DistilBertError;
use crate::layer::TransformerBlock;
use crate::linear::Linear;
use crate::load::fnv1a;

/// Which linear maps of the encoder are adapted, and how: peft's `LoraConfig`, with its defaults but for the targets. peft has
/// none for DistilBERT; here they are those of the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// The rank. Default 8.
    pub r: usize,
    /// What the adapter adds is scaled by `lora_alpha / r`. Default 8.
    pub lora_alpha: f64,
    /// Some of `q_lin`, `k_lin`, `v_lin`, `out_lin`, `lin1` and `lin2`, in every layer. Default `q_lin` and `v_lin`.
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { r: 8, lora_alpha: 8.0, target_modules: vec!["q_lin".into(), "v_lin".into()] }
    }
}

impl LoraConfig {
    /// Every map that can be adapted.
    pub const TARGETS: [&str; 6] = ["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"];

    /// Refuses what adapts nothing.
    ///
    /// # Errors
    /// When the rank is 0, `lora_alpha` is not a positive number, or a target is unknown or absent.
    pub fn validate(&self) -> Result<(), DistilBertError> {
        let refuse = |field, reason| Err(DistilBertError::Lora { field, reason });
        if self.r == 0 {
            return refuse("r", "must be at least 1".into());
        }
        if !(self.lora_alpha.is_finite() && self.lora_alpha > 0.0) {
            return refuse("lora_alpha", format!("{} is not a positive number", self.lora_alpha));
        }
        let known = |name: &String| Self::TARGETS.contains(&name.as_str());
        match self.target_modules.iter().find(|name| !known(name)) {
            Some(name) => refuse("target_modules", format!("no `{name}`; there are {}", Self::TARGETS.join(", "))),
            None if self.target_modules.is_empty() => refuse("target_modules", "names none".into()),
            None => Ok(()),
        }
    }
}

/// What an adapter adds to a linear map: `scale · (input · a) · b`.
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
    /// As peft begins: `a` uniform within `1 / sqrt(in)`, drawn from the seed and the map's own name; `b` zero.
    fn new(config: &LoraConfig, [inputs, outputs]: [usize; 2], name: &str, seed: u64, device: &Device) -> Self {
        let bound = (inputs as f32).sqrt().recip();
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ fnv1a(name));
        let values = match Uniform::new(-bound, bound) {
            Ok(uniform) => uniform.sample_iter(&mut rng).take(inputs * config.r).collect(),
            Err(_) => vec![0.0; inputs * config.r],
        };
        let a = Tensor::from_data(TensorData::new(values, [inputs, config.r]), device);
        Self {
            a: Param::initialized(ParamId::new(), a),
            b: Param::initialized(ParamId::new(), Tensor::zeros([config.r, outputs], device)),
            scale: config.lora_alpha / config.r as f64,
        }
    }

    /// # Shapes
    /// - input: `[rows, in]`
    /// - output: `[rows, out]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.a.val()).matmul(self.b.val()).mul_scalar(self.scale)
    }

    /// What the adapter adds to the weight, `[in, out]`.
    fn weight(&self) -> Tensor<2> {
        let [a, b] = [&self.a, &self.b].map(|matrix| matrix.val().without_autodiff());
        a.matmul(b).mul_scalar(self.scale)
    }
}

/// The maps of a layer that can be adapted.
fn targets(layer: &mut TransformerBlock) -> [(&'static str, &mut Linear); 6] {
    let attention = &mut layer.attention;
    [
        ("q_lin", &mut attention.q_lin),
        ("k_lin", &mut attention.k_lin),
        ("v_lin", &mut attention.v_lin),
        ("out_lin", &mut attention.out_lin),
        ("lin1", &mut layer.ffn.lin1),
        ("lin2", &mut layer.ffn.lin2),
    ]
}

impl DistilBertForSequenceClassification {
    /// The same weights with fresh adapters, which change nothing before they are trained.
    ///
    /// # Errors
    /// As [`LoraConfig::validate`].
    pub fn with_lora(&self, config: &LoraConfig, seed: u64) -> Result<Self, DistilBertError> {
        config.validate()?;
        let mut model = self.clone();
        for (index, layer) in model.distilbert.transformer.layer.iter_mut().enumerate() {
            for (target, map) in targets(layer) {
                if config.target_modules.iter().any(|name| name == target) {
                    let (shape, device) = (map.weight.lazy_shape(), map.weight.lazy_device().without_autodiff());
                    let name = format!("layer.{index}.{target}.lora_A");
                    map.lora = Some(Lora::new(config, [shape[0], shape[1]], &name, seed, &device));
                }
            }
        }
        Ok(model)
    }

    /// The model with its adapters added to the weights that they adapt, as peft's `merge_and_unload`: the same
    /// function, in a checkpoint's shape. Without adapters, the model as it is.
    pub fn merged(mut self) -> Self {
        for layer in &mut self.distilbert.transformer.layer {
            for (_, map) in targets(layer) {
                if let Some(lora) = map.lora.take() {
                    let weight = map.weight.val().without_autodiff() + lora.weight();
                    map.weight = Param::initialized(map.weight.id, weight);
                }
            }
        }
        self
    }
}
