//! Models whose encoder computes its linear layers in int8: from checkpoints, and back.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{Module, ParamId};
use burn::tensor::Device;
use rekindle_checkpoint::{
    Checkpoint, CheckpointError, Int8Tensor, Layout, LinearWeight, LoadReport, ParamSpec, Precision, linear_weights,
    save_with_int8,
};
use rekindle_nn::{Int8Matrix, Linear, NamedLinear};

/// Fills a model from a checkpoint, with the linear layers that `layers` returns in int8: as the file has them, or quantized one after
/// the other, so that only one of them is in memory in f32.
pub(crate) fn load<M: Module>(
    mut model: M,
    layers: fn(&mut M) -> Vec<NamedLinear<'_>>,
    checkpoint: &Checkpoint,
    layout: &Layout,
    initialize: &(dyn Fn(&ParamSpec) -> Vec<f32> + Sync),
    device: &Device,
) -> Result<(M, LoadReport), CheckpointError> {
    let names = names(&model);
    let name = |layer: &NamedLinear<'_>| names.get(&layer.linear.weight.id).cloned().unwrap_or_default();
    let named =
        layers(&mut model).into_iter().map(|layer| (name(&layer), layer.linear.expect_int8())).collect::<Vec<_>>();
    // The biases are there before the weights.
    let (mut model, report) = checkpoint.load(model, layout, initialize, device)?;
    let mut linear = layers(&mut model);
    checkpoint.read_linear_weights(layout, &named, |index, weight| {
        let weight = match weight {
            LinearWeight::Int8(Int8Tensor { values, scales }) => Int8Matrix { values, scales },
            LinearWeight::Float(values) => Int8Matrix::new(&values, named[index].1[1]),
        };
        linear[index].linear.set_int8(weight).map_err(|error| error.to_string())
    })?;
    Ok((model, report))
}

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

fn names(model: &impl Module) -> HashMap<ParamId, String> {
    linear_weights(model).into_iter().collect()
}
