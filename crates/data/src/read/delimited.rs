//! CSV and TSV.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::{ReadOptions, Row, columns, label};
use crate::error::DataError;

pub(super) fn read(
    path: &Path,
    file: File,
    delimiter: u8,
    quoting: bool,
    options: &ReadOptions,
) -> Result<Vec<Row>, DataError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .has_headers(options.header)
        .buffer_capacity(1 << 16)
        .from_reader(file);
    let (text_column, label_column) = match options.header {
        true => {
            let header = reader.headers().map_err(|error| broken(path, error))?;
            let names: Vec<&str> = header.iter().map(str::trim).collect();
            if names.is_empty() {
                return Err(DataError::Empty { path: path.into() });
            }
            columns::find(path, &names, options)?
        }
        false => (0, 1),
    };
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(path, error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(text), Some(name)) = (record.get(text_column), record.get(label_column)) else {
            let reason = format!("{} column, but text and label need two", record.len());
            return Err(DataError::Row { path: path.into(), line, reason });
        };
        rows.push(Row { text: text.into(), label: label(path, line, name)?, line });
    }
    Ok(rows)
}

fn broken(path: &Path, error: csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.into_kind() {
        ErrorKind::Io(source) => return DataError::Io { path: path.into(), source },
        ErrorKind::Utf8 { err, .. } => format!("not UTF-8 ({err})"),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns where the lines before have {expected_len}")
        }
        other => format!("{other:?}"),
    };
    DataError::Row { path: path.into(), line, reason }
}
