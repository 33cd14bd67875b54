//! This machine's devices, offered to others.

use std::error::Error;
use std::io::Write;
use std::net::TcpListener;

use burn::remote::{Credential, IrohRelays};
use burn::server::{
    AuthorizationRequest, IrohIdentity, IrohTransport, PeerAuthorizer, RemoteServer, TokenAuthorizer, Transport,
    WebSocketTransport,
};

use super::{SEPARATOR, about};
use crate::backend::Backend;
use crate::cli::HostArgs;
use crate::exit::Failure;
use crate::host_url::HostUrl;
use crate::token::Token;

/// Offers this machine's devices until Ctrl-C or SIGTERM.
///
/// # Errors
/// When there is no device, the address cannot be listened on, or it is open to others without a token.
pub fn serve(args: &HostArgs) -> Result<(), Box<dyn Error>> {
    if args.backend == Backend::Remote {
        let refusal = "backend remote: a host offers its own devices; name flex, ndarray, wgpu or vulkan";
        return Err(Failure::usage(refusal).into());
    }
    args.backend.device()?;
    let token = Token::find(args.token_file.as_deref())?;
    if token.is_none() && (args.identity.is_some() || !args.listen.ip().is_loopback()) {
        return Err(Failure::usage(format!(
            "{}: whoever reaches this address would compute here; give a token by --token-file or REKINDLE_TOKEN",
            args.listen
        ))
        .into());
    }
    let devices = args.backend.devices();
    let (offered, transport) = (devices.len(), transport(args)?);
    let server = about::offer(RemoteServer::new(devices), args.backend);
    let server = match token {
        Some(token) => server.with_authorizer(Door(TokenAuthorizer::new(token.secret())?)),
        None => server,
    };
    let mut out = anstream::stdout();
    writeln!(out, "offers     {offered} of {}", args.backend)?;
    Ok(server.serve(transport)?)
}

fn transport(args: &HostArgs) -> Result<Transport, Box<dyn Error>> {
    let listen = args.listen;
    let Some(path) = &args.identity else {
        let listener = TcpListener::bind(listen).map_err(|error| Failure::usage(format!("{listen}: {error}")))?;
        writeln!(anstream::stdout(), "listening  ws://{}", listener.local_addr()?)?;
        return Ok(WebSocketTransport::from_listener(listener).into());
    };
    // Burn binds a port on all addresses and does not say which it was given.
    if !listen.ip().is_unspecified() || listen.port() == 0 {
        let refusal = format!("--identity: {listen} cannot be had; give --listen 0.0.0.0:PORT");
        return Err(Failure::usage(refusal).into());
    }
    let identity =
        IrohIdentity::load_or_create(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    let url = HostUrl::Iroh { id: identity.id().to_string(), address: listen.to_string() };
    writeln!(anstream::stdout(), "listening  {url}, at any of this machine's addresses")?;
    Ok(IrohTransport::new(identity).with_relays(IrohRelays::Disabled).with_port(listen.port()).into())
}

/// Lets in whoever presents the token, on any of its connections.
struct Door(TokenAuthorizer);

impl PeerAuthorizer for Door {
    fn authorize(&self, request: AuthorizationRequest<'_>) -> Result<(), String> {
        let presented = request.credential.as_bytes().split(|&byte| byte == SEPARATOR as u8).next();
        let credential = &Credential::from(presented.unwrap_or_default());
        self.0.authorize(AuthorizationRequest { credential, ..request })
    }
}
