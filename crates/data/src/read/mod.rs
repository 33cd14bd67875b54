//! Files of labelled text.

mod columns;
mod delimited;
mod jsonl;

use std::fs::File;
use std::path::Path;

use crate::error::DataError;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Values between commas, quoted where need be (RFC 4180).
    Csv,
    /// Values between tabs, never quoted: a quotation mark is a character like any other.
    Tsv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// By the end of the file's name: `.csv`, `.tsv`, `.jsonl` or `.ndjson`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// Where text and label stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The layout. Default: by the file's name.
    pub format: Option<Format>,
    /// The column of the text. Default: `text`, or else `sentence`.
    pub text_column: Option<String>,
    /// The column of the label. Default: `label`.
    pub label_column: Option<String>,
    /// Whether the first line of CSV and TSV names the columns; without, column 1 is the text and column 2 the label.
    /// Default: true.
    pub header: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { format: None, text_column: None, label_column: None, header: true }
    }
}

/// A row as it stands in the file.
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) label: String,
    /// From 1: where the row begins.
    pub(crate) line: u64,
}

/// All rows of a file.
pub(crate) fn rows(path: &Path, options: &ReadOptions) -> Result<Vec<Row>, DataError> {
    let format = options.format.or_else(|| Format::of(path));
    let format = format.ok_or_else(|| DataError::UnknownFormat { path: path.into() })?;
    let io = |source| DataError::Io { path: path.into(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(io(std::io::ErrorKind::IsADirectory.into()));
    }
    match format {
        Format::Csv => delimited::read(path, file, b',', true, options),
        Format::Tsv => delimited::read(path, file, b'\t', false, options),
        Format::Jsonl => jsonl::read(path, file, options),
    }
}

/// A label without the space around it.
fn label(path: &Path, line: u64, label: &str) -> Result<String, DataError> {
    match label.trim() {
        "" => Err(DataError::Row { path: path.into(), line, reason: "the label is empty".into() }),
        label => Ok(label.into()),
    }
}
