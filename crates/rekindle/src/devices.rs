//! `rekindle devices`.

use std::io::Write;

use crate::backend::{ALL, Backend, describe};
use crate::cli::HostsArgs;

/// Prints each backend with its devices, or with what it lacks.
pub fn run(hosts: &HostsArgs) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = anstream::stdout().lock();
    for backend in ALL {
        let name = backend.name();
        let default = if backend == Backend::default() { " (default)" } else { "" };
        if !backend.is_compiled() {
            writeln!(out, "{name:8} not compiled in; build with `--features {name}`")?;
            continue;
        }
        if backend == Backend::Remote {
            remote(hosts, &mut out)?;
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

/// The devices of other machines. Of which kind they are, Burn's engine does not tell.
fn remote(hosts: &HostsArgs, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    if hosts.host.is_empty() {
        writeln!(out, "remote   devices of machines that run `rekindle host`; name them with --host URL")?;
    }
    for (url, count) in hosts.host.iter().zip(hosts.counts(hosts.token()?.as_ref())) {
        match count {
            Ok(1) => writeln!(out, "remote   {url}, one device")?,
            Ok(count) => writeln!(out, "remote   {url}, {count} devices")?,
            Err(reason) => writeln!(out, "remote   {url}: {reason}")?,
        }
    }
    Ok(())
}
