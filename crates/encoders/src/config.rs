//! `config.json`, of every family.

use std::collections::BTreeMap;
use std::path::Path;

use rekindle_checkpoint::{
    CheckpointError, ConfigFile, Problem, QUANTIZATION, insert_labels, label_names, labels, quantization_config,
};
use rekindle_distilbert::DistilBertConfig;
use rekindle_nn::{Activation, InputLimits, Pooling};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::family::Family;

/// The fields that may be `null`, which stands for their default.
const NULLABLE: [&str; 6] =
    ["pad_token_id", "id2label", "num_labels", "problem_type", "classifier_pooling", "classifier_dropout"];

/// The sizes of a model and its dropout rates, and the names of its classes.
///
/// Field names are those of transformers' `BertConfig`, and the defaults those of the family's configuration class.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EncoderConfig {
    /// The family, `model_type` in the file.
    pub family: Family,
    /// Entries of the word table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward blocks.
    pub intermediate_size: usize,
    /// Width of the embedding tables; `hidden_size` in most families.
    pub embedding_size: usize,
    /// Rows of the position table. [`max_length`](Self::max_length) has the number of tokens.
    pub max_position_embeddings: usize,
    /// Segments: 2 if the second text of a pair differs from the first, 1 if not.
    pub type_vocab_size: usize,
    /// Activation function of the feed-forward blocks.
    pub hidden_act: Activation,
    /// Dropout on the embeddings and at the end of each block.
    pub hidden_dropout_prob: f64,
    /// Dropout on the attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// Dropout in the classification head.
    pub classifier_dropout: f64,
    /// The epsilon of all LayerNorms.
    pub layer_norm_eps: f64,
    /// Standard deviation of initial weights.
    pub initializer_range: f64,
    /// The id of the padding token.
    pub pad_token_id: u32,
    /// Whether the masked-language head projects to words by the word table.
    pub tie_word_embeddings: bool,
    /// What the classifier reads. transformers supports only the default for most families, and ignores the field.
    pub classifier_pooling: Pooling,
    /// Class names by their index, as strings of numbers.
    pub id2label: BTreeMap<String, String>,
    /// What the outputs of the classifier mean.
    pub problem: Problem,
    /// The fields of the file, which are saved again.
    fields: Map<String, Value>,
    /// `quantization_config` of a file whose weights are in int8.
    quantization: Option<Value>,
}

/// The fields of [`EncoderConfig`] that a file has.
#[derive(Deserialize)]
struct Fields {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    embedding_size: Option<usize>,
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    hidden_act: Activation,
    hidden_dropout_prob: f64,
    attention_probs_dropout_prob: f64,
    classifier_dropout: Option<f64>,
    layer_norm_eps: f64,
    initializer_range: f64,
    pad_token_id: u32,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    classifier_pooling: Pooling,
}

fn yes() -> bool {
    true
}

impl EncoderConfig {
    /// Reads `config.json` in `folder`.
    ///
    /// # Errors
    /// When the file is missing or not JSON, the family is not supported, or a field has a value that the model does not
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

    fn from_file(mut file: ConfigFile) -> Result<Self, CheckpointError> {
        let known = Family::known();
        let family = match file.model_type() {
            Some(model_type) => Family::of(model_type).ok_or_else(|| {
                let code = file.fields.contains_key("auto_map");
                let code = if code {
                    "; the Python code that `auto_map` names is never run (no trust_remote_code)"
                } else {
                    ""
                };
                file.refuse("model_type", format!("{model_type} is not supported; {known} are{code}"))
            })?,
            None => return Err(file.refuse("model_type", format!("absent; expected one of {known}"))),
        };
        file.check_quantization()?;
        let quantization = file.fields.shift_remove(QUANTIZATION).filter(|value| !value.is_null());
        let config = match family {
            Family::DistilBert => DistilBertConfig::from_file(file).map(Self::from),
            family => Self::of_family(family, file),
        };
        Ok(Self { quantization, ..config? })
    }

