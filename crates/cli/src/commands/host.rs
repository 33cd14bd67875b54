//! `rekindle host`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::token::Token;
use crate::remote;

/// The options of `rekindle host`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct HostArgs {
    /// Backend whose devices are offered.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME")]
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
    if args.backend == Backend::Remote {
        let refusal = "backend remote: a host offers its own devices; name flex, ndarray, wgpu or vulkan";
        return Err(Failure::usage(refusal));
    }
    args.backend.device()?;
    let token = Token::find(args.token_file.as_deref())?;
    if token.is_none() && (args.identity.is_some() || !args.listen.ip().is_loopback()) {
        return Err(Failure::usage(format!(
            "{}: anyone who reaches this address could compute here; give a token with --token-file or REKINDLE_TOKEN",
            args.listen
        )));
    }
    remote::serve(args.backend, args.listen, args.identity.as_deref(), token.as_ref())
}

const EXAMPLES: &str = "\
Examples:
  rekindle host --backend wgpu
  rekindle host --listen 192.168.1.5:3000 --token-file token
  rekindle host --identity identity --listen 0.0.0.0:3000 \\
      --token-file token";
