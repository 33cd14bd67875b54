//! Copies of a model on further devices, which take their shares of its batches.
//!
//! As `torch.nn.DataParallel`, and as Burn's strategy of one optimizer on a main device: gradients come to the first
//! device, and what it has made of its trainable parameters goes to all others. Frozen ones are sent once.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use rekindle_distilbert::DistilBertForSequenceClassification;

use crate::plan::Plan;

/// Elements that are sent together, 64 MiB of them. A tensor alone costs a message and a connection.
const BUCKET: usize = 1 << 24;

#[derive(Default)]
pub(crate) struct Replicas(Vec<(Device, DistilBertForSequenceClassification)>);

impl Replicas {
    /// Sends a model to each device.
    pub(crate) fn of(model: &DistilBertForSequenceClassification, devices: &[Device]) -> Self {
        let plain = model.trainable(|_| false);
        let send = |device: &Device| (device.clone(), plain.clone().to_device(&device.clone().without_autodiff()));
        Self(devices.iter().map(send).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One of the devices, and the model there; `first` is the first.
    pub(crate) fn at<'a>(
        &'a self,
        place: usize,
        first: (&'a Device, &'a DistilBertForSequenceClassification),
    ) -> (&'a Device, &'a DistilBertForSequenceClassification) {
        place.checked_sub(1).map_or(first, |further| (&self.0[further].0, &self.0[further].1))
    }

    /// Tracks the parameters that learn in an epoch, from 0.
    pub(crate) fn track(&mut self, plan: &Plan, epoch: usize) {
        for (_, replica) in &mut self.0 {
            *replica = plan.track(replica, epoch);
        }
    }

    /// Takes over the trainable parameters of the model on the first device.
    pub(crate) fn follow(&mut self, first: &DistilBertForSequenceClassification) {
        if self.0.is_empty() {
            return;
        }
        let mut learned = Learned(Vec::new());
        first.visit(&mut learned);
        for (device, replica) in &mut self.0 {
            let values = carry(learned.0.clone(), device);
            *replica = replica.clone().map(&mut Follow(values.into_iter().collect()));
        }
    }
}

/// Flat tensors on another device, in few messages.
pub(crate) fn carry(tensors: Vec<(ParamId, Tensor<1>)>, device: &Device) -> Vec<(ParamId, Tensor<1>)> {
    let device = device.clone().without_autodiff();
    if tensors.iter().all(|(_, tensor)| tensor.device() == device) {
        return tensors;
    }
    let mut moved = Vec::with_capacity(tensors.len());
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
            moved.push((*id, bucket.clone().narrow(0, start, size)));
            start += size;
        }
        rest = &rest[count..];
    }
    moved
}

/// The values of the tracked parameters, flat.
struct Learned(Vec<(ParamId, Tensor<1>)>);

impl ModuleVisitor for Learned {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.0.push((param.id, value.without_autodiff().flatten(0, D - 1)));
        }
    }
}

/// Puts values in the place of what a model holds.
struct Follow(HashMap<ParamId, Tensor<1>>);

impl ModuleMapper for Follow {
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