    fn of_family(family: Family, mut file: ConfigFile) -> Result<Self, CheckpointError> {
        let spec = family.spec();
        file.remove_nulls(&NULLABLE);
        for (field, only) in spec.required {
            let supported: Value = serde_json::from_str(only).unwrap_or_default();
            let is_other = |value: &&Value| !value.is_null() && **value != supported;
            if let Some(other) = file.fields.get(*field).filter(is_other) {
                return Err(file.refuse(field, format!("{other} is not supported; {only} is")));
            }
        }
        let id2label = file.id2label()?;
        let problem = file.problem(id2label.len())?;
        let fields = file.fields.clone();
        for (name, theirs) in spec.renamed {
            if let Some(value) = file.fields.remove(*theirs) {
                file.fields.insert((*name).into(), value);
            }
        }
        let defaults: Map<String, Value> = serde_json::from_str(spec.defaults).unwrap_or_default();
        let read: Fields = file.read_with(&defaults)?;
        let config = Self {
            family,
            vocab_size: read.vocab_size,
            hidden_size: read.hidden_size,
            num_hidden_layers: read.num_hidden_layers,
            num_attention_heads: read.num_attention_heads,
            intermediate_size: read.intermediate_size,
            embedding_size: read.embedding_size.unwrap_or(read.hidden_size),
            max_position_embeddings: read.max_position_embeddings,
            type_vocab_size: read.type_vocab_size,
            hidden_act: read.hidden_act,
            hidden_dropout_prob: read.hidden_dropout_prob,
            attention_probs_dropout_prob: read.attention_probs_dropout_prob,
            classifier_dropout: read.classifier_dropout.unwrap_or(read.hidden_dropout_prob),
            layer_norm_eps: read.layer_norm_eps,
            initializer_range: read.initializer_range,
            pad_token_id: read.pad_token_id,
            tie_word_embeddings: read.tie_word_embeddings,
            classifier_pooling: read.classifier_pooling,
            id2label,
            problem,
            fields,
            quantization: None,
        };
        config.validate(&file)?;
        (spec.check)(&file)?;
        Ok(config)
    }

    /// Returns the fields that the family alone has.
    pub(crate) fn options<T: DeserializeOwned + Default>(&self) -> T {
        // They were read once, when the family checked them.
        serde_json::from_value(Value::Object(self.fields.clone())).unwrap_or_default()
    }

