//! Serving this machine's devices to others.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use burn::remote::{Credential, IrohRelays};
use burn::server::{
    AuthorizationRequest, IrohIdentity, IrohTransport, PeerAuthorizer, RemoteServer, TokenAuthorizer, Transport,
    WebSocketTransport,
};

use super::{SEPARATOR, about};
use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::host_url::HostUrl;
use crate::options::token::Token;

/// Offers the devices of `backend` at the address `listen` until Ctrl-C or SIGTERM: over WebSocket, or over Iroh as the
/// identity in the file `identity`, which is created if it does not exist. Clients must present `token`, if there is
/// one.
///
/// # Errors
/// Returns an error if the address cannot be listened on, or the identity cannot be read.
pub fn serve(
    backend: Backend,
    listen: SocketAddr,
    identity: Option<&Path>,
    token: Option<&Token>,
) -> Result<(), Failure> {
    let devices = backend.devices();
    let (offered, transport) = (devices.len(), transport(listen, identity)?);
    let server = about::offer(RemoteServer::new(devices), backend);
    let server = match token {
        Some(token) => server.with_authorizer(Door(TokenAuthorizer::new(token.secret()).map_err(Failure::other)?)),
        None => server,
    };
    let mut out = anstream::stdout();
    writeln!(out, "offers     {offered} of {backend}")?;
    server.serve(transport).map_err(Failure::other)
}

fn transport(listen: SocketAddr, identity: Option<&Path>) -> Result<Transport, Failure> {
    let Some(path) = identity else {
        let listener = TcpListener::bind(listen).map_err(|error| Failure::usage(format!("{listen}: {error}")))?;
        writeln!(anstream::stdout(), "listening  ws://{}", listener.local_addr()?)?;
        return Ok(WebSocketTransport::from_listener(listener).into());
    };
    // Burn binds a port on all addresses and does not report which port it was given.
    if !listen.ip().is_unspecified() || listen.port() == 0 {
        let refusal = format!("--identity: cannot listen on {listen}; use --listen 0.0.0.0:PORT");
        return Err(Failure::usage(refusal));
    }
    let identity =
        IrohIdentity::load_or_create(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    let url = HostUrl::Iroh { id: identity.id().to_string(), address: listen.to_string() };
    writeln!(anstream::stdout(), "listening  {url}, at any of this machine's addresses")?;
    Ok(IrohTransport::new(identity).with_relays(IrohRelays::Disabled).with_port(listen.port()).into())
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
