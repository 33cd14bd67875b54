//! `rekindle host`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use rekindle::remote::{Server, ServerOptions};

use crate::exit::Failure;
use crate::options::backend::{Backend, describe, of_this_machine};
use crate::options::token;

/// The options of `rekindle host`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct HostArgs {
    /// Backend whose devices are offered.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", value_parser = of_this_machine())]
    pub backend: Backend,
    /// Address to listen on. With port 0, a free port is chosen and printed.
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Serve over Iroh, encrypted, with the identity in this file, which is created if it does not exist. Requires a
    /// token, and --listen 0.0.0.0:PORT.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File with the token that clients must present [default: the environment variable REKINDLE_TOKEN]. Optional if
    /// --listen is a loopback address.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Offers this machine's devices until Ctrl-C or SIGTERM.
///
/// # Errors
/// Returns an error if there is no device, the address cannot be listened on, or it is open to others without a token.
pub fn run(args: &HostArgs) -> Result<(), Failure> {
    args.backend.device()?;
    let token = token::find(args.token_file.as_deref())?;
    if token.is_none() && (args.identity.is_some() || !args.listen.ip().is_loopback()) {
        return Err(Failure::usage(format!(
            "{}: anyone who reaches this address could compute here; give a token with --token-file or REKINDLE_TOKEN",
            args.listen
        )));
    }
    if !Backend::Remote.is_compiled() {
        Backend::Remote.device()?;
    }
    // Burn binds a port on all addresses for Iroh, and does not report which port it was given.
    if args.identity.is_some() && (!args.listen.ip().is_unspecified() || args.listen.port() == 0) {
        let refusal = format!("--identity: cannot listen on {}; use --listen 0.0.0.0:PORT", args.listen);
        return Err(Failure::usage(refusal));
    }
    let devices = args.backend.devices();
    let offered = devices.len();
    let server = Server::bind(ServerOptions {
        devices,
        backend: args.backend.name().into(),
        describe,
        listen: args.listen,
        identity: args.identity.clone(),
        token,
    })?;
    let anywhere = if args.identity.is_some() { ", at any of this machine's addresses" } else { "" };
    let mut out = anstream::stdout();
    writeln!(out, "listening  {}{anywhere}", server.url())?;
    writeln!(out, "offers     {offered} of {}", args.backend)?;
    Ok(server.run()?)
}

const EXAMPLES: &str = "\
Examples:
  rekindle host --backend wgpu
  rekindle host --listen 192.168.1.5:3000 --token-file token
  rekindle host --identity identity --listen 0.0.0.0:3000 \\
      --token-file token";
