//! Other machines by Burn's remote engine: how their devices are connected, and how ours are offered.

#[cfg(feature = "remote")]
pub use engine::{connect, count, serve};

#[cfg(feature = "remote")]
mod engine {
    use std::error::Error;
    use std::io::Write;
    use std::net::{TcpListener, ToSocketAddrs};

    use burn::remote::{ConnectError, Credential, EndpointId, IrohHost, IrohRelays, RemoteHost};
    use burn::server::{
        AuthorizationRequest, IrohIdentity, IrohTransport, PeerAuthorizer, RemoteServer, TokenAuthorizer, Transport,
        WebSocketTransport,
    };
    use burn::tensor::Device;
    use rekindle_experiment::Unavailable;

    use crate::backend::Backend;
    use crate::cli::HostArgs;
    use crate::exit::Failure;
    use crate::host_url::HostUrl;
    use crate::token::Token;

    /// Behind the token, what tells one connection of a client from the next. Burn knows a device by host and credential,
    /// and never connects the same one again once it was lost.
    const SEPARATOR: char = '\n';

    fn host(url: &HostUrl, token: Option<&Token>, connection: usize) -> Result<RemoteHost, Unavailable> {
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
        if connection > 0 {
            credential.push_str(&format!("{SEPARATOR}{connection}"));
        }
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
            error => Unavailable::Refused(error.to_string()),
        }
    }

    /// Opens one of a host's devices; another number of the `connection`, another session.
    ///
    /// # Errors
    /// When the host is away or refuses.
    pub fn connect(
        url: &HostUrl,
        token: Option<&Token>,
        index: usize,
        connection: usize,
    ) -> Result<Device, Unavailable> {
        let options = Device::remote_options(&host(url, token, connection)?).device_index(index);
        options.init().map_err(unavailable)
    }

    /// How many devices a host has.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn count(url: &HostUrl, token: Option<&Token>) -> Result<usize, Unavailable> {
        Ok(host(url, token, 0)?.devices().map_err(unavailable)?.into_vec().len())
    }

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
        let server = RemoteServer::new(devices);
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
        let identity = IrohIdentity::load_or_create(path)
            .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
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
}

#[cfg(not(feature = "remote"))]
pub use absent::{connect, count, serve};

#[cfg(not(feature = "remote"))]
mod absent {
    use std::error::Error;

    use burn::tensor::Device;
    use rekindle_experiment::Unavailable;

    use crate::cli::HostArgs;
    use crate::exit::Failure;
    use crate::host_url::HostUrl;
    use crate::token::Token;

    const ABSENT: &str = "remote devices were not compiled in; build with `--features remote`";

    /// Says what is missing.
    pub fn connect(_: &HostUrl, _: Option<&Token>, _: usize, _: usize) -> Result<Device, Unavailable> {
        Err(Unavailable::Refused(ABSENT.into()))
    }

    /// Says what is missing.
    pub fn count(_: &HostUrl, _: Option<&Token>) -> Result<usize, Unavailable> {
        Err(Unavailable::Refused(ABSENT.into()))
    }

    /// Says what is missing.
    pub fn serve(_: &HostArgs) -> Result<(), Box<dyn Error>> {
        Err(Failure::usage(ABSENT).into())
    }
}
