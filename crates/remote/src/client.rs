//! Connections to the devices of other machines.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use burn::remote::{ConnectError, EndpointId, IrohHost, IrohRelays, RemoteHost};
use burn::tensor::Device;
use rekindle_raw::timers;

use crate::connection::{Connection, Description};
use crate::token::Token;
use crate::url::HostUrl;
use crate::work::Unavailable;
use crate::{description, link};

/// The time limit for an answer of a host. Burn waits forever for it, and tries for 16 s if nothing listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// The timer slack of Burn's threads when they are idle.
const LATE: Duration = Duration::from_millis(2);

/// The remedy for different versions.
const SAME: &str = "install the same version of Rekindle on both machines";

/// Separates the token from the number of the connection. Burn identifies a device by host and credential, and never
/// reconnects one that was lost, so each connection needs a credential of its own.
pub(crate) const SEPARATOR: char = '\n';

/// Returns a host with a new connection.
fn host(url: &HostUrl, token: Option<&Token>) -> Result<RemoteHost, Unavailable> {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let host = match url {
        HostUrl::WebSocket(url) => RemoteHost::websocket(url),
        HostUrl::Iroh { id, address } => {
            let id: EndpointId = id.parse().map_err(|error| Unavailable::Refused(format!("{id}: {error}")))?;
            let away = |error| Unavailable::Away(format!("{address}: {error}"));
            let addresses = address.to_socket_addrs().map_err(away)?;
            let direct = IrohHost::new(id).with_relays(IrohRelays::Disabled);
            RemoteHost::iroh(addresses.fold(direct, IrohHost::with_address))
        }
    };
    let mut credential = token.map_or("", Token::secret).to_owned();
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    credential.push_str(&format!("{SEPARATOR}{connection}"));
    Ok(host.with_credential(credential))
}

fn unavailable(error: ConnectError) -> Unavailable {
    match error {
        ConnectError::Unreachable { .. } | ConnectError::Handshake { .. } | ConnectError::Interrupted => {
            Unavailable::Away(error.to_string())
        }
        ConnectError::Unauthorized => Unavailable::Unauthorized,
        ConnectError::IncompatibleProtocol { client_version, server_version } => Unavailable::Refused(format!(
            "the host uses version {server_version} of Burn's protocol, this machine version {client_version}; {SAME}"
        )),
        error => Unavailable::Refused(error.to_string()),
    }
}

/// Opens a device of a host with a new connection.
///
/// # Errors
/// Returns an error if the host cannot be reached or refuses, or runs an incompatible version of Rekindle.
pub fn connect(url: &HostUrl, token: Option<&Token>, index: usize) -> Result<Connection, Unavailable> {
    open(&host(url, token)?, url, token, index)
}

/// Opens all devices of a host.
///
/// # Errors
/// See [`connect`].
pub fn connect_all(url: &HostUrl, token: Option<&Token>) -> Result<Vec<Connection>, Unavailable> {
    let first = host(url, token)?;
    let asked = first.clone();
    let count = patiently(move || Ok(asked.devices().map_err(unavailable)?.into_vec().len()))?;
    (0..count).map(|index| open(&first, url, token, index)).collect()
}

fn open(host: &RemoteHost, url: &HostUrl, token: Option<&Token>, index: usize) -> Result<Connection, Unavailable> {
    let device = init(host, index)?;
    let asked = device.clone();
    let connection = match patiently(move || Ok(description::ask(&asked)))? {
        Some(description) if !description.is_compatible() => return Err(Unavailable::Refused(differs(&description))),
        Some(description) => {
            #[cfg(feature = "flex")]
            let kernels = description.computes_alike().then(|| rekindle_nn::remote::enable(&device)).flatten();
            #[cfg(not(feature = "flex"))]
            let kernels = None;
            Connection { device, description: Some(description), _kernels: kernels }
        }
        None => Connection { device: init(&self::host(url, token)?, index)?, description: None, _kernels: None },
    };
    watch(url);
    Ok(connection)
}

/// Watches a host's connections. Iroh detects by itself when a host cannot be reached.
fn watch(url: &HostUrl) {
    if let HostUrl::WebSocket(url) = url {
        let addresses = url.trim_start_matches("ws://").to_socket_addrs();
        let mut addresses: Vec<SocketAddr> = addresses.into_iter().flatten().collect();
        addresses.sort();
        link::watch(addresses);
    }
}

fn init(host: &RemoteHost, index: usize) -> Result<Device, Unavailable> {
    let options = Device::remote_options(host).device_index(index);
    patiently(move || options.init().map_err(unavailable))
}

fn differs(description: &Description) -> String {
    let (theirs, ours) = (&description.version, env!("CARGO_PKG_VERSION"));
    format!("the host runs Rekindle {theirs}, this machine {ours}; {SAME}")
}

/// Calls `ask` with a time limit.
fn patiently<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Unavailable> {
    let (sender, answer) = channel();
    // After the time limit, the thread ends with the connection.
    std::thread::spawn(move || {
        // Burn starts two threads per device, which poll every 150 µs even when they are idle.
        timers::may_be_late(LATE);
        sender.send(ask())
    });
    let silent = |_| Unavailable::Away(format!("no answer within {} s", PATIENCE.as_secs()));
    answer.recv_timeout(PATIENCE).map_err(silent)?
}
