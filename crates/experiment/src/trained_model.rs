//! The trained models that an experiment keeps.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, Problem};
use rekindle_encoders::{Embedding, EncoderConfig, Precision, SentenceClassifier, SequenceClassifier};
use rekindle_infer::{Adapter, Model};

use crate::error::ExperimentError;

/// A trained model, with its configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrainedModel {
    /// Its configuration, with the classes.
    pub config: EncoderConfig,
    /// The model. Low-rank adapters are merged into its weights.
    pub model: Model,
    /// Its low-rank adapters before they were merged, and its head; absent if the approach has no adapters.
    pub adapter: Option<Adapter>,
}

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// The embedding of a sentence classifier; absent for the other kind.
const EMBEDDING: &str = "embedding.json";

impl TrainedModel {
    /// A fine-tuned model with transformers' head.
    pub(crate) fn sequence(config: EncoderConfig, model: SequenceClassifier) -> Self {
        Self { config, model: model.into(), adapter: None }
    }

    /// A linear head on sentence embeddings.
    pub(crate) fn sentence(config: EncoderConfig, model: SentenceClassifier) -> Self {
        Self { config, model: model.into(), adapter: None }
    }

    /// Returns the same model, whose configuration says what its outputs mean.
    pub(crate) fn with_problem(self, problem: Problem) -> Self {
        Self { config: self.config.with_problem(problem), ..self }
    }

    /// Writes the weights to a folder of the experiment's store.
    pub(crate) fn store(&self, folder: &Path) -> Result<(), ExperimentError> {
        let refuse = |reason: String| ExperimentError::Output { path: folder.into(), reason };
        fs::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
        let write =
            |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| refuse(error.to_string()));
        write(CONFIG, &self.config.to_json())?;
        if let Some(adapter) = &self.adapter {
            adapter.save(folder, "")?;
        }
        let weights = folder.join(WEIGHTS);
        match &self.model {
            Model::Sequence(model) => model.save_safetensors(&weights, Precision::F32),
            Model::Sentence(model) => {
                write(EMBEDDING, &serde_json::to_string(&model.embedding).map_err(|error| refuse(error.to_string()))?)?;
                model.save_safetensors(&weights, Precision::F32)
            }
            _ => return Err(refuse("a kind of model that is not known here".into())),
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
                (Self::sentence(config, model), report)
            }
            Err(_) => {
                let (model, report) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device)?;
                (Self { adapter: Adapter::read(folder)?, ..Self::sequence(config, model) }, report)
            }
        };
        match report.missing.is_empty() && report.mismatched.is_empty() {
            true => Ok(Some(model)),
            false => Err(ExperimentError::StoredModel { path }),
        }
    }
}
