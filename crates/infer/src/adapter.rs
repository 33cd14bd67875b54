//! Adapters in peft's format: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rekindle_checkpoint::{Checkpoint, serialize};
use rekindle_encoders::{EncoderConfig, LoraConfig, ParamRole, ParamRoles, SequenceClassifier};
use rekindle_files::{FileError, write_atomic};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::InferError;

pub(crate) const ADAPTER_CONFIG: &str = "adapter_config.json";
pub(crate) const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
const PICKLED_WEIGHTS: &str = "adapter_model.bin";
/// What precedes the name of a tensor of the model in an adapter's file.
const PREFIX: &str = "base_model.model.";

/// The low-rank adapters and the head of a trained model, as the files of peft have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The fields of `adapter_config.json` but for the name of the base model.
    config: Map<String, Value>,
    /// `adapter_model.safetensors`.
    weights: Vec<u8>,
}

impl Adapter {
    /// Takes the adapters and the head of a model whose adapters are not merged.
    ///
    /// # Errors
    /// Returns an error if the device does not return the weights.
    pub fn of(model: &SequenceClassifier, lora: &LoraConfig) -> Result<Self, InferError> {
        let is_head = |name: &str| matches!(model.param_info(name).role, ParamRole::Head | ParamRole::HeadTransform);
        let weights = serialize(model, |name| match name.rsplit_once(".lora.") {
            Some((layer, "a")) => Some(format!("{PREFIX}{layer}.lora_A.weight")),
            Some((layer, _)) => Some(format!("{PREFIX}{layer}.lora_B.weight")),
            None => is_head(name).then(|| format!("{PREFIX}{name}")),
        })?;
        let names = model.parameters().into_iter().map(|parameter| parameter.name);
        let mut heads: Vec<String> = names.filter(|name| is_head(name)).map(|name| module(&name)).collect();
        heads.dedup();
        let fields = [
            ("peft_type", json!("LORA")),
            ("task_type", json!("SEQ_CLS")),
            ("r", json!(lora.r)),
            ("lora_alpha", json!(lora.lora_alpha)),
            ("lora_dropout", json!(0.0)),
            ("bias", json!("none")),
            ("target_modules", json!(lora.targets(&model.encoder()))),
            ("modules_to_save", json!(heads)),
            ("inference_mode", json!(true)),
        ];
        let config = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { config, weights })
    }

    /// Writes the two files to a folder, which must exist. `base` is the name of the base model: a name on the hub, or a folder.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save(&self, folder: &Path, base: &str) -> Result<(), InferError> {
        let mut config = self.config.clone();
        config.insert("base_model_name_or_path".into(), base.into());
        let files = [
            (ADAPTER_CONFIG, format!("{:#}\n", Value::from(config)).into_bytes()),
            (ADAPTER_WEIGHTS, self.weights.clone()),
        ];
        for (name, content) in files {
            let write = |new: &Path| fs::write(new, &content).map_err(|source| FileError::write(new, source));
            write_atomic(&folder.join(name), write)?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote, if a folder has it.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, or the configuration is damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>, InferError> {
        let [config, weights] = [ADAPTER_CONFIG, ADAPTER_WEIGHTS].map(|name| folder.join(name));
        if !weights.is_file() {
            return Ok(None);
        }
        let weights = fs::read(&weights).map_err(|source| FileError::read(&weights, source))?;
        let json = fs::read(&config).map_err(|source| FileError::read(&config, source))?;
        let damaged = |error: serde_json::Error| InferError::Adapter { path: config, reason: error.to_string() };
        Ok(Some(Self { config: serde_json::from_slice(&json).map_err(damaged)?, weights }))
    }
}

/// The module of a parameter of a head that peft is to save: its first one, or, of a pooler inside the encoder, all of them.
fn module(parameter: &str) -> String {
    let path = parameter.rsplit_once('.').map_or(parameter, |(path, _)| path);
    let first = path.split('.').next().unwrap_or(path);
    if path.contains(".pooler") { path.into() } else { first.into() }
}

/// The fields of `adapter_config.json` that decide what an adapter computes.
#[derive(Deserialize)]
struct AdapterConfig {
    peft_type: String,
    base_model_name_or_path: Option<String>,
    #[serde(default)]
    r: usize,
    #[serde(default)]
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    rank_pattern: Map<String, Value>,
    #[serde(default)]
    alpha_pattern: Map<String, Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Fields that change what an adapter computes, and that are not supported.
const UNSUPPORTED: [&str; 8] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "layer_replication",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "target_parameters",
];
/// Initial values that also change the weights of the base model.
const CHANGED_BASE: [&str; 4] = ["pissa", "olora", "corda", "loftq"];

