//! The engines that can compute, and those that were compiled in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::{DeviceKind, DeviceType};

/// An engine of Burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Burn's CPU backend.
    Flex,
    /// The older CPU backend, on the crate ndarray.
    Ndarray,
    /// GPUs through WGSL shaders: Vulkan, Metal or DirectX.
    Wgpu,
    /// GPUs through Vulkan's own SPIR-V.
    Vulkan,
}

pub const ALL: [Backend; 4] = [Backend::Flex, Backend::Ndarray, Backend::Wgpu, Backend::Vulkan];

impl Backend {
    /// The name on the command line, which is also the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
        }
    }

    /// Whether the cargo feature was on.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
        }
    }

    /// The devices that the backend finds on this machine; none where it was not compiled in.
    pub fn devices(self) -> Vec<Device> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => vec![Device::flex()],
            #[cfg(feature = "ndarray")]
            Self::Ndarray => vec![Device::ndarray()],
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(DeviceType::Vulkan).into_vec(),
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        }
    }

    /// The device to compute on.
    ///
    /// # Errors
    /// When the backend was not compiled in, has no device here, or is known to crash on the one it has; the message
    /// says which feature or driver is missing.
    pub fn device(self) -> Result<Device, String> {
        let name = self.name();
        if !self.is_compiled() {
            return Err(format!(
                "backend {name} was not compiled in; build with `--features {name}`, or run `cargo xtask experiment --backend {name}`"
            ));
        }
        if self.devices().is_empty() {
            return Err(format!(
                "backend {name} finds no device: there is no GPU, or its driver for Vulkan, Metal or DirectX 12 is missing \
                 (on Debian, the package mesa-vulkan-drivers has one for most GPUs, and one that computes on the CPU)"
            ));
        }
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => {
                let device = Device::vulkan(DeviceKind::DefaultDevice);
                match is_software(&device) {
                    false => Ok(device),
                    true => Err(format!(
                        "backend vulkan: {} is a software driver, which SPIR-V shaders are known to crash; use `--backend wgpu`",
                        describe(&device)
                    )),
                }
            }
            #[allow(unreachable_patterns)]
            missing => Err(format!("backend {} was not compiled in", missing.name())),
        }
    }
}

/// A device's own name.
pub fn describe(device: &Device) -> String {
    #[cfg(feature = "wgpu")]
    if let Some(identity) = device.identity() {
        let software = if identity.physical.is_none() { " (software)" } else { "" };
        return format!("{}{software}", identity.name);
    }
    let _ = device;
    format!("CPU, {} threads", std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Whether a device of a GPU backend is no card.
#[cfg(feature = "vulkan")]
fn is_software(device: &Device) -> bool {
    device.identity().is_some_and(|identity| identity.physical.is_none())
}

impl Default for Backend {
    /// The first that was compiled in.
    fn default() -> Self {
        ALL.into_iter().find(|backend| backend.is_compiled()).unwrap_or(Self::Flex)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        ALL.into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| format!("there are {}", ALL.map(Self::name).join(", ")))
    }
}
