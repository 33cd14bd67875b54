//! The linear layers of DistilBERT that can get a low-rank adapter.

use rekindle_nn::{Linear, LoraConfig, NamedLinear, NnError, merge_adapters};

use crate::classifier::DistilBertForSequenceClassification;
use crate::model::TransformerBlock;

/// The default targets, those of the paper; peft has none for DistilBERT.
pub(crate) const TARGETS: [&str; 2] = ["q_lin", "v_lin"];

/// The linear layers of a layer.
pub(crate) fn linear_layers(index: usize, layer: &mut TransformerBlock) -> [NamedLinear<'_>; 6] {
    let attention = &mut layer.attention;
    let named: [(&str, &mut Linear); 6] = [
        ("q_lin", &mut attention.q_lin),
        ("k_lin", &mut attention.k_lin),
        ("v_lin", &mut attention.v_lin),
        ("out_lin", &mut attention.out_lin),
        ("lin1", &mut layer.ffn.lin1),
        ("lin2", &mut layer.ffn.lin2),
    ];
    named.map(|(name, linear)| NamedLinear { name: format!("layer.{index}.{name}"), linear })
}

impl DistilBertForSequenceClassification {
    /// The same weights with new adapters, which have no effect before they are trained.
    ///
    /// # Errors
    /// As [`LoraConfig::add_adapters`].
    pub fn with_lora(&self, config: &LoraConfig, seed: u64) -> Result<Self, NnError> {
        let mut model = self.clone();
        config.add_adapters(&mut model.distilbert, seed)?;
        Ok(model)
    }

    /// The model with its adapters added to the weights, as by peft's `merge_and_unload`: the same function, in the shape of a
    /// checkpoint. Without adapters, the model is returned unchanged.
    pub fn merged(mut self) -> Self {
        merge_adapters(&mut self.distilbert);
        self
    }
}
