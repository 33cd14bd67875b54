//! Approaches, and the grammar of the command line for them.

use std::fmt;
use std::str::FromStr;

use rekindle_distilbert::{DistilBertConfig, LoraConfig, Pooling};
use rekindle_train::{TrainingArguments, TuningPlan};

use crate::error::ExperimentError;

/// Which parameters are trainable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// The head, on a frozen encoder.
    FeatureExtraction,
    /// The head and the last N transformer layers.
    LastLayers(usize),
    /// All parameters.
    Full,
    /// All parameters, unfrozen layer by layer from the top (Howard and Ruder, 2018).
    Gradual {
        /// Epochs between two layers.
        every: usize,
    },
    /// The head and low-rank adapters in a frozen encoder (Hu et al., 2021).
    Lora(LoraConfig),
    /// The head and all biases (Ben Zaken et al., 2022).
    BitFit,
}

/// An approach to transfer learning: which parameters are trained, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Approach {
    /// The name in results and reports.
    pub name: String,
    /// The approach in the grammar of the command line, for example `lora:r=16:lr=1e-3`.
    pub spec: String,
    /// Which parameters are trainable.
    pub method: Method,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The learning rate of each layer divided by that of the layer above it: discriminative fine-tuning (Howard and Ruder,
    /// 2018).
    pub layer_decay: f64,
    /// The pooling for the head; absent for that of the checkpoint.
    pub pooling: Option<Pooling>,
    /// Epochs of masked language modelling on the training texts before fine-tuning: adaptive pretraining (Gururangan et al.,
    /// 2020).
    pub pretrain_epochs: usize,
}

/// The names in the grammar, for error messages.
const NAMES: &str = "feature-extraction, last-layer, last-N, full, gradual, lora and bitfit";

impl Approach {
    /// Returns `feature-extraction`: the encoder frozen, learning rate 2e-3, no weight decay. The notebook's
    /// `feature_extraction_freeze_all`.
    pub fn feature_extraction() -> Self {
        Self::new("feature-extraction", "feature_extraction_freeze_all", Method::FeatureExtraction, 2e-3, 0.0)
    }

    /// Returns `last-layer`: the last transformer layer and the head trainable, learning rate 2e-5, weight decay 0.01. The
    /// notebook's `fine_tune_last_layer`.
    pub fn last_layer() -> Self {
        Self::new("last-layer", "fine_tune_last_layer", Method::LastLayers(1), 2e-5, 0.01)
    }

    /// Returns the two approaches of the notebook, in its order.
    pub fn notebook() -> Vec<Self> {
        vec![Self::feature_extraction(), Self::last_layer()]
    }

    fn new(spec: &str, name: &str, method: Method, learning_rate: f64, weight_decay: f64) -> Self {
        let (name, spec) = (name.into(), spec.into());
        let (layer_decay, pooling, pretrain_epochs) = (1.0, None, 0);
        Self { name, spec, method, learning_rate, weight_decay, layer_decay, pooling, pretrain_epochs }
    }

    /// Returns an approach by its name, with the usual learning rate and weight decay.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "feature-extraction" => Self::feature_extraction(),
            "last-layer" | "last-1" => Self::last_layer(),
            "full" => Self::new(name, "fine_tune_all", Method::Full, 2e-5, 0.01),
            "gradual" => Self::new(name, "gradual_unfreezing", Method::Gradual { every: 1 }, 2e-5, 0.01),
            "lora" => Self::new(name, "lora", Method::Lora(LoraConfig::default()), 1e-3, 0.01),
            "bitfit" => Self::new(name, "bitfit", Method::BitFit, 1e-3, 0.01),
            _ => {
                let count = name.strip_prefix("last-")?.parse().ok().filter(|&count| count > 0)?;
                Self::new(name, &format!("fine_tune_last_{count}_layers"), Method::LastLayers(count), 2e-5, 0.01)
            }
        })
    }

    /// Parses a list, for example `feature-extraction,last-2,lora:r=16`.
    ///
    /// # Errors
    /// Returns an error if the list is empty, or if an approach is unknown or given twice.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, ExperimentError> {
        let mut approaches: Vec<Self> = Vec::new();
        for spec in list.split(',').map(str::trim) {
            let approach: Self = spec.parse()?;
            if approaches.iter().any(|earlier| earlier.name == approach.name) {
                return Err(ExperimentError::RepeatedApproach { name: spec.into() });
            }
            approaches.push(approach);
        }
        Ok(approaches)
    }

    /// Sets an option.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, &mut self.method) {
            ("lr", _) => self.learning_rate = number(value)?,
            ("wd", _) => self.weight_decay = number(value)?,
            ("pooling", _) => {
                self.pooling = Some(match value {
                    "cls" => Pooling::Cls,
                    "mean" => Pooling::Mean,
                    _ => return Err("expected pooling=cls or pooling=mean".into()),
                });
            }
            ("pretrain", _) => self.pretrain_epochs = count(value)?,
            ("layer-decay", Method::LastLayers(_) | Method::Full | Method::Gradual { .. }) => {
                self.layer_decay = number(value)?;
            }
            ("every", Method::Gradual { every }) => *every = count(value)?,
            ("r", Method::Lora(lora)) => lora.r = count(value)?,
            ("alpha", Method::Lora(lora)) => lora.lora_alpha = number(value)?,
            ("targets", Method::Lora(lora)) => lora.target_modules = value.split('+').map(String::from).collect(),
            _ => return Err(format!("unknown option `{key}`; expected {}", self.options())),
        }
        Ok(())
    }

    fn options(&self) -> &'static str {
        match self.method {
            Method::FeatureExtraction | Method::BitFit => "lr, wd, pooling and pretrain",
            Method::LastLayers(_) | Method::Full => "layer-decay, lr, wd, pooling and pretrain",
            Method::Gradual { .. } => "every, layer-decay, lr, wd, pooling and pretrain",
            Method::Lora(_) => "r, alpha, targets, lr, wd, pooling and pretrain",
        }
    }

    /// Returns the tuning plan for a model.
    ///
    /// # Errors
    /// Returns an error if the model has fewer layers than the approach trains.
    pub fn plan(&self, config: &DistilBertConfig) -> Result<TuningPlan, rekindle_train::TrainError> {
        let plan = match &self.method {
            Method::FeatureExtraction => TuningPlan::head(),
            Method::LastLayers(count) => TuningPlan::last_layers(*count, config)?,
            Method::Full => TuningPlan::full(config),
            Method::Gradual { every } => TuningPlan::full(config).gradually(*every),
            Method::Lora(lora) => TuningPlan::lora(lora.clone()),
            Method::BitFit => TuningPlan::bias_only(),
        };
        Ok(if self.layer_decay == 1.0 { plan } else { plan.with_layer_decay(self.layer_decay) })
    }

    /// Returns training arguments with the learning rate and weight decay of this approach.
    pub(crate) fn arguments(&self, shared: &TrainingArguments, seed: u64) -> TrainingArguments {
        let (learning_rate, weight_decay) = (self.learning_rate, self.weight_decay);
        TrainingArguments { learning_rate, weight_decay, seed, ..shared.clone() }
    }
}

