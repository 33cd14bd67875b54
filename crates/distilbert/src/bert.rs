//! BERT read as a DistilBERT.
//!
//! DistilBERT is BERT without token types and pooler. A sentence on its own has type 0 throughout, so that the type's row
//! added to every position gives the same hidden states. Two things remain apart while training: BERT's dropout after
//! the attention's output, which a DistilBERT has not, and the head, which is DistilBERT's and fresh.

use serde_json::{Map, Value};

/// BERT's field, DistilBERT's field.
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

/// `num_hidden_layers` where a config.json does not say: transformers' `BertConfig`.
const DEFAULT_LAYERS: u64 = 12;

/// A BERT's configuration under DistilBERT's names; or the field that no DistilBERT can obey, and why.
pub(crate) fn config(fields: &Map<String, Value>) -> Result<Map<String, Value>, (&'static str, String)> {
    let obeyed: [(&'static str, Value); 4] = [
        ("position_embedding_type", "absolute".into()),
        ("is_decoder", false.into()),
        ("add_cross_attention", false.into()),
        ("layer_norm_eps", 1e-12.into()),
    ];
    for (field, only) in obeyed {
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

/// Whether a file that holds these names is a BERT's.
pub(crate) fn is_bert<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| name.starts_with("bert.") || name.starts_with("encoder.layer."))
}

/// The name that a DistilBERT has for a tensor of BERT's encoder; heads keep theirs behind a prefix, so that none is
/// taken for a DistilBERT's.
pub(crate) fn canonical(name: &str) -> String {
    let bare = name.strip_prefix("bert.").unwrap_or(name);
    if let Some(embedding) = bare.strip_prefix("embeddings.").filter(|rest| *rest != "position_ids") {
        return format!("distilbert.embeddings.{embedding}");
    }
    let inner = bare.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.'));
    let renamed = inner.and_then(|(layer, path)| {
        let (module, kind) = path.rsplit_once('.')?;
        let module = match module {
            "attention.self.query" => "attention.q_lin",
            "attention.self.key" => "attention.k_lin",
            "attention.self.value" => "attention.v_lin",
            "attention.output.dense" => "attention.out_lin",
            "attention.output.LayerNorm" => "sa_layer_norm",
            "intermediate.dense" => "ffn.lin1",
            "output.dense" => "ffn.lin2",
            "output.LayerNorm" => "output_layer_norm",
            _ => return None,
        };
        Some(format!("distilbert.transformer.layer.{layer}.{module}.{kind}"))
    });
    renamed.unwrap_or_else(|| format!("bert.{bare}"))
}

/// The table whose first row belongs to every position.
pub(crate) const TOKEN_TYPES: &str = "distilbert.embeddings.token_type_embeddings.weight";
/// The table that it is added to.
pub(crate) const POSITIONS: &str = "distilbert.embeddings.position_embeddings.weight";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_encoder_become_distilberts() {
        for prefix in ["", "bert."] {
            let renamed = |name: &str| canonical(&format!("{prefix}{name}"));
            assert_eq!(
                renamed("encoder.layer.11.attention.output.LayerNorm.bias"),
                "distilbert.transformer.layer.11.sa_layer_norm.bias"
            );
            assert_eq!(renamed("embeddings.token_type_embeddings.weight"), TOKEN_TYPES);
            assert_eq!(renamed("pooler.dense.weight"), "bert.pooler.dense.weight");
        }
        assert_eq!(canonical("classifier.weight"), "bert.classifier.weight");
    }

    #[test]
    fn what_a_distilbert_cannot_do_is_refused_by_field() {
        let config = |json: &str| config(&serde_json::from_str(json).expect("JSON"));
        assert_eq!(config(r#"{"is_decoder": true}"#).map_err(|(field, _)| field), Err("is_decoder"));
        assert_eq!(
            config(r#"{"position_embedding_type": "relative_key"}"#).map_err(|(field, _)| field),
            Err("position_embedding_type")
        );
        assert_eq!(config(r#"{"hidden_size": 8}"#).map(|fields| fields["dim"].clone()), Ok(8.into()));
    }
}
