//! Saving the trained models of an experiment.

use std::fs;
use std::path::Path;

use rekindle_distilbert::Precision;
use rekindle_files::FileError;
use rekindle_tokenizer::Tokenizer;

use crate::error::ExperimentError;
use crate::experiment::Outcome;
use crate::trained_model::TrainedModel;

impl Outcome {
    /// Saves each model that is kept to a folder in `folder`, named as its approach, as a checkpoint that transformers
    /// opens. Returns the names of the files, relative to `folder`.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save_models(&self, folder: &Path, tokenizer: &Tokenizer) -> Result<Vec<String>, ExperimentError> {
        let mut names = Vec::new();
        for (approach, model) in &self.models {
            let to = folder.join(approach);
            let TrainedModel::SequenceClassifier(config, model) = model else { continue };
            fs::create_dir_all(&to).map_err(|source| FileError::write(&to, source))?;
            for (name, content) in [
                ("config.json", config.to_json()),
                ("tokenizer.json", tokenizer.to_json()?),
                ("tokenizer_config.json", Tokenizer::config_json(config.max_position_embeddings)),
            ] {
                let path = to.join(name);
                fs::write(&path, content).map_err(|source| FileError::write(&path, source))?;
                names.push(format!("{approach}/{name}"));
            }
            model.save_safetensors(&to.join("model.safetensors"), Precision::F32)?;
            names.push(format!("{approach}/model.safetensors"));
        }
        Ok(names)
    }
}
