//! Readers of labelled texts, row by row.

mod columns;
mod delimited;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
mod source;

use std::fmt;
use std::fs::File;
use std::io;
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};

use crate::error::DataError;

pub use columns::Columns;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values, optionally quoted (RFC 4180).
    Csv,
    /// Tab-separated values, never quoted: quotation marks are ordinary characters.
    Tsv,
    /// One JSON object per line.
    Jsonl,
    /// Apache Parquet, uncompressed or with Snappy, Zstandard or gzip. Requires the feature `parquet`.
    Parquet,
}

impl Format {
    /// Returns the format for a file extension: `.csv`, `.tsv`, `.jsonl` or `.ndjson`, each optionally followed by
    /// `.gz`, or `.parquet`.
    pub fn of(path: &Path) -> Option<Self> {
        let packed = source::is_gzip(path);
        let name = if packed { Path::new(path.file_stem()?) } else { path };
        match name.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" if !packed => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Returns what [`Row::line`] counts: `line`, or `row` in formats without lines.
    pub fn unit(self) -> &'static str {
        if self == Self::Parquet { "row" } else { "line" }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Jsonl => "JSONL",
            Self::Parquet => "Parquet",
        })
    }
}

/// The format and columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format. Default: by the file's extension. Files ending in `.gz` are decompressed in either case.
    pub format: Option<Format>,
    /// The column of the text. Default: `text` or, if there is none, `sentence`.
    pub text_column: Option<String>,
    /// The column of the label. Default: `label`.
    pub label_column: Option<String>,
    /// Whether the first line of CSV and TSV contains the column names. If not, column 1 is the text and column 2 the
    /// label. Default: true.
    pub header: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { format: None, text_column: None, label_column: None, header: true }
    }
}

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The text, unchanged.
    pub text: String,
    /// The label without surrounding white space; whole numbers and booleans as they are written.
    pub label: String,
    /// The line on which the row begins, from 1; in Parquet, which has no lines, the number of the row.
    pub line: u64,
}

/// An error in a row; [`Rows`] adds the path.
enum Fault {
    Io(io::Error),
    Row { line: u64, reason: String },
}

/// The reader of a format.
type Reader = Box<dyn Iterator<Item = Result<Row, Fault>> + Send>;

/// An iterator over the rows of a file. It keeps one row in memory; for Parquet, the current pages.
///
/// Iteration ends after the first error.
pub struct Rows {
    path: PathBuf,
    format: Format,
    columns: Columns,
    reader: Option<Reader>,
}

impl Rows {
    /// Opens a file and determines its columns.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, its format is unknown, it has neither header nor rows, a column is
    /// missing or has the wrong type, two columns are a text pair, or the first object of JSONL is invalid.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let format = options.format.or_else(|| Format::of(path));
        let format = format.ok_or_else(|| DataError::UnknownFormat { path: path.into() })?;
        let io = |source| DataError::Io { path: path.into(), source };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(io::ErrorKind::IsADirectory.into()));
        }
        let text = |file| source::open(file, source::is_gzip(path)).map_err(io);
        let (columns, reader) = match format {
            Format::Csv | Format::Tsv => delimited::open(path, text(file)?, format, options)?,
            Format::Jsonl => jsonl::open(path, text(file)?, options)?,
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::open(path, file, options)?,
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(DataError::NoParquet { path: path.into() }),
        };
        Ok(Self { path: path.into(), format, columns, reader: Some(reader) })
    }

    /// Returns the format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the columns of the file; for JSONL, the keys of the first object.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.reader.as_mut()?.next();
        if !matches!(row, Some(Ok(_))) {
            self.reader = None;
        }
        Some(row?.map_err(|fault| fault.named(&self.path, self.format)))
    }
}

impl FusedIterator for Rows {}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, format, columns, .. } = self;
        let mut shown = f.debug_struct("Rows");
        shown.field("path", path).field("format", format).field("columns", columns).finish_non_exhaustive()
    }
}

impl Fault {
    fn named(self, path: &Path, format: Format) -> DataError {
        match self {
            Self::Io(source) => DataError::Io { path: path.into(), source },
            Self::Row { line, reason } => DataError::Row { path: path.into(), unit: format.unit(), line, reason },
        }
    }
}

/// Returns a label without surrounding white space.
fn label(line: u64, label: &str) -> Result<String, Fault> {
    match label.trim() {
        "" => Err(Fault::Row { line, reason: "the label is empty".into() }),
        label => Ok(label.into()),
    }
}
