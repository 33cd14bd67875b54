//! Signals that ask the program to end: the first stops it with a training checkpoint.

use std::io;

use rekindle::train::Stop;

use crate::exit::{Failure, Kind};

/// Requests a stop on Ctrl-C and, on Unix, on SIGTERM and SIGHUP; `notify` prints that it was requested. A signal that is
/// ignored, for example SIGHUP under `nohup`, stays ignored.
///
/// A second Ctrl-C ends the program immediately. The other signals only request the stop: programs that send them, such as
/// `timeout` or a closing terminal, may send them twice.
///
/// # Errors
/// Returns an error if the system does not permit a handler.
pub fn handle(stop: &Stop, notify: impl Fn(&str) + Send + 'static) -> Result<(), Failure> {
    let stop = stop.clone();
    let on_signal = move |is_ctrl_c: bool| match (stop.is_requested(), is_ctrl_c) {
        (true, true) => std::process::exit(Kind::Interrupted as i32),
        (true, false) => {}
        (false, _) => {
            stop.request();
            notify(NOTICE);
        }
    };
    match install(on_signal) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(Failure::other),
    }
}

/// Lines that fit a narrow terminal.
const NOTICE: &str = "stopping after this step, with a checkpoint\npress Ctrl-C again to stop immediately";

#[cfg(unix)]
fn install(on_signal: impl Fn(bool) + Send + 'static) -> io::Result<()> {
    use rekindle_raw::signals::{Signal, on_termination};

    on_termination(move |signal| on_signal(signal == Signal::Interrupt))
}

#[cfg(not(unix))]
fn install(on_signal: impl Fn(bool) + Send + 'static) -> io::Result<()> {
    ctrlc::try_set_handler(move || on_signal(true)).map_err(|error| match error {
        ctrlc::Error::MultipleHandlers => io::ErrorKind::AlreadyExists.into(),
        error => io::Error::other(error),
    })
}
