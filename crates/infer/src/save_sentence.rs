//! Writing model folders of sentence-transformers.

use std::fs;
use std::path::Path;

use rekindle_checkpoint::{Precision, save, save_values};
use rekindle_encoders::{EncoderConfig, Pooling, SentenceClassifier};
use rekindle_files::FileError;
use serde_json::{Value, json};

use crate::error::InferError;
use crate::save::{SAVED_FILES, SavedModel};
use crate::sentence_folder::{CONFIG, Dense, MODULES, TRANSFORMER_CONFIG, WEIGHTS};

impl SavedModel<'_> {
    /// Writes a sentence classifier to a folder, which is created, as a model of sentence-transformers, whose output are the
    /// logits: `Transformer`, `WeightedLayerPooling` if layers are averaged, `Pooling`, `Normalize` if embeddings are
    /// normalised, and `Dense` without activation. Returns the names of the files.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save_sentence_classifier(
        &self,
        folder: &Path,
        config: &EncoderConfig,
        model: &SentenceClassifier,
    ) -> Result<Vec<String>, InferError> {
        let averages = model.embedding.layers > 1;
        let weights = |path: &Path| model.encoder.save_safetensors(path, Precision::F32);
        let of_encoder = config.clone().with_int8(model.encoder.not_in_int8().as_deref());
        self.save(folder, config, &of_encoder.to_encoder_json(averages), weights)?;
        let mut files = Files { folder, names: SAVED_FILES.map(String::from).to_vec() };
        let length = json!({ "max_seq_length": self.max_length, "do_lower_case": false });
        files.write(TRANSFORMER_CONFIG, &pretty(&length))?;
        write_modules(&mut files, config, model)?;
        Ok(files.names)
    }
}

/// Writes the modules behind the encoder, and their list.
fn write_modules(files: &mut Files<'_>, config: &EncoderConfig, model: &SentenceClassifier) -> Result<(), InferError> {
    let embedding = model.embedding;
    let averages = embedding.layers > 1;
    let kinds = ["Transformer", "WeightedLayerPooling", "Pooling", "Normalize", "Dense"];
    let is_used = |kind: &&str| match *kind {
        "WeightedLayerPooling" => averages,
        "Normalize" => embedding.normalize,
        _ => true,
    };
    let modules: Vec<(String, &str)> = kinds
        .into_iter()
        .filter(is_used)
        .enumerate()
        .map(|(index, kind)| (if index == 0 { String::new() } else { format!("{index}_{kind}") }, kind))
        .collect();
    let list: Vec<Value> = modules.iter().enumerate().map(|(index, (path, kind))| {
        json!({ "idx": index, "name": index.to_string(), "path": path, "type": format!("sentence_transformers.models.{kind}") })
    }).collect();
    files.write(MODULES, &pretty(&Value::from(list)))?;
    for (path, kind) in &modules {
        let (config_path, weights) = (format!("{path}/{CONFIG}"), format!("{path}/{WEIGHTS}"));
        match *kind {
            "WeightedLayerPooling" => {
                let (layers, start) = (config.num_hidden_layers, config.num_hidden_layers + 1 - embedding.layers);
                let fields = json!({ "word_embedding_dimension": config.hidden_size, "layer_start": start, "num_hidden_layers": layers });
                files.write(&config_path, &pretty(&fields))?;
                let ones = vec![("layer_weights".into(), vec![1.0; embedding.layers])];
                save_values(ones, std::collections::HashMap::new(), &files.path(&weights)?)?;
            }
            "Pooling" => files.write(&config_path, &pretty(&pooling_config(config.hidden_size, embedding.pooling)))?,
            "Dense" => {
                files.write(&config_path, &pretty(&dense_config(config)))?;
                let dense = Dense { linear: model.classifier.clone() };
                save(&dense, &files.path(&weights)?, Precision::F32)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files that are written to a folder.
struct Files<'a> {
    folder: &'a Path,
    names: Vec<String>,
}

impl Files<'_> {
    /// Returns the path of a file, whose folder is created.
    fn path(&mut self, name: &str) -> Result<std::path::PathBuf, InferError> {
        let path = self.folder.join(name);
        let parent = path.parent().unwrap_or(self.folder);
        fs::create_dir_all(parent).map_err(|source| FileError::write(parent, source))?;
        self.names.push(name.into());
        Ok(path)
    }

    fn write(&mut self, name: &str, content: &str) -> Result<(), InferError> {
        let path = self.path(name)?;
        Ok(fs::write(&path, content).map_err(|source| FileError::write(&path, source))?)
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The fields of all versions of sentence-transformers.
fn pooling_config(dim: usize, pooling: Pooling) -> Value {
    json!({
        "word_embedding_dimension": dim,
        "pooling_mode_cls_token": pooling == Pooling::Cls,
        "pooling_mode_mean_tokens": pooling == Pooling::Mean,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
    })
}

fn dense_config(config: &EncoderConfig) -> Value {
    json!({
        "in_features": config.hidden_size,
        "out_features": config.num_labels(),
        "bias": true,
        "activation_function": "torch.nn.modules.linear.Identity",
    })
}