    fn validate(&self, file: &ConfigFile) -> Result<(), CheckpointError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("embedding_size", self.embedding_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        file.check_sizes(&sizes, "num_hidden_layers")?;
        let [words, positions, layers, hidden, inner, width] = [
            self.vocab_size,
            self.max_position_embeddings,
            self.num_hidden_layers,
            self.hidden_size,
            self.intermediate_size,
            self.embedding_size,
        ]
        .map(|value| value as u128);
        file.check_parameters(&[
            ("vocab_size", words * width),
            ("max_position_embeddings", positions * width),
            ("type_vocab_size", self.type_vocab_size as u128 * width),
            ("num_hidden_layers", layers * (4 * hidden * hidden + 2 * hidden * inner)),
            ("id2label", self.num_labels() as u128 * hidden),
        ])?;
        let heads = self.num_attention_heads;
        if !self.hidden_size.is_multiple_of(heads) {
            let reason = format!("{heads} heads do not divide hidden_size {}", self.hidden_size);
            return Err(file.refuse("num_attention_heads", reason));
        }
        if self.max_length() == 0 {
            let reason = format!("{} positions leave none for a token", self.max_position_embeddings);
            return Err(file.refuse("max_position_embeddings", reason));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            return Err(file.refuse("layer_norm_eps", format!("{} is not a positive number", self.layer_norm_eps)));
        }
        let dropouts = [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout),
        ];
        file.check_rates(&dropouts, self.initializer_range)
    }

    /// Returns the number of tokens of the longest text.
    pub fn max_length(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    /// Returns the row of the position table that the first token of a text reads.
    pub fn first_position(&self) -> usize {
        match self.family {
            Family::Roberta | Family::XlmRoberta | Family::Camembert => self.pad_token_id as usize + 1,
            // transformers does not read the id from the configuration.
            Family::Mpnet => 2,
            _ => 0,
        }
    }

    /// Returns the number of classes, the length of `id2label`.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// Returns the class names in the order of the logits.
    pub fn labels(&self) -> Vec<String> {
        labels(&self.id2label)
    }

    /// Returns the names of the parameters that have a row per class.
    pub fn output_parameters(&self) -> [String; 2] {
        let output = self.family.spec().output;
        ["weight", "bias"].map(|part| format!("{output}.{part}"))
    }

    /// Returns the same configuration with other classes, in the order of the logits.
    pub fn with_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.id2label = label_names(labels);
        self.problem = self.problem.untrained();
        self
    }

    /// Returns the same configuration, the outputs of whose classifier mean something else.
    pub fn with_problem(self, problem: Problem) -> Self {
        Self { problem, ..self }
    }

    /// Returns the same configuration, whose classifier reads something else.
    pub fn with_pooling(self, classifier_pooling: Pooling) -> Self {
        Self { classifier_pooling, ..self }
    }

    /// Returns whether the file says that weights are in int8.
    pub fn is_int8(&self) -> bool {
        self.quantization.is_some()
    }

    /// Returns the same configuration for weights in int8, except for those of the linear layers `ignore`, as
    /// [`not_in_int8`](crate::SequenceClassifier::not_in_int8) returns them; with `None` for weights in f32.
    pub fn with_int8(self, ignore: Option<&[String]>) -> Self {
        Self { quantization: ignore.map(quantization_config), ..self }
    }

    /// Returns the text of a `config.json` that `AutoModelForSequenceClassification` opens.
    pub fn to_json(&self) -> String {
        self.json_for("ForSequenceClassification", &[])
    }

    /// Returns the text of a `config.json` that `AutoModelForMaskedLM` opens.
    pub fn to_masked_lm_json(&self) -> String {
        self.clone().with_problem(Problem::default()).json_for("ForMaskedLM", &[])
    }

    /// Returns the text of a `config.json` of the encoder alone, which `AutoModel` opens, and which says whether it returns the
    /// hidden states of all layers.
    pub fn to_encoder_json(&self, output_hidden_states: bool) -> String {
        self.json_for("Model", &[("output_hidden_states", output_hidden_states.into())])
    }

    fn json_for(&self, kind: &str, further: &[(&str, Value)]) -> String {
        let spec = self.family.spec();
        let mut fields = self.all_fields();
        // The others keep their order: a configuration that is read again is written with the same bytes.
        fields.retain(|name, _| !["num_labels", "auto_map"].contains(&name.as_str()));
        self.problem.insert_into(&mut fields);
        if self.classifier_pooling.is_cls() {
            fields.shift_remove("classifier_pooling");
        } else {
            fields.insert("classifier_pooling".into(), "mean".into());
        }
        insert_labels(&mut fields, &self.id2label, &format!("{}{kind}", spec.class), spec.model_type);
        fields.extend(self.quantization.iter().map(|value| (QUANTIZATION.into(), value.clone())));
        fields.extend(further.iter().map(|(name, value)| ((*name).into(), value.clone())));
        format!("{:#}\n", Value::Object(fields))
    }

    /// Returns the fields of the file with the values that this configuration has.
    fn all_fields(&self) -> Map<String, Value> {
        let spec = self.family.spec();
        let defaults: Map<String, Value> = serde_json::from_str(spec.defaults).unwrap_or_default();
        let mut all = self.fields.clone();
        let values = serde_json::json!({
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "embedding_size": self.embedding_size,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "hidden_act": self.hidden_act,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "classifier_dropout": self.classifier_dropout,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "pad_token_id": self.pad_token_id,
        });
        for (name, value) in values.as_object().into_iter().flatten() {
            let renamed = spec.renamed.iter().find(|(ours, _)| ours == name);
            let theirs = renamed.map_or(name.as_str(), |(_, theirs)| theirs);
            if all.contains_key(theirs) || defaults.contains_key(name) {
                all.insert(theirs.into(), value.clone());
            }
        }
        all
    }

    /// Returns a configuration of DistilBERT as its crate has it.
    pub(crate) fn distilbert(&self) -> DistilBertConfig {
        DistilBertConfig {
            id2label: self.id2label.clone(),
            problem: self.problem.clone(),
            classifier_pooling: self.classifier_pooling,
            ..serde_json::from_value(Value::Object(self.all_fields())).unwrap_or_default()
        }
    }
}

