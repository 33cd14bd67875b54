//! The trained models that an experiment keeps.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, Problem};
use rekindle_encoders::{Embedding, EncoderConfig, Precision, SentenceClassifier, SequenceClassifier};

use crate::error::ExperimentError;

/// A trained model, with its configuration.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per approach, and its tensors are far larger")]
#[non_exhaustive]
pub enum TrainedModel {
    /// A fine-tuned model with transformers' head.
    SequenceClassifier(EncoderConfig, SequenceClassifier),
    /// A linear head on sentence embeddings.
    SentenceClassifier(EncoderConfig, SentenceClassifier),
}

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// The embedding of a sentence classifier; absent for the other kind.
const EMBEDDING: &str = "embedding.json";

impl TrainedModel {
    /// Returns the same model, whose configuration says what its outputs mean.
    pub(crate) fn with_problem(self, problem: Problem) -> Self {
        match self {
            Self::SequenceClassifier(config, model) => Self::SequenceClassifier(config.with_problem(problem), model),
            Self::SentenceClassifier(config, model) => Self::SentenceClassifier(config.with_problem(problem), model),
        }
    }

    /// Writes the weights to a folder of the experiment's store.
    pub(crate) fn store(&self, folder: &Path) -> Result<(), ExperimentError> {
        let refuse = |reason: String| ExperimentError::Output { path: folder.into(), reason };
        fs::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
        let write =
            |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| refuse(error.to_string()));
        let (Self::SequenceClassifier(config, _) | Self::SentenceClassifier(config, _)) = self;
        write(CONFIG, &config.to_json())?;
        let weights = folder.join(WEIGHTS);
        match self {
            Self::SequenceClassifier(_, model) => model.save_safetensors(&weights, Precision::F32),
            Self::SentenceClassifier(_, model) => {
                write(EMBEDDING, &serde_json::to_string(&model.embedding).map_err(|error| refuse(error.to_string()))?)?;
                model.save_safetensors(&weights, Precision::F32)
            }
        }
        .map_err(|error| refuse(error.to_string()))
    }

    /// Reads the weights that [`store`](Self::store) wrote, if there are any.
    pub(crate) fn restore(folder: &Path, device: &Device) -> Result<Option<Self>, ExperimentError> {
        let path = folder.join(WEIGHTS);
        if !path.is_file() {
            return Ok(None);
        }
        let (config, checkpoint) = (EncoderConfig::from_folder(folder)?, Checkpoint::from_file(&path)?);
        let (model, report) = match fs::read(folder.join(EMBEDDING)) {
            Ok(json) => {
                let damaged = |_| ExperimentError::StoredModel { path: path.clone() };
                let embedding: Embedding = serde_json::from_slice(&json).map_err(damaged)?;
                let (model, report) = SentenceClassifier::from_checkpoint(&config, embedding, &checkpoint, device)?;
                (Self::SentenceClassifier(config, model), report)
            }
            Err(_) => {
                let (model, report) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device)?;
                (Self::SequenceClassifier(config, model), report)
            }
        };
        match report.missing.is_empty() && report.mismatched.is_empty() {
            true => Ok(Some(model)),
            false => Err(ExperimentError::StoredModel { path }),
        }
    }
}
