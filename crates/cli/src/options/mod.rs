//! The options that say which engine computes, and of which machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::backend::Backend;
use crate::host_url::HostUrl;

/// The engine that computes, and where.
#[derive(Args, Debug)]
pub struct EngineArgs {
    /// The engine that computes; `remote` is that of other machines.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", help_heading = "Engine")]
    pub backend: Backend,
    #[command(flatten)]
    pub hosts: HostsArgs,
}

/// Other machines.
#[derive(Args, Debug)]
pub struct HostsArgs {
    /// A machine that runs `rekindle host`, once for each: ws://NAME:PORT, or iroh://ID@NAME:PORT.
    #[arg(long, value_name = "URL", help_heading = "Engine")]
    pub host: Vec<HostUrl>,
    /// A file with the token that hosts ask for [default: what REKINDLE_TOKEN holds in the environment].
    #[arg(long, value_name = "FILE", help_heading = "Engine")]
    pub token_file: Option<PathBuf>,
}

/// The options of `rekindle host`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct HostArgs {
    /// The engine whose devices are offered.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME")]
    pub backend: Backend,
    /// Where to listen: on this machine alone, unless told otherwise. Port 0 takes a free one, and says which.
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Serve over Iroh, encrypted, as the identity in this file, which is made where there is none. Needs a token, and
    /// --listen 0.0.0.0:PORT.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// A file with the token that opens the devices [default: what REKINDLE_TOKEN holds in the environment]. On this machine
    /// alone none is needed.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rekindle host --backend wgpu
  rekindle host --listen 192.168.1.5:3000 --token-file token
  rekindle host --identity identity --listen 0.0.0.0:3000 \\
      --token-file token";