/// distilbert-base-uncased.
impl Default for EncoderConfig {
    fn default() -> Self {
        DistilBertConfig::default().into()
    }
}

impl From<DistilBertConfig> for EncoderConfig {
    fn from(config: DistilBertConfig) -> Self {
        let mut fields = match serde_json::to_value(&config) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.retain(|name, _| name != "classifier_pooling" && !Problem::FIELDS.contains(&name.as_str()));
        fields.insert("tie_weights_".into(), true.into());
        Self {
            family: Family::DistilBert,
            vocab_size: config.vocab_size,
            hidden_size: config.dim,
            num_hidden_layers: config.n_layers,
            num_attention_heads: config.n_heads,
            intermediate_size: config.hidden_dim,
            embedding_size: config.dim,
            max_position_embeddings: config.max_position_embeddings,
            type_vocab_size: 1,
            hidden_act: config.activation,
            hidden_dropout_prob: config.dropout,
            attention_probs_dropout_prob: config.attention_dropout,
            classifier_dropout: config.seq_classif_dropout,
            layer_norm_eps: rekindle_distilbert::LAYER_NORM_EPS,
            initializer_range: config.initializer_range,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: true,
            classifier_pooling: config.classifier_pooling,
            id2label: config.id2label,
            problem: config.problem,
            fields,
            quantization: None,
        }
    }
}

impl From<&EncoderConfig> for InputLimits {
    fn from(config: &EncoderConfig) -> Self {
        Self {
            vocab_size: config.vocab_size,
            max_length: config.max_length(),
            first_position: config.first_position(),
            type_vocab_size: config.type_vocab_size,
        }
    }
}

#[cfg(test)]
mod tests {
    use rekindle_checkpoint::{Calibration, ProblemType};

    use super::*;

    fn read(json: &str) -> EncoderConfig {
        EncoderConfig::from_json(json.as_bytes(), Path::new("config.json")).expect("a configuration")
    }

    /// An experiment reads the models of finished runs again when it is resumed or distributed.
    #[test]
    fn a_configuration_that_was_read_again_is_written_with_the_same_bytes() {
        let calibration = Calibration { method: "temperature".into(), ..Calibration::default() };
        let single = Some(ProblemType::SingleLabelClassification);
        let problem = Problem { problem_type: single, calibration: Some(calibration), ..Problem::default() };
        let problem = Problem { thresholds: vec![0.3, 0.7], ..problem };
        for family in Family::ALL {
            let name = family.model_type();
            let fields = [
                format!(r#""model_type": "{name}""#),
                format!(r#""num_labels": 3, "problem_type": null, "model_type": "{name}", "auto_map": {{}}, "own": 1"#),
                format!(r#""classifier_pooling": "mean", "model_type": "{name}", "rekindle_ordinal": true, "own": 1"#),
            ];
            for fields in fields {
                let config = read(&format!("{{{fields}}}")).with_labels(["bad", "good"]);
                let pooled = config.clone().with_pooling(Pooling::Mean);
                for config in [config, pooled.clone(), pooled.with_problem(problem.clone())] {
                    let written = config.to_json();
                    assert_eq!(read(&written).to_json(), written, "{fields}");
                }
            }
        }
    }
}
