//! `config.json`, as transformers writes it for DistilBERT.

use std::collections::BTreeMap;
use std::path::Path;

use rekindle_checkpoint::CheckpointError;
use rekindle_files::{FileError, check_lfs_pointer};
use rekindle_nn::{Activation, InputLimits};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::bert;

/// The most classes that `num_labels` may request.
const MOST_LABELS: u64 = 1 << 20;
/// The most layers of a model. The deepest trained encoders have some dozens.
const MOST_LAYERS: u64 = 1024;
/// The largest value of all other sizes: ids have 32 bits.
const MOST: u64 = u32::MAX as u64;
/// The most parameters of a model, about sixty times BERT's: 32 GiB in f32.
const MOST_PARAMETERS: u128 = 1 << 33;

/// The fields that may be `null`, which stands for their default.
const NULLABLE: [&str; 5] = ["pad_token_id", "id2label", "num_labels", "problem_type", "classifier_pooling"];

/// What the classifier reads of a sequence, with the names of ModernBERT's `classifier_pooling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pooling {
    /// The last hidden state of the first token, `[CLS]`, as in transformers' DistilBERT.
    #[default]
    Cls,
    /// The mean of the last hidden states of all tokens that attention reads.
    Mean,
}

impl Pooling {
    fn is_cls(&self) -> bool {
        *self == Self::Cls
    }
}

/// The sizes of a DistilBERT model and its dropout rates.
///
/// Field names and defaults are those of transformers' `DistilBertConfig`; the defaults are distilbert-base-uncased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistilBertConfig {
    /// Entries of the word table. Default 30,522.
    pub vocab_size: usize,
    /// The number of tokens of the longest sequence. Default 512.
    pub max_position_embeddings: usize,
    /// Whether the position table is initialized with sines and cosines, and is not trained. Default false.
    pub sinusoidal_pos_embds: bool,
    /// Transformer layers. Default 6.
    pub n_layers: usize,
    /// Attention heads; they divide `dim`. Default 12.
    pub n_heads: usize,
    /// Width of the hidden states. Default 768.
    pub dim: usize,
    /// Width of the feed-forward block. Default 3,072.
    pub hidden_dim: usize,
    /// Dropout on the embeddings and at the end of each feed-forward block. Default 0.1.
    pub dropout: f64,
    /// Dropout on the attention probabilities. Default 0.1.
    pub attention_dropout: f64,
    /// Activation function of the feed-forward blocks. Default gelu.
    pub activation: Activation,
    /// Standard deviation of initial weights. Default 0.02.
    pub initializer_range: f64,
    /// Dropout before the classifier. Default 0.2.
    pub seq_classif_dropout: f64,
    /// Dropout of the question-answering head, which this crate does not have; kept for saving. Default 0.1.
    pub qa_dropout: f64,
    /// The id of `[PAD]`. Default 0.
    pub pad_token_id: u32,
    /// What the classifier reads. transformers' DistilBERT supports only the default and ignores the field. Default cls.
    #[serde(skip_serializing_if = "Pooling::is_cls")]
    pub classifier_pooling: Pooling,
    /// Class names by their index, as strings of numbers. Default `LABEL_0`, `LABEL_1`. Names that are numbers in the file are
    /// read as text.
    #[serde(deserialize_with = "names")]
    pub id2label: BTreeMap<String, String>,
}

impl Default for DistilBertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30_522,
            max_position_embeddings: 512,
            sinusoidal_pos_embds: false,
            n_layers: 6,
            n_heads: 12,
            dim: 768,
            hidden_dim: 3_072,
            dropout: 0.1,
            attention_dropout: 0.1,
            activation: Activation::Gelu,
            initializer_range: 0.02,
            seq_classif_dropout: 0.2,
            qa_dropout: 0.1,
            pad_token_id: 0,
            classifier_pooling: Pooling::Cls,
            id2label: label_names(["LABEL_0", "LABEL_1"]),
        }
    }
}

fn label_names<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> BTreeMap<String, String> {
    labels.into_iter().enumerate().map(|(index, label)| (index.to_string(), label.into())).collect()
}

