//! Tuning plans: which parameters are trainable, at which learning rate, from which epoch, and with which adapters.

use rekindle_checkpoint::trainable;
use rekindle_encoders::{EncoderConfig, LoraConfig, ParamInfo, ParamRole, ParamRoles, SequenceClassifier};
use serde::Serialize;

use crate::error::TrainError;

/// Selects parameters of a model by their role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParamSelector {
    /// Everything behind the encoder. Beside adapters, only what peft trains with them: layers before the output layer are
    /// then frozen in DeBERTa and ModernBERT.
    Head,
    /// The embedding tables and their LayerNorm; not a sinusoidal table, which is never trained.
    Embeddings,
    /// A transformer layer, counted from 0 at the input.
    Layer(usize),
    /// Every bias of the encoder, including those of LayerNorm.
    Biases,
    /// Low-rank adapters.
    Adapters,
}

impl ParamSelector {
    fn selects(self, param: ParamInfo) -> bool {
        match self {
            Self::Head => is_head(param),
            Self::Embeddings => param.role == ParamRole::Embeddings,
            Self::Layer(index) => param.role == ParamRole::Layer(index),
            Self::Biases => !is_head(param) && param.is_bias,
            Self::Adapters => param.role == ParamRole::Adapter,
        }
    }
}

fn is_head(param: ParamInfo) -> bool {
    matches!(param.role, ParamRole::Head | ParamRole::HeadTransform)
}

/// Parameters that are trained with the same learning rate from the same epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ParamGroup {
    /// The parameters.
    pub selector: ParamSelector,
    /// Their learning rate, as a fraction of the learning rate of the training.
    pub rate: f64,
    /// The first epoch, counted from 0, in which they are trainable.
    pub from_epoch: usize,
}

/// Which parameters are trainable. The first group that selects a parameter applies; a parameter that no group selects is
/// frozen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuningPlan {
    /// The groups, from the head to the embeddings.
    pub groups: Vec<ParamGroup>,
    /// Adapters that [`prepare`](Self::prepare) adds before training.
    pub lora: Option<LoraConfig>,
}

impl TuningPlan {
    fn of(selectors: impl IntoIterator<Item = ParamSelector>) -> Self {
        let groups = selectors.into_iter().map(|selector| ParamGroup { selector, rate: 1.0, from_epoch: 0 }).collect();
        Self { groups, lora: None }
    }

    /// Trains the head on a frozen encoder.
    pub fn head() -> Self {
        Self::of([ParamSelector::Head])
    }

    /// Trains the head and the last `count` transformer layers.
    ///
    /// # Errors
    /// Returns an error if the model has fewer layers.
    pub fn last_layers(count: usize, config: &EncoderConfig) -> Result<Self, TrainError> {
        let layers = config.num_hidden_layers;
        if count > layers {
            let reason = format!("{count} layers are to be trained, but the model has {layers}");
            return Err(TrainError::Argument { argument: "last layers", reason });
        }
        let layers = (layers - count..layers).rev().map(ParamSelector::Layer);
        Ok(Self::of([ParamSelector::Head].into_iter().chain(layers)))
    }

    /// Trains all parameters except a sinusoidal position table.
    pub fn full(config: &EncoderConfig) -> Self {
        let layers = (0..config.num_hidden_layers).rev().map(ParamSelector::Layer);
        Self::of([ParamSelector::Head].into_iter().chain(layers).chain([ParamSelector::Embeddings]))
    }

    /// Trains the head and every bias of the encoder (BitFit; Ben Zaken et al., 2022).
    pub fn bias_only() -> Self {
        Self::of([ParamSelector::Head, ParamSelector::Biases])
    }

    /// Trains the head and low-rank adapters in a frozen encoder (Hu et al., 2021).
    pub fn lora(config: LoraConfig) -> Self {
        Self { lora: Some(config), ..Self::of([ParamSelector::Head, ParamSelector::Adapters]) }
    }

    /// Leaves the head out, for objectives that train the encoder alone.
    pub fn encoder(mut self) -> Self {
        self.groups.retain(|group| group.selector != ParamSelector::Head);
        self
    }

    /// Adds gradual unfreezing (Howard and Ruder, 2018): each group becomes trainable `every` epochs after the group
    /// above it. With [`full`](Self::full), the head is first, then the layers from the last one down, and the embeddings
    /// are last.
    pub fn gradually(mut self, every: usize) -> Self {
        for (depth, group) in self.groups.iter_mut().enumerate() {
            group.from_epoch = depth * every;
        }
        self
    }

    /// Adds discriminative learning rates (Howard and Ruder, 2018): each group has `decay` times the rate of the group
    /// above it. With [`full`](Self::full), the head has 1, the last layer `decay`, and so on down to the embeddings.
    pub fn with_layer_decay(mut self, decay: f64) -> Self {
        for (depth, group) in self.groups.iter_mut().enumerate() {
            group.rate = decay.powi(depth as i32);
        }
        self
    }

