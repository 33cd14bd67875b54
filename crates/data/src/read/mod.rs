//! Readers of labelled texts, row by row.

mod columns;
mod container;
mod delimited;
mod encoding;
mod json;
mod labels;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod records;
mod sniff;
mod source;
mod table;
mod values;

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use self::source::Source;
use crate::error::DataError;
use crate::label::canonical_label;
use crate::target::Task;
use crate::time::Time;

pub use columns::Columns;
pub use encoding::Encoding;
pub use lines::{looks_like_table, open_text, text_lines};
#[cfg(feature = "parquet")]
pub(crate) use parquet::Checked as CheckedParquet;
pub use table::{Cell, Table, TableRow};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Values separated by commas, semicolons, vertical bars or tabs, optionally quoted (RFC 4180).
    Csv,
    /// Tab-separated values, never quoted: quotation marks are ordinary characters.
    Tsv,
    /// A JSON document: an array of objects, or an object that contains one.
    Json,
    /// JSON objects one after the other, usually one per line.
    Jsonl,
    /// Apache Parquet, uncompressed or with Snappy, Zstandard, gzip, LZ4 or Brotli. Requires the feature `parquet`.
    Parquet,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Tsv, Self::Json, Self::Jsonl, Self::Parquet];

    /// Returns the format for a file extension: `.csv`, `.tsv` or `.tab`, `.json`, `.jsonl` or `.ndjson`, each optionally
    /// followed by `.gz` or `.zip`, or `.parquet`. Other files are recognised by their content.
    pub fn of(path: &Path) -> Option<Self> {
        let name = source::unpacked_name(path);
        match name.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" if name == path => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Returns what [`Row::line`] counts: `line`, or `row` in formats without lines.
    pub fn unit(self) -> &'static str {
        if self == Self::Parquet { "row" } else { "line" }
    }

    /// Returns the name in lower case, which [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

impl FromStr for Format {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| DataError::NotAFormat { name: name.into() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parquet => f.write_str("Parquet"),
            other => f.write_str(&other.name().to_ascii_uppercase()),
        }
    }
}

/// The format and columns of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// The format. Default: by the file's extension, or else by its content. Compression is recognised in any case.
    pub format: Option<Format>,
    /// The character encoding of CSV, TSV and JSON. Default: UTF-8, or as a byte order mark says.
    pub encoding: Option<Encoding>,
    /// The separator of CSV and TSV, an ASCII character. Default: recognised among `,`, tab, `;` and `|`.
    pub separator: Option<u8>,
    /// The column of the text: its name, or its number from 0. Default: `text`, `sentence`, or the only other usual name
    /// of a text, in any case; without a header, the first column.
    pub text_column: Option<String>,
    /// The column of the label: its name, or its number from 0. Default: `label`, or the only other usual name of a
    /// label (`class`, `category`, `sentiment`, `target`, …), in any case; without a header, the second column.
    pub label_column: Option<String>,
    /// The column of the second text of a text pair: its name, or its number from 0. Default: none, each row has one text.
    pub text_pair_column: Option<String>,
    /// Whether the order of the two texts does not matter: a [`Dataset`](crate::Dataset) then regards a pair and the pair
    /// with exchanged texts as equal. Default: false.
    pub symmetric: bool,
    /// The Jaccard similarity of their shingles from which a [`Dataset`](crate::Dataset) regards texts as nearly equal, as
    /// [`near_duplicates`](crate::near_duplicates); they then stay together in a split as equal texts do. Default: none.
    pub near_duplicates: Option<f64>,
    /// The column of the group: its name, or its number from 0. Examples of a group stay together in a split. Default: none.
    pub group_column: Option<String>,
    /// The column of the time: its name, or its number from 0. A split then trains on the past and tests on the future. Default: none.
    pub time_column: Option<String>,
    /// Whether the first line of CSV and TSV contains the column names. Default: true.
    pub header: bool,
    /// The kind of label that the rows have. Default: one class each.
    pub task: Option<Task>,
    /// The separator of several labels in the column of the label. Default: none; a JSON array or a Parquet list has several
    /// labels.
    pub label_separator: Option<String>,
    /// Columns of 0 and 1 or of booleans, one per label, instead of the column of the label. Default: none.
    pub label_columns: Vec<String>,
    /// The labels of an ordinal task, from the lowest to the highest. Default: labels that are numbers, by their value.
    pub label_order: Vec<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            encoding: None,
            separator: None,
            text_column: None,
            label_column: None,
            text_pair_column: None,
            symmetric: false,
            near_duplicates: None,
            group_column: None,
            time_column: None,
            header: true,
            task: None,
            label_separator: None,
            label_columns: Vec::new(),
            label_order: Vec::new(),
        }
    }
}

