//! `rekindle devices`.

use std::io::Write;

use clap::Args;

use crate::exit::Failure;
use crate::options::HostsArgs;
use crate::options::backend::{ALL, Backend, describe};
use crate::remote::{self, About};

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
    for (url, offers) in hosts.host.iter().zip(hosts.offers(hosts.token()?.as_ref())) {
        match offers {
            Ok(offers) => {
                for (index, offer) in offers.iter().enumerate() {
                    writeln!(out, "remote   {}  {}", remote::name(url, index), kind(offer.about.as_ref()))?;
                }
            }
            Err(reason) => writeln!(out, "remote   {url}: {reason}")?,
        }
    }
    Ok(())
}

fn kind(about: Option<&About>) -> String {
    match about {
        Some(About { kind, version }) if version == env!("CARGO_PKG_VERSION") => kind.clone(),
        Some(About { kind, version }) => format!("{kind} (by Rekindle {version})"),
        None => "of unknown kind: not `rekindle host`, or an older version of it".into(),
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle devices";
