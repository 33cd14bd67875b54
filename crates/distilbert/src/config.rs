//! `config.json`, as transformers writes it for DistilBERT.

use std::collections::BTreeMap;
use std::path::Path;

use rekindle_checkpoint::{CheckpointError, ConfigFile, Problem, insert_labels, label_names, labels};
use rekindle_nn::{Activation, InputLimits, Pooling};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fields that may be `null`, which stands for their default.
const NULLABLE: [&str; 5] = ["pad_token_id", "id2label", "num_labels", "problem_type", "classifier_pooling"];

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
    #[serde(skip_deserializing)]
    pub id2label: BTreeMap<String, String>,
    /// What the outputs of the classifier mean. Default: as their number says.
    #[serde(flatten, skip_deserializing)]
    pub problem: Problem,
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
            problem: Problem::default(),
        }
    }
}

impl DistilBertConfig {
    /// Reads `config.json` in `folder`.
    ///
    /// # Errors
    /// When the file is missing or not JSON, `model_type` is another, or a field has a value that the model does not
    /// support.
    pub fn from_folder(folder: &Path) -> Result<Self, CheckpointError> {
        Self::from_file(ConfigFile::open(folder)?)
    }

    /// Parses the text of a `config.json`; `path` is used in error messages only.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        Self::from_file(ConfigFile::parse(json, path)?)
    }

    /// Reads the fields of a `config.json`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_file(mut file: ConfigFile) -> Result<Self, CheckpointError> {
        file.remove_nulls(&NULLABLE);
        match file.model_type() {
            Some("distilbert") => {}
            Some(other) => return Err(file.refuse("model_type", format!("{other} is not distilbert"))),
            None => return Err(file.refuse("model_type", "absent; distilbert is expected")),
        }
        let activation = file.fields.get("activation");
        if let Some(activation) = activation.filter(|name| *name != "gelu" && *name != "relu") {
            let reason = format!("{activation} is not supported; \"gelu\" and \"relu\" are");
            return Err(file.refuse("activation", reason));
        }
        let id2label = file.id2label()?;
        let problem = file.problem(id2label.len())?;
        let config = Self { id2label, problem, ..file.read()? };
        config.validate(&file)?;
        Ok(config)
    }

    fn validate(&self, file: &ConfigFile) -> Result<(), CheckpointError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("dim", self.dim),
            ("hidden_dim", self.hidden_dim),
        ];
        file.check_sizes(&sizes, "n_layers")?;
        let [words, positions, layers, dim, hidden] =
            [self.vocab_size, self.max_position_embeddings, self.n_layers, self.dim, self.hidden_dim]
                .map(|value| value as u128);
        file.check_parameters(&[
            ("vocab_size", words * dim),
            ("max_position_embeddings", positions * dim),
            ("n_layers", layers * (4 * dim * dim + 2 * dim * hidden)),
            ("id2label", self.num_labels() as u128 * dim),
        ])?;
        if !self.dim.is_multiple_of(self.n_heads) {
            return Err(file.refuse("n_heads", format!("{} heads do not divide dim {}", self.n_heads, self.dim)));
        }
        let dropouts = [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
            ("seq_classif_dropout", self.seq_classif_dropout),
        ];
        file.check_rates(&dropouts, self.initializer_range)
    }

    /// The number of classes, the length of `id2label`.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// The class names in the order of the logits.
    pub fn labels(&self) -> Vec<String> {
        labels(&self.id2label)
    }

    /// The same configuration with other classes, in the order of the logits.
    pub fn with_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.id2label = label_names(labels);
        self.problem = self.problem.untrained();
        self
    }

    /// The text of a `config.json` that `AutoModelForSequenceClassification` opens.
    pub fn to_json(&self) -> String {
        self.json_for("DistilBertForSequenceClassification")
    }

    /// The text of a `config.json` that `AutoModelForMaskedLM` opens.
    pub fn to_masked_lm_json(&self) -> String {
        Self { problem: Problem::default(), ..self.clone() }.json_for("DistilBertForMaskedLM")
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
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        insert_labels(&mut fields, &self.id2label, architecture, "distilbert");
        fields.insert("tie_weights_".into(), Value::from(true));
        fields
    }
}

impl From<&DistilBertConfig> for InputLimits {
    fn from(config: &DistilBertConfig) -> Self {
        Self { vocab_size: config.vocab_size, max_length: config.max_position_embeddings, ..Self::default() }
    }
}
