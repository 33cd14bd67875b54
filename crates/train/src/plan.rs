//! Which parameters of the model learn.

use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};

/// The part of the model that is trained; the rest is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trainable {
    /// The classification head alone: `pre_classifier` and `classifier`.
    Head,
    /// The head and the last so many transformer layers.
    LastLayers(usize),
    /// Everything, but for a sinusoidal position table.
    All,
}

impl Trainable {
    /// Whether a parameter, named as in a checkpoint, is trained.
    pub fn includes(self, name: &str, config: &DistilBertConfig) -> bool {
        let Some(base) = name.strip_prefix("distilbert.") else { return true };
        let layer =
            base.strip_prefix("transformer.layer.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        match (self, layer) {
            (Self::Head, _) | (Self::LastLayers(_), None) => false,
            (Self::LastLayers(count), Some(layer)) => layer + count >= config.n_layers,
            (Self::All, _) => !(config.sinusoidal_pos_embds && base == "embeddings.position_embeddings.weight"),
        }
    }

    /// The model with just this part tracked by autodiff; the frozen part is shared, not copied.
    pub fn apply(
        self,
        model: &DistilBertForSequenceClassification,
        config: &DistilBertConfig,
    ) -> DistilBertForSequenceClassification {
        model.trainable(|name| self.includes(name, config))
    }
}
