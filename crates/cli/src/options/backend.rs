//! The backends, and which of them are compiled in.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::DeviceKind;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DeviceType;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rekindle::train::TrainError;

use crate::exit::Failure;

/// A backend of Burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Burn's CPU backend.
    Flex,
    /// The older CPU backend, on the crate ndarray.
    Ndarray,
    /// GPUs with WGSL shaders: Vulkan, Metal or DirectX.
    Wgpu,
    /// GPUs with SPIR-V, through Vulkan.
    Vulkan,
    /// NVIDIA GPUs, through CUDA.
    Cuda,
    /// Devices of other machines.
    Remote,
}

/// Parses the name of a backend that computes on this machine.
pub fn of_this_machine() -> impl TypedValueParser<Value = Backend> {
    let local = || ALL.into_iter().filter(|backend| *backend != Backend::Remote);
    PossibleValuesParser::new(local().filter_map(|backend| backend.to_possible_value()))
        .map(move |name| local().find(|backend| backend.name() == name).unwrap_or_default())
}

pub const ALL: [Backend; 6] =
    [Backend::Flex, Backend::Ndarray, Backend::Wgpu, Backend::Vulkan, Backend::Cuda, Backend::Remote];

impl Backend {
    /// The name on the command line, which is also the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
            Self::Remote => "remote",
        }
    }

    /// Whether the cargo feature is enabled.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Remote => cfg!(feature = "remote"),
        }
    }

    /// The command that installs Rekindle with the backend, in a checkout of its repository.
    pub fn install(self) -> String {
        format!("cargo install --path crates/cli --features {self}")
    }

    /// The first local backend that is compiled in.
    pub fn local() -> Self {
        ALL.into_iter().find(|backend| backend.is_compiled() && *backend != Self::Remote).unwrap_or(Self::Flex)
    }

    /// The local devices of the backend; none if it is not compiled in.
    pub fn devices(self) -> Vec<Device> {
        match self {
            Self::Flex | Self::Ndarray => self.default_device().into_iter().collect(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(DeviceType::Vulkan).into_vec(),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(DeviceType::Cuda).into_vec(),
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        }
    }

    /// Burn's default device of the backend; `None` if the backend is not compiled in.
    #[allow(deprecated)] // ndarray, which Burn will remove
    fn default_device(self) -> Option<Device> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Some(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Some(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Some(Device::wgpu(DeviceKind::DefaultDevice)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(Device::vulkan(DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(Device::cuda(0)),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// The device to compute on.
    ///
    /// # Errors
    /// Returns an error if the backend is not compiled in, has no device, or is known to crash on its device. The
    /// message names the missing feature or driver.
    pub fn device(self) -> Result<Device, Failure> {
        if self.is_compiled() && self.devices().is_empty() {
            let missing = match self {
                Self::Cuda => "there is no NVIDIA GPU, or its driver is missing (on Debian, the package nvidia-driver)",
                _ => {
                    "there is no GPU, or its driver for Vulkan, Metal or DirectX 12 is missing (on Debian, the package \
                     mesa-vulkan-drivers has one for most GPUs, and one that computes on the CPU)"
                }
            };
            return Err(Failure::usage(format!("backend {self} finds no device: {missing}")));
        }
        let device = self.default_device().ok_or_else(|| {
            Failure::usage(format!(
                "backend {self} was not compiled in; install it with `{}`, or run `cargo xtask experiment --backend {self}`",
                self.install()
            ))
        })?;
        // With SPIR-V compiled in, wgpu prefers it too.
        #[cfg(feature = "vulkan")]
        if matches!(self, Self::Wgpu | Self::Vulkan) && is_software(&device) {
            return Err(Failure::usage(format!(
                "backend {self}: {} is a software driver, which SPIR-V shaders are known to crash; \
                 `cargo xtask experiment --backend wgpu` builds without them",
                describe(&device)
            )));
        }
        Ok(device)
    }

    /// Runs `work`, and turns a panic on a GPU or of Burn's remote engine into an error: they panic if a device is out
    /// of memory, rejects a buffer or is gone. On a CPU, a panic is a bug of Rekindle, and is not caught.
    pub fn guard<T>(self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        if !matches!(self, Self::Wgpu | Self::Vulkan | Self::Cuda | Self::Remote) {
            return work();
        }
        // The first panic names the cause; the following ones, in threads that waited for it, do not.
        let first = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&first);
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mut first = seen.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| info.payload_as_str().unwrap_or("a panic without a message").to_owned());
        }));
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        panic::set_hook(hook);
        done.unwrap_or_else(|_| {
            let cause = first.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            Err(TrainError::Device(cause.lines().next().unwrap_or_default().into()).into())
        })
    }
}

/// The name of a device.
pub fn describe(device: &Device) -> String {
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    if let Some(identity) = device.identity() {
        let software = if identity.physical.is_none() { " (software)" } else { "" };
        return format!("{}{software}", identity.name);
    }
    let _ = device;
    format!("CPU, {} threads", std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Whether a device of a GPU backend is a software driver.
#[cfg(feature = "vulkan")]
fn is_software(device: &Device) -> bool {
    device.identity().is_some_and(|identity| identity.physical.is_none())
}

impl Default for Backend {
    fn default() -> Self {
        Self::local()
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
