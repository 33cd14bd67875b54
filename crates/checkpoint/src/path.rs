//! The names of parameters.
//!
//! The fields of a module carry transformers' names, so that the path of a parameter is its name in a checkpoint, except:
//!
//! | in the file | in the module |
//! |---|---|
//! | `LayerNorm` | `layer_norm` |
//! | `layer_norm` | `plain_layer_norm` |
//! | `self` | `self_attention` |
//! | `Wqkv`, `Wi`, `Wo` | `wqkv`, `wi`, `wo` |
//! | nothing | the variant of an enum |
//! | `weight` of a LayerNorm | `gamma` |
//! | `bias` of a LayerNorm | `beta` |
//! | `weight` of a linear layer, `[out, in]` | `weight`, `[in, out]` |
//! | the matrices of an adapter, `[r, in]` and `[out, r]` | `a`, `[in, r]`, and `b`, `[r, out]` |

/// The place of a Burn visitor or mapper in the module tree.
#[derive(Default)]
pub(crate) struct ParamPath {
    fields: Vec<String>,
    containers: Vec<String>,
}

impl ParamPath {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.fields.push(name.into());
        self.containers.push(container.into());
    }

    pub(crate) fn exit(&mut self) {
        self.fields.pop();
        self.containers.pop();
    }

    /// The name of the current parameter.
    pub(crate) fn name(&self) -> String {
        let name = |field: &String| match field.as_str() {
            "layer_norm" => "LayerNorm".to_string(),
            "plain_layer_norm" => "layer_norm".to_string(),
            "self_attention" => "self".to_string(),
            "wqkv" => "Wqkv".to_string(),
            "wi" => "Wi".to_string(),
            "wo" => "Wo".to_string(),
            "gamma" => "weight".to_string(),
            "beta" => "bias".to_string(),
            other => other.to_string(),
        };
        let fields = self.fields.iter().zip(&self.containers).filter(|(_, container)| !container.starts_with("Enum:"));
        fields.map(|(field, _)| name(field)).collect::<Vec<_>>().join(".")
    }

    /// Whether the current parameter is the matrix of a linear layer.
    pub(crate) fn is_linear_weight(&self) -> bool {
        self.containers.last().is_some_and(|container| container == "Struct:Linear")
            && self.fields.last().is_some_and(|field| field == "weight")
    }

    /// Whether the current parameter is the matrix of a linear layer or of its adapter, which files store transposed.
    pub(crate) fn is_transposed(&self) -> bool {
        self.is_linear_weight() || self.containers.last().is_some_and(|container| container == "Struct:Lora")
    }
}
