//! Which parameters of a model learn, how fast, from when on, and with which adapters.

use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, LoraConfig};
use serde::Serialize;

use crate::error::TrainError;

/// A part of a model, by the names of its parameters in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// All that is not the encoder: `pre_classifier` and `classifier`.
    Head,
    /// The tables of words and positions, and their LayerNorm; not a table of sines, which is never trained.
    Embeddings,
    /// A transformer layer, from 0 at the bottom.
    Layer(usize),
    /// Every bias of the encoder, LayerNorm's among them.
    Biases,
    /// Low-rank adapters.
    Adapters,
}

impl Part {
    fn holds(self, name: &str) -> bool {
        let Some(base) = name.strip_prefix("distilbert.") else { return self == Self::Head };
        match self {
            Self::Head => false,
            Self::Embeddings => base.starts_with("embeddings."),
            Self::Layer(index) => base
                .strip_prefix("transformer.layer.")
                .and_then(|rest| rest.split('.').next()?.parse().ok())
                .is_some_and(|layer: usize| layer == index),
            Self::Biases => base.ends_with(".bias"),
            Self::Adapters => base.contains(".lora."),
        }
    }
}

/// Parameters that learn alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Which.
    pub part: Part,
    /// Their share of the learning rate.
    pub rate: f64,
    /// The epoch, from 0, with which they begin to learn.
    pub from_epoch: usize,
}

/// What is trained. Of the groups that hold a parameter, the first counts; what none holds is frozen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Who learns.
    pub groups: Vec<Group>,
    /// Adapters that are added before training.
    pub lora: Option<LoraConfig>,
    /// Whether the table of positions is one of sines, which is never trained.
    sinusoidal_pos_embds: bool,
}

