//! Loading models with linear layers that are not stored in f32.

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, CheckpointError, Int8Tensor, Layout, LinearWeight, LoadReport, ParamSpec};
use rekindle_nn::{Int8Matrix, Linear, NamedLinear, NnError, ParamRole, ParamRoles};

use crate::int8::names;

/// What the linear layers of an encoder are stored in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinearStorage {
    /// All in f32.
    #[default]
    F32,
    /// All in int8, in which they compute: as a checkpoint has them, or quantized.
    Int8,
    /// Those of these transformer layers, counted from 0, rounded to bf16. They compute in f32, and are not trained.
    Bf16(Vec<usize>),
}

impl LinearStorage {
    /// Whether a linear layer of this role is not stored in f32.
    fn changes(&self, role: ParamRole) -> bool {
        match self {
            Self::F32 => false,
            Self::Int8 => true,
            Self::Bf16(layers) => matches!(role, ParamRole::Layer(layer) if layers.contains(&layer)),
        }
    }

    fn set(&self, linear: &mut Linear, weight: LinearWeight) -> Result<(), NnError> {
        let weight = match (self, weight) {
            (Self::Int8, LinearWeight::Float(values)) => Int8Matrix::new(&values, linear.weight.lazy_shape()[1]),
            (_, LinearWeight::Float(values)) => {
                linear.set_bf16(values);
                return Ok(());
            }
            (_, LinearWeight::Int8(Int8Tensor { values, scales })) => Int8Matrix { values, scales },
        };
        linear.set_int8(weight)
    }
}

/// Fills a model from a checkpoint. Of the linear layers that `layers` returns, those that are not stored in f32 are read one after the
/// other, so that only one of them is in memory in f32.
pub(crate) fn load<M: ParamRoles>(
    mut model: M,
    layers: fn(&mut M) -> Vec<NamedLinear<'_>>,
    storage: &LinearStorage,
    checkpoint: &Checkpoint,
    layout: &Layout,
    initialize: &(dyn Fn(&ParamSpec) -> Vec<f32> + Sync),
    device: &Device,
) -> Result<(M, LoadReport), CheckpointError> {
    let names = names(&model);
    let name = |linear: &Linear| names.get(&linear.weight.id).cloned().unwrap_or_default();
    let roles = model.clone();
    let is_changed = |linear: &Linear| storage.changes(roles.param_info(&name(linear)).role);
    let named: Vec<_> =
        changed(layers(&mut model), &is_changed).map(|linear| (name(linear), linear.without_weight())).collect();
    // The biases are there before the weights.
    let (mut model, report) = checkpoint.load(model, layout, initialize, device)?;
    let mut linear: Vec<&mut Linear> = changed(layers(&mut model), &is_changed).collect();
    checkpoint.read_linear_weights(layout, &named, |index, weight| {
        storage.set(linear[index], weight).map_err(|error| error.to_string())
    })?;
    Ok((model, report))
}

fn changed<'m>(
    layers: Vec<NamedLinear<'m>>,
    is_changed: &dyn Fn(&Linear) -> bool,
) -> impl Iterator<Item = &'m mut Linear> {
    layers.into_iter().map(|layer| layer.linear).filter(|linear| is_changed(linear))
}
