//! `rekindle devices`.

use std::io::Write;

use clap::Args;
use rekindle::remote::Description;

use crate::exit::Failure;
use crate::options::HostsArgs;
use crate::options::backend::{ALL, Backend, describe};
use crate::options::engine::reason;

/// The options of `rekindle devices`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct DevicesArgs {
    #[command(flatten)]
    pub hosts: HostsArgs,
}

/// Prints each backend with its devices, or with the reason why there are none.
///
/// # Errors
/// Returns an error if the output cannot be written, or the token cannot be read.
pub fn run(args: &DevicesArgs) -> Result<(), Failure> {
    if args.hosts.token_file.is_some() && args.hosts.host.is_empty() {
        return Err(Failure::usage("--token-file: needs --host, the machines that ask for the token"));
    }
    let mut out = anstream::stdout().lock();
    for backend in ALL {
        let name = backend.name();
        let default = if backend == Backend::default() { " (default)" } else { "" };
        if !backend.is_compiled() {
            writeln!(out, "{name:8} not compiled in; build with `--features {name}`")?;
            continue;
        }
        if backend == Backend::Remote {
            others(&args.hosts, &mut out)?;
            continue;
        }
        let devices = backend.devices();
        if devices.is_empty() {
            writeln!(out, "{name:8} no device: no GPU, or no driver for it")?;
        }
        for device in devices {
            writeln!(out, "{name:8} {}{default}", describe(&device))?;
        }
    }
    Ok(())
}

/// Prints the devices of the hosts.
fn others(hosts: &HostsArgs, out: &mut impl Write) -> Result<(), Failure> {
    if hosts.host.is_empty() {
        writeln!(out, "remote   devices of machines that run `rekindle host`; name them with --host URL")?;
    }
    for (url, connected) in hosts.host.iter().zip(hosts.connect(hosts.token()?.as_ref())) {
        match connected {
            Ok(connections) => {
                for (index, connection) in connections.iter().enumerate() {
                    let kind = kind(connection.description.as_ref());
                    writeln!(out, "remote   {}  {kind}", url.device_name(index))?;
                }
            }
            Err(error) => writeln!(out, "remote   {url}: {}", reason(&error))?,
        }
    }
    Ok(())
}

fn kind(description: Option<&Description>) -> String {
    match description {
        Some(Description { kind, version }) if version == env!("CARGO_PKG_VERSION") => kind.clone(),
        Some(Description { kind, version }) => format!("{kind} (by Rekindle {version})"),
        None => "of unknown kind: not `rekindle host`, or an older version of it".into(),
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle devices";
