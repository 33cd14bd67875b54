//! Ctrl-C: the first stops with a training checkpoint, the second immediately.

use rekindle::train::Stop;

use crate::exit::{Failure, Kind};

/// Requests a stop on Ctrl-C and, on Unix, on SIGTERM and SIGHUP. If one of the signals is ignored, for example under
/// `nohup`, they are left unchanged.
///
/// # Errors
/// Returns an error if the system does not allow a handler.
pub fn handle(stop: &Stop) -> Result<(), Failure> {
    let stop = stop.clone();
    let handler = move || {
        if stop.is_requested() {
            std::process::exit(Kind::Interrupted as i32);
        }
        stop.request();
        anstream::eprintln!("\nstopping after this step, with a checkpoint; Ctrl-C once more stops at once");
    };
    match ctrlc::try_set_handler(handler) {
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        result => result.map_err(Failure::other),
    }
}
