//! The engines that can compute, and those that were compiled in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

/// An engine of Burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Burn's CPU backend.
    Flex,
    /// The older CPU backend, on the crate ndarray.
    Ndarray,
    /// GPUs through WGSL shaders: Vulkan, Metal or DirectX.
    Wgpu,
}

const ALL: [Backend; 3] = [Backend::Flex, Backend::Ndarray, Backend::Wgpu];

impl Backend {
    /// The name on the command line, which is also the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
        }
    }

    /// Whether the cargo feature was on.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
        }
    }

    /// The device to compute on.
    ///
    /// # Errors
    /// When the backend was not compiled in; the message says which feature is missing.
    pub fn device(self) -> Result<Device, String> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[allow(unreachable_patterns)]
            missing => {
                let name = missing.name();
                Err(format!(
                    "backend {name} was not compiled in; build with `--features {name}`, or run `cargo xtask experiment --backend {name}`"
                ))
            }
        }
    }
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
