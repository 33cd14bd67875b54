//! Tables of any columns, of which one is the text.

use std::fmt;
use std::io::Cursor;
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::Texts;
use super::source::{self, Source, Text};
use super::values::Values;
use super::{Fault, Format, ReadOptions, columns, delimited, json};
use crate::error::DataError;

/// A value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cell {
    /// No value: `null`.
    Null,
    /// A string, or a value of CSV and TSV, which have no types.
    Text(String),
    /// Another value, as JSON: a number, a boolean, an array or an object. In the spelling of the file, if it is JSON.
    Json(String),
}

/// A row of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableRow {
    /// The line on which the row begins, as in [`Row::line`](crate::Row::line).
    pub line: u64,
    /// The text, unchanged.
    pub text: String,
    /// The second text of a pair, unchanged, if a column of it was named.
    pub text_pair: Option<String>,
    /// All values with the names of their columns, in the order of the file. Rows of JSON may differ in their columns.
    pub cells: Vec<(Arc<str>, Cell)>,
}

/// The rows of an open table.
type TableRows = Box<dyn Iterator<Item = Result<TableRow, Fault>> + Send>;

/// An open table of a known format.
pub(super) struct OpenedTable {
    pub(super) format: Format,
    pub(super) separator: Option<char>,
    pub(super) columns: Vec<Arc<str>>,
    pub(super) texts: Texts,
    pub(super) rows: TableRows,
}

/// An iterator over the rows of a file with all their columns, as [`Rows`](crate::Rows) reads text and label. No column needs
/// to be a label.
pub struct Table {
    path: PathBuf,
    format: Format,
    columns: Vec<Arc<str>>,
    texts: Texts,
    rows: Option<TableRows>,
}

impl Table {
    /// Opens a file, and determines its format and the column of the text; `options.label_column` has no effect.
    ///
    /// # Errors
    /// As [`Rows::open`](crate::Rows::open), and if a Parquet file has nested columns.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Self::read(path, options, false)
    }

    /// Opens a file as [`open`](Self::open), and reads only the text of Parquet files, whose other columns may be nested. The
    /// cells of their rows have only the text.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_text_of_parquet(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Self::read(path, options, true)
    }

    fn read(path: &Path, options: &ReadOptions, only_text: bool) -> Result<Self, DataError> {
        let OpenedTable { format, separator, columns, texts, rows } = match source::open(path, options.encoding)? {
            Source::Parquet(file) => parquet_table(path, file, options, only_text)?,
            Source::Text(text) => match super::text_format(path, &text, options)? {
                Some(Format::Json | Format::Jsonl) => open_json(path, text, options)?,
                format => delimited::open_table(path, text, format, options)?,
            },
        };
        super::check_effect(path, format, separator, options)?;
        Ok(Self { path: path.into(), format, columns, texts, rows: Some(rows) })
    }

    /// Returns the format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the names of the columns; for JSON, the keys of the first object; without a header, their numbers from 0.
    pub fn columns(&self) -> &[Arc<str>] {
        &self.columns
    }

    /// Returns the index of the column of the text.
    pub fn text(&self) -> usize {
        self.texts.text
    }

    /// Returns the index of the column of the second text of pairs.
    pub fn text_pair(&self) -> Option<usize> {
        self.texts.text_pair
    }
}

impl Iterator for Table {
    type Item = Result<TableRow, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.as_mut()?.next();
        if matches!(row, None | Some(Err(Fault::Io(_) | Fault::End { .. }))) {
            self.rows = None;
        }
        Some(row?.map_err(|fault| fault.named(&self.path, self.format)))
    }
}

impl FusedIterator for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, format, columns, .. } = self;
        let mut shown = f.debug_struct("Table");
        shown.field("path", path).field("format", format).field("columns", columns).finish_non_exhaustive()
    }
}

#[cfg(feature = "parquet")]
fn parquet_table(
    path: &Path,
    file: std::fs::File,
    options: &ReadOptions,
    only_text: bool,
) -> Result<OpenedTable, DataError> {
    super::parquet::open_table(path, file, options, only_text)
}

#[cfg(not(feature = "parquet"))]
fn parquet_table(path: &Path, _: std::fs::File, _: &ReadOptions, _: bool) -> Result<OpenedTable, DataError> {
    Err(DataError::NoParquet { path: path.into() })
}

fn open_json(path: &Path, text: Text, options: &ReadOptions) -> Result<OpenedTable, DataError> {
    let find = |names: Vec<String>| Ok((columns::find_texts(path, &names, options, false)?, names));
    let json::Found { format, columns: (texts, names), first, objects } = json::objects(path, text, options, &find)?;
    let (name, pair) = (names[texts.text].clone(), texts.text_pair.map(|column| names[column].clone()));
    let objects = std::iter::once(Ok(first)).chain(objects);
    let rows = objects.map(move |object| object.and_then(|object| json_row(&object, &name, pair.as_deref())));
    let columns = names.into_iter().map(Arc::from).collect();
    Ok(OpenedTable { format, separator: None, columns, texts, rows: Box::new(rows) })
}

fn json_row(object: &json::Object, text: &str, text_pair: Option<&str>) -> Result<TableRow, Fault> {
    let line = object.line;
    let value = |key: &str| json::text(line, &object.members, key);
    let (text, text_pair) = (value(text)?, text_pair.map(value).transpose()?);
    let cells = members(&object.json).map_err(|fault| match fault {
        Fault::End { reason, .. } => Fault::Row { line, reason },
        fault => fault,
    })?;
    Ok(TableRow { line, text, text_pair, cells })
}

/// Returns the members of an object in the order and the spelling of its text, which is valid JSON.
fn members(json: &[u8]) -> Result<Vec<(Arc<str>, Cell)>, Fault> {
    let (mut values, mut bytes, mut cells) = (Values::new(Cursor::new(json), 1), Vec::new(), Vec::new());
    let broken = |_| Fault::End { line: 1, reason: "not a JSON object".into() };
    values.expect(b'{')?;
    while values.another(b'}', cells.is_empty())? {
        values.value(&mut bytes)?;
        let name: String = serde_json::from_slice(&bytes).map_err(broken)?;
        values.expect(b':')?;
        values.value(&mut bytes)?;
        cells.push((name.into(), cell(&bytes).map_err(broken)?));
    }
    Ok(cells)
}

fn cell(json: &[u8]) -> Result<Cell, serde_json::Error> {
    match json.first() {
        Some(b'"') => serde_json::from_slice(json).map(Cell::Text),
        Some(b'n') => Ok(Cell::Null),
        _ => Ok(Cell::Json(one_line(json))),
    }
}

/// Returns a JSON value without the white space between its parts, which may contain line ends.
fn one_line(json: &[u8]) -> String {
    let (mut quoted, mut escaped, mut line) = (false, false, Vec::with_capacity(json.len()));
    for &byte in json {
        if quoted || !byte.is_ascii_whitespace() {
            line.push(byte);
        }
        (quoted, escaped) = match quoted {
            true => (escaped || byte != b'"', !escaped && byte == b'\\'),
            false => (byte == b'"', false),
        };
    }
    String::from_utf8_lossy(&line).into_owned()
}