/// A row of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The text, unchanged.
    pub text: String,
    /// The second text of a text pair, unchanged.
    pub text_pair: Option<String>,
    /// The label as [`canonical_label`](crate::canonical_label) spells it.
    pub label: String,
    /// The labels, if the row may have several; `label` then contains all of them.
    pub labels: Option<Vec<String>>,
    /// The line on which the row begins, from 1; in Parquet, which has no lines, the number of the row.
    pub line: u64,
    /// The group, spelled as [`canonical_label`](crate::canonical_label) spells labels, if its column is read.
    pub group: Option<String>,
    /// The time, if its column is read.
    pub time: Option<Time>,
}

/// Returns the group in a cell of a column.
fn group_of(line: u64, column: &str, cell: &str) -> Result<String, Fault> {
    match canonical_label(cell) {
        group if group.is_empty() => Err(Fault::Row { line, reason: format!("the group (`{column}`) is empty") }),
        group => Ok(group.into_owned()),
    }
}

/// Returns the time in a cell of a column.
fn time_of(line: u64, column: &str, cell: &str) -> Result<Time, Fault> {
    let broken = |reason| Fault::Row { line, reason };
    match Time::parse(cell) {
        Some(time) => Ok(time),
        None if cell.trim().is_empty() => Err(broken(format!("the time (`{column}`) is empty"))),
        None => Err(broken(format!(
            "time `{}` (`{column}`) is neither a number nor a date of ISO 8601, such as 2024-03-01 or 2024-03-01T12:30:00Z",
            cell.trim()
        ))),
    }
}

/// An error in a row; [`Rows`] adds the path.
enum Fault {
    Io(io::Error),
    /// A row cannot be used; the next one can be read.
    Row {
        line: u64,
        reason: String,
    },
    /// Nothing can be read from here on.
    End {
        line: u64,
        reason: String,
    },
}

/// The reader of a format.
type Reader = Box<dyn Iterator<Item = Result<Row, Fault>> + Send>;

/// An open file of a known format.
struct Opened {
    format: Format,
    separator: Option<char>,
    columns: Columns,
    reader: Reader,
}

/// An iterator over the rows of a file. It keeps one row in memory; for Parquet, the current pages; and for a JSON
/// document that is one object, all of it.
///
/// A row that is invalid is an error, after which iteration continues with the next row. Iteration ends after an error
/// behind which nothing can be read, for example an unclosed quotation mark.
pub struct Rows {
    path: PathBuf,
    format: Format,
    separator: Option<char>,
    columns: Columns,
    reader: Option<Reader>,
    /// The first time, and its line.
    time: Option<(Time, u64)>,
}

