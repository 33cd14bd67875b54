//! The devices of other machines, as a client has them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use burn::remote::{ConnectError, EndpointId, IrohHost, IrohRelays, RemoteHost};
use burn::tensor::Device;
use rekindle::experiment::Unavailable;
use rekindle_raw::timers;

use super::{About, KINDS, Offer, SEPARATOR, about, link};
use crate::options::host_url::HostUrl;
use crate::options::token::Token;

/// How long a host has to say something. Burn waits for ever; where nothing listens it tries for 16 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// How late Burn's threads may be where nobody wakes them.
const LATE: Duration = Duration::from_millis(2);

/// What to do about other versions.
const SAME: &str = "install the same Rekindle on both machines";

/// A host by a connection that no other has.
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
        ConnectError::Unauthorized => Unavailable::Refused(
            "refused: the token is missing or wrong; give the host's by --token-file or REKINDLE_TOKEN".into(),
        ),
        ConnectError::IncompatibleProtocol { client_version, server_version } => Unavailable::Refused(format!(
            "it speaks version {server_version} of Burn's protocol, this is version {client_version}; {SAME}"
        )),
        error => Unavailable::Refused(error.to_string()),
    }
}

/// Opens one of a host's devices, anew each time.
///
/// # Errors
/// When the host is away or refuses, or runs another version of Rekindle.
pub fn connect(url: &HostUrl, token: Option<&Token>, index: usize) -> Result<Offer, Unavailable> {
    open(&host(url, token)?, url, token, index)
}

/// Opens all devices of a host.
///
/// # Errors
/// As [`connect`].
pub fn offers(url: &HostUrl, token: Option<&Token>) -> Result<Vec<Offer>, Unavailable> {
    let first = host(url, token)?;
    let asked = first.clone();
    let count = patiently(move || Ok(asked.devices().map_err(unavailable)?.into_vec().len()))?;
    (0..count).map(|index| open(&first, url, token, index)).collect()
}

fn open(host: &RemoteHost, url: &HostUrl, token: Option<&Token>, index: usize) -> Result<Offer, Unavailable> {
    let device = init(host, index)?;
    let asked = device.clone();
    let offer = match patiently(move || Ok(about::ask(&asked)))? {
        Some(about) if !about.is_compatible() => return Err(Unavailable::Refused(differs(&about))),
        Some(about) => {
            #[cfg(feature = "flex")]
            if about.computes_alike() {
                rekindle::train::remote::admit(&device);
            }
            let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.insert(super::name(url, index), about.kind.clone());
            Offer { device, about: Some(about) }
        }
        None => Offer { device: init(&self::host(url, token)?, index)?, about: None },
    };
    watch(url);
    Ok(offer)
}

/// Iroh notices by itself when a host cannot be reached any more.
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

fn differs(about: &About) -> String {
    let (theirs, ours) = (&about.version, env!("CARGO_PKG_VERSION"));
    format!("it runs Rekindle {theirs}, this is {ours}; {SAME}")
}

/// Asks a host something, and waits no longer than one should.
fn patiently<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Unavailable> {
    let (sender, answer) = channel();
    // Whoever is not waited for any more ends when the connection does.
    std::thread::spawn(move || {
        // Burn starts two threads for a device, which look around every 150 µs also when nobody needs them.
        timers::may_be_late(LATE);
        sender.send(ask())
    });
    let silent = |_| Unavailable::Away(format!("it does not answer within {} s", PATIENCE.as_secs()));
    answer.recv_timeout(PATIENCE).map_err(silent)?
}
