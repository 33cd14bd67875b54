//! `rekindle devices`.

use std::io::Write;

use crate::backend::{ALL, Backend, describe};

/// Prints each backend with its devices, or with what it lacks.
pub fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = anstream::stdout().lock();
    for backend in ALL {
        let name = backend.name();
        let default = if backend == Backend::default() { " (default)" } else { "" };
        if !backend.is_compiled() {
            writeln!(out, "{name:8} not compiled in; build with `--features {name}`")?;
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
