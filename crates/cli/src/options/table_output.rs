//! Where commands write a table with what they add to it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rekindle::data::{DataError, OutputFormat};

use crate::exit::Failure;
use crate::files;

/// The beginning of the names of columns that a table already has.
pub const PREFIX: &str = "predicted_";

/// The options of commands that write a table with added columns.
#[derive(Args, Debug)]
#[group(id = "table_output")]
pub struct TableOutputArgs {
    /// File for the rows with the added columns: .csv or .jsonl, each optionally .gz, or .parquet [default: standard output].
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Format on standard output [default: jsonl].
    #[arg(
        long,
        value_name = "csv|jsonl",
        conflicts_with = "output",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub output_format: Option<LineFormat>,
    /// Put this in front of the names of the added columns [default: nothing, or `predicted_` if the table already has one of them,
    /// for example `label`].
    #[arg(long, value_name = "TEXT", help_heading = "Output")]
    pub prefix: Option<String>,
}

/// The formats of standard output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LineFormat {
    /// CSV.
    Csv,
    /// A JSON object per line.
    Jsonl,
}

impl TableOutputArgs {
    /// Returns the format of standard output.
    pub fn line_format(&self) -> OutputFormat {
        match self.output_format {
            Some(LineFormat::Csv) => OutputFormat::CSV,
            _ => OutputFormat::JSONL,
        }
    }

    /// Returns the format of the output file by its extension, or of standard output.
    ///
    /// # Errors
    /// Returns an error if the extension is not known.
    pub fn format(&self) -> Result<OutputFormat, DataError> {
        self.output.as_deref().map_or(Ok(self.line_format()), OutputFormat::of)
    }

    /// Checks that the output can be written.
    ///
    /// # Errors
    /// Returns an error if it is a folder, or a file that is not to be replaced.
    pub fn check(&self, overwrite: bool) -> Result<(), Failure> {
        self.output.as_deref().map_or(Ok(()), |output| files::check_new_file(output, overwrite))
    }
}