/// Reads names, of which those that are numbers are written out, as Python does.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let name = |(index, name): (String, Value)| match name {
        Value::String(name) => Ok((index, name)),
        Value::Number(number) => Ok((index, number.to_string())),
        Value::Bool(value) => Ok((index, if value { "True" } else { "False" }.into())),
        other => Err(D::Error::custom(format!("`{index}` is {other}, not a name"))),
    };
    BTreeMap::<String, Value>::deserialize(deserializer)?.into_iter().map(name).collect()
}

impl DistilBertConfig {
    /// Reads `config.json` in `folder`, of a DistilBERT, or of a BERT whose options DistilBERT supports.
    ///
    /// # Errors
    /// When the file is missing or not JSON, `model_type` is another, or a field has a value that the model does not
    /// support.
    pub fn from_folder(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join("config.json");
        if folder.is_dir() && !path.is_file() {
            return Err(CheckpointError::MissingFile { folder: folder.into(), expected: "config.json" });
        }
        let bytes = std::fs::read(&path).map_err(|source| FileError::read(&path, source))?;
        check_lfs_pointer(&path, &bytes)?;
        Self::from_json(&bytes, &path)
    }

    /// Parses the text of a `config.json`; `path` is used in error messages only.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let refuse =
            |field: &str, reason: String| CheckpointError::Config { path: path.into(), field: field.into(), reason };
        let mut fields: Map<String, Value> = serde_json::from_slice(json)
            .map_err(|error| CheckpointError::Json { path: path.into(), reason: error.to_string() })?;
        // transformers writes `null` for what is not set.
        fields.retain(|field, value| !(value.is_null() && NULLABLE.contains(&field.as_str())));
        match fields.get("model_type").and_then(Value::as_str) {
            Some("distilbert") => {}
            Some("bert") => {
                let mut ours = bert::config(&fields).map_err(|(field, reason)| refuse(field, reason))?;
                let shared = ["problem_type", "num_labels", "id2label", "classifier_pooling"];
                ours.extend(shared.into_iter().filter_map(|field| Some((field.into(), fields.get(field)?.clone()))));
                fields = ours;
            }
            Some(other) => return Err(refuse("model_type", format!("{other} is neither distilbert nor bert"))),
            None => return Err(refuse("model_type", "absent; distilbert or bert is expected".into())),
        }
        if fields.get("problem_type").is_some_and(|kind| !kind.is_null() && kind != "single_label_classification") {
            return Err(refuse(
                "problem_type",
                format!("{} is not supported; single_label_classification is", fields["problem_type"]),
            ));
        }
        if let Some(activation) = fields.get("activation").filter(|name| *name != "gelu" && *name != "relu") {
            return Err(refuse("activation", format!("{activation} is not supported; \"gelu\" and \"relu\" are")));
        }
        let unnamed = match fields.get("num_labels").and_then(Value::as_u64) {
            Some(count) if count > MOST_LABELS => {
                return Err(refuse(
                    "num_labels",
                    format!("{count} classes are more than the {MOST_LABELS} there can be"),
                ));
            }
            count => count.filter(|_| !fields.contains_key("id2label")),
        };
        // One field at a time, so that an error names its field.
        for (field, value) in &fields {
            let alone = Value::Object(Map::from_iter([(field.clone(), value.clone())]));
            serde_json::from_value::<Self>(alone).map_err(|error| refuse(field, error.to_string()))?;
        }
        let mut config: Self =
            serde_json::from_value(Value::Object(fields)).map_err(|error| refuse("config", error.to_string()))?;
        if let Some(count) = unnamed {
            config = config.with_labels((0..count).map(|index| format!("LABEL_{index}")));
        }
        config.validate().map_err(|(field, reason)| refuse(field, reason))?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), (&'static str, String)> {
        for (field, value) in [
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("dim", self.dim),
            ("hidden_dim", self.hidden_dim),
        ] {
            if value == 0 {
                return Err((field, "must be at least 1".into()));
            }
            let most = if field == "n_layers" { MOST_LAYERS } else { MOST };
            if value as u64 > most {
                return Err((field, format!("{value} is more than the {most} there can be")));
            }
        }
        self.check_size()?;
        if !self.dim.is_multiple_of(self.n_heads) {
            return Err(("n_heads", format!("{} heads do not divide dim {}", self.n_heads, self.dim)));
        }
        for (field, rate) in [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
            ("seq_classif_dropout", self.seq_classif_dropout),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return Err((field, format!("{rate} is not in [0, 1)")));
            }
        }
        let deviation = self.initializer_range as f32;
        if !(deviation.is_finite() && deviation > 0.0) {
            return Err(("initializer_range", format!("{} is not a positive number of f32", self.initializer_range)));
        }
        if (0..self.id2label.len()).any(|index| !self.id2label.contains_key(&index.to_string())) {
            return Err(("id2label", format!("its keys are not 0 to {}", self.id2label.len().saturating_sub(1))));
        }
        if self.id2label.is_empty() {
            return Err(("id2label", "names no class".into()));
        }
        Ok(())
    }

    /// Rejects a model that is too large before memory is allocated, naming the field that contributes most.
    fn check_size(&self) -> Result<(), (&'static str, String)> {
        let [words, positions, layers, dim, hidden] =
            [self.vocab_size, self.max_position_embeddings, self.n_layers, self.dim, self.hidden_dim]
                .map(|value| value as u128);
        let parts = [
            ("vocab_size", words * dim),
            ("max_position_embeddings", positions * dim),
            ("n_layers", layers * (4 * dim * dim + 2 * dim * hidden)),
            ("id2label", self.num_labels() as u128 * dim),
        ];
        let total: u128 = parts.iter().map(|(_, count)| count).sum();
        match parts.iter().max_by_key(|(_, count)| count) {
            Some((field, _)) if total > MOST_PARAMETERS => Err((
                field,
                format!("the model would have {total} parameters, more than the {MOST_PARAMETERS} there can be"),
            )),
            _ => Ok(()),
        }
    }

    /// The number of classes, the length of `id2label`.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// The class names in the order of the logits.
    pub fn labels(&self) -> Vec<String> {
        (0..self.num_labels()).filter_map(|index| self.id2label.get(&index.to_string()).cloned()).collect()
    }

    /// The same configuration with other classes, in the order of the logits.
    pub fn with_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.id2label = label_names(labels);
        self
    }

    /// The text of a `config.json` that `AutoModelForSequenceClassification` opens.
    pub fn to_json(&self) -> String {
        self.json_for("DistilBertForSequenceClassification")
    }

    /// The text of a `config.json` that `AutoModelForMaskedLM` opens.
    pub fn to_masked_lm_json(&self) -> String {
        self.json_for("DistilBertForMaskedLM")
    }

    /// The text of a `config.json` of the encoder alone, which `AutoModel` opens, and which says whether it returns the hidden
    /// states of all layers.
    pub fn to_encoder_json(&self, output_hidden_states: bool) -> String {
        let mut fields = self.fields_for("DistilBertModel");
        fields.insert("output_hidden_states".into(), Value::from(output_hidden_states));
        format!("{:#}\n", Value::Object(fields))
    }

    fn json_for(&self, architecture: &str) -> String {
        format!("{:#}\n", Value::Object(self.fields_for(architecture)))
    }

    fn fields_for(&self, architecture: &str) -> Map<String, Value> {
        let label2id: Map<String, Value> =
            self.labels().into_iter().enumerate().map(|(index, label)| (label, Value::from(index))).collect();
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.insert("label2id".into(), Value::Object(label2id));
        fields.insert("architectures".into(), Value::from(vec![architecture]));
        fields.insert("model_type".into(), Value::from("distilbert"));
        fields.insert("tie_weights_".into(), Value::from(true));
        fields
    }
}

impl From<&DistilBertConfig> for InputLimits {
    fn from(config: &DistilBertConfig) -> Self {
        Self { vocab_size: config.vocab_size, max_length: config.max_position_embeddings, ..Self::default() }
    }
}
