//! What a split follows beside the labels: groups and times.

use std::path::Path;

use clap::Args;
use rekindle::data::{ReadOptions, Time};

use super::share;
use crate::exit::Failure;

/// The options of commands that split examples.
#[derive(Args, Clone, Debug)]
#[group(id = "groups")]
pub struct GroupArgs {
    /// Column with the group of each example, for example its author, by name or by number from 0. Examples of a group stay on one
    /// side of a split and in one fold, and intervals and tests do not treat them as independent.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub group_column: Option<String>,
    /// Column with the time of each example, by name or by number from 0: numbers, or dates and date-times of ISO 8601. The newest
    /// examples are for testing, and for validation the newest of the others; each fold is tested by a model that is trained on all older
    /// examples.
    #[arg(long, value_name = "COLUMN", conflicts_with = "group_column", help_heading = "Data")]
    pub time_column: Option<String>,
    /// Count texts that are nearly equal to another one, and keep them on one side of a split (except by --time-column) as equal
    /// texts are: texts whose sets of five consecutive characters have at least this Jaccard similarity [0.8 without a value].
    #[arg(long, value_name = "SIMILARITY", num_args = 0..=1, require_equals = true, default_missing_value = "0.8", value_parser = share, help_heading = "Data")]
    pub near_duplicates: Option<f64>,
}

/// Returns an error if a time of the test examples in `path` is of another kind than one of the training examples, with which it
/// cannot be compared.
pub fn check_times(train: Option<Time>, test: Option<Time>, path: &Path) -> Result<(), Failure> {
    match train.zip(test).filter(|(train, test)| train.kind() != test.kind()) {
        None => Ok(()),
        Some((train, test)) => Err(Failure::input(format!(
            "{}: time `{test}` is {}, and the training examples have {}, such as `{train}`",
            path.display(),
            test.kind(),
            train.kind()
        ))),
    }
}

impl GroupArgs {
    /// Adds the options to those of the file.
    pub fn add_to(&self, options: ReadOptions) -> ReadOptions {
        let near_duplicates = self.near_duplicates;
        let (group_column, time_column) = (self.group_column.clone(), self.time_column.clone());
        ReadOptions { near_duplicates, group_column, time_column, ..options }
    }

    /// Returns the first option that is given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--group-column", self.group_column.is_some()),
            ("--time-column", self.time_column.is_some()),
            ("--near-duplicates", self.near_duplicates.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}
