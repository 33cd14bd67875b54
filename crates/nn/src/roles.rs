//! The role of each parameter in its model.
//!
//! Fine-tuning selects parameters by role, so that no caller has to know their names.

use burn::module::Module;

/// The part of a model that a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParamRole {
    /// The embedding tables, what follows them up to the first layer, and tables that all layers share.
    Embeddings,
    /// A transformer layer, counted from 0 at the input. What follows the last one inside the encoder counts to it.
    Layer(usize),
    /// Layers of the head before its output layer that peft does not train beside adapters: DeBERTa's pooler.
    HeadTransform,
    /// Everything else behind the encoder.
    Head,
    /// A low-rank adapter.
    Adapter,
    /// Never trained: sinusoidal positions.
    Fixed,
}

/// A parameter as seen by fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// The part of the model that it belongs to.
    pub role: ParamRole,
    /// Whether it is a bias, of a linear map or of a LayerNorm.
    pub is_bias: bool,
}

/// A model that knows the roles of its parameters.
pub trait ParamRoles: Module {
    /// Returns the role of a parameter by its name in a checkpoint.
    fn param_info(&self, name: &str) -> ParamInfo;
}

/// Returns the role of a parameter of an encoder whose layers are numbered behind `layers`, for example `encoder.layer.`: all
/// others are embeddings.
pub fn layer_role(name: &str, layers: &str) -> ParamRole {
    let number = name.strip_prefix(layers).and_then(|rest| rest.split('.').next()?.parse().ok());
    number.map_or(ParamRole::Embeddings, ParamRole::Layer)
}
