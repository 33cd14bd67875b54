//! Tensors that the operations work on.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};
use burn_flex::Flex;

use crate::place::{At, Place};

/// Whether tensors of f32 on a device are held.
pub fn are_held(device: &Device) -> bool {
    #[cfg(feature = "remote")]
    if crate::remote::is_admitted(&device.clone().without_autodiff()) {
        return true;
    }
    are_here(device)
}

/// Whether tensors on a device lie in host memory.
pub fn are_here(device: &Device) -> bool {
    matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether a tensor is one of f32, and held.
pub fn is_held<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && are_held(&tensor.device())
}

/// A tensor of f32 that the operations work on: it lies in host memory, or on a host that offers them.
///
/// Drop the tensor that it was made of before working on it, so that the work may be in place.
#[derive(Debug)]
pub struct Held(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Here(At<Flex>),
    #[cfg(feature = "remote")]
    There(At<burn::backend::Remote>),
}

impl Held {
    /// The tensor, where it is held.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 {
            return None;
        }
        let here = Flex::find(tensor).map(Inner::Here);
        #[cfg(feature = "remote")]
        let here = here.or_else(|| {
            let there = || burn::backend::Remote::find(tensor).map(Inner::There);
            crate::remote::is_admitted(&tensor.device().without_autodiff()).then(there)?
        });
        here.map(Self)
    }
}
