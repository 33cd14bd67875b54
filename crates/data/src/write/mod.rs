//! Writers of tables: CSV, JSONL and Parquet.

mod delimited;
mod json;
#[cfg(feature = "parquet")]
mod parquet;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::DataError;
use crate::read::{Cell, Format};
use crate::summary::TableColumn;

/// The format of a table that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    format: Format,
    gzip: bool,
}

impl OutputFormat {
    /// CSV.
    pub const CSV: Self = Self { format: Format::Csv, gzip: false };
    /// A JSON object per line.
    pub const JSONL: Self = Self { format: Format::Jsonl, gzip: false };

    /// Returns the format for a file extension: `.csv`, `.jsonl` or `.ndjson`, each optionally followed by `.gz`, or
    /// `.parquet`.
    ///
    /// # Errors
    /// Returns an error if the file has another extension, or is Parquet without the feature `parquet`.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let has_extension = |wanted: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted));
        match Format::of(path) {
            Some(format @ (Format::Csv | Format::Jsonl)) if !has_extension("zip") => {
                Ok(Self { format, gzip: has_extension("gz") })
            }
            Some(Format::Parquet) if cfg!(feature = "parquet") => Ok(Self { format: Format::Parquet, gzip: false }),
            Some(Format::Parquet) => Err(DataError::NoParquet { path: path.into() }),
            _ => Err(DataError::OutputFormat { path: path.into() }),
        }
    }

    /// Returns whether this is Parquet, whose columns must be known before the first row.
    pub fn is_parquet(self) -> bool {
        self.format == Format::Parquet
    }
}

/// A writer of rows. What was written is complete only after [`finish`](Self::finish).
pub struct TableWriter(Writer);

enum Writer {
    Csv(Box<delimited::CsvWriter<Output>>),
    Jsonl(Box<json::JsonWriter<Output>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::ParquetWriter<Output>>),
    #[cfg(feature = "parquet")]
    Extended(Box<parquet::ExtendedWriter<Output>>),
}

/// The destination of a writer, compressed or not.
enum Output {
    Plain(Box<dyn Write + Send>),
    Gzip(Box<GzEncoder<Box<dyn Write + Send>>>),
}

impl TableWriter {
    /// Begins a table with these columns. CSV writes their names, and Parquet also needs their types; the rows of JSONL name
    /// their own columns.
    ///
    /// # Errors
    /// Returns an error if two columns have a name, unless the format is CSV, or if nothing can be written.
    pub fn new(format: OutputFormat, columns: &[TableColumn], out: Box<dyn Write + Send>) -> io::Result<Self> {
        let mut names = HashSet::new();
        match columns.iter().find(|column| !names.insert(&column.name)) {
            Some(column) if format.format != Format::Csv => {
                return Err(invalid(format!(
                    "two columns have the name `{}`, which {} does not allow; write CSV",
                    column.name, format.format
                )));
            }
            _ => {}
        }
        let out = match format.gzip {
            true => Output::Gzip(Box::new(GzEncoder::new(out, Compression::default()))),
            false => Output::Plain(out),
        };
        Ok(Self(match format.format {
            #[cfg(feature = "parquet")]
            Format::Parquet => Writer::Parquet(Box::new(parquet::ParquetWriter::new(columns, out)?)),
            Format::Csv => Writer::Csv(Box::new(delimited::CsvWriter::new(columns, out)?)),
            _ => Writer::Jsonl(Box::new(json::JsonWriter::new(out))),
        }))
    }

    /// Begins a Parquet file with the columns and rows of another one, whose bytes are copied, and `added` columns behind
    /// them. The cells of the rows that are written are those of the added columns.
    ///
    /// Types, encodings and statistics of the copied columns stay as they are. The metadata of Arrow, pandas and `datasets`,
    /// which describe the columns, are left out.
    ///
    /// # Errors
    /// Returns an error if the other file cannot be read, or nothing can be written.
    #[cfg(feature = "parquet")]
    pub fn extending(source: &Path, added: &[TableColumn], out: Box<dyn Write + Send>) -> Result<Self, DataError> {
        let writer = parquet::ExtendedWriter::new(source, added, Output::Plain(out))?;
        Ok(Self(Writer::Extended(Box::new(writer))))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Returns an error if the row has a column that the table lacks, or if it cannot be written.
    pub fn write(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        match &mut self.0 {
            Writer::Csv(writer) => writer.write(cells),
            Writer::Jsonl(writer) => writer.write(cells),
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => writer.write(cells),
            #[cfg(feature = "parquet")]
            Writer::Extended(writer) => writer.write(cells),
        }
    }

    /// Passes on what is buffered, as far as the format allows.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Writer::Csv(writer) => writer.flush(),
            Writer::Jsonl(writer) => writer.flush(),
            #[cfg(feature = "parquet")]
            Writer::Parquet(_) | Writer::Extended(_) => Ok(()),
        }
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Returns an error if the rest cannot be written, or if fewer rows were written than the file has that is extended.
    pub fn finish(self) -> io::Result<()> {
        let out = match self.0 {
            Writer::Csv(writer) => writer.finish()?,
            Writer::Jsonl(writer) => writer.finish(),
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => writer.finish()?,
            #[cfg(feature = "parquet")]
            Writer::Extended(writer) => writer.finish()?,
        };
        match out {
            Output::Plain(mut out) => out.flush(),
            Output::Gzip(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter").finish_non_exhaustive()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
