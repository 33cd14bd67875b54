//! Saving a model folder.

use std::fs;
use std::path::Path;

use rekindle_checkpoint::{CheckpointError, Precision};
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, SequenceClassifier};
use rekindle_files::{FileError, write_atomic};
use rekindle_tokenizer::Tokenizer;
use serde_json::{Map, Value};

use crate::adapter::{Adapter, has_weights};
use crate::encode::has_segments;
use crate::error::InferError;
use crate::long_texts::{LONG_TEXTS, LongTexts};
use crate::predictor::{Model, Predictor};

/// The files of a saved model, the weights last.
pub const SAVED_FILES: [&str; 5] =
    ["config.json", "tokenizer.json", "tokenizer_config.json", "README.md", "model.safetensors"];

/// What is saved beside the weights of a model.
#[derive(Clone, Copy, Debug)]
pub struct SavedModel<'a> {
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The maximum number of tokens per text that it was trained with, saved as `model_max_length`: the default when the model
    /// is used again, here and in transformers.
    pub max_length: usize,
    /// What is read of longer texts, saved as `long_texts` in `tokenizer_config.json`, which transformers ignores; absent for
    /// [`LongTexts::Truncate`].
    pub long_texts: LongTexts,
    /// Its model card in Markdown, as [`ModelCard`](crate::ModelCard) writes one, saved as `README.md`.
    pub card: &'a str,
}

impl Predictor {
    /// Writes the model to a folder, which is created and which [`PretrainedModel::from_folder`](crate::PretrainedModel::from_folder)
    /// opens; its linear layers in the [precision](Self::precision) of this predictor. `card` is its model card, in Markdown. Returns
    /// the names of the files.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save(&self, folder: &Path, card: &str) -> Result<Vec<String>, InferError> {
        let (max_length, long_texts) = (self.max_length(), self.long_texts());
        let saved = SavedModel { tokenizer: self.tokenizer(), max_length, long_texts, card };
        match self.model() {
            Model::Sentence(model) => saved.save_sentence_classifier(folder, self.config(), model),
            Model::Sequence(model) => {
                saved.save_classifier(folder, self.config(), model)?;
                Ok(SAVED_FILES.map(String::from).to_vec())
            }
        }
    }
}

impl SavedModel<'_> {
    /// Writes the [`SAVED_FILES`] of a classifier to a folder, which is created. Transformers and
    /// [`PretrainedModel::from_folder`](crate::PretrainedModel::from_folder) open it. Linear layers in int8 are written so.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save_classifier(
        &self,
        folder: &Path,
        config: &EncoderConfig,
        model: &SequenceClassifier,
    ) -> Result<(), InferError> {
        let config = config.clone().with_int8(model.not_in_int8().as_deref());
        self.save(folder, &config, &config.to_json(), |path| model.save_safetensors(path, Precision::F32))
    }

    /// Writes the [`SAVED_FILES`] of a masked language model, as [`save_classifier`](Self::save_classifier).
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save_masked_lm(
        &self,
        folder: &Path,
        config: &EncoderConfig,
        model: &MaskedLanguageModel,
    ) -> Result<(), InferError> {
        self.save(folder, config, &config.to_masked_lm_json(), |path| model.save_safetensors(path, Precision::F32))
    }

    /// Writes an adapter to a folder, which is created, with the files of [`SAVED_FILES`] but for the weights. `base` is the name
    /// of its base model: a name on the hub, or a folder.
    ///
    /// # Errors
    /// Returns an error if the folder has the weights of a whole model, or if a file cannot be written.
    pub fn save_adapter(
        &self,
        folder: &Path,
        config: &EncoderConfig,
        adapter: &Adapter,
        base: &str,
    ) -> Result<(), InferError> {
        if has_weights(folder) {
            let reason =
                "has the weights of a whole model, which would be read instead of the adapter; name another folder";
            return Err(InferError::Adapter { path: folder.into(), reason: reason.into() });
        }
        self.save(folder, config, &config.to_json(), |_| Ok(()))?;
        adapter.save(folder, base)
    }

    /// Writes the files beside the weights, and then the weights, by a function that gets their path.
    pub(crate) fn save(
        &self,
        folder: &Path,
        config: &EncoderConfig,
        json: &str,
        weights: impl Fn(&Path) -> Result<(), CheckpointError>,
    ) -> Result<(), InferError> {
        fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        let [config_name, tokenizer, tokenizer_config, card, weights_name] = SAVED_FILES;
        let has_segments = has_segments(self.tokenizer, config);
        for (name, content) in [
            (config_name, json),
            (tokenizer, &self.tokenizer.to_json()?),
            (tokenizer_config, &self.tokenizer_config(has_segments)),
            (card, self.card),
        ] {
            let write = |new: &Path| fs::write(new, content).map_err(|source| FileError::write(new, source));
            write_atomic(&folder.join(name), write)?;
        }
        Ok(weights(&folder.join(weights_name))?)
    }

    /// Returns `tokenizer_config.json`.
    fn tokenizer_config(&self, has_segments: bool) -> String {
        let json = self.tokenizer.config_json(self.max_length, has_segments);
        if self.long_texts == LongTexts::Truncate {
            return json;
        }
        let mut fields: Map<String, Value> = serde_json::from_str(&json).unwrap_or_default();
        fields.insert(LONG_TEXTS.into(), self.long_texts.to_string().into());
        format!("{:#}\n", Value::from(fields))
    }
}
