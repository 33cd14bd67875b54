//! The kind of a host's device. Burn's handshake does not contain it, so a host offers a custom operation whose result
//! is a text of two lines: the host's version and the device's kind.

use burn::backend::{BackendTypes, DispatchDevice, Remote};
use burn::remote::CustomOpClient;
use burn::server::{CustomOpIr, RemoteServer};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use burn_ir::{BackendIr, TensorIr};

use crate::connection::Description;

/// The name of the operation.
const NAME: &str = "rekindle.device";
/// The number of bytes of the text, padded with zeros. Each byte is a number that every backend's floats can represent.
const BYTES: usize = 256;

/// Lets a server report the kind of its devices, as `kind` names them, and offer the CPU kernels for CPU devices. `first` is one
/// of its devices, which are all of one backend.
#[allow(deprecated, unreachable_patterns)] // ndarray, which Burn will remove; where all backends are compiled in
pub(crate) fn offer(
    server: RemoteServer,
    first: Option<&Device>,
    kind: impl Fn(&Device) -> String + Send + Sync + 'static,
) -> RemoteServer {
    match first.map(Device::as_dispatch) {
        #[cfg(feature = "flex")]
        Some(DispatchDevice::Flex(_)) => rekindle_nn::remote::offer(offer_on::<burn::backend::Flex>(server, kind)),
        #[cfg(feature = "ndarray")]
        Some(DispatchDevice::NdArray(_)) => offer_on::<burn::backend::NdArray>(server, kind),
        #[cfg(feature = "wgpu")]
        Some(DispatchDevice::Cube(_)) => offer_on::<burn::backend::Cube>(server, kind),
        _ => server,
    }
}

fn offer_on<B>(server: RemoteServer, kind: impl Fn(&Device) -> String + Send + Sync + 'static) -> RemoteServer
where
    B: BackendIr,
    <B as BackendTypes>::Device: Into<DispatchDevice>,
{
    server.with_custom_op::<B, _>(NAME, move |handles, operation, device| {
        let text = format!("{}\n{}", env!("CARGO_PKG_VERSION"), kind(&Device::from(device.clone())));
        let mut bytes: Vec<f32> = text.bytes().map(f32::from).collect();
        bytes.resize(BYTES, 0.0);
        let tensor = B::float_from_data(TensorData::new(bytes, [BYTES]), device);
        handles.register_float_tensor::<B>(&operation.outputs[0].id, tensor);
    })
}

/// Returns what a host reports about its device. `None` if the host does not know the operation. The device is then
/// lost, because Burn ends the session.
pub(crate) fn ask(device: &Device) -> Option<Description> {
    let DispatchDevice::Remote(remote) = device.as_dispatch() else { return None };
    let client = CustomOpClient::new(remote);
    let answer = TensorIr::uninit(client.create_empty_handle(), Shape::from([BYTES]), DType::F32);
    let answer = client.register(CustomOpIr::new(NAME, &[], &[answer])).pop()?;
    let bytes = Tensor::<1>::from_primitive::<Remote>(answer).try_into_vec_as::<f32>().ok()?;
    read(&bytes)
}

fn read(bytes: &[f32]) -> Option<Description> {
    let text: Vec<u8> = bytes.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    // The text is printed on a terminal, so it must not contain control characters.
    let text = String::from_utf8_lossy(&text).replace(|c: char| c.is_control() && c != '\n', " ");
    let (version, kind) = text.split_once('\n')?;
    Some(Description { kind: kind.replace('\n', " "), version: version.into() })
}

impl Description {
    /// Returns whether the device has the same kernels as this machine, with bit-identical results: this is known for
    /// hosts of the same version.
    #[cfg(feature = "flex")]
    pub(crate) fn computes_alike(&self) -> bool {
        self.version == env!("CARGO_PKG_VERSION") && self.kind.starts_with("flex: ")
    }

    /// Returns whether the host's version is compatible by Cargo's rule: the first number that is not zero must be the
    /// same.
    pub(crate) fn is_compatible(&self) -> bool {
        breaking(&self.version) == breaking(env!("CARGO_PKG_VERSION"))
    }
}

fn breaking(version: &str) -> &str {
    let end = version.find(|c: char| c.is_ascii_digit() && c != '0').unwrap_or(version.len());
    let end = version[end..].find('.').map_or(version.len(), |dot| end + dot);
    &version[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_follow_cargos_rule() {
        for (version, same) in
            [("0.1.0", "0.1"), ("0.12.3", "0.12"), ("2.3.4", "2"), ("10.0.1", "10"), ("0.0.3", "0.0.3")]
        {
            assert_eq!(breaking(version), same);
        }
    }

    #[test]
    fn control_characters_of_a_host_are_removed() {
        let said = |text: &str| read(&text.bytes().map(f32::from).collect::<Vec<_>>());
        let description = said("0.1.0\nflex: a\x1b[2J\nb\0c").expect("a report");
        assert_eq!(description, Description { kind: "flex: a [2J b".into(), version: "0.1.0".into() });
        assert_eq!(said("no line"), None);
    }
}
