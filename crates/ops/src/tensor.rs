//! Tensors on which custom operations run.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};
use burn_flex::Flex;

use crate::backend::{CustomBackend, Primitive};

/// Whether custom operations run on f32 tensors of a device.
pub fn supports(device: &Device) -> bool {
    #[cfg(feature = "remote")]
    if crate::remote::is_enabled(&device.clone().without_autodiff()) {
        return true;
    }
    is_local(device)
}

/// Whether a device is the CPU of this machine by Burn's backend `flex`.
pub fn is_local(device: &Device) -> bool {
    matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether custom operations run on a tensor.
pub fn accepts<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && supports(&tensor.device())
}

/// A tensor on which custom operations run: in the memory of this process, or on a host that offers the operations.
///
/// Drop the tensor that it was made from before running an operation, so that the operation can work in place.
#[derive(Debug)]
pub struct CustomTensor(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Local(Primitive<Flex>),
    #[cfg(feature = "remote")]
    Remote(Primitive<burn::backend::Remote>),
}

impl CustomTensor {
    /// The tensor, if custom operations run on it.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        (tensor.dtype() == DType::F32).then(|| Self::on_backend(tensor))?
    }

    /// The tensor, if custom operations run on it that read [stored values](crate::memory::stored_values): in f32 or bf16.
    pub fn of_stored<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        matches!(tensor.dtype(), DType::F32 | DType::BF16).then(|| Self::on_backend(tensor))?
    }

    fn on_backend<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let local = Flex::primitive(tensor).map(Inner::Local);
        #[cfg(feature = "remote")]
        let local = local.or_else(|| {
            let remote = || burn::backend::Remote::primitive(tensor).map(Inner::Remote);
            crate::remote::is_enabled(&tensor.device().without_autodiff()).then(remote)?
        });
        local.map(Self)
    }

    pub(crate) fn local(self) -> Option<Primitive<Flex>> {
        match self.0 {
            Inner::Local(primitive) => Some(primitive),
            #[cfg(feature = "remote")]
            Inner::Remote(_) => None,
        }
    }

    #[cfg(feature = "remote")]
    pub(crate) fn remote(self) -> Option<Primitive<burn::backend::Remote>> {
        match self.0 {
            Inner::Local(_) => None,
            Inner::Remote(primitive) => Some(primitive),
        }
    }

    #[cfg(feature = "remote")]
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.0, Inner::Remote(_))
    }
}
