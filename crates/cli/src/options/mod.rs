//! Options that several commands share, and what they stand for.

use std::num::{NonZero, ParseIntError};
use std::time::Duration;

use rekindle::train::SaveStrategy;

pub mod backend;
pub mod data_file;
pub mod engine;
pub mod groups;
pub mod labels;
pub mod model;
pub mod precision;
pub mod search;
pub mod settings;
pub mod table_output;
pub mod texts;
pub mod token;

pub use data_file::{DataFileArgs, TableFileArgs};
pub use engine::{EngineArgs, HostsArgs};
pub use groups::GroupArgs;
pub use labels::{LabelArgs, SeveralLabelsArgs};
pub use precision::PrecisionArgs;
pub use search::SearchArgs;
pub use table_output::TableOutputArgs;
pub use texts::TextArgs;

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

/// Parses a number of at least 1.
pub fn positive(text: &str) -> Result<NonZero<usize>, String> {
    at_least(1)(text).map(|number| NonZero::new(number).unwrap_or(NonZero::<usize>::MIN))
}

/// The least number of tokens per text: one, `[CLS]` and `[SEP]`.
pub const MIN_LENGTH: usize = 3;

/// Parses a finite number of at least 0.
pub fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "must be a number of at least 0".into())
}

/// Parses a number between 0 and 1.
pub fn probability(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "must be a number between 0 and 1".into())
}

/// Parses a share above 0 and at most 1.
pub fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 1.0);
    number.ok_or_else(|| "must be above 0 and at most 1".into())
}