impl AdapterConfig {
    fn read(folder: &Path) -> Result<Self, InferError> {
        let path = folder.join(ADAPTER_CONFIG);
        let refuse = |reason: String| InferError::Adapter { path: path.clone(), reason };
        let bytes = fs::read(&path).map_err(|source| FileError::read(&path, source))?;
        let config: Self = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        if config.peft_type != "LORA" {
            return Err(refuse(format!(
                "`peft_type` is `{}`, but only `LORA` is supported; merge the adapter into its base model with peft's \
                 `merge_and_unload`, and save the result by `save_pretrained`",
                config.peft_type
            )));
        }
        let is_set = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(values) => !values.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        };
        let set = |field: &&&str| config.others.get(**field).is_some_and(is_set);
        if let Some(field) = UNSUPPORTED.iter().find(set) {
            return Err(refuse(format!("`{field}` is not supported")));
        }
        let initial = config.others.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default();
        if CHANGED_BASE.iter().any(|name| initial.starts_with(name)) {
            return Err(refuse(format!("`init_lora_weights` is `{initial}`, which changed the base model")));
        }
        if config.fan_in_fan_out {
            return Err(refuse("`fan_in_fan_out` is not supported".into()));
        }
        if let Some((pattern, value)) = config.rank_pattern.iter().find(|(_, value)| !value.is_u64()) {
            return Err(refuse(format!("`rank_pattern`: `{pattern}` is {value}; expected a whole number")));
        }
        if let Some((pattern, value)) = config.alpha_pattern.iter().find(|(_, value)| !value.is_number()) {
            return Err(refuse(format!("`alpha_pattern`: `{pattern}` is {value}; expected a number")));
        }
        let mut patterns = config.rank_pattern.keys().chain(config.alpha_pattern.keys());
        if let Some(pattern) = patterns.find(|pattern| pattern.contains(|c: char| "*+?()[]{}|\\$".contains(c))) {
            return Err(refuse(format!(
                "`{pattern}`: expected the name of a layer or its end, not a regular expression"
            )));
        }
        Ok(config)
    }

    /// Returns what the product of the matrices of a layer is multiplied by.
    fn scale(&self, layer: &str, rank: usize) -> f64 {
        let alpha = pattern(&self.alpha_pattern, layer).unwrap_or(self.lora_alpha);
        let rank = rank as f64;
        if self.use_rslora { alpha / rank.sqrt() } else { alpha / rank }
    }
}

/// Returns the value of the first pattern, in the order of the file, that is the name of a layer or its end, after a dot; behind `^`,
/// only the whole name.
fn pattern(patterns: &Map<String, Value>, layer: &str) -> Option<f64> {
    let ends = |name: &str| layer.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let fits = |name: &str| name.strip_prefix('^').map_or_else(|| ends(name), |whole| whole == layer);
    patterns.iter().find(|(name, _)| fits(name)).and_then(|(_, value)| value.as_f64())
}

/// Returns the name of the base model of an adapter, if a folder is one.
///
/// # Errors
/// Returns an error if `adapter_config.json` is damaged, names no base model, or describes an adapter that is not supported.
pub(crate) fn base_of(folder: &Path) -> Result<Option<String>, InferError> {
    if !folder.join(ADAPTER_CONFIG).is_file() || has_weights(folder) {
        return Ok(None);
    }
    let base = AdapterConfig::read(folder)?.base_model_name_or_path;
    let path = folder.join(ADAPTER_CONFIG);
    base.map(Some).ok_or_else(|| InferError::Adapter { path, reason: "no `base_model_name_or_path`".into() })
}

/// Returns whether a folder has the weights of a whole model.
pub(crate) fn has_weights(folder: &Path) -> bool {
    ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| folder.join(name).is_file())
}

/// Returns a checkpoint with the low-rank adapters and the head in a folder of peft, merged into its weights.
///
/// # Errors
/// Returns an error if a file is missing, damaged or pickled, or if the adapter is of another kind or does not fit.
pub(crate) fn merged(base: &Checkpoint, folder: &Path) -> Result<Checkpoint, InferError> {
    let config = AdapterConfig::read(folder)?;
    let path = folder.join(ADAPTER_WEIGHTS);
    if !path.is_file() {
        let pickled = folder.join(PICKLED_WEIGHTS).is_file();
        let reason = match pickled {
            true => format!(
                "not found; {PICKLED_WEIGHTS} is not read, because a pickle file can run any program: save the adapter \
                 with `safe_serialization=True`"
            ),
            false => "not found".into(),
        };
        return Err(InferError::Adapter { path, reason });
    }
    let adapter = Checkpoint::from_file(&path)?;
    let mut merge = Merge { base, adapter: &adapter, config: &config, path: &path, tensors: Vec::new() };
    merge.all()?;
    Ok(base.clone().with_tensors(&path.display().to_string(), merge.tensors)?)
}

/// Returns the configuration of a base model with the classes of its adapter: those of a `config.json` in the folder, or else those
/// of the base model if the number fits, or else `LABEL_0`, `LABEL_1`, ….
pub(crate) fn adapted_config(
    base: &EncoderConfig,
    folder: &Path,
    merged: &Checkpoint,
) -> Result<EncoderConfig, InferError> {
    if folder.join("config.json").is_file() {
        return Ok(EncoderConfig::from_folder(folder)?);
    }
    let rows = merged.shape(&base.output_parameters()[0]).and_then(|shape| shape.first().copied());
    Ok(match rows {
        Some(rows) if rows != base.num_labels() => {
            base.clone().with_labels((0..rows).map(|row| format!("LABEL_{row}")))
        }
        _ => base.clone(),
    })
}