impl Rows {
    /// Opens a file, and determines its format and its columns.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is recognised as something else, it has neither header nor rows, a
    /// column is missing, ambiguous or has the wrong type, two columns are a text pair, the first object of JSON is
    /// invalid, or the first line is a header or an example although `options` say the opposite.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        options.check(path)?;
        let Opened { format, separator, columns, reader } = match source::open(path, options.encoding)? {
            Source::Parquet(file) => Self::parquet(path, file, options)?,
            Source::Text(text) => match text_format(path, &text, options)? {
                Some(Format::Json | Format::Jsonl) => json::open(path, text, options)?,
                format => delimited::open(path, text, format, options)?,
            },
        };
        check_effect(path, format, separator, options)?;
        Ok(Self { path: path.into(), format, separator, columns, reader: Some(reader), time: None })
    }

    #[cfg(feature = "parquet")]
    fn parquet(path: &Path, file: std::fs::File, options: &ReadOptions) -> Result<Opened, DataError> {
        let (columns, reader) = parquet::open(path, file, options)?;
        Ok(Opened { format: Format::Parquet, separator: None, columns, reader })
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(path: &Path, _: std::fs::File, _: &ReadOptions) -> Result<Opened, DataError> {
        Err(DataError::NoParquet { path: path.into() })
    }

    /// Returns all rows.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or if rows are invalid: it names the first ten of them, and their number.
    pub fn collect_all(self) -> Result<Vec<Row>, DataError> {
        DataError::collect(self.format.unit(), self)
    }

    /// Returns the format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the separator of CSV and TSV.
    pub fn separator(&self) -> Option<char> {
        self.separator
    }

    /// Returns the columns of the file; for JSON, the keys of the first object.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Returns an error if a row has another kind of time than the rows before, with which it cannot be compared.
    fn check_time(&mut self, row: Row) -> Result<Row, Fault> {
        let Some(time) = row.time else { return Ok(row) };
        let (first, line) = *self.time.get_or_insert((time, row.line));
        if first.kind() == time.kind() {
            return Ok(row);
        }
        let (unit, kind, other) = (self.format.unit(), time.kind(), first.kind());
        let reason = format!("time `{time}` is {kind}, and that of {unit} {line}, `{first}`, is {other}");
        Err(Fault::Row { line: row.line, reason })
    }

    /// Returns the name of the time's column, or its number without a header.
    pub(crate) fn time_column(&self) -> Option<String> {
        self.columns.time.map(|column| self.columns.name(column))
    }

    /// Returns the name of the group's column, or its number without a header.
    pub(crate) fn group_column(&self) -> Option<String> {
        self.columns.group.map(|column| self.columns.name(column))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.reader.as_mut()?.next();
        if matches!(row, None | Some(Err(Fault::Io(_) | Fault::End { .. }))) {
            self.reader = None;
        }
        let row = row?.and_then(|row| self.check_time(row));
        Some(row.map_err(|fault| fault.named(&self.path, self.format)))
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
            Self::Row { line, reason } | Self::End { line, reason } => {
                DataError::Row { path: path.into(), unit: format.unit(), line, reason }
            }
        }
    }
}

/// Returns the format of a text: as given, by the file's extension, or else by its content; `None` for delimited text whose
/// separator is to be recognised.
fn text_format(path: &Path, text: &source::Text, options: &ReadOptions) -> Result<Option<Format>, DataError> {
    match options.format.or_else(|| Format::of(&text.name)) {
        _ if options.format == Some(Format::Parquet) => {
            let reason = "it does not begin with `PAR1`".into();
            Err(DataError::Parquet { path: path.into(), reason })
        }
        None if sniff::is_json(&text.head) => Ok(Some(Format::Jsonl)),
        None if text.head.contains(&0) => Err(DataError::UnknownFormat { path: path.into() }),
        format => Ok(format),
    }
}

/// Checks that options of delimited text are given only for delimited text, which has a separator.
fn check_effect(path: &Path, format: Format, separator: Option<char>, options: &ReadOptions) -> Result<(), DataError> {
    let without_effect = [
        (options.separator.is_some(), "no separator; remove `--separator`"),
        (!options.header, "named columns and no header; remove `--no-header`"),
    ];
    match without_effect.iter().find(|(is_given, _)| *is_given && separator.is_none()) {
        Some((_, reason)) => {
            Err(DataError::Content { path: path.into(), found: format!("{format}, which has {reason}") })
        }
        None => Ok(()),
    }
}

impl ReadOptions {
    /// Returns the task that the options say: separators and columns of labels are those of several labels.
    pub(crate) fn task(&self) -> Option<Task> {
        let has_several = self.label_separator.is_some() || !self.label_columns.is_empty();
        self.task.or(has_several.then_some(Task::MultiLabel))
    }

    /// Returns an error if options contradict each other.
    fn check(&self, path: &Path) -> Result<(), DataError> {
        let task = self.task().unwrap_or_default();
        let given = [
            ("--label-separator", self.label_separator.is_some(), Task::MultiLabel),
            ("--label-columns", !self.label_columns.is_empty(), Task::MultiLabel),
            ("--label-order", !self.label_order.is_empty(), Task::Ordinal),
        ];
        if let Some((option, _, of)) = given.into_iter().find(|(_, is_given, of)| *is_given && *of != task) {
            return Err(DataError::OptionOfTask { path: path.into(), option, of, task });
        }
        for (option, labels) in [("--label-order", self.order()), ("--label-columns", self.label_columns.clone())] {
            let is_repeated = |place: &usize| labels[..*place].contains(&labels[*place]);
            if let Some(place) = (0..labels.len()).find(is_repeated) {
                return Err(DataError::RepeatedLabel { path: path.into(), option, label: labels[place].clone() });
            }
        }
        Ok(())
    }

    /// Returns the labels of an ordinal task in their canonical spelling.
    pub(crate) fn order(&self) -> Vec<String> {
        self.label_order.iter().map(|label| canonical_label(label).into_owned()).collect()
    }
}
