//! `config.json`, of any model family.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rekindle_files::{FileError, check_lfs_pointer};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::CheckpointError;

/// The most classes that `num_labels` may request.
const MOST_LABELS: u64 = 1 << 20;
/// The most layers of a model. The deepest trained encoders have some dozens.
const MOST_LAYERS: usize = 1024;
/// The largest value of all other sizes: ids have 32 bits.
const MOST: usize = u32::MAX as usize;
/// The most parameters of a model, about sixty times BERT's: 32 GiB in f32.
const MOST_PARAMETERS: u128 = 1 << 33;

/// The fields of a `config.json`, and its path for error messages.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
    /// The fields, as they are in the file.
    pub fields: Map<String, Value>,
}

impl ConfigFile {
    /// Reads `config.json` in `folder`.
    ///
    /// # Errors
    /// When the file is missing or not a JSON object.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join("config.json");
        if folder.is_dir() && !path.is_file() {
            return Err(CheckpointError::MissingFile { folder: folder.into(), expected: "config.json" });
        }
        let bytes = std::fs::read(&path).map_err(|source| FileError::read(&path, source))?;
        check_lfs_pointer(&path, &bytes)?;
        Self::parse(&bytes, &path)
    }

    /// Parses the text of a `config.json`; `path` is used in error messages only.
    ///
    /// # Errors
    /// When the text is not a JSON object.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let fields = serde_json::from_slice(json)
            .map_err(|error| CheckpointError::Json { path: path.into(), reason: error.to_string() })?;
        Ok(Self { path: path.into(), fields })
    }

    /// The error of a field with an unsupported value.
    pub fn refuse(&self, field: &str, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::Config { path: self.path.clone(), field: field.into(), reason: reason.into() }
    }

    /// Returns `model_type`, if it is text.
    pub fn model_type(&self) -> Option<&str> {
        self.fields.get("model_type").and_then(Value::as_str)
    }

    /// Removes fields that are `null` and may be, so that they get their defaults: transformers writes `null` for what is not
    /// set.
    pub fn remove_nulls(&mut self, nullable: &[&str]) {
        self.fields.retain(|field, value| !(value.is_null() && nullable.contains(&field.as_str())));
    }

    /// Returns the class names by their index, as transformers has them: `id2label`; else `num_labels` names such as `LABEL_0`;
    /// else two.
    ///
    /// # Errors
    /// When the classes are not numbered from 0.
    pub fn id2label(&self) -> Result<BTreeMap<String, String>, CheckpointError> {
        let set = |field: &str| self.fields.get(field).filter(|value| !value.is_null());
        let count = match set("num_labels").and_then(Value::as_u64) {
            Some(count) if count > MOST_LABELS => {
                let reason = format!("{count} classes are more than the {MOST_LABELS} there can be");
                return Err(self.refuse("num_labels", reason));
            }
            count => count.unwrap_or(2),
        };
        let Some(names) = set("id2label") else {
            return Ok(label_names((0..count).map(|index| format!("LABEL_{index}"))));
        };
        let names: BTreeMap<String, Value> =
            serde_json::from_value(names.clone()).map_err(|error| self.refuse("id2label", error.to_string()))?;
        let names = names.into_iter().map(|(index, name)| self.name(index, name)).collect::<Result<_, _>>()?;
        self.check_indices(&names)?;
        Ok(names)
    }

    /// A name that is a number or a truth value is written out, as Python does.
    fn name(&self, index: String, name: Value) -> Result<(String, String), CheckpointError> {
        match name {
            Value::String(name) => Ok((index, name)),
            Value::Number(number) => Ok((index, number.to_string())),
            Value::Bool(value) => Ok((index, if value { "True" } else { "False" }.into())),
            other => Err(self.refuse("id2label", format!("`{index}` is {other}, not a name"))),
        }
    }

    fn check_indices(&self, names: &BTreeMap<String, String>) -> Result<(), CheckpointError> {
        if names.is_empty() {
            return Err(self.refuse("id2label", "names no class"));
        }
        match (0..names.len()).all(|index| names.contains_key(&index.to_string())) {
            true => Ok(()),
            false => Err(self.refuse("id2label", format!("its keys are not 0 to {}", names.len() - 1))),
        }
    }

    /// Returns a structure of these fields, the others of which have the default values of the structure. Unknown fields are
    /// ignored.
    ///
    /// # Errors
    /// When a field has a value of another kind.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CheckpointError> {
        self.read_with(&Map::new())
    }

    /// Returns a structure of these fields and, where they are absent, of `defaults`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with<T: DeserializeOwned>(&self, defaults: &Map<String, Value>) -> Result<T, CheckpointError> {
        // One field at a time, so that an error names its field.
        for (field, value) in &self.fields {
            let mut alone = defaults.clone();
            alone.insert(field.clone(), value.clone());
            serde_json::from_value::<T>(Value::Object(alone)).map_err(|error| self.refuse(field, error.to_string()))?;
        }
        let mut all = defaults.clone();
        all.extend(self.fields.clone());
        serde_json::from_value(Value::Object(all)).map_err(|error| self.refuse("config", error.to_string()))
    }

    /// Checks that sizes are at least 1 and not absurd; `layers` names the field that counts the layers.
    ///
    /// # Errors
    /// When a size is 0 or more than a model can have.
    pub fn check_sizes(&self, sizes: &[(&str, usize)], layers: &str) -> Result<(), CheckpointError> {
        for (field, value) in sizes {
            let most = if *field == layers { MOST_LAYERS } else { MOST };
            if *value == 0 {
                return Err(self.refuse(field, "must be at least 1"));
            }
            if *value > most {
                return Err(self.refuse(field, format!("{value} is more than the {most} there can be")));
            }
        }
        Ok(())
    }

    /// Rejects a model that is too large before memory is allocated, naming the field that contributes most. `parts` are the
    /// numbers of parameters that the fields are responsible for.
    ///
    /// # Errors
    /// When the sum is more than a model can have.
    pub fn check_parameters(&self, parts: &[(&str, u128)]) -> Result<(), CheckpointError> {
        let total: u128 = parts.iter().map(|(_, count)| count).sum();
        match parts.iter().max_by_key(|(_, count)| count) {
            Some((field, _)) if total > MOST_PARAMETERS => {
                let reason =
                    format!("the model would have {total} parameters, more than the {MOST_PARAMETERS} there can be");
                Err(self.refuse(field, reason))
            }
            _ => Ok(()),
        }
    }

    /// Checks that dropout rates are in `[0, 1)`, and that the deviation of initial weights is a positive number.
    ///
    /// # Errors
    /// When one is not.
    pub fn check_rates(&self, dropouts: &[(&str, f64)], initializer_range: f64) -> Result<(), CheckpointError> {
        if let Some((field, rate)) = dropouts.iter().find(|(_, rate)| !(0.0..1.0).contains(rate)) {
            return Err(self.refuse(field, format!("{rate} is not in [0, 1)")));
        }
        let deviation = initializer_range as f32;
        match deviation.is_finite() && deviation > 0.0 {
            true => Ok(()),
            false => {
                Err(self.refuse("initializer_range", format!("{initializer_range} is not a positive number of f32")))
            }
        }
    }
}

/// Returns class names by their index, as `id2label` has them.
pub fn label_names<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> BTreeMap<String, String> {
    labels.into_iter().enumerate().map(|(index, label)| (index.to_string(), label.into())).collect()
}

/// Returns the class names in the order of their index.
pub fn labels(id2label: &BTreeMap<String, String>) -> Vec<String> {
    (0..id2label.len()).filter_map(|index| id2label.get(&index.to_string()).cloned()).collect()
}

/// Writes into the fields of a configuration what transformers derives from its class names and its class: `id2label`,
/// `label2id`, `architectures` and `model_type`.
pub fn insert_labels(
    fields: &mut Map<String, Value>,
    id2label: &BTreeMap<String, String>,
    architecture: &str,
    model_type: &str,
) {
    let label2id: Map<String, Value> =
        labels(id2label).into_iter().enumerate().map(|(index, label)| (label, Value::from(index))).collect();
    let names = id2label.iter().map(|(index, name)| (index.clone(), Value::from(name.as_str()))).collect();
    fields.insert("id2label".into(), Value::Object(names));
    fields.insert("label2id".into(), Value::Object(label2id));
    fields.insert("architectures".into(), Value::from(vec![architecture]));
    fields.insert("model_type".into(), Value::from(model_type));
}