/// A tensor of the adapted model: its name, shape and values.
type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// The computation of the tensors that an adapter changes.
struct Merge<'a> {
    base: &'a Checkpoint,
    adapter: &'a Checkpoint,
    config: &'a AdapterConfig,
    path: &'a Path,
    tensors: Vec<NamedTensor>,
}

impl Merge<'_> {
    /// Adds a tensor for each one of the adapter.
    fn all(&mut self) -> Result<(), InferError> {
        for name in self.adapter.names() {
            let Some(of_model) = name.strip_prefix(PREFIX) else {
                return self.refuse(format!("tensor `{name}`: expected a name that begins with `{PREFIX}`"));
            };
            match of_model.rsplit_once(".lora_") {
                Some((layer, "A.weight")) => self.add_layer(name, layer)?,
                Some((layer, "B.weight")) => {
                    let other = format!("{PREFIX}{layer}.lora_A.weight");
                    if self.adapter.shape(&other).is_none() {
                        return self.refuse(format!("tensor `{name}`: `{other}` is missing"));
                    }
                }
                Some(_) => return self.refuse(format!("tensor `{name}`: an adapter of a kind that is not supported")),
                None => self.add_tensor(name, of_model)?,
            }
        }
        Ok(())
    }

    /// Adds a tensor that replaces one of the base model, or that belongs to a head of its own.
    fn add_tensor(&mut self, name: &str, of_model: &str) -> Result<(), InferError> {
        // So peft names the bias of a layer that has an adapter.
        let target = self.name_in_base(&of_model.replace(".base_layer.", "."));
        let is_of_head =
            |module: &String| target.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let saved = self.config.modules_to_save.iter().flatten();
        if self.base.shape(&target).is_none() && !saved.into_iter().any(is_of_head) {
            return self.refuse(format!("tensor `{name}`: the base model has no `{target}`"));
        }
        let shape = self.adapter.shape(name).unwrap_or_default().to_vec();
        let values = self.adapter.values(name)?.unwrap_or_default();
        self.tensors.push((target, shape, values));
        Ok(())
    }

    fn refuse(&self, reason: String) -> Result<(), InferError> {
        Err(InferError::Adapter { path: self.path.into(), reason })
    }

    /// Adds the weight of a linear layer, `[out, in]`, to which the product of its two matrices is added:
    /// `weight + scale · B · A`, with A `[r, in]` and B `[out, r]`.
    fn add_layer(&mut self, a_name: &str, layer: &str) -> Result<(), InferError> {
        let (b_name, weight) =
            (format!("{PREFIX}{layer}.lora_B.weight"), self.name_in_base(&format!("{layer}.weight")));
        let shape = |of: &Checkpoint, name: &str| <[usize; 2]>::try_from(of.shape(name)?).ok();
        let Some([rows, columns]) = shape(self.base, &weight) else {
            return self.refuse(format!("tensor `{a_name}`: the base model has no matrix `{weight}`"));
        };
        let matrices = shape(self.adapter, a_name).zip(shape(self.adapter, &b_name));
        let Some(([rank, inputs], [outputs, b_rank])) = matrices else {
            return self.refuse(format!("tensor `{a_name}`: expected two matrices, this one and `{b_name}`"));
        };
        if rank != b_rank || [outputs, inputs] != [rows, columns] {
            return self.refuse(format!(
                "tensor `{a_name}` of shape [{rank}, {inputs}] and `lora_B` of [{outputs}, {b_rank}] do not fit \
                 `{weight}` of [{rows}, {columns}] in the base model"
            ));
        }
        let expected = pattern(&self.config.rank_pattern, layer).map_or(self.config.r, |rank| rank as usize);
        if expected != rank {
            return self.refuse(format!("tensor `{a_name}`: rank {rank}, but {ADAPTER_CONFIG} says {expected}"));
        }
        let read = |of: &Checkpoint, name: &str| of.values(name).map(Option::unwrap_or_default);
        let (a, b) = (read(self.adapter, a_name)?, read(self.adapter, &b_name)?);
        let (mut values, scale) = (read(self.base, &weight)?, self.config.scale(layer, rank) as f32);
        for (row, factors) in values.chunks_mut(inputs).zip(b.chunks(rank)) {
            for (factor, a) in factors.iter().zip(a.chunks(inputs)) {
                row.iter_mut().zip(a).for_each(|(value, a)| *value += scale * factor * a);
            }
        }
        self.tensors.push((weight, vec![rows, columns], values));
        Ok(())
    }

    /// Returns the name that the base model has for a tensor: its files may lack the prefix of the family.
    fn name_in_base(&self, name: &str) -> String {
        let bare = name.split_once('.').map(|(_, bare)| bare).filter(|bare| self.base.shape(bare).is_some());
        match bare {
            Some(bare) if self.base.shape(name).is_none() => bare.into(),
            _ => name.into(),
        }
    }
}
