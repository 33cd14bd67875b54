//! The format of a text and the separator of its columns, recognised by the first rows.

use std::io::Cursor;
use std::path::Path;

use super::records::Records;
use super::source::Text;
use super::{Format, ReadOptions, columns};
use crate::error::DataError;
use crate::label::is_number;

/// The number of rows that are looked at.
const ROWS: usize = 20;
/// The number of rows that are enough to compare columns.
const ENOUGH: usize = 8;

/// How a text is divided into rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) quoting: bool,
}

impl Dialect {
    fn new(separator: u8, format: Option<Format>) -> Self {
        Self { separator, quoting: separator != b'\t' || format == Some(Format::Csv) }
    }

    /// Returns the format that has this dialect.
    pub(super) fn format(self) -> Format {
        if self.quoting { Format::Csv } else { Format::Tsv }
    }
}

/// Returns whether a text is JSON: it begins with an object, or an array of objects.
pub(super) fn is_json(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let behind = head.get(1..).unwrap_or_default().trim_ascii_start().first();
    match head.first() {
        Some(b'{') => matches!(behind, Some(b'"' | b'}')),
        Some(b'[') => matches!(behind, Some(b'{' | b']')),
        _ => false,
    }
}

/// Returns the given separator, or the first with which the first line has the columns that are read, as `has_columns`
/// says of its trimmed names, or else with which all rows have equally many columns.
pub(super) fn dialect(
    text: &Text,
    format: Option<Format>,
    options: &ReadOptions,
    has_columns: &dyn Fn(Vec<String>) -> bool,
) -> Dialect {
    if let Some(separator) = options.separator {
        return Dialect::new(separator, format);
    }
    let candidates = match format {
        Some(Format::Csv) => [b',', b'\t', b';', b'|'],
        _ => [b'\t', b',', b';', b'|'],
    };
    let samples = candidates.map(|separator| {
        let dialect = Dialect::new(separator, format);
        (dialect, sample(text, dialect))
    });
    let has_columns =
        |rows: &[Vec<String>]| options.header && rows.first().is_some_and(|row| has_columns(trimmed(row)));
    let is_even = |rows: &[Vec<String>]| {
        rows.first().is_some_and(|first| first.len() > 1 && rows.iter().all(|row| row.len() == first.len()))
    };
    let found = samples.iter().find(|(_, rows)| has_columns(rows));
    let found = found.or_else(|| samples.iter().find(|(_, rows)| is_even(rows)));
    found.map_or(samples[0].0, |(dialect, _)| *dialect)
}

/// Returns the first rows of a text.
pub(super) fn sample(text: &Text, dialect: Dialect) -> Vec<Vec<String>> {
    let mut records = Records::new(Box::new(Cursor::new(text.head.clone())), dialect.separator, dialect.quoting);
    let mut rows = Vec::new();
    while rows.len() < ROWS && matches!(records.read(), Ok(Some(_))) {
        rows.push(records.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect());
    }
    // The last row may be cut.
    if !text.complete && rows.len() < ROWS && rows.len() > 1 {
        rows.pop();
    }
    rows
}

pub(super) fn trimmed(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim().to_string()).collect()
}

/// Checks that the first row of a table without a header does not name the text.
pub(super) fn check_no_names(path: &Path, rows: &[Vec<String>]) -> Result<(), DataError> {
    match rows.first().map(|row| trimmed(row)) {
        Some(first) if columns::has_text(&first) => {
            Err(DataError::UnexpectedHeader { path: path.into(), header: first.join(", ") })
        }
        _ => Ok(()),
    }
}

/// Checks that the first row of a file without a header is an example, and that its columns are not exchanged.
pub(super) fn check_headerless(
    path: &Path,
    rows: &[Vec<String>],
    options: &ReadOptions,
    label: usize,
) -> Result<(), DataError> {
    let Some((first, others)) = rows.split_first() else { return Ok(()) };
    let value = |row: &Vec<String>, column: usize| row.get(column).map_or("", |field| field.trim()).to_string();
    let has_name = !is_number(&value(first, label));
    let are_numbers = others.len() > 2 && others.iter().all(|row| is_number(&value(row, label)));
    if columns::are_names(&trimmed(first)) || has_name && are_numbers {
        return Err(DataError::UnexpectedHeader { path: path.into(), header: trimmed(first).join(", ") });
    }
    let distinct = |column| {
        let mut values: Vec<String> = rows.iter().map(|row| value(row, column)).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    let columns = [
        &options.text_column,
        &options.label_column,
        &options.text_pair_column,
        &options.group_column,
        &options.time_column,
    ];
    let by_default = columns.iter().all(|column| column.is_none());
    if by_default && rows.len() >= ENOUGH && distinct(1) == rows.len() && distinct(0) * 2 <= rows.len() {
        return Err(DataError::LabelFirst { path: path.into() });
    }
    Ok(())
}
