//! A linear head on sentence embeddings: which layers it reads, and its weights.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_baseline::LogisticRegression;
use rekindle_encoders::{Embedding, Encoder, EncoderConfig, SentenceClassifier};
use rekindle_train::TrainError;

use crate::learner::count;

/// The last layers of an encoder, whose hidden states are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layers {
    Last(usize),
    All,
}

impl Default for Layers {
    fn default() -> Self {
        Self::Last(1)
    }
}

impl Layers {
    /// Parses `last`, `lastN` or `all`.
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        match value.strip_prefix("last") {
            Some("") => Ok(Self::Last(1)),
            Some(number) => Ok(Self::Last(count(number)?)),
            None if value == "all" => Ok(Self::All),
            None => Err("expected layers=last, layers=lastN or layers=all".into()),
        }
    }

    /// Returns how many layers of a model that is.
    pub(crate) fn count(self, config: &EncoderConfig) -> usize {
        match self {
            Self::Last(count) => count,
            Self::All => config.num_hidden_layers,
        }
    }

    /// Returns an error if a model has fewer layers.
    pub(crate) fn check(self, config: &EncoderConfig) -> Result<(), TrainError> {
        let layers = self.count(config);
        if layers > config.num_hidden_layers {
            let reason = format!("{layers} layers are to be averaged, but the model has {}", config.num_hidden_layers);
            return Err(TrainError::Argument { argument: "layers", reason });
        }
        Ok(())
    }
}

/// Returns an encoder with the coefficients of a regression on its embeddings as the head.
pub(crate) fn with_head(
    encoder: Encoder,
    embedding: Embedding,
    regression: &LogisticRegression,
    config: &EncoderConfig,
    device: &Device,
) -> SentenceClassifier {
    let mut model = SentenceClassifier::new(encoder, embedding, config, device);
    let (dim, classes) = (config.hidden_size, config.num_labels());
    let coefficients = regression.coefficients();
    let weight: Vec<f32> =
        (0..dim).flat_map(|column| (0..classes).map(move |class| coefficients[class * dim + column] as f32)).collect();
    let bias: Vec<f32> = regression.intercepts().iter().map(|&intercept| intercept as f32).collect();
    let head = &mut model.classifier;
    head.weight = Param::from_tensor(Tensor::from_data(TensorData::new(weight, [dim, classes]), device));
    head.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [classes]), device)));
    model
}