impl FromStr for Approach {
    type Err = ExperimentError;

    /// Parses `NAME[:OPTION=VALUE]…`, for example `full:layer-decay=0.9` or `lora:r=16:targets=q_lin+v_lin:lr=1e-3`.
    fn from_str(spec: &str) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Approach { spec: spec.into(), reason };
        let mut parts = spec.split(':');
        let name = parts.next().unwrap_or_default();
        let mut approach = Self::named(name).ok_or_else(|| refuse(format!("unknown approach; expected {NAMES}")))?;
        let mut seen = Vec::new();
        for part in parts {
            let (key, value) =
                part.split_once('=').ok_or_else(|| refuse(format!("`{part}`: expected OPTION=VALUE")))?;
            if seen.contains(&key) {
                return Err(refuse(format!("`{key}` is given twice")));
            }
            seen.push(key);
            approach.set(key, value).map_err(|reason| refuse(format!("`{part}`: {reason}")))?;
            // The name is also the name of a folder.
            let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
            let joint = if value.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "_" };
            approach.name.push_str(&format!("_{}{joint}{}", plain(key), plain(value)));
        }
        if let Method::Lora(lora) = &approach.method {
            lora.validate().map_err(|error| refuse(error.to_string()))?;
        }
        approach.spec = spec.into();
        Ok(approach)
    }
}

impl fmt::Display for Approach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec)
    }
}

/// Parses a finite number of at least 0.
fn number(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".into())
}

/// Parses a whole number of at least 1.
fn count(value: &str) -> Result<usize, String> {
    value.parse().ok().filter(|&count| count > 0).ok_or_else(|| "expected a whole number of at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_parsed() {
        let list =
            "feature-extraction,last-2,full:layer-decay=0.9,lora:r=16:targets=q_lin+lin1,full:pooling=mean:lr=1e-3";
        let approaches = Approach::parse_list(list).expect("valid");
        let names: Vec<&str> = approaches.iter().map(|approach| approach.name.as_str()).collect();
        let expected = [
            "feature_extraction_freeze_all",
            "fine_tune_last_2_layers",
            "fine_tune_all_layer_decay0.9",
            "lora_r16_targets_q_lin_lin1",
            "fine_tune_all_pooling_mean_lr1e_3",
        ];
        assert_eq!(names, expected);
        assert_eq!((approaches[2].layer_decay, approaches[4].learning_rate), (0.9, 1e-3));
        let lora = LoraConfig { r: 16, lora_alpha: 8.0, target_modules: vec!["q_lin".into(), "lin1".into()] };
        assert_eq!(approaches[3].method, Method::Lora(lora));
    }

    #[test]
    fn errors_name_the_wrong_part() {
        for (list, part) in [
            ("last-layr", "last-layer"),
            ("last-0", "unknown"),
            ("", "unknown"),
            ("lora:r=0", "`r=0`"),
            ("lora:targets=q_lin+w", "`w`"),
            ("lora:alpha=0", "lora_alpha"),
            ("full:r=8", "unknown option `r`"),
            ("full:lr", "OPTION=VALUE"),
            ("full:lr=1:lr=2", "twice"),
            ("full:lr=nan", "at least 0"),
            ("last-layer,last-1", "twice"),
        ] {
            let error = Approach::parse_list(list).expect_err(list).to_string();
            assert!(error.contains(part), "`{part}` in {error}");
        }
    }
}