    /// Multiplies the learning rate of everything except the head by `factor`, so that a new head can learn faster than the
    /// pretrained encoder.
    pub fn with_encoder_rate(mut self, factor: f64) -> Self {
        for group in self.groups.iter_mut().filter(|group| group.selector != ParamSelector::Head) {
            group.rate *= factor;
        }
        self
    }

    /// Returns the fraction of the learning rate that a parameter has in an epoch, counted from 0; `None` if it is frozen
    /// in that epoch.
    pub fn rate(&self, param: ParamInfo, epoch: usize) -> Option<f64> {
        self.group(param).filter(|group| group.from_epoch <= epoch).map(|group| group.rate)
    }

    /// Returns whether a parameter is trainable in any epoch.
    pub fn trains(&self, param: ParamInfo) -> bool {
        self.group(param).is_some()
    }

    fn group(&self, param: ParamInfo) -> Option<&ParamGroup> {
        let is_frozen = self.lora.is_some() && param.role == ParamRole::HeadTransform;
        self.groups.iter().find(|group| group.selector.selects(param) && !is_frozen)
    }

    /// Returns whether the encoder is frozen in all epochs.
    pub fn freezes_encoder(&self) -> bool {
        self.groups.iter().all(|group| group.selector == ParamSelector::Head)
    }

    /// Returns whether an epoch, counted from 0, has more trainable parameters than the one before.
    pub fn changes_at(&self, epoch: usize) -> bool {
        self.groups.iter().any(|group| group.from_epoch == epoch)
    }

    /// Returns the model with the plan's adapters, initialised from the seed.
    ///
    /// # Errors
    /// Returns an error if the settings of the adapters are not valid.
    pub fn prepare(&self, model: &SequenceClassifier, seed: u64) -> Result<SequenceClassifier, TrainError> {
        Ok(match &self.lora {
            Some(lora) => model.with_lora(lora, seed)?,
            None => model.clone(),
        })
    }

    /// Returns the model with exactly the parameters of an epoch, counted from 0, trainable. Frozen parameters are shared
    /// with `model`, not copied.
    pub fn apply<M: ParamRoles>(&self, model: &M, epoch: usize) -> M {
        trainable(model, |name| self.rate(model.param_info(name), epoch).is_some())
    }

    /// Returns the model with the parameters trainable that are so in any epoch.
    pub fn at_last<M: ParamRoles>(&self, model: &M) -> M {
        self.apply(model, usize::MAX)
    }

    /// Returns the numbers of trainable parameters and of all parameters of a prepared model, counted as peft counts them:
    /// with adapters, the head counts twice, because peft keeps its initial values too.
    pub fn count(&self, model: &SequenceClassifier) -> (usize, usize) {
        let (mut trained, mut all) = (0, 0);
        for parameter in model.parameters() {
            let param = model.param_info(&parameter.name);
            let counts_twice = self.lora.is_some() && param.role == ParamRole::Head;
            trained += if self.trains(param) { parameter.size } else { 0 };
            all += if counts_twice { 2 * parameter.size } else { parameter.size };
        }
        (trained, all)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_first_group_that_selects_a_parameter_applies() {
        let config = r#"{ "model_type": "distilbert", "n_layers": 2 }"#;
        let config = EncoderConfig::from_json(config.as_bytes(), Path::new("config.json")).expect("valid");
        let plan = TuningPlan::full(&config).gradually(2).with_layer_decay(0.5);
        let weight = |role| ParamInfo { role, is_bias: false };
        let (head, words) = (weight(ParamRole::Head), weight(ParamRole::Embeddings));
        let (top, bottom) = (weight(ParamRole::Layer(1)), weight(ParamRole::Layer(0)));
        assert_eq!([head, top, bottom, words].map(|param| plan.rate(param, 6)), [1.0, 0.5, 0.25, 0.125].map(Some));
        assert_eq!([0, 1, 2, 3].map(|epoch| plan.rate(top, epoch)), [None, None, Some(0.5), Some(0.5)]);
        assert_eq!([1, 2, 3, 4].map(|epoch| plan.changes_at(epoch)), [false, true, false, true]);
        assert!(!plan.trains(weight(ParamRole::Fixed)), "sinusoidal positions are not trained");
        assert!(TuningPlan::last_layers(3, &config).is_err());
    }

    #[test]
    fn bias_only_trains_the_head_and_the_biases_of_the_encoder() {
        let plan = TuningPlan::bias_only();
        let layer = |is_bias| ParamInfo { role: ParamRole::Layer(0), is_bias };
        assert!(plan.trains(layer(true)) && !plan.trains(layer(false)));
        assert!(plan.trains(ParamInfo { role: ParamRole::Head, is_bias: false }));
    }

    #[test]
    fn adapters_train_the_output_layer_alone_of_a_head_that_peft_freezes() {
        let transform = ParamInfo { role: ParamRole::HeadTransform, is_bias: false };
        assert!(TuningPlan::head().trains(transform) && TuningPlan::bias_only().trains(transform));
        assert!(!TuningPlan::lora(LoraConfig::default()).trains(transform));
    }
}
