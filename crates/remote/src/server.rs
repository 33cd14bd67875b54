//! Serving this machine's devices to others.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use burn::remote::{Credential, IrohRelays};
use burn::server::{
    AuthorizationRequest, IrohIdentity, IrohTransport, PeerAuthorizer, RemoteServer, TokenAuthorizer, Transport,
    WebSocketTransport,
};

use crate::client::SEPARATOR;
use crate::description;
use crate::serve::{ServeError, ServerOptions};
use crate::url::HostUrl;

/// Devices that are offered to other machines.
pub struct Server {
    url: HostUrl,
    server: RemoteServer,
    transport: Transport,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Server {
    /// Prepares to serve devices: listens over WebSocket, or reads the identity for Iroh.
    ///
    /// # Errors
    /// Returns an error if the address cannot be listened on, or the identity cannot be read or created.
    pub fn bind(options: ServerOptions) -> Result<Self, ServeError> {
        let ServerOptions { devices, backend, describe, listen, identity, token } = options;
        let (url, transport) = match identity {
            Some(path) => iroh(listen, &path)?,
            None => websocket(listen)?,
        };
        let first = devices.first().cloned();
        let kind = move |device: &_| format!("{backend}: {}", describe(device));
        let server = description::offer(RemoteServer::new(devices), first.as_ref(), kind);
        let server = match token {
            Some(token) => {
                let authorizer = TokenAuthorizer::new(token.secret());
                server.with_authorizer(Door(authorizer.map_err(|error| ServeError::Engine(error.to_string()))?))
            }
            None => server,
        };
        Ok(Self { url, server, transport })
    }

    /// Returns the address that clients connect to. For Iroh, any address of this machine may replace that in the URL.
    pub fn url(&self) -> &HostUrl {
        &self.url
    }

    /// Serves until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// Returns an error if Burn's engine fails.
    pub fn run(self) -> Result<(), ServeError> {
        self.server.serve(self.transport).map_err(|error| ServeError::Engine(error.to_string()))
    }
}

fn websocket(address: SocketAddr) -> Result<(HostUrl, Transport), ServeError> {
    let refused = |source| ServeError::Address { address, source };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let url = HostUrl::WebSocket(format!("ws://{}", listener.local_addr().map_err(refused)?));
    Ok((url, WebSocketTransport::from_listener(listener).into()))
}

fn iroh(address: SocketAddr, path: &Path) -> Result<(HostUrl, Transport), ServeError> {
    let refused = |reason: String| ServeError::Identity { path: path.to_owned(), reason };
    let identity = IrohIdentity::load_or_create(path).map_err(|error| refused(error.to_string()))?;
    let url = HostUrl::Iroh { id: identity.id().to_string(), address: address.to_string() };
    let transport = IrohTransport::new(identity).with_relays(IrohRelays::Disabled).with_port(address.port());
    Ok((url, transport.into()))
}

/// Accepts clients that present the token, on any of their connections.
struct Door(TokenAuthorizer);

impl PeerAuthorizer for Door {
    fn authorize(&self, request: AuthorizationRequest<'_>) -> Result<(), String> {
        let presented = request.credential.as_bytes().split(|&byte| byte == SEPARATOR as u8).next();
        let credential = &Credential::from(presented.unwrap_or_default());
        self.0.authorize(AuthorizationRequest { credential, ..request })
    }
}
