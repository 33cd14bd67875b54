//! Tensor names: theirs and ours.
//!
//! Our fields carry transformers' names, so that a path through the module is the name in the file, but for these:
//!
//! | in the file | here |
//! |---|---|
//! | `…embeddings.LayerNorm` | `…embeddings.layer_norm` |
//! | `…LayerNorm.weight`, `…layer_norm.weight` (old files: `.gamma`) | `gamma` |
//! | `…LayerNorm.bias`, `…layer_norm.bias` (old files: `.beta`) | `beta` |
//! | linear `weight` of shape `[out, in]` | `weight` of shape `[in, out]` |
//! | `embeddings…`, `transformer…` (an encoder saved alone) | `distilbert.embeddings…`, `distilbert.transformer…` |

/// Follows a Burn visitor or mapper through the module tree and says where it is.
#[derive(Default)]
pub(crate) struct Path {
    fields: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.fields.push(name.into());
        self.containers.push(container.into());
    }

    pub(crate) fn exit(&mut self) {
        self.fields.pop();
        self.containers.pop();
    }

    /// The name of the current parameter in a checkpoint.
    pub(crate) fn name(&self) -> String {
        let theirs = |field: &str| match field {
            "layer_norm" => "LayerNorm".to_string(),
            "gamma" => "weight".to_string(),
            "beta" => "bias".to_string(),
            other => other.to_string(),
        };
        self.fields.iter().map(|field| theirs(field)).collect::<Vec<_>>().join(".")
    }

    /// Whether the current parameter is the matrix of a linear map, which files hold transposed.
    pub(crate) fn is_transposed(&self) -> bool {
        self.fields.last().is_some_and(|field| field == "weight")
            && self.containers.last().is_some_and(|container| container == "Struct:Linear")
    }
}

/// The name under which the model knows a DistilBERT's tensor that a file calls `name`.
pub(crate) fn canonical(name: &str) -> String {
    match name.starts_with("embeddings.") || name.starts_with("transformer.") {
        true => format!("distilbert.{name}"),
        false => name.to_string(),
    }
}

/// Today's name of a LayerNorm's tensor.
pub(crate) fn modern(name: &str) -> String {
    match (name.strip_suffix(".gamma"), name.strip_suffix(".beta")) {
        (Some(stem), _) => format!("{stem}.weight"),
        (_, Some(stem)) => format!("{stem}.bias"),
        _ => name.to_string(),
    }
}

/// Whether a tensor belongs to the encoder, as against a head.
pub(crate) fn is_base(name: &str) -> bool {
    name.starts_with("distilbert.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_bare_names_become_todays() {
        assert_eq!(modern("distilbert.embeddings.LayerNorm.gamma"), "distilbert.embeddings.LayerNorm.weight");
        assert_eq!(modern("distilbert.embeddings.LayerNorm.beta"), "distilbert.embeddings.LayerNorm.bias");
        assert_eq!(canonical("transformer.layer.0.ffn.lin1.bias"), "distilbert.transformer.layer.0.ffn.lin1.bias");
        assert_eq!(canonical("classifier.bias"), "classifier.bias");
    }
}
