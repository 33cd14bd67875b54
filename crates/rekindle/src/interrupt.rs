//! Ctrl-C: the first ends the work with a checkpoint, the second at once.

use rekindle_train::Stop;
use thiserror::Error;

/// The exit code of work that was ended so, as of what a shell sees die of SIGINT.
pub const EXIT_CODE: u8 = 130;

/// The work was ended from outside, and all that it takes to go on is on disk.
#[derive(Debug, Error)]
#[error("{what}\nnothing is lost: go on with the same command and --resume")]
pub struct Interrupted {
    /// Where it was.
    pub what: String,
}

/// Lets Ctrl-C, and where the system has them the signals of a terminal or a scheduler that ends, request a stop.
///
/// # Errors
/// When the system does not let us.
pub fn handle(stop: &Stop) -> Result<(), ctrlc::Error> {
    let stop = stop.clone();
    ctrlc::set_handler(move || {
        if stop.is_requested() {
            std::process::exit(EXIT_CODE.into());
        }
        stop.request();
        anstream::eprintln!("\nstopping after this step, with a checkpoint; Ctrl-C once more stops at once");
    })
}
