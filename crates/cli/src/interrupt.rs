//! Ctrl-C: the first ends the work with a checkpoint, the second at once.

use rekindle::train::Stop;

use crate::exit::{Failure, Kind};

/// Lets Ctrl-C, and where the system has them the signals of a terminal or a scheduler that ends, request a stop. Where one
/// of them is ignored, as under `nohup`, they stay as they are.
///
/// # Errors
/// When the system does not let us.
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
