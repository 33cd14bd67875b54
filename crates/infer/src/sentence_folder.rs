//! Model folders of sentence-transformers and SetFit: an encoder, and what comes behind it in `modules.json`.

use std::path::{Component, Path};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, Layout};
use rekindle_encoders::{Embedding, Encoder, EncoderConfig, Pooling, SentenceClassifier};
use rekindle_files::{FileError, check_symlinks};
use rekindle_nn::Linear;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::InferError;
use crate::model::{MODEL_FILES, PretrainedModel};

/// The file that lists the modules of a model.
pub(crate) const MODULES: &str = "modules.json";
/// The heads of SetFit: a scikit-learn or PyTorch object, which is not read, and tensors.
const PICKLED_HEAD: &str = "model_head.pkl";
const SETFIT_HEAD: &str = "model_head.safetensors";
const SETFIT_CONFIG: &str = "config_setfit.json";
/// The name of a module's weights in its folder.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// The name of a module's configuration in its folder.
pub(crate) const CONFIG: &str = "config.json";
/// The options of the module `Transformer`.
pub(crate) const TRANSFORMER_CONFIG: &str = "sentence_bert_config.json";

/// A linear layer with the names of a module `Dense`.
#[derive(Module, Debug)]
pub(crate) struct Dense {
    pub(crate) linear: Linear,
}

const DENSE: Layout =
    Layout { encoder: "linear.", pooler: None, example: "linear.weight", names: &[], ignored: &[], tied: &[] };

/// The modules of a model folder of sentence-transformers, in the order of the data: `Transformer`, optionally
/// `WeightedLayerPooling` with equal weights, `Pooling`, and optionally `Normalize` and `Dense` without activation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentenceModules {
    /// How hidden states become the embedding of a text.
    pub embedding: Embedding,
    /// The maximum number of tokens per text, if the module `Transformer` says so. Otherwise, the tokenizer does.
    pub max_length: Option<usize>,
    /// The folder of the module `Dense`, if there is one.
    dense: Option<String>,
}

/// A module, as `modules.json` lists it.
#[derive(Deserialize)]
struct ModuleEntry {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct PoolingConfig {
    /// The mode, or several; absent in files of older versions, which have a flag per mode.
    pooling_mode: Option<serde_json::Value>,
    #[serde(flatten)]
    flags: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct LayerPoolingConfig {
    num_hidden_layers: usize,
    layer_start: usize,
}

#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: String,
    #[serde(default)]
    use_residual: bool,
}

#[derive(Deserialize)]
struct TransformerConfig {
    max_seq_length: Option<usize>,
}

#[derive(Default, Deserialize)]
struct SetFitConfig {
    labels: Option<Vec<String>>,
    #[serde(default)]
    normalize_embeddings: bool,
}

fn yes() -> bool {
    true
}

impl SentenceModules {
    /// Reads the modules of a folder. Returns `None` if it is not one of sentence-transformers.
    ///
    /// # Errors
    /// Returns an error if a file is missing or damaged, or a module is not supported.
    pub fn from_folder(folder: &Path) -> Result<Option<Self>, InferError> {
        if !folder.join(MODULES).is_file() {
            return Ok(None);
        }
        let entries: Vec<ModuleEntry> = json(&folder.join(MODULES))?;
        let options: Option<TransformerConfig> = optional_json(&folder.join(TRANSFORMER_CONFIG))?;
        let mut modules = Self {
            embedding: Embedding { pooling: Pooling::Mean, layers: 1, normalize: false },
            max_length: options.and_then(|options| options.max_seq_length),
            dense: None,
        };
        let mut last = None;
        for ModuleEntry { path, r#type } in entries {
            let kind = r#type.rsplit('.').next().unwrap_or_default();
            let order = ["Transformer", "WeightedLayerPooling", "Pooling", "Normalize", "Dense"];
            let place = order.iter().position(|known| *known == kind);
            if place.is_none() || place <= last || (last.is_none() && place != Some(0)) {
                let expected = order.join(", ");
                return Err(unsupported(folder, format!("module `{kind}`; expected {expected}, in this order")));
            }
            if path.split('/').count() > 1 || Path::new(&path).components().any(|part| !is_name(part)) {
                return Err(unsupported(folder, format!("path `{path}`; expected the name of a folder")));
            }
            modules.add(kind, &folder.join(&path), path.clone())?;
            last = place;
        }
        match last {
            Some(place) if place >= 2 => Ok(Some(modules)),
            _ => Err(unsupported(folder, "no module `Pooling`".into())),
        }
    }

    fn add(&mut self, kind: &str, folder: &Path, path: String) -> Result<(), InferError> {
        if kind != "Normalize" {
            check_symlinks(folder, &MODEL_FILES)?;
        }
        match kind {
            "Transformer" if !path.is_empty() => {
                return Err(unsupported(folder, "a `Transformer` in a folder of its own; move its files up".into()));
            }
            "WeightedLayerPooling" => self.embedding.layers = averaged_layers(folder)?,
            "Pooling" => self.embedding.pooling = pooling(folder)?,
            "Normalize" => self.embedding.normalize = true,
            "Dense" => self.dense = Some(path),
            _ => {}
        }
        Ok(())
    }
}

fn is_name(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}

/// Returns the number of layers, from the last one down, that a `WeightedLayerPooling` averages.
fn averaged_layers(folder: &Path) -> Result<usize, InferError> {
    let LayerPoolingConfig { num_hidden_layers, layer_start } = json(&folder.join(CONFIG))?;
    let weights = Checkpoint::open(folder)?.values("layer_weights")?.unwrap_or_default();
    let are_equal = weights.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 1e-6 * pair[0].abs());
    let layers = (num_hidden_layers + 1).saturating_sub(layer_start);
    match weights.len() == layers && layers > 0 && layers <= num_hidden_layers && are_equal {
        true => Ok(layers),
        false => {
            Err(unsupported(folder, "layers with different weights; expected equal weights of the last layers".into()))
        }
    }
}

