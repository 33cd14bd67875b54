//! Models whose encoder computes its linear layers in int8, to checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{Module, ParamId};
use rekindle_checkpoint::{CheckpointError, Int8Tensor, Precision, linear_weights, save_with_int8};
use rekindle_nn::{Int8Matrix, Linear, NamedLinear};

/// Writes a model to `path`; the linear layers that are in int8 as such.
pub(crate) fn save<M: Module>(
    model: &M,
    layers: fn(&mut M) -> Vec<NamedLinear<'_>>,
    path: &Path,
    precision: Precision,
) -> Result<(), CheckpointError> {
    let int8 = in_int8(model, layers);
    let weight = |name: &str| {
        let Int8Matrix { values, scales } = int8.get(name)?.int8_weight()?;
        Some(Int8Tensor { values, scales })
    };
    save_with_int8(model, &weight, path, precision)
}

/// The modules of the linear layers that are in f32, if others are in int8.
pub(crate) fn not_in_int8<M: Module>(model: &M, layers: fn(&mut M) -> Vec<NamedLinear<'_>>) -> Option<Vec<String>> {
    let int8 = in_int8(model, layers);
    let others = linear_weights(model).into_iter().map(|(_, name)| name).filter(|name| !int8.contains_key(name));
    let module = |name: String| name.strip_suffix(".weight").map(String::from).unwrap_or(name);
    (!int8.is_empty()).then(|| others.map(module).collect())
}

/// The linear layers in int8, by the names of their weights.
fn in_int8<M: Module>(model: &M, layers: fn(&mut M) -> Vec<NamedLinear<'_>>) -> BTreeMap<String, Linear> {
    let names = names(model);
    // The layers are lent to be changed; a copy shares their weights.
    let mut model = model.clone();
    let int8 = layers(&mut model).into_iter().filter(|layer| layer.linear.int8_weights() > 0);
    int8.filter_map(|layer| Some((names.get(&layer.linear.weight.id)?.clone(), layer.linear.clone()))).collect()
}

/// The names of the weights of linear layers.
pub(crate) fn names(model: &impl Module) -> HashMap<ParamId, String> {
    linear_weights(model).into_iter().collect()
}
