//! Low-rank adapters (LoRA; Hu et al., 2021) in the encoder, with the options of peft.

use rekindle_nn::{Linear, NnError};
use serde::{Deserialize, Serialize};

use crate::classifier::DistilBertForSequenceClassification;
use crate::model::TransformerBlock;

/// Which linear layers of the encoder get adapters, with the fields and defaults of peft's `LoraConfig`. The default targets are
/// those of the paper; peft has none for DistilBERT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// The rank. Default 8.
    pub r: usize,
    /// The output of an adapter is scaled by `lora_alpha / r`. Default 8.
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
    /// All linear layers that can get an adapter.
    pub const TARGETS: [&str; 6] = ["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"];

    /// Checks the options.
    ///
    /// # Errors
    /// [`NnError::Lora`] when the rank is 0, `lora_alpha` is not a positive number, or there is no target or an unknown one.
    pub fn validate(&self) -> Result<(), NnError> {
        let refuse = |field, reason| Err(NnError::Lora { field, reason });
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

/// The linear layers of a layer that can get an adapter.
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
    /// The same weights with new adapters, which have no effect before they are trained.
    ///
    /// # Errors
    /// As [`LoraConfig::validate`].
    pub fn with_lora(&self, config: &LoraConfig, seed: u64) -> Result<Self, NnError> {
        config.validate()?;
        let mut model = self.clone();
        for (index, layer) in model.distilbert.transformer.layer.iter_mut().enumerate() {
            for (target, linear) in targets(layer) {
                if config.target_modules.iter().any(|name| name == target) {
                    let name = format!("layer.{index}.{target}.lora_A");
                    linear.add_adapter(config.r, config.lora_alpha, seed, &name);
                }
            }
        }
        Ok(model)
    }

    /// The model with its adapters added to the weights, as by peft's `merge_and_unload`: the same function, in the shape of a
    /// checkpoint. Without adapters, the model is returned unchanged.
    pub fn merged(mut self) -> Self {
        for layer in &mut self.distilbert.transformer.layer {
            targets(layer).into_iter().for_each(|(_, linear)| linear.merge_adapter());
        }
        self
    }
}