fn pooling(folder: &Path) -> Result<Pooling, InferError> {
    let PoolingConfig { pooling_mode, flags } = json(&folder.join(CONFIG))?;
    let modes: Vec<String> = match pooling_mode {
        Some(serde_json::Value::String(mode)) => vec![mode],
        Some(modes) => serde_json::from_value(modes).unwrap_or_default(),
        None => flags.into_iter().filter(|(_, value)| value == true).filter_map(|(name, _)| flag(&name)).collect(),
    };
    match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mean"] => Ok(Pooling::Mean),
        ["cls"] => Ok(Pooling::Cls),
        _ => Err(unsupported(folder, format!("pooling by `{}`; expected `mean` or `cls`", modes.join(" and ")))),
    }
}

/// Returns the mode of a flag of older versions, for example `pooling_mode_mean_tokens`.
fn flag(name: &str) -> Option<String> {
    let mode = name.strip_prefix("pooling_mode_")?;
    Some(mode.strip_suffix("_tokens").or(mode.strip_suffix("_token")).unwrap_or(mode).into())
}

impl PretrainedModel {
    /// Loads the model of a folder of sentence-transformers or SetFit that has a head, with the configuration of its classes.
    ///
    /// # Errors
    /// Returns an error if the folder has no head or a pickled one, or a file is missing, damaged or does not fit.
    pub(crate) fn sentence_classifier(
        &self,
        folder: &Path,
        modules: &SentenceModules,
        device: &Device,
    ) -> Result<(EncoderConfig, SentenceClassifier), InferError> {
        let mut embedding = modules.embedding;
        let setfit: SetFitConfig = optional_json(&folder.join(SETFIT_CONFIG))?.unwrap_or_default();
        let (head, path) = match &modules.dense {
            Some(dense) => (dense_module(&folder.join(dense), self.config.hidden_size, device)?, folder.join(dense)),
            None => {
                embedding.normalize |= setfit.normalize_embeddings;
                let path = folder.join(SETFIT_HEAD);
                if !path.is_file() {
                    let pickled = folder.join(PICKLED_HEAD);
                    return Err(match pickled.is_file() {
                        true => InferError::PickledHead { path: pickled },
                        false => {
                            InferError::NoHead { model: self.id.clone(), tensor: "linear.weight".into(), other: None }
                        }
                    });
                }
                (setfit_head(&path, self.config.hidden_size, device)?, path)
            }
        };
        let classes = head.linear.weight.dims()[1];
        let config = match setfit.labels {
            Some(labels) => self.config.clone().with_labels(labels),
            None => self.config.clone(),
        };
        if config.num_labels() != classes {
            return Err(unsupported(
                &path,
                format!("a head of {classes} classes; the model has {}", config.num_labels()),
            ));
        }
        let encoder = Encoder::from_checkpoint_in(&self.storage(), &config, &self.checkpoint, device)?;
        let mut model = SentenceClassifier::new(encoder, embedding, &config, device);
        model.classifier = head.linear;
        Ok((config, model))
    }
}

/// Reads a module `Dense` without activation.
fn dense_module(folder: &Path, dim: usize, device: &Device) -> Result<Dense, InferError> {
    let config: DenseConfig = json(&folder.join(CONFIG))?;
    let activation = config.activation_function.rsplit('.').next().unwrap_or_default();
    if activation != "Identity" || config.use_residual || !config.bias {
        let reason = "a `Dense` with an activation, with a residual or without bias; expected a linear head";
        return Err(unsupported(folder, reason.into()));
    }
    if config.in_features != dim {
        return Err(unsupported(folder, format!("{} input features; the encoder has {dim}", config.in_features)));
    }
    linear(&Checkpoint::open(folder)?, [dim, config.out_features], device)
}

/// Reads a head of SetFit that was saved as tensors. A head of one row is that of scikit-learn for two classes.
fn setfit_head(path: &Path, dim: usize, device: &Device) -> Result<Dense, InferError> {
    let checkpoint = Checkpoint::from_file(path)?;
    let rows = checkpoint.shape("linear.weight").and_then(|shape| shape.first()).copied().unwrap_or(1);
    let mut head = linear(&checkpoint, [dim, rows], device)?;
    if rows == 1 {
        let weight = head.linear.weight.val();
        head.linear.weight = Param::from_tensor(Tensor::cat(vec![weight.zeros_like(), weight], 1));
        let bias = head.linear.bias.map(|bias| bias.val());
        head.linear.bias = bias.map(|bias| Param::from_tensor(Tensor::cat(vec![bias.zeros_like(), bias], 0)));
    }
    Ok(head)
}

fn linear(checkpoint: &Checkpoint, [inputs, outputs]: [usize; 2], device: &Device) -> Result<Dense, InferError> {
    let head = Dense { linear: Linear::new(inputs, outputs, device) };
    // Nothing is initialised: all tensors must be in the file.
    let (head, _) = checkpoint.load(head, &DENSE, &|_| Vec::new(), device)?;
    Ok(Dense { linear: rekindle_checkpoint::trainable(&head.linear, |_| false) })
}

fn unsupported(path: &Path, reason: String) -> InferError {
    InferError::SentenceFolder { path: path.into(), reason }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, InferError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::read(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| unsupported(path, error.to_string()))
}

fn optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, InferError> {
    if path.is_file() { json(path).map(Some) } else { Ok(None) }
}
