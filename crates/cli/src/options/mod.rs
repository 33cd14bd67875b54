//! Options that several commands share, and what they stand for.

use std::num::ParseIntError;
use std::time::Duration;

use rekindle::train::SaveStrategy;

pub mod backend;
pub mod data_file;
pub mod engine;
pub mod host_url;
pub mod model;
pub mod token;

pub use data_file::DataFileArgs;
pub use engine::{EngineArgs, HostsArgs};

/// When training checkpoints are written by default: after epochs that are long.
pub const LONG_EPOCHS: SaveStrategy = SaveStrategy::LongEpochs(Duration::from_secs(5 * 60));

/// Returns a parser of numbers that are at least `least`.
pub fn at_least(least: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if number >= least => Ok(number),
        Ok(_) => Err(format!("must be at least {least}")),
        Err(error) => Err(ParseIntError::to_string(&error)),
    }
}
