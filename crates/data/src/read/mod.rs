//! Files of labelled text, row by row.

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
    /// Columns of Apache Parquet, with pages plain or packed by Snappy, Zstandard or gzip. Needs the feature `parquet`.
    Parquet,
}

impl Format {
    /// By the end of the file's name: `.csv`, `.tsv`, `.jsonl` or `.ndjson`, each also with `.gz` behind it, or
    /// `.parquet`.
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

    /// What [`Row::line`] counts: `line`, or `row` where a file has no lines.
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

/// Where text and label stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The layout. Default: by the file's name. Text whose name ends in `.gz` is unpacked either way.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The text, unchanged.
    pub text: String,
    /// The label without the space around it; whole numbers and booleans as they are written.
    pub label: String,
    /// From 1: the line on which the row begins; in Parquet, which has no lines, the number of the row.
    pub line: u64,
}

/// Why a row cannot be had; which file it is in, [`Rows`] knows.
enum Fault {
    Io(io::Error),
    Row { line: u64, reason: String },
}

/// What reads a format.
type Reader = Box<dyn Iterator<Item = Result<Row, Fault>> + Send>;

/// The rows of a file, read as they are asked for: one is in memory at a time, in Parquet the pages that it is on.
///
/// The first error ends them.
pub struct Rows {
    path: PathBuf,
    format: Format,
    columns: Columns,
    reader: Option<Reader>,
}

impl Rows {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// When the file cannot be read, nothing says what it is, it has neither header nor row, a column is not there or
    /// holds something else, two columns are a pair of texts, or the first object of JSONL is broken.
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

    /// The layout of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its columns; for JSONL, the keys of the first object.
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

/// A label without the space around it.
fn label(line: u64, label: &str) -> Result<String, Fault> {
    match label.trim() {
        "" => Err(Fault::Row { line, reason: "the label is empty".into() }),
        label => Ok(label.into()),
    }
}
