//! CSV and TSV.

use std::path::Path;

use super::records::{BrokenRecord, Records};
use super::source::Text;
use super::{Fault, Format, Opened, ReadOptions, Row, columns, label, sniff};
use crate::error::DataError;

struct Delimited {
    records: Records,
    text: usize,
    label: usize,
    /// The number of fields of every row, which is that of the first row.
    width: Option<usize>,
}

/// Opens delimited text; without a format, it is recognised by the first rows.
pub(super) fn open(
    path: &Path,
    text: Text,
    format: Option<Format>,
    options: &ReadOptions,
) -> Result<Opened, DataError> {
    let dialect = sniff::dialect(path, &text, format, options);
    let format = dialect.format();
    let rows = sniff::sample(&text, dialect);
    let records = Records::new(text.reader, dialect.separator, dialect.quoting);
    let mut reader = Delimited { records, text: 0, label: 1, width: None };
    let columns = if options.header {
        let header = reader.header().map_err(|fault| fault.named(path, format))?;
        columns::find(path, header.ok_or_else(|| DataError::Empty { path: path.into() })?, options, true)?
    } else {
        // Without rows, the reader says so.
        let columns = columns::numbered(path, rows.first().map_or(2, Vec::len), options)?;
        sniff::check_headerless(path, &rows, options, columns.label)?;
        columns
    };
    (reader.text, reader.label) = (columns.text, columns.label);
    let separator = Some(char::from(dialect.separator));
    Ok(Opened { format, separator, columns, reader: Box::new(reader) })
}

impl Delimited {
    /// Returns the column names in the first row.
    fn header(&mut self) -> Result<Option<Vec<String>>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let names = self.records.fields().map(|name| Ok(utf8(line, name)?.trim().to_string()));
        names.collect::<Result<_, _>>().map(Some)
    }

    /// Reads a record, and returns the line on which it begins.
    fn read(&mut self) -> Result<Option<u64>, Fault> {
        let Some(line) = self.records.read().map_err(broken)? else { return Ok(None) };
        let (width, fields) = (*self.width.get_or_insert(self.records.len()), self.records.len());
        if fields != width {
            let reason = format!("found {fields} columns, expected {width} as in the lines before");
            return Err(Fault::Row { line, reason });
        }
        Ok(Some(line))
    }

    fn row(&mut self) -> Result<Option<Row>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let (Some(text), Some(name)) = (self.records.get(self.text), self.records.get(self.label)) else {
            let reason = format!("found {} column, expected two for text and label", self.records.len());
            return Err(Fault::Row { line, reason });
        };
        Ok(Some(Row { text: utf8(line, text)?.into(), label: label(line, utf8(line, name)?)?, line }))
    }
}

impl Iterator for Delimited {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

fn broken(record: BrokenRecord) -> Fault {
    match record {
        BrokenRecord::Io(source) => Fault::Io(source),
        BrokenRecord::Unclosed { line } => {
            Fault::End { line, reason: "a quotation mark opens a field here, and none closes it".into() }
        }
        BrokenRecord::Followed { line, end } => Fault::End {
            line,
            reason: format!(
                "a quotation mark opens a field here, and the next one, on line {end}, is not the end of a field; close \
                 the field, or write quotation marks inside it twice"
            ),
        },
    }
}

fn utf8(line: u64, field: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(field).map_err(|error| {
        let reason = format!("invalid UTF-8 ({error}); name the encoding, for example `--encoding windows-1252`");
        Fault::Row { line, reason }
    })
}
