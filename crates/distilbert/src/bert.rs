//! BERT checkpoints, read as DistilBERT.
//!
//! DistilBERT is BERT without token types and pooler. All tokens of a single text have type 0, so adding the row of type 0 to
//! every position gives the same hidden states. Two differences remain in training: BERT has dropout after the attention's
//! output, and the head is DistilBERT's and newly initialized.

use rekindle_checkpoint::NameMap;
use serde_json::{Map, Value};

/// Fields of `config.json`: BERT's name and DistilBERT's.
const FIELDS: [(&str, &str); 11] = [
    ("vocab_size", "vocab_size"),
    ("max_position_embeddings", "max_position_embeddings"),
    ("num_hidden_layers", "n_layers"),
    ("num_attention_heads", "n_heads"),
    ("hidden_size", "dim"),
    ("intermediate_size", "hidden_dim"),
    ("hidden_dropout_prob", "dropout"),
    ("attention_probs_dropout_prob", "attention_dropout"),
    ("hidden_act", "activation"),
    ("initializer_range", "initializer_range"),
    ("pad_token_id", "pad_token_id"),
];

/// The default of `num_hidden_layers` in transformers' `BertConfig`.
const DEFAULT_LAYERS: u64 = 12;

/// A BERT configuration under DistilBERT's names, or the field that DistilBERT does not support, and why.
pub(crate) fn config(fields: &Map<String, Value>) -> Result<Map<String, Value>, (&'static str, String)> {
    let required: [(&'static str, Value); 4] = [
        ("position_embedding_type", "absolute".into()),
        ("is_decoder", false.into()),
        ("add_cross_attention", false.into()),
        ("layer_norm_eps", 1e-12.into()),
    ];
    for (field, only) in required {
        if let Some(other) = fields.get(field).filter(|value| **value != only && !value.is_null()) {
            return Err((field, format!("{other} is not supported; {only} is")));
        }
    }
    let mut ours = Map::from_iter([("n_layers".to_string(), Value::from(DEFAULT_LAYERS))]);
    for (theirs, name) in FIELDS {
        if let Some(value) = fields.get(theirs) {
            ours.insert(name.into(), value.clone());
        }
    }
    Ok(ours)
}

/// The names of BERT's encoder. Heads keep theirs behind a prefix, so that none is taken for a head of DistilBERT.
pub(crate) const NAMES: NameMap = NameMap {
    markers: &["bert.", "encoder.layer."],
    prefix: "bert.",
    rules: &[
        ("embeddings.position_ids", "bert.embeddings.position_ids"),
        ("embeddings.**", "distilbert.embeddings.**"),
        ("encoder.layer.*.attention.self.query.*", "distilbert.transformer.layer.*.attention.q_lin.*"),
        ("encoder.layer.*.attention.self.key.*", "distilbert.transformer.layer.*.attention.k_lin.*"),
        ("encoder.layer.*.attention.self.value.*", "distilbert.transformer.layer.*.attention.v_lin.*"),
        ("encoder.layer.*.attention.output.dense.*", "distilbert.transformer.layer.*.attention.out_lin.*"),
        ("encoder.layer.*.attention.output.LayerNorm.*", "distilbert.transformer.layer.*.sa_layer_norm.*"),
        ("encoder.layer.*.intermediate.dense.*", "distilbert.transformer.layer.*.ffn.lin1.*"),
        ("encoder.layer.*.output.dense.*", "distilbert.transformer.layer.*.ffn.lin2.*"),
        ("encoder.layer.*.output.LayerNorm.*", "distilbert.transformer.layer.*.output_layer_norm.*"),
        ("**", "bert.**"),
    ],
};

/// The position table, and the table of token types whose first row is added to every position.
pub(crate) const TOKEN_TYPES: (&str, &str) =
    ("distilbert.embeddings.position_embeddings.weight", "distilbert.embeddings.token_type_embeddings.weight");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_encoder_become_those_of_distilbert() {
        for prefix in ["", "bert."] {
            let renamed = |name: &str| NAMES.parameter(&format!("{prefix}{name}"));
            assert_eq!(
                renamed("encoder.layer.11.attention.output.LayerNorm.bias"),
                "distilbert.transformer.layer.11.sa_layer_norm.bias"
            );
            assert_eq!(renamed("embeddings.token_type_embeddings.weight"), TOKEN_TYPES.1);
            assert_eq!(renamed("pooler.dense.weight"), "bert.pooler.dense.weight");
        }
        assert_eq!(NAMES.parameter("classifier.weight"), "bert.classifier.weight");
    }

    #[test]
    fn unsupported_fields_are_rejected_by_name() {
        let config = |json: &str| config(&serde_json::from_str(json).expect("JSON"));
        assert_eq!(config(r#"{"is_decoder": true}"#).map_err(|(field, _)| field), Err("is_decoder"));
        assert_eq!(
            config(r#"{"position_embedding_type": "relative_key"}"#).map_err(|(field, _)| field),
            Err("position_embedding_type")
        );
        assert_eq!(config(r#"{"hidden_size": 8}"#).map(|fields| fields["dim"].clone()), Ok(8.into()));
    }
}