impl Plan {
    fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let groups = parts.into_iter().map(|part| Group { part, rate: 1.0, from_epoch: 0 }).collect();
        Self { groups, lora: None, sinusoidal_pos_embds: false }
    }

    /// The head alone, on a frozen base.
    pub fn head() -> Self {
        Self::of([Part::Head])
    }

    /// The head and the last so many transformer layers.
    ///
    /// # Errors
    /// When the model has fewer layers.
    pub fn last_layers(count: usize, config: &DistilBertConfig) -> Result<Self, TrainError> {
        let layers = config.n_layers;
        if count > layers {
            let reason = format!("{count} layers are to be trained, the model has {layers}");
            return Err(TrainError::Argument { argument: "last layers", reason });
        }
        Ok(Self::of([Part::Head].into_iter().chain((layers - count..layers).rev().map(Part::Layer))))
    }

    /// Everything, but for a sinusoidal position table.
    pub fn full(config: &DistilBertConfig) -> Self {
        let layers = (0..config.n_layers).rev().map(Part::Layer);
        let plan = Self::of([Part::Head].into_iter().chain(layers).chain([Part::Embeddings]));
        Self { sinusoidal_pos_embds: config.sinusoidal_pos_embds, ..plan }
    }

    /// The head and every bias of the encoder (BitFit; Ben Zaken et al., 2022).
    pub fn bias_only() -> Self {
        Self::of([Part::Head, Part::Biases])
    }

    /// The head and low-rank adapters in a frozen base (Hu et al., 2021).
    pub fn lora(config: LoraConfig) -> Self {
        Self { lora: Some(config), ..Self::of([Part::Head, Part::Adapters]) }
    }

    /// Gradual unfreezing (Howard and Ruder, 2018): each part begins to learn `every` epochs after the one above it. Of
    /// [`full`](Self::full), the head begins, one layer after the other joins from the top, and the embeddings come last.
    pub fn gradually(mut self, every: usize) -> Self {
        for (depth, group) in self.groups.iter_mut().enumerate() {
            group.from_epoch = depth * every;
        }
        self
    }

    /// Discriminative rates (Howard and Ruder, 2018): each part learns at `decay` times the rate of the one above it. Of
    /// [`full`](Self::full), the head at 1, the last layer at `decay`, and so on down to the embeddings.
    pub fn with_layer_decay(mut self, decay: f64) -> Self {
        for (depth, group) in self.groups.iter_mut().enumerate() {
            group.rate = decay.powi(depth as i32);
        }
        self
    }

    /// The share of the learning rate at which a parameter, named as in a checkpoint, learns in an epoch from 0; `None`
    /// where it is frozen.
    pub fn rate(&self, name: &str, epoch: usize) -> Option<f64> {
        self.group(name).filter(|group| group.from_epoch <= epoch).map(|group| group.rate)
    }

    /// Whether a parameter is trained in any epoch.
    pub fn trains(&self, name: &str) -> bool {
        self.group(name).is_some()
    }

    fn group(&self, name: &str) -> Option<&Group> {
        let fixed = self.sinusoidal_pos_embds && name == "distilbert.embeddings.position_embeddings.weight";
        self.groups.iter().find(|group| group.part.holds(name) && !fixed)
    }

    /// Whether the head alone is ever trained.
    pub fn freezes_base(&self) -> bool {
        self.groups.iter().all(|group| group.part == Part::Head)
    }

    /// Whether other parameters are trained in this epoch, from 0, than in the one before.
    pub fn changes_at(&self, epoch: usize) -> bool {
        self.groups.iter().any(|group| group.from_epoch == epoch)
    }

    /// The model with its adapters, drawn from the seed.
    ///
    /// # Errors
    /// When the adapters' settings adapt nothing.
    pub fn prepare(
        &self,
        model: &DistilBertForSequenceClassification,
        seed: u64,
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        Ok(match &self.lora {
            Some(lora) => model.with_lora(lora, seed)?,
            None => model.clone(),
        })
    }

    /// The model with just the parameters of an epoch, from 0, tracked by autodiff; the frozen ones are shared, not
    /// copied.
    pub fn track(
        &self,
        model: &DistilBertForSequenceClassification,
        epoch: usize,
    ) -> DistilBertForSequenceClassification {
        model.trainable(|name| self.rate(name, epoch).is_some())
    }

    /// Trained and all parameters of a prepared model, as peft counts them: it keeps the head twice where there are
    /// adapters, as it came and as it is trained.
    pub fn count(&self, model: &DistilBertForSequenceClassification) -> (usize, usize) {
        let (mut trained, mut all) = (0, 0);
        for parameter in model.parameters() {
            let kept_twice = self.lora.is_some() && Part::Head.holds(&parameter.name);
            trained += if self.trains(&parameter.name) { parameter.size } else { 0 };
            all += if kept_twice { 2 * parameter.size } else { parameter.size };
        }
        (trained, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_that_holds_a_parameter_counts() {
        let config = DistilBertConfig { n_layers: 2, sinusoidal_pos_embds: true, ..DistilBertConfig::default() };
        let plan = Plan::full(&config).gradually(2).with_layer_decay(0.5);
        let (head, words) = ("classifier.weight", "distilbert.embeddings.word_embeddings.weight");
        let (top, bottom) = ("distilbert.transformer.layer.1.ffn.lin1.bias", "distilbert.transformer.layer.0.x.weight");
        assert_eq!([head, top, bottom, words].map(|name| plan.rate(name, 6)), [1.0, 0.5, 0.25, 0.125].map(Some));
        assert_eq!([0, 1, 2, 3].map(|epoch| plan.rate(top, epoch)), [None, None, Some(0.5), Some(0.5)]);
        assert_eq!([1, 2, 3, 4].map(|epoch| plan.changes_at(epoch)), [false, true, false, true]);
        assert!(!plan.trains("distilbert.embeddings.position_embeddings.weight"), "sines are not trained");
        assert!(Plan::last_layers(3, &config).is_err());
    }
}
