//! Copies of a model on further devices, which compute their shares of its batches.
//!
//! As `torch.nn.DataParallel`, and as Burn's strategy of one optimizer on a main device: the first device collects the
//! gradients, steps, and sends the trainable parameters to all others. Frozen parameters are sent once.

use std::collections::HashMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::trainable;
use rekindle_encoders::ParamRoles;

use crate::plan::TuningPlan;

/// Elements that are sent together: 64 MiB. A single tensor costs a message and a connection.
const BUCKET: usize = 1 << 24;

/// The further devices, each with its copy of the model.
pub(crate) struct Replicas<M>(Vec<(Device, M)>);

impl<M: ParamRoles> Replicas<M> {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Sends a model to each device.
    pub(crate) fn of(model: &M, devices: &[Device]) -> Self {
        let frozen = trainable(model, |_| false);
        let send = |device: &Device| (device.clone(), frozen.clone().to_device(&device.clone().without_autodiff()));
        Self(devices.iter().map(send).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a device and the model on it, by its number; `first` is number 0.
    pub(crate) fn get<'a>(&'a self, number: usize, first: (&'a Device, &'a M)) -> (&'a Device, &'a M) {
        number.checked_sub(1).map_or(first, |further| (&self.0[further].0, &self.0[further].1))
    }

    /// Makes the parameters of an epoch, counted from 0, trainable.
    pub(crate) fn apply(&mut self, plan: &TuningPlan, epoch: usize) {
        for (_, replica) in &mut self.0 {
            *replica = plan.apply(replica, epoch);
        }
    }

    /// Sends the trainable parameters of the model on the first device to the others.
    pub(crate) fn update(&mut self, first: &M) {
        if self.0.is_empty() {
            return;
        }
        let mut trained = Trainable(Vec::new());
        first.visit(&mut trained);
        for (device, replica) in &mut self.0 {
            let values = send(trained.0.clone(), device);
            *replica = replica.clone().map(&mut Replace(values.into_iter().collect()));
        }
    }
}

/// Sends flat tensors to another device, in few messages.
pub(crate) fn send(tensors: Vec<(ParamId, Tensor<1>)>, device: &Device) -> Vec<(ParamId, Tensor<1>)> {
    let device = device.clone().without_autodiff();
    if tensors.iter().all(|(_, tensor)| tensor.device() == device) {
        return tensors;
    }
    let mut sent = Vec::with_capacity(tensors.len());
    let mut rest = &tensors[..];
    while !rest.is_empty() {
        let mut size = 0;
        let fits = |(_, tensor): &&(ParamId, Tensor<1>)| {
            size += tensor.dims()[0];
            size <= BUCKET
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let bucket =
            Tensor::cat(rest[..count].iter().map(|(_, tensor)| tensor.clone()).collect(), 0).to_device(&device);
        let mut start = 0;
        for (id, tensor) in &rest[..count] {
            let size = tensor.dims()[0];
            sent.push((*id, bucket.clone().narrow(0, start, size)));
            start += size;
        }
        rest = &rest[count..];
    }
    sent
}

/// Collects the values of the trainable parameters, flat.
struct Trainable(Vec<(ParamId, Tensor<1>)>);

impl ModuleVisitor for Trainable {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.0.push((param.id, value.without_autodiff().flatten(0, D - 1)));
        }
    }
}

/// Replaces the values of parameters.
struct Replace(HashMap<ParamId, Tensor<1>>);

impl ModuleMapper for Replace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.remove(&param.id) {
            Some(value) => {
                let value = value.reshape(param.val().shape());
                Param::initialized(param.id, value.autodiff().require_grad())
            }
            None => param,
        }
    }
}
